"""Classical reconstruction methods: what every learned method is compared with.

All take measurements y of shape (batch, channel, ...) and a linear physics, and return images on the physics' own grid. Each
has one main parameter whose value is found on validation data (`sciml.imaging.solvers.tuning`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from skimage import restoration
from torch import Tensor

from sciml.imaging.operators.convolution import ValidBlur
from sciml.imaging.operators.linear import LinearPhysics
from sciml.imaging.operators.mri import MRI
from sciml.imaging.operators.physics import Identity, column_norm, is_inpainting, noise_of
from sciml.imaging.operators.tomography import ParallelBeam
from sciml.imaging.priors import Images, Prior, TotalVariation, per_image
from sciml.imaging.solvers.admm import total_variation_admm
from sciml.imaging.solvers.wavelets import WaveletSparsity
from sciml.runtime.errors import ConfigError, NumericalError
from sciml.runtime.extras import remedy

Kind = TypeVar("Kind", bound=LinearPhysics)


def first_guess(y: Tensor, physics: LinearPhysics) -> Images:
    """Return the usual first guess: filtered back-projection, the picture extended by its edge, local means, or A^T y.

    The last is zero-filling where A keeps norms on what it measures; elsewhere it is multiplied by the number that fits y best,
    |A^T y|^2 / |A A^T y|^2 for each image, so that the guess does not depend on the units of A and y.
    """
    if isinstance(physics, ParallelBeam):
        return physics.fbp(y)
    if isinstance(physics, ValidBlur):
        return torch.nn.functional.pad(y, (physics.margin,) * 4, mode="replicate")
    if is_inpainting(physics):
        mask = physics.mask.expand_as(y)
        # missing pixels start at the mean of the measured ones within 5 x 5
        known = (mask > 0).to(y)
        values = torch.where(mask > 0, y / mask.clamp(min=1e-30), 0.0)
        sums, counts = (torch.nn.functional.avg_pool2d(part, 5, 1, 2) for part in (values, known))
        return torch.where(mask > 0, values, sums / counts.clamp(min=1 / 25))
    x = physics.A_adjoint(y)
    if isinstance(physics, MRI):
        return x
    own, made = (part.square().flatten(1).sum(1) for part in (x, physics.A(x)))
    return x * (own / made.clamp(min=torch.finfo(x.dtype).tiny)).reshape(-1, *[1] * (x.ndim - 1))


def proximal_gradient(
    y: Tensor,
    physics: LinearPhysics,
    prior: Prior,
    weight: float | Tensor,
    iterations: int = 150,
    tolerance: float = 1e-4,
    on_iteration: Callable[[int, Images], None] | None = None,
) -> Images:
    """Return argmin_x 1/2 ||A x - y||^2 + weight R(x) by FISTA with restart (Beck and Teboulle, SIAM J. Imaging Sci. 2009).

        x+ = prox_{step weight R}( z - step A^T(A z - y) ),   z = x+ + (t - 1) / t+ (x+ - x),   step = 1 / ||A||^2

    The momentum is dropped when it points uphill (O'Donoghue and Candes 2015). All operators of this package have
    ||A|| <= 1, so the step is 1. With `Identity` physics the answer is one exact prox.

    Args:
        y: measurement.
        physics: linear physics with norm at most 1.
        prior: R with its prox; total variation keeps its dual variable between the iterations.
        weight: one number, or one an image of the batch.
        iterations: at most this many steps.
        tolerance: stop when the largest relative change of an image of the batch falls below it.
        on_iteration: called with the step number and the iterate.

    Raises:
        NumericalError: the iterates are no longer finite.
    """
    if isinstance(physics, Identity):
        return prior.prox(y, weight)
    x = first_guess(y, physics).contiguous()
    z, momentum, dual = x, 1.0, None
    weight = per_image(weight, x).flatten()
    for step in range(iterations):
        forward = (z - physics.A_adjoint(physics.A(z) - y)).contiguous()
        if isinstance(prior, TotalVariation):
            following, dual = prior.warm_prox(forward, weight, dual, iterations=5)
        else:
            following = prior.prox(forward, weight)
        change = following - x
        uphill = bool(((z - following) * change).sum() > 0)
        next_momentum = (1 + math.sqrt(1 + 4 * momentum**2)) / 2
        z = following if uphill else following + (momentum - 1) / next_momentum * change
        momentum = 1.0 if uphill else next_momentum
        x = following
        relative = (change.square().sum((1, 2, 3)) / x.square().sum((1, 2, 3)).clamp(min=1e-30)).sqrt().max()
        if not bool(relative.isfinite()):
            raise NumericalError(f"the reconstruction diverged at step {step + 1}; is the norm of the operator above 1?")
        if on_iteration is not None:
            on_iteration(step + 1, x)
        if relative < tolerance:
            break
    return x


def noise_weight(y: Tensor, physics: LinearPhysics) -> Tensor:
    """Return the natural weight of an l1-like prior, noise sigma times the mean column norm of A, one an image.

    The noise reaches the gradient A^T(A x - y) with about this standard deviation per pixel. The tasks set
    `physics.noise_level`.

    Raises:
        ConfigError: the physics carries no noise level.
    """
    return noise_of(physics).sigma(y, physics) * column_norm(physics, physics.A_adjoint(y[:1]))


def tv(y: Tensor, physics: LinearPhysics, weight: float | Tensor | None = None, iterations: int = 100) -> Images:
    """Return argmin_x 1/2 ||A x - y||^2 + weight TV(x) (Rudin, Osher and Fatemi 1992), by default with `noise_weight`.

    Denoising is one exact prox; every other physics is solved by `total_variation_admm`.
    """
    chosen = noise_weight(y, physics) if weight is None else weight
    if isinstance(physics, Identity):
        return TotalVariation().prox(y, chosen)
    return total_variation_admm(y, physics, chosen, first_guess(y, physics), iterations)


def wavelet_l1(y: Tensor, physics: LinearPhysics, weight: float | Tensor | None = None, iterations: int = 60) -> Images:
    """Return the reconstruction with sparse wavelet details, by default with `noise_weight`."""
    chosen = noise_weight(y, physics) if weight is None else weight
    return proximal_gradient(y, physics, WaveletSparsity(), chosen, iterations)


def fbp(y: Tensor, physics: LinearPhysics, cutoff: float = 1.0, window: str = "ramp") -> Images:
    """Return the filtered back-projection; tomography only."""
    return _need(physics, ParallelBeam, "fbp").fbp(y, cutoff, window)


def zero_filled(y: Tensor, physics: LinearPhysics) -> Images:
    """Return A^T y: missing entries count as zero."""
    return physics.A_adjoint(y)


def wiener(y: Tensor, physics: LinearPhysics, balance: float = 0.01) -> Images:
    """Return scikit-image's Wiener deconvolution with a Laplacian penalty (Wiener 1949) of the reflected picture.

    Args:
        y: blurred pictures.
        physics: a `ValidBlur`.
        balance: weight of the penalty, above 0.
    """
    blur = _need(physics, ValidBlur, "wiener")
    kernel = blur.kernel.cpu().numpy().astype(np.float32)
    return _each(y, blur, lambda picture: np.asarray(restoration.wiener(picture, kernel, balance, clip=False)))


def richardson_lucy(y: Tensor, physics: LinearPhysics, iterations: float = 20) -> Images:
    """Return scikit-image's Richardson-Lucy deconvolution (Richardson 1972, Lucy 1974) of the reflected picture.

    Args:
        y: blurred pictures, non-negative up to noise.
        physics: a `ValidBlur`.
        iterations: number of multiplicative updates, rounded.
    """
    blur = _need(physics, ValidBlur, "richardson_lucy")
    kernel = blur.kernel.cpu().numpy().astype(np.float32)
    rounds = round(iterations)
    return _each(y, blur, lambda picture: restoration.richardson_lucy(np.clip(picture, 1e-4, None), kernel, rounds, clip=False))


def non_local_means(y: Tensor, physics: LinearPhysics, strength: float = 0.75) -> Images:
    """Return scikit-image's fast non-local means (Buades, Coll and Morel 2005), 7 x 7 patches within 9 pixels.

    Args:
        y: noisy images.
        physics: `Identity` with its noise.
        strength: filter parameter h in units of the noise's standard deviation.
    """
    sigma = noise_of(_need(physics, Identity, "non_local_means")).sigma(y, physics)

    def clean(image: np.ndarray, s: float) -> np.ndarray:
        return restoration.denoise_nl_means(image, patch_size=7, patch_distance=9, h=strength * s, sigma=s, fast_mode=True)

    return _stack([[clean(channel.cpu().numpy(), float(s)) for channel in image] for image, s in zip(y, sigma, strict=True)], y)


def bm3d(y: Tensor, physics: LinearPhysics, strength: float = 1.0) -> Images:
    """Return BM3D (Dabov et al. 2007) by the package `bm3d`, an extra for non-commercial use.

    Raises:
        ConfigError: the package is not installed.
    """
    try:
        from bm3d import bm3d as run  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ConfigError(f"bm3d is not installed: {remedy('nonfree')} (its licence is non-commercial)") from error
    sigma = noise_of(_need(physics, Identity, "bm3d")).sigma(y, physics)
    pairs = zip(y, sigma, strict=True)
    return _stack([[run(channel.cpu().numpy(), strength * float(s)) for channel in image] for image, s in pairs], y)


def _need(physics: LinearPhysics, kind: type[Kind], method: str) -> Kind:
    if not isinstance(physics, kind):
        raise ConfigError(f"{method} works on {kind.__name__} physics, not on {type(physics).__name__}")
    return physics


def _each(y: Tensor, blur: ValidBlur, restore: Callable[[np.ndarray], np.ndarray]) -> Images:
    """Apply a circular or zero-boundary method to each picture, reflected far beyond the canvas and cut back to it."""
    margin = 2 * blur.margin
    cut = slice(margin - blur.margin, None if margin == blur.margin else blur.margin - margin)

    def one(picture: np.ndarray) -> np.ndarray:
        return restore(np.pad(picture, margin, mode="reflect"))[cut, cut]

    return _stack([[one(channel.cpu().numpy()) for channel in picture] for picture in y], y)


def _stack(images: list[list[np.ndarray]], like: Tensor) -> Images:
    return torch.from_numpy(np.asarray(images)).to(like)
