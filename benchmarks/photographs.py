"""Restore photographs that no network has seen, beside a strong classical rival: by how much and how often each is above it.

    python benchmarks/photographs.py [--problem grey|colour|blurred] [--role test] [--sigma 0.05 0.1] [--models photo-grey ...]

Cases by rule: the middle 256 x 256 pixels of every crop of `sciml.datasets.crops`, luma of display values or, with `colour`, its
three channels; noise, and with `blurred` a camera shake of 19 x 19 pixels that is known, seeded by the crop's place in the list.
The rival is BM3D by the package `bm3d` (extra `nonfree`, non-commercial), its colour form for colours, and total variation for
blurred photographs, at the best of some strengths on the crops of the validation photographs at that noise level; the networks
get the noise level and nothing else. The interval is a bootstrap of 95 % over photographs, of which some have several crops.
Gradients are those of `reconstruct` at its default tolerance, CPU seconds those of it and of the rival on one thread. About half
a minute a crop and noise level.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from sciml.datasets.crops import load_crops, photo_crops
from sciml.datasets.loaders import LUMA
from sciml.imaging import bm3d, task, tv
from sciml.imaging.metrics import psnr
from sciml.imaging.solvers.classical import noise_weight
from sciml.imaging.tasks.cases import centre
from sciml.imaging.tasks.task import Task
from sciml.proximal import load_denoiser, reconstruct
from sciml.proximal.networks.forms import Denoiser
from sciml.runtime.bootstrap import grouped_interval

SIZE = (256, 256)
SEED = 20261202
TV_ITERATIONS = 300


class Problem(NamedTuple):
    """What is done, with the strengths of its rival, and the noise levels and networks where none are named."""

    rival: str
    strengths: tuple[float, ...]
    sigmas: tuple[float, ...]
    models: tuple[str, ...]


PROBLEMS = {
    "grey": Problem("BM3D", (0.9, 1, 1.1), (0.05, 0.1, 0.2), ("photo-grey-explicit", "photo-grey", "photo-grey-guided")),
    "colour": Problem("BM3D", (0.9, 1, 1.1), (0.05, 0.1, 0.2), ("photo-colour", "photo-colour-guided")),
    "blurred": Problem("total variation", (0.5, 0.7, 1, 1.4), (0.01, 0.03), ("photo-deblur", "photo-deblur-guided")),
}


class Case(NamedTuple):
    """One crop and what is measured of it."""

    photograph: str
    truth: torch.Tensor
    measured: torch.Tensor
    task: Task


def cases(problem: str, role: str, sigma: float) -> Iterator[Case]:
    """Yield each crop with noise, blurred before where that is the problem."""
    crops = photo_crops(role)
    pixels = load_crops(crops)
    mixes = np.eye(3) if problem == "colour" else np.asarray(LUMA)[None]
    for index, crop in enumerate(crops):
        solved = task("deblur" if problem == "blurred" else "denoise", size=SIZE, seed=SEED + index, sigma=sigma)
        channels = [centre((pixels[crop.name] @ mix / 255).astype(np.float32), solved.canvas) for mix in mixes]
        truth = torch.from_numpy(np.stack(channels))[None]
        clean = solved.physics.A(truth)
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(SEED + index))
        yield Case(crop.photograph, truth, clean + sigma * noise, solved)


def classical(case: Case, sigma: float, strength: float) -> torch.Tensor:
    """Return the rival's picture: total variation of what is blurred, else BM3D, of colours together."""
    if case.task.name == "deblur":
        weight = strength * noise_weight(case.measured, case.task.physics)
        return tv(case.measured, case.task.physics, weight, iterations=TV_ITERATIONS)
    if case.truth.shape[1] == 1:
        return bm3d(case.measured, case.task.physics, strength)
    from bm3d import bm3d_rgb  # pyright: ignore[reportMissingImports]

    found = bm3d_rgb(case.measured[0].permute(1, 2, 0).numpy().astype(np.float64), strength * sigma, colorspace="opp")
    return torch.from_numpy(found).permute(2, 0, 1)[None].float()


def timed(run: Callable[[Case], torch.Tensor], case: Case) -> tuple[float, float]:
    """Return PSNR of what is made of a case, cut to [0, 1], and CPU seconds."""
    begin = time.process_time()
    picture = run(case)
    seconds = time.process_time() - begin
    found, truth = (case.task.picture(x)[0].clamp(0, 1).numpy() for x in (picture, case.truth))
    return psnr(found, truth, 1), seconds


def compare(problem: str, sigma: float, role: str, networks: Mapping[str, Denoiser]) -> Iterator[list[str]]:
    """Yield the row of the rival and of each network at a noise level.

    Raises:
        RuntimeError: a reconstruction is not certified.
    """
    tuned = {
        strength: np.mean(
            [timed(partial(classical, sigma=sigma, strength=strength), case)[0] for case in cases(problem, "validation", sigma)]
        )
        for strength in PROBLEMS[problem].strengths
    }
    strength = max(tuned, key=lambda one: tuned[one])
    pictures = list(cases(problem, role, sigma))
    rival = np.array([timed(partial(classical, sigma=sigma, strength=strength), case) for case in pictures])
    mean, seconds = rival.mean(0)
    yield [f"{sigma:g}", f"{PROBLEMS[problem].rival}, strength {strength:g}", f"{mean:.3f}", "", "", "", "", f"{seconds:.2f}"]
    for name, network in networks.items():
        gradients: list[int] = []

        def run(case: Case, network: Denoiser = network, gradients: list[int] = gradients) -> torch.Tensor:
            found = reconstruct(case.measured, case.task.physics, network, sigma)  # pyright: ignore[reportArgumentType]
            if not found.certificate.certified:
                raise RuntimeError(f"uncertified: {found.certificate.reason}")
            gradients.append(found.gradients)
            return found.image

        scores = np.array([timed(run, case) for case in pictures])
        gain, (mean, seconds) = scores[:, 0] - rival[:, 0], scores.mean(0)
        low, high = grouped_interval(gain, [case.photograph for case in pictures], SEED)
        beside = f"{gain.mean():+.3f} ({low:+.3f} to {high:+.3f})"
        share, least = f"{100 * (gain > 0).mean():.0f}", f"{gain.min():+.2f}"
        yield [f"{sigma:g}", name, f"{mean:.3f}", beside, share, least, f"{np.mean(gradients):.0f}", f"{seconds:.2f}"]


def main() -> None:
    """Print one row a noise level and network, as Markdown, each as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problem", default="grey", choices=tuple(PROBLEMS))
    parser.add_argument("--role", default="test", choices=("test", "validation"))
    parser.add_argument("--sigma", type=float, nargs="+")
    parser.add_argument("--models", nargs="+")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    problem = PROBLEMS[arguments.problem]
    networks = {name: load_denoiser(name) for name in arguments.models or problem.models}
    columns = ["sigma", "method", "PSNR, dB", "less rival, dB (95 %)", "above rival, %", "least, dB", "gradients", "CPU s"]
    print("\n".join(["| " + " | ".join(columns) + " |", "|--" * len(columns) + "|"]), flush=True)
    for sigma in arguments.sigma or problem.sigmas:
        for row in compare(arguments.problem, sigma, arguments.role, networks):
            print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
