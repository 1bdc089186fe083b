"""Stage `report`: the page of the study."""

from __future__ import annotations

from pathlib import Path

from sciml.classical.config import ReportConfig
from sciml.classical.page.page import reportlets
from sciml.report.page import Page, write_page

QUESTION = (
    "How well do classical methods restore real photographs, CT and MR slices, with every parameter found on other data than "
    "is reported? They are what every learned method of this workbench is compared with."
)


def run(config: ReportConfig, results: Path, output: Path) -> list[Path]:
    """Write the page and its `report.json`.

    Args:
        config: the tier.
        results: results folder of the study.
        output: path of the HTML file.
    """
    banner = "Only the data that pip brings were there (no apt)." if config.data_tier == "pip" else None
    items = reportlets(results, config.tasks, config.data_tier)
    return [write_page(Page("imaging", "Classical reconstruction", QUESTION, config.tier, items, banner), output)]
