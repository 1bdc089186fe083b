"""The default by kernel error: what it gains, what it made of the kernels, and where it pays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from sciml.deblurring.page.drawing import heat_map
from sciml.deblurring.page.numbers import Difference, cell_title, error_words, gap_closed, kernel_words, values
from sciml.deblurring.page.results import DEFAULT_MODEL, GIVEN, REFINED, SetResults
from sciml.deblurring.page.tables import (
    NOT_INDEPENDENT,
    difference,
    difference_columns,
    groups,
    metric_caption,
    ordered,
)
from sciml.deblurring.settings.grid import DEFAULT, TRUE, parted
from sciml.report.reportlets import Column, Figure, Reportlet, Table, Value

ORACLE = f"{parted(DEFAULT)[0]}/{TRUE}"
HEAT_LIMIT = 5.0


def default_reportlets(test: SetResults) -> Iterator[Reportlet]:
    """Yield the tables of the default and the map of its gains."""
    yield gain_table(test)
    yield found_table(test)
    yield heat_figure(test)


def heat_figure(one: SetResults) -> Figure:
    """Return the gain of the default over the given kernel by error and kernel, the mean over photographs."""
    numbers = np.full((len(one.errors), len(one.kernels)), np.nan)
    for i, error in enumerate(one.errors):
        for j, kernel in enumerate(one.kernels):
            rows = [row for row in one.rows if (row.error, row.kernel) == (error, kernel)]
            found = Difference.of(rows, DEFAULT, GIVEN)
            if found is not None:
                numbers[i, j] = found.mean
    errors, kernels = [error_words(error) for error in one.errors], [kernel_words(kernel) for kernel in one.kernels]
    limit = min(HEAT_LIMIT, max(1.0, float(np.nanmax(np.abs(numbers), initial=1.0))))
    best = np.unravel_index(int(np.nanargmax(numbers)), numbers.shape)
    least = np.unravel_index(int(np.nanargmin(numbers)), numbers.shape)
    return Figure(
        f"Where the correction pays: gain of {DEFAULT} over {GIVEN}",
        heat_map(numbers, errors, kernels, "gain of PSNR (dB)", limit),
        f"Mean over {len(one.photographs)} photographs, in dB. Rows: what is wrong with the given kernel; columns: the true "
        "kernel. A turned disk is the same disk, so there is nothing to gain.",
        f"A map of gains by kernel error and kernel. Largest: {numbers[best]:.2f} dB, {errors[best[0]]}, {kernels[best[1]]}; "
        f"least: {numbers[least]:.2f} dB, {errors[least[0]]}, {kernels[least[1]]}.".replace("-", "\u2212"),
    )


def gain_table(one: SetResults) -> Table:
    """Return, for each kernel error, what the default gains over both rivals and what is left to the true kernel."""
    rows: list[dict[str, Value]] = []
    for words, members in groups(one):
        gap = gap_closed(members, DEFAULT, GIVEN, ORACLE)
        row: dict[str, Value] = {"error": words, "pairs": len(members)}
        row |= {cell: float(values(members, cell).mean()) for cell in _compared(one)}
        row |= difference("given", members, DEFAULT, GIVEN) | difference("refined", members, DEFAULT, REFINED)
        rows.append({**row, "gap": 100 * gap if gap is not None else "no gap"})
    columns = [
        Column("error", "given kernel"), Column("pairs", "pairs"),
        *difference_columns("given", GIVEN), Column("gap", "gap to the true kernel closed", "%", None, 0),
        *difference_columns("refined", REFINED), *(Column(cell, cell_title(cell), "dB", None, 2) for cell in _compared(one)),
    ]  # fmt: skip
    title = f"What {DEFAULT} gains by kernel error, {one.name} pairs"
    return Table(title, columns, ordered(rows, columns), metric_caption(one), NOT_INDEPENDENT)


def found_table(one: SetResults) -> Table:
    """Return, for each kernel error, what the default made of the kernel."""
    rows: list[dict[str, Value]] = []
    for words, members in groups(one):
        steps = [row.step.of(DEFAULT_MODEL) for row in members]
        changed = [step.warp for step in steps if "warp" in step.by and step.warp]
        sizes = [
            [row.kernels[model].blur_rms for row in members if model in row.kernels]
            for model in ("none", "kernel", DEFAULT_MODEL)
        ]
        row: dict[str, Value] = {"error": words, "pairs": len(members), "kept": sum(not step.by for step in steps)}
        row |= {"completed": sum("completion" in step.by for step in steps)}
        row |= {"doubtful": sum(step.verdict == "doubtful" for step in steps)}
        row |= {name: float(np.mean(size)) for name, size in zip(("given", "refined", "left"), sizes, strict=True) if size}
        for name, model in (("ncc given", "none"), ("ncc left", DEFAULT_MODEL)):
            row[name] = float(np.mean([member.kernels[model].ncc for member in members]))
        for place, (name, digits) in enumerate((("angle", 1), ("scale", 2), ("variance", 2))):
            row[name] = "" if words == "all" else _found([numbers[place] for numbers in changed], digits)
        rows.append(row)
    columns = [
        Column("error", "given kernel"), Column("pairs", "pairs"), Column("kept", "given kernel kept"),
        Column("completed", "missing pixels completed"), Column("doubtful", "doubtful"),
        Column("given", "rms, given", "\u03c3", None, 2), Column("refined", "rms, refined pixel by pixel", "\u03c3", None, 2),
        Column("left", "rms, default", "\u03c3", None, 2), Column("ncc given", "NCC, given", "", None, 2),
        Column("ncc left", "NCC, default", "", None, 2), Column("angle", "turn found (degrees)"),
        Column("scale", "scale found"), Column("variance", "smoothing found (variance, square pixels)"),
    ]  # fmt: skip
    note = (
        "Turn, scale and smoothing: mean and standard deviation over the pairs whose kernel was warped. To undo an error, a "
        "kernel that was turned by 10 degrees has to be turned by \u221210, one that was scaled by 0.85 by 1.18. "
    )
    caption = (
        "rms: of (k \u2212 k\u0302) * x in units of the noise, what a wrong kernel leaves unexplained. NCC: correlation with the "
        "true kernel."
    )
    return Table(f"What {DEFAULT} made of the kernels, {one.name} pairs", columns, ordered(rows, columns), caption, note)


def _compared(one: SetResults) -> list[str]:
    return [cell for cell in (GIVEN, REFINED, DEFAULT, ORACLE) if cell in one.cells]


def _found(numbers: Sequence[float], digits: int) -> str:
    if not numbers:
        return "kept"
    text = f"{np.mean(numbers):.{digits}f}"
    if len(numbers) > 1:
        text += f" \u00b1 {np.std(numbers, ddof=1):.{digits}f}"
    return text.replace("-", "\u2212")
