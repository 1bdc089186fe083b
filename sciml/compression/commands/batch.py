"""Many files through one command: in processes, a line a file, and an end that names what failed."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sciml.compression.commands.files import Job
from sciml.runtime.devices import set_threads, thread_count
from sciml.runtime.errors import DataError, PartialResult, ScimlError

# below this starting processes costs more time than they save
FILES_A_PROCESS = 4


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
    """

    source: Path
    line: str = ""
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    error: str = ""
    exit_code: int = 0


Work = Callable[[Job], Outcome]


def run(
    work: Work, jobs: Sequence[Job], say: Callable[[str], None], processes: int | None = 1, one_bad: bool = False
) -> list[Outcome]:
    """Do some work for every file; what fails is told and the others go on.

    Args:
        work: for one file; with several processes it must pickle.
        jobs: the files.
        say: takes the line of each file, in the order of `jobs`.
        processes: how many; None for one a core where there are many files.
        one_bad: whether one failure makes the whole a failure, not a partial result.

    Raises:
        ScimlError: of a single file, what it failed with; of several DataError or ScimlError where all failed, by whose fault.
        PartialResult: some failed, or something of a result is missing.
    """
    if processes is None:
        processes = max(1, min(thread_count(), len(jobs) // FILES_A_PROCESS))
    outcomes = []
    with _progress(len(jobs)) as step:
        for outcome in _outcomes(work, jobs, processes):
            if outcome.line:
                say(outcome.line)
            outcomes.append(outcome)
            step()
    _tell_notes(outcomes)
    failed = [outcome for outcome in outcomes if outcome.error]
    missing = [outcome for outcome in outcomes if outcome.missing]
    if len(jobs) > 1 and failed:
        _table(failed)
    for outcome in missing:
        for text in outcome.missing:
            print(f"sciml: warning: {outcome.source}: {text}", file=sys.stderr, flush=True)
    if failed and (one_bad or len(failed) == len(jobs)):
        kind = DataError if all(outcome.exit_code == DataError.exit_code for outcome in failed) else ScimlError
        start = "" if len(jobs) == 1 else f"{len(failed)} of {len(jobs)} files failed, the first: "
        raise kind(f"{start}{failed[0].error}")
    if failed:
        raise PartialResult(f"{len(failed)} of {len(jobs)} files failed: {', '.join(str(one.source) for one in failed)}")
    if missing:
        raise PartialResult(f"incomplete: {', '.join(str(one.source) for one in missing)}; the rest was kept")
    return outcomes


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


def _named(job: Job, error: Exception | str) -> str:
    text = " ".join(str(error).split())
    names = [str(path) for path in (job.source, job.target) if path is not None]
    return text if any(name in text for name in names) else f"{job.source}: {text}"


def _outcomes(work: Work, jobs: Sequence[Job], processes: int) -> Iterator[Outcome]:
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


def _table(failed: Sequence[Outcome]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("file", "what failed", title="Failed", title_justify="left")
    for outcome in failed:
        table.add_row(Text(str(outcome.source)), Text(outcome.error.removeprefix(f"{outcome.source}: ")))
    with suppress(BrokenPipeError):
        Console(stderr=True, width=None if sys.stderr.isatty() else 120).print(table)
