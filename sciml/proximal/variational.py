"""Reconstruct with the implicit form: minimise F(x) = 1/2 ||A x - y||^2 + weight R(x) directly, R and its gradient being known.

Steps are the quasi-Newton steps of `sciml.proximal.minimize`, preconditioned in the cosine basis by 1 / (a(w) + weight T(w)), a
about the spectrum of A^T A and T what R does on average. Neither is a bound, so a step that does not lower F is replaced by
the step of 1 / (||A||^2 + weight D(w)), which does: Hess F <= ||A||^2 + weight D. Hence F never rises.
"""

from __future__ import annotations

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor

from sciml.proximal.implicit import ImplicitNetwork
from sciml.proximal.minimize import Images, cosine_filter, minimize, typical_start
from sciml.proximal.operators import normal_spectrum
from sciml.proximal.problem import OnIteration, Problem, Trace, wide
from sciml.runtime.errors import ConfigError


@torch.no_grad()
def variational(
    problem: Problem, start: Images, iterations: int, smooth: bool = True, on_iteration: OnIteration | None = None
) -> Trace:
    """Return a critical point of F near `start`.

    Args:
        problem: y, A, R and the weight; A is linear and the network implicit.
        start: a reconstruction without prior, or the first iterate itself.
        iterations: at most this many gradients.
        smooth: whether the first iterate is `start` smoothed as R does on average.
        on_iteration: called with the number of gradients, the iterate and F.

    Raises:
        ConfigError: the network is not of the implicit form, or A is nonlinear.
    """
    network, physics = problem.network, problem.physics
    if not isinstance(network, ImplicitNetwork) or not isinstance(physics, LinearPhysics):
        raise ConfigError("direct minimisation needs the implicit form and a linear physics; take the solver pgd")
    at, lam = network.at(problem.sigma, start), wide(problem.weight, start)

    def objective(x: Images) -> tuple[Tensor, Images]:
        value, gradient = problem.data(x)
        prior, slope = at.value_and_gradient(x)
        return value + problem.weight * prior, gradient + lam * slope

    size = (start.shape[-2], start.shape[-1])
    identity = problem.facts.smallest_squared == 1
    spectrum = torch.ones_like(start[:1, :1]) if identity else normal_spectrum(physics, start)
    smoothed, precondition = typical_start(at, lam, spectrum, start)
    found = minimize(
        objective,
        precondition,
        cosine_filter(1 / (problem.facts.norm_squared + lam * at.upper_symbol(size))),
        smoothed if smooth else start,
        tolerance=problem.threshold,
        iterations=iterations,
        on_iteration=on_iteration,
    )
    return Trace(
        image=found.x,
        objective=found.objective,
        changes=found.changes,
        residual=found.residual,
        gradients=found.gradients,
        safe_steps=found.safe_steps,
        converged=found.converged,
    )
