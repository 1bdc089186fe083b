"""Claims about what the closure is for: time saved, and parameters found from snapshots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from sciml.active_fluid.report_goals import (
    AT_LEAST,
    AT_MOST,
    COVERAGE,
    KINETIC_ERROR,
    SPEED_POINTS,
    SPEED_UP,
    TWIN_ERROR,
    TWINS,
    kept,
    met,
)
from sciml.active_fluid.report_results import Row, StudyResults
from sciml.active_fluid.report_style import counted, listed, percent, title_of
from sciml.report.reportlets import Claim

NAMES = {"alpha": "activity", "zeta": "alignment"}
KINETICS = {16: "16 even modes, which resolve the same case", 42: "256 angles (42 even modes below two thirds)"}


def use_claims(study: StudyResults) -> Iterator[Claim]:
    """Yield the claims; `not run` where a stage has not run."""
    yield from speed_claims(study.cost)
    yield from recovery_claims(study)


def speed_claims(rows: Sequence[Row]) -> Iterator[Claim]:
    """Yield kinetic seconds a step over those of the coarse model, all four ratios, in double precision."""
    points = speed_points(rows)
    for (closure, modes), goal in SPEED_UP.items():
        text = f"A coarse step with the {title_of(closure)} closure is faster than a kinetic step of {KINETICS[modes]}, times"
        value = None if points is None else speed_up(rows, closure, modes, points)
        if value is None:
            yield Claim(text, None, goal, AT_LEAST)
            continue
        other = "" if points == SPEED_POINTS else f"; the goal is for {SPEED_POINTS}\u00b2"
        said = f"{text} ({points}\u00b2, double precision, CPU time{other})"
        yield Claim(said, round(value, 2), goal, AT_LEAST, "", met(value, goal, 0.8 * goal, points == SPEED_POINTS))


def speed_points(rows: Sequence[Row]) -> int | None:
    """Return the side of the grid whose times are compared: 64 where it was timed, else the smallest."""
    sides = {row["points"] for row in rows}
    return None if not sides else SPEED_POINTS if SPEED_POINTS in sides else min(sides)


def seconds(rows: Sequence[Row], model: str, points: int, precision: str = "double") -> float | None:
    """Return the seconds a step of a model whose name begins so, None where it was not timed."""
    found = [r["seconds"] for r in rows if r["model"].startswith(model) and (r["points"], r["precision"]) == (points, precision)]
    return found[0] if found else None


def speed_up(rows: Sequence[Row], closure: str, modes: int, points: int) -> float | None:
    """Return kinetic over coarse seconds, None where one was not timed."""
    kinetic, coarse = seconds(rows, f"kinetic, {modes} ", points), seconds(rows, f"coarse, {closure}", points)
    return None if kinetic is None or not coarse else kinetic / coarse


def recovery_claims(study: StudyResults) -> Iterator[Claim]:
    """Yield how well activity and alignment are recovered, twins and kinetic data apart."""
    rows = [] if study.recovery is None else study.recovery["rows"]
    twins, kinetic = experiments(rows, "closed model"), experiments(rows, "kinetic")
    twin_text = "Twin experiments (data of the closed model itself): largest error of activity and of alignment"
    cover_text = "Twin experiments: share of the 90 % intervals that hold the truth, the lower of both parameters"
    kinetic_text = "Data of the kinetic theory: largest error of activity and of alignment"
    if twins:
        few = "" if len(twins) >= TWINS else f"; the goal asks {TWINS}"
        large = len(twins) >= TWINS
        said = f"{twin_text} ({_each(twins)}; {counted(len(twins), 'seed')}{few})"
        status = kept(worst_error(twins), TWIN_ERROR, None, large)
        if status == "not" and typical_error(twins) <= TWIN_ERROR:
            status = "partly"
        yield Claim(said, round(100 * worst_error(twins), 2), 100 * TWIN_ERROR, AT_MOST, "%", status)
        shares = {name: float(np.mean([row[f"{name}_covered"] for row in twins])) for name in NAMES}
        each = ", ".join(f"{NAMES[name]} {percent(share, 0)}" for name, share in shares.items())
        said = f"{cover_text} ({each}; {counted(len(twins), 'seed')}{few})"
        value = min(shares.values())
        yield Claim(said, round(100 * value, 1), 100 * COVERAGE, AT_LEAST, "%", met(value, COVERAGE, None, large))
    else:
        yield Claim(twin_text, None, 100 * TWIN_ERROR, AT_MOST, "%")
        yield Claim(cover_text, None, 100 * COVERAGE, AT_LEAST, "%")
    if kinetic:
        bias = ", ".join(f"{NAMES[name]} {percent(mean_error(kinetic, name), 2)}" for name in NAMES)
        number = counted(len(kinetic), "experiment")
        said = f"{kinetic_text} ({_each(kinetic)}; {number}; bias, the mean of the signed errors: {bias})"
        value = worst_error(kinetic)
        status = kept(value, KINETIC_ERROR)
        if status == "not" and typical_error(kinetic) <= KINETIC_ERROR:
            status = "partly"
        yield Claim(said, round(100 * value, 2), 100 * KINETIC_ERROR, AT_MOST, "%", status)
    else:
        yield Claim(kinetic_text, None, 100 * KINETIC_ERROR, AT_MOST, "%")


def experiments(rows: Sequence[Row], data: str) -> list[Row]:
    """Return the experiments with data of a kind: `closed model` or `kinetic`."""
    return [row for row in rows if row["data"] == data]


def errors(rows: Sequence[Row], name: str) -> np.ndarray:
    """Return the signed relative errors of a parameter; NaN where a search gave no number."""
    return np.array([row[f"{name}_error"] for row in rows], dtype=float)


def mean_error(rows: Sequence[Row], name: str) -> float:
    """Return the bias of a parameter."""
    return float(errors(rows, name).mean())


def worst_error(rows: Sequence[Row]) -> float:
    """Return the largest size of an error of either parameter."""
    return float(max(np.abs(errors(rows, name)).max() for name in NAMES))


def typical_error(rows: Sequence[Row]) -> float:
    """Return the larger of both parameters' median size of the error."""
    return float(max(np.median(np.abs(errors(rows, name))) for name in NAMES))


def _each(rows: Sequence[Row]) -> str:
    parts = []
    for name, words in NAMES.items():
        sizes = 100 * np.abs(errors(rows, name))
        parts.append(f"{words} {listed([float(sizes.max())], 2)} %, median {listed([float(np.median(sizes))], 2)} %")
    return "; ".join(parts)
