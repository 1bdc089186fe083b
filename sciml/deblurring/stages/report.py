"""Stage `report`: the page of the study from its artefacts."""

from __future__ import annotations

from pathlib import Path

from sciml.deblurring.config import PageConfig
from sciml.deblurring.page.page import reportlets
from sciml.report.page import Page, write_page
from sciml.runtime.errors import DataError
from sciml.runtime.files import read_json
from sciml.runtime.settings import TIERS

QUESTION = (
    "A kernel of blur is never known exactly. How much of what its error costs can be won back from the blurred picture alone, "
    "by correcting the kernel, and by which image prior?"
)
SMALL = "Only the data of the tier ci were there: few pictures, so the numbers mean little."


def run(config: PageConfig, results: Path, output: Path) -> list[Path]:
    """Write the page and its `report.json`.

    Args:
        config: tier and sets of the study.
        results: its results output.
        output: the page, `.html`.

    Raises:
        DataError: the test pairs have not been evaluated.
        ScimlError: the page is over its budget.
    """
    page = Page(
        "deblurring", "Deblurring with a rough kernel", QUESTION, config.tier, reportlets(config, results), banner(config)
    )
    return [write_page(page, output)]


def settings_of(results: Path) -> PageConfig:
    """Return the settings of the page of a results folder, by what lies there.

    Raises:
        DataError: no set has been simulated there.
    """
    paths = sorted(results.glob("*/simulate/provenance.json"))
    if not paths:
        raise DataError(f"{results} holds no set of pairs: give the results folder of the study, such as results/cpu/deblurring")
    tier = results.resolve().parent.name
    data_tier = read_json(paths[0])["config"].get("data_tier", "default")
    return PageConfig(
        tier=tier if tier in TIERS else "cpu", data_tier=data_tier, sets=tuple(path.parent.parent.name for path in paths)
    )


def banner(config: PageConfig) -> str | None:
    """Return how little small tiers mean; the tier ci has a warning of its own."""
    if config.data_tier == "pip":
        return "Only the data that pip brings were there (no apt)."
    return SMALL if config.data_tier == "ci" and config.tier != "ci" else None
