"""Where a result comes from: `provenance.json` beside every artefact."""

from __future__ import annotations

import os
import platform
import resource as process_resource
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import sciml
from sciml.runtime.errors import DataError, FormatError
from sciml.runtime.files import digest_file, digest_tree, read_json, write_json
from sciml.runtime.results import AGAIN, Result, read_result

PACKAGES = (
    "deepinv",
    "jax",
    "monai",
    "nibabel",
    "numpy",
    "pillow",
    "pydicom",
    "PyWavelets",
    "scikit-image",
    "scipy",
    "snakemake",
    "torch",
)


class Record(Result):
    """What `provenance.json` holds of one stage.

    Attributes:
        stage: dotted name, for instance `imaging.solve`.
        version: of sciml.
        commit: of the checkout, None outside one.
        dirty: whether the tree differs from it.
        command: words of the command.
        config: settings of the stage.
        seeds: by name.
        notes: what the stage says of itself: data sets, counts, seconds.
        started: time in UTC.
        wall_seconds: of the stage.
        cpu_seconds: of its process.
        peak_memory_mib: of its process.
        hardware: processor, cores, memory, system and the visible GPUs.
        packages: versions by name.
        inputs: SHA-256 by path.
        outputs: SHA-256 by path.
    """

    stage: str
    version: str
    commit: str | None
    dirty: bool | None
    command: list[str]
    config: dict[str, Any]
    seeds: dict[str, int]
    notes: dict[str, Any]
    started: str
    wall_seconds: float
    cpu_seconds: float
    peak_memory_mib: int
    hardware: dict[str, Any]
    packages: dict[str, str]
    inputs: dict[str, str]
    outputs: dict[str, str]


def read_record(folder: Path | str) -> Record:
    """Return the record beside the artefacts of a folder.

    Raises:
        DataError: there is none, or it is not what a stage writes.
        FormatError: it is no JSON.
    """
    return read_result(Path(folder) / "provenance.json", Record)


class Recorder:
    """Record one stage from start to end and write its provenance.

    Args:
        stage: dotted name, for instance `imaging.solve`.
        config: the resolved settings of the stage.
        inputs: files or folders that the stage reads, see `reads`.

    Example:
        >>> recorder = Recorder("imaging.solve", {"method": "tv"}, inputs=[])
        >>> recorder.describe(outputs=[])["stage"]
        'imaging.solve'
    """

    def __init__(self, stage: str, config: Mapping[str, Any], inputs: Iterable[Path | str] = ()) -> None:
        self.stage = stage
        self.config = dict(config)
        self.inputs: dict[str, str] = {}
        self.reads(inputs)
        self.seeds: dict[str, int] = {}
        self.notes: dict[str, Any] = {}
        self._wall = time.time()
        self._cpu = time.process_time()

    def reads(self, paths: Iterable[Path | str]) -> None:
        """Record files or folders that the stage reads, each compared with what its own stage left beside it.

        Raises:
            DataError: one is missing, or is not what its stage wrote.
        """
        paths = [Path(path) for path in paths]
        for path in paths:
            if not path.exists():
                raise DataError(f"no such file: {path}")
        found = digests(paths)
        for path, digest in found.items():
            check_origin(path, digest)
        self.inputs |= found

    def describe(self, outputs: Iterable[Path | str]) -> dict[str, Any]:
        """Return the record as JSON values: code, command, settings, seeds, times, machine, digests."""
        usage = process_resource.getrusage(process_resource.RUSAGE_SELF)
        return {
            "stage": self.stage,
            "version": sciml.__version__,
            **code_state(),
            "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
            "config": self.config,
            "seeds": dict(sorted(self.seeds.items())),
            "notes": self.notes,
            "started": datetime.fromtimestamp(self._wall, UTC).isoformat(timespec="seconds"),
            "wall_seconds": round(time.time() - self._wall, 3),
            "cpu_seconds": round(time.process_time() - self._cpu, 3),
            "peak_memory_mib": usage.ru_maxrss // 1024,
            "hardware": hardware(),
            "packages": package_versions(),
            "inputs": self.inputs,
            "outputs": digests(outputs),
        }

    def write(self, path: Path | str, outputs: Iterable[Path | str]) -> None:
        """Write `provenance.json` for the given outputs."""
        write_json(path, self.describe(outputs))


def check_origin(path: Path | str, digest: str | None = None) -> None:
    """Refuse a file or folder that is not what the `provenance.json` beside it says that its stage wrote (DataError)."""
    path = Path(path)
    record = path.with_name("provenance.json")
    if not record.is_file():
        return
    try:
        content = read_json(record)
    except FormatError as error:
        raise DataError(f"{error}; {AGAIN}") from error
    written = content.get("outputs", {}) if isinstance(content, dict) else {}
    stated = {Path(name).name: value for name, value in written.items()}.get(path.name)
    if stated is None:
        return
    digest = digest or digest_file(path)
    if stated != digest:
        raise DataError(
            f"{path} is not what {content.get('stage')} wrote: its SHA-256 is {digest[:12]}..., "
            f"{record} says {str(stated)[:12]}...; {AGAIN}"
        )


def digests(paths: Iterable[Path | str]) -> dict[str, str]:
    """Return SHA-256 by path for files, tree digest for folders; paths as given."""
    return {str(path): digest_tree(path) if Path(path).is_dir() else digest_file(path) for path in sorted(map(Path, paths))}


def package_versions(names: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Return installed versions by package name; absent packages are left out."""
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def hardware() -> dict[str, Any]:
    """Return processor, core count, memory (GiB), system and the visible GPUs."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (ValueError, OSError):
        memory = None
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": memory and round(memory, 1),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "gpus": os.environ.get("CUDA_VISIBLE_DEVICES"),
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def code_state() -> dict[str, Any]:
    """Return the commit and whether the tree differs from it; None for both outside a checkout."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return {"commit": None, "dirty": None}

    def git(*arguments: str) -> str:
        return subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True).stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "dirty": None}
