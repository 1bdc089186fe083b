"""Numbers and names in sentences: a true minus, plurals, lists, intervals.

Example:
    >>> counted(1, "picture"), sequence(["a", "b", "c"]), signed(-0.5, 1), with_interval(1.234, (0.8, 1.7), "dB")
    ('1 picture', 'a, b and c', '−0.5', '1.23 dB (0.80 to 1.70)')
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from sciml.report.reportlets import Spread

MINUS = "\u2212"


def minus(text: str) -> str:
    """Return a text with true minus signs."""
    return text.replace("-", MINUS)


def number(value: float, form: str) -> str:
    """Return a number in a format, a true minus; what rounds to zero has no sign."""
    text = f"{value:{form}}"
    zero = not any(digit in text for digit in "123456789") and math.isfinite(value)
    return text.lstrip("+-") if zero else minus(text)


def signed(value: float, digits: int = 2) -> str:
    """Return a number with its sign."""
    return minus(f"{value:+.{digits}f}")


def percent(value: float, digits: int = 1) -> str:
    """Return a share in per cent."""
    return minus(f"{100 * value:.{digits}f} %")


def thousands(count: int) -> str:
    """Return a whole number with thin spaces."""
    return f"{count:,}".replace(",", "\u202f")


def counted(count: int, word: str) -> str:
    """Return a number with its noun."""
    return f"{count} {word}{'' if count == 1 else 's'}"


def sequence(values: Iterable[object], comma: str = ", ") -> str:
    """Return words with commas and an "and"."""
    *first, last = [str(value) for value in values] or [""]
    return f"{comma.join(first)} and {last}" if first else last


def listed(values: Iterable[float | None], form: str = ".3g") -> str:
    """Return numbers with commas, each in a format; what is missing is a dash."""
    return ", ".join("\u2013" if value is None else minus(f"{value:{form}}") for value in values)


def with_interval(
    value: float, interval: tuple[float, float] | None = None, unit: str = "", digits: int = 2, sign: bool = False
) -> str:
    """Return a number with its unit and, where it has one, its interval.

    Args:
        value: the number.
        interval: its lower and upper end; one without bounds counts as none.
        unit: of all three.
        digits: decimals of all three.
        sign: whether each carries its sign.
    """
    form = f"{'+' if sign else ''}.{digits}f"
    said = f"{number(value, form)} {unit}".strip()
    if interval is None or not all(math.isfinite(end) for end in interval):
        return said
    low, high = (number(end, form) for end in interval)
    return f"{said} ({low} to {high})"


def spread_over(values: Iterable[float]) -> Spread | None:
    """Return mean and standard deviation over cases; None without any."""
    import numpy as np

    found = np.fromiter(values, dtype=float)
    if not found.size:
        return None
    return Spread(float(found.mean()), float(found.std(ddof=1)) if found.size > 1 else None, int(found.size))


def spread(numbers: Mapping[str, Any] | object) -> Spread | str:
    """Return a metric's numbers as the table shows them; a mean that is no number stands for exact reconstructions.

    Args:
        numbers: `mean`, `std` and `n`, as a mapping or as the fields of a result.
    """
    numbers = numbers if isinstance(numbers, Mapping) else vars(numbers)
    if numbers["mean"] is None:
        return "exact"
    return Spread(numbers["mean"], numbers["std"] if numbers["n"] > 1 else None, numbers["n"])


def used_data(records: Iterable[Any]) -> list[str]:
    """Return the data sets that provenance records name, each once, in alphabetical order."""
    return sorted({name for record in records for name in record.notes.get("data", [])})
