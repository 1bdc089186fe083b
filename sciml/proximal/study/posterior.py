"""What each loss teaches exactly: mean, median and smoothed mode of the posterior of an analytic prior.

y = x + sigma v with white noise v. The mean squared error is least for the posterior's mean, the absolute error for its
coordinatewise median, and proximal matching at gamma (root mean square per coordinate, n coordinates) for the mode of the
posterior smoothed by a Gaussian of variance tau^2 = n gamma^2 / 2 per coordinate:

    f_gamma(y) = argmax_z int p(x | y) N(z; x, tau^2 I) dx

The product of the two Gaussians around x is one Gaussian around c = (tau^2 y + sigma^2 z) / (sigma^2 + tau^2), of variance
s^2 = sigma^2 tau^2 / (sigma^2 + tau^2), so that

    f_gamma(y) = argmax_z log p_s(c) - ||y - z||^2 / (2 (sigma^2 + tau^2)),   stationary where z = E[x | c; s]

It is a proximal operator for every gamma: with t = sigma^2 / (sigma^2 + tau^2) its Jacobian is I - (I - J_c) / t, J_c that
of c, which is positive semidefinite because Cov[x | c] is. Its potential is known without an integral over y:

    psi_gamma(y) = 1/2 ||y||^2 - e(y) / t,   e(y) = 1/2 ||c - y||^2 - t sigma^2 log p_s(c)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sciml.proximal.study.analytic import BLOCK, TAIL, Points, Prior, Values, positive
from sciml.proximal.study.analytic_shapes import FinitePoints

ITERATIONS, TOLERANCE, ROUNDING = 100, 1e-11, 1e-13


@dataclass(frozen=True)
class ExactDenoiser:
    """A proximal operator with its potential and regulariser at points y.

    Attributes:
        denoised: f(y).
        potential: psi(y), whose gradient is f.
        regularizer: R(f(y)) = <y, f(y)> - 1/2 ||f(y)||^2 - psi(y).
    """

    denoised: Points
    potential: Values

    def regularizer(self, y: Points) -> Values:
        """Return R(f(y)) at the points y that this was made for."""
        return (y * self.denoised).sum(1) - 0.5 * self.denoised.square().sum(1) - self.potential


def posterior_mean(prior: Prior, y: Points, sigma: float) -> ExactDenoiser:
    """Return E[x | y]; its potential is 1/2 ||y||^2 + sigma^2 log p_sigma(y) (Tweedie; Gribonval 2011)."""
    found = prior.moments(prior.check(y), sigma)
    return ExactDenoiser(found.mean, 0.5 * y.square().sum(1) + sigma**2 * found.log_marginal)


def map_estimate(prior: Prior, y: Points, sigma: float) -> ExactDenoiser:
    """Return prox_R(y) with R(x) = sigma^2 (max log p - log p(x)), and psi(y) = <y, f> - 1/2 ||f||^2 - R(f)."""
    x = prior.prox(prior.check(y), sigma)
    return ExactDenoiser(x, (y * x).sum(1) - 0.5 * x.square().sum(1) - prior.regularizer(x, sigma))


def posterior_median(prior: Prior, y: Points, sigma: float, resolution: float = 0.05) -> Points:
    """Return the median of every coordinate of x given y, by quadrature.

    Args:
        prior: the density of x.
        y: noisy points.
        sigma: noise standard deviation.
        resolution: panel size of the quadrature in units of sigma; the error is of the order of its square over 100.
    """
    reach = TAIL * sigma
    prior.check(y)
    points, log_weights = prior.nodes(resolution * sigma, float(y.min()) - reach, float(y.max()) + reach)
    discrete = isinstance(prior, FinitePoints)
    ends = None
    if prior.dimension == 1 and not discrete:
        # Gauss-Legendre: the mass up to a node belongs to the interval whose length is the weights up to there.
        lengths = (log_weights - prior.log_density(points)).exp()
        ends = max(float(y.min()) - reach, prior.limits[0]) + lengths.cumsum(0)
    medians = []
    for block in y.split(max(1, BLOCK // len(points))):
        weights = (log_weights - torch.cdist(block, points).square() / (2 * sigma**2)).softmax(1)
        columns = [_median(points[:, axis], weights, ends, discrete) for axis in range(prior.dimension)]
        medians.append(torch.stack(columns, 1))
    return torch.cat(medians)


def _median(values: Values, weights: Tensor, ends: Values | None, discrete: bool) -> Values:
    if ends is None:
        order = values.argsort()
        values, weights = values[order], weights[:, order]
    below, half = weights.cumsum(1), weights.new_full((len(weights), 1), 0.5)
    if discrete:
        return values[torch.searchsorted(below, half).clamp(max=len(values) - 1)[:, 0]]
    # The distribution function is linear between neighbours; without intervals half of a node's mass lies below it.
    positions, mass = (values, below - weights / 2) if ends is None else (ends, below)
    right = torch.searchsorted(mass, half).clamp(1, len(values) - 1)
    low, high = mass.gather(1, right - 1)[:, 0], mass.gather(1, right)[:, 0]
    share = ((0.5 - low) / (high - low).clamp(min=1e-300)).clamp(0, 1)
    left = positions[right[:, 0] - 1]
    return left + share * (positions[right[:, 0]] - left)


def smoothed_mode(prior: Prior, y: Points, sigma: float, gamma: float) -> ExactDenoiser:
    """Return f_gamma(y), the exact minimiser of proximal matching, by Newton's method; a step that does not rise is shortened.

    Args:
        prior: the density of x.
        y: noisy points.
        sigma: noise standard deviation.
        gamma: width of the matching loss, root mean square per coordinate.
    """
    positive(sigma=sigma, gamma=gamma)
    prior.check(y)
    variance = prior.dimension * gamma**2 / 2
    t = sigma**2 / (sigma**2 + variance)
    s = (t * variance) ** 0.5
    best, best_height = y, y.new_full((len(y),), -torch.inf)
    for start in [prior.moments(y, sigma).mean, prior.prox(y, sigma), y, *prior.starts(y)]:
        z, height = _climb(prior, y, start, t, s, sigma)
        better = height > best_height
        best, best_height = torch.where(better[:, None], z, best), torch.where(better, height, best_height)
    c = (1 - t) * y + t * best
    envelope = 0.5 * (c - y).square().sum(1) - t * sigma**2 * prior.moments(c, s).log_marginal
    return ExactDenoiser(best, 0.5 * y.square().sum(1) - envelope / t)


def _climb(prior: Prior, y: Points, z: Points, t: float, s: float, sigma: float) -> tuple[Points, Values]:
    """Return a local maximum of log p_s(c(z)) - t ||y - z||^2 / (2 sigma^2) above the start, and its height."""

    def look(z: Tensor) -> tuple[Values, Points]:
        found = prior.moments((1 - t) * y + t * z, s)
        height = found.log_marginal - t * (y - z).square().sum(1) / (2 * sigma**2)
        # The gradient is (E[x | c] - z) / tau^2, and its own derivative (t Cov[x | c] / s^2 - I) / tau^2.
        uphill = found.mean - z
        matrix = torch.eye(z.shape[1], dtype=z.dtype) - t * found.covariance / s**2
        newton = torch.linalg.lstsq(matrix, uphill[:, :, None]).solution[:, :, 0]
        rises = (newton * uphill).sum(1, keepdim=True) > 0
        return height, torch.where(rises, newton, uphill)

    (height, step), length = look(z), z.new_ones(len(z), 1)
    for _ in range(ITERATIONS):
        if float((length * step).abs().max()) < TOLERANCE:
            break
        trial = z + length * step
        trial_height, trial_step = look(trial)
        higher = (trial_height >= height - ROUNDING)[:, None]
        z, step = torch.where(higher, trial, z), torch.where(higher, trial_step, step)
        height, length = torch.where(higher[:, 0], trial_height, height), torch.where(higher, 1.0, length / 4)
    return z, height
