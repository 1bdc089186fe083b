"""Linear physics of the imaging tasks, with norm at most 1. Tasks give every operator its noise as `physics.noise_level`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeGuard

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
