"""`sciml run`: the studies of some settings from the data to the pages, one run in a folder at a time."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from sciml.families import families
from sciml.runtime.alive import only_run
from sciml.runtime.errors import ConfigError, ScimlError
from sciml.runtime.files import check_place
from sciml.runtime.places import CACHE_VARIABLE, cache_home
from sciml.settings import check_data, families_of, load

AUDIT = "audit.zip"
KILLED = 128
FULL_BYTES = 2**20


def run(tier: str, family: str = "all", profile: str = "profiles/default") -> int:
    """Fetch the data, run the workflow of the folder and write index and audit; return Snakemake's exit code.

    Without apt the data may be fewer than the tier's: the run goes on with what is there, and its pages say so. The audit is made
    again only where a page is newer.

    Args:
        tier: `ci`, `demo`, `cpu`, `gpu`, or the settings file of a study of one's own.
        family: the only one to run; `all` for those of the settings, `studies` for those of them that chain or compare families.
        profile: folder of Snakemake's options.

    Raises:
        ConfigError: wrong settings, or they do not speak of this family.
        DataError: no data are there.
        ScimlError: another run is at work in the folder; there is no workflow; the cache cannot be written.
    """
    if not Path("Snakefile").is_file():
        raise ScimlError(f"{Path.cwd()} has no Snakefile: run this in the checkout, or in a folder with its workflow")
    _writable_home()
    settings = load(tier, (), Path("config"))
    check_data(settings, tier)
    known = families_of(settings, tier)
    groups = ("all", *(["studies"] if set(known) & set(families("study")) else []))
    if family not in (*groups, *known):
        raise ConfigError(f"{tier} does not speak of {family!r}: choose among {', '.join((*groups, *known))}")
    with only_run(Path.cwd()):
        offered = _data(settings.data_tier)
        code = _snakemake(tier, offered, profile, family)
        if code > KILLED:
            print(
                f"sciml: note: Snakemake was ended by signal {code - KILLED}: the same command goes on",
                file=sys.stderr,
                flush=True,
            )
        # whoever met it first, Snakemake or a stage, may have had no space to say so
        if code and (free := shutil.disk_usage(Path.cwd()).free) < FULL_BYTES:
            print(
                f"sciml: error: no space left: {Path.cwd()} has {free >> 10} KiB; free some, the same command goes on",
                file=sys.stderr,
                flush=True,
            )
        reports = Path(settings.reports)
        if code == 0:
            from sciml.report.index import write_index

            for folder in dict.fromkeys((reports, Path("reports"))):
                write_index(folder)
            audit = reports / AUDIT
            if not audit.exists() or any(page.stat().st_mtime > audit.stat().st_mtime for page in _pages(reports)):
                code = _snakemake(tier, offered, profile, family, "--quiet", "all", "--report", str(audit))
    if (reports / "index.html").exists():
        print(f"\nreport: {(reports / 'index.html').absolute()}", flush=True)
    return code


def _pages(reports: Path) -> list[Path]:
    return [page for page in reports.glob("*.html") if page.name != "index.html"]


def _writable_home() -> None:
    """Keep the caches in this folder where the home cannot be written, as that of many services; data that lie there are read."""
    home = cache_home()
    try:
        check_place("", home)
    except ConfigError:
        place = Path(".cache").absolute()
        if (home / "sciml" / "data").is_dir():
            os.environ.setdefault(CACHE_VARIABLE, str(home / "sciml"))
        os.environ["XDG_CACHE_HOME"] = str(place)
        print(f"sciml: note: {home} cannot be written: caches lie in {place}", file=sys.stderr, flush=True)


def _data(tier: str) -> str:
    """Fetch the data of a tier; return the largest tier that is there."""
    from sciml.datasets.cli import fetch
    from sciml.datasets.manifest import usable_tier

    fetch(tier=tier)
    return usable_tier(tier)


def _snakemake(tier: str, data_tier: str, profile: str, target: str, *options: str) -> int:
    """Run Snakemake and return its exit code; signals reach it, so that it ends its jobs."""
    scripts = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    program = shutil.which("snakemake", path=environment["PATH"])
    if program is None:
        raise ScimlError("Snakemake is not installed here: `make env` installs it")
    # a study that reads results of families asks for them only where these run too
    settings = ["--config", f"tier={tier}", f"data_tier={data_tier}", f"family={target}"]
    sys.stdout.flush()
    child = subprocess.Popen([program, "--profile", profile, *settings, *options, "--", target], env=environment)
    # a terminal tells the child of Ctrl-C itself
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN),
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda number, frame: child.send_signal(number)),
    }
    try:
        while child.poll() is None:  # a signal that comes just before a wait without end would be heard after it
            with suppress(subprocess.TimeoutExpired):
                child.wait(1)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return child.returncode if child.returncode >= 0 else KILLED - child.returncode
