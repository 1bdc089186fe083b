"""`sciml flow-from-images`: the chain from frames to parameters; its stages run in the workflow."""

from __future__ import annotations

import typer

from sciml.options import add_report

app = typer.Typer(
    help="From blurred microscope frames back to activity and alignment: a chain of families.", no_args_is_help=True
)
add_report(app, "flow_from_images")
