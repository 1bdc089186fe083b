"""Denoise photographs that no network has seen, beside BM3D, and say by how much and how often each network is above it.

    python benchmarks/denoising.py [--role test] [--sigma 0.05 0.1 0.2] [--models photo-grey photo-grey-guided]

Cases by rule: the middle 256 x 256 pixels of every crop of `sciml.datasets.crops`, luma of display values; noise seeded by the
crop's place in the list. BM3D is the package `bm3d` (extra `nonfree`, non-commercial) at the best of three strengths on the crops
of the validation photographs at that noise level; the networks get the noise level and nothing else. The interval is a bootstrap
of 95 % over photographs, of which some have several crops. Gradients are those of `reconstruct` at its default tolerance, CPU
seconds those of it and of BM3D on one thread. About half a minute a crop and noise level.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np
import torch

from sciml.datasets.crops import load_crops, photo_crops
from sciml.datasets.loaders import LUMA
from sciml.imaging import task
from sciml.imaging.metrics import psnr
from sciml.imaging.solvers.classical import bm3d
from sciml.imaging.tasks.cases import centre
from sciml.proximal import load_denoiser, reconstruct
from sciml.proximal.networks.forms import Denoiser
from sciml.runtime.bootstrap import grouped_interval

SIZE = (256, 256)
STRENGTHS = (0.9, 1.0, 1.1)
SEED = 20261202


def cases(role: str, sigma: float) -> list[tuple[str, torch.Tensor, torch.Tensor]]:
    """Return photograph, truth and noisy picture of each crop."""
    crops, found = photo_crops(role), []
    pixels = load_crops(crops)
    for index, crop in enumerate(crops):
        luma = centre((pixels[crop.name] @ np.asarray(LUMA) / 255).astype(np.float32), SIZE)
        truth = torch.from_numpy(luma)[None, None]
        noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(SEED + index))
        found.append((crop.photograph, truth, truth + sigma * noise))
    return found


def timed(run: Callable[[torch.Tensor], torch.Tensor], case: tuple[str, torch.Tensor, torch.Tensor]) -> tuple[float, float]:
    """Return PSNR of what is made of a noisy picture, cut to [0, 1], and CPU seconds."""
    _, truth, noisy = case
    begin = time.process_time()
    picture = run(noisy)
    seconds = time.process_time() - begin
    return psnr(picture[0, 0].clamp(0, 1).numpy(), truth[0, 0].numpy(), 1), seconds


def compare(sigma: float, role: str, networks: Mapping[str, Denoiser]) -> Iterator[list[str]]:
    """Yield the row of BM3D and of each network at a noise level.

    Raises:
        RuntimeError: a reconstruction is not certified.
    """
    physics = task("denoise", size=SIZE, sigma=sigma).physics
    tuned = {
        strength: np.mean(
            [timed(partial(bm3d, physics=physics, strength=strength), case)[0] for case in cases("validation", sigma)]
        )
        for strength in STRENGTHS
    }
    strength = max(tuned, key=lambda one: tuned[one])
    pictures = cases(role, sigma)
    rival = np.array([timed(partial(bm3d, physics=physics, strength=strength), case) for case in pictures])
    mean, seconds = rival.mean(0)
    yield [f"{sigma:g}", f"BM3D, strength {strength:g}", f"{mean:.3f}", "", "", "", "", f"{seconds:.2f}"]
    for name, network in networks.items():
        gradients: list[int] = []

        def run(noisy: torch.Tensor, network: Denoiser = network, gradients: list[int] = gradients) -> torch.Tensor:
            found = reconstruct(noisy, physics, network, sigma)  # pyright: ignore[reportArgumentType]
            if not found.certificate.certified:
                raise RuntimeError(f"uncertified: {found.certificate.reason}")
            gradients.append(found.gradients)
            return found.image

        scores = np.array([timed(run, case) for case in pictures])
        gain, (mean, seconds) = scores[:, 0] - rival[:, 0], scores.mean(0)
        low, high = grouped_interval(gain, [photograph for photograph, _, _ in pictures], SEED)
        beside = f"{gain.mean():+.3f} ({low:+.3f} to {high:+.3f})"
        share, least = f"{100 * (gain > 0).mean():.0f}", f"{gain.min():+.2f}"
        yield [f"{sigma:g}", name, f"{mean:.3f}", beside, share, least, f"{np.mean(gradients):.0f}", f"{seconds:.2f}"]


def main() -> None:
    """Print one row a noise level and network, as Markdown, each as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--role", default="test", choices=("test", "validation"))
    parser.add_argument("--sigma", type=float, nargs="+", default=[0.05, 0.1, 0.2])
    parser.add_argument("--models", nargs="+", default=["photo-grey-explicit", "photo-grey", "photo-grey-guided"])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    networks = {name: load_denoiser(name) for name in arguments.models}
    columns = ["sigma", "method", "PSNR, dB", "less BM3D, dB (95 %)", "above BM3D, %", "least, dB", "gradients", "CPU s"]
    print("\n".join(["| " + " | ".join(columns) + " |", "|--" * len(columns) + "|"]), flush=True)
    for sigma in arguments.sigma:
        for row in compare(sigma, arguments.role, networks):
            print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
