"""A strip of a run's times: the order of the rods with their directors, and the vorticity."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sciml.runtime.files import atomic_path

if TYPE_CHECKING:
    import xarray as xr

FRAMES = 4
LINES = 20


def write_strip(run: xr.Dataset, path: Path | str, frames: int = FRAMES) -> None:
    """Write a PNG of a few evenly spread times of a run.

    Above: |m1| / c as brightness from 0 to 1, and lines along the director, the angle arg(m1) / 2, as long as the order.
    Below: the vorticity, on one scale for all times; x runs to the right and y upwards.

    Args:
        run: Dataset of a solver.
        path: path of the PNG file.
        frames: number of times at most.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    count = min(frames, run.sizes["time"])
    chosen = run.isel(time=np.unique(np.linspace(0, run.sizes["time"] - 1, count).round().astype(int))).load()
    count = chosen.sizes["time"]
    length = float(run.attrs["length"])
    bound = float(np.abs(chosen["vorticity"]).max()) or 1.0
    figure = Figure(figsize=(2.6 * count + 1.0, 5.2), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, count, squeeze=False)
    shared: dict[str, Any] = {"origin": "lower", "extent": (0, length, 0, length), "interpolation": "nearest"}
    images: list[Any] = [None, None]
    for column in range(count):
        frame = chosen.isel(time=column)
        m1 = frame["m1"].values / (frame["density"].values if "density" in frame else 1.0)
        images[0] = axes[0, column].imshow(np.abs(m1).T, cmap="gray", vmin=0, vmax=1, **shared)
        draw_directors(axes[0, column], m1, length)
        images[1] = axes[1, column].imshow(frame["vorticity"].values.T, cmap="RdBu_r", vmin=-bound, vmax=bound, **shared)
        axes[0, column].set_title(f"t = {float(frame['time']):g}", fontsize=9)
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
    figure.colorbar(images[0], ax=axes[0, :], label="order |m1| / c", shrink=0.9)
    figure.colorbar(images[1], ax=axes[1, :], label="vorticity", shrink=0.9)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})


def draw_directors(axis: Any, m1: np.ndarray, length: float) -> None:
    """Draw short lines along the directors on a grid of about LINES a side."""
    from matplotlib.collections import LineCollection

    stride = max(1, len(m1) // LINES)
    picked = m1[stride // 2 :: stride, stride // 2 :: stride]
    # of the cells' lower left corners, where the fields' points are; the picture shows cells
    places = (np.arange(len(m1)) + 0.5)[stride // 2 :: stride] * length / len(m1)
    x, y = np.meshgrid(places, places, indexing="ij")
    half = 0.45 * stride * length / len(m1) * np.minimum(1, np.abs(picked)) * np.exp(0.5j * np.angle(picked))
    ends = np.stack([np.stack([x - half.real, y - half.imag], -1), np.stack([x + half.real, y + half.imag], -1)], -2)
    axis.add_collection(LineCollection(list(ends.reshape(-1, 2, 2)), colors="#f2a900", linewidths=0.9))
