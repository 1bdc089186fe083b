"""Cartesian MR imaging: k-space of one coil or of several, sampling masks, and what simulates them.

Images are (batch, 2, height, width), real and imaginary parts; k-space has its zero frequency in the middle. All operators have
norm at most 1.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from sciml.imaging.operators.linear import Linear
from sciml.runtime.errors import ConfigError, ShapeError


class MRI(Linear):
    """A x = m F x: single-coil k-space at the sampled places, F the orthonormal centred Fourier transform; norm 1.

    Images and measurements are (batch, 2, height, width): real and imaginary parts.

    Args:
        mask: (1, 2, height, width), 1 where k-space is sampled.
    """

    def __init__(self, mask: Float[Tensor, "1 2 height width"]) -> None:
        self.mask = mask

    def A(self, x: Float[Tensor, "batch 2 height width"], **kwargs: object) -> Float[Tensor, "batch 2 height width"]:
        """Return the sampled k-space."""
        return self.mask * _as_channels(_centred(torch.fft.fftn, _as_complex(x)))

    def A_adjoint(self, y: Float[Tensor, "batch 2 height width"], **kwargs: object) -> Float[Tensor, "batch 2 height width"]:
        """Return the zero-filled image."""
        return _as_channels(_centred(torch.fft.ifftn, _as_complex(self.mask * y)))


class MultiCoilMRI(Linear):
    """A x = (m F s_1 x, ..., m F s_C x): k-space of every coil, the image seen with the coil's sensitivity; norm at most 1.

        A^T y = sum_c conj(s_c) F^T m y_c,   sum_c |s_c|^2 = 1

    Sensitivities are divided to fulfil the second, so that A^T A is the identity where all of k-space is sampled.

    Args:
        mask: (1, 2, height, width), 1 where k-space is sampled, as of `MRI`.
        sensitivities: (coils, height, width), complex; somewhere above 0 at every pixel.

    Raises:
        ShapeError: mask and sensitivities are not of one size.
        ConfigError: a pixel is seen by no coil.
    """

    def __init__(self, mask: Float[Tensor, "1 2 height width"], sensitivities: Complex[Tensor, "coils height width"]) -> None:
        if mask.shape[-2:] != sensitivities.shape[-2:] or sensitivities.ndim != 3:
            raise ShapeError(
                f"sensitivities have shape {tuple(sensitivities.shape)}: expected (coils, {mask.shape[-2]}, {mask.shape[-1]})"
            )
        seen = sensitivities.abs().square().sum(0).sqrt()
        if not bool((seen > 0).all()):
            raise ConfigError("a pixel is seen by no coil: sensitivities must not vanish together")
        self.mask, self.sensitivities = mask[:, :, None], sensitivities / seen

    def A(self, x: Float[Tensor, "batch 2 height width"], **kwargs: object) -> Float[Tensor, "batch 2 coils height width"]:
        """Return the sampled k-space of every coil."""
        return self.mask * _as_channels(_centred(torch.fft.fftn, self.sensitivities * _as_complex(x)[:, None]))

    def A_adjoint(
        self, y: Float[Tensor, "batch 2 coils height width"], **kwargs: object
    ) -> Float[Tensor, "batch 2 height width"]:
        """Return the zero-filled images of the coils, combined."""
        return _as_channels((self.sensitivities.conj() * _centred(torch.fft.ifftn, _as_complex(self.mask * y))).sum(1))


def coil_sensitivities(size: tuple[int, int], coils: int) -> Complex[Tensor, "coils height width"]:
    """Return smooth made-up sensitivities of coils around the picture: a Gaussian of the distance, a phase that turns with it.

        s_c(r) = exp(-|r - p_c|^2 / 2) exp(i (a_c + <r, p_c> / 2)),   p_c on a circle of radius 1.2, a_c its angle

    with r from -1 to 1 along the longer side. They are not normalised.

    Args:
        size: height and width.
        coils: number of coils, at least 1.
    """
    half = max(size) / 2
    rows, columns = ((torch.arange(side, dtype=torch.float64) - (side - 1) / 2) / half for side in size)
    angles = 2 * math.pi * torch.arange(coils, dtype=torch.float64)[:, None, None] / coils
    down, right = 1.2 * torch.sin(angles), 1.2 * torch.cos(angles)
    distance = (rows[:, None] - down).square() + (columns - right).square()
    phase = angles + (rows[:, None] * down + columns * right) / 2
    return torch.polar(torch.exp(-distance / 2), phase).to(torch.complex64)


def _as_complex(x: Tensor) -> Tensor:
    return torch.view_as_complex(x.moveaxis(1, -1).contiguous())


def _as_channels(x: Tensor) -> Tensor:
    return torch.view_as_real(x).moveaxis(-1, 1)


def _centred(transform: Any, x: Tensor) -> Tensor:
    shifted = transform(torch.fft.ifftshift(x, dim=(-2, -1)), dim=(-2, -1), norm="ortho")
    return torch.fft.fftshift(shifted, dim=(-2, -1))


def cartesian_mask(size: tuple[int, int], acceleration: float, centre_fraction: float, seed: int) -> Float[np.ndarray, "h w"]:
    """Return a random Cartesian sampling mask: whole rows of k-space, the low frequencies always.

    Args:
        size: height and width; rows are phase-encoding lines.
        acceleration: height / (number of sampled rows), at least 1.
        centre_fraction: fraction of all rows that are sampled around zero frequency.
        seed: the rows drawn outside the centre depend on it alone.

    Raises:
        ConfigError: the acceleration is below 1, or the centre alone has more rows than it allows.
    """
    if not acceleration >= 1:
        raise ConfigError(f"an acceleration is at least 1 (all rows), got {acceleration}")
    height, width = size
    rows = round(height / acceleration)
    centre = max(1, round(height * centre_fraction))
    if not 0 < centre <= rows <= height:
        raise ConfigError(f"acceleration {acceleration} leaves {rows} of {height} rows, but the centre alone takes {centre}")
    start = height // 2 - centre // 2
    chosen = np.zeros(height, dtype=bool)
    chosen[start : start + centre] = True
    outside = np.flatnonzero(~chosen)
    chosen[np.random.default_rng(seed).choice(outside, rows - centre, replace=False)] = True
    return np.repeat(chosen[:, None], width, axis=1).astype(np.float32)


def cartesian_mri(
    size: tuple[int, int], acceleration: float, centre_fraction: float, seed: int, device: torch.device | str = "cpu"
) -> MRI:
    """Return the single-coil Cartesian MR physics, images as (batch, 2, height, width) real and imaginary parts."""
    mask = torch.from_numpy(cartesian_mask(size, acceleration, centre_fraction, seed))
    return MRI(mask.expand(1, 2, *size).clone().to(device))


def smooth_phase(size: tuple[int, int], generator: torch.Generator, waves: int = 3) -> Float[Tensor, "height width"]:
    """Return a smooth random phase in radians: a random trigonometric polynomial of low degree, scaled to +- pi / 2 at most.

    Args:
        size: height and width.
        generator: source of randomness.
        waves: highest number of half periods across the image.
    """
    degree = torch.arange(waves + 1, dtype=torch.float64)
    drawn = torch.randn(waves + 1, waves + 1, generator=generator, device=generator.device, dtype=torch.float64).cpu()
    amplitude = drawn / (1 + degree[:, None] + degree)
    rows = torch.cos(math.pi * degree * (torch.arange(size[0], dtype=torch.float64)[:, None] + 0.5) / size[0])
    columns = torch.cos(math.pi * degree * (torch.arange(size[1], dtype=torch.float64)[:, None] + 0.5) / size[1])
    phase = rows @ amplitude @ columns.T
    return (phase / phase.abs().max() * math.pi / 2).float()
