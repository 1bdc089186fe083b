"""Gradients of the solver by three ways."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from sciml.active_fluid.report_goals import GRADIENT_ERROR
from sciml.active_fluid.report_results import Row, StudyResults
from sciml.active_fluid.report_style import title_of
from sciml.report.reportlets import Check, Column, Reportlet, Table, Text


def gradient_reportlets(study: StudyResults) -> Iterator[Reportlet]:
    """Yield the table, or a sentence where no gradients were checked."""
    rows = gradients(study)
    if not rows:
        yield Text("Gradients of the solver", "The gradients of the solver were not checked in this run.", "pictures")
        return
    columns = [
        Column("closure", "closure"), Column("number", "derivative along"), Column("finite", "finite differences"),
        Column("forward", "forward mode"), Column("reverse", "reverse mode"), Column("error", "largest relative difference"),
    ]  # fmt: skip
    shown = [
        {
            "closure": title_of(row["closure"]),
            "number": row["number"],
            **{key: f"{row[key]:.9f}".replace("-", "\u2212") for key in ("finite", "forward", "reverse")},
            "error": f"{row['error']:.1e}".replace("-", "\u2212"),
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
    for closure in dict.fromkeys(row["closure"] for row in rows):
        errors = [row["error"] for row in rows if row["closure"] == closure]
        worst = float(np.max(np.array(errors, dtype=float)))
        meaning = "largest relative difference of forward and reverse mode from finite differences"
        name = f"gradients of the solver, {title_of(closure)}"
        yield Check(name, float(f"{worst:.3g}"), GRADIENT_ERROR, bool(worst <= GRADIENT_ERROR), "", meaning)


def gradients(study: StudyResults) -> Sequence[Row]:
    """Return the rows; none where the run is older than they are, or has not made them."""
    return [] if study.stability is None else study.stability.get("gradients", [])
