"""Growth rates of small waves: the programs against the dispersion relation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sciml.active_fluid.page.claims import RATE_ERROR, worst_rate
from sciml.active_fluid.page.results import StudyResults
from sciml.active_fluid.page.style import marker_of, point_words, title_of
from sciml.active_fluid.study.results import RateRow
from sciml.report.graphics.drawing import panels, plain
from sciml.report.reportlets import Column, Figure, Reportlet, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WAYS = {"cross": "rods at 45\u00b0 to the wave vector", "parallel": "rods along or across it"}
# the models' dots lie on one another: each a size smaller than the last
LARGEST, SMALLER = 11.0, 2.4


def theory_reportlets(study: StudyResults) -> Iterator[Reportlet]:
    """Yield plot and table, or a sentence where the rates were not computed."""
    if not study.rates:
        return
    yield rate_figure(study.rates)
    yield rate_table(study.rates)


def rate_figure(rows: Sequence[RateRow]) -> Figure:
    """Return the rates of all models as dots over the analytic lines, one panel a point."""
    points = list(dict.fromkeys(row.point for row in rows))
    models = list(dict.fromkeys(row.model for row in rows))

    def draw(axes: Sequence[Axes], _: object) -> None:
        for axis, point in zip(axes, points, strict=True):
            here = [row for row in rows if row.point == point]
            _lines(axis, [row for row in here if row.model == models[0]])
            for number, model in enumerate(models):
                mine = [row for row in here if row.model == model]
                look = {**marker_of(model), "fillstyle": "none", "markeredgewidth": 1.6, "markersize": LARGEST - SMALLER * number}
                waves = [row.k for row in mine]
                axis.plot(waves, np.array([row.cross_in_run for row in mine], dtype=float), label=title_of(model), **look)
                axis.plot(waves, np.array([row.parallel_in_run for row in mine], dtype=float), **look)
            axis.axhline(0, color="#888888", linewidth=0.8)
            plain(axis, "wave number k", "growth rate", point_words(point))
        axes[0].legend(fontsize=8, frameon=False)

    worst = worst_rate(rows).run_error
    return Figure(
        "Growth rates of weak waves",
        panels(len(points), (4.6 * len(points), 3.6), draw),
        "Lines: the dispersion relation. Dots: measured in runs from waves so weak that only linear terms count; each "
        f"model's dots are smaller than the last's, to be seen where they lie on one another. Full line: {WAYS['cross']}, on "
        f"which the flow acts; dashed: {WAYS['parallel']}. m2 is of second order there, so that every closure has to have the "
        f"rates of the kinetic theory. Largest difference {worst:.1e}.",
        f"dots of {len(models)} models on the analytic lines of the growth rate over the wave number",
    )


def _lines(axis: Axes, rows: Sequence[RateRow]) -> None:
    """Draw the dispersion relation through the waves that were computed, k = 0 apart: there both rates are equal."""
    rows = sorted((row for row in rows if row.k > 0), key=lambda row: row.k)
    if len(rows) < 2:
        return
    first, last = rows[0], rows[-1]
    fine = np.linspace(0, last.k, 200)
    for begin, end, dash in ((first.cross, last.cross, "-"), (first.parallel, last.parallel, "--")):
        # a parabola in k: both coefficients from two waves of the formula
        slope = (end - begin) / (last.k**2 - first.k**2)
        axis.plot(fine, begin + slope * (fine**2 - first.k**2), dash, color="#555555", linewidth=1.2)


def rate_table(rows: Sequence[RateRow]) -> Table:
    """Return the largest difference of each model, in runs and of the linearised equations."""
    found = []
    for model in dict.fromkeys(row.model for row in rows):
        mine = [row for row in rows if row.model == model]
        row = worst_rate(mine)
        found.append(
            {
                "model": title_of(model),
                "cases": len(mine),
                "operator": worst_rate(mine, "operator_error").operator_error,
                "run": row.run_error,
                "where": f"{point_words(row.point)}, wave {row.n_x}",
            }
        )
    columns = [
        Column("model", "model"), Column("cases", "cases"), Column("operator", "linearised equations"),
        Column("run", "runs"), Column("where", "largest of the runs at"),
    ]  # fmt: skip
    return Table(
        "Growth rates: largest difference from the dispersion relation",
        columns,
        found,
        f"Rates per unit of time; the goal is {RATE_ERROR:g}. The linearised equations come from the programmed right-hand "
        "side by automatic differentiation; runs add the error of the time step.",
    )
