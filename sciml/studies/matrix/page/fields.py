"""The matrices as reportlets: what a field says, how it is coloured and filtered."""

from __future__ import annotations

from collections.abc import Sequence

from sciml.report.reportlets import Column, Heading, Matrix, MatrixCell, Table
from sciml.report.tables import rows_csv, show_number
from sciml.report.words import counted, percent
from sciml.studies.matrix.settings.rows import ROWS
from sciml.studies.matrix.study.export import lines
from sciml.studies.matrix.study.results import Cell, ColumnFacts, RowResult, Section

FILTERS = {"task": "Task", "operator": "Operator", "certified": "Certified"}
WINNER, LEVEL, FRONT = "★", "≈", "◆"
SIGNS = (
    f"Colour runs from the worst to the best of a row. {WINNER}: the winner, significantly better than every other method "
    f"of the row after Holm's correction. {LEVEL}: not told apart from the leader by that test. {FRONT}: no other method "
    "of the row is both better and faster."
)


def matrix(section: Section, json: str) -> Matrix:
    """Return a matrix as a reportlet.

    Args:
        section: its numbers.
        json: them as text, to download.
    """
    better = "larger is better" if section.larger else "smaller is better"
    return Matrix(
        section.title,
        [heading(column) for column in section.columns],
        [(row_heading(row), [field(cell, row, section) for cell in row.cells]) for row in section.rows],
        caption=f"{section.metric} in {section.unit}, {better}: mean, its 95 % interval over subjects, and the share of "
        f"cases lost to the leader of the row. {section.note}.",
        note=SIGNS,
        filters=FILTERS if section.name == "imaging" else {},
        csv=rows_csv(lines(section)),
        json=json,
    )


def heading(column: ColumnFacts) -> Heading:
    """Return the head of a column, with the page of the family that tells of the method."""
    return Heading(column.title, "" if column.family else "of your own", f"{column.family}.html" if column.family else "")


def row_heading(row: RowResult) -> Heading:
    """Return the head of a row: its cases, subjects and seeds."""
    seeds = f", {counted(row.seeds, 'seed')}" if row.seeds > 1 else ""
    note = f"{counted(row.cases, 'case')} of {counted(row.subjects, 'subject')}{seeds}"
    tags = {"task": ROWS[row.name].task, "operator": row.operator} if row.name in ROWS else {}
    return Heading(row.title, note, tags=tags)


def field(cell: Cell, row: RowResult, section: Section) -> MatrixCell:
    """Return a field: number, interval, share lost, and the sign that the test or the front gives it."""
    if cell.mean is None:
        return MatrixCell(cell.absent)
    means = [one.mean for one in row.cells if one.mean is not None]
    worst, best = (min(means), max(means)) if section.larger else (max(means), min(means))
    notes = []
    if cell.low is not None and cell.high is not None:
        notes.append(f"{number(cell.low)} to {number(cell.high)}")
    notes.append("leads" if cell.lost is None else f"lost {percent(cell.lost, 0)}")
    marks, hints = [], []
    for found, mark, hint in (
        (cell.winner, WINNER, "winner"),
        (cell.level, LEVEL, "not told apart from the leader"),
        (cell.front, FRONT, "on the front of quality and time"),
    ):
        if found:
            marks.append(mark)
            hints.append(hint)
    tags = {} if cell.certified is None else {"certified": "yes" if cell.certified == 1 else "no"}
    return MatrixCell(
        number(cell.mean),
        notes,
        1.0 if best == worst else (cell.mean - worst) / (best - worst),
        "".join(marks),
        ", ".join(hints),
        tags,
    )


def verdicts(section: Section) -> Table:
    """Return, for every row, its leader and why a winner is marked or not."""
    titles = titles_of(section.columns)
    rows = [{"row": row.title, "leader": titles.get(row.leader or "", ""), "words": row.words} for row in section.rows]
    columns = [Column("row", "Row"), Column("leader", "Best mean"), Column("words", "What the paired test says")]
    return Table(f"What is marked, and why: {section.title.partition(':')[0].lower()}", columns, rows)


def number(value: float) -> str:
    """Return a value with the decimals of the matrix."""
    return show_number(float(value), 2)


def titles_of(columns: Sequence[ColumnFacts]) -> dict[str, str]:
    """Return titles by method."""
    return {column.name: column.title for column in columns}
