"""Linear physics of the imaging tasks, with norm at most 1. Tasks give every operator its noise as `physics.noise_level`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sciml.imaging.operators.linear import Linear, LinearPhysics, Physics
from sciml.runtime.errors import ConfigError


@dataclass(frozen=True)
class Noise:
    """White Gaussian noise of a stated level.

    Attributes:
        level: standard deviation, absolute or as a fraction.
        relative_to: `absolute`; `measurement`, a fraction of max |A x|; `image`, a fraction of max |x|.
        complex_valued: the level is that of a complex number, so each of its two channels has level / sqrt(2).
    """

    level: float
    relative_to: str = "absolute"
    complex_valued: bool = False

    def of(self, signal: Tensor) -> Float[Tensor, " batch"]:
        """Return the standard deviation of one real entry, given the signal that the level is relative to."""
        share = self.level / math.sqrt(2) if self.complex_valued else self.level
        if self.relative_to == "absolute":
            return signal.new_full((signal.shape[0],), share)
        return share * signal.square().sum(1).amax((1, 2)).sqrt()

    def sigma(self, y: Tensor, physics: LinearPhysics) -> Float[Tensor, " batch"]:
        """Return the standard deviation of one real entry of y, for each member of the batch, as y itself tells it."""
        return self.of(physics.A_adjoint(y) if self.relative_to == "image" else y)


def noise_of(physics: LinearPhysics) -> Noise:
    """Return the noise level that a physics carries.

    Raises:
        ConfigError: it carries none.
    """
    noise = getattr(physics, "noise_level", None)
    if not isinstance(noise, Noise):
        raise ConfigError("the physics has no noise level: set physics.noise_level = Noise(level), or give the weight")
    return noise


class Identity(Linear):
    """A = I: the physics of denoising.

    Args:
        img_size: not needed; taken as deepinv's physics take it.
    """

    def __init__(self, img_size: tuple[int, ...] | None = None) -> None:
        self.img_size = img_size

    def A(self, x: Tensor, **kwargs: object) -> Tensor:
        """Return `x`."""
        return x

    def A_adjoint(self, y: Tensor, **kwargs: object) -> Tensor:
        """Return `y`."""
        return y


class Inpainting(Linear):
    """A x = m x: only the pixels of a mask are measured, the others are zero; norm 1.

    Args:
        mask: (1, height, width), 1 where a pixel is measured.
    """

    def __init__(self, mask: Float[Tensor, "1 height width"]) -> None:
        self.mask = mask[None]

    def A(self, x: Tensor, **kwargs: object) -> Tensor:
        """Return m x."""
        return self.mask * x

    def A_adjoint(self, y: Tensor, **kwargs: object) -> Tensor:
        """Return m y: a mask is its own adjoint."""
        return self.mask * y


def is_inpainting(physics: Physics) -> TypeGuard[Inpainting]:
    """Say whether a physics multiplies by a mask: an `Inpainting` of this package or of deepinv."""
    return any(kind.__name__ == "Inpainting" for kind in type(physics).__mro__)


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


def random_inpainting(size: tuple[int, int], keep: float, seed: int, device: torch.device | str = "cpu") -> Inpainting:
    """Return the physics that keeps a random fraction of the pixels, the others measured as zero.

    Raises:
        ConfigError: the fraction is not in (0, 1].
    """
    if not 0 < keep <= 1:
        raise ConfigError(f"the fraction of pixels to keep is above 0 and at most 1, got {keep}")
    generator = torch.Generator().manual_seed(seed)
    mask = (torch.rand(1, *size, generator=generator) < keep).float()
    return Inpainting(mask.to(device))


def smooth_phase(size: tuple[int, int], generator: torch.Generator, waves: int = 3) -> Float[Tensor, "height width"]:
    """Return a smooth random phase in radians: a random trigonometric polynomial of low degree, scaled to +- pi / 2 at most.

    Args:
        size: height and width.
        generator: source of randomness.
        waves: highest number of half periods across the image.
    """
    degree = torch.arange(waves + 1, dtype=torch.float64)
    amplitude = torch.randn(waves + 1, waves + 1, generator=generator, dtype=torch.float64) / (1 + degree[:, None] + degree)
    rows = torch.cos(math.pi * degree * (torch.arange(size[0], dtype=torch.float64)[:, None] + 0.5) / size[0])
    columns = torch.cos(math.pi * degree * (torch.arange(size[1], dtype=torch.float64)[:, None] + 0.5) / size[1])
    phase = rows @ amplitude @ columns.T
    return (phase / phase.abs().max() * math.pi / 2).float()


def column_norm(physics: LinearPhysics, like: Tensor, probes: int = 4) -> float:
    """Return the root mean square norm of the columns of A, sqrt(trace(A^T A) / n), estimated with fixed random signs.

    Noise of standard deviation s in y makes noise of standard deviation s * column_norm in the gradient A^T(Ax - y): the
    scale of a regularisation weight.

    Args:
        physics: any linear physics.
        like: an image-shaped tensor of batch 1, for shape, type and device.
        probes: number of random sign images (Hutchinson's estimator).
    """
    generator = torch.Generator().manual_seed(0)
    signs = torch.randint(0, 2, (probes, *like.shape[1:]), generator=generator).to(like) * 2 - 1
    return math.sqrt(float(physics.A(signs).double().pow(2).sum()) / signs.numel())
