"""The problem that all solvers of a reconstruction share, and the trace that each of them leaves.

F(x) = h(x) + weight R_sigma(x),     h(x) = 1/2 ||A x - y||^2,     grad h(x) = A^T (A x - y)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from sciml.imaging.operators.linear import LinearPhysics, Physics
from sciml.proximal.networks.implicit import ImplicitNetwork
from sciml.proximal.networks.network import LearnedProximalNetwork
from sciml.proximal.optimise.inversion import wide
from sciml.proximal.optimise.minimize import Images
from sciml.proximal.reconstruction.operators import OperatorFacts

PROX_ITERATIONS = 1000
PerImage = Float[Tensor, " batch"]
OnIteration = Callable[[int, Images, PerImage], None]


@dataclass(frozen=True)
class Problem:
    """Measurement, operator, network and weight.

    Attributes:
        y: measurement.
        physics: A.
        network: gives R and its prox.
        sigma: noise level of R, one an image.
        weight: weight of R in F, one an image.
        facts: norm and column norm of A.
        threshold: the solver stops when ||grad F|| is at most this times ||x||.
        prox_tolerance: relative residual to which the prox of the implicit form is solved.
        inner_tolerance: relative residual to which the linear system of ADMM is solved.
    """

    y: Tensor
    physics: Physics
    network: LearnedProximalNetwork
    sigma: PerImage
    weight: PerImage
    facts: OperatorFacts
    threshold: float
    prox_tolerance: float = 1e-4
    inner_tolerance: float = 1e-6

    def data(self, x: Images) -> tuple[PerImage, Images]:
        """Return h(x) and grad h(x)."""
        residual = self.physics.A(x) - self.y
        value = 0.5 * residual.square().flatten(1).sum(1)
        if isinstance(self.physics, LinearPhysics):
            return value, self.physics.A_adjoint(residual)
        return value, self.physics.A_vjp(x, residual)

    def prox(self, v: Images, multiple: PerImage, guess: Images | None = None) -> tuple[Images, PerImage, Images]:
        """Return x = argmin_x 1/2 ||x - v||^2 + multiple R(x), R(x) and grad R(x), without inversion.

        At the solution grad R(x) = (v - x) / multiple, so x = f(u) with u = x + (v - x) / multiple, where R is known:
        R(f(u)) = <u, f(u)> - 1/2 ||f(u)||^2 - psi(u). The implicit form is solved from `guess` to `prox_tolerance`.
        """
        network = self.network
        if isinstance(network, ImplicitNetwork):
            x = network.solve(v, self.sigma, multiple, guess, self.prox_tolerance, PROX_ITERATIONS).x
            return x, *network.at(self.sigma, x).value_and_gradient(x)
        # step and weight are inverses of one another up to rounding where the prox is the network itself
        if bool(((multiple - 1).abs() <= 4 * torch.finfo(v.dtype).eps).all()):
            x, prior = network.evaluate(v, self.sigma)
            return x, prior, v - x
        x = network.prox(v, multiple, self.sigma)
        slope = (v - x) / wide(multiple, v)
        return x, network.evaluate(x + slope, self.sigma)[1], slope


@dataclass
class Trace:
    """What a solver did.

    Attributes:
        image: last iterate.
        objective: F of each image, for the start where R is known there, and every accepted iterate.
        lagrangian: augmented Lagrangian of each image and iteration, ADMM only.
        steps: step length of each image and iteration.
        changes: ||dx|| of each image and iteration.
        residual: ||grad F(image)|| of each image.
        gradients: number of gradients of h, each one product with A and one with A^T.
        safe_steps: how often the safeguard replaced a step.
        converged: whether every image met the threshold.
    """

    image: Images
    objective: list[PerImage] = field(default_factory=list)
    lagrangian: list[PerImage] = field(default_factory=list)
    steps: list[PerImage] = field(default_factory=list)
    changes: list[PerImage] = field(default_factory=list)
    residual: PerImage = field(default_factory=lambda: torch.empty(0))
    gradients: int = 0
    safe_steps: int = 0
    converged: bool = False


def size_of(x: Tensor) -> PerImage:
    """Return the 2-norm of each image."""
    return x.square().flatten(1).sum(1).sqrt()
