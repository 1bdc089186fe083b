"""A photograph of many megapixels in colour, sharpened from the shell: time, memory, and whether its parts show.

python benchmarks/deblurring_large.py [--width 4000] [--height 3000] [--prior tv] [--error warp] [--threads 2]

The picture is a test photograph side by side, blurred by a shake and given with a kernel turned by 8 degrees, noise 1 % in linear
light, 8 bits. `sciml deblurring restore` runs in a process of its own; peaks are of its resident size. Across the lines between
parts the change of the error from pixel to pixel is compared with that of the surroundings: a seam would stand out above 1.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from sciml.datasets.loaders import load
from sciml.deblurring.kernels.canonical import read_kernel
from sciml.deblurring.kernels.errors import perturbed
from sciml.deblurring.solvers.tiles import LEARNED_SIDE, SIDE, parts_of
from sciml.formats.image import linear_to_srgb, srgb_to_linear
from sciml.formats.read import read_image
from sciml.formats.write import write_image
from sciml.imaging.operators.convolution import ValidBlur

PICTURE, KERNEL, TURN, SIGMA = "kodim23", "shake:3", "rotation:8", 0.01
STRIP, NEAR = 600, 4


def scene(width: int, height: int, folder: Path) -> np.ndarray:
    """Write the blurred picture and the given kernel; return the truth in display values, (height, width, 3)."""
    kernel = read_kernel(KERNEL).kernel
    margin = len(kernel) // 2
    tile = np.asarray(load(PICTURE).array, np.float32)
    count = [-(-(length + 2 * margin) // side) for length, side in zip((height, width), tile.shape, strict=False)]
    sharp = np.tile(tile, (*count, 1))[: height + 2 * margin, : width + 2 * margin]
    random = torch.Generator().manual_seed(0)
    blurred = np.empty((height, width, 3), np.float32)
    for top in range(0, height, STRIP):
        rows = min(STRIP, height - top)
        light = torch.from_numpy(srgb_to_linear(sharp[top : top + rows + 2 * margin]).astype(np.float32)).permute(2, 0, 1)[None]
        y = ValidBlur(kernel, (rows, width)).A(light) + SIGMA * torch.randn(1, 3, rows, width, generator=random)
        blurred[top : top + rows] = linear_to_srgb(y[0].permute(1, 2, 0).numpy().clip(0, 1))
    write_image(folder / "blurred.png", blurred)
    np.save(folder / "kernel.npy", perturbed(kernel, TURN, np.random.default_rng(0)))
    return sharp[margin:-margin, margin:-margin]


def lines(error: np.ndarray, prior: str) -> str:
    """Return the largest root mean square of the error's change across a line between parts, over that of its surroundings."""
    side, words = SIDE if prior == "tv" else LEARNED_SIDE, []
    for axis, name in enumerate(("rows", "columns")):
        change = np.sqrt(np.square(np.diff(error, axis=axis)).mean(axis=(1 - axis, 2)))
        at = [first - 1 for first, _ in parts_of(error.shape[axis], side)[1:]]
        near = [change[line] / np.median(change[line - NEAR : line + NEAR]) for line in at]
        words += [f"{name} {max(near):.2f} of {len(at)}"] if at else []
    return "; ".join(words) or "none"


def main() -> None:
    """Print one line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # pyright: ignore[reportOptionalMemberAccess]
    parser.add_argument("--width", type=int, default=4000)
    parser.add_argument("--height", type=int, default=3000)
    parser.add_argument("--prior", default="tv")
    parser.add_argument("--error", default="warp")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        truth = scene(options.width, options.height, folder)
        words = ["restore", "blurred.png", "--kernel", "kernel.npy", "--out", "sharp.png", "--prior", options.prior]
        command = [
            sys.executable,
            "-m",
            "sciml",
            "deblurring",
            *words,
            "--error",
            options.error,
            "--threads",
            str(options.threads),
        ]
        begin = time.perf_counter()
        subprocess.run(command, cwd=folder, check=True, env={**os.environ, "OMP_NUM_THREADS": str(options.threads)})
        wall, used = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
        error, blurred = (read_image(folder / f"{one}.png").array - truth for one in ("sharp", "blurred"))
    before, after = (-10 * np.log10(np.square(one).mean()) for one in (blurred, error))
    print(
        f"{options.width} x {options.height}, {options.prior}, error model {options.error}: {wall:.0f} s of wall time, "
        f"{used.ru_utime + used.ru_stime:.0f} CPU s, peak {used.ru_maxrss / 1024:.0f} MiB, {before:.2f} -> {after:.2f} dB; "
        f"across lines between parts: {lines(error, options.prior)}"
    )


if __name__ == "__main__":
    main()
