"""`sciml doctor`: what this machine has, a verdict for each, and what to do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from sciml.families import BUILT_IN
from sciml.runtime.devices import find_cards, thread_count
from sciml.runtime.errors import ScimlError
from sciml.runtime.extras import CORE, DISTRIBUTION, absent, remedy
from sciml.runtime.places import cache_folder

SUPPORTED = ((3, 11), (3, 14))
LEAST_DISK_GIB = 5
MARKS = {"good": "[green]good[/]", "note": "[yellow]note[/]", "missing": "[red]missing[/]"}


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, how it is, and what to do if anything."""

    subject: str
    verdict: Literal["good", "note", "missing"]
    detail: str
    advice: str = ""


def examine() -> list[Finding]:
    """Return findings on Python, frameworks, cards, threads, disk, data, compilers and browser."""
    return [finding for look in (_python, _packages, _frameworks, _cards, _threads, _disk, _data, _tools) for finding in look()]


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


def _frameworks() -> Iterator[Finding]:
    """Ask torch and jax in processes of their own: they never meet in one."""
    torch = "import torch, json; print(json.dumps([torch.__version__, torch.version.cuda or 'CPU', torch.cuda.is_available()]))"
    jax = "import jax, json; print(json.dumps([jax.__version__, jax.default_backend(), jax.default_backend() != 'cpu']))"
    for name, program in (("torch", torch), ("jax", jax)):
        if find_spec(name) is None:
            continue
        result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
        lines = result.stdout.strip().splitlines()
        if result.returncode or not lines:
            reason = (result.stderr.strip().splitlines() or ["no answer"])[-1]
            yield Finding(name, "missing", reason, f"pip install --force-reinstall {name}")
            continue
        version, build, card = json.loads(lines[-1])
        yield Finding(name, "good", f"{version} ({build}, {'sees a card' if card else 'computes on the CPU'})")


def _cards() -> Iterator[Finding]:
    try:
        cards = find_cards()
    except ScimlError:
        cards = []
    if cards:
        yield Finding("cards", "good", f"{len(cards)}: {', '.join(cards)}", "make gpu uses them")
    else:
        yield Finding("cards", "note", "none", "everything but `make gpu` runs on the CPU")


def _threads() -> Iterator[Finding]:
    yield Finding("threads", "good", f"{thread_count()} of {os.cpu_count()} cores")


def _disk() -> Iterator[Finding]:
    for subject, folder in (("disk of the cache", cache_folder()), ("disk here", Path.cwd())):
        free = shutil.disk_usage(folder).free / 2**30
        enough = free >= LEAST_DISK_GIB
        advice = "" if enough else f"free {LEAST_DISK_GIB} GiB, or set SCIML_CACHE to another disk"
        yield Finding(subject, "good" if enough else "missing", f"{free:.0f} GiB free at {folder}", advice)


def _data() -> Iterator[Finding]:
    from sciml.datasets.manifest import available_tier

    tier = available_tier()
    verdict = "good" if tier in ("default", "full") else "note"
    yield Finding("data", verdict, f"tier {tier} is there", "" if verdict == "good" else "sciml data fetch --data-tier default")


def _tools() -> Iterator[Finding]:
    for subject, names, use, advice in (
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
