"""Analytic priors on the line whose R is not convex, so that the prox is steeper than 1 or jumps: Student's t, two Gaussians."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from sciml.proximal.study.analytic import LOG_2PI, Moments, Points, Prior, Values, positive


class StudentT(Prior):
    """Student's t of `freedom` nu and `scale` s: a nonconvex R whose prox is continuous iff sigma^2 (nu + 1) <= 8 nu s^2."""

    uniforms = 2

    def __init__(self, freedom: float = 1.0, scale: float = 1.0) -> None:
        positive(freedom=freedom, scale=scale)
        self.freedom, self.scale = freedom, scale
        half = freedom / 2
        self.log_peak = math.lgamma(half + 0.5) - math.lgamma(half) - 0.5 * math.log(math.pi * freedom) - math.log(scale)

    def log_density(self, x: Points) -> Values:
        """Return log p(x)."""
        return self.log_peak - (self.freedom + 1) / 2 * torch.log1p((x[:, 0] / self.scale).square() / self.freedom)

    def sample(self, uniform: Tensor) -> Points:
        """Return samples by the polar method of Bailey (1994), t = sqrt(nu (u^(-2/nu) - 1)) cos(2 pi v)."""
        radius = (self.freedom * torch.expm1(-2 / self.freedom * uniform[:, :1].log())).sqrt()
        return self.scale * radius * torch.cos(2 * math.pi * uniform[:, 1:])

    def nodes(self, width: float, low: float, high: float) -> tuple[Points, Values]:
        """Return nodes that resolve the density too, whose poles are at +-i s sqrt(nu)."""
        return super().nodes(min(width, self.scale * math.sqrt(self.freedom) / 2), low, high)

    def prox(self, y: Points, sigma: float) -> Points:
        """Return the root of lowest objective of (x - y)(nu s^2 + x^2) + sigma^2 (nu + 1) x = 0."""
        width, pull = self.freedom * self.scale**2, sigma**2 * (self.freedom + 1)
        companion = y.new_zeros(len(y), 3, 3)
        companion[:, 1, 0] = companion[:, 2, 1] = 1
        companion[:, 0, 2], companion[:, 1, 2], companion[:, 2, 2] = width * y[:, 0], -(width + pull), y[:, 0]
        roots = torch.linalg.eigvals(companion).real
        return lowest(roots, y[:, :1], lambda x: self.regularizer(x.reshape(-1, 1), sigma).reshape(x.shape))


class TwoGaussians(Prior):
    """1/2 N(-m, tau^2) + 1/2 N(m, tau^2): the MAP jumps at 0 iff sigma^2 m^2 > tau^2 (tau^2 + sigma^2)."""

    uniforms = 2

    def __init__(self, m: float = 1.0, tau: float = 0.2) -> None:
        positive(m=m, tau=tau)
        self.m, self.tau = m, tau
        middle = torch.linspace(-m, m, 4001, dtype=torch.float64)[:, None]
        self.log_peak = float(self.log_density(middle).max())

    def log_density(self, x: Points) -> Values:
        """Return log p(x)."""
        return self._parts(x, self.tau).logsumexp(1)

    def _parts(self, x: Points, spread: float) -> Tensor:
        centre = x.new_tensor([-self.m, self.m])
        return -0.5 * ((x - centre) / spread).square() - math.log(2 * spread) - LOG_2PI / 2

    def sample(self, uniform: Tensor) -> Points:
        """Return samples: the first number chooses the side."""
        return self.m * (2 * (uniform[:, :1] >= 0.5) - 1) + self.tau * torch.special.ndtri(uniform[:, 1:])

    def starts(self, y: Points) -> list[Points]:
        """Return one start for each mode."""
        return [torch.full_like(y, -self.m), torch.full_like(y, self.m)]

    def prox(self, y: Points, sigma: float) -> Points:
        """Return the higher mode of the posterior, by a grid and Newton steps."""
        # The posterior is a mixture of two Gaussians of variance v; its modes lie between their means. Newton's steps on
        # x - y + sigma^2 (x - m tanh(m x / tau^2)) / tau^2 = 0 sharpen the best point of a grid.
        total, m = self.tau**2 + sigma**2, self.m
        variance = (self.tau * sigma) ** 2 / total
        steps = torch.linspace(-1, 1, 401, dtype=y.dtype)
        grid = (self.tau**2 * y + sigma**2 * m * steps) / total

        def objective(x: Tensor) -> Tensor:
            return self.regularizer(x.reshape(-1, 1), sigma).reshape(x.shape)

        x = lowest(grid, y, objective)
        for _ in range(20):
            tilt = torch.tanh(m * x / self.tau**2)
            slope = x - y + sigma**2 * (x - m * tilt) / self.tau**2
            curvature = sigma**2 / variance - (sigma * m / self.tau**2) ** 2 * (1 - tilt.square())
            x = lowest(torch.cat([x, x - slope / curvature.clamp(min=1e-3)], 1), y, objective)
        return x

    def moments(self, c: Points, s: float) -> Moments:
        """Return log p_s, mean and covariance in closed form."""
        # mean = (tau^2 c + s^2 m tanh(m c / (tau^2 + s^2))) / (tau^2 + s^2)
        total = self.tau**2 + s**2
        tilt = torch.tanh(self.m * c / total)
        variance = (self.tau * s) ** 2 / total + (s**2 * self.m / total) ** 2 * (1 - tilt.square())
        return Moments(
            self._parts(c, math.sqrt(total)).logsumexp(1), (self.tau**2 * c + s**2 * self.m * tilt) / total, variance[:, :, None]
        )


def lowest(candidates: Float[Tensor, "batch candidate"], y: Points, regularizer: Callable[[Tensor], Tensor]) -> Points:
    """Return, for one coordinate, the candidate of least 1/2 (x - y)^2 + R(x) of each row."""
    objective = 0.5 * (candidates - y).square() + regularizer(candidates)
    return candidates.gather(1, objective.argmin(1, keepdim=True))
