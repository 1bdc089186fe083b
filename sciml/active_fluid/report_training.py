"""Histories of the trainings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sciml.active_fluid.report_results import Row, StudyResults
from sciml.active_fluid.report_style import title_of
from sciml.report.reportlets import Curve, Reportlet, Text

PHASES = {
    "offline": ("Offline training: closure error on validation runs", "step"),
    "rollout": ("Training through the solver: closure error on validation runs", "update"),
}


def training_reportlets(study: StudyResults) -> Iterator[Reportlet]:
    """Yield a curve for each kind of training, or a sentence where nothing was noted."""
    shown = False
    for phase, (title, x_title) in PHASES.items():
        rows = list(points(study.histories, phase))
        if len({row["step"] for row in rows}) > 1:
            shown = True
            yield curve(rows, title, x_title)
    if not shown:
        yield Text(
            "Training",
            "No training was long enough to note a history: it is noted every 1000 steps and every 10 updates.",
            "curves",
        )


def points(histories: Mapping[str, Sequence[Row]], phase: str) -> Iterator[dict[str, Any]]:
    """Yield the noted validation errors of a phase, a series for each closure and seed."""
    for name, rows in histories.items():
        for row in rows:
            if row["phase"] == phase:
                yield {
                    "step": int(row["step"]),
                    "error": float(row["validation_closure_error"]),
                    "training": f"{title_of(name)}, seed {row['seed']}",
                }


def curve(rows: Sequence[Mapping[str, Any]], title: str, x_title: str) -> Curve:
    """Return the validation error over the steps of a phase."""
    names = list(dict.fromkeys(row["training"] for row in rows))
    ends = ", ".join(f"{name} {[row for row in rows if row['training'] == name][-1]['error']:.3f}" for name in names)
    return Curve(
        title,
        rows,
        "step",
        "error",
        "training",
        x_title,
        "relative error of h* m2, validation runs",
        "Mean over the validation runs of the relative L2 error of h* m2 at fixed places; no weights were chosen by it.",
        f"validation errors over the {x_title}s; at the end: {ends}",
    )
