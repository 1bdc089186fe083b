"""Stage `report`: the page of the study from its artefacts."""

from __future__ import annotations

from pathlib import Path

from sciml.report.page import write_page
from sciml.studies.scan_to_forecast.config import PageConfig
from sciml.studies.scan_to_forecast.page.page import study_page


def run(config: PageConfig, results: Path, output: Path) -> list[Path]:
    """Write the page and its `report.json`.

    Args:
        config: tier of the run.
        results: results folder of the study.
        output: the page, `.html`.

    Raises:
        DataError: the budget has not been made.
        ScimlError: the page is over its budget.
    """
    return [write_page(study_page(config, results), output)]
