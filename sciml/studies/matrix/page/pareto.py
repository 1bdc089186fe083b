"""Quality against processor time, one panel a row, with the front of what no other method beats in both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sciml.report.graphics.drawing import INK, SOFT, panels, plain
from sciml.report.graphics.palette import COLOURS, MARKERS
from sciml.report.reportlets import Figure
from sciml.studies.matrix.page.fields import titles_of
from sciml.studies.matrix.study.results import RowResult, Section

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

ACROSS = 2
NOBODY = "of your own"
LINE, NAME_WIDTH = 9, 120
"""Height of a name and the width of a long one, in points."""
WHAT = {"imaging": "of a reconstruction", "codecs": "of encoding", "closures": "of a step"}


def pareto(section: Section, rows: Sequence[RowResult] | None = None, title: str = "") -> Figure:
    """Return the picture of a matrix, of some of its rows or of all."""
    rows = section.rows if rows is None else rows
    families = list(dict.fromkeys(column.family or NOBODY for column in section.columns))
    family_of = {column.name: column.family or NOBODY for column in section.columns}
    titles = titles_of(section.columns)
    across = min(ACROSS, len(rows))
    down = math.ceil(len(rows) / across)

    def draw(axes: Sequence[Axes], _: Canvas) -> None:
        for panel in axes[len(rows) :]:
            panel.set_visible(False)
        for place, (panel, row) in enumerate(zip(axes, rows, strict=False)):
            known = [cell for cell in row.cells if cell.mean is not None and cell.cpu_s]
            front = sorted((cell.cpu_s or 0, cell.mean or 0, cell.method) for cell in known if cell.front)
            panel.plot(
                [x for x, _, _ in front], [y for _, y, _ in front], color=SOFT, lw=1, drawstyle="steps-post", label="front"
            )
            for index, family in enumerate(families):
                members = [cell for cell in known if family_of[cell.method] == family]
                if members:
                    panel.plot(
                        [cell.cpu_s or 0 for cell in members],
                        [cell.mean or 0 for cell in members],
                        color=COLOURS[index],
                        marker=MARKERS[index],
                        ls="none",
                        ms=6,
                        label=family.replace("_", " "),
                    )
            plain(panel, f"CPU seconds {WHAT[section.name]}", f"{section.metric} ({section.unit})", row.title)
            panel.set_xscale("log")
            panel.margins(0.22, 0.18)
            _name(panel, [(x, y, titles[method]) for x, y, method in front], section.larger)
            if place == 0 and len(families) > 1:
                panel.legend(frameon=False, fontsize=7, loc="best")

    # rows of panels below each other, as wide as the page or as its half
    drawing = panels(across, (3.9 * across, 2.7 * down), draw, rows=down)
    caption = "The line joins the methods that no other one beats in both; only these are named."
    alt = f"{section.metric} over processor time of every method, one panel a row of the matrix"
    return Figure(title or "Quality against time", drawing, caption, alt)


def _name(panel: Axes, front: Sequence[tuple[float, float, str]], larger: bool) -> None:
    """Write the names of a front on its empty side, each clear of those before it; that of the last point inside of the panel."""
    panel.autoscale_view()
    written: list[tuple[float, float]] = []
    for index, (x, y, name) in enumerate(front):
        last = index == len(front) - 1 and index > 0
        over, up = panel.transData.transform((x, y)) * 72 / panel.figure.dpi
        away = 4 if last == larger else -LINE
        while any(abs(up + away - height) < LINE and over - start < NAME_WIDTH for start, height in written):
            away += LINE if last == larger else -LINE
        if not last:
            written.append((over, up + away))
        place, side = (-5 if last else 5, away), "right" if last else "left"
        panel.annotate(name, (x, y), xytext=place, textcoords="offset points", fontsize=6.5, color=INK, ha=side)
