"""How kernels are kept and priors are weighed where nothing is said, on photographs that no result is judged on.

    python benchmarks/deblurring_choice.py [PHOTOGRAPHS]

Crops of 192 x 192 of the training and validation photographs of `photo-crops`, halved; seven kernels, noise of .01 and .02 in
turn; the given kernel exact, near (twice, with other kernels) or far too small or large. For each kind: PSNR of total variation
with the corrected kernel over that with the given one, with enlargements free and by the rules of
`sciml.deblurring.correction.warp`; with the kernel as given, that of the picture's own weight over the natural one, and of the
learned prior at the level and weight of the picture's noise over one level and weight for all. More than a CPU hour.
"""

from __future__ import annotations

import sys

import numpy as np
import torch

from sciml.datasets import split
from sciml.datasets.loaders import LUMA, load_photo
from sciml.deblurring import perturbed
from sciml.deblurring.correction import warp
from sciml.deblurring.correction.kernel_step import corrected_kernel
from sciml.deblurring.kernels.canonical import read_kernel
from sciml.deblurring.solvers.image import map_estimate, natural_weight, noise_unit, picture_weight, two_norm
from sciml.imaging import ValidBlur
from sciml.imaging.priors import Prior, at_noise, resolve
from sciml.imaging.tasks.cases import centre

KERNELS = ("shake:201", "shake:204,15", "motion:15,30", "disk:4", "gaussian:2", "motion:9,-60", "shake:207,19")
NEAR, FAR = "rotation:~8+scale:~0.1+smoothing:~0.5", (0.45, 0.6, 1.7, 2.3)
SIZE = 192


def main() -> None:
    """Print a row of means for each kind of given kernel."""
    torch.set_num_threads(1)
    names = [*split("photo-crops", "train"), *split("photo-crops", "validation")]
    gains: dict[str, list[tuple[float, ...]]] = {"exact": [], "near": [], "far": []}
    rules, learned = (warp.UNEXPLAINED, warp.MUCH_BETTER), resolve("lpn:photo-deblur")
    for i, name in enumerate(names[: int(sys.argv[1]) if sys.argv[1:] else None]):
        photo = load_photo(name, 2).array
        x = torch.from_numpy(centre((photo @ np.asarray(LUMA) if photo.ndim == 3 else photo).astype(np.float32), (SIZE, SIZE)))
        for j, kind in enumerate(("exact", "near", "near", "far")):
            n, sigma, true = 4 * i + j, (0.01, 0.02)[i % 2], read_kernel(KERNELS[(i + 2 * j) % len(KERNELS)]).kernel
            error = {"exact": "exact", "near": NEAR, "far": f"scale:{FAR[i % 4]}"}[kind]
            given = perturbed(true, error, np.random.default_rng(1000 + n))
            blur = ValidBlur(true, (SIZE - len(true) + 1, SIZE - len(true) + 1))
            noise = torch.randn((1, 1, *blur.A(x[None, None]).shape[-2:]), generator=torch.Generator().manual_seed(5000 + n))
            y, truth = blur.A(x[None, None]) + sigma * noise, blur.crop(x[None, None])

            def psnr(kernel: np.ndarray, weight: float, prior: str | Prior = "tv", y=y, truth=truth) -> float:
                margin = len(kernel) // 2
                found = map_estimate(y, kernel, prior, weight)[..., margin:-margin, margin:-margin]
                return float(-10 * (found - truth).square().mean().log10())

            kept = psnr(given, natural_weight(given, sigma))
            row = []
            for warp.UNEXPLAINED, warp.MUCH_BETTER in ((-np.inf, 0.0), rules):
                kernel = corrected_kernel(y, given, sigma, "warp", seed=n).kernel
                row.append(psnr(kernel, natural_weight(kernel, sigma)) - kept)
            row.append(psnr(given, picture_weight(y, given, sigma)) - kept)
            own, weight = at_noise(learned, sigma, two_norm(given))
            row.append(psnr(given, weight, own) - psnr(given, noise_unit(given, sigma), learned))
            gains[kind].append(tuple(row))
    print("| given kernel | problems | enlargements free | with the rules | the picture's weight | learned prior |")
    print("|--|--|--|--|--|--|")
    for kind, rows in gains.items():
        cells = [f"{one.mean():+.2f}, least {one.min():+.2f}, {np.mean(one < -0.3):.0%} lost" for one in np.array(rows).T]
        print(f"| {kind} | {len(rows)} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
