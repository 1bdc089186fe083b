"""Stage `report`: the page of the study from its artefacts."""

from __future__ import annotations

from pathlib import Path

from sciml.proximal.config import PageConfig
from sciml.proximal.page.page import reportlets
from sciml.report.page import Page, write_page

QUESTION = (
    "Can a learned prior be a proximal operator by construction, with a regulariser that can be printed and a reconstruction "
    "that is certain to converge, and still beat tuned classical methods on photographs, CT and MR? What does provability cost?"
)
SMALL = "Only the data of the tier ci were there: tiny numbers of pictures, so the numbers mean little."


def run(config: PageConfig, results: Path, output: Path) -> list[Path]:
    """Write the page and its `report.json`.

    Args:
        config: tier, tasks and trained networks of the study.
        results: its results folder.
        output: the page, `.html`.

    Raises:
        DataError: a task of the study has not been evaluated.
        ScimlError: the page is over its budget.
    """
    page = Page("proximal", "Learned proximal networks", QUESTION, config.tier, reportlets(config, results), banner(config))
    return [write_page(page, output)]


def banner(config: PageConfig) -> str:
    """Return what was trained and what was shipped, and how little small tiers mean."""
    trained = f"Trained in this run: {', '.join(config.trained)}. " if config.trained else "Nothing was trained in this run. "
    words = f"{trained}All other weights come with the package."
    if config.data_tier == "pip":
        words = f"Only the data that pip brings were there (no apt). {words}"
    # the tier ci has a warning of its own
    return f"{SMALL} {words}" if config.data_tier == "ci" and config.tier != "ci" else words
