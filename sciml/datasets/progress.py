"""Progress of a fetch: a bar on a terminal, one line a package elsewhere."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from sciml.datasets.manifest import Package

Progress = Callable[[Package, str], None]


@contextmanager
def show(known: Mapping[str, Package]) -> Iterator[Progress]:
    """Yield a function that shows that a package is being downloaded, done or missing.

    Args:
        known: the packages that may come, for the width of their names.
    """
    if not sys.stderr.isatty():
        yield _line_printer()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    width = max(map(len, known), default=0)
    columns = (TextColumn(f"{{task.description:{width + 9}}}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Bars(*columns, console=Console(stderr=True)) as bars:
        tasks = {}

        def advance(package: Package, state: str) -> None:
            # pip and apt do not tell how far they are, so a bar pulses and then fills at once
            task = tasks.get(package.package)
            if task is None:
                task = tasks[package.package] = bars.add_task(package.package, total=None)
            if state != "download":
                size = package.archive_bytes
                bars.update(task, description=f"{package.package} {state}", total=size, completed=size if state == "done" else 0)

        yield advance


def _line_printer() -> Progress:
    lock = threading.Lock()

    def line(package: Package, state: str) -> None:
        with lock:
            size = f"{package.archive_bytes / 1e6:.0f} MB"
            sys.stderr.write(f"data: {package.package} ({package.kind}, {size}) {state}\n")
            sys.stderr.flush()

    return line
