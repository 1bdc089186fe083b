"""Stage `report`: the page of the study from its artefacts."""

from __future__ import annotations

from pathlib import Path

from sciml.active_fluid.config import PageConfig
from sciml.active_fluid.page.page import reportlets
from sciml.report.page import Page, write_page
from sciml.runtime.errors import DataError
from sciml.runtime.files import read_json
from sciml.runtime.settings import TIERS

QUESTION = (
    "Can a learned closure take the place of the kinetic theory of an active fluid: closer to it "
    "than the best closure by hand, never outside of what rods can do, and many times faster?"
)


def run(config: PageConfig, results: Path, output: Path) -> list[Path]:
    """Write the page and its `report.json`.

    Args:
        config: tier and closures of the study.
        results: its results folder.
        output: the page, `.html`.

    Raises:
        DataError: no closure has been evaluated.
        ScimlError: the page is over its budget.
    """
    title = "Active fluids: a learned closure"
    page = Page("active_fluid", title, QUESTION, config.tier, reportlets(config, results), banner(config))
    return [write_page(page, output)]


def settings_of(results: Path) -> PageConfig:
    """Return the settings of the page of a results folder, by what lies there.

    Raises:
        DataError: no closure has been evaluated there.
    """
    scores = results / "evaluate" / "scores.json"
    if not scores.is_file():
        raise DataError(
            f"{results} holds no evaluated closures: give the results folder of the study, such as results/cpu/active_fluid"
        )
    found = dict.fromkeys(row["closure"] for row in read_json(scores)["rows"])
    tier = results.resolve().parent.name
    closures = tuple(name for name in found if name not in ("quadratic", "bingham"))
    return PageConfig(tier=tier if tier in TIERS else "cpu", closures=closures, chosen="offline" if "offline" in closures else "")


def banner(config: PageConfig) -> str | None:
    """Return whose closure the claims are about, where it was not trained in the run."""
    return (
        "The learned closure of the claims is the shipped one; the others were trained in this run."
        if "shipped" in config.closures
        else None
    )
