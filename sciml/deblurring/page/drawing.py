"""The look of cells on the page, and its heat map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sciml.deblurring.config import LEARNED
from sciml.deblurring.settings.grid import DEFAULT
from sciml.report.graphics.drawing import INK, ON_DARK, ON_LIGHT, SOFT, Drawing, panels
from sciml.report.graphics.palette import COLOURS, Palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

QUIET = SOFT
BLUE, RED, GREEN, PINK, SKY, ORANGE = COLOURS[:6]
# the cells in the order of the page's colours; the default is thick, the oracle in the ink of the page and dotted
ORACLE = "tv/true"
SERIES = (DEFAULT, "tv/none", "tv/kernel", f"{LEARNED}/none", f"{LEARNED}/warp", "hyper-laplacian/none")
CELLS = (*SERIES, ORACLE)
PALETTE = Palette(SERIES)


def style(cell: str) -> dict[str, object]:
    """Return the line properties of a cell."""
    if cell not in SERIES:
        return {"color": INK if cell == ORACLE else QUIET, "linestyle": (0, (1, 2)), "linewidth": 1.6}
    look = PALETTE[cell]
    return {**look.line, "marker": look.dots["marker"], "markersize": 4.5, "linewidth": 2.4 if cell == DEFAULT else 1.5}


def heat_map(numbers: np.ndarray, rows: Sequence[str], columns: Sequence[str], unit: str, limit: float) -> Drawing:
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
                colour = ON_DARK if abs(number) > 0.62 * limit else ON_LIGHT
                axes[0].text(column, row, text, ha="center", va="center", fontsize=9, color=colour)
        bar = figure.colorbar(image, ax=axes[0], shrink=0.9, extend="both")
        bar.set_label(unit, fontsize=9)
        bar.ax.tick_params(labelsize=8)

    # long labels take their own width
    wide = 0.075 * max(len(label) for label in rows)
    return panels(1, (wide + 1.35 * len(columns) + 1.4, 0.38 * len(rows) + 0.7), draw)
