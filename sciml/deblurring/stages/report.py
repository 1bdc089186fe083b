"""Stage `report`: the page of the study from its artefacts."""

from __future__ import annotations

from pathlib import Path

from sciml.deblurring.config import PageConfig
from sciml.deblurring.page.page import study_page
from sciml.report.page import write_page


def run(config: PageConfig, results: Path, output: Path) -> list[Path]:
    """Write the page and its `report.json`.

    Args:
        config: tier and sets of the study.
        results: its results folder.
        output: the page, `.html`.

    Raises:
        DataError: the test pairs have not been evaluated.
        ScimlError: the page is over its budget.
    """
    return [write_page(study_page(config, results), output)]
