"""What pairs are called, and how one cell compares with another over pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from sciml.deblurring.page.results import Row
from sciml.deblurring.settings.grid import DEFAULT, TRUE, parted
from sciml.deblurring.study.results import FitScores, MapScores
from sciml.report.words import minus, signed
from sciml.runtime.bootstrap import bootstrap_interval

INTERVAL_SEED = 0
KERNELS = {
    "shake": "shake {0}",
    "motion": "line {0} px, {1}°",
    "disk": "disk, radius {0} px",
    "gaussian": "Gaussian, {0} px",
}
ERRORS = {
    "exact": "exact",
    "rotation": "turned {0}°",
    "scale": "scaled {0}",
    "smoothing": "smoothed {0} px",
    "truncation": "cut below {0} of the maximum",
    "noise": "noise {0} of the maximum",
    "dropout": "{0} of the pixels dropped",
    "stray": "stray pixels, {0}",
}
BIAS_UNITS = {"length": "px", "angle": "°", "width": "px", "radius": "px"}


def kernel_words(text: str) -> str:
    """Return a kernel's name as it is read: `motion:15,30` is a line of 15 pixels at 30 degrees."""
    name, _, rest = text.partition(":")
    parts = rest.split(",")
    if name not in KERNELS or len(parts) < KERNELS[name].count("{"):
        return text
    words = KERNELS[name].format(*(minus(part) for part in parts))
    return f"{words}, {parts[1]} px" if name == "shake" and len(parts) > 1 else words


def error_words(text: str) -> str:
    """Return a kernel error's name as it is read: `rotation:10` is turned by 10 degrees."""
    if "+" in text:
        return ", ".join(error_words(part) for part in text.split("+"))
    name, _, rest = text.partition(":")
    if name == "bias":
        word, _, amount = rest.partition("=")
        sign = "" if amount.startswith("-") else "+"
        return f"{word} {sign}{minus(amount)} {BIAS_UNITS.get(word, '')}".strip()
    return ERRORS[name].format(minus(rest)) if name in ERRORS else text


def pair_words(row: Row | FitScores | MapScores) -> str:
    """Return a pair's name as it is read."""
    return f"{row.photograph}, {kernel_words(row.kernel)}, {error_words(row.error)}"


def cell_title(cell: str) -> str:
    """Return a cell's name in tables."""
    if cell == DEFAULT:
        return f"{cell} (default)"
    return f"{cell} (oracle)" if parted(cell)[1] == TRUE else cell


def is_oracle(cell: str) -> bool:
    """Return whether a cell was given the true kernel."""
    return parted(cell)[1] == TRUE


def values(rows: Sequence[Row], cell: str, metric: str = "psnr") -> Float[np.ndarray, " pair"]:
    """Return a metric of a cell over pairs."""
    return np.array([getattr(row.cells[cell], metric) for row in rows], dtype=float)


def has(rows: Sequence[Row], *cells: str) -> bool:
    """Return whether there are pairs and all of them have these cells."""
    return bool(rows) and all(cell in row.cells for row in rows for cell in cells)


@dataclass(frozen=True)
class Difference:
    """One cell less another over pairs, in dB.

    Attributes:
        rows: the pairs.
        gains: of each pair.
    """

    rows: Sequence[Row]
    gains: Float[np.ndarray, " pair"]

    @classmethod
    def of(cls, rows: Sequence[Row], cell: str, rival: str, metric: str = "psnr") -> Difference | None:
        """Return the difference, None where a cell did not run or there are no pairs."""
        if not has(rows, cell, rival):
            return None
        return cls(rows, values(rows, cell, metric) - values(rows, rival, metric))

    @property
    def mean(self) -> float:
        """Mean over the pairs."""
        return float(self.gains.mean())

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % bootstrap interval of the mean; pairs are the cases."""
        return bootstrap_interval(self.gains, INTERVAL_SEED) if self.gains.size > 1 else None

    @property
    def losses(self) -> int:
        """Number of pairs below the rival, by however little."""
        return int((self.gains < 0).sum())

    @property
    def worst(self) -> float:
        """Least gain of a pair."""
        return float(self.gains.min())

    @property
    def worst_row(self) -> Row:
        """The pair with the least gain."""
        return self.rows[int(self.gains.argmin())]

    def words(self) -> str:
        """Return mean and interval as text: `+1.23 (+0.90 to +1.55)`."""
        if self.interval is None:
            return signed(self.mean)
        low, high = self.interval
        return f"{signed(self.mean)} ({signed(low)} to {signed(high)})"


def gap_closed(rows: Sequence[Row], cell: str, given: str, oracle: str) -> float | None:
    """Return (mean of the cell - mean of the given kernel) / (mean of the true kernel - mean of the given kernel).

    None where a cell is absent, or where the true kernel gains less than 0.05 dB on the mean: there is no gap to close.
    """
    if not has(rows, cell, given, oracle):
        return None
    start, end, found = (float(values(rows, name).mean()) for name in (given, oracle, cell))
    return (found - start) / (end - start) if end - start >= 0.05 else None
