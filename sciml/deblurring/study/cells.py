"""The image of a cell of the grid: what each prior and each solver beside it makes of a picture and a kernel."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from sciml.deblurring.dip.blur import centred
from sciml.deblurring.solvers.image import map_estimate, noise_unit
from sciml.deblurring.solvers.peers import hyper_laplacian, richardson_lucy
from sciml.deblurring.solvers.tv import Canvas, total_variation
from sciml.deblurring.study.results import TunedWeight
from sciml.imaging.operators.convolution import ValidBlur
from sciml.imaging.operators.kernels import Kernel
from sciml.runtime.errors import DataError
from sciml.runtime.results import read_result

Weights = Mapping[str, Mapping[str, TunedWeight]]


def read_weights(files: Mapping[str, Path]) -> Weights:
    """Return the tuned weights by prior and error model, from the files of the `tune` stage by prior."""
    return {prior: read_result(path, dict[str, TunedWeight]) for prior, path in files.items()}


def weight_of(weights: Weights, prior: str, model: str) -> float:
    """Return the tuned weight of a cell.

    Args:
        weights: as `read_weights` returns them.
        prior: of the cell.
        model: its error model.

    Raises:
        DataError: it was not tuned.
    """
    try:
        return weights[prior][model].weight
    except KeyError as error:
        raise DataError(f"no weight was tuned for {prior}/{model}: run the tune stage again") from error


def solve_cell(y: Tensor, kernel: Kernel, sigma: float, prior: str, weight: float) -> Tensor:
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
        return circular(y, kernel, weight * noise_unit(kernel, sigma))
    return map_estimate(y, kernel, prior, weight * noise_unit(kernel, sigma))


def circular(y: Tensor, kernel: Kernel, weight: float) -> Tensor:
    """Return the image under total variation as if the picture went on from its other side: what few real pictures do."""
    height, width = (int(length) for length in y.shape[-2:])
    transfer = torch.fft.rfft2(centred(torch.from_numpy(kernel).to(y), (height, width)))[None, None]
    canvas = Canvas(y, transfer, torch.ones_like(y[:, :1]), y, (height, width), (height, width), 0)
    return total_variation(canvas, weight, 100).x


def picture_of(x: Tensor, y: Tensor) -> Tensor:
    """Return the part of a canvas image that the picture shows."""
    top, left = ((x.shape[axis] - y.shape[axis]) // 2 for axis in (-2, -1))
    return x[..., top : top + y.shape[-2], left : left + y.shape[-1]]
