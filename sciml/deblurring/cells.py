"""The grid of the study: an image prior beside a model of the kernel's error, `prior/error` for short.

The error model gives the kernel, the prior the image. `true` in place of an error model is the true kernel: an oracle, for what
the kernel's error costs. Solvers beside the grid take the kernel as given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from sciml.deblurring.image import natural_weight, restored
from sciml.deblurring.peers import hyper_laplacian, richardson_lucy
from sciml.deblurring.tv import Canvas, total_variation
from sciml.imaging.kernels import Kernel
from sciml.imaging.physics import ValidBlur
from sciml.runtime.errors import ConfigError, DataError

TRUE = "true"
# what is shipped, chosen on validation pairs
DEFAULT = "tv/warp"
GRID = ("none", "warp", "kernel", "both", TRUE)
# solvers that know nothing of a kernel's error; circular: the boundary as most programs have it, for what that costs
BESIDE = {
    "hyper-laplacian": ("none", TRUE),
    "richardson-lucy": ("none", TRUE),
    "tv-circular": ("none", TRUE),
}


def cells(priors: Sequence[str], chosen: Sequence[str] | None = None) -> list[str]:
    """Return the cells of these priors, or of them those that were chosen.

    Raises:
        ConfigError: a chosen cell does not exist.
    """
    every = [f"{prior}/{error}" for prior in priors for error in BESIDE.get(prior, GRID)]
    if chosen is None:
        return every
    if unknown := [name for name in chosen if name not in every]:
        raise ConfigError(f"there is no cell {unknown[0]!r} in the grid: there are {', '.join(every)}")
    return [name for name in every if name in chosen]


def parted(cell: str) -> tuple[str, str]:
    """Return prior and error model of a cell."""
    prior, _, model = cell.rpartition("/")
    return prior, model


def weight_of(weights: Mapping[str, Any], prior: str, model: str) -> float:
    """Return the tuned weight of a cell.

    Args:
        weights: what the `tune` stage wrote, by prior.
        prior: of the cell.
        model: its error model.

    Raises:
        DataError: it was not tuned.
    """
    try:
        return float(weights[prior][model]["weight"])
    except KeyError as error:
        raise DataError(f"no weight was tuned for {prior}/{model}: run the tune stage again") from error


def solve(y: Tensor, kernel: Kernel, sigma: float, prior: str, weight: float) -> Tensor:
    """Return the image of a kernel on its canvas, or on the picture for the circular boundary.

    Args:
        y: picture (1, 1, height, width), linear light.
        kernel: taken as known.
        sigma: standard deviation of the noise.
        prior: of the grid or beside it.
        weight: of the prior: in units of sigma |k|_2, for the two solvers beside it in their own.
    """
    if prior in ("hyper-laplacian", "richardson-lucy"):
        blur = ValidBlur(kernel, (y.shape[-2], y.shape[-1]), y.dtype, y.device)
        return (hyper_laplacian if prior == "hyper-laplacian" else richardson_lucy)(y, blur, sigma, weight)
    if prior == "tv-circular":
        return circular(y, kernel, weight * natural_weight(kernel, sigma, None))
    return restored(y, kernel, prior, weight * natural_weight(kernel, sigma, None))


def circular(y: Tensor, kernel: Kernel, weight: float) -> Tensor:
    """Return the image under total variation as if the picture went on from its other side: what few real pictures do."""
    height, width = (int(length) for length in y.shape[-2:])
    size, margin = len(kernel), len(kernel) // 2
    padded = y.new_zeros(1, 1, height, width)
    padded[..., :size, :size] = torch.from_numpy(kernel).to(y)
    transfer = torch.fft.rfft2(torch.roll(padded, (-margin, -margin), (-2, -1)))
    canvas = Canvas(y, transfer, torch.ones_like(y[:, :1]), y, (height, width), (height, width), 0)
    return total_variation(canvas, weight, 100).x


def picture_of(x: Tensor, y: Tensor) -> Tensor:
    """Return the part of a canvas image that the picture shows."""
    top, left = ((x.shape[axis] - y.shape[axis]) // 2 for axis in (-2, -1))
    return x[..., top : top + y.shape[-2], left : left + y.shape[-1]]
