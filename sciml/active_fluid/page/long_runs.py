"""Long runs all over the box: late order and speed of each closure, and where a run stopped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sciml.active_fluid.page.results import StudyResults
from sciml.active_fluid.page.style import title_of
from sciml.active_fluid.study.stability_results import LongRun, Stability
from sciml.report.graphics.drawing import ON_DARK, ON_LIGHT, panels
from sciml.report.reportlets import Column, Figure, Reportlet, Table, Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

MAPS = {"late_order": "late order", "late_speed": "late speed"}


def long_reportlets(study: StudyResults) -> Iterator[Reportlet]:
    """Yield the map and the table, or a sentence where no long runs were made."""
    if study.stability is None or not study.stability.rows:
        return
    yield long_map(study.stability)
    yield long_table(study.stability)


def long_map(stability: Stability) -> Figure:
    """Return maps of late order and speed over the box, a row for each closure."""
    rows, until, closures = stability.rows, stability.until, stability.closures
    alphas, zetas = sorted({row.alpha for row in rows}), sorted({row.zeta for row in rows})

    def draw(axes: Sequence[Axes], figure: Drawing) -> None:
        for place, key in enumerate(MAPS):
            numbers = {closure: table(stability.of(closure), key, alphas, zetas) for closure in closures}
            known = [grid[np.isfinite(grid)] for grid in numbers.values() if np.isfinite(grid).any()]
            top = max((float(grid.max()) for grid in known), default=1.0)
            for line, closure in enumerate(closures):
                axis = axes[line * len(MAPS) + place]
                image = axis.imshow(numbers[closure], cmap="viridis", vmin=0, vmax=top, aspect="auto", origin="lower")
                _write(axis, numbers[closure], top)
                _flag(axis, stability.of(closure), until, alphas, zetas)
                axis.set_xticks(range(len(zetas)), [f"{zeta:g}" for zeta in zetas], fontsize=8)
                axis.set_yticks(range(len(alphas)), [f"{alpha:g}".replace("-", "\u2212") for alpha in alphas], fontsize=8)
                axis.set_xlabel("\u03b6", fontsize=9)
                axis.set_ylabel("\u03b1", fontsize=9)
                axis.set_title(f"{title_of(closure)}: {MAPS[key]}", fontsize=10)
                figure.colorbar(image, ax=axis, shrink=0.9).ax.tick_params(labelsize=8)

    stopped = sum(not row.is_bounded(until) for row in rows)
    size = (9.6, max(2.3, 0.5 * len(alphas) + 1.0) * len(closures))
    return Figure(
        f"Long runs over the box, to t = {until:g}",
        panels(len(MAPS), size, draw, rows=len(closures)),
        "Each field is one run from random weak order; its number is the mean over space and the second half of the time, on "
        f"one scale for all closures. A red cross marks a run that stopped or left the disc |m1| \u2264 1: {stopped} of "
        f"{len(rows)}.",
        f"maps of late order and speed of {len(closures)} closures over activity and alignment; {stopped} of {len(rows)} runs "
        "stopped",
    )


def table(rows: Sequence[LongRun], key: str, alphas: Sequence[float], zetas: Sequence[float]) -> np.ndarray:
    """Return a number of long runs, (alpha, zeta); NaN where there is none."""
    grid = np.full((len(alphas), len(zetas)), np.nan)
    for row in rows:
        value = getattr(row, key)
        grid[alphas.index(row.alpha), zetas.index(row.zeta)] = np.nan if value is None else value
    return grid


def _write(axis: Axes, numbers: np.ndarray, top: float) -> None:
    for (line, column), number in np.ndenumerate(numbers):
        if np.isfinite(number):
            colour = ON_LIGHT if number > 0.6 * top else ON_DARK
            axis.text(column, line, f"{number:.2f}", ha="center", va="center", fontsize=8, color=colour)


def _flag(axis: Axes, rows: Sequence[LongRun], until: float, alphas: Sequence[float], zetas: Sequence[float]) -> None:
    for row in rows:
        if not row.is_bounded(until):
            axis.plot(zetas.index(row.zeta), alphas.index(row.alpha), "x", color="#D55E00", markersize=22, markeredgewidth=3)


def long_table(stability: Stability) -> Table:
    """Return how many runs of each closure stayed bounded, and why others stopped."""
    found: list[dict[str, Value]] = []
    for closure in stability.closures:
        mine = stability.of(closure)
        orders = [row.largest_order for row in mine if row.largest_order is not None]
        sides = [row.points for row in mine if row.points is not None]
        reasons = list(dict.fromkeys(row.stopped for row in mine if row.stopped))
        found.append(
            {
                "closure": title_of(closure),
                "runs": len(mine),
                "points": " to ".join(str(side) for side in sorted({min(sides), max(sides)})) if sides else None,
                "bounded": stability.bounded(closure),
                "order": max(orders) if orders else "none was saved",
                "reached": min(row.reached for row in mine),
                "reason": "; ".join(reasons) or "none stopped",
            }
        )
    columns = [
        Column("closure", "closure"), Column("runs", "runs"), Column("points", "points a side"),
        Column("bounded", "bounded to the end"), Column("order", "largest order", "", None, 5),
        Column("reached", "least last time", "", None, 1), Column("reason", "why a run stopped"),
    ]  # fmt: skip
    caption = (
        f"A lattice over the box of the learned closure, one initial state, to t = {stability.until:g}. Orders above 1 have "
        "no meaning. A model that keeps m2 asks for more points where its flow is strong, and gets them."
    )
    return Table("Long runs", columns, found, caption)
