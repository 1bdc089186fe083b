"""Solvers with a known kernel to stand beside total variation, each with the valid-region boundary.

All return the image on the canvas of the blur, (H + K - 1) x (W + K - 1), and take a mask of the pixels to be believed. The data
term is a sum over pixels divided by sigma^2 and differences are counted in units of sigma, so that one weight serves every size,
grey scale and noise level.
"""

from __future__ import annotations

import torch

from sciml.deblurring.solvers.splitting import checked_mask, extended, masked_admm, shrink_magnitude_two_thirds
from sciml.imaging.operators.convolution import ValidBlur
from sciml.imaging.priors import Images
from sciml.runtime.errors import ConfigError


def hyper_laplacian(
    y: Images, physics: ValidBlur, sigma: float, weight: float, mask: Images | None = None, iterations: int = 80
) -> Images:
    """Return the image under the heavy-tailed prior of natural gradients (Krishnan and Fergus, NeurIPS 2009),

        argmin_x 1/2 ||M (A x - y)||^2 / sigma^2 + weight sum over pixels of |D x / sigma|^(2/3),

    |.| taken over both axes and all channels, so that turning the picture turns the result (the paper takes each axis for
    itself). Not convex: a good stationary point. Solved by `split`.

    Args:
        y: measurement, in linear light.
        physics: the blur.
        sigma: standard deviation of the noise, above 0.
        weight: above 0; 0.1 to 0.5 is usual.
        mask: 1 where a pixel is believed, else 0; all are by default.
        iterations: number of ADMM steps.

    Raises:
        ConfigError: sigma or the weight is not above 0.
        ShapeError: the picture or the mask is not of the blur's size.
        DataError: the picture is not finite.
    """
    return masked_admm(y, physics, sigma, weight, shrink_magnitude_two_thirds, mask, iterations, growth=8.0)


def richardson_lucy(y: Images, physics: ValidBlur, sigma: float, weight: float, mask: Images | None = None) -> Images:
    """Return the image after round(1 / weight) updates of Richardson (J. Opt. Soc. Am. 1972) and Lucy (Astron. J. 1974).

    The multiplicative ascent of the Poisson likelihood of the believed pixels, whose only regulariser is to stop early:

        x <- x / (A^T M) A^T( M y / A x )

    The division by A^T M instead of 1 is what makes the frame of the canvas, seen by few pixels, come out right (Bertero and
    Boccacci, Astron. Astrophys. 2005). It keeps x >= 0 and the believed flux, sum M A x = sum M y; the Poisson deviance falls
    in every update. Negative values of y count as 0.

    Args:
        y: measurement, in linear light.
        physics: the blur.
        sigma: not used: the Poisson model sets the weight of each pixel. Here for the signature that all solvers share.
        weight: 1 / (number of updates), above 0 and at most 1; as with the other solvers, more is smoother.
        mask: 1 where a pixel is believed, else 0; all are by default.

    Raises:
        ConfigError: the weight is not in (0, 1].
        ShapeError: the picture or the mask is not of the blur's size.
        DataError: the picture is not finite.
    """
    if not 0 < weight <= 1:
        raise ConfigError(f"the weight of Richardson-Lucy is 1 / (number of updates), above 0 and at most 1, got {weight}")
    believed = checked_mask(y, physics, mask)
    light = believed * y.clamp(min=0)
    seen = physics.A_adjoint(believed)
    # pixels that next to nothing saw keep their value: there the quotient of two transforms is rounding
    updated = seen > 1e-5
    x = extended(y, physics, believed).clamp(min=1e-6)
    for _ in range(round(1 / weight)):
        ratio = light / physics.A(x).clamp(min=1e-8)
        x = torch.where(updated, x * physics.A_adjoint(ratio).clamp(min=0) / seen.clamp(min=1e-5), x)
    return x
