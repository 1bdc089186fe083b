"""Drawings of a page that no reportlet makes itself: panels of axes in one look, signed pictures, enlarged ones."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GRID = "#dddddd"


def panels(
    count: int, size: tuple[float, float], draw: Callable[[Sequence[Axes], Figure], None], rows: int = 1, dpi: int = 110
) -> bytes:
    """Return PNG bytes of `count` axes a row, drawn on white ground.

    Args:
        count: axes in a row.
        size: width and height in inches.
        draw: draws on the axes, row after row.
        rows: rows of axes.
        dpi: pixels an inch.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=dpi, layout="constrained")
    FigureCanvasAgg(figure)
    draw(list(figure.subplots(rows, count, squeeze=False).ravel()), figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def plain(axes: Axes, x_title: str = "", y_title: str = "", title: str = "") -> None:
    """Give axes the look of the page's curves."""
    axes.set_xlabel(x_title, fontsize=9)
    axes.set_ylabel(y_title, fontsize=9)
    axes.set_title(title, fontsize=10)
    axes.grid(True, color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


def signed_picture(image: np.ndarray, limit: float | None = None) -> np.ndarray:
    """Return signed numbers as RGB on [-limit, limit], zero white; by default up to their largest size."""
    from matplotlib import colormaps

    top = max(float(np.abs(image).max()), 1e-12) if limit is None else limit
    return np.asarray(colormaps["PuOr"](np.clip(0.5 + 0.5 * image / top, 0, 1))[..., :3] * 255).round().astype(np.uint8)


def enlarged(image: np.ndarray, least: int = 192) -> np.ndarray:
    """Return an image with every pixel repeated until its shorter side has about `least` pixels."""
    factor = max(1, round(least / min(image.shape[:2])))
    return image.repeat(factor, 0).repeat(factor, 1)
