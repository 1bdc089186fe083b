"""Drawings of the page: axes with the look of its curves, PNG bytes on white ground."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sciml.deblurring.cells import DEFAULT
from sciml.deblurring.config import LEARNED
from sciml.report.charts import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GRID, QUIET = "#dddddd", "#777777"
BLUE, RED, GREEN, PINK, SKY, ORANGE = COLOURS[:6]
# one colour, dash and marker a cell on the whole page; the default is thick, the oracle black and dotted
Style = tuple[str, tuple[int, ...], str, float]
STYLES: Mapping[str, Style] = {
    DEFAULT: (BLUE, (), "o", 2.4),
    "tv/none": (RED, (5, 2), "s", 1.6),
    "tv/kernel": (GREEN, (2, 1), "^", 1.6),
    "tv/true": ("#000000", (1, 2), "", 1.6),
    f"{LEARNED}/none": (PINK, (5, 2), "v", 1.4),
    f"{LEARNED}/warp": (SKY, (), "D", 1.6),
    "hyper-laplacian/none": (ORANGE, (4, 1, 1, 1), "P", 1.4),
}


def style(cell: str) -> dict[str, object]:
    """Return the line properties of a cell."""
    colour, dash, marker, width = STYLES.get(cell, (QUIET, (1, 1), ".", 1.2))
    return {"color": colour, "linestyle": (0, dash) if dash else "-", "marker": marker, "markersize": 4.5, "linewidth": width}


def drawn(
    columns: int,
    size: tuple[float, float],
    draw: Callable[[Sequence[Axes], Figure], None],
    rows: int = 1,
    dpi: int = 110,
) -> bytes:
    """Return PNG bytes of rows of axes.

    Args:
        columns: axes a row.
        size: width and height in inches.
        draw: draws on the axes, row after row.
        rows: rows of axes.
        dpi: pixels an inch.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=dpi, layout="constrained")
    FigureCanvasAgg(figure)
    draw(list(figure.subplots(rows, columns, squeeze=False).ravel()), figure)
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


def heat_map(numbers: np.ndarray, rows: Sequence[str], columns: Sequence[str], unit: str, limit: float) -> bytes:
    """Return a map of signed numbers, each written in its field; blue above zero, brown below, white at zero.

    Args:
        numbers: (row, column); NaN leaves a field empty.
        rows: labels.
        columns: labels.
        unit: of the colour bar.
        limit: number at the ends of the scale; larger ones have the colour of the end.
    """

    def draw(axes: Sequence[Axes], figure: Figure) -> None:
        image = axes[0].imshow(numbers, cmap="PuOr", vmin=-limit, vmax=limit, aspect="auto")
        axes[0].set_xticks(range(len(columns)), columns, fontsize=9)
        axes[0].set_yticks(range(len(rows)), rows, fontsize=9)
        axes[0].tick_params(length=0)
        axes[0].spines[:].set_visible(False)
        for (row, column), number in np.ndenumerate(numbers):
            if np.isfinite(number):
                text = f"{number:+.2f}".replace("-", "\u2212")
                colour = "white" if abs(number) > 0.62 * limit else "black"
                axes[0].text(column, row, text, ha="center", va="center", fontsize=9, color=colour)
        bar = figure.colorbar(image, ax=axes[0], shrink=0.9, extend="both")
        bar.set_label(unit, fontsize=9)
        bar.ax.tick_params(labelsize=8)

    # long labels take their own width
    wide = 0.075 * max(len(label) for label in rows)
    return drawn(1, (wide + 1.35 * len(columns) + 1.4, 0.38 * len(rows) + 0.7), draw)


def signed_picture(image: np.ndarray, limit: float) -> np.ndarray:
    """Return signed numbers as RGB on [-limit, limit], zero white."""
    from matplotlib import colormaps

    return np.asarray(colormaps["PuOr"](np.clip(0.5 + 0.5 * image / limit, 0, 1))[..., :3] * 255).round().astype(np.uint8)


def enlarged(image: np.ndarray, least: int = 192) -> np.ndarray:
    """Return an image with every pixel repeated until its shorter side has about `least` pixels."""
    factor = max(1, round(least / min(image.shape[:2])))
    return image.repeat(factor, 0).repeat(factor, 1)
