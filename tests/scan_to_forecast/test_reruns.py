"""An edit of one link repeats that link and what comes after it; torch's links and the codec's stay apart."""

from __future__ import annotations

import pytest

from sciml.runtime.sources import reached

STAGES = ("cases", "acquire", "reconstruct", "archive", "forecast", "evaluate", "report")
HERE = "sciml.studies.scan_to_forecast"


@pytest.mark.parametrize(
    ("edited", "repeated"),
    [
        (f"{HERE}.chain.reconstruction", {"reconstruct"}),
        ("sciml.proximal.reconstruction.reconstruct", {"reconstruct"}),
        (f"{HERE}.chain.acquisition", {"acquire", "reconstruct"}),
        ("sciml.imaging.operators.mri", {"acquire", "reconstruct"}),
        # the forecast image is archived too
        (f"{HERE}.chain.archive", {"archive", "forecast"}),
        ("sciml.compression.coding.transform", {"archive", "forecast"}),
        (f"{HERE}.chain.measuring", {"forecast"}),
        ("sciml.progression.scans.skull", {"forecast"}),
        ("sciml.studies.budget", {"evaluate", "report"}),
        (f"{HERE}.page.page", {"report"}),
    ],
)
def test_an_edit_is_code_of_its_link_alone(edited, repeated):
    assert {stage for stage in STAGES if edited in reached(f"{HERE}.stages.{stage}")} == repeated
