"""Time of a step of every model, and what accuracy it buys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sciml.active_fluid.page.results import StudyResults, seconds, speed_points, speed_up
from sciml.active_fluid.page.style import marker_of, title_of
from sciml.active_fluid.study.results import FIXED, CostRow
from sciml.report.graphics.drawing import panels, plain
from sciml.report.reportlets import Column, Figure, Reportlet, Table, Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MODELS = (*FIXED, "learned")
KINETIC = {16: "16 even modes", 42: "256 angles"}


def cost_reportlets(study: StudyResults) -> Iterator[Reportlet]:
    """Yield scatter and table, or a sentence where nothing was timed."""
    if not study.cost:
        return
    figure = speed_figure(study)
    if figure is not None:
        yield figure
    yield cost_table(study.cost)


def accuracy_of(study: StudyResults, model: str) -> str | None:
    """Return the closure of the scores whose accuracy a timed model has; None where it was not evaluated."""
    name = study.learned if model == "learned" else model
    return name if name is not None and study.scores.of(name) else None


def speed_figure(study: StudyResults) -> Figure | None:
    """Return accuracy over speed-up, None where no model has both."""
    points = speed_points(study.cost)
    if points is None:
        return None
    factors = {model: speed_up(study.cost, model, 16, points) for model in MODELS}
    shown = {model: factor for model, factor in factors.items() if factor is not None and accuracy_of(study, model)}
    if not shown:
        return None
    scores = study.scores
    mark = f"{100 * scores.threshold:g} %"

    def draw(axes: Sequence[Axes], _: object) -> None:
        titles = {"closure_error": "relative error of h* m2", "first_above": f"time until the field error passes {mark}"}
        for axis, (key, words) in zip(axes, titles.items(), strict=True):
            for model, factor in shown.items():
                values = [getattr(row, key) for row in scores.of(accuracy_of(study, model) or model)]
                mean = scores.mean(accuracy_of(study, model) or model, key)
                axis.plot([factor] * len(values), values, **{**marker_of(model), "markersize": 4, "alpha": 0.35})
                axis.plot([factor], [mean], label=title_of(model), markersize=10, **marker_of(model))
            if key == "closure_error":
                axis.plot([1], [0], label=f"kinetic theory, {KINETIC[16]}", markersize=12, **marker_of("kinetic"))
            axis.set_xscale("log")
            axis.set_xlim(0.8, 1.6 * max(shown.values()))
            top = max(float(getattr(row, key)) for model in shown for row in scores.of(accuracy_of(study, model) or model))
            axis.set_ylim(-0.03 * top, 1.45 * top)
            axis.set_xticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
            axis.minorticks_off()
            plain(axis, f"times faster than the kinetic theory ({KINETIC[16]})", words)
        axes[0].legend(fontsize=8, frameon=False, loc="upper left", ncols=2)

    words = ", ".join(f"{title_of(model)} {factor:.1f} times" for model, factor in shown.items())
    return Figure(
        "Speed-up against accuracy",
        panels(2, (9.6, 3.6), draw),
        f"Seconds a step at {points}\u00b2 in double precision, one thread, measured in one process; both solvers are of this "
        "package and take steps of the same length. Large: means over all runs and trainings; small: each of them. Left, "
        "lower is better; right, higher.",
        f"speed-ups over the kinetic theory: {words}",
    )


def cost_table(rows: Sequence[CostRow]) -> Table:
    """Return seconds a step and of compilation, and the ratios to both kinetic solvers on the same grid."""
    found: list[dict[str, Value]] = []
    for row in rows:
        kinetic = {modes: seconds(rows, f"kinetic, {modes} ", row.points) for modes in KINETIC}
        line: dict[str, Value] = {
            "model": row.model.replace("bingham", "Bingham"),
            "points": row.points,
            "precision": row.precision,
            "step": 1000 * row.seconds,
            "compile": row.compile_seconds,
        }
        line |= {str(modes): None if time is None else time / row.seconds for modes, time in kinetic.items()}
        found.append(line)
    columns = [
        Column("model", "model"), Column("points", "points a side"), Column("precision", "precision"),
        Column("step", "time of a step", "ms", None, 3), Column("compile", "compilation", "s", None, 1),
        *(Column(str(modes), f"faster than kinetic, {words}", "times", None, 1) for modes, words in KINETIC.items()),
    ]  # fmt: skip
    return Table(
        "Time of a step",
        columns,
        found,
        "CPU time of a step, the least of some repeats of forty steps; compilation apart. The measure is the kinetic solver "
        "in double precision on the same grid, with 16 even modes and with 42, as many as 256 angles carry below two thirds.",
        "Times depend on the machine, which stands under Provenance; ratios less so.",
    )
