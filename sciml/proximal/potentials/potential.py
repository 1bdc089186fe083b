"""Convex potentials psi, whose gradients are proximal operators.

    f = grad psi,   psi convex and differentiable  <=>  f = prox_R for some R    (Gribonval and Nikolova 2020, continuous f)

A potential declares, and proves by its construction,

* its modulus m: psi - m/2 ||.||^2 is convex, so that the Jacobian of f is at least m;
* its slope at infinity c: psi(y) <= c/2 ||y||^2 + a ||y|| + b for some a and b. With c < 1,

      R(x) = psi*(x) - 1/2 ||x||^2 >= (||x|| - a)_+^2 / (2 c) - b - 1/2 ||x||^2  -> infinity,

  so R has a minimum; with c > 1 along a null direction of the forward operator a reconstruction has none and diverges.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sciml.runtime.errors import ShapeError

Points = Float[Tensor, "batch channel *space"]
Levels = Float[Tensor, " batch"]
Values = Float[Tensor, " batch"]
Terms = Float[Tensor, "batch *space"]


@dataclass(frozen=True)
class Expansion:
    """psi to second order at one point.

    Attributes:
        value: psi(y) of each image.
        gradient: f(y).
        product: v -> J v, J the Hessian of psi at y.
    """

    value: Values
    gradient: Points
    product: Callable[[Points], Points]


class Potential(nn.Module):
    """Base of all potentials; one image of the batch never sees another.

    Attributes:
        channels: channels of an image; the length of a vector where `dimensions` is 0.
        dimensions: axes behind the channels: 0 for vectors, 2 for images, 3 for volumes.
        size: the only size of an image that is accepted; None: any.
        radius: how far psi's term at one position looks; None where psi is no sum over positions (see `density`).
        smallest: least number of rows, columns and slices.
    """

    kind: ClassVar[str]
    channels: int
    dimensions: int = 2
    size: tuple[int, ...] | None = None
    radius: int | None = None
    smallest: int = 1

    @abstractmethod
    def value(self, y: Points, sigma: Levels) -> Values:
        """Return psi(y) of each image, convex in y for every noise level."""

    def forward(self, y: Points, sigma: Levels) -> Values:
        """Return psi(y)."""
        return self.value(y, sigma)

    @property
    @abstractmethod
    def modulus(self) -> float:
        """m, with psi - m/2 ||.||^2 convex."""

    @abstractmethod
    def slope_at_infinity(self, size: tuple[int, ...]) -> float:
        """Return c, with psi(y) <= c/2 ||y||^2 + a ||y|| + b on images of this size; below 1 for reconstruction."""

    def density(self, y: Points, sigma: Levels) -> Terms:
        """Return the terms of which psi is the sum, one a position; only where `radius` is set."""
        raise ShapeError(f"a {self.kind} potential is no sum over positions; it cannot be computed tile by tile")

    def density_and_gradient(self, y: Points, sigma: Levels) -> tuple[Terms, Points]:
        """Return the terms of psi and f(y), without graph."""
        with torch.enable_grad():
            point = y.detach().requires_grad_()
            terms = self.density(point, sigma)
            (gradient,) = torch.autograd.grad(terms.sum(), point)
        return terms.detach(), gradient

    def gradient(self, y: Points, sigma: Levels) -> Points:
        """Return f(y) = grad psi(y); with a graph in grad mode only, `y` left alone. A closed form overrides this."""
        return self.value_and_gradient(y, sigma)[1]

    def value_and_gradient(self, y: Points, sigma: Levels) -> tuple[Values, Points]:
        """Return psi(y) and f(y); with a graph in grad mode only."""
        if type(self).gradient is not Potential.gradient:
            return self.value(y, sigma), self.gradient(y, sigma)
        keep = torch.is_grad_enabled()
        with torch.enable_grad():
            point = y if keep and y.requires_grad else y.detach().requires_grad_()
            value = self.value(point, sigma)
            (gradient,) = torch.autograd.grad(value.sum(), point, create_graph=keep)
        return value if keep else value.detach(), gradient

    def expand(self, y: Points, sigma: Levels) -> Expansion:
        """Return psi, f and the product with J at `y`; the graph lives as long as the result."""
        with torch.enable_grad():
            point = y.detach().requires_grad_()
            value, gradient = self.value_and_gradient(point, sigma)

        def product(v: Points) -> Points:
            return torch.autograd.grad(gradient, point, v, retain_graph=True)[0]

        return Expansion(value.detach(), gradient.detach(), product)

    def constrained(self) -> dict[str, NonNegative]:
        """Return the layers whose weights must not be negative, by the name of their tensor."""
        return {f"{name}.raw": module for name, module in self.named_modules() if isinstance(module, NonNegative)}

    def negative_weights(self) -> list[tuple[str, tuple[int, ...], float]]:
        """Return (tensor, index, value) of the first violation of each tensor; empty where psi is convex."""
        found = []
        for name, module in self.constrained().items():
            if module.signs == "project" and bool((module.raw < 0).any()):
                index = tuple((module.raw < 0).nonzero()[0].tolist())
                found.append((name, index, float(module.raw.detach()[index])))
        return found

    @torch.no_grad()
    def project_(self) -> None:
        """Set negative weights to 0: what training by projection does after each step."""
        for module in self.constrained().values():
            module.project_()

    def zero_share(self) -> float:
        """Return the share of constrained weights that are exactly 0; projection cannot bring all of them back."""
        weights = [module() for module in self.constrained().values()]
        total = sum(w.numel() for w in weights)
        return sum(int((w == 0).sum()) for w in weights) / max(1, total)


class NonNegative(nn.Module):
    """A weight tensor w >= 0, kept so by projection or by w = softplus(raw) or w = raw^2.

    Under projection a weight at 0 whose gradient pushes it down stays there for good; the other two let it come back.
    """

    def __init__(self, start: Tensor, signs: str) -> None:
        super().__init__()
        self.signs = signs
        start = start.clamp(min=0)
        if signs == "softplus":
            start = start.clamp(min=1e-8).expm1().log()
        elif signs == "square":
            start = start.clamp(min=1e-12).sqrt()
        self.raw = nn.Parameter(start)

    def forward(self) -> Tensor:
        """Return w."""
        if self.signs == "softplus":
            return F.softplus(self.raw)
        return self.raw.square() if self.signs == "square" else self.raw

    def project_(self) -> None:
        """Set negative entries to 0; the other parametrisations have none."""
        if self.signs == "project":
            self.raw.clamp_(min=0)
