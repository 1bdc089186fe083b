"""Priors whose proximal operator is known: the references that a learned proximal network is tested against.

For a density p and noise of standard deviation sigma, the prior of the MAP estimate and its proximal operator are

    R(x) = -sigma^2 log p(x) + const,   prox_R(y) = argmin_x 1/2 ||x - y||^2 - sigma^2 log p(x)

Every prior also gives what is left of it under Gaussian smoothing of standard deviation s (`moments`):

    p_s(c) = int p(x) N(c; x, s^2 I) dx,   mean and covariance of x given c

in closed form where there is one and by Gauss-Legendre quadrature elsewhere; the posterior's mean, median and smoothed mode
follow from these in `sciml.proximal.study.posterior`. Priors on sets and under rotations are in
`sciml.proximal.study.analytic_shapes`, those with a nonconvex R on the line in `sciml.proximal.study.analytic_nonconvex`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sciml.runtime.errors import ConfigError, ShapeError

Points = Float[Tensor, "batch dimension"]
Values = Float[Tensor, " batch"]
TAIL, ORDER, BLOCK = 9.0, 8, 4_000_000
LOG_2PI = math.log(2 * math.pi)


@dataclass(frozen=True)
class Moments:
    """What a prior becomes under Gaussian smoothing at some points c.

    Attributes:
        log_marginal: log p_s(c).
        mean: E[x | c].
        covariance: Cov[x | c].
    """

    log_marginal: Values
    mean: Points
    covariance: Float[Tensor, "batch dimension dimension"]


class Prior(ABC):
    """A density with an exact proximal operator. Tensors are float64 for references, any real type for samples.

    Attributes:
        dimension: number of coordinates.
        uniforms: numbers in (0, 1) that one sample is made of, so that low-discrepancy points can be used.
        breaks: coordinates at which the density is not smooth; quadrature panels end there.
        limits: smallest and largest coordinate of the support.
        log_peak: largest log p.
    """

    dimension: int = 1
    uniforms: int = 1
    breaks: tuple[float, ...] = ()
    limits: tuple[float, float] = (-math.inf, math.inf)
    log_peak: float

    @abstractmethod
    def log_density(self, x: Points) -> Values:
        """Return log p(x); -inf outside the support."""

    @abstractmethod
    def sample(self, uniform: Float[Tensor, "batch uniforms"]) -> Points:
        """Return samples of p, one a row of numbers in (0, 1)."""

    @abstractmethod
    def prox(self, y: Points, sigma: float) -> Points:
        """Return argmin_x 1/2 ||x - y||^2 - sigma^2 log p(x), the MAP estimate; any one of several where it is not unique."""

    def regularizer(self, x: Points, sigma: float) -> Values:
        """Return R(x) = sigma^2 (max log p - log p(x)), so that its least value is 0; +inf outside the support."""
        return sigma**2 * (self.log_peak - self.log_density(x))

    def starts(self, y: Points) -> list[Points]:
        """Return points from which a search for the highest of several modes must begin too."""
        return []

    def nodes(self, width: float, low: float, high: float) -> tuple[Points, Values]:
        """Return points x_i and log weights with sum_i w_i g(x_i) = int p g dx for g smooth on the scale `width`.

        Args:
            width: size of a quadrature panel.
            low: smallest coordinate of interest; the support's own limit where that is larger.
            high: largest coordinate of interest.
        """
        axis, log_weights = panels(max(low, self.limits[0]), min(high, self.limits[1]), self.breaks, width)
        points = torch.cartesian_prod(*[axis] * self.dimension).reshape(-1, self.dimension)
        product = sum(torch.meshgrid(*[log_weights] * self.dimension, indexing="ij")).reshape(-1)  # pyright: ignore
        return points, product + self.log_density(points)

    def moments(self, c: Points, s: float) -> Moments:
        """Return log p_s, mean and covariance of x given c = x + s times white noise."""
        return self.quadrature_moments(c, s)

    def quadrature_moments(self, c: Points, s: float) -> Moments:
        """Return `moments` by quadrature of the density, whatever closed form there may be."""
        reach = TAIL * s
        points, log_weights = self.nodes(s, float(c.min()) - reach, float(c.max()) + reach)
        parts = []
        for block in c.split(max(1, BLOCK // len(points))):
            distance = torch.cdist(block, points, compute_mode="donot_use_mm_for_euclid_dist").square()
            logits = log_weights - distance / (2 * s**2) - self.dimension * (math.log(s) + LOG_2PI / 2)
            weights = logits.softmax(1)
            mean = weights @ points
            second = torch.einsum("bn,ni,nj->bij", weights, points, points)
            parts.append((logits.logsumexp(1), mean, second - mean[:, :, None] * mean[:, None, :]))
        return Moments(*(torch.cat(part) for part in zip(*parts, strict=True)))

    def check(self, points: Tensor) -> Points:
        """Return `points` where they fit this prior.

        Raises:
            ShapeError: not (batch, dimension).
        """
        if points.ndim != 2 or points.shape[1] != self.dimension or not len(points):
            raise ShapeError(
                f"points have shape {tuple(points.shape)}, expected (batch, {self.dimension}) of {type(self).__name__}"
            )
        return points


def panels(low: float, high: float, breaks: tuple[float, ...], width: float) -> tuple[Values, Values]:
    """Return nodes and log weights of Gauss-Legendre quadrature on panels no longer than `width`, split at `breaks`."""
    edges = [low, *sorted(point for point in breaks if low < point < high), high]
    node, weight = _legendre()
    nodes, weights = [], []
    for a, b in pairwise(edges):
        ends = torch.linspace(a, b, max(1, math.ceil((b - a) / width)) + 1, dtype=torch.float64)
        half = (ends[1:] - ends[:-1])[:, None] / 2
        nodes.append((ends[:-1, None] + half * (1 + node)).reshape(-1))
        weights.append((half * weight).reshape(-1))
    return torch.cat(nodes), torch.cat(weights).log()


@lru_cache(maxsize=1)
def _legendre() -> tuple[Tensor, Tensor]:
    node, weight = np.polynomial.legendre.leggauss(ORDER)
    return torch.from_numpy(node), torch.from_numpy(weight)


def positive(**values: float) -> None:
    """Refuse parameters that are not above zero.

    Raises:
        ConfigError: names the first one.
    """
    for name, value in values.items():
        if not (value > 0 and math.isfinite(value)):
            raise ConfigError(f"{name} is {value}, expected a number above 0")


class Gaussian(Prior):
    """N(mean, covariance) in any dimension: mean, median and MAP agree, and f is linear."""

    def __init__(self, mean: tuple[float, ...], covariance: tuple[tuple[float, ...], ...]) -> None:
        self.mean, self.covariance = (torch.tensor(value, dtype=torch.float64) for value in (mean, covariance))
        self.dimension = self.uniforms = len(mean)
        if self.covariance.shape != (len(mean), len(mean)) or float(torch.linalg.eigvalsh(self.covariance).min()) <= 0:
            raise ConfigError(f"covariance must be a positive definite matrix of size {len(mean)}, got {covariance}")
        self.log_peak = float(-0.5 * (self.dimension * LOG_2PI + torch.logdet(self.covariance)))

    def log_density(self, x: Points) -> Values:
        """Return log p(x)."""
        offset = x - self.mean
        return self.log_peak - 0.5 * (offset * torch.linalg.solve(self.covariance, offset.T).T).sum(1)

    def sample(self, uniform: Tensor) -> Points:
        """Return samples by the Cholesky factor of the covariance."""
        factor = torch.linalg.cholesky(self.covariance).to(uniform)
        return self.mean.to(uniform) + torch.special.ndtri(uniform) @ factor.T

    def prox(self, y: Points, sigma: float) -> Points:
        """Return mu + Sigma (Sigma + sigma^2 I)^-1 (y - mu)."""
        return self.moments(y, sigma).mean

    def moments(self, c: Points, s: float) -> Moments:
        """Return log p_s, mean and covariance in closed form."""
        total = self.covariance + s**2 * torch.eye(self.dimension, dtype=torch.float64)
        gain = torch.linalg.solve(total, self.covariance).T
        marginal = torch.distributions.MultivariateNormal(self.mean, total)
        return Moments(marginal.log_prob(c), self.mean + (c - self.mean) @ gain.T, (s**2 * gain).expand(len(c), -1, -1))


class Laplace(Prior):
    """exp(-|x| / b) / (2 b): R(x) = (sigma^2 / b) |x|, the soft threshold at sigma^2 / b."""

    breaks = (0.0,)

    def __init__(self, b: float = 1.0) -> None:
        positive(b=b)
        self.b, self.log_peak = b, -math.log(2 * b)

    def log_density(self, x: Points) -> Values:
        """Return log p(x)."""
        return self.log_peak - x[:, 0].abs() / self.b

    def sample(self, uniform: Tensor) -> Points:
        """Return samples by the inverse of the distribution function."""
        side = 2 * uniform - 1
        return -self.b * side.sign() * torch.log1p(-side.abs())

    def prox(self, y: Points, sigma: float) -> Points:
        """Return the soft threshold of y at sigma^2 / b."""
        return y.sign() * (y.abs() - sigma**2 / self.b).clamp(min=0)

    def moments(self, c: Points, s: float) -> Moments:
        """Return log p_s, mean and covariance in closed form."""
        # On either side of 0, p(x) N(c; x, s^2) is a Gaussian of mean c -+ s^2 / b cut off at 0.
        parts = []
        for sign in (1.0, -1.0):
            centre = (sign * c[:, 0] - s**2 / self.b) / s
            log_mass = self.log_peak + s**2 / (2 * self.b**2) - sign * c[:, 0] / self.b + torch.special.log_ndtr(centre)
            hazard = torch.exp(-0.5 * (centre.square() + LOG_2PI) - torch.special.log_ndtr(centre))
            mean = s * (centre + hazard)
            parts.append((log_mass, sign * mean, s**2 * (1 - hazard * (hazard + centre)) + mean.square()))
        log_mass, means, seconds = (torch.stack(part) for part in zip(*parts, strict=True))
        share = log_mass.softmax(0)
        mean = (share * means).sum(0)
        return Moments(log_mass.logsumexp(0), mean[:, None], ((share * seconds).sum(0) - mean.square())[:, None, None])
