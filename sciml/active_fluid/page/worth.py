"""What a closure is worth beside the kinetic theory cut at few modes, which is its rival: error for the cost of a step."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sciml.active_fluid.page.results import StudyResults, seconds, speed_points
from sciml.active_fluid.page.style import marker_of, title_of
from sciml.active_fluid.study.results import BINGHAM, BURG, CUT, ORDER, SECOND, Score
from sciml.report.goals import UNKNOWN, Goal, judge
from sciml.report.graphics.drawing import INK, panels, plain
from sciml.report.reportlets import Claim, Column, Figure, Spread, Table, Value
from sciml.report.words import counted, spread_over

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# field errors of a run that count: below, what the files round to; above, fields with nothing in common
LEAST, MOST = 1e-6, 2.0
# the timed model of a closure that is not timed by its own name
TIMED = {BURG: SECOND}
WORTH = "goal of this study, above"


@dataclass(frozen=True)
class Worth:
    """A closure beside kinetic runs cut at few modes, on the same test runs.

    Attributes:
        closure: its name.
        cost: CPU seconds of a step.
        error: typical error by run: the geometric mean of the field error over the saved times.
        modes: the most modes whose kinetic step costs no more, or the fewest that were cut.
        beside: cost of a kinetic step of that many modes over the closure's.
        ratio: logarithm of the typical error at that many modes over the closure's, by run.
        equal: the fewest modes whose mean typical error is at most the closure's; None where more are needed than were cut.
        saved: cost of a kinetic step of that many modes over the closure's.
    """

    closure: str
    cost: float
    error: dict[int, float]
    modes: int
    beside: float
    ratio: list[float]
    equal: int | None
    saved: float | None

    @property
    def factor(self) -> float:
        """How many times the error of that kinetic run is that of the closure; a geometric mean over runs."""
        return math.exp(np.mean(self.ratio))

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the factor, over runs."""
        found = spread_over(self.ratio)
        low, high = UNKNOWN if found is None else found.interval
        return math.exp(low), math.exp(high) if high < 700 else math.inf

    @property
    def won(self) -> int:
        """Runs in which the closure errs less."""
        return sum(value > 0 for value in self.ratio)


def typical(rows: Sequence[Score]) -> dict[int, float]:
    """Return the geometric mean of the field error over times and trainings, by kinetic run."""
    found: dict[int, list[float]] = {}
    for row in rows:
        errors = np.array(row.errors[1:], dtype=float)
        found.setdefault(row.place, []).append(float(np.log(np.clip(np.nan_to_num(errors, nan=MOST), LEAST, MOST)).mean()))
    return {place: math.exp(float(np.mean(values))) for place, values in found.items()}


def worth_of(study: StudyResults, closure: str | None) -> Worth | None:
    """Return what a closure is worth, None where it, the cut runs or the times of a step are absent."""
    points = speed_points(study.cost)
    if closure is None or points is None or not study.scores.of(closure):
        return None
    timed = TIMED.get(closure, closure if seconds(study.cost, f"coarse, {closure}", points) else "learned")
    cost = seconds(study.cost, f"coarse, {timed}", points)
    steps = {modes: seconds(study.cost, f"kinetic, {modes} ", points) for modes in CUT}
    kinetic = {modes: typical([row for row in study.scores.cut if row.closure == str(modes)]) for modes in CUT}
    if cost is None or not all(steps.values()) or not all(kinetic.values()):
        return None
    costs = {modes: value for modes, value in steps.items() if value is not None}
    error = typical(study.scores.of(closure))
    modes = max((modes for modes in CUT if costs[modes] <= cost), default=CUT[0])
    ratio = [math.log(kinetic[modes][place] / error[place]) for place in error]
    mean = np.mean(np.log(list(error.values())))
    equal = next((one for one in CUT if np.mean(np.log(list(kinetic[one].values()))) <= mean), None)
    return Worth(closure, cost, error, modes, costs[modes] / cost, ratio, equal, None if equal is None else costs[equal] / cost)


def shown(study: StudyResults) -> list[Worth]:
    """Return the closures of the figure: those that are not learned, the learned one of the claims, those of second order."""
    names = [name for name in study.scores.closures if name in (BINGHAM, "quadratic", BURG, SECOND, study.learned)]
    return [found for name in names if name != ORDER and (found := worth_of(study, name)) is not None]


def worth_sentence(worth: Worth) -> str:
    """Return what the closure is worth, in one sentence."""
    less, (low, high) = worth.factor >= 1, worth.interval
    times, ends = (worth.factor, (low, high)) if less else (1 / worth.factor, (1 / high, 1 / low if low > 0 else math.inf))
    between = f" ({_rough(ends[0])} to {_rough(ends[1])})" if math.isfinite(ends[1]) and ends[0] > 0 else ""
    parts = [
        f"errs {_rough(times)} times {'less' if less else 'more'}{between} than the kinetic theory of {worth.modes} modes at "
        f"{worth.beside:.2g} times its cost"
    ]
    if worth.equal is None:
        parts.append(f"comes nearer than {CUT[-1]} modes")
    elif worth.saved is not None:
        parts.append(f"is as near as {worth.equal} modes at {worth.saved:.2g} times")
    return f"{title_of(worth.closure).capitalize()}: {' and '.join(parts)}."


