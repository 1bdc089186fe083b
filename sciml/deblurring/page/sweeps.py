"""Robustness curves: one number of the kernel wrong by more and more, with the real boundary and in the literature's setting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from sciml.deblurring.config import BIASES, EXACT
from sciml.deblurring.page.drawing import CELLS, QUIET, style
from sciml.deblurring.page.numbers import BIAS_UNITS, cell_title, kernel_words, values
from sciml.deblurring.page.results import GIVEN, Row, SetResults, StudyResults
from sciml.deblurring.settings.grid import DEFAULT
from sciml.deblurring.study import published
from sciml.report.graphics.drawing import GRID, panels, plain
from sciml.report.reportlets import Column, Figure, Reportlet, Table, Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from sciml.report.graphics.drawing import Drawing

CIRCULAR, HONEST, LITERATURE = "circular", "real boundary", "circular blur: inverse crime"
MARKS = {"tang2023": "o", "nan2020": "^", "ji2012": "D", "krishnan2009": "s"}


def bias_of(row: Row) -> float:
    """Return by how much the given kernel's number is wrong; 0 for the exact kernel."""
    return 0.0 if row.error == EXACT else float(row.error.partition("=")[2])


def curves(sweep: SetResults) -> dict[str, list[tuple[float, float]]]:
    """Return mean PSNR over bias of every cell that has a line of its own on the page."""
    biases = sorted({bias_of(row) for row in sweep.rows})
    rows = {bias: [row for row in sweep.rows if bias_of(row) == bias] for bias in biases}
    drawn_cells = [cell for cell in sweep.cells if cell in CELLS]
    return {cell: [(bias, float(values(rows[bias], cell).mean())) for bias in biases] for cell in drawn_cells}


def setting_words(sweep: SetResults) -> str:
    """Return boundary and noise of a sweep in words."""
    noise = sweep.settings.noise
    words = LITERATURE if sweep.settings.boundary == CIRCULAR else HONEST
    return f"{words}, {f'noise {100 * noise:g} %' if noise else 'no noise'}"


def sweep_reportlets(study: StudyResults) -> Iterator[Reportlet]:
    """Yield a figure a sweep that ran, with both settings side by side."""
    for word in BIASES:
        honest, literature = study.sets.get(word), study.sets.get(f"{word}-{CIRCULAR}")
        if honest is not None or literature is not None:
            yield sweep_figure(word, honest, literature)


def sweep_figure(word: str, honest: SetResults | None, literature: SetResults | None) -> Figure:
    """Return PSNR over the bias: the real boundary with noise, and the literature's setting with the published values."""
    some = honest or literature
    assert some is not None
    unit = BIAS_UNITS[word]
    truth = kernel_words(some.kernels[0])
    photographs = ", ".join(some.photographs)
    return Figure(
        f"Kernel with a wrong {word}",
        _drawing(word, f"bias of the {word} ({unit})", honest, literature),
        f"True kernel: {truth}. Mean PSNR over {photographs}, as lines. Left: real boundary, with noise in linear light. "
        "Right: the setting of the literature, an inverse crime: circular blur, no noise, rounded to 8 bits. Hollow marks are "
        f"published values, {published.NOTE}.",
        f"Two panels of PSNR over the bias of the {word}, one line a cell. {_in_words(some)}",
    )


def published_text(study: StudyResults) -> str:
    """Return whose published values stand in the figures of the sweeps, with citations; empty where none is shown."""
    shown = [word for word in BIASES if word in study.sets or f"{word}-{CIRCULAR}" in study.sets]
    keys = dict.fromkeys(key for word in shown for key in published.PSNR.get(word, {}))
    named = ", ".join(f"{published.METHODS[key]} [@{key}]" for key in keys)
    return f"Published values in the figures of the sweeps: {named}; {published.NOTE}." if keys else ""


def _in_words(sweep: SetResults) -> str:
    found = curves(sweep)
    parts = [
        f"{cell_title(cell)} {', '.join(f'{value:.1f} dB at {bias:+g}' for bias, value in (found[cell][0], found[cell][-1]))}"
        for cell in (GIVEN, DEFAULT)
        if cell in found
    ]
    return "; ".join(parts).replace("-", "\u2212") + "."


def _drawing(word: str, x_title: str, honest: SetResults | None, literature: SetResults | None) -> Drawing:

    def draw(axes: Sequence[Axes], figure: Canvas) -> None:
        labels: dict[str, object] = {}
        for one, (name, sweep) in zip(axes, ((HONEST, honest), (LITERATURE, literature)), strict=True):
            title = name if sweep is None else setting_words(sweep)
            plain(one, x_title, "PSNR (dB)" if name == HONEST else "", title)
            if sweep is None:
                one.text(0.5, 0.5, "not run", transform=one.transAxes, ha="center", color=QUIET)
                continue
            for cell, points in curves(sweep).items():
                line = one.plot(*zip(*points, strict=True), label=cell_title(cell), **style(cell))  # pyright: ignore[reportArgumentType]
                labels.setdefault(cell_title(cell), line[0])
        _published(axes[1], published.PSNR.get(word, {}), labels)
        axes[1].set_facecolor("#f6f6f6")
        axes[1].grid(True, color=GRID, linewidth=0.7)
        figure.legend(list(labels.values()), list(labels), loc="outside lower center", ncols=4, frameon=False, fontsize=8)  # pyright: ignore

    return panels(2, (10.6, 4.6), draw, dpi=115)


def _published(axes: Axes, found: Mapping[str, Mapping[float, float]], labels: dict[str, object]) -> None:
    for key, points in found.items():
        title = published.METHODS[key]
        line = axes.plot(
            list(points), list(points.values()), MARKS[key], color=QUIET, markerfacecolor="none", markersize=7, linestyle="none"
        )
        labels.setdefault(f"{title} (published)", line[0])


def sweep_table(study: StudyResults) -> Table | None:
    """Return PSNR at the ends and in the middle of every sweep, and the largest difference between its points."""
    rows: list[dict[str, Value]] = []
    cells: dict[str, None] = {}
    for word in BIASES:
        for name in (word, f"{word}-{CIRCULAR}"):
            sweep = study.sets.get(name)
            if sweep is None:
                continue
            found = curves(sweep)
            cells |= dict.fromkeys(found)
            biases = [bias for bias, _ in next(iter(found.values()))]
            for place in dict.fromkeys((0, len(biases) // 2, len(biases) - 1)):
                row: dict[str, Value] = {
                    "sweep": word,
                    "setting": setting_words(sweep),
                    "bias": f"{biases[place]:+g} {BIAS_UNITS[word]}".replace("-", "\u2212") if biases[place] else "0",
                }
                rows.append(row | {cell: points[place][1] for cell, points in found.items()})
    if not rows:
        return None
    columns = [Column("sweep", "wrong number"), Column("setting", "setting"), Column("bias", "bias")]
    columns += [Column(cell, cell_title(cell), "dB", None, 2) for cell in cells]
    rows = [{column.key: row.get(column.key, "not run") for column in columns} for row in rows]
    return Table("Robustness: ends and middle of the sweeps", columns, rows, "Mean PSNR of display values over the photographs.")
