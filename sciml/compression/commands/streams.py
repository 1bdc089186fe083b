"""`-` in place of a file: standard input is read from, or standard output written to."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sciml.batch import say_note
from sciml.runtime.errors import ConfigError, DataError, ScimlError

PIPE = "-"
Say = Callable[[str], None]


@contextmanager
def piped(words: Sequence[str], out: Path, name: str | None, suffix: str, say: Say) -> Iterator[tuple[list[str], Path, Say]]:
    """Yield inputs, the place of results and what takes lines, with files where `-` was given.

    Args:
        words: inputs, of which one may be `-`, alone.
        out: place of the results, or `-`.
        name: of the file that goes to standard output; None for whatever name its content asks for.
        suffix: of what comes from standard input.
        say: takes lines where standard output is free for them.

    Raises:
        ConfigError: `-` beside other inputs, or several inputs to standard output, or a terminal where a file would go.
        DataError: standard input is empty.
    """
    if PIPE not in words and str(out) != PIPE:
        yield list(words), out, say
        return
    to_output = str(out) == PIPE
    if len(words) > 1:
        raise ConfigError(f"- stands for one file, and {len(words)} inputs were given: name a folder for their results")
    if to_output and not Path(words[0]).is_file() and words[0] != PIPE:
        raise ConfigError(f"only one file goes to standard output, and {words[0]} is none")
    if to_output and sys.stdout.isatty():
        raise ConfigError("standard output is a terminal: name a file, or send it on with > or |")
    with TemporaryDirectory() as folder:
        source = Path(folder, f"standard-input{suffix}")
        results = Path(folder, "results")
        results.mkdir()
        if words[0] == PIPE:
            if not (data := sys.stdin.buffer.read()):
                raise DataError("standard input is empty: expected a file")
            source.write_bytes(data)
        target = out if not to_output else results if name is None else results / name

        def plain(text: str) -> str:
            for path in (*results.iterdir(), results / (name or "")):
                text = text.replace(str(path), "standard output")
            return text.replace(str(source), "standard input")

        try:
            yield (
                [str(source)] if words[0] == PIPE else list(words),
                target,
                lambda text: (say_note if to_output else say)(plain(text)),
            )
        except ScimlError as error:
            raise type(error)(plain(str(error))) from error
        finally:
            written = [path for path in results.iterdir() if path.is_file()] if to_output else []
            for path in written:
                sys.stdout.buffer.write(path.read_bytes())
                sys.stdout.buffer.flush()
