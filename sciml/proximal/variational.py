"""Reconstruct with the implicit form: minimise F(x) = 1/2 ||A x - y||^2 + weight R(x) directly, R and its gradient being known.

Steps are those of `sciml.proximal.minimize`: Barzilai-Borwein in the metric 1 / (a(w) + weight D(w)) of the cosine basis, a the
spectrum of A^T A and D the bound of Hess R. a is only about that spectrum, so a step that does not lower F is replaced by the
step of 1 / (||A||^2 + weight D(w)), which does: Hess F <= ||A||^2 + weight D. Hence F never rises.
"""

from __future__ import annotations

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor

from sciml.proximal.implicit import ImplicitNetwork
from sciml.proximal.minimize import Images, cosine_filter, minimize
from sciml.proximal.operators import normal_spectrum
from sciml.proximal.problem import OnIteration, Problem, Trace, wide
from sciml.runtime.errors import ConfigError

FIRST = 1.0
SHORTEST = 0.1


@torch.no_grad()
def variational(problem: Problem, start: Images, iterations: int, on_iteration: OnIteration | None = None) -> Trace:
    """Return a critical point of F near `start`.

    Args:
        problem: y, A, R and the weight; A is linear and the network implicit.
        start: first iterate.
        iterations: at most this many gradients.
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

    bound = lam * at.upper_symbol((start.shape[-2], start.shape[-1]))
    spectrum = torch.ones_like(start[:1, :1]) if problem.facts.smallest_squared == 1 else normal_spectrum(physics, start)
    found = minimize(
        objective,
        cosine_filter(1 / (spectrum + bound)),
        start,
        tolerance=problem.threshold,
        iterations=iterations,
        first=FIRST,
        memory=1,
        safe=cosine_filter(1 / (problem.facts.norm_squared + bound)),
        shortest=SHORTEST,
        on_iteration=on_iteration,
    )
    return Trace(
        image=found.x,
        objective=found.objective,
        steps=found.steps,
        changes=found.changes,
        residual=found.residual,
        gradients=found.gradients,
        safe_steps=found.safe_steps,
        converged=found.converged,
    )
