"""Total variation for any linear physics by ADMM with a preconditioned inner solve."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from sciml.imaging.operators.convolution import fast_lengths
from sciml.imaging.operators.linear import LinearPhysics
from sciml.imaging.operators.physics import column_norm, is_inpainting
from sciml.imaging.priors import Images, gradient, gradient_adjoint, magnitude, per_image
from sciml.runtime.errors import NumericalError

EDGE = 1 / 60
RELAXATION = 1.6
INNER_STEPS = 2
GAP = 0.02


def total_variation_admm(
    y: Tensor, physics: LinearPhysics, weight: float | Tensor, start: Images, iterations: int = 100, tolerance: float = 2e-4
) -> Images:
    """Return argmin_x 1/2 ||A x - y||^2 + weight TV(x).

    With v = D x, the scaled multiplier b and rho = weight / edge (Boyd et al. 2011, section 3.1; over-relaxed by 1.6):

        x <- argmin 1/2 ||A x - y||^2 + rho/2 ||D x - v + b||^2
        v <- shrink(D x + b, weight / rho),    b <- b + D x - v

    The x step, (A^T A + rho D^T D) x = A^T y + rho D^T (v - b), takes two warm-started conjugate gradient steps with the
    preconditioner 1 / (s + rho |d|^2) in the Fourier domain: s is the spectrum of A^T A at the centre of the image, |d|^2 that
    of D^T D. It undoes the slow directions of few-view tomography and of undersampled k-space.

    Args:
        y: measurement.
        physics: any linear physics.
        weight: one number, or one an image, above 0.
        start: first guess.
        iterations: at most this many.
        tolerance: stop when the largest relative change of an image of the batch falls below it and D x = v to 2 %.

    Raises:
        NumericalError: the iterates are no longer finite.
    """
    x = start.contiguous()
    lam = per_image(weight, x).clamp(min=1e-12)
    rho = lam / EDGE
    inverse = _preconditioner(physics, x, rho)

    def normal(u: Tensor) -> Tensor:
        return physics.A_adjoint(physics.A(u)).contiguous() + rho * gradient_adjoint(gradient(u))

    back = physics.A_adjoint(y).contiguous()
    differences = gradient(x)
    v, b = differences, torch.zeros_like(differences)
    applied = normal(x)
    for step in range(iterations):
        previous = x
        # x step: conjugate gradients on (A^T A + rho D^T D) x = A^T y + rho D^T (v - b), from the x before; `applied` is the
        # left-hand side, kept up to date so that the residual needs no operator
        residual = back + rho * gradient_adjoint(v - b) - applied
        direction = z = inverse(residual)
        slope = _dot(residual, z)
        for inner in range(INNER_STEPS):
            image = normal(direction)
            length = slope / _dot(direction, image).clamp(min=1e-30)
            x, applied = x + length * direction, applied + length * image
            if inner + 1 < INNER_STEPS:
                residual = residual - length * image
                z = inverse(residual)
                following = _dot(residual, z)
                direction, slope = z + following / slope.clamp(min=1e-30) * direction, following
        # v step: shrink(D x + b, weight / rho) with weight / rho = EDGE for every image; b keeps what the shrinkage took off
        differences = gradient(x)
        relaxed = RELAXATION * differences + (1 - RELAXATION) * v
        moved = relaxed + b
        v = moved * (1 - EDGE / magnitude(moved).clamp(min=1e-30)).clamp(min=0)
        b = moved - v
        change = ((x - previous).square().sum((1, 2, 3)) / x.square().sum((1, 2, 3)).clamp(min=1e-30)).sqrt().max()
        if not bool(change.isfinite()):
            raise NumericalError(f"the reconstruction diverged at step {step + 1}; does the measurement hold NaN?")
        gap = (_norm(differences - v) / _norm(differences).clamp(min=1e-30)).max()
        if change < tolerance and gap < GAP:
            break
    return x


def _norm(p: Tensor) -> Tensor:
    return p.square().sum((0, 2, 3, 4)).sqrt()


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((1, 2, 3), keepdim=True)


def _preconditioner(physics: LinearPhysics, like: Images, rho: Tensor) -> Callable[[Tensor], Tensor]:
    """Return r -> F^-1[ F r / (s + rho |d|^2) ]; s is floored at 2 % of its mean, so that it never divides by nothing."""
    height, width = like.shape[-2:]
    length = fast_lengths((height, width))
    rows = 2 - 2 * torch.cos(2 * math.pi * torch.fft.fftfreq(length[0], dtype=like.dtype, device=like.device))
    columns = 2 - 2 * torch.cos(2 * math.pi * torch.fft.rfftfreq(length[1], dtype=like.dtype, device=like.device))
    mean = column_norm(physics, like[:1]) ** 2
    spectrum = torch.full((length[0], length[1] // 2 + 1), mean, dtype=like.dtype, device=like.device)
    if not is_inpainting(physics):  # a mask differs from pixel to pixel: only its mean is a spectrum
        point = torch.zeros_like(like[:1])
        point[0, 0, height // 2, width // 2] = 1
        response = physics.A_adjoint(physics.A(point))[0, 0]
        spectrum = torch.fft.rfft2(response, s=length).abs().clamp(min=0.02 * mean)
    weights = 1 / (spectrum + rho * (rows[:, None] + columns))

    def apply(r: Tensor) -> Tensor:
        return torch.fft.irfft2(torch.fft.rfft2(r, s=length) * weights, s=length)[..., :height, :width]

    return apply
