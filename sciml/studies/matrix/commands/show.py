"""A finished matrix in the terminal."""

from __future__ import annotations

from pathlib import Path

from sciml.runtime.errors import ConfigError
from sciml.runtime.results import read_result
from sciml.studies.matrix.study.results import Cell, Matrix


def show(path: Path, name: str | None = None) -> None:
    """Print the rows of `matrix.json`, best method first.

    Args:
        path: the file.
        name: the only row to print; all by default.

    Raises:
        ConfigError: the matrix has no such row.
    """
    from rich.console import Console
    from rich.table import Table

    matrix = read_result(path, Matrix)
    rows = [(section, row) for section in matrix.sections for row in section.rows if name in (None, row.name)]
    if not rows:
        known = ", ".join(row.name for section in matrix.sections for row in section.rows)
        raise ConfigError(f"{path} has no row {name!r}; there are {known}")
    for section, row in rows:
        titles = {column.name: column.title for column in section.columns}
        table = Table("method", f"{section.metric} ({section.unit})", "lost", "CPU s", "", title=row.title, caption=row.words)
        ranked = sorted(
            (cell for cell in row.cells if cell.mean is not None), key=lambda one: (one.mean or 0) * (-1 if section.larger else 1)
        )
        for cell in ranked:
            table.add_row(
                titles[cell.method], _value(cell), _share(cell), "" if cell.cpu_s is None else f"{cell.cpu_s:.3g}", _said(cell)
            )
        Console().print(table)


def _value(cell: Cell) -> str:
    interval = "" if cell.low is None or cell.high is None else f" ({cell.low:.2f} to {cell.high:.2f})"
    return f"{cell.mean:.2f}{interval}"


def _share(cell: Cell) -> str:
    return "leads" if cell.lost is None else f"{100 * cell.lost:.0f} %"


def _said(cell: Cell) -> str:
    return "winner" if cell.winner else "not told apart" if cell.level else ""
