"""Sharpen photographs of a camera that turned about its axis while it moved, from the picture alone.

    python benchmarks/blind_rotation.py [--role test|validation] [--pairs 32] [--seed 20261203]

Pairs by a rule: the crops of `benchmarks/blind.py` in its order, the middle 448 x 704 pixels of each; each with a shake of its
own on 13, 19 and 27 pixels one after the other, and a turn that moves the corners by a quarter to a half of that, drawn evenly.
The scene is resampled at each of 160 poses, without any kernel; luminance, linear light, 1 % noise, seeds by number of pair. No
estimate is told the size, the noise or the turn. All restorations are `deblur` by total variation; PSNR of display values at
the best shift. The gap is what the true poses gain over the blurred picture; intervals are bootstraps of 95 % over photographs.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from blind import NOISE, SEED, SIZES, chosen, scored

from sciml.datasets.crops import load_crops
from sciml.datasets.loaders import LUMA
from sciml.deblurring import Shake, deblur, estimate_kernel
from sciml.deblurring.commands.job import ESTIMATE_SIZE
from sciml.deblurring.study.turning import shaken, turning_shake
from sciml.formats.image import srgb_to_linear
from sciml.runtime.bootstrap import grouped_interval

HEIGHT, WIDTH = 448, 704


class Pair(NamedTuple):
    """A photograph, how the camera moved, and what came of it, in linear light."""

    photograph: str
    size: int
    truth: np.ndarray
    shake: Shake
    blurred: np.ndarray


def pairs(role: str, count: int, seed: int) -> Iterator[Pair]:
    """Yield the pairs of a role."""
    crops = chosen(role, count)
    pixels = load_crops(crops)
    for number, crop in enumerate(crops):
        size = SIZES[number % len(SIZES)]
        generator = np.random.default_rng((seed, number))
        edge = float(generator.uniform(0.25, 0.5)) * size
        shake = turning_shake(size, edge, math.hypot(HEIGHT, WIDTH) / 2, generator)
        scene = srgb_to_linear(pixels[crop.name] / 255) @ np.asarray(LUMA)
        blurred = shaken(scene, shake, (HEIGHT, WIDTH)) + NOISE * generator.normal(size=(HEIGHT, WIDTH))
        top, left = (scene.shape[0] - HEIGHT) // 2, (scene.shape[1] - WIDTH) // 2
        yield Pair(crop.photograph, size, scene[top : top + HEIGHT, left : left + WIDTH], shake, blurred.astype(np.float32))


def main() -> None:
    """Print one row a pair and the means, as Markdown, each as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--role", default="test", choices=("test", "validation"))
    parser.add_argument("--pairs", type=int, default=32)
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    columns = ["photograph", "kernel", "turn, degrees", "blurred, dB", "true poses", "one kernel", "poses", "share of the gap, %"]
    columns += ["CPU s", "tiles agree"]
    print("\n".join(["| " + " | ".join(columns) + " |", "|--" * len(columns) + "|"]), flush=True)
    photographs, gains, sure = [], [], []
    for pair in pairs(arguments.role, arguments.pairs, arguments.seed):
        y = torch.from_numpy(pair.blurred)[None, None]
        single = estimate_kernel(y, ESTIMATE_SIZE).kernel
        begin = time.process_time()
        estimate = estimate_kernel(y, ESTIMATE_SIZE, rotation=True)
        seconds = time.process_time() - begin
        before = scored(pair.blurred, pair.truth)
        known, one, blind = (
            scored(np.asarray(deblur(pair.blurred, kernel, error="none").image), pair.truth) - before
            for kernel in (pair.shake, single, estimate.shake)
            if kernel is not None
        )
        photographs.append(pair.photograph)
        gains.append((known, one, blind))
        sure.append(not estimate.doubtful)
        numbers = f"{before:.2f} | {known:+.2f} | {one:+.2f} | {blind:+.2f} | {100 * blind / known:.0f} | {seconds:.1f}"
        doubt = f"{estimate.agreement:.2f}{', doubtful' if estimate.doubtful else ''}"
        turn = math.degrees(pair.shake.turn)
        print(f"| {pair.photograph} | {pair.size} | {turn:.2f} | {numbers} | {doubt} |", flush=True)
    for what, kept in {"All pairs": np.ones(len(sure), dtype=bool), "Pairs not called doubtful": np.array(sure)}.items():
        known, one, blind = np.array(gains)[kept].T
        names = [name for name, keep in zip(photographs, kept, strict=True) if keep]
        low, high = grouped_interval(blind, names, SEED)
        least, most = grouped_interval(blind - one, names, SEED)
        print(
            f"\n{what}: mean gap {known.mean():.2f} dB; one kernel {one.mean():+.2f} dB, {one.sum() / known.sum():.0%} of it, "
            f"below the blurred picture in {(one < 0).sum()} of {len(one)}; poses {blind.mean():+.2f} dB ({low:+.2f} to "
            f"{high:+.2f}), {blind.sum() / known.sum():.0%} of it, at least half of the gap in {(blind >= known / 2).sum()}, "
            f"below the blurred picture in {(blind < 0).sum()}, least {blind.min():+.2f} dB; beside one kernel "
            f"{(blind - one).mean():+.2f} dB ({least:+.2f} to {most:+.2f}), better in {(blind > one).sum()}."
        )


if __name__ == "__main__":
    main()
