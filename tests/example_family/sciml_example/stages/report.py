"""Stage `report`: the page of the example."""

from __future__ import annotations

from pathlib import Path

from sciml.report.page import Page, write_page
from sciml_example.config import ReportConfig
from sciml_example.page.page import reportlets

QUESTION = "Does a learned linear filter take noise out of smooth pictures?"


def run(config: ReportConfig, results: Path, output: Path) -> list[Path]:
    """Write the page and its `report.json`.

    Args:
        config: the tier.
        results: results folder of the family.
        output: the page, `.html`.
    """
    return [write_page(Page("example", "A learned filter", QUESTION, config.tier, reportlets(results)), output)]
