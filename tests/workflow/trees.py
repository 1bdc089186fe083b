"""Copies of the tree in which Snakemake runs: with the example family, tiny settings and a stand-in for slow stages."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("Snakefile", "workflows", "profiles", "sciml", "config", "data", "references.bib", "tests/example_family")
BOTH = "tests/example_family/Snakefile"
EXAMPLE = "tests/example_family/workflow/Snakefile"
STUDY = {
    "size": [32, 32],
    "validation_images": 1,
    "test_images": 2,
    "variants": {"sigma 0.1": {"sigma": 0.1}},
    "methods": ["nlm"],
}
SETTINGS = {
    "name": "tiny",
    "tier": "ci",
    "data_tier": "ci",
    "master_seed": 7,
    "imaging": {"check_size": [16, 16], "studies": {"denoise": STUDY}},
    "example": {"steps": 800, "checkpoint_every_steps": 50, "size": 32, "train_pictures": 2, "test_pictures": 2},
}

# what follows the stages of the classical study is asked here, not their numbers; everything else is the real command
STAND_IN = """#!/usr/bin/env bash
set -eu
[ "$1 $2" = "stage imaging" ] || exec "$REAL_SCIML" "$@"
stage=$3
while [ "$1" != --output ]; do shift; done
write() {
  mkdir -p "$1"
  echo "$stage" > "$1/$2"
  echo '{}' > "$1/provenance.json"
}
case $stage in
  report)
    echo page > "$2"
    echo '{"page": "imaging.html", "title": "Classical", "question": "?", "tier": "ci"}' > "${2%.html}.report.json" ;;
  check) write "$2" checks.json ;;
  reconstruct)
    write "$2/measure" measurements.safetensors
    write "$2/tune" parameters.json
    write "$2/solve" reconstructions.safetensors ;;
  evaluate) write "$2/denoise/evaluate" metrics.json ;;
esac
"""


@dataclass
class Tree:
    """A copy of the tree in `root`; nothing in it is shared with the checkout but the environment."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def make(cls, root: Path, stand_in: bool = True) -> Tree:
        """Copy the tree; with `stand_in` the stages of the classical study only write files."""
        for part in PARTS:
            source, target = ROOT / part, root / part
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, target)
        scripts = Path(sys.executable).parent
        environment = {
            **os.environ,
            "PYTHONPATH": f"{root}{os.pathsep}{root / 'tests/example_family'}",
            "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
            "OMP_NUM_THREADS": "1",
            "REAL_SCIML": str(scripts / "sciml"),
        }
        environment.pop("SNAKEMAKE_PROFILE", None)
        if stand_in:
            (root / "bin").mkdir()
            (root / "bin" / "sciml").write_text(STAND_IN)
            (root / "bin" / "sciml").chmod(0o755)
            environment["PATH"] = f"{root / 'bin'}{os.pathsep}{environment['PATH']}"
        tree = cls(root, environment)
        tree.settings("tiny.yaml")
        return tree

    def settings(self, name: str, **example: object) -> None:
        """Write a settings file; keywords change the block of the example family."""
        (self.root / name).write_text(yaml.safe_dump({**SETTINGS, "example": {**SETTINGS["example"], **example}}))

    def command(self, *arguments: str, snakefile: str = BOTH, settings: str = "./tiny.yaml") -> list[str]:
        """Return a call of Snakemake in this tree."""
        return ["snakemake", "-s", snakefile, *arguments, "--config", f"tier={settings}"]

    def call(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command here; both of its streams are in `stdout`."""
        return subprocess.run(
            command,
            cwd=self.root,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )

    def snakemake(
        self, *arguments: str, snakefile: str = BOTH, settings: str = "./tiny.yaml"
    ) -> subprocess.CompletedProcess[str]:
        """Run Snakemake to its end."""
        return self.call(*self.command(*arguments, snakefile=snakefile, settings=settings))

    def pending(self) -> set[str]:
        """Return the rules that Snakemake would run now."""
        result = self.snakemake("-n")
        assert result.returncode == 0, result.stdout
        rules = jobs(result.stdout)
        assert bool(rules) != ("Nothing to be done" in result.stdout), result.stdout
        return rules

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text that stands in the file exactly once."""
        text = (self.root / path).read_text()
        assert text.count(old) == 1, f"{path} has {text.count(old)} times {old!r}"
        (self.root / path).write_text(text.replace(old, new))


def jobs(output: str) -> set[str]:
    """Return the rules in the table of jobs that Snakemake prints."""
    table = re.search(r"^job +count\n-+ +-+\n(.*?)^total", output, re.MULTILINE | re.DOTALL)
    return {line.split()[0] for line in table[1].splitlines() if line.strip()} - {"all", "study"} if table else set()


def child_seconds() -> float:
    """Return the processor time of all ended children so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
