"""Tables of the cells: by kernel error, as differences with intervals, and the smaller sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from sciml.deblurring.config import MISSING
from sciml.deblurring.page.numbers import Difference, cell_title, error_words, is_oracle, kernel_words, pair_words, values
from sciml.deblurring.page.results import DEFAULT_MODEL, GIVEN, REFINED, Row, SetResults
from sciml.deblurring.settings.grid import DEFAULT
from sciml.report.reportlets import Column, Reportlet, Table, Value
from sciml.report.words import spread_over


def metric_caption(one: SetResults) -> str:
    """Return what the numbers of a set are of."""
    settings = one.settings
    noise = f"noise {settings.noise:g} in linear light" if settings.noise else "no noise, rounded to 8 bits"
    return (
        f"{len(one.rows)} pairs: {', '.join(one.photographs)}, {len(one.kernels)} true kernels, {settings.size} x "
        f"{settings.size} pixels, {settings.boundary} boundary, {noise}. PSNR is of display values, data range 1, whole "
        "picture, nothing shifted."
    )


def main_tables(test: SetResults) -> Iterator[Reportlet]:
    """Yield the tables of the set that decides."""
    yield cell_table(test)
    yield quality_table(test)
    yield difference_table(test)


NOT_INDEPENDENT = (
    "The intervals take pairs for independent; those of one photograph are alike, so they are rather too narrow. Pairs below: by "
    "however little."
)


def groups(one: SetResults) -> list[tuple[str, list[Row]]]:
    """Return the pairs by kernel error, and all of them."""
    found = [(error_words(error), [row for row in one.rows if row.error == error]) for error in one.errors]
    return [*found, ("all", list(one.rows))] if len(found) > 1 else found


def difference(name: str, rows: Sequence[Row], cell: str, rival: str) -> dict[str, Value]:
    """Return the values of the columns of `difference_columns`."""
    found = Difference.of(rows, cell, rival)
    if found is None:
        return {f"{name} mean": "not run"}
    low, high = found.interval or (None, None)
    return {
        f"{name} mean": found.mean, f"{name} low": low, f"{name} high": high, f"{name} losses": found.losses,
        f"{name} worst": found.worst,
    }  # fmt: skip


def difference_columns(name: str, rival: str) -> list[Column]:
    """Return columns for a mean difference, its interval, the pairs below and the worst."""
    return [
        Column(f"{name} mean", f"less {rival}", "dB", None, 2), Column(f"{name} low", "95 % from", "dB", None, 2),
        Column(f"{name} high", "to", "dB", None, 2), Column(f"{name} losses", "pairs below"),
        Column(f"{name} worst", "worst pair", "dB", None, 2),
    ]  # fmt: skip


def ordered(rows: Sequence[Mapping[str, Value]], columns: Sequence[Column]) -> list[dict[str, Value]]:
    """Return the rows with every column's key."""
    return [{column.key: row.get(column.key) for column in columns} for row in rows]


def cell_table(one: SetResults) -> Table:
    """Return mean PSNR by cell and kernel error; oracles are text, so that they take no part in the comparison."""
    rows: list[dict[str, Value]] = []
    groups = {error: [row for row in one.rows if row.error == error] for error in one.errors}
    blurred = {error: float(np.mean([row.blurred.psnr for row in members])) for error, members in groups.items()}
    rows.append({"cell": "blurred picture", **blurred, "all": float(np.mean([row.blurred.psnr for row in one.rows]))})
    for cell in one.cells:
        row: dict[str, Value] = {"cell": cell_title(cell)}
        for error, members in groups.items():
            row[error] = unless_oracle(cell, float(values(members, cell).mean()))
        everything = values(one.rows, cell)
        row["all"] = f"{everything.mean():.2f}" if is_oracle(cell) else spread_over(everything)
        rows.append(row)
    columns = [
        Column("cell", "image prior / error model"),
        *(Column(error, error_words(error), "dB", "up", 2) for error in one.errors),
        Column("all", "all", "dB", "up", 2),
    ]
    note = f"Cells marked oracle were given the true kernel; {DEFAULT} is what is shipped. "
    return Table(f"PSNR by kernel error, {one.name} pairs", columns, rows, metric_caption(one), note + KEY)


KEY = (
    "none: the kernel as given. warp: turned, scaled and smoothed by three numbers. kernel: refined pixel by pixel. both: one "
    "after the other."
)


