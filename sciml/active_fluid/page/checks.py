"""The certificates of the study: what has to hold whatever the accuracy; and gradients of the solver by three ways."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from sciml.active_fluid.page.claims import (
    COVERAGE,
    GRADIENT_ERROR,
    NAMES,
    RATE_ERROR,
    SLACK,
    coverage,
    worst_rate,
)
from sciml.active_fluid.page.results import StudyResults
from sciml.active_fluid.page.style import title_of
from sciml.active_fluid.study.recovery_results import TWIN
from sciml.active_fluid.study.stability_results import Gradient
from sciml.report.reportlets import Check, Checks, Column, Reportlet, Table
from sciml.report.words import counted, thousands


def gradient_reportlets(study: StudyResults) -> Iterator[Reportlet]:
    """Yield the table, or a sentence where no gradients were checked."""
    rows = gradients(study)
    if not rows:
        return
    columns = [
        Column("closure", "closure"), Column("number", "derivative along"), Column("finite", "finite differences"),
        Column("forward", "forward mode"), Column("reverse", "reverse mode"), Column("error", "largest relative difference"),
    ]  # fmt: skip
    shown = [
        {
            "closure": title_of(row.closure),
            "number": row.number,
            **{key: f"{getattr(row, key):.9f}".replace("-", "\u2212") for key in ("finite", "forward", "reverse")},
            "error": f"{row.error:.1e}".replace("-", "\u2212"),
        }
        for row in rows
    ]
    yield Table(
        "Gradients of the solver",
        columns,
        shown,
        "Of a loss of the last state of 21 steps on 16 x 16 points, with respect to activity, alignment, the first state and the "
        "weights (the last two along a random direction). Reverse mode computes the steps again, as the training does. Finite "
        "differences are central ones of two sizes, combined to fourth order; the difference is that of either mode from them.",
    )


def gradient_checks(study: StudyResults) -> Iterator[Check]:
    """Yield the largest difference of each closure."""
    rows = gradients(study)
    for closure in dict.fromkeys(row.closure for row in rows):
        errors = [row.error for row in rows if row.closure == closure]
        worst = float(np.max(np.array(errors, dtype=float)))
        meaning = "largest relative difference of forward and reverse mode from finite differences"
        name = f"gradients of the solver, {title_of(closure)}"
        yield Check(name, float(f"{worst:.3g}"), GRADIENT_ERROR, bool(worst <= GRADIENT_ERROR), "", meaning)


def gradients(study: StudyResults) -> Sequence[Gradient]:
    """Return the rows; none where the run is older than they are, or has not made them."""
    return [] if study.stability is None else study.stability.gradients


# attribute of a rate row, words, tolerance
WAYS = {"operator_error": ("linearised equations", 1e-9), "run_error": ("runs", RATE_ERROR)}
# rounding: a kinetic run whose grid and modes are ample violates no more
KINETIC_SLACK = -1e-6
# fewer intervals miss the truth too often by chance for a share to be a certificate
LEAST_TWINS = 10


def check_reportlets(study: StudyResults) -> Iterator[Reportlet]:
    """Yield the checks, or a sentence where there are none."""
    found = [
        *rate_checks(study),
        *realisable_checks(study),
        *bounded_checks(study),
        *coverage_checks(study),
        *gradient_checks(study),
    ]
    if found:
        yield Checks(found)


def rate_checks(study: StudyResults) -> Iterator[Check]:
    """Yield the growth rates of each model, by its linearised equations and in runs."""
    for model in dict.fromkeys(row.model for row in study.rates):
        rows = [row for row in study.rates if row.model == model]
        for way, (words, tolerance) in WAYS.items():
            value = getattr(worst_rate(rows, way), way)
            yield Check(
                f"growth rates, {title_of(model)}, {words}",
                float(f"{value:.3g}"),
                tolerance,
                bool(value <= tolerance),
                "1 / time",
                f"largest difference from the dispersion relation over {len(rows)} cases",
            )


def realisable_checks(study: StudyResults) -> Iterator[Check]:
    """Yield the least slack of the learned closure on random inputs, and of the kinetic runs."""
    meaning = "least (1 \u2212 |m1|\u00b2) \u2212 |m2 \u2212 m1\u00b2|: a distribution that is nowhere negative has at least 0"
    if study.stability is not None:
        least = study.stability.least_slack
        value = np.nan if least is None else least
        name = f"realisable moments, learned closure, {thousands(study.stability.samples)} random inputs"
        yield Check(name, float(f"{value:.3g}"), SLACK, bool(value >= SLACK), "", meaning)
    for which, rows in study.runs.items():
        value = min(row.slack for row in rows)
        name = f"realisable moments, {counted(len(rows), 'kinetic run')} ({which})"
        yield Check(name, float(f"{value:.3g}"), KINETIC_SLACK, value >= KINETIC_SLACK, "", f"{meaning}; the angle is resolved")


def bounded_checks(study: StudyResults) -> Iterator[Check]:
    """Yield the share of bounded long runs of each closure, and that no run beside the truth diverged."""
    if stability := study.stability:
        for closure in stability.closures:
            good, count = stability.bounded(closure), len(stability.of(closure))
            text = f"|m1| \u2264 1 to t = {stability.until:g}, all over the box"
            yield Check(f"bounded long runs, {title_of(closure)}", good, count, good == count, "runs", text)
    lost = sum(not np.isfinite(np.array(row.errors, dtype=float)).all() for row in study.scores.rows)
    yield Check("finite runs beside the truth", len(study.scores.rows) - lost, len(study.scores.rows), lost == 0, "runs")


def coverage_checks(study: StudyResults) -> Iterator[Check]:
    """Yield how often the intervals of the twin experiments hold the truth."""
    twins = study.recovery.of(TWIN) if study.recovery else []
    for name, words in NAMES.items():
        if len(twins) >= LEAST_TWINS:
            share = coverage(twins, name)
            text = f"share of {len(twins)} twin experiments whose 90 % interval holds the truth; over kinetic data it need not"
            yield Check(f"coverage of {words}", share, COVERAGE, share >= COVERAGE, "", text)
