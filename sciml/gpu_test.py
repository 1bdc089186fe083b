"""`sciml doctor --try-gpu`: what works on a GPU, by the commands that use one: each runs with a GPU and without, on one input."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sciml.doctor import Finding, print_findings, seen_by_frameworks
from sciml.runtime.devices import find_gpus

if TYPE_CHECKING:
    import numpy as np

# of all commands together: the first job of a long run must not be long itself
LIMIT_SECONDS = 300
# relative: a GPU may round products to fewer bits, and a training draws other random numbers there
SOLVED, TRAINED = 1e-3, 0.5
PREPARE = (
    "data export camera --crop 60 190 64 64 --out photo.npy",
    "progression simulate --grid 4.5mm --train 2 --validation 1 --test 1 --visits 2 --out cohort",
)


@dataclass(frozen=True)
class Check:
    """One command.

    Attributes:
        subject: what it stands for.
        words: of the command; `OUT` is its result, `--gpu` comes last.
        result: the file that is compared, `OUT` or one in it.
        tolerance: largest relative difference, in the root mean square.
    """

    subject: str
    words: str
    result: str
    tolerance: float = SOLVED


CHECKS = (
    Check("reconstruction", "imaging solve photo.npy --task denoise --method tv --out OUT.npy", "OUT.npy"),
    Check("learned prior", "proximal denoise photo.npy --noise-std 0.1 --out OUT.npy", "OUT.npy"),
    Check("deblurring", "deblurring restore photo.npy --kernel motion:9,20 --error none --out OUT.npy", "OUT.npy"),
    Check("active fluid", "active-fluid simulate --points 32 --until 0.5 --out OUT.nc", "OUT.nc"),
    Check("training of a prior", "proximal train short --tier ci --out OUT", "OUT/history.csv", TRAINED),
    Check("training on brains", "progression train-autoencoder cohort --tier ci --out OUT", "OUT/history.csv", TRAINED),
)


def examine_gpus() -> bool:
    """Print what works on the machine's GPUs, and return whether all of it does.

    Raises:
        ConfigError: there is no GPU, or its driver does not answer.
    """
    print(f"GPUs: {', '.join(find_gpus())}; each command runs on one of them and on the processor", flush=True)
    with TemporaryDirectory(prefix="sciml-gpus-") as folder:
        findings = [*seen_by_frameworks(), *compared(Path(folder))]
    print_findings(findings)
    return all(finding.verdict == "good" for finding in findings)


def compared(folder: Path) -> Iterator[Finding]:
    """Run all commands with a GPU and without; yield what came of each.

    Args:
        folder: for inputs and results.
    """
    # where archives cannot be had, fewer data may do as well
    _run(["data", "fetch", "--data-tier", "ci"], folder, time.monotonic() + LIMIT_SECONDS)
    end = time.monotonic() + LIMIT_SECONDS
    for words in PREPARE:
        if problem := _run(shlex.split(words), folder, end):
            yield Finding("inputs", "missing", problem, f"sciml {words}")
            return
    for number, check in enumerate(CHECKS):
        took = []
        for gpus in ("0", "1"):
            begin = time.monotonic()
            words = [*shlex.split(check.words.replace("OUT", f"{number}-{gpus}")), "--gpu", gpus]
            if problem := _run(words, folder, end):
                yield Finding(check.subject, "missing", problem, f"sciml {shlex.join(words)}")
                break
            took.append(time.monotonic() - begin)
        else:
            here, there = (numbers(folder / check.result.replace("OUT", f"{number}-{gpus}")) for gpus in ("0", "1"))
            apart = difference(there, here)
            detail = f"GPU and processor differ by {apart:.1e}; {took[1]:.0f} and {took[0]:.0f} s with the start"
            good = apart <= check.tolerance
            advice = "" if good else f"expected at most {check.tolerance:g}: another driver or torch; NVIDIA_TF32_OVERRIDE=0"
            yield Finding(check.subject, "good" if good else "missing", detail, advice)


def _run(words: list[str], folder: Path, end: float) -> str:
    """Run a command of this package; return its last line where it failed, else nothing."""
    program = [sys.executable, "-c", "from sciml.cli import main; main()", *words]
    try:
        left = max(0.1, end - time.monotonic())
        done = subprocess.run(program, cwd=folder, text=True, capture_output=True, check=False, timeout=left)
    except subprocess.TimeoutExpired:
        return f"not done: all commands together took {LIMIT_SECONDS} s"
    return (done.stderr.strip().splitlines() or ["it failed without a word"])[-1] if done.returncode else ""


def numbers(path: Path) -> np.ndarray:
    """Return what a result holds as one vector: an image, the fields of a run, the mean loss of a training."""
    import numpy as np

    if path.suffix == ".csv":
        with path.open() as file:
            column = file.readline().strip().split(",").index("loss")
            found = np.array([float(line.split(",")[column]) for line in file]).mean(keepdims=True)
    elif path.suffix == ".nc":
        import xarray

        with xarray.open_dataset(path) as run:
            fields = [np.asarray(run[name]) for name in sorted(map(str, run.data_vars))]
        found = np.concatenate([np.ravel(field) for field in fields if field.dtype.kind == "f"])
    else:
        found = np.load(path).ravel()
    return found


def difference(found: np.ndarray, wanted: np.ndarray) -> float:
    """Return the root mean square of the difference over that of what is wanted; infinite where their lengths differ."""
    import numpy as np

    if found.shape != wanted.shape:
        return float("inf")
    return float(np.linalg.norm(found - wanted) / max(np.linalg.norm(wanted), np.finfo(float).tiny))
