"""`sciml doctor`: what this machine has, a verdict for each, and what to do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from sciml.families import BUILT_IN
from sciml.runtime.alive import at_work, locked
from sciml.runtime.devices import find_gpus, thread_count
from sciml.runtime.errors import ConfigError, ScimlError
from sciml.runtime.extras import CORE, DISTRIBUTION, absent, remedy
from sciml.runtime.files import check_place
from sciml.runtime.places import cache_folder, cache_home

SUPPORTED = ((3, 11), (3, 14))
LEAST_DISK_GIB = 5
LEAST_MEMORY_GIB = 4
"""Memory that two jobs of the demo at once may use."""
WAIT_SECONDS = 120
DEMO_CPU_MINUTES = 40
"""Processor time of the demo on a core that counts a million squares in SQUARES_SECONDS."""
SQUARES_SECONDS = 0.044
MOST_CORES = 8
"""Cores beyond which the demo gets no faster: its longest chain of jobs."""
MARKS = {"good": "[green]good[/]", "note": "[yellow]note[/]", "missing": "[red]missing[/]"}


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, how it is, and what to do if anything."""

    subject: str
    verdict: Literal["good", "note", "missing"]
    detail: str
    advice: str = ""


def examine() -> list[Finding]:
    """Return findings on Python, packages, GPUs, cores, memory, disk, caches, data, runs and tools."""
    looks = (_python, _packages, _frameworks, _gpus, _threads, _memory, _demo_time, _home, _disk, _data, _runs, _tools)
    return [finding for look in looks for finding in look()]


