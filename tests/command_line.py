"""The whole command line, built once: that takes longer than most commands."""

from __future__ import annotations

from functools import cache
from typing import Any

import typer.main

from sciml import cli


@cache
def root_command(installed: tuple[str, ...]) -> Any:
    """Return the command `sciml` for these families."""
    groups = list(cli.app.registered_groups)
    cli._mount()
    command = typer.main.get_command(cli.app)
    cli.app.registered_groups[:] = groups
    return command
