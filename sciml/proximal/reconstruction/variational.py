"""Reconstruct with the implicit form: minimise F(x) = 1/2 ||A x - y||^2 + weight R_sigma(x), R and its gradient being known.

Steps are the quasi-Newton steps of `sciml.proximal.optimise.minimize`, preconditioned in the cosine basis by 1 / (a(w) + weight
T(w)), a about the spectrum of A^T A and T what R does on average. Neither is a bound, so a step that does not lower F is replaced
by the step of 1 / (||A||^2 + weight D(w)), which does: Hess F <= ||A||^2 + weight D. Hence F never rises.

Where A loses much of the image, most potentials of a poor start are saturated, and a descent from there creeps or ends at a poor
critical point. So the first iterate is the reconstruction with total variation, whose problem is convex.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from sciml.imaging.operators.linear import LinearPhysics
from sciml.imaging.solvers.admm import total_variation_admm
from sciml.proximal.networks.implicit import ImplicitNetwork
from sciml.proximal.optimise.inversion import wide
from sciml.proximal.optimise.minimize import Images, Minimum, cosine_filter, minimize, typical_start
from sciml.proximal.potentials.regularizer import Conditioned
from sciml.proximal.reconstruction.convergence import prior_certificate
from sciml.proximal.reconstruction.operators import normal_spectrum
from sciml.proximal.reconstruction.problem import OnIteration, Problem, Trace
from sciml.proximal.reconstruction.splitting import proximal_gradients
from sciml.runtime.errors import ConfigError

GUARDED_STEPS = 500
STEP = 0.95


@torch.no_grad()
def variational(
    problem: Problem, start: Images, iterations: int, smooth: bool = True, on_iteration: OnIteration | None = None
) -> Trace:
    """Return a critical point of F near `start`.

    Args:
        problem: y, A, R and the weight; A is linear and the network implicit.
        start: a reconstruction without prior, or the first iterate itself.
        iterations: largest number of gradients of F.
        smooth: whether the first iterate is made from `start`: by total variation, for denoising by what R does on average.
        on_iteration: called with the number of gradients, the iterate and F.

    Raises:
        ConfigError: the network is not of the implicit form, or A is nonlinear.
    """
    network, physics = problem.network, problem.physics
    if not isinstance(network, ImplicitNetwork) or not isinstance(physics, LinearPhysics):
        raise ConfigError("direct minimisation needs the implicit form and a linear physics; take the solver pgd")
    identity = problem.facts.smallest_squared == 1
    spectrum = torch.ones_like(start[:1, :1]) if identity else normal_spectrum(physics, start)
    data = Data(physics, problem.y, spectrum, problem.facts.norm_squared)
    if smooth and not identity:
        # the weight of an l1-like prior: the noise that reaches a pixel of A^T(A x - y), sigma c^2
        start, smooth = total_variation_admm(problem.y, physics, problem.sigma * problem.facts.column_norm**2, start), False
    found = descend(
        network.at(problem.sigma, start),
        wide(problem.weight, start),
        data,
        start,
        smooth=smooth,
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


@torch.no_grad()
def guarded(problem: Problem, trace: Trace, on_iteration: OnIteration | None = None) -> Trace:
    """Return a trace that goes on from where quasi-Newton steps came to a halt, by proximal gradients that never raise F.

    Args:
        problem: as of `variational`.
        trace: of `variational`.
        on_iteration: called with the number of steps, the iterate and F.
    """
    weak = max(prior_certificate(problem.network, problem.sigma).weak_convexity or 0.0, 1e-12)
    step = torch.minimum(torch.full_like(problem.weight, STEP / problem.facts.norm_squared), STEP / (weak * problem.weight))
    more = proximal_gradients(problem, trace.image, step, GUARDED_STEPS, True, on_iteration)
    return replace(
        more,
        objective=[*trace.objective, *more.objective],
        changes=[*trace.changes, *more.changes],
        gradients=trace.gradients + more.gradients,
        safe_steps=trace.safe_steps,
    )


class Data:
    """The data term of F, h(x) = 1/2 ||A x - y||^2, with what a solver knows of A.

    Args:
        physics: A.
        y: measurement.
        spectrum: about the diagonal of A^T A in the cosine basis.
        norm_squared: an upper bound of ||A||^2.
    """

    def __init__(
        self, physics: LinearPhysics, y: Tensor, spectrum: Float[Tensor, "1 1 height width"], norm_squared: float
    ) -> None:
        self.physics, self.y, self.spectrum, self.norm_squared = physics, y, spectrum, norm_squared

    def value_and_gradient(self, x: Images) -> tuple[Float[Tensor, " batch"], Images]:
        """Return h(x) of each image and A^T (A x - y)."""
        residual = self.physics.A(x) - self.y
        return 0.5 * residual.square().flatten(1).sum(1), self.physics.A_adjoint(residual)


def descend(
    at: Conditioned,
    weight: Float[Tensor, "batch 1 1 1"],
    data: Data,
    start: Images,
    *,
    smooth: bool,
    tolerance: float,
    iterations: int,
    on_iteration: OnIteration | None = None,
) -> Minimum:
    """Return a critical point of h + weight R; arguments as those of `minimize` and `typical_start`."""

    def objective(x: Images) -> tuple[Tensor, Images]:
        value, gradient = data.value_and_gradient(x)
        prior, slope = at.value_and_gradient(x)
        return value + weight.flatten() * prior, gradient + weight * slope

    if smooth:
        start, precondition = typical_start(at, weight, data.spectrum, start)
    else:
        precondition = cosine_filter(1 / (data.spectrum + weight * at.typical_symbol(start)))
    return minimize(
        objective,
        precondition,
        cosine_filter(1 / (data.norm_squared + weight * at.upper_symbol((start.shape[-2], start.shape[-1])))),
        start,
        tolerance=tolerance,
        iterations=iterations,
        on_iteration=on_iteration,
    )


def approach(
    network: ImplicitNetwork,
    data: Data,
    sigma: Float[Tensor, " batch"],
    weight: Float[Tensor, " batch"],
    start: Images,
    coarser: Sequence[float],
    steps: int,
) -> Images:
    """Return a first iterate for F by `steps` gradients on each of the coarser problems, R_{k sigma} with weight / k.

    Args:
        network: gives R.
        data: the data term.
        sigma: noise level of R in F, one an image.
        weight: weight of R in F, one an image.
        start: a reconstruction without prior.
        coarser: factors k, falling towards 1.
        steps: gradients of each problem.
    """
    for index, factor in enumerate(coarser):
        at = network.regularizer.at(factor * sigma)
        found = descend(at, wide(weight / factor, start), data, start, smooth=index == 0, tolerance=0.0, iterations=steps)
        start = found.x
    return start
