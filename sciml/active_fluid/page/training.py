"""Histories of the trainings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sciml.active_fluid.config import TrainConfig
from sciml.active_fluid.page.results import StudyResults
from sciml.active_fluid.page.style import title_of
from sciml.active_fluid.study.results import HistoryRow
from sciml.report.reportlets import Column, Curve, Reportlet, Table, Value
from sciml.runtime.provenance import Record
from sciml.runtime.settings import validated

PHASES = {
    "offline": ("Offline training: closure error on validation runs", "step"),
    "rollout": ("Training through the solver: closure error on validation runs", "update"),
}


def training_reportlets(study: StudyResults) -> Iterator[Reportlet]:
    """Yield a curve for each kind of training, or a sentence where nothing was noted."""
    trainings = [record for record in study.records if record.stage == "active_fluid.train"]
    if trainings:
        yield budget_table(trainings)
    for phase, (title, x_title) in PHASES.items():
        rows = list(points(study.histories, phase))
        if len({row["step"] for row in rows}) > 1:
            yield curve(rows, title, x_title)


def budget_table(records: Sequence[Record]) -> Table:
    """Return what each closure's training was given, so that one sees which comparisons share it."""
    rows: list[dict[str, Value]] = []
    for record in records:
        config = validated(TrainConfig, record.config, "the settings of the train stage")
        rows.append(
            {
                "closure": title_of(config.name),
                "inputs": config.inputs if config.kept == 1 else "m1 and m2",
                "network": f"{config.depth} layers of {config.width}" if config.kept == 1 else "nine numbers, least squares",
                "places": config.places,
                "steps": config.steps if config.kept == 1 else None,
                "updates": sum(horizon.updates for horizon in config.horizons),
                "minutes": record.cpu_seconds / 60 / config.seeds,
            }
        )
    columns = [
        Column("closure", "closure"), Column("inputs", "invariants"), Column("network", "network"),
        Column("places", "places of each run"), Column("steps", "offline steps"), Column("updates", "updates through the solver"),
        Column("minutes", "time of a training", "CPU min", None, 1),
    ]  # fmt: skip
    return Table(
        "What each training was given",
        columns,
        rows,
        "All closures learn from the same kinetic runs and are judged on the same others; those whose rows agree share "
        "network and budget as well. Nothing was tuned on the test runs. Bingham's closure and the quadratic one have no "
        "number to fit.",
    )


def points(histories: Mapping[str, Sequence[HistoryRow]], phase: str) -> Iterator[dict[str, Any]]:
    """Yield the noted validation errors of a phase, a series for each closure and seed."""
    for name, rows in histories.items():
        # the offline part of a training that goes on is that of the closure which stays with it
        goes_on = any(row.phase == "rollout" for row in rows)
        for row in rows:
            if row.phase == phase and not (goes_on and phase == "offline"):
                yield {"step": row.step, "error": row.validation_closure_error, "training": f"{name}, seed {row.seed}"}


def curve(rows: Sequence[Mapping[str, Any]], title: str, x_title: str) -> Curve:
    """Return the validation error over the steps of a phase."""
    last = {row["training"]: row["error"] for row in rows}
    ends = ", ".join(f"{name} {error:.3f}" for name, error in last.items())
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
