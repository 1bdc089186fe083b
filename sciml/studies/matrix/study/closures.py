"""The matrix of closures, from what active fluids measured: the error of a coarse model and of cut kinetic theory, for its cost.

The error of a run is the geometric mean over the saved times of the relative error of m1 against the kinetic theory; in per cent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from sciml.active_fluid import CostRow, Scores
from sciml.runtime.seeds import Seeds
from sciml.studies.matrix.study.contest import contest, front
from sciml.studies.matrix.study.results import Cell, ColumnFacts, RowResult, Section

LEAST, MOST = 1e-6, 2.0
"""Errors that count: below, what the files round to; above, fields with nothing in common."""
CUT = "kinetic-"
TIMED = {"burg": "second", "order": "learned", "offline": "learned", "rollout": "learned", "shipped": "learned"}
"""Timed model of a closure that is not timed by its own name."""
TITLES = {
    "quadratic": "quadratic",
    "bingham": "Bingham",
    "order": "learned of the order",
    "offline": "learned, point by point",
    "rollout": "learned, through the solver",
    "shipped": "learned, shipped",
    "burg": "maximum entropy, second order",
    "second": "learned, second order",
}


def closures(scores: Scores, costs: Sequence[CostRow], seed: int) -> Section:
    """Return the matrix of closures: one row for all runs, and one a pair of activity and alignment that has several.

    Args:
        scores: errors of the closures and of cut kinetic theory.
        costs: seconds of a step.
        seed: master seed of the bootstrap.
    """
    errors: dict[str, dict[str, list[float]]] = {}
    points = {}
    for row in [*scores.rows, *scores.cut]:
        name = f"{CUT}{row.closure}" if row.closure.isdigit() else row.closure
        known = [min(max(MOST if one is None else one, LEAST), MOST) for one in row.errors[1:]]
        errors.setdefault(name, {}).setdefault(str(row.place), []).append(fmean(map(math.log, known)))
        points[str(row.place)] = (row.alpha, row.zeta)
    # the geometric mean over times, and over the trainings of a learned closure
    values = {name: {run: 100 * math.exp(fmean(every)) for run, every in by.items()} for name, by in errors.items()}
    shown = [name for name in TITLES if name in values] + sorted(name for name in values if name not in TITLES)
    titles = {name: TITLES.get(name, name) for name in shown}
    titles |= {name: f"kinetic, {name.removeprefix(CUT)} modes" for name in shown if name.startswith(CUT)}
    seconds = {name: found for name in shown if (found := _seconds(costs, name)) is not None}
    groups = {"all runs": list(points)}
    for point in dict.fromkeys(points.values()):
        runs = [run for run in points if points[run] == point]
        if len(runs) > 1 and len(runs) < len(points):
            groups[f"activity {point[0]:g}, alignment {point[1]:g}"] = runs
    rows = [
        _row(title, {name: {run: values[name][run] for run in runs} for name in shown}, seconds, seed)
        for title, runs in groups.items()
    ]
    return Section(
        name="closures",
        title="Active fluids: closures beside the kinetic theory",
        metric="field error",
        unit="%",
        larger=False,
        note="Typical relative error of m1 against the kinetic theory, a geometric mean over time, read from this run's "
        "results of active fluids. The time is that of a step",
        columns=[ColumnFacts(name=name, title=titles[name], family="active_fluid") for name in shown],
        rows=rows,
    )


def _row(title: str, values: dict[str, dict[str, float]], seconds: dict[str, float], seed: int) -> RowResult:
    runs = list(next(iter(values.values())))
    judged = contest(values, {run: run for run in runs}, Seeds(seed)("bootstrap", "closures", title), larger=False)
    timed = {name: judged.standings[name].mean for name in values if name in seconds}
    best = front(timed, {name: seconds[name] for name in timed}, larger=False)
    cells = [
        Cell(method=name, **vars(standing), front=name in best, cpu_s=seconds.get(name))
        for name, standing in judged.standings.items()
    ]
    return RowResult(
        name=title.replace(",", "").replace(" ", "-"),
        title=title[0].upper() + title[1:],
        operator="",
        cases=len(runs),
        subjects=len(runs),
        seeds=1,
        leader=judged.leader,
        words=judged.words,
        cells=cells,
    )


def _seconds(costs: Sequence[CostRow], name: str) -> float | None:
    """Return the seconds of a step on the largest timed grid in double precision; None where the model was not timed."""
    side = max((row.points for row in costs), default=0)
    models = (
        [f"kinetic, {name.removeprefix(CUT)} "] if name.startswith(CUT) else [f"coarse, {name}", f"coarse, {TIMED.get(name)}"]
    )
    for model in models:
        found = [row.seconds for row in costs if row.model.startswith(model) and (row.points, row.precision) == (side, "double")]
        if found:
            return found[0]
    return None


def equal_error(section: Section) -> list[str]:
    """Return, for every closure, at which number of kinetic modes the error is as small, and what that saves, in words."""
    row = section.rows[0]
    known = {cell.method: cell for cell in row.cells if cell.mean is not None and cell.cpu_s is not None}
    titles = {column.name: column.title for column in section.columns}
    cut = [cell for name, cell in known.items() if name.startswith(CUT)]
    sentences = []
    for name, cell in known.items():
        if name.startswith(CUT) or not cut:
            continue
        near = next((one for one in cut if one.mean is not None and cell.mean is not None and one.mean <= cell.mean), None)
        title = titles[name][0].upper() + titles[name][1:]
        if near is None or near.cpu_s is None or not cell.cpu_s:
            sentences.append(f"{title}: nearer than any of the cut kinetic theories.")
        else:
            sentences.append(
                f"{title}: {titles[near.method]} come as near, at {near.cpu_s / cell.cpu_s:.2g} times the time of its step."
            )
    return sentences
