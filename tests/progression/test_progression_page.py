"""The page of the study: complete from artefacts, and honest about what has not run."""

from __future__ import annotations

import json

import pytest

from sciml.progression.config import PageConfig
from sciml.progression.stages.report import run
from sciml.report.check import check_page
from sciml.runtime.errors import DataError


def test_the_page_shows_the_cohort_and_says_that_it_is_no_patient(phantom_results, tmp_path):
    run(PageConfig(tier="ci"), phantom_results, tmp_path / "progression.html")
    assert check_page(tmp_path / "progression.html") == []
    text = (tmp_path / "progression.html").read_text()
    assert "Not for clinical use" in text
    record = json.loads((tmp_path / "progression.report.json").read_text())
    statuses = [claim["status"] for claim in record["claims"]]
    assert statuses[:2] == ["reproduced", "reproduced"]


def test_without_a_cohort_the_page_says_what_to_run(tmp_path):
    with pytest.raises(DataError, match="make demo FAMILY=progression"):
        run(PageConfig(tier="ci"), tmp_path, tmp_path / "progression.html")
