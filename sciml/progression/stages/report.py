"""Stage `report`: the page of the study from its artefacts."""

from __future__ import annotations

from pathlib import Path

from sciml.progression.config import PageConfig
from sciml.progression.page.page import reportlets
from sciml.report.page import Page, write_page

QUESTION = (
    "Can a brain MRI be forecast years ahead from a person's own scans, and how would we know? On a cohort of simulated people "
    "with real anatomy, whose every volume at every age is known."
)
BANNER = "Semi-real cohort: real anatomy, simulated people and time. Not for clinical use."


def run(config: PageConfig, results: Path, output: Path) -> list[Path]:
    """Write the page and its `report.json`.

    Args:
        config: tier of the study.
        results: its results folder.
        output: the page, `.html`.

    Raises:
        DataError: no cohort has been simulated.
        ScimlError: the page is over its budget.
    """
    page = Page("progression", "Brain latent progression", QUESTION, config.tier, reportlets(config, results), BANNER)
    return [write_page(page, output)]
