"""`sciml example`: what a user of the filter calls; the stages of the study are `sciml stage example`."""

from __future__ import annotations

import typer

app = typer.Typer(help="An example family: a linear filter, learned against noise.", no_args_is_help=True)


@app.callback()
def example() -> None:
    """A group, so that commands can be added."""
