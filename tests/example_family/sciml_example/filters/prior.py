"""A prior for the solvers of `sciml.imaging`, offered by the entry-point group `sciml.priors`."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from sciml.imaging.priors import Certificate, Images, per_image


class Smoothness:
    """Squared differences of neighbours, with wrap-around.

        R(x) = strength / 2 sum over pixels and both axes of (x_{i+1} - x_i)^2

    The prox is a division in Fourier space, since differences with wrap-around are a convolution.

    Args:
        strength: a factor, given as text after the colon: `prior:smooth:4`.
    """

    def __init__(self, strength: str | float = 1.0) -> None:
        self.strength = float(strength)

    def value(self, x: Images) -> Float[Tensor, " batch"]:
        """Return R(x) of each image."""
        return 0.5 * self.strength * sum((x.roll(-1, axis) - x).square().sum((1, 2, 3)) for axis in (-2, -1))

    def gradient(self, x: Images) -> Images:
        """Return strength D^T D x."""
        return self.strength * sum(2 * x - x.roll(-1, axis) - x.roll(1, axis) for axis in (-2, -1))

    def prox(self, v: Images, weight: float | Float[Tensor, " batch"]) -> Images:
        """Return argmin_x 1/2 ||x - v||^2 + weight R(x)."""
        squares = self._squares(v)
        spectrum = torch.fft.fft2(v) / (1 + self.strength * per_image(weight, v) * squares)
        return torch.fft.ifft2(spectrum).real

    def certificate(self) -> Certificate:
        """Return: convex and smooth, prox exact."""
        reason = "a quadratic form with eigenvalues between 0 and 8; its prox is one division"
        return Certificate(0.0, 8 * self.strength, bounded_below=True, exact_prox=True, reason=reason)

    def _squares(self, v: Images) -> Float[Tensor, "height width"]:
        """Return the eigenvalues of D^T D: 4 sin^2(pi k / n), summed over both axes."""
        rows, columns = (
            4 * torch.sin(math.pi * torch.arange(n, dtype=v.dtype, device=v.device) / n).square() for n in v.shape[-2:]
        )
        return rows[:, None] + columns
