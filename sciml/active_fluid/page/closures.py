"""How good the closures are, point by point: dots of every run and training, and the tables of their means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sciml.active_fluid.page.claims import lengthening, reduction, size_words
from sciml.active_fluid.page.results import StudyResults
from sciml.active_fluid.page.style import colour_of, marker_of, point_words, spread_of, title_of
from sciml.active_fluid.study.results import BINGHAM, FIXED, ORDER, Score, Scores
from sciml.report.graphics.drawing import panels, plain
from sciml.report.reportlets import Column, Figure, Reportlet, Table, Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ERROR_WORDS = "relative error of h* m2"


def closure_reportlets(study: StudyResults) -> Iterator[Reportlet]:
    """Yield dots of closure errors and of times, and the tables."""
    scores = study.scores
    mark = _mark(scores)
    yield dot_figure(
        scores,
        "closure_error",
        f"Closure error by point: {ERROR_WORDS}",
        ERROR_WORDS,
        "Of m2 as each closure gives it on the fields of the kinetic theory, without any run: the relative L2 error of h* "
        "m2, with h = strain + \u03b6 m1, the only way in which m2 acts. All times and places of a run together.",
    )
    capped = sum(not row.passes for row in scores.rows)
    yield dot_figure(
        scores,
        "first_above",
        f"Time until the field error passes {mark}, by point",
        f"time to {mark}",
        f"From the kinetic theory's first state every closure runs on its own; the field error is the relative L2 error of m1. "
        f"{capped} of {len(scores.rows)} runs do not pass {mark} and stand at the last time, {scores.times[-1]:g}.",
    )
    yield closure_table(scores)
    yield statistics_table(scores)
    yield from point_tables(scores)
    yield seed_table(scores)


def dot_figure(scores: Scores, key: str, title: str, y_title: str, caption: str) -> Figure:
    """Return a number by point: a dot for each run and training, a bar at the mean of each closure."""
    points = scores.points
    closures = _with(scores, key)
    apart = 0.8 / len(closures)

    def draw(axes: Sequence[Axes], _: object) -> None:
        axis = axes[0]
        for number, closure in enumerate(closures):
            place = (number - (len(closures) - 1) / 2) * apart
            for column, point in enumerate(points):
                values = np.array([getattr(row, key) for row in scores.of(closure, point)], dtype=float)
                wide = 0.25 * apart * np.linspace(-1, 1, len(values)) if len(values) > 1 else np.zeros(1)
                look = {**marker_of(closure), "markersize": 4.5, "alpha": 0.75, "markeredgewidth": 0}
                axis.plot(column + place + wide, values, label=title_of(closure) if column == 0 else None, **look)
                axis.hlines(
                    values.mean(), column + place - 0.45 * apart, column + place + 0.45 * apart, colors=colour_of(closure), lw=2.2
                )
        for column in range(len(points) - 1):
            axis.axvline(column + 0.5, color="#dddddd", linewidth=0.8)
        plain(axis, "", y_title)
        axis.grid(False, axis="x")
        axis.set_xticks(range(len(points)), [point_words(point) for point in points])
        axis.set_xlim(-0.5, len(points) - 0.5)
        axis.set_ylim(bottom=0)
        axis.legend(fontsize=8, frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1.0))

    means = ", ".join(f"{title_of(closure)} {scores.mean(closure, key):.3g}" for closure in closures)
    return Figure(
        title,
        panels(1, (max(7.0, 1.5 * len(points) + 1), 3.9), draw),
        f"{caption} A dot for each run and training, a bar at each mean; {size_words(scores)}.",
        f"dots of {len(closures)} closures at {len(points)} points; means: {means}",
    )


def closure_table(scores: Scores) -> Table:
    """Return mean error and time of every closure over all test runs."""
    rows: list[dict[str, Value]] = []
    for closure in scores.closures:
        members, itself = scores.of(closure), closure == BINGHAM
        rows.append(
            {
                "closure": title_of(closure),
                "seeds": len(scores.seeds(closure)),
                "error": _error_of(members),
                "less": "is the measure" if itself else _share(100 * reduction(scores, closure, BINGHAM)),
                "time": spread_of([one.first_above for one in members]),
                "longer": "is the measure" if itself else _share(lengthening(scores, closure, BINGHAM)),
                "kept": sum(not one.passes for one in members),
            }
        )
    columns = [
        Column("closure", "closure"), Column("seeds", "trainings"), Column("error", ERROR_WORDS, "", "down", 4),
        Column("less", "below Bingham's", "%", None, 1), Column("time", f"time to {_mark(scores)}", "", "up", 2),
        Column("longer", "over Bingham's", "", None, 2), Column("kept", "runs below it to the end"),
    ]  # fmt: skip
    return Table(
        "Closures on runs that none was trained on",
        columns,
        rows,
        f"Means over {size_words(scores)} and all trainings.",
        "No published number stands here: the tables of the paper could not be read, so the measure is Bingham's closure in "
        "this run.",
    )


def statistics_table(scores: Scores) -> Table:
    """Return the field error half-way, and late order, speed and number of defects against the truth."""
    rows: list[dict[str, Value]] = []
    late = len(scores.times) // 2
    for closure in scores.closures:
        errors = scores.series(closure, "errors")
        row: dict[str, Value] = {"closure": title_of(closure)}
        row |= {"half": spread_of(errors[:, late].tolist()), "end": spread_of(errors[:, -1].tolist())}
        for key in ("order", "speed", "defects"):
            run, truth = (scores.series(closure, key, part)[:, late:].mean(1) for part in (0, 1))
            row[key] = spread_of(
                (100 * (run / np.maximum(truth, 1e-12) - 1)).tolist() if key != "defects" else (run - truth).tolist()
            )
        rows.append(row)
    columns = [
        Column("closure", "closure"), Column("half", f"field error at t = {scores.times[late]:g}", "", "down", 4),
        Column("end", f"at t = {scores.times[-1]:g}", "", "down", 3),
        Column("order", "late order less the truth's", "%", None, 1),
        Column("speed", "late speed less the truth's", "%", None, 1),
        Column("defects", "late defects less the truth's", "", None, 1),
    ]  # fmt: skip
    return Table(
        "Fields and statistics beside the truth",
        columns,
        rows,
        f"Means over {size_words(scores)} and all trainings. Late: the mean from t = {scores.times[late]:g} on.",
    )


def point_tables(scores: Scores) -> Iterator[Table]:
    """Yield closure errors and times by point, means over runs and trainings."""
    captions = {
        "closure_error": ("Closure error by point", f"Means of the {ERROR_WORDS}.", 4),
        "first_above": (
            f"Time to {_mark(scores)} by point",
            f"Mean times until the field error passes it; runs that stay below count as the last time, {scores.times[-1]:g}.",
            2,
        ),
    }
    for key, (title, caption, digits) in captions.items():
        rows: list[dict[str, Value]] = []
        closures = _with(scores, key)
        for point in scores.points:
            row: dict[str, Value] = {"point": point_words(point), "runs": len({one.place for one in scores.at(point)})}
            rows.append(row | {closure: _number(scores.mean(closure, key, point)) for closure in closures})
        columns = [Column("point", "point"), Column("runs", "runs")]
        columns += [Column(closure, title_of(closure), "", None, digits) for closure in closures]
        yield Table(title, columns, rows, caption)


def seed_table(scores: Scores) -> Table:
    """Return the means of every single training."""
    rows: list[dict[str, Value]] = []
    for closure in scores.closures:
        for seed in () if closure in FIXED else scores.seeds(closure):
            rows.append(
                {
                    "closure": title_of(closure),
                    "seed": seed,
                    "error": _number(scores.mean(closure, "closure_error", seed=seed)),
                    "bingham": _share(100 * reduction(scores, closure, BINGHAM, seed=seed)),
                    "order": "is the measure" if closure == ORDER else _share(100 * reduction(scores, closure, ORDER, seed=seed)),
                    "time": _number(scores.mean(closure, "first_above", seed=seed)),
                    "longer": _share(lengthening(scores, closure, BINGHAM, seed=seed)),
                }
            )
    columns = [
        Column("closure", "closure"), Column("seed", "training"), Column("error", ERROR_WORDS, "", "down", 4),
        Column("bingham", "below Bingham's", "%", None, 1), Column("order", "below the function of the order", "%", None, 1),
        Column("time", f"time to {_mark(scores)}", "", "up", 2), Column("longer", "over Bingham's", "", None, 2),
    ]  # fmt: skip
    return Table("Every training", columns, rows, f"Means over {size_words(scores)}. A rival is its mean over its own trainings.")


def _with(scores: Scores, key: str) -> list[str]:
    """Return the closures that have a number: a closure of m3 has no error of m2."""
    return [name for name in scores.closures if any(getattr(row, key) is not None for row in scores.of(name))]


def _mark(scores: Scores) -> str:
    return f"{100 * scores.threshold:g} %"


def _error_of(rows: Sequence[Score]) -> Value:
    """Return the closure error; a closure of m3 has none, since its model keeps m2."""
    return "keeps m2" if all(row.closure_error is None for row in rows) else spread_of([row.closure_error for row in rows])


def _number(value: float) -> Value:
    return value if np.isfinite(value) else "diverged"


def _share(value: float) -> Value:
    return value if np.isfinite(value) else "nothing to compare"
