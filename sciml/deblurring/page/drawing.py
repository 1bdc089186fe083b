"""The look of cells on the page, and its heat map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sciml.deblurring.config import LEARNED
from sciml.deblurring.settings.grid import DEFAULT
from sciml.report.charts import COLOURS
from sciml.report.drawing import panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

QUIET = "#777777"
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
    return panels(1, (wide + 1.35 * len(columns) + 1.4, 0.38 * len(rows) + 0.7), draw)
