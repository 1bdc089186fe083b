"""The matrix as a table for other programs: one line a row and method, all of its numbers."""

from __future__ import annotations

from typing import Any

from sciml.report.tables import rows_csv
from sciml.studies.matrix.study.results import Cell, Matrix, Section


def lines(section: Section) -> list[dict[str, Any]]:
    """Return every cell of a matrix as a line, with its row, metric and unit."""
    return [
        {
            "matrix": section.name,
            "row": row.name,
            "operator": row.operator,
            "metric": section.metric,
            "unit": section.unit,
            "cases": row.cases,
            "subjects": row.subjects,
            "seeds": row.seeds,
            **{name: getattr(cell, name) for name in Cell.model_fields},
        }
        for row in section.rows
        for cell in row.cells
        if cell.mean is not None or cell.absent
    ]


def matrix_csv(matrix: Matrix) -> str:
    """Return every cell of every matrix as a line of CSV."""
    return rows_csv([line for section in matrix.sections for line in lines(section)])
