"""The whole command line, built once: that takes longer than most commands; and what a mistake in a line must lead to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import typer.main

from sciml import cli
from sciml.families import families


@cache
def root_command(installed: tuple[str, ...]) -> Any:
    """Return the command `sciml` for these families."""
    groups = list(cli.app.registered_groups)
    cli._mount()
    command = typer.main.get_command(cli.app)
    cli.app.registered_groups[:] = groups
    return command


@cache
def user_commands() -> dict[tuple[str, ...], Any]:
    """Return every command that is shown, but for the stages of the workflow."""
    found, waiting = {}, [((), root_command(tuple(families())))]
    while waiting:
        words, one = waiting.pop()
        below = getattr(one, "commands", None)
        if below is None:
            found[words] = one
        elif words != ("stage",):
            waiting += [((*words, name), more) for name, more in below.items() if not more.hidden]
    return dict(sorted(found.items()))


def not_one_line(
    run: Callable[..., tuple[int, str, str]], folder: Path, mistakes: Iterable[tuple[str, str]]
) -> dict[str, tuple[int, str, str]]:
    """Return what the lines said that ended otherwise than with code 2, one line with its words, and no new file."""
    before, bad = sorted(folder.rglob("*")), {}
    for line, words in mistakes:
        code, out, err = run(*line.split())
        lines = [text for text in err.splitlines() if not text.startswith("sciml: warning:")]
        said = len(lines) == 1 and lines[0].startswith("sciml: error: ") and words in lines[0] and "Traceback" not in err
        if code != 2 or out or not said or sorted(folder.rglob("*")) != before:
            bad[line] = (code, out, err)
    return bad
