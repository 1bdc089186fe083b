"""Denoise photographs that no network has seen, beside BM3D, and say by how much and how often each network is above it.

    python benchmarks/denoising.py [--role test] [--sigma 0.05 0.1 0.2] [--colour] [--models photo-grey photo-grey-guided]

Cases by rule: the middle 256 x 256 pixels of every crop of `sciml.datasets.crops`, luma of display values or, with --colour, its
three channels; noise seeded by the crop's place in the list. BM3D is the package `bm3d` (extra `nonfree`, non-commercial), its
colour form for colours, at the best of three strengths on the crops of the validation photographs at that noise level; the
networks get the noise level and nothing else. The interval is a bootstrap
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

Case = tuple[str, torch.Tensor, torch.Tensor]


def cases(role: str, sigma: float, colour: bool) -> list[Case]:
    """Return photograph, truth and noisy picture of each crop."""
    crops, found = photo_crops(role), []
    pixels = load_crops(crops)
    mixes = np.eye(3) if colour else np.asarray(LUMA)[None]
    for index, crop in enumerate(crops):
        channels = [centre((pixels[crop.name] @ mix / 255).astype(np.float32), SIZE) for mix in mixes]
        truth = torch.from_numpy(np.stack(channels))[None]
        noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(SEED + index))
        found.append((crop.photograph, truth, truth + sigma * noise))
    return found


def rival(noisy: torch.Tensor, sigma: float, strength: float) -> torch.Tensor:
    """Return BM3D of a picture, of colours together."""
    if noisy.shape[1] == 1:
        return bm3d(noisy, task("denoise", size=SIZE, sigma=sigma).physics, strength)
    from bm3d import bm3d_rgb  # pyright: ignore[reportMissingImports]

    found = bm3d_rgb(noisy[0].permute(1, 2, 0).numpy().astype(np.float64), strength * sigma, colorspace="opp")
    return torch.from_numpy(found).permute(2, 0, 1)[None].float()


def timed(run: Callable[[torch.Tensor], torch.Tensor], case: Case) -> tuple[float, float]:
    """Return PSNR of what is made of a noisy picture, cut to [0, 1], and CPU seconds."""
    _, truth, noisy = case
    begin = time.process_time()
    picture = run(noisy)
    seconds = time.process_time() - begin
    return psnr(picture[0].clamp(0, 1).numpy(), truth[0].numpy(), 1), seconds


def compare(sigma: float, role: str, colour: bool, networks: Mapping[str, Denoiser]) -> Iterator[list[str]]:
    """Yield the row of BM3D and of each network at a noise level.

    Raises:
        RuntimeError: a reconstruction is not certified.
    """
    physics = task("denoise", size=SIZE, sigma=sigma).physics
    tuned = {
        strength: np.mean(
            [timed(partial(rival, sigma=sigma, strength=strength), case)[0] for case in cases("validation", sigma, colour)]
        )
        for strength in STRENGTHS
    }
    strength = max(tuned, key=lambda one: tuned[one])
    pictures = cases(role, sigma, colour)
    theirs = np.array([timed(partial(rival, sigma=sigma, strength=strength), case) for case in pictures])
    mean, seconds = theirs.mean(0)
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
        gain, (mean, seconds) = scores[:, 0] - theirs[:, 0], scores.mean(0)
        low, high = grouped_interval(gain, [photograph for photograph, _, _ in pictures], SEED)
        beside = f"{gain.mean():+.3f} ({low:+.3f} to {high:+.3f})"
        share, least = f"{100 * (gain > 0).mean():.0f}", f"{gain.min():+.2f}"
        yield [f"{sigma:g}", name, f"{mean:.3f}", beside, share, least, f"{np.mean(gradients):.0f}", f"{seconds:.2f}"]


def main() -> None:
    """Print one row a noise level and network, as Markdown, each as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--role", default="test", choices=("test", "validation"))
    parser.add_argument("--sigma", type=float, nargs="+", default=[0.05, 0.1, 0.2])
    parser.add_argument("--colour", action="store_true")
    parser.add_argument("--models", nargs="+", help="without: those of luma, or of colours")
    arguments = parser.parse_args()
    colours = ["photo-colour", "photo-colour-guided"]
    models = arguments.models or (colours if arguments.colour else ["photo-grey-explicit", "photo-grey", "photo-grey-guided"])
    torch.set_num_threads(1)
    networks = {name: load_denoiser(name) for name in models}
    columns = ["sigma", "method", "PSNR, dB", "less BM3D, dB (95 %)", "above BM3D, %", "least, dB", "gradients", "CPU s"]
    print("\n".join(["| " + " | ".join(columns) + " |", "|--" * len(columns) + "|"]), flush=True)
    for sigma in arguments.sigma:
        for row in compare(sigma, arguments.role, arguments.colour, networks):
            print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
