"""Sharpen photographs whose camera shake nobody knows: how much of what the true kernel would gain the picture alone brings.

    python benchmarks/blind.py [--role test|validation] [--pairs 32] [--seed 20261203]

Pairs by a rule: the first crop of each photograph of `sciml.datasets.crops`, then the second ones and so on, the middle 256 x 256
pixels; each with a shake of its own on 13, 19 and 27 pixels in turn, luminance in linear light, 1 % noise, all seeded by the
pair's number. The estimate is told neither the kernel's size nor the noise. Both restorations are `deblur` by total variation;
PSNR of display values at the best shift, since the kernel's place cannot be known. The gap is what the true kernel gains over
the blurred picture; the interval is a bootstrap of 95 % over photographs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from scipy import signal

from sciml.datasets.crops import Crop, load_crops, photo_crops
from sciml.datasets.loaders import LUMA
from sciml.deblurring import deblur, estimate_kernel
from sciml.deblurring.commands.job import ESTIMATE_SIZE
from sciml.deblurring.study.metrics import best_shift_psnr
from sciml.formats.image import linear_to_srgb, srgb_to_linear
from sciml.imaging.operators.kernels import Kernel, camera_shake
from sciml.runtime.bootstrap import grouped_interval

SIDE, NOISE, SEED = 256, 0.01, 20261203
SIZES = (13, 19, 27)
# pixels left out at each side by the scores
BORDER = 14


class Pair(NamedTuple):
    """A photograph, what shook the camera, and what came of it, in linear light."""

    photograph: str
    truth: np.ndarray
    kernel: Kernel
    blurred: np.ndarray


def chosen(role: str, count: int) -> list[Crop]:
    """Return crops: the first of each photograph, then the second of each, and so on."""
    seen: dict[str, int] = {}
    order = []
    for place, crop in enumerate(photo_crops(role)):
        seen[crop.photograph] = seen.get(crop.photograph, 0) + 1
        order.append((seen[crop.photograph], place, crop))
    return [crop for _, _, crop in sorted(order, key=lambda entry: entry[:2])[:count]]


def pairs(role: str, count: int, seed: int = SEED) -> Iterator[Pair]:
    """Yield the pairs of a role."""
    crops = chosen(role, count)
    pixels = load_crops(crops)
    for number, crop in enumerate(crops):
        size = SIZES[number % len(SIZES)]
        generator = np.random.default_rng((seed, number))
        kernel = camera_shake(size, generator)
        light = srgb_to_linear(pixels[crop.name] / 255) @ np.asarray(LUMA)
        canvas = SIDE + size - 1
        top, left = ((length - canvas) // 2 for length in light.shape)
        canvas = light[top : top + canvas, left : left + canvas]
        blurred = signal.fftconvolve(canvas, kernel, mode="valid")
        blurred += NOISE * generator.normal(size=blurred.shape)
        margin = size // 2
        yield Pair(crop.photograph, canvas[margin:-margin, margin:-margin], kernel, blurred.astype(np.float32))


def scored(picture: np.ndarray, truth: np.ndarray) -> float:
    """Return PSNR of display values at the best shift."""
    shown, wanted = (linear_to_srgb(np.clip(light, 0, 1)) for light in (picture, truth))
    return best_shift_psnr(shown, wanted, reach=8, border=BORDER).psnr


def main() -> None:
    """Print one row a pair and the means, as Markdown, each as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--role", default="test", choices=("test", "validation"))
    parser.add_argument("--pairs", type=int, default=32)
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    columns = ["photograph", "kernel", "blurred, dB", "true kernel", "blind", "share of the gap, %", "CPU s", "halves agree"]
    print("\n".join(["| " + " | ".join(columns) + " |", "|--" * len(columns) + "|"]), flush=True)
    photographs, gains, sure = [], [], []
    for pair in pairs(arguments.role, arguments.pairs, arguments.seed):
        begin = time.process_time()
        estimate = estimate_kernel(torch.from_numpy(pair.blurred)[None, None], ESTIMATE_SIZE)
        seconds = time.process_time() - begin
        before = scored(pair.blurred, pair.truth)
        known, blind = (
            scored(np.asarray(deblur(pair.blurred, kernel, error="none").image), pair.truth) - before
            for kernel in (pair.kernel, estimate.kernel)
        )
        photographs.append(pair.photograph)
        gains.append((known, blind))
        sure.append(not estimate.doubtful)
        numbers = f"{before:.2f} | {known:+.2f} | {blind:+.2f} | {100 * blind / known:.0f} | {seconds:.1f}"
        doubt = f"{estimate.agreement:.2f}{', doubtful' if estimate.doubtful else ''}"
        print(f"| {pair.photograph} | {len(pair.kernel)} | {numbers} | {doubt} |", flush=True)
    for what, kept in {"All pairs": np.ones(len(sure), dtype=bool), "Pairs not called doubtful": np.array(sure)}.items():
        known, blind = np.array(gains)[kept].T
        low, high = grouped_interval(blind, [name for name, keep in zip(photographs, kept, strict=True) if keep], SEED)
        print(
            f"\n{what}: mean gap {known.mean():.2f} dB, blind {blind.mean():+.2f} dB ({low:+.2f} to {high:+.2f}), "
            f"{blind.sum() / known.sum():.0%} of it; at least half of the gap in {(blind >= known / 2).sum()} of {len(blind)} "
            f"pairs, below the blurred picture in {(blind < 0).sum()}, least {blind.min():+.2f} dB."
        )


if __name__ == "__main__":
    main()
