"""`sciml matrix`: what a finished matrix says of a task."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sciml.options import add_report, command

app = typer.Typer(
    help="Every task of imaging by every method that solves it: which one to take, and at what cost.", no_args_is_help=True
)


@command(app, "show")
def show_command(
    matrix: Annotated[Path, typer.Argument(help="matrix.json of a run, such as results/demo/matrix/compare/matrix.json.")],
    row: Annotated[str | None, typer.Option(help="Only this row, such as deblur or ct-sparse.")] = None,
) -> None:
    """Print the rows of a matrix: each method's mean, interval, share of cases lost, processor time, and what is marked.

    Example: sciml matrix show results/demo/matrix/compare/matrix.json --row deblur
    """
    from sciml.studies.matrix.commands.show import show

    show(matrix, row)


add_report(app, "matrix")
