"""Who is at work in a folder of the workflow, by a lock that all of them share and that ends with their processes.

Snakemake notes the files of a run in `.snakemake/locks` and takes the notes away at its end: where it is killed they stay, and
every later run is refused. The system knows who lives: each Snakemake of the workflow and each of its stages, even one that
outlived its Snakemake, shares the lock `MARK`. Who can have it alone is the only one; notes found then are of a run that ended.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO

from sciml.runtime.errors import ScimlError
from sciml.runtime.files import sweep

VARIABLE = "SCIML_ALIVE"
"""Names the lock to the stages."""
MARK = Path(".snakemake", "sciml.alive")
RUN = Path(".snakemake", "sciml.run")
LOCKS = Path(".snakemake", "locks")
WRITTEN = ("results", "reports")
"""Folders beside `.snakemake` that the workflow writes."""

_held: dict[Path, IO[str]] = {}


def join(mark: Path | str = MARK, what: str = "snakemake", free: bool = False) -> None:
    """Share the lock of a folder's workflow until this process ends; a second call does nothing.

    A file system without locks is left as it is: nothing is freed there.

    Args:
        mark: the lock.
        what: this process, for those who are told who is at work.
        free: take away the notes and the temporaries of what was killed, where nobody else is at work.
    """
    path = Path(mark).absolute()
    if path in _held:
        return
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
        if free and _alone(file):
            shutil.rmtree(path.with_name(LOCKS.name), ignore_errors=True)
            for name in WRITTEN:
                sweep(path.parent.with_name(name))
            file.truncate(0)
        fcntl.flock(file, fcntl.LOCK_SH)
        file.write(f"{os.getpid()} {what}\n")
        file.flush()
        _held[path] = file


@contextmanager
def only_run(folder: Path) -> Iterator[None]:
    """Be the only run of a folder while the body lasts.

    Raises:
        ScimlError: another one is at work there, or what is left of it; the message names the processes. Or the folder cannot
            be written.
    """
    path = folder / RUN
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        opened = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise ScimlError(
            f"{folder} cannot be written: {error.strerror or error}; "
            "free some space, or run in a folder of your own, as `sciml init FOLDER` makes one"
        ) from error
    with opened as file:
        if not _alone(file):
            file.seek(0)
            raise ScimlError(f"another run is at work in {folder} ({file.read().strip()}): wait for its end, or stop it")
        if who := at_work(folder):
            raise ScimlError(
                f"another run, or a stage that it left, is at work in {folder} ({who}): wait for its end, or stop it"
            )
        file.truncate(0)
        file.write(f"process {os.getpid()} since {datetime.now():%H:%M}")
        file.flush()
        yield


def locked(folder: Path) -> bool:
    """Say whether Snakemake noted the files of a run in a folder: one at work there, or one that was killed."""
    return any((folder / LOCKS).glob("*"))


def at_work(folder: Path) -> str:
    """Return who is at work on locked files; nobody where no files are locked, or where whoever locked them ended."""
    if not locked(folder):
        return ""
    with (folder / MARK).open("a+", encoding="utf-8") as file:
        if _alone(file):
            return ""
        file.seek(0)
        entries = [line.partition(" ") for line in file.read().splitlines()]
    alive = [f"process {number}, {what}" for number, _, what in entries if number.isdigit() and _lives(int(number))]
    return "; ".join(alive) or "on another machine"


def _alone(file: IO[str]) -> bool:
    """Take a lock alone, if nobody has it; where the file system knows no locks nobody can say so."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
