"""Stage `report`: the page of the study from its artefacts."""

from __future__ import annotations

from pathlib import Path

from sciml.compression.config import PageConfig
from sciml.compression.page.page import reportlets
from sciml.report.page import Page, write_page
from sciml.runtime.errors import DataError
from sciml.runtime.settings import TIERS

QUESTION = (
    "Can a codec that is fitted in an hour on two cores, and whose files decode to the same codes on every machine, "
    "be better than WebP and equal to AVIF at equal bytes?"
)


def run(config: PageConfig, results: Path, output: Path) -> list[Path]:
    """Write the page and its `report.json`.

    Args:
        config: tier and domains of the study.
        results: its results folder.
        output: the page, `.html`.

    Raises:
        DataError: no codec has been compared.
        ScimlError: the page is over its budget.
    """
    page = Page("compression", "Learned image compression", QUESTION, config.tier, reportlets(config, results), banner(config))
    return [write_page(page, output)]


def settings_of(results: Path) -> PageConfig:
    """Return the settings of the page of a results folder, by what lies there.

    Raises:
        DataError: no codec has been compared there.
    """
    domains = tuple(sorted(path.parents[1].name for path in results.glob("*/evaluate/bench.json")))
    if not domains:
        raise DataError(
            f"{results} holds no comparison of codecs: give the results folder of the study, such as results/cpu/compression"
        )
    tier = results.resolve().parent.name
    networks = tuple(name for name in domains if (results / name / "train").is_dir())
    neural = tuple(name for name in domains if (results / name / "neural").is_dir())
    weights = "trained" if any((results / name / "fit").is_dir() for name in domains) else "shipped"
    return PageConfig(tier=tier if tier in TIERS else "cpu", domains=domains, networks=networks, neural=neural, weights=weights)


def banner(config: PageConfig) -> str | None:
    """Return whose models are compared, where they were not fitted in the run."""
    return "The models are the shipped ones; none was fitted in this run." if config.weights == "shipped" else None
