"""Runs beside the truth over time: field errors, order, speed, defects, and the spectra at the last time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from sciml.active_fluid.page.claims import size_words
from sciml.active_fluid.page.results import StudyResults
from sciml.active_fluid.page.style import line_of, point_words, title_of
from sciml.active_fluid.study.results import Point, Scores
from sciml.report.graphics.drawing import panels, plain
from sciml.report.reportlets import Curve, Figure, Reportlet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STATISTICS = {"order": "mean order", "speed": "root mean square speed", "defects": "number of defects"}
# of the largest power: below lies rounding
SPECTRUM_FLOOR = 1e-10
LEAST_ERROR = 1e-5
TICKS = (0.5, 1, 2, 5, 10, 20)


def time_reportlets(study: StudyResults) -> Iterator[Reportlet]:
    """Yield the figures, and the means of the errors as curves to read off."""
    scores = study.scores
    yield error_figure(scores)
    yield statistics_figure(scores)
    yield spectrum_figure(scores)
    yield error_curve(scores)


def error_figure(scores: Scores) -> Figure:
    """Return the field error over time: the means together, then every run of each closure as a thin line."""
    closures = scores.closures
    columns = 3
    count = -(-(len(closures) + 1) // columns)
    every = np.concatenate([scores.series(name, "errors").ravel() for name in closures])
    bottom = max(LEAST_ERROR, 0.7 * float(np.min(every[every > 0], initial=1.0)))

    def draw(axes: Sequence[Axes], _: object) -> None:
        for axis, closure in zip(axes, [None, *closures], strict=False):
            for name in closures if closure is None else [closure]:
                errors = scores.series(name, "errors")
                if closure is not None:
                    axis.plot(scores.times, _positive(errors).T, color=line_of(name)["color"], linewidth=0.6, alpha=0.45)
                axis.plot(scores.times, _positive(errors.mean(0)), label=title_of(name), **line_of(name))
            axis.axhline(scores.threshold, color="#444444", linewidth=0.8, linestyle=":")
            axis.set_yscale("log")
            axis.set_ylim(bottom, 3)
            plain(axis, "time", "field error", "means" if closure is None else title_of(closure))
        axes[0].legend(fontsize=7, frameon=False)
        for axis in list(axes)[len(closures) + 1 :]:
            axis.set_visible(False)

    return Figure(
        "Field error over time",
        panels(columns, (10.8, 2.9 * count), draw, rows=count),
        f"Relative L2 error of m1. Thin lines: every run and training; thick: their mean over {size_words(scores)}. The "
        "dotted line is the threshold. Such flows are chaotic: every error grows until the fields have nothing in common, at "
        "about 1.4, and closures differ in when.",
        f"errors of {len(closures)} closures grow over time on a logarithmic axis; {_passing_words(scores)}",
    )


def _passing_words(scores: Scores) -> str:
    return "mean times to the threshold: " + ", ".join(
        f"{title_of(n)} {scores.mean(n, 'first_above'):.2f}" for n in scores.closures
    )


def error_curve(scores: Scores) -> Curve:
    """Return the mean field errors."""
    rows: list[dict[str, Any]] = []
    for closure in scores.closures:
        means = scores.series(closure, "errors").mean(0)
        rows += [
            {"time": float(time), "error": float(error), "closure": title_of(closure)}
            for time, error in zip(scores.times, means, strict=True)
            if error > 0
        ]
    return Curve(
        "Mean field error",
        rows,
        "time",
        "error",
        "closure",
        "time",
        "relative L2 error of m1, mean over runs",
        f"Means over {size_words(scores)} and all trainings.",
        f"mean errors of {len(scores.closures)} closures over time; {_passing_words(scores)}",
        log_y=True,
    )


def statistics_figure(scores: Scores) -> Figure:
    """Return order, speed and number of defects over time, means over runs, with the truth."""

    def draw(axes: Sequence[Axes], _: object) -> None:
        for axis, (key, words) in zip(axes, STATISTICS.items(), strict=True):
            axis.plot(
                scores.times, truth_of(scores, key).mean(0), label=title_of("kinetic"), **{**line_of("kinetic"), "linewidth": 3.0}
            )
            for closure in scores.closures:
                axis.plot(scores.times, scores.series(closure, key, 0).mean(0), label=title_of(closure), **line_of(closure))
            plain(axis, "time", words)
            axis.set_ylim(bottom=0)
        axes[0].legend(fontsize=7, frameon=False)

    return Figure(
        "Order, speed and defects over time",
        panels(3, (10.8, 3.3), draw),
        f"Means over {size_words(scores)}. Defects of both charges are counted; where there is hardly any order, as at first, "
        "their number means little. Once the fields have nothing in common, such statistics are what is left to compare.",
        "mean order, speed and number of defects of every closure beside the kinetic theory",
    )


def truth_of(scores: Scores, key: str) -> Float[np.ndarray, "runs values"]:
    """Return lists of the truth, one a kinetic run."""
    rows = {row.place: getattr(row, key)[1] for row in scores.rows}
    return np.array([rows[place] for place in sorted(rows)], dtype=float)


def spectrum_figure(scores: Scores) -> Figure:
    """Return the velocity's spectra at the last time, one panel a point."""
    points = scores.points
    columns = min(3, len(points))
    count = -(-len(points) // columns)

    def draw(axes: Sequence[Axes], _: object) -> None:
        for axis, point in zip(axes, points, strict=False):
            _spectra(axis, scores, point)
        axes[0].legend(fontsize=7, frameon=False)
        for axis in list(axes)[len(points) :]:
            axis.set_visible(False)

    return Figure(
        "Spectra of the velocity at the last time",
        panels(columns, (3.6 * columns, 3.1 * count), draw, rows=count),
        f"Power by wave number at t = {scores.times[-1]:g}, mean over the runs of each point and all trainings; what lies below "
        f"{SPECTRUM_FLOOR:g} of the largest is left out.",
        f"spectra of {len(scores.closures)} closures beside the kinetic theory at {len(points)} points",
    )


def _spectra(axis: Axes, scores: Scores, point: Point) -> None:
    rows = scores.of(scores.closures[0], point)
    k = np.array(rows[0].wave_numbers)
    truth = np.array([row.spectrum[1] for row in rows], dtype=float).mean(0)
    floor = SPECTRUM_FLOOR * truth.max()
    axis.plot(k, _positive(truth, floor), label=title_of("kinetic"), **{**line_of("kinetic"), "linewidth": 3.0})
    for closure in scores.closures:
        power = np.array([row.spectrum[0] for row in scores.of(closure, point)], dtype=float).mean(0)
        axis.plot(k, _positive(power, floor), label=title_of(closure), **line_of(closure))
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    axis.minorticks_off()
    axis.set_xlim(0.9 * k[k > 0].min(), 1.1 * k[truth > floor].max())
    plain(axis, "wave number k", "power of the velocity", point_words(point))


def _positive(values: np.ndarray, least: float = 0.0) -> np.ndarray:
    """Return values with NaN where a logarithmic axis has no place for them."""
    return np.where(values > least, values, np.nan)
