"""Stage `report`: the page of the example."""

from __future__ import annotations

from pathlib import Path

from sciml.report.page import write_page
from sciml_example.config import ReportConfig
from sciml_example.page.page import study_page


def run(config: ReportConfig, results: Path, output: Path) -> list[Path]:
    """Write the page and its `report.json`.

    Args:
        config: the tier.
        results: results folder of the family.
        output: the page, `.html`.
    """
    return [write_page(study_page(config, results), output)]
