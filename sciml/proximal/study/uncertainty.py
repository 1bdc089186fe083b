"""Posterior covariance from the Jacobian of the denoiser.

For y = x + sigma n and the posterior mean f(y) = E[x | y], Tweedie's formula differentiated once more gives

    Cov[x | y] = sigma^2 J(y),    J the Jacobian of f                                   (Stein 1981; Efron 2011)

A learned proximal network has a symmetric positive semidefinite J by construction, so sigma^2 J is a covariance whatever the
weights. It is THE posterior covariance as far as f is the posterior mean, that is as far as training on the squared error
succeeded: `calibrate` compares it with errors against a known truth.

* leading directions: Lanczos iteration with full reorthogonalisation (Golub and Van Loan, section 10.1);
* variance of each pixel, the diagonal: Hutchinson's estimator with random signs on sparse grids of pixels (probing; Tang and
  Saad 2012). What it misses are entries of J between pixels of one grid, far smaller than those between neighbours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sciml.proximal.networks.implicit import ImplicitNetwork
from sciml.proximal.networks.network import Images, LearnedProximalNetwork
from sciml.proximal.optimise.implicit_diff import conjugate_gradients
from sciml.proximal.optimise.minimize import cosine_filter, norm
from sciml.proximal.study.prior_results import Calibration, VarianceBin
from sciml.runtime.errors import ConfigError, NumericalError, ShapeError

NORMAL_95 = 1.959964
ROUND = 20


@dataclass(frozen=True)
class Linearised:
    """f around one noisy image.

    Attributes:
        image: f(y), shape (1, channel, height, width).
        product: v -> J v for any number of directions v.
        sigma: noise level.
    """

    image: Images
    product: Callable[[Images], Images]
    sigma: float


@dataclass(frozen=True)
class Directions:
    """Leading part of the posterior covariance.

    Attributes:
        variance: sigma^2 times eigenvalues of J, descending.
        image: unit eigenvectors, one a row of the batch.
        residual: ||J v - lambda v|| / lambda of each.
    """

    variance: Float[Tensor, " count"]
    image: Images
    residual: Float[Tensor, " count"]


def linearise(network: LearnedProximalNetwork, y: Images, sigma: float | None = None, tolerance: float = 1e-4) -> Linearised:
    """Return f and J at one noisy image; the implicit form solves for f(y) once, not once a product.

    Args:
        network: the denoiser, trained on the squared error.
        y: one image, shape (1, channel, height, width).
        sigma: noise level.
        tolerance: relative residual of J v = (I + Hess R)^-1 v in the implicit form.

    Raises:
        ShapeError: not one image.
    """
    y = network.check_images(y)
    if len(y) != 1:
        raise ShapeError(f"the posterior is that of one image, got {len(y)}")
    level = network.default_sigma if sigma is None else float(sigma)
    if not isinstance(network, ImplicitNetwork):

        def from_network(v: Images) -> Images:
            return network.jacobian_product(y.expand(len(v), -1, -1, -1), v, level)

        return Linearised(network(y, level), from_network, level)
    with torch.no_grad():
        x, at = network(y, level), network.at(level, y)
        hessian = at.hessian(x)
        precondition = cosine_filter(1 / (1 + at.upper_symbol((x.shape[-2], x.shape[-1]))))

    @torch.no_grad()
    def solved(v: Images) -> Images:
        total, rest, size = torch.zeros_like(v), v, norm(v).clamp(min=1e-30)
        for _ in range(ROUND):
            total = total + conjugate_gradients(lambda p: p + hessian.product(p), rest, precondition, ROUND)[0]
            rest = v - total - hessian.product(total)
            if float((norm(rest) / size).max()) <= tolerance:
                return total
        raise NumericalError(
            f"J v has a relative residual of {float((norm(rest) / size).max()):.1e} after {ROUND**2} products with the Hessian"
        )

    return Linearised(x, solved, level)


def leading_directions(at: Linearised, count: int, steps: int, generator: torch.Generator) -> Directions:
    """Return the directions in which the posterior is widest.

        J q_k = beta_{k-1} q_{k-1} + alpha_k q_k + beta_k q_{k+1},   eigenvectors of the tridiagonal matrix, taken back by q

    Args:
        at: f at the noisy image.
        count: how many directions.
        steps: Lanczos steps, one product each; more than `count`.
        generator: draws the first vector.

    Raises:
        ConfigError: fewer steps than directions.
    """
    if not 1 <= count <= steps:
        raise ConfigError(f"{count} directions from {steps} Lanczos steps: take at least as many steps as directions")
    shape = at.image.shape
    q = torch.randn(shape, generator=generator, dtype=torch.float64).to(at.image)
    basis = [(q / q.norm()).flatten()]
    images: list[Tensor] = []
    for step in range(min(steps, q.numel())):
        image = at.product(basis[step].reshape(shape)).flatten()
        images.append(image)
        known = torch.stack(basis)
        rest = image
        # twice is enough (Kahan)
        for _ in range(2):
            rest = rest - known.T @ (known @ rest)
        if float(rest.norm()) <= 1e-6 * float(image.norm()):
            break
        basis.append(rest / rest.norm())
    known, mapped = torch.stack(basis[: len(images)]), torch.stack(images)
    # the projection of J is used in full, so that an inexact product does not spoil its symmetry
    small = known @ mapped.T
    values, vectors = torch.linalg.eigh((small + small.T) / 2)
    values, vectors = values.flip(0)[:count], vectors.flip(1)[:, :count]
    found, moved = vectors.T @ known, vectors.T @ mapped
    residual = (moved - values[:, None] * found).norm(dim=1) / values.abs().clamp(min=1e-30)
    return Directions(at.sigma**2 * values, found.reshape(-1, *shape[1:]), residual)


def pixel_variance(at: Linearised, spacing: int, generator: torch.Generator, repeats: int = 1, batch: int = 16) -> Images:
    """Return an unbiased estimate of sigma^2 times the diagonal of J, shape (1, channel, height, width).

        mean over repeats of  sum over grids g of  z_g * J z_g,   z_g = random signs on the pixels of grid g, 0 elsewhere

    Grid (a, b) holds the pixels of one channel whose row is a and whose column is b modulo `spacing`: spacing^2 products a
    repeat and channel. Spacing 1 is Hutchinson's estimator itself. Single values can be negative.

    Args:
        at: f at the noisy image.
        spacing: distance of the pixels of a grid, larger than f's correlation for a good estimate.
        generator: draws the signs.
        repeats: independent estimates that are averaged.
        batch: products computed at once.

    Raises:
        ConfigError: spacing or repeats below 1.
    """
    if spacing < 1 or repeats < 1:
        raise ConfigError(f"spacing is {spacing} and repeats {repeats}, expected at least 1")
    total = torch.zeros_like(at.image)
    for probes in grids(at.image, spacing).split(batch):
        for _ in range(repeats):
            signs = 2.0 * torch.randint(0, 2, probes.shape, generator=generator).to(at.image) - 1
            z = probes * signs
            total += (z * at.product(z)).sum(0, keepdim=True)
    return at.sigma**2 * total / repeats


def grids(like: Images, spacing: int) -> Float[Tensor, "grid channel height width"]:
    """Return the indicators of the sparse grids, which share no pixel and together hold each one once."""
    channels, height, width = like.shape[1:]
    rows, columns = torch.arange(height) % spacing, torch.arange(width) % spacing
    found = []
    for a in range(min(spacing, height)):
        for b in range(min(spacing, width)):
            plane = ((rows == a)[:, None] & (columns == b)).to(like)
            for channel in range(channels):
                one = like.new_zeros(channels, height, width)
                one[channel] = plane
                found.append(one)
    return torch.stack(found)


def calibrate(variance: Float[Tensor, " ..."], error: Float[Tensor, " ..."], bins: int = 10) -> Calibration:
    """Compare predicted variances with errors against the truth.

    Args:
        variance: predicted variance of each pixel.
        error: f(y) - x, same shape.
        bins: groups of equal size, by predicted variance.

    Raises:
        ShapeError: different shapes, or fewer pixels than groups.
    """
    if variance.shape != error.shape or variance.numel() < bins:
        raise ShapeError(f"variances {tuple(variance.shape)} and errors {tuple(error.shape)} must agree, {bins} values at least")
    v, e = variance.double().flatten().clamp(min=0), error.double().flatten()
    deviation, size = v.sqrt(), e.abs()
    order = v.argsort()
    groups = [(float(v[part].mean()), float(e[part].square().mean())) for part in order.tensor_split(bins)]
    return Calibration(
        ratio=float(e.square().mean() / v.mean().clamp(min=1e-30)),
        correlation=_pearson(deviation, size),
        rank_correlation=_pearson(_ranks(deviation), _ranks(size)),
        ceiling=_ceiling(deviation),
        coverage_95=float((size <= NORMAL_95 * deviation).double().mean()),
        bins=[VarianceBin(predicted=predicted, observed=observed) for predicted, observed in groups],
    )


def _ceiling(deviation: Tensor) -> float:
    """Return the correlation of s with |s g|, g standard normal and independent: c var(s) / (sd(s) sd(s |g|)), c = E|g|."""
    c = (2 / torch.pi) ** 0.5
    mean, square = deviation.mean(), deviation.square().mean()
    return float(c * (square - mean**2).clamp(min=0).sqrt() / (square - c**2 * mean**2).clamp(min=1e-30).sqrt())


def _pearson(a: Tensor, b: Tensor) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / (a.norm() * b.norm()).clamp(min=1e-30))


def _ranks(values: Tensor) -> Tensor:
    ranks = torch.empty_like(values)
    ranks[values.argsort()] = torch.arange(len(values), dtype=values.dtype)
    return ranks
