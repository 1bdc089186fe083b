"""Many files through one command: which are read, where results go, and an end that names what failed.

What cannot be done is told at once and the others go on (exit code 3 at the end). What is there already is kept and said to be
skipped, so that the same command goes on where it was stopped; `--force` makes it again.
"""

from __future__ import annotations

import glob
import multiprocessing
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sciml.runtime.devices import set_threads, thread_count
from sciml.runtime.errors import ConfigError, DataError, PartialResult, ScimlError
from sciml.runtime.files import read_json, refuse_existing, write_json

# below this starting processes costs more time than they save
FILES_A_PROCESS = 4
# no folder is meant by such a name either, though no command reads or writes such files
OTHERS = (".heic", ".heif", ".mp4", ".pdf", ".svg", ".txt", ".zip")


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
class Outcome:
    """What became of a file.

    Attributes:
        source: the file that was read.
        line: what was done, for standard output.
        notes: what to know of it, in words.
        missing: what of the result is missing, in words.
        error: why it failed, or nothing.
        exit_code: of the failure.
        skipped: whether its result was there and is kept.
        interrupted: whether the user stopped the work on it, and so the rest.
        record: numbers for the summary, as JSON values.
    """

    source: Path
    line: str = ""
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    error: str = ""
    exit_code: int = 0
    skipped: bool = False
    interrupted: bool = False
    record: Mapping[str, Any] = field(default_factory=dict)


Work = Callable[[Job], Outcome]


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


def plan(
    words: Sequence[str], out: Path, reads: Sequence[str], writes: Sequence[str], suffix: str | Mapping[str, str]
) -> list[Job]:
    """Return what is to be read and written.

    `out` is a file where it bears a suffix of `writes`, else a folder, in which files keep their place below the folders and
    patterns that were given. Files that differ in their suffix alone keep it within the name.

    Args:
        words: files, folders and patterns.
        out: file or folder of the results.
        reads: suffixes that are looked for in folders.
        writes: suffixes of results.
        suffix: of results whose file is not named, alone or by the suffix of what is read.

    Raises:
        ConfigError: `out` is a file where a folder is needed, or what was probably meant as an input; two inputs have one result;
            a result would fall upon an input.
        DataError: see `find`.
    """
    from sciml.formats.parts import is_store
    from sciml.formats.pictures import SUFFIXES

    found = find(words, reads)
    if not out.is_dir():
        if out.name.lower().endswith(tuple(writes)):
            if len(words) > 1 or not (Path(words[0]).is_file() or is_store(Path(words[0]))):
                raise ConfigError(f"{out} names one file for the results of {' '.join(words)}: name a folder")
            return [Job(found[0].path, out, named=True)]
        alone = len(words) == 1 and Path(words[0]).is_file()
        if out.exists() or (out.suffix and alone) or out.suffix.lower() in (*reads, *writes, *SUFFIXES, *OTHERS):
            raise ConfigError(f"results go to a folder or to a file ({', '.join(writes)}), and {out} is neither")
    elif any(Path(word).resolve() == out.resolve() for word in words):
        if isinstance(suffix, Mapping) and set(suffix.values()) & set(reads):
            raise ConfigError(f"{out} is a folder of inputs, which results would join: choose another one")
    else:
        # results of an earlier run in a folder within that of the inputs
        found = [item for item in found if out.resolve() not in item.path.resolve().parents] or found
    ends = {item: suffix if isinstance(suffix, str) else suffix[_suffix(item.path, suffix)] for item in found}
    names = {item: item.below.with_name(_stem(item.below, suffix) + end) for item, end in ends.items()}
    often = Counter(names.values())
    taken: dict[Path, Path] = {}
    for item, name in names.items():
        target = out / (name if often[name] == 1 else item.below.with_name(item.below.name + ends[item]))
        if target in taken:
            raise ConfigError(f"{taken[target]} and {item.path} would both be written to {target}: give them one after the other")
        if target.resolve() == item.path.resolve():
            raise ConfigError(f"{target} is also an input: choose another folder for the results")
        taken[target] = item.path
    return [Job(source, target) for target, source in taken.items()]


def _suffix(path: Path, known: Mapping[str, str] | str) -> str:
    """Return the longest known suffix of a file's name, else its own."""
    fitting = [one for one in known if path.name.lower().endswith(one)] if not isinstance(known, str) else []
    return max(fitting, key=len, default=path.suffix)


def _stem(path: Path, known: Mapping[str, str] | str) -> str:
    return path.name[: len(path.name) - len(_suffix(path, known))]


def kept(job: Job, target: Path, force: bool) -> Outcome | None:
    """Return that a result is there and is kept; None where there is none, or it is made again.

    Raises:
        ConfigError: the user named this result, which is there.
    """
    if job.named:
        refuse_existing(target, force)
    if force or not os.path.lexists(target):
        return None
    note = f"skipped, {target} is there already: --force makes it again"
    return Outcome(job.source, notes=(note,), skipped=True)


