"""Small blurred photographs and what tests of the commands ask of their files."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from blurred_scenes import blurred

from sciml.formats.image import linear_to_srgb
from sciml.imaging.operators.kernels import line

KERNEL = line(9, 30)
LIGHT, TRUTH = (np.moveaxis(part[0].numpy(), 0, -1) for part in blurred(KERNEL, 72, channels=3))
DISPLAY = linear_to_srgb(LIGHT.clip(0, 1))
BYTES = np.round(255 * DISPLAY).astype(np.uint8)
GREY = np.round(65535 * DISPLAY[..., 1]).astype(np.uint16)
FAST = ("--kernel", "motion:9,30", "--error", "none", "--noise-std", "0.01")


def refused(run, *words: object) -> str:
    """Run a command that must fail without a trace; return its line."""
    before = sorted(Path().rglob("*"))
    code, out, err = run(*words)
    lines = [text for text in err.splitlines() if not re.match(r" +\d", text)]
    assert code == 2 and not out and len(lines) == 1 and lines[0].startswith("sciml: error:"), (code, out, err)
    assert sorted(Path().rglob("*")) == before
    return lines[0]


def names(folder: str) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def decibel(result: np.ndarray, wanted: np.ndarray) -> float:
    return float(-10 * np.log10(np.square(result - wanted).mean()))
