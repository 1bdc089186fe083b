"""Stage `report`: the page of the study."""

from __future__ import annotations

from pathlib import Path

from sciml.report.page import write_page
from sciml.studies.flow_from_images.config import ReportConfig
from sciml.studies.flow_from_images.page.page import study_page


def run(config: ReportConfig, results: Path, output: Path) -> list[Path]:
    """Write the page and its `report.json`.

    Args:
        config: tier of the run.
        results: results folder of the study.
        output: the page, `.html`.
    """
    return [write_page(study_page(config, results), output)]
