"""Which files a command reads and where its results go: files, folders and patterns, and never over what is there."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sciml.formats.parts import is_store
from sciml.runtime.errors import ConfigError, DataError
from sciml.runtime.files import atomic_path

NIC = ".nic"


@dataclass(frozen=True)
class Job:
    """One file to read and the one to write.

    Attributes:
        source: the file that is read.
        target: the file that is written; None for commands that write none.
        named: whether the user named the target; else its folder only.
    """

    source: Path
    target: Path | None = None
    named: bool = False


@dataclass(frozen=True)
class Found:
    """A file, and its place below the folder or pattern that it was found by."""

    path: Path
    below: Path


def find(words: Sequence[str], suffixes: Sequence[str]) -> list[Found]:
    """Return the files that names, folders and patterns stand for, each once.

    Of a folder all files with one of the suffixes count, at any depth, but for hidden ones; of a pattern all that match.

    Raises:
        DataError: a file is missing, or a folder or a pattern has none.
    """
    found: dict[Path, Found] = {}
    for word in words:
        for item in _one(word, suffixes):
            found.setdefault(item.path.resolve(), item)
    return list(found.values())


def plan(words: Sequence[str], out: Path, reads: Sequence[str], writes: Sequence[str], suffix: str) -> list[Job]:
    """Return what is to be read and written.

    `out` is a file where it bears a suffix of `writes`, else a folder, in which files keep their place below the folders and
    patterns that were given. Files that differ in their suffix alone keep it within the name.

    Args:
        words: files, folders and patterns.
        out: the last word of the command.
        reads: suffixes that are looked for in folders.
        writes: suffixes of results.
        suffix: of results whose file is not named.

    Raises:
        ConfigError: `out` is a file where a folder is needed, or what was probably meant as an input; two inputs have one result.
        DataError: see `find`.
    """
    found = find(words, reads)
    if not out.is_dir():
        if out.suffix.lower() in writes:
            if len(words) > 1 or not (Path(words[0]).is_file() or is_store(Path(words[0]))):
                raise ConfigError(f"{out} names one file for the results of {' '.join(words)}: name a folder")
            return [Job(found[0].path, out, named=True)]
        if out.exists() or out.suffix.lower() in (*reads, NIC):
            raise ConfigError(
                f"the last word says where results go, and {out} is neither a folder nor a {' or '.join(writes)} file"
            )
    names = [item.below.with_name(item.below.stem + suffix) for item in found]
    often = Counter(names)
    names = [
        name if often[name] == 1 else item.below.with_name(item.below.name + suffix)
        for name, item in zip(names, found, strict=True)
    ]
    taken: dict[Path, Path] = {}
    for name, item in zip(names, found, strict=True):
        if name in taken:
            raise ConfigError(
                f"{taken[name]} and {item.path} would both be written to {out / name}: give them one after the other"
            )
        taken[name] = item.path
    return [Job(item.path, out / name) for name, item in zip(names, found, strict=True)]


def refuse_existing(path: Path, force: bool) -> None:
    """Raise ConfigError where a result is there already and may not be replaced."""
    if not force and os.path.lexists(path):
        raise ConfigError(f"{path} is there already: --force writes over it")


@contextmanager
def new_file(path: Path, force: bool) -> Iterator[Path]:
    """Yield a temporary file that becomes `path`, whole or not at all.

    Without `force` the name is taken by a link, which fails where another process was faster.

    Raises:
        ConfigError: see `refuse_existing`.
        ScimlError: it cannot be written.
    """
    refuse_existing(path, force)
    with atomic_path(path) as temporary:
        yield temporary
        if not force:
            try:
                os.link(temporary, path)
            except FileExistsError:
                refuse_existing(path, force)
            except OSError:  # a file system without links
                refuse_existing(path, force)


def _one(word: str, suffixes: Sequence[str]) -> Iterator[Found]:
    path = Path(word)
    if path.is_dir() and not is_store(path):
        inside = [(item, item.relative_to(path)) for item in sorted(path.rglob("*"))]
        kept = [
            Found(item, below)
            for item, below in inside
            if item.name.lower().endswith(tuple(suffixes))
            and (item.is_file() or is_store(item))
            and not any(map(is_store, item.parents))
            and not any(part.startswith(".") for part in below.parts)
        ]
        if not kept:
            raise DataError(f"the folder {path} holds no file to read: {', '.join(suffixes)} are looked for")
        yield from kept
    elif path.is_file() or is_store(path):
        yield Found(path, Path(path.name))
    elif glob.has_magic(word):
        matches = [Path(name) for name in sorted(glob.glob(word, recursive=True))]  # noqa: PTH207 (Path.glob takes no absolute pattern)
        fixed = []
        for part in path.parts[:-1]:
            if glob.has_magic(part):
                break
            fixed.append(part)
        kept = [Found(item, item.relative_to(Path(*fixed))) for item in matches if item.is_file() or is_store(item)]
        if not kept:
            raise DataError(f"no file matches {word}")
        yield from kept
    else:
        raise DataError(f"no such file: {path}")
