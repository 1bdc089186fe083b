"""Numbers as text: decimals that suit a column, the best value, CSV."""

from __future__ import annotations

import base64
import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sciml.report.reportlets import Column, Spread, Table, Value

MISSING = "–"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def number_of(value: Value) -> float | None:
    """Return the number to compare: the mean of a spread, the number itself, else None."""
    if isinstance(value, Spread):
        value = value.mean
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def decimals(values: Iterable[float]) -> int | None:
    """Return how many decimals suit a column; None asks for the scientific form."""
    sizes = [abs(value) for value in values if value != 0]
    if not sizes:
        return 1
    largest = max(sizes)
    if largest >= 1e6 or largest < 1e-3:
        return None
    return 1 if largest >= 1000 else 2 if largest >= 10 else 3 if largest > 1.5 else 4


def show_number(value: float, digits: int | None) -> str:
    """Return a number with that many decimals, a true minus sign, or in the form 1.2e-7."""
    if not math.isfinite(value):
        return "not finite"
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\u202f").replace("-", "−")
    text = f"{value:.2e}" if digits is None else f"{value:.{digits}f}"
    return text.replace("e-0", "e-").replace("e+0", "e").replace("e+", "e").replace("-", "−")


def show_value(value: Value, digits: int | None = None, guess: bool = True) -> str:
    """Return a value as one line of text; `guess` chooses the decimals from the value itself."""
    if value is None:
        return MISSING
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Spread):
        if guess:
            digits = value.digits if value.digits is not None and abs(value.mean) < 1e6 else decimals([value.mean])
        spread = "" if value.std is None else f" ± {show_number(float(value.std), digits)}"
        return f"{show_number(float(value.mean), digits)}{spread} (n = {value.n})"
    value = value if isinstance(value, int) else float(value)
    if guess and isinstance(value, float) and decimals([value]) is not None and math.isfinite(value):
        return f"{value:.4g}".replace("-", "−") if abs(value) < 1e4 else show_number(value, 0)
    return show_number(value, decimals([value]) if guess else digits)


def cells(table: Table) -> list[list[dict[str, Any]]]:
    """Return the table's rows as cells: `text`, `spread`, `n`, `best`, `kind` (number, word, reason, none).

    The best number of a column is marked in every group, and every number that reads the same. In a column with a
    direction or with numbers, a text is the reason why there is no number.
    """
    groups = [str(row.get(table.group)) for row in table.rows]
    columns = [_column_cells(column, [row.get(column.key) for row in table.rows], groups) for column in table.columns]
    return [list(row) for row in zip(*columns, strict=True)]


def _column_cells(column: Column, values: Sequence[Value], groups: Sequence[str]) -> list[dict[str, Any]]:
    numbers = [number_of(value) for value in values]
    known = [number for number in numbers if number is not None]
    digits = _column_digits(column, values, known)
    is_numeric = bool(known) or column.direction is not None
    best: dict[str, str] = {}
    for group in dict.fromkeys(groups if column.direction else ()):
        rivals = [number for number, name in zip(numbers, groups, strict=True) if name == group and number is not None]
        if len(rivals) > 1:
            best[group] = show_number(float(max(rivals) if column.direction == "up" else min(rivals)), digits)
    result = []
    for value, number, group in zip(values, numbers, groups, strict=True):
        cell: dict[str, Any] = {"text": MISSING, "spread": "", "n": None, "best": False, "kind": "none"}
        if isinstance(value, str):
            cell |= {"text": value, "kind": "reason" if is_numeric else "word"}
        elif number is not None:
            shown = show_number(number, digits)
            whole = isinstance(value, int) and column.digits is None and column.direction is None
            cell |= {"text": show_number(value, digits) if whole else shown, "kind": "number", "best": shown == best.get(group)}  # type: ignore[arg-type]
            if isinstance(value, Spread):
                cell |= {"n": value.n, "spread": "" if value.std is None else show_number(float(value.std), digits)}
        elif value is not None:
            cell |= {"text": "not finite", "kind": "reason"}
        result.append(cell)
    return result


def _column_digits(column: Column, values: Sequence[Value], known: Sequence[float]) -> int | None:
    """Return the decimals of a column: no more than most of its standard errors support, nor than it asks for."""
    asked = decimals(known) if column.digits is None else column.digits
    found = sorted(value.digits for value in values if isinstance(value, Spread) and value.digits is not None)
    return asked if not found or asked is None else min(asked, found[len(found) // 2])


def table_csv(table: Table) -> str:
    """Return a table as CSV; a spread becomes three columns."""
    spread_keys = {c.key for c in table.columns if any(isinstance(row.get(c.key), Spread) for row in table.rows)}
    head: list[str] = []
    for column in table.columns:
        name = f"{column.key} [{column.unit}]" if column.unit else column.key
        head += [f"{name} mean", f"{name} std", f"{name} n"] if column.key in spread_keys else [name]
    lines = []
    for row in table.rows:
        line: list[Any] = []
        for column in table.columns:
            value = row.get(column.key)
            if isinstance(value, Spread):
                line += [value.mean, value.std, value.n]
            else:
                line += [value, None, None] if column.key in spread_keys else [value]
        lines.append(line)
    return to_csv(head, lines)


def rows_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows of plain values as CSV, columns in the order in which they first appear."""
    head = list(dict.fromkeys(key for row in rows for key in row))
    return to_csv(head, [[row.get(key) for key in head] for row in rows])


def to_csv(head: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    """Return CSV text in which no text can become a spreadsheet's formula."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([_harmless(cell) for cell in head])
    writer.writerows([_harmless(cell) for cell in line] for line in lines)
    return buffer.getvalue()


def csv_uri(text: str) -> str:
    """Return CSV text as a data URI to download without any script."""
    return "data:text/csv;charset=utf-8;base64," + base64.b64encode(text.encode()).decode()


def json_uri(text: str) -> str:
    """Return JSON text as a data URI to download without any script."""
    return "data:application/json;base64," + base64.b64encode(text.encode()).decode()


def _harmless(cell: Any) -> Any:
    if isinstance(cell, str) and cell.startswith(FORMULA_STARTS):
        return "'" + cell
    return "" if cell is None else cell