def unless_oracle(cell: str, number: float, digits: int = 2) -> Value:
    """Return the number; that of an oracle as text, so that it takes no part in the comparison."""
    return f"{number:.{digits}f}" if is_oracle(cell) else number


def quality_table(one: SetResults) -> Table:
    """Return SSIM, PSNR at the best shift, PSNR of linear light and the time of every cell."""
    rows: list[dict[str, Value]] = []
    for cell in one.cells:
        row: dict[str, Value] = {"cell": cell_title(cell)}
        for key, digits in (("psnr", 2), ("psnr_best_shift", 2), ("ssim", 3), ("psnr_light", 2)):
            found = values(one.rows, cell, key)
            row[key] = f"{found.mean():.{digits}f}" if is_oracle(cell) else spread_over(found)
        moved = [max(abs(part) for part in row_.cells[cell].best_shift) for row_ in one.rows]
        row["moved"] = int(np.sum(np.array(moved) >= 0.5))
        row["seconds"] = one.seconds.get(cell, "not timed")
        rows.append(row)
    kernels = float(np.mean([row.step.seconds for row in one.rows]))
    columns = [
        Column("cell", "image prior / error model"), Column("psnr", "PSNR", "dB", "up", 2),
        Column("psnr_best_shift", "PSNR at the best shift", "dB", "up", 2),
        Column("moved", "pairs shifted by half a pixel or more"),
        Column("ssim", "SSIM", "", "up", 3), Column("psnr_light", "PSNR of linear light", "dB", "up", 2),
        Column("seconds", "time of the image", "s", None, 2),
    ]  # fmt: skip
    note = (
        "The best shift is sought within 5 pixels in steps of a quarter, 8 pixels of the border left out. The time is that of "
        f"the last restoration alone, on the machine under Provenance; finding all three corrected kernels took {kernels:.1f} s "
        "a pair."
    )
    return Table(f"Other measures, {one.name} pairs", columns, rows, metric_caption(one), note)


def difference_table(one: SetResults) -> Table:
    """Return every cell less the two rivals of the default, pair by pair."""
    rows: list[dict[str, Value]] = []
    for cell in one.cells:
        row: dict[str, Value] = {"cell": cell_title(cell)}
        for name, rival in (("given", GIVEN), ("refined", REFINED)):
            row |= {f"{name} mean": "is the measure"} if cell == rival else difference(name, one.rows, cell, rival)
        rows.append(row)
    columns = [
        Column("cell", "image prior / error model"), *difference_columns("given", GIVEN),
        *difference_columns("refined", REFINED),
    ]  # fmt: skip
    return Table(
        f"Differences pair by pair, {one.name} pairs",
        columns,
        ordered(rows, columns),
        f"PSNR less that of a rival on the same pair, over {len(one.rows)} pairs, with the 95 % bootstrap interval of the mean.",
        f"{NOT_INDEPENDENT} The worst pair of the default against {GIVEN}: {_worst(one.rows)}.",
    )


def _worst(rows: Sequence[Row]) -> str:
    found = Difference.of(rows, DEFAULT, GIVEN)
    return "not run" if found is None else pair_words(found.worst_row)


def small_table(one: SetResults, title: str) -> Table:
    """Return mean PSNR by error of a set beside the main one, with the default's gain."""
    rows: list[dict[str, Value]] = []
    for words, members in groups(one):
        kept = sum(not row.step.of(DEFAULT_MODEL).by for row in members)
        row: dict[str, Value] = {"error": words, "pairs": len(members), "kept": kept}
        row |= {cell: float(values(members, cell).mean()) for cell in one.cells}
        rows.append(row | difference("given", members, DEFAULT, GIVEN))
    columns = [
        Column("error", "given kernel"), Column("pairs", "pairs"), Column("kept", "given kernel kept"),
        *(Column(cell, cell_title(cell), "dB", None, 2) for cell in one.cells),
        *difference_columns("given", GIVEN),
    ]  # fmt: skip
    columns[-5] = Column("given mean", f"default less {GIVEN}", "dB", None, 2)
    kernels = "True kernels: " + "; ".join(kernel_words(kernel) for kernel in one.kernels) + "."
    return Table(title, columns, ordered(rows, columns), f"{metric_caption(one)} {kernels}", KEY)


SMALL_SETS = {
    "shakes": "Eight camera shakes",
    "noisy-kernels": "Kernels with noise, missing and stray pixels",
    MISSING: "Camera shakes without 30 and 60 % of their pixels",
}