def _rough(value: float) -> str:
    """Return two digits of a ratio."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def worth_claims(study: StudyResults) -> Iterator[Claim]:
    """Yield whether a learned closure beats the kinetic theory cut at as many modes as its step costs."""
    for closure in dict.fromkeys((study.learned, SECOND)):
        worth = worth_of(study, closure)
        title = title_of(closure or "learned")
        text = f"Error of the kinetic theory cut at as many modes as the step of the closure {title!r} costs, over the closure's"
        goal = Goal(text, WORTH, "times", at_least=1.0, strict=True)
        if worth is None:
            yield judge(goal, None)
            continue
        runs = counted(len(worth.ratio), "run")
        details = f" ({worth.modes} modes at {worth.beside:.2g} times its cost; the closure errs less in {worth.won} of {runs})"
        yield judge(goal, worth.factor, worth.interval, details=details, shown=float(f"{worth.factor:.3g}"))


def worth_reportlets(study: StudyResults) -> Iterator[Figure | Table]:
    """Yield error over cost, and its table; nothing where the cut runs are absent."""
    found, points = shown(study), speed_points(study.cost)
    if not found or points is None:
        return
    steps = [1000 * (seconds(study.cost, f"kinetic, {modes} ", points) or math.nan) for modes in CUT]
    kinetic = [spread_over(np.log(list(typical([r for r in study.scores.cut if r.closure == str(m)]).values()))) for m in CUT]

    def draw(axes: Sequence[Axes], _: object) -> None:
        axis = axes[0]
        means = [math.exp(one.mean) if one else math.nan for one in kinetic]
        axis.plot(steps, means, color=INK, marker="*", markersize=9, label="kinetic theory, cut at as many modes")
        for modes, x, y in zip(CUT, steps, means, strict=True):
            axis.annotate(f"{modes}", (x, y), xytext=(6, 5), textcoords="offset points", fontsize=8, color=INK)
        for worth in found:
            values = list(worth.error.values())
            look = marker_of(worth.closure)
            axis.plot([1000 * worth.cost] * len(values), values, **{**look, "markersize": 4, "alpha": 0.4})
            mean = math.exp(np.mean(np.log(values)))
            axis.plot([1000 * worth.cost], [mean], label=title_of(worth.closure), **{**look, "markersize": 10})
        axis.set_yscale("log")
        axis.set_xlim(0, 1.15 * max(steps))
        plain(axis, "CPU time of a step, ms", "typical field error of a run")
        axis.legend(fontsize=8, frameon=False, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2)

    title = "What a closure is worth: error for the cost of a step"
    yield Figure(
        title,
        panels(1, (7.6, 4.2), draw),
        f"Every run starts from the kinetic theory's first state on the same grid with the same step. The error is that of m1, "
        f"its geometric mean over the saved times; large: over {counted(study.scores.runs, 'test run')}, small: each of them. "
        "Below the line a closure is nearer than all that its cost buys without one. No run has a guard here: moments of cut "
        "ones may leave what rods can have.",
        "; ".join(f"{title_of(worth.closure)}: {1000 * worth.cost:.2f} ms" for worth in found),
    )
    yield worth_table(found, dict(zip(CUT, zip(steps, kinetic, strict=True), strict=True)))


def worth_table(found: Sequence[Worth], cut: dict[int, tuple[float, Spread | None]]) -> Table:
    """Return cost and typical error of closures and of cut kinetic runs."""
    beside = dict.fromkeys(("modes", "factor", "interval", "won", "equal", "saved"))
    rows: list[dict[str, Value]] = [
        {"model": f"kinetic theory, {modes} modes", "cost": ms, "error": None if one is None else math.exp(one.mean), **beside}
        for modes, (ms, one) in cut.items()
    ]
    for worth in found:
        low, high = worth.interval
        rows.append(
            {
                "model": title_of(worth.closure),
                "cost": 1000 * worth.cost,
                "error": math.exp(float(np.mean(np.log(list(worth.error.values()))))),
                "modes": worth.modes,
                "factor": worth.factor,
                "interval": f"{_rough(low)} to {_rough(high)}" if math.isfinite(high) else None,
                "won": f"{worth.won} of {len(worth.ratio)}",
                "equal": f"more than {CUT[-1]}" if worth.equal is None else worth.equal,
                "saved": worth.saved,
            }
        )
    columns = [
        Column("model", "model"), Column("cost", "time of a step", "ms", "down", 3),
        Column("error", "typical error", "", "down", 5), Column("modes", "modes at its cost"),
        Column("factor", "their error over its own", "times", None, 2), Column("interval", "95 % interval"),
        Column("won", "runs in which it errs less"), Column("equal", "modes that come as near"),
        Column("saved", "their cost over its own", "times", None, 2),
    ]  # fmt: skip
    return Table(
        "Closures beside the kinetic theory cut at few modes",
        columns,
        rows,
        "The typical error is the geometric mean of the field error over times and runs.",
        "Modes at its cost: the most modes whose kinetic step takes no longer, or two where even they take longer.",
    )
