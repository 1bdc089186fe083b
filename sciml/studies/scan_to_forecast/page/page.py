"""The page of the study from scan to forecast, from its artefacts alone."""

from __future__ import annotations

from pathlib import Path

from sciml.datasets.cards import data_text
from sciml.report.reportlets import Check, Checks, Reportlet, Text
from sciml.report.study import StudyPage, Tab, absent, tier_of
from sciml.runtime.settings import DATA_OF
from sciml.studies.scan_to_forecast.config import PageConfig
from sciml.studies.scan_to_forecast.page.methods import PARAGRAPHS
from sciml.studies.scan_to_forecast.page.results import read_study
from sciml.studies.scan_to_forecast.page.tables import (
    archived_table,
    first_picture,
    move_table,
    quality_table,
    scrubber,
    share_table,
    subject_tables,
)
from sciml.studies.scan_to_forecast.page.words import ROUNDING_PERCENT, answer, claims, limits, numbers

QUESTION = (
    "A head is scanned with part of k-space, reconstructed, archived and forecast. Which of these links moves the forecast, and "
    "is that more than the forecast's own uncertainty?"
)
READING = """A *chain* is one way from scan to forecast: an acquisition, a reconstruction, an archive. The *reference* measures
all of k-space without noise, fills no gap and archives without loss.

Moves are differences of the logarithm of a forecast volume, in percent, or in standard deviations of the reference's own forecast
(its 90 % interval over 3.29). The *error budget* parts the variance over the full grid of chains into what each link explains
alone and together with others; the shares add up to 100 %.

Rows with `none` as the link are the reference against the truth."""


def study_page(config: PageConfig, results: Path) -> StudyPage:
    """Return the page of the study.

    Args:
        config: tier of the run.
        results: results folder of the study.

    Raises:
        DataError: the budget has not been made.
    """
    study = read_study(results)
    budget = study.budget
    holes = "\n".join(f"- {line}" for line in budget.refused)
    refused = [Text("Chains that ended in no forecast", holes)] if holes else []
    topics: dict[str, list[Reportlet]] = {
        "Error budget": [*share_table(study), *move_table(study)],
        "Simulated subjects": list(subject_tables(study)),
        "Slices": list(scrubber(study)),
        "Archive": list(archived_table(study)),
        "Quality and cost": [*quality_table(study, "head"), *quality_table(study, "subjects")],
    }
    checks = [
        Check(
            "full scan without noise, archived without loss, against the scan itself: volumes, %",
            budget.untouched_percent or 0.0, ROUNDING_PERCENT, (budget.untouched_percent or 0.0) <= ROUNDING_PERCENT,
            explanation="largest of all regions and cases",
        )
    ] if budget.untouched_percent is not None else []  # fmt: skip
    simulated = "Simulated scans of a real head" if study.head else "Simulated scans"
    return StudyPage(
        "scan_to_forecast",
        "From scan to forecast",
        QUESTION,
        config.tier,
        answer(study),
        picture=first_picture(study),
        numbers=list(numbers(study))[:6],
        claims=list(claims(study)),
        tabs=[Tab(title, items) for title, items in topics.items() if items],
        checks=[*([Checks(checks)] if checks else []), *refused],
        reading=READING,
        records=study.records,
        paragraphs=PARAGRAPHS,
        closing=[data_text(study.records)],
        limits=list(limits(study)),
        missing=absent({"the head": study.head or [], "simulated subjects": study.subjects or []}),
        banner=f"{simulated} and subjects; not for clinical use." if study.subjects else f"{simulated}; not for clinical use.",
        data_tier=config.data_tier,
        topic="study",
    )


def settings_of(results: Path) -> PageConfig:
    """Return the settings of the page of a results folder."""
    tier = tier_of(results)
    return PageConfig(tier=tier, data_tier=DATA_OF[tier])
