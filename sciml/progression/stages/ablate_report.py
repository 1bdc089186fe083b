"""Stage `ablate-report`: the page of what makes the difference between the two forms of the diffusion model."""

from __future__ import annotations

from pathlib import Path

from sciml.progression.config import PageConfig
from sciml.progression.page import methods  # noqa: F401 (registers the methods text)
from sciml.progression.page.ablations import ablation_claims, ablation_table
from sciml.progression.page.results import read_study
from sciml.progression.stages.report import BANNER
from sciml.report.page import Page, write_page
from sciml.report.reportlets import Limits, Methods, Provenance, Verdict
from sciml.runtime.errors import DataError

QUESTION = (
    "The published form and the residual form of the diffusion model differ in four ways. Which of them makes the "
    "difference, when all are trained for the same short time?"
)
LIMITS = (
    "Every form was trained once, from one seed, for a part of the time of the study's forms: what a form reaches later is "
    "not shown.",
    "One switch at a time: what two switches do together is not shown.",
    "All numbers are of validation people, so test people decide nothing here.",
    "Not for clinical use.",
)


def run(config: PageConfig, results: Path, output: Path) -> list[Path]:
    """Write the page and its `report.json`.

    Args:
        config: tier of the run.
        results: results folder of the study.
        output: the page, `.html`.

    Raises:
        DataError: no ablations have been compared.
    """
    study = read_study(results)
    if study.ablations is None:
        raise DataError(f"{results} holds no ablations; run them first: make ablations FAMILY=progression")
    records = study.further_records
    items = [
        Verdict(list(ablation_claims(study.ablations))),
        ablation_table(study.ablations),
        Methods([{"stage": record["stage"], "parameters": record["config"]} for record in records]),
        Provenance(records),
        Limits(LIMITS),
    ]
    page = Page(
        "progression-ablations", "Brain latent progression: what makes the difference", QUESTION, config.tier, items, BANNER
    )
    return [write_page(page, output)]
