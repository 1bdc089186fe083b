"""The fourth moment over the order, and how order and speed are distributed late in a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from sciml.active_fluid.page.results import Fields, StudyResults
from sciml.active_fluid.page.style import colour_of, line_of, title_of
from sciml.active_fluid.study.results import BINGHAM, ORDER, FourthMoment
from sciml.report.graphics.drawing import panels, plain
from sciml.report.reportlets import Figure, Reportlet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# of a run's frames, the last: each has thousands of places, alike within one frame
LATE_FRAMES = 4
BINS = 40


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
