"""Growth rates against the dispersion relation, the fourth moment over the order, and order and speed late in a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from sciml.active_fluid.page.claims import RATE_ERROR, worst_rate
from sciml.active_fluid.page.results import Fields, StudyResults
from sciml.active_fluid.page.style import colour_of, line_of, marker_of, point_words, title_of
from sciml.active_fluid.study.results import BINGHAM, ORDER, FourthMoment, RateRow
from sciml.report.graphics.drawing import panels, plain
from sciml.report.reportlets import Column, Figure, Reportlet, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WAYS = {"cross": "rods at 45\u00b0 to the wave vector", "parallel": "rods along or across it"}
# the models' dots lie on one another: each a size smaller than the last
LARGEST, SMALLER = 11.0, 2.4
# of a run's frames, the last: each has thousands of places, alike within one frame
LATE_FRAMES = 4
BINS = 40


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


def moment_reportlets(study: StudyResults) -> Iterator[Reportlet]:
    """Yield the curve and the histograms, or a sentence for what the run did not keep."""
    if study.scores.fourth_moment is not None:
        yield moment_figure(study.scores.fourth_moment, study.learned)
    if study.fields is not None and "kinetic" in study.fields.names:
        yield histogram_figure(study.fields, study.learned)


def moment_figure(moments: FourthMoment, learned: str | None) -> Figure:
    """Return f4 over q, and how far it is from Bingham's: closures at rest as lines, what runs have as bands."""
    q, edges = np.array(moments.q), np.array(moments.edges)
    middles = (edges[1:] + edges[:-1]) / 2
    at_rest = {name: np.array(values, dtype=float) for name, values in moments.at_rest.items()}
    exact = at_rest["exact"]
    ours = [] if learned is None else [learned]
    lines = [name for name in (ORDER, *ours) if name in at_rest]
    bands = {name: np.array(moments.bands[name], dtype=float) for name in ("kinetic", *ours) if name in moments.bands}

    def draw(axes: Sequence[Axes], _: object) -> None:
        for axis, base, own in zip(axes, (0 * q, exact), (np.interp(middles, q, exact), 0 * middles), strict=True):
            for name, (low, middle, high) in bands.items():
                label = f"{title_of(name)}, in the flow"
                colour = colour_of(name)
                axis.fill_between(middles, low + own, high + own, color=colour, alpha=0.18, linewidth=0, label=label)
                axis.plot(middles, middle + own, color=colour, marker=".", linestyle="none", markersize=5)
            axis.plot(q, exact - base, label=title_of(BINGHAM), **line_of(BINGHAM))
            for name in lines:
                axis.plot(q, at_rest[name] - base, label=f"{title_of(name)}, at rest", **line_of(name))
            axis.set_xlim(0, 1)
        plain(axes[0], "order q", "fourth moment f4")
        plain(axes[1], "order q", "f4 less Bingham's")
        axes[0].legend(fontsize=7.5, frameon=False)

    gap = float(np.nanmax(np.abs(bands["kinetic"][1]))) if "kinetic" in bands else np.nan
    return Figure(
        "The fourth moment over the order",
        panels(2, (9.6, 3.7), draw),
        "f4 = Re(m2 m1*\u00b2) / q\u00b2, with q = |m1|: m2 in the frame of the director. Bingham's closure is computed from "
        f"Bessel functions. Lines: closures where nothing flows, \u03b6 = {moments.zeta:g}. Bands and dots: the 5 %, 50 % and "
        "95 % quantiles by order at places of all test runs, of the kinetic theory and of the learned closure on its fields. "
        "The width of the kinetic band is what no function of the order can give; the kinetic median is up to "
        f"{gap:.2f} from Bingham's. Orders that hardly occur are left out.",
        f"fourth moment over the order: Bingham, {len(lines)} learned closures, and bands of what occurs in runs",
    )


def histogram_figure(fields: Fields, learned: str | None) -> Figure:
    """Return how order and speed are distributed over the places of the last frames."""
    ours = [] if learned is None else [learned]
    shown = [name for name in dict.fromkeys(("kinetic", BINGHAM, ORDER, *ours)) if name in fields.names]
    late = slice(-min(LATE_FRAMES, len(fields.times)), None)
    order = {name: np.abs(fields.m1(name)[late]).ravel() for name in shown}
    speed = {name: np.abs(velocity_of(fields.vorticity(name)[late], fields.length)).ravel() for name in shown}
    times = [f"{time:g}" for time in fields.times[late]]

    def draw(axes: Sequence[Axes], _: object) -> None:
        for axis, values, words in zip(axes, (order, speed), ("order q", "speed |u|"), strict=True):
            finite = {name: one[np.isfinite(one)] for name, one in values.items()}
            top = max(float(np.max(one, initial=1e-6)) for one in finite.values())
            edges = np.linspace(0, 1 if values is order else 1.02 * top, BINS + 1)
            for name, one in finite.items():
                density = np.histogram(one, edges, density=True)[0] if len(one) else np.zeros(BINS)
                look = {**line_of(name), **({"linewidth": 3.0} if name == "kinetic" else {})}
                axis.stairs(density, edges, label=title_of(name), **_stairs(look))
            plain(axis, words, "density of places")
            axis.set_ylim(bottom=0)
        axes[0].legend(fontsize=8, frameon=False, loc="upper left")

    means = ", ".join(f"{title_of(name)} {np.mean(order[name]):.3f} and {np.mean(speed[name]):.3f}" for name in shown)
    return Figure(
        "Order and speed late in a run",
        panels(2, (9.6, 3.4), draw),
        f"Histograms over the places of the run {fields.place}, at the times {', '.join(times)} together. One run: the "
        f"differences between closures include those of its own chance. Mean order and speed: {means}.",
        f"histograms of order and speed of the kinetic theory and {len(shown) - 1} closures",
    )


def velocity_of(vorticity: Float[np.ndarray, "frames n n"], length: float) -> np.ndarray:
    """Return u + i v of a flow without divergence and mean from its vorticity: -Lap psi = w, u = d_y psi, v = -d_x psi."""
    points = vorticity.shape[-1]
    counts = np.fft.fftfreq(points, 1 / points)
    # at the Nyquist frequency a derivative of a real field has no value
    k = 2 * np.pi / length * np.where(np.abs(counts) == points // 2, 0, counts)
    kx, ky = k[:, None], k[None, :]
    square = kx**2 + ky**2
    stream = np.fft.fft2(vorticity) / np.where(square > 0, square, np.inf)
    return np.fft.ifft2((kx + 1j * ky) * stream)


def _stairs(look: Mapping[str, Any]) -> dict[str, Any]:
    return {"edgecolor" if key == "color" else key: value for key, value in look.items()} | {"fill": False}
