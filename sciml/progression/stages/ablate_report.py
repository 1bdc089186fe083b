"""Stage `ablate-report`: the page of what makes the difference between the two forms of the diffusion model."""

from __future__ import annotations

from pathlib import Path

from sciml.datasets.cards import data_text
from sciml.progression.config import PageConfig
from sciml.progression.page.ablations import ablation_claims, ablations, columns, table_words
from sciml.progression.page.methods import PARAGRAPHS
from sciml.progression.page.page import BANNER
from sciml.progression.page.results import read_study
from sciml.report.page import write_page
from sciml.report.study import StudyPage, ablation_page
from sciml.runtime.errors import DataError

QUESTION = (
    "The published form and the residual form of the diffusion model differ in four ways. Which of them makes the "
    "difference, when all are trained for the same short time?"
)
LIMITS = (
    "Every form was trained once, from one seed, for a part of the time of the study's forms: what a form reaches later is "
    "not shown.",
    "One switch at a time: what two switches do together is not shown.",
    "All numbers are of validation subjects, so test subjects decide nothing here.",
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
    claims = list(ablation_claims(study.ablations))
    said = [f"{claim.text}: {claim.ours}" for claim in claims if claim.ours is not None]
    page = StudyPage(
        "progression-ablations",
        "Brain latent progression: what makes the difference",
        QUESTION,
        config.tier,
        f"{'. '.join(said)}." if said else "",
        claims=claims,
        records=study.further_records,
        paragraphs=PARAGRAPHS,
        closing=[data_text(study.further_records)],
        limits=LIMITS,
        banner=BANNER,
    )
    title, caption, note = table_words(study.ablations)
    return [write_page(ablation_page(page, ablations(study.ablations), columns(), title, caption, note), output)]
