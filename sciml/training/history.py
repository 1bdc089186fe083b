"""Rows of `history.csv`: means of what the steps reported, and validation results."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sciml.runtime.files import write_text


class History:
    """Collect scalars step by step; one row is the mean over the steps since the row before.

    Rows live in the checkpoint with everything else and the CSV is written from them, so that a
    resumed run neither repeats nor loses one. A value that is not finite is left out of its mean.
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, float | int]] = []
        self._sums: dict[str, tuple[float, int]] = {}

    def add(self, scalars: Mapping[str, float]) -> None:
        """Take in the scalars of one step."""
        for name, value in scalars.items():
            if math.isfinite(value):
                total, count = self._sums.get(name, (0.0, 0))
                self._sums[name] = (total + value, count + 1)

    def close_row(self, step: int, validation: Mapping[str, float] | None = None) -> None:
        """End a row after `step` completed steps; validation results get the prefix `validation_`."""
        row: dict[str, float | int] = {"step": step}
        row.update({name: total / count for name, (total, count) in self._sums.items()})
        row.update({f"validation_{name}": float(value) for name, value in (validation or {}).items() if math.isfinite(value)})
        self.rows.append(row)
        self._sums = {}

    @property
    def open_row(self) -> bool:
        """Whether steps were taken in since the last row."""
        return bool(self._sums)

    @property
    def columns(self) -> list[str]:
        """Names in order of first appearance."""
        return list(dict.fromkeys(name for row in self.rows for name in row)) or ["step"]

    def state(self) -> dict[str, Any]:
        """Return everything as JSON values; lists, since JSON files here sort their keys and columns have an order."""
        columns = self.columns
        return {
            "columns": columns,
            "rows": [[row.get(name) for name in columns] for row in self.rows],
            "sums": [[name, total, count] for name, (total, count) in self._sums.items()],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` returned."""
        columns = state["columns"]
        self.rows = [{name: cell for name, cell in zip(columns, row, strict=True) if cell is not None} for row in state["rows"]]
        self._sums = {name: (total, count) for name, total, count in state["sums"]}

    def write(self, path: Path | str) -> None:
        """Write the rows as CSV, atomically; cells are empty where a row has no value."""
        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        write_text(path, text.getvalue())
