"""Analytic priors in the plane and beyond: uniform on a box, a disc or an l1 ball, exp(-||x|| / b), and finitely many points."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from sciml.proximal.study.analytic import LOG_2PI, Moments, Points, Prior, Values, panels, positive
from sciml.runtime.errors import ConfigError


class UniformBox(Prior):
    """Uniform on [-half, half]^dimension: R is its indicator and the prox is the projection."""

    def __init__(self, half: float = 1.0, dimension: int = 2) -> None:
        positive(half=half, dimension=dimension)
        self.half, self.dimension, self.uniforms = half, dimension, dimension
        self.limits, self.log_peak = (-half, half), -dimension * math.log(2 * half)

    def log_density(self, x: Points) -> Values:
        """Return log p(x)."""
        return _indicator(x.abs().amax(1) <= self.half, self.log_peak, x)

    def sample(self, uniform: Tensor) -> Points:
        """Return samples."""
        return self.half * (2 * uniform - 1)

    def prox(self, y: Points, sigma: float) -> Points:
        """Return the projection onto the box."""
        return y.clamp(-self.half, self.half)

    def moments(self, c: Points, s: float) -> Moments:
        """Return log p_s, mean and covariance in closed form."""
        # Each coordinate is a Gaussian cut off on both sides, [low, high] in units of s. It is mirrored so that the side with the
        # larger tail is the left one, where the logarithm of the distribution function keeps its digits.
        low, high = (-self.half - c) / s, (self.half - c) / s
        mirror = low + high > 0
        low, high = torch.where(mirror, -high, low), torch.where(mirror, -low, high)
        log_high = torch.special.log_ndtr(high)
        log_mass = log_high + torch.log1p(-torch.exp(torch.special.log_ndtr(low) - log_high))
        at_low, at_high = (torch.exp(-0.5 * (edge.square() + LOG_2PI) - log_mass) for edge in (low, high))
        shift = at_low - at_high
        variance = s**2 * (1 + low * at_low - high * at_high - shift.square())
        mean = c + s * torch.where(mirror, -shift, shift)
        return Moments(self.log_peak + log_mass.sum(1), mean, torch.diag_embed(variance))


class UniformL1Ball(Prior):
    """Uniform on {||x||_1 <= radius} in the plane: a box turned by 45 degrees."""

    dimension, uniforms = 2, 2

    def __init__(self, radius: float = 1.0) -> None:
        positive(radius=radius)
        self.radius, self.limits = radius, (-radius, radius)
        self.box = UniformBox(radius / math.sqrt(2))
        self.log_peak = self.box.log_peak
        self.turn = torch.tensor([[1.0, 1.0], [-1.0, 1.0]], dtype=torch.float64) / math.sqrt(2)

    def log_density(self, x: Points) -> Values:
        """Return log p(x)."""
        return _indicator(x.abs().sum(1) <= self.radius * (1 + 1e-12), self.log_peak, x)

    def sample(self, uniform: Tensor) -> Points:
        """Return samples of the box, turned."""
        return self.box.sample(uniform) @ self.turn.to(uniform)

    def prox(self, y: Points, sigma: float) -> Points:
        """Return the projection onto the ball."""
        return self.box.prox(y @ self.turn.T, sigma) @ self.turn

    def nodes(self, width: float, low: float, high: float) -> tuple[Points, Values]:
        """Return those of the box, turned."""
        points, log_weights = self.box.nodes(width, -self.radius, self.radius)
        return points @ self.turn, log_weights

    def moments(self, c: Points, s: float) -> Moments:
        """Return those of the box, turned."""
        turned = self.box.moments(c @ self.turn.T, s)
        return Moments(turned.log_marginal, turned.mean @ self.turn, self.turn.T @ turned.covariance @ self.turn)


class Radial(Prior):
    """A density of the plane that depends on ||x|| alone; its smoothing is an integral over the radius.

    With kappa = r rho / s^2 and Bessel's I_0, I_1, for ||c|| = r (Gradshteyn and Ryzhik 3.339 for the angle):

        p_s(r) = int p(rho) (rho / s^2) exp(-(r^2 + rho^2) / (2 s^2)) I_0(kappa) d rho
        A = I_1 / I_0,  E[x along c] = E[rho A]
        E[(x along c)^2] = E[rho^2 (1 - A / kappa)],  E[(x across c)^2] = E[rho^2 A / kappa]
    """

    dimension = 2

    def log_profile(self, radius: Tensor) -> Tensor:
        """Return log p at a distance from the origin."""
        raise NotImplementedError

    def log_density(self, x: Points) -> Values:
        """Return log p(x)."""
        return self.log_profile(x.norm(dim=1))

    def _radii(self, width: float, reach: float) -> tuple[Values, Values]:
        radius, log_weights = panels(0.0, min(reach, self.limits[1]), (), width)
        return radius, log_weights + radius.log() + self.log_profile(radius)

    def nodes(self, width: float, low: float, high: float) -> tuple[Points, Values]:
        """Return nodes of a polar grid."""
        reach = math.sqrt(2) * max(abs(low), abs(high))
        radius, log_weights = self._radii(width, reach)
        count = 8 * math.ceil(float(radius.max()) / width) + 32
        angle = torch.arange(count, dtype=radius.dtype) * (2 * math.pi / count)
        points = radius[:, None, None] * torch.stack([angle.cos(), angle.sin()], 1)
        return points.reshape(-1, 2), (log_weights + math.log(2 * math.pi / count)).repeat_interleave(count)

    def moments(self, c: Points, s: float) -> Moments:
        """Return log p_s, mean and covariance by quadrature over the radius."""
        length = c.norm(dim=1)
        radius, log_weights = self._radii(s, float(length.max()) + 9 * s)
        kappa = length[:, None] * radius / s**2
        logits = log_weights - math.log(s**2) - (length[:, None] - radius).square() / (2 * s**2) + torch.special.i0e(kappa).log()
        weights = logits.softmax(1)
        ratio = torch.special.i1e(kappa) / torch.special.i0e(kappa)
        across = torch.where(kappa < 1e-4, 0.5 - kappa.square() / 16, ratio / kappa.clamp(min=1e-300))
        mean = (weights * radius * ratio).sum(1)
        along_2, across_2 = (weights * radius.square() * (1 - across)).sum(1), (weights * radius.square() * across).sum(1)
        direction = torch.where(length[:, None] > 0, c / length[:, None].clamp(min=1e-300), torch.zeros_like(c))
        outer = direction[:, :, None] * direction[:, None, :]
        covariance = (along_2 - mean.square() - across_2)[:, None, None] * outer + torch.diag_embed(
            across_2[:, None].expand(-1, 2)
        )
        return Moments(logits.logsumexp(1), mean[:, None] * direction, covariance)


class UniformDisc(Radial):
    """Uniform on {||x|| <= radius}."""

    uniforms = 2

    def __init__(self, radius: float = 1.0) -> None:
        positive(radius=radius)
        self.radius, self.limits, self.log_peak = radius, (-radius, radius), -math.log(math.pi * radius**2)

    def log_profile(self, radius: Tensor) -> Tensor:
        """Return log p at a distance from the origin."""
        return _indicator(radius <= self.radius * (1 + 1e-12), self.log_peak, radius)

    def sample(self, uniform: Tensor) -> Points:
        """Return samples: the square root of a number is the length."""
        return self.radius * uniform[:, :1].sqrt() * _direction(uniform[:, 1])

    def prox(self, y: Points, sigma: float) -> Points:
        """Return the projection onto the disc."""
        return y * (self.radius / y.norm(dim=1, keepdim=True).clamp(min=self.radius))


class ExponentialNorm(Radial):
    """exp(-||x|| / b) / (2 pi b^2): R = (sigma^2 / b) ||x||, the prox shrinks the vector's length by sigma^2 / b."""

    uniforms = 3

    def __init__(self, b: float = 1.0) -> None:
        positive(b=b)
        self.b, self.log_peak = b, -math.log(2 * math.pi * b**2)

    def log_profile(self, radius: Tensor) -> Tensor:
        """Return log p at a distance from the origin."""
        return self.log_peak - radius / self.b

    def sample(self, uniform: Tensor) -> Points:
        """Return samples; the length, of density rho exp(-rho / b) / b^2, is a sum of two exponential numbers."""
        return -self.b * (uniform[:, :1] * uniform[:, 1:2]).log() * _direction(uniform[:, 2])

    def prox(self, y: Points, sigma: float) -> Points:
        """Return y with its length shrunk by sigma^2 / b."""
        length = y.norm(dim=1, keepdim=True)
        return y * ((length - sigma**2 / self.b).clamp(min=0) / length.clamp(min=1e-300))