def print_findings(findings: list[Finding]) -> None:
    """Print a table."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("what", "verdict", "found")
    table.add_column("what to do", overflow="fold")
    for finding in findings:
        table.add_row(finding.subject, MARKS[finding.verdict], escape(finding.detail), escape(finding.advice))
    Console().print(table)


def _python() -> Iterator[Finding]:
    low, high = SUPPORTED
    good = low <= sys.version_info[:2] < high
    advice = "" if good else f"use Python {low[0]}.{low[1]} to {high[0]}.{high[1] - 1}"
    yield Finding("Python", "good" if good else "missing", sys.version.split()[0], advice)


def _packages() -> Iterator[Finding]:
    # JPEG XL, which some platforms have no wheel of
    missing = [module for module in CORE if module != "pillow_jxl" and find_spec(module) is None]
    if missing:
        yield Finding("packages", "missing", f"without {', '.join(missing)}", f"pip install {DISTRIBUTION}")
    else:
        yield Finding("packages", "good", f"all {len(CORE)} that the core needs")
    for family in (*BUILT_IN, "workflow"):
        extra = family.replace("_", "-")
        if missing := absent(extra):
            yield Finding(extra, "note", f"without {', '.join(missing)}", remedy(extra))


def seen_by_frameworks() -> Iterator[Finding]:
    """Yield whether torch and jax see a GPU of this machine."""
    for finding in _frameworks():
        sees = finding.verdict == "good" and "sees a GPU" in finding.detail
        yield finding if sees else replace(finding, verdict="missing", advice="make gpu EXTRAS=cuda installs both for CUDA")


def _frameworks() -> Iterator[Finding]:
    """Ask torch and jax in processes of their own: they never meet in one."""
    torch = "import torch, json; print(json.dumps([torch.__version__, torch.version.cuda or 'CPU', torch.cuda.is_available()]))"
    jax = "import jax, json; print(json.dumps([jax.__version__, jax.default_backend(), jax.default_backend() != 'cpu']))"
    for name, program in (("torch", torch), ("jax", jax)):
        if find_spec(name) is None:
            continue
        try:
            result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            detail = f"not loaded within {WAIT_SECONDS} s"
            yield Finding(name, "note", detail, "a slow disk: run `sciml doctor` again, or move the environment to a local one")
            continue
        lines = result.stdout.strip().splitlines()
        if result.returncode or not lines:
            reason = (result.stderr.strip().splitlines() or ["no answer"])[-1]
            yield Finding(name, "missing", reason, f"pip install --force-reinstall {name}")
            continue
        version, build, gpu = json.loads(lines[-1])
        yield Finding(name, "good", f"{version} ({build}, {'sees a GPU' if gpu else 'computes on the CPU'})")


def _gpus() -> Iterator[Finding]:
    try:
        gpus = find_gpus()
    except ScimlError:
        gpus = []
    if gpus:
        yield Finding("GPUs", "good", f"{len(gpus)}: {', '.join(gpus)}", "make gpu uses them")
    else:
        yield Finding("GPUs", "note", "none", "everything but `make gpu` runs on the CPU")


def _threads() -> Iterator[Finding]:
    yield Finding("threads", "good", f"{thread_count()} of {os.cpu_count()} cores")


def _memory() -> Iterator[Finding]:
    total, free = memory_gib()
    if total is None:
        return
    detail = f"{total:.1f} GiB" + (f", {free:.1f} GiB free now" if free is not None else "")
    if (total if free is None else free) >= LEAST_MEMORY_GIB:
        yield Finding("memory", "good", detail)
    else:
        yield Finding("memory", "note", detail, f"two jobs of the demo use up to {LEAST_MEMORY_GIB} GiB: close other programs")


def memory_gib() -> tuple[float | None, float | None]:
    """Return the memory of this machine and what of it is free, in GiB; None where the system does not say it."""
    free = None
    with suppress(OSError, ValueError):
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines() if ":" in line)
        if "MemAvailable" in lines:
            free = int(lines["MemAvailable"].split()[0]) / 2**20
    with suppress(OSError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, free
    return None, free


def _demo_time() -> Iterator[Finding]:
    def squares() -> float:
        begin = time.process_time()
        sum(number * number for number in range(1_000_000))
        return time.process_time() - begin

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cores = min(cores, MOST_CORES)
    minutes = DEMO_CPU_MINUTES * min(squares() for _ in range(3)) / SQUARES_SECONDS / cores
    about = 5 * max(1, round(minutes / 5))
    where = f"{cores} {'core' if cores == 1 else 'cores'}"
    detail = f"about {about} minutes: an estimate from {where} and the speed of one, without installation and downloads"
    yield Finding("time of the demo", "good", detail)


def _home() -> Iterator[Finding]:
    home = cache_home()
    if _sealed(home):
        advice = "`make demo` then keeps caches in .cache here; for commands of your own: export XDG_CACHE_HOME=FOLDER"
        yield Finding("home", "note", f"{home} cannot be written", advice)
    try:
        cache = cache_folder()
    except ScimlError as error:
        yield Finding("cache", "missing", str(error), "export SCIML_CACHE=FOLDER")
    else:
        sealed = _sealed(cache)
        advice = "what is there is used; to fetch more: export SCIML_CACHE=FOLDER" if sealed else ""
        yield Finding("cache", "note" if sealed else "good", f"{cache}{' cannot be written' if sealed else ''}", advice)


def _sealed(folder: Path) -> bool:
    try:
        check_place("", folder)
    except ConfigError:
        return True
    return False


def _disk() -> Iterator[Finding]:
    folders = {"disk here": Path.cwd()}
    with suppress(ScimlError):
        folders = {"disk of the cache": cache_folder(), **folders}
    for subject, folder in folders.items():
        free = shutil.disk_usage(folder).free / 2**30
        enough = free >= LEAST_DISK_GIB
        advice = "" if enough else f"free {LEAST_DISK_GIB} GiB, or set SCIML_CACHE to another disk"
        yield Finding(subject, "good" if enough else "missing", f"{free:.0f} GiB free at {folder}", advice)


def _data() -> Iterator[Finding]:
    from sciml.datasets.manifest import available_tier

    try:
        tier = available_tier()
    except ScimlError:
        return  # without a cache, which is told above
    verdict = "good" if tier in ("default", "full") else "note"
    yield Finding("data", verdict, f"tier {tier} is there", "" if verdict == "good" else "sciml data fetch --data-tier default")


def _runs() -> Iterator[Finding]:
    here = Path.cwd()
    if not locked(here):
        return
    try:
        who = at_work(here)
    except OSError:
        who = "somebody else's"
    if who:
        yield Finding("run here", "note", f"at work: {who}", "wait for its end before another one")
    else:
        yield Finding("run here", "note", "one was killed and left its locks", "the next one frees them and goes on")


def _tools() -> Iterator[Finding]:
    for subject, names, use, advice in (
        ("make", ("make",), "`make demo`", "apt-get install make; `sciml run` does the same without"),
        ("compiler", ("gcc", "cc", "clang"), "not needed by the shipped packages", "only for packages without a wheel"),
        (
            "apt archives",
            ("apt-get",),
            "CT, most MR and the photographs come by apt",
            "without it the demo uses pip's data alone",
        ),
        ("dpkg", ("dpkg-deb",), "opens apt archives", "without it the demo uses pip's data alone"),
        ("git", ("git",), "names the commit in provenance", "install git"),
        ("browser", ("chromium", "chromium-browser", "google-chrome"), "page tests and screenshots", "apt-get install chromium"),
        ("browser driver", ("chromedriver",), "page tests", "apt-get install chromium-driver"),
    ):
        found = next((path for name in names if (path := shutil.which(name))), None)
        yield Finding(subject, "good" if found else "note", found or f"absent ({use})", "" if found else advice)
