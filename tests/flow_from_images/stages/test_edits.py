"""What an edit of one link repeats: the code of a link is that of its own stage and of none before it."""

from __future__ import annotations

import pytest
from imports import reached

STUDY = "sciml.studies.flow_from_images"
LINKS = ("simulate", "render", "archive", "sharpen", "orient", "infer", "report")
CODE = {
    f"{STUDY}.microscope.texture": "render",
    f"{STUDY}.stages.archive": "archive",
    f"{STUDY}.sharpening.methods": "sharpen",
    f"{STUDY}.directors.tensor": "orient",
    f"{STUDY}.stages.infer": "infer",
    f"{STUDY}.page.page": "report",
}


@pytest.mark.parametrize("module", CODE)
def test_an_edit_of_a_link_repeats_no_link_before_it(module):
    first = LINKS.index(CODE[module])
    uses = [link for link in LINKS if module in reached(f"{STUDY}.stages.{link}")]
    assert CODE[module] in uses and not set(uses) & set(LINKS[:first])
