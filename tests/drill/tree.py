"""A copy of the tree in which `make demo` runs while something goes wrong, and what must be true of it afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

from freeze import artefacts  # noqa: E402

SMALL = {
    "tier": "ci",
    "data_tier": "ci",
    "imaging": {
        "check_size": [16, 16],
        "studies": {
            "denoise": {
                "size": [32, 32],
                "validation_images": 1,
                "test_images": 2,
                "variants": {"sigma 0.1": {"sigma": 0.1}},
                "methods": ["nlm"],
            }
        },
    },
}
ODD = "a fault's drill, für alle"
LIMIT_SECONDS = 1500


class Broke(Exception):
    """Something did not hold under a fault."""


@dataclass
class Ended:
    """How a command ended: exit code and both of its streams."""

    code: int
    output: str

    def green(self) -> Ended:
        """Return this; Broke if it failed."""
        if self.code:
            raise Broke(f"exit code {self.code}: {self.tail()}")
        return self

    def told(self, *parts: str) -> str:
        """Return the line of an error that holds all parts; Broke if it did not fail, or if no such line says so."""
        if not self.code:
            raise Broke(f"it succeeded, expected a line with {parts}")
        for line in self.output.splitlines():
            if all(part in line for part in parts) and (line.startswith("sciml: ") or " must be " in line):
                return line.strip()
        raise Broke(f"no line says {parts}: {self.tail()}")

    def tail(self) -> str:
        """Return the last lines but for Snakemake's lists of files."""
        lines = [line for line in self.output.splitlines() if line.strip() and not line.startswith("    ")]
        return "\n      ".join(lines[-12:])


@dataclass
class Run:
    """A command at work, and the file that its two streams go to."""

    process: subprocess.Popen[bytes]
    output: IO[bytes]

    def ended(self) -> Ended:
        """Wait for the end."""
        code = self.process.wait(LIMIT_SECONDS)
        self.output.seek(0)
        with self.output:
            return Ended(code, self.output.read().decode(errors="replace"))


@dataclass
class Copy:
    """A copy of the tree at `root` with the environment that runs the drill.

    Args:
        root: the copy.
        variables: of the environment, over those of the drill; an empty one is taken out.
        before: words in front of each command, for instance to be another user.
        umask: of the commands.
    """

    root: Path
    variables: dict[str, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    umask: int = -1

    @classmethod
    def make(cls, root: Path) -> Copy:
        """Copy the files of the tree, with the settings `small.yaml`; the environment is linked."""
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in filter(None, listed.split("\0")):
            if name.partition("/")[0] not in ("tests", "docs"):
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, root / name)
        (root / ".venv").symlink_to(sys.prefix)
        for name in ("pyproject.toml", "constraints.txt"):  # older than the environment, which is not installed anew
            os.utime(root / name, (0, 0))
        (root / "small.yaml").write_text(yaml.safe_dump(SMALL))
        return cls(root)

    def environment(self) -> dict[str, str]:
        """Return the environment of a command."""
        own = {"PYTHONPATH": str(self.root), "SCIML_STRICT": "1", "MPLBACKEND": "agg"}
        both = {**os.environ, "OMP_NUM_THREADS": "1", **own, **self.variables}
        return {name: value for name, value in both.items() if value}

    def start(self, *words: str) -> Run:
        """Start `make demo` with some variables of make, by default of the small study, in a session of its own."""
        output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `ended`
        process = subprocess.Popen(
            [*self.before, "make", "demo", *(words or ("SETTINGS=small.yaml",))],
            cwd=self.root,
            env=self.environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=self.umask,
        )
        return Run(process, output)

    def demo(self, *words: str) -> Ended:
        """Run `make demo` to its end."""
        return self.start(*words).ended()

    def clean(self) -> None:
        """Remove what runs left."""
        for name in ("results", "reports", "logs", ".snakemake", ".cache"):
            shutil.rmtree(self.root / name, ignore_errors=True)

    def check(self, expected: Mapping[str, str], study: str = "small") -> None:
        """Compare numbers, tensors and tables of finished results with those of an undisturbed run; Broke if one differs."""
        found = dict(artefacts(self.root / "results" / study))
        differ = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
        if differ:
            raise Broke(f"{len(differ)} of {len(expected)} results differ: {', '.join(differ[:5])}")
        if left := sorted(half_written(self.root)):
            raise Broke(f"left half-written: {', '.join(left[:5])}")


def half_written(root: Path) -> Iterator[str]:
    """Yield what an unfinished run leaves and a finished one must not: temporaries, parts, records of failures, locks."""
    for folder in ("results", "reports", "logs"):
        for path in (root / folder).rglob("*"):
            hidden = path.name.startswith(".") and path.name != ".snakemake_timestamp"
            if hidden or path.suffix == ".partial" or path.parent.name == "failures":
                yield str(path.relative_to(root))
    for folder in ("locks", "incomplete"):
        yield from (str(path.relative_to(root)) for path in (root / ".snakemake" / folder).glob("*"))


def sessions(number: int) -> dict[int, list[str]]:
    """Return the words of every living process of a session, by process."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            status = (entry / "stat").read_text().rpartition(")")[2].split() if entry.name.isdigit() else []
            if status and int(status[3]) == number and status[0] not in "ZX":
                found[int(entry.name)] = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
        except OSError:  # it ended meanwhile
            continue
    return found


def cpu_seconds(process: int) -> float:
    """Return the processor time that a process has used; 0 where it has ended."""
    try:
        status = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(status[11]) + int(status[12])) / os.sysconf("SC_CLK_TCK")