def run(
    work: Work,
    jobs: Sequence[Job],
    say: Callable[[str], None],
    processes: int | None = 1,
    one_bad: bool = False,
    summary: Path | None = None,
) -> list[Outcome]:
    """Do some work for every file; what fails is told and the others go on.

    Args:
        work: for one file; with several processes it must pickle.
        jobs: the files.
        say: takes the line of each file, in the order of `jobs`.
        processes: how many; None for one a core where there are many files.
        one_bad: whether one failure makes the whole a failure, not a partial result.
        summary: JSON file with the record or the error of each file, written after each; those of skipped files stay.

    Raises:
        ScimlError: of a single file, what it failed with; of several DataError or ScimlError where all failed, by whose fault.
        PartialResult: some failed, or something of a result is missing.
    """
    if processes is None:
        processes = max(1, min(thread_count(), len(jobs) // FILES_A_PROCESS))
    outcomes: list[Outcome] = []
    records: dict[str, Any] = read_json(summary) if summary is not None and summary.is_file() else {}
    with _progress(len(jobs)) as step:
        for outcome in _outcomes(work, jobs, processes):
            if outcome.line:
                say(outcome.line)
            if outcome.error and len(jobs) > 1:
                _tell("error", outcome.source, outcome.error)
            for text in outcome.missing:
                _tell("warning", outcome.source, text)
            outcomes.append(outcome)
            if summary is not None and not outcome.skipped:
                records[str(outcome.source)] = dict(outcome.record) or {"error": outcome.error}
                write_json(summary, records)
            step()
            if outcome.interrupted:
                break
    _tell_notes(outcomes)
    _end(outcomes, len(jobs), one_bad)
    return outcomes


def look(check: Callable[[Job], Any], jobs: Sequence[Job], force: bool) -> None:
    """Look at a single file and at the place of its result before what is heavy is loaded; of several each in its turn.

    Raises:
        ConfigError: the user named a result that is there, and there is no `force`.
        ScimlError: what the check raises, with the name of the file.
    """
    if len(jobs) == 1:
        if jobs[0].named and jobs[0].target is not None:
            refuse_existing(jobs[0].target, force)
        next(_outcomes(check, jobs, 1))


def _end(outcomes: Sequence[Outcome], count: int, one_bad: bool) -> None:
    if any(outcome.interrupted for outcome in outcomes):
        return
    failed = [outcome for outcome in outcomes if outcome.error]
    missing = [outcome for outcome in outcomes if outcome.missing]
    if failed and (one_bad or len(failed) == count):
        kind = DataError if all(outcome.exit_code == DataError.exit_code for outcome in failed) else ScimlError
        start = "" if count == 1 else f"{len(failed)} of {count} files failed, the first: "
        raise kind(f"{start}{failed[0].error}")
    if failed:
        raise PartialResult(f"{len(failed)} of {count} files failed: {', '.join(str(one.source) for one in failed)}")
    if missing:
        raise PartialResult(f"incomplete: {', '.join(str(one.source) for one in missing)}; the rest was kept")


def attempt(work: Work, job: Job) -> Outcome:
    """Return what became of a file, also where the work failed."""
    try:
        return work(job)
    except ScimlError as error:
        return Outcome(job.source, error=_named(job, error), exit_code=error.exit_code)
    except Exception as error:  # one bad file of many must not cost the others
        return Outcome(job.source, error=_named(job, f"{type(error).__name__}: {error}"), exit_code=ScimlError.exit_code)


def say_note(text: str) -> None:
    """Tell on standard error what a user should know of."""
    print(f"sciml: note: {text}", file=sys.stderr, flush=True)


def _tell(kind: str, source: Path, text: str) -> None:
    name = "" if str(source) in text else f"{source}: "
    print(f"sciml: {kind}: {name}{text}", file=sys.stderr, flush=True)


def _named(job: Job, error: Exception | str) -> str:
    text = " ".join(str(error).split())
    names = [str(path) for path in (job.source, job.target) if path is not None]
    return text if any(name in text for name in names) else f"{job.source}: {text}"


def _outcomes(work: Callable[[Job], Any], jobs: Sequence[Job], processes: int) -> Iterator[Outcome]:
    if len(jobs) == 1:
        try:
            yield work(jobs[0])
        except ScimlError as error:
            if (text := _named(jobs[0], error)) == " ".join(str(error).split()):
                raise
            raise type(error)(text) from error
        return
    if processes == 1:
        yield from (attempt(work, job) for job in jobs)
        return
    # a forked copy of a process with threads may hang
    pool = ProcessPoolExecutor(min(processes, len(jobs)), multiprocessing.get_context("spawn"), _start_worker)
    try:
        futures = [pool.submit(partial(attempt, work), job) for job in jobs]
        for future in futures:
            yield future.result()
    except BrokenProcessPool as error:
        raise ScimlError("a process was killed, or the machine ran out of memory: use fewer --jobs") from error
    finally:
        # files that are begun are finished, so that no temporary ones are left
        pool.shutdown(wait=True, cancel_futures=True)


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the first one tells the others
    set_threads(1)


@contextmanager
def _progress(every: int) -> Iterator[Callable[[], None]]:
    """Yield what moves a bar on by one file; on a terminal and for several files only."""
    if every == 1 or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    # lines of standard output pass above the bar, unless they go to a file
    with Progress(console=Console(stderr=True), redirect_stdout=sys.stdout.isatty()) as bar:
        task = bar.add_task("files", total=every)
        yield lambda: bar.advance(task)


def _tell_notes(outcomes: Sequence[Outcome]) -> None:
    """Tell every note once, with the files that it is about."""
    by_note: dict[str, list[str]] = {}
    for outcome in outcomes:
        for note in outcome.notes:
            by_note.setdefault(note, []).append(str(outcome.source))
    for note, names in by_note.items():
        say_note(f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}: {note}")


def _one(word: str, suffixes: Sequence[str]) -> Iterator[Found]:
    from sciml.formats.parts import is_store

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
