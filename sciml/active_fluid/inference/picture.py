"""A picture of an inference: data, fit and residual over time; where the parameters lie; the misfit by frame and by wave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sciml.active_fluid.inference.frames import Frames, Units
from sciml.active_fluid.inference.infer import Inference
from sciml.active_fluid.solvers.picture import draw_directors
from sciml.runtime.files import atomic_path

FRAMES = 4
# residual, in units of the noise, at the end of the scale
MOST_NOISE = 4.0
# quantile of chi^2 with two degrees of freedom: 90 % of a normal distribution lie within such an ellipse
CHI2_90 = 4.605170185988092
EXPLAINED = {"noise": "noise", "closure": "the closure's error"}


def write_fit(found: Inference, frames: Frames, units: Units, path: Path | str) -> None:
    """Write a PNG of an inference.

    Above, a column for each of a few frames: order |m1| and directors of the data and of the fit, and the size of the residual in
    units of the noise; x runs to the right and y upwards. Below: alpha and zeta with the ellipse that holds both with 90 %, of
    the noise alone and with the closure's error; the misfit of the signal's waves by frame, and of all waves by their number.

    Args:
        found: the inference.
        frames: its data, on the grid of the data.
        units: the theory's units in those of the data.
        path: path of the PNG file.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    number = len(frames.m1)
    chosen = np.unique(np.linspace(0, number - 1, min(FRAMES, number)).round().astype(int))
    side = found.fitted.shape[-1] // frames.m1.shape[-1]
    fitted = found.shown[:, ::side, ::side]
    seen = np.ones(frames.m1.shape, bool) if frames.mask is None else np.broadcast_to(frames.mask, frames.m1.shape)
    length, most = frames.length or 1.0, float(np.abs(frames.m1[seen]).max())
    figure = Figure(figsize=(10.4, 10.6), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    parts: Any = figure.subfigures(2, 1, height_ratios=(3, 1.15))
    above, below = parts
    axes = above.subplots(3, len(chosen), squeeze=False)
    shared: dict[str, Any] = {"origin": "lower", "extent": (0, length, 0, length), "interpolation": "nearest"}
    images: list[Any] = [None, None]
    for column, frame in enumerate(chosen):
        for row, field in enumerate((np.where(seen[frame], frames.m1[frame], np.nan), fitted[frame])):
            images[0] = axes[row, column].imshow(np.abs(field).T, cmap="gray", vmin=0, vmax=most, **shared)
            draw_directors(axes[row, column], np.nan_to_num(field) / most, length)
        left = np.where(seen[frame], np.abs(fitted[frame] - frames.m1[frame]), np.nan) / found.noise_std
        images[1] = axes[2, column].imshow(left.T, cmap="magma", vmin=0, vmax=MOST_NOISE, **shared)
        axes[0, column].set_title(f"time {found.times[frame] * units.time:.4g}", fontsize=9)
    for row, words in enumerate(("data", "fit", "residual")):
        axes[row, 0].set_ylabel(words)
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
    above.colorbar(images[0], ax=axes[:2, :], label="order |m1|", shrink=0.7)
    above.colorbar(images[1], ax=axes[2, :], label="residual over noise", shrink=0.9)
    where, by_frame, by_wave = below.subplots(1, 3)
    _ellipses(where, found)
    look = {"marker": "o", "markersize": 3.5, "linewidth": 1.0}
    by_frame.plot(found.times * units.time, found.goodness.by_frame, **look)
    by_wave.plot(np.arange(len(found.goodness.by_wave)), found.goodness.by_wave, **look)
    for axis, words in ((by_frame, "time"), (by_wave, "whole waves in the side")):
        axis.axhline(1, color="#888888", linewidth=0.9, linestyle="--")
        axis.set_ylim(bottom=0)
        axis.set_xlabel(words)
        axis.set_ylabel("residual over noise")
        axis.spines[["top", "right"]].set_visible(False)
    fit = found.goodness
    words = "do not trust the estimates" if fit.is_warning else f"explained by {EXPLAINED[fit.verdict]}"
    numbers = f"chi\u00b2 {fit.chi_square:.0f} for {fit.degrees:.0f} degrees of freedom, p = {fit.p_value:.2g}"
    below.suptitle(f"{numbers}: {words}", fontsize=10)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})


def _ellipses(axis: Any, found: Inference) -> None:
    """Draw the estimate and the ellipses of 90 %."""
    angle = np.linspace(0, 2 * np.pi, 181)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    for covariance, words, colour in (
        (found.covariance, "with the closure's error", "#1f77b4"),
        (found.noise_covariance, "noise alone", "#d95f02"),
    ):
        values, vectors = np.linalg.eigh(covariance[:2, :2])
        ring = vectors @ (np.sqrt(CHI2_90 * np.maximum(values, 0))[:, None] * circle)
        axis.plot(found.alpha + ring[0], found.zeta + ring[1], color=colour, label=words, linewidth=1.3)
    axis.plot(found.alpha, found.zeta, "k+")
    axis.set_xlabel("alpha")
    axis.set_ylabel("zeta")
    axis.ticklabel_format(useOffset=False)
    axis.tick_params(axis="x", rotation=30)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(fontsize=7, frameon=False, loc="upper center", bbox_to_anchor=(0.5, 1.2))
