"""An edit of one link repeats that link and what comes after it; torch's links and the codec's stay apart."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sciml.runtime.sources import reached

STAGES = ("cases", "acquire", "reconstruct", "archive", "forecast", "evaluate", "report")
HERE = "sciml.studies.scan_to_forecast"
SNAKEFILE = Path(__file__).resolve().parents[2] / "workflows" / "scan_to_forecast" / "Snakefile"


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


@pytest.mark.workflow
def test_a_scan_of_ones_own_is_an_input_by_one_setting(tmp_path):
    (tmp_path / "t1.nii.gz").write_bytes(b"looked at when the job runs")
    (tmp_path / "my.yaml").write_text("base: demo\nscan_to_forecast:\n  head: {scan: t1.nii.gz}\n  subjects: null\n")
    call = [sys.executable, "-m", "snakemake", "-n", "-p", "-s", str(SNAKEFILE), "--cores", "1", "--config", "tier=./my.yaml"]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, check=False)
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    assert "input: t1.nii.gz" in text and "--scan t1.nii.gz" in text and "group=subjects" not in text
