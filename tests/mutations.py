"""Break one line of a method at a time and see that the fast tests of its room notice: `python tests/mutations.py [NAME ...]`.

A mutation of `mutations.yaml` is a sign, a factor, an axis or a bound in the middle of a method. It is made in a copy of the
tree, the tests of the room run until the first failure, and the table says which were noticed. The exit code is the number of
those that were not.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Mutation:
    """A line that is broken.

    Args:
        name: what is broken.
        path: the file, below `sciml`.
        old: text that stands in it once.
        new: what takes its place.
        tests: folder below `tests` whose tests run.
    """

    name: str
    path: str
    old: str
    new: str
    tests: str


MUTATIONS = [Mutation(**entry) for entry in yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))]


def applied(mutation: Mutation, root: Path) -> str:
    """Return the file's text with the mutation.

    Raises:
        ValueError: the old text does not stand in the file exactly once.
    """
    text = (root / "sciml" / mutation.path).read_text(encoding="utf-8")
    if text.count(mutation.old) != 1:
        raise ValueError(f"{mutation.name}: {mutation.path} holds {mutation.old!r} {text.count(mutation.old)} times; say it anew")
    return text.replace(mutation.old, mutation.new)


def noticed(mutation: Mutation) -> tuple[bool, str]:
    """Return whether a test fails in a copy of the tree that holds the mutation, and the last line of pytest."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in filter(None, listed.split("\0")):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
        (copy / "sciml" / mutation.path).write_text(applied(mutation, ROOT), encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", "not slow and not gpu"]
        environment = {**os.environ, "PYTHONPATH": str(copy), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [*command, f"tests/{mutation.tests}"], cwd=copy, env=environment, capture_output=True, text=True, check=False
        )
        lines = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR")) or " passed" in line]
        # a file that cannot even be read by pytest says nothing of the mutation
        unread = bool(lines) and lines[0].startswith("ERROR") and "::" not in lines[0]
        if done.returncode not in (0, 1) or unread:
            raise RuntimeError(
                f"{mutation.name}: pytest ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
            )
        return done.returncode == 1, lines[0] if lines else ""


def main() -> int:
    """Run the mutations that are named, by default all; return how many nobody noticed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="names of mutations; all by default")
    names = parser.parse_args().names
    chosen = [mutation for mutation in MUTATIONS if not names or mutation.name in names]
    survived = []
    for mutation in chosen:
        begin = time.monotonic()
        found, line = noticed(mutation)
        print(
            f"{'noticed ' if found else 'SURVIVED'} {mutation.name:22} {time.monotonic() - begin:6.0f} s  {line[:110]}",
            flush=True,
        )
        if not found:
            survived.append(mutation.name)
    print(f"{len(chosen) - len(survived)} of {len(chosen)} noticed")
    return len(survived)


if __name__ == "__main__":
    sys.exit(main())