class FinitePoints(Prior):
    """Points x_i of probability w_i: the MAP is constant on weighted Voronoi cells and jumps between them."""

    uniforms = 1

    def __init__(self, points: tuple[tuple[float, ...], ...], weights: tuple[float, ...]) -> None:
        self.points = torch.tensor(points, dtype=torch.float64)
        weight = torch.tensor(weights, dtype=torch.float64)
        if len(weight) != len(self.points) or not bool((weight > 0).all()):
            raise ConfigError(f"every one of the {len(self.points)} points needs a weight above 0, got {list(weights)}")
        self.log_weights = (weight / weight.sum()).log()
        self.dimension, self.log_peak = self.points.shape[1], float(self.log_weights.max())

    def log_density(self, x: Points) -> Values:
        """Return log w_i at the points and -inf elsewhere: the density with respect to counting them."""
        at_point = (x[:, None] == self.points.to(x)).all(2)
        return torch.where(at_point, self.log_weights.to(x), -torch.inf).amax(1)

    def sample(self, uniform: Tensor) -> Points:
        """Return samples, points chosen by their weights."""
        bounds = self.log_weights.exp().cumsum(0)[:-1].to(uniform)
        return self.points.to(uniform)[torch.searchsorted(bounds, uniform[:, 0].contiguous(), right=True)]

    def starts(self, y: Points) -> list[Points]:
        """Return one start for each mode."""
        return [point.expand_as(y) for point in self.points]

    def prox(self, y: Points, sigma: float) -> Points:
        """Return argmin over the points of ||y - x_i||^2 - 2 sigma^2 log w_i."""
        return self.points[(torch.cdist(y, self.points).square() - 2 * sigma**2 * self.log_weights).argmin(1)]

    def nodes(self, width: float, low: float, high: float) -> tuple[Points, Values]:
        """Return the points and their log weights."""
        return self.points, self.log_weights


def _indicator(inside: Tensor, value: float, like: Tensor) -> Float[Tensor, " batch"]:
    return torch.where(
        inside, torch.full_like(inside, value, dtype=like.dtype), torch.full_like(inside, -torch.inf, dtype=like.dtype)
    )


def _direction(uniform: Float[Tensor, " batch"]) -> Points:
    angle = 2 * math.pi * uniform
    return torch.stack([angle.cos(), angle.sin()], 1)
