"""Trainings of this run: how the loss fell, and whether the validation is that of the converged prox."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sciml.proximal.page.results import Training
from sciml.report.reportlets import Check, Curve, Reportlet, Table
from sciml.report.reportlets import Column as C

# validation at N and at 3 N gradients may differ by so much
TRAP_DB = 0.05
PREFIX = "validation_psnr_"


def training_reportlets(trainings: Sequence[Training]) -> Iterator[Reportlet]:
    """Yield the table of trainings, the losses, and the validation of each network."""
    if not trainings:
        return
    yield training_table(trainings)
    losses = [
        {"step": row["step"], "loss": row["loss"], "network": one.name} for one in trainings for row in one.rows if "loss" in row
    ]
    if losses:
        yield Curve(
            "Trainings of this run: loss", losses[:5000], "step", "loss", "network", "step", "training loss",
            "Of networks trained on different tasks only the course can be compared, not the value.",
            "Training loss over the steps, one line a network.",
        )  # fmt: skip
    for one in trainings:
        rows = [
            {"step": row["step"], "psnr": row[key], "line": words}
            for key, words in validation_columns(one).items()
            for row in one.rows
            if key in row
        ]
        if rows:
            yield Curve(
                f"Training of {one.name}: validation", rows, "step", "psnr", "line", "step", "PSNR (dB)",
                "On crops of validation pictures. Two lines at one noise level that part tell that the training uses an "
                "unfinished solver.",
                "Validation PSNR over the steps of training.",
            )  # fmt: skip


def validation_columns(training: Training) -> dict[str, str]:
    """Return column -> words of the columns of the history that hold a validation PSNR."""
    found = {}
    for key in dict.fromkeys(key for row in training.rows for key in row if key.startswith(PREFIX)):
        sigma, count = meaning(key)
        words = [f"sigma {sigma}" if sigma else "random operators", f"{count} gradients" if count else ""]
        found[key] = ", ".join(filter(None, words))
    return found


def meaning(column: str) -> tuple[str, int]:
    """Return noise level ("" for a task of many) and number of gradients (0 for a network without solver) of a column."""
    sigma, _, count = column.removeprefix(PREFIX).partition("_")
    if not count and "." not in sigma:
        sigma, count = "", sigma
    return sigma, int(count or 0)


def training_table(trainings: Sequence[Training]) -> Table:
    """Return what each training took and how it ended."""
    rows = []
    for one in trainings:
        config, notes = one.record.config, one.record.notes
        rows.append(
            {
                "network": one.name,
                "kind": config["network"]["kind"],
                "task": config["task"],
                "steps": notes["steps"],
                "minutes": notes["cpu_minutes"],
                "ended": notes["ended"],
                "gap": gap if (gap := solver_gap(one)) is not None else "no solver in it",
            }
        )
    columns = [
        C("network", "network"), C("kind", "kind"), C("task", "trained to"), C("steps", "steps"),
        C("minutes", "processor time", "min", None, 2), C("ended", "ended"),
        C("gap", "validation at N less at 3 N gradients", "dB", None, 4),
    ]  # fmt: skip
    return Table("Trainings of this run", columns, rows, "All other networks come with the package.")


def solver_gap(training: Training) -> float | None:
    """Return the difference of validation PSNR at N and at 3 N gradients that is largest in size, at the end of training."""
    last = next((row for row in reversed(training.rows) if any(key.startswith(PREFIX) for key in row)), {})
    by_sigma: dict[str, dict[int, float]] = {}
    for key in last:
        if key.startswith(PREFIX):
            sigma, count = meaning(key)
            by_sigma.setdefault(sigma, {})[count] = last[key]
    gaps = [counts[min(counts)] - counts[max(counts)] for counts in by_sigma.values() if len(counts) > 1]
    return max(gaps, key=abs) if gaps else None


def training_checks(trainings: Sequence[Training]) -> Iterator[Check]:
    """Yield the check that a training has not learned to steer an unfinished solver."""
    for one in trainings:
        gap = solver_gap(one)
        if gap is not None:
            text = "validation PSNR at N and at 3 N gradients differ by at most so much: the converged prox was trained"
            yield Check(f"{one.name}: solver of the training", abs(gap), TRAP_DB, abs(gap) <= TRAP_DB, "dB", text)
