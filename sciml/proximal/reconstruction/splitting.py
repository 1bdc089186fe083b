"""Reconstruct by splitting: proximal gradients and ADMM, for either form of a network, with the exact objective.

    F(x) = h(x) + weight R(x),    h(x) = 1/2 ||A x - y||^2

Both know F at every iterate without inverting f, since R is known at every output of a prox. Both lower a stated quantity at
every step where their step length or penalty is on the right side of ||A||^2; the theorems are those of Fang, Buchanan and
Sulam (ICLR 2024) for proximal gradients and ADMM with learned proximal networks.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sciml.imaging.operators.linear import LinearPhysics
from sciml.proximal.optimise.inversion import inner, wide
from sciml.proximal.optimise.minimize import Images
from sciml.proximal.reconstruction.problem import OnIteration, PerImage, Problem, Trace, size_of
from sciml.runtime.errors import ConfigError, NumericalError

INNER_STEPS = 200


@torch.no_grad()
def proximal_gradients(
    problem: Problem,
    start: Images,
    step: PerImage,
    iterations: int,
    accelerate: bool = True,
    on_iteration: OnIteration | None = None,
) -> Trace:
    """Return the last iterate of x+ = prox_{step weight R}( z - step grad h(z) ), and F at every iterate.

    For z = x and step < 1 / ||A||^2, F never rises:

        F(x) - F(x+) >= (1 / (2 step) - ||A||^2 / 2) ||x+ - x||^2

    because x+ minimises its prox objective, whether or not R is convex. With `accelerate`, z = x + (t - 1) / t+ (x - x-)
    (Nesterov 1983) is tried first and kept only where this same inequality holds; otherwise the image takes the plain step
    and its momentum starts anew. A (z) and grad h(z) follow from those of x and x- since A is linear: an accepted step takes
    one A, one A^T and one prox. grad R(x+) is known from the prox, so grad F(x+) is free too.

    Args:
        problem: y, A, R and the weight.
        start: first iterate.
        step: step length, one an image.
        iterations: largest number of proximal steps.
        accelerate: try momentum; never with a nonlinear A.
        on_iteration: called with the number of steps, the iterate and F.

    Raises:
        NumericalError: the iterates are no longer finite.
    """
    multiple, eta = step * problem.weight, wide(step, start)
    drop = 0.5 / step - 0.5 * problem.facts.norm_squared
    x = x_before = start
    _, g = problem.data(x)
    g_before, value, momentum = g, torch.full_like(step, torch.inf), torch.ones_like(step)
    trace = Trace(x, gradients=1)
    accelerate = accelerate and problem.facts.linear

    def forward_backward(z: Images, g_z: Images) -> tuple[Images, PerImage, Images, Images]:
        v = z - eta * g_z
        following, prior, slope = problem.prox(v, multiple, x)
        h, g_next = problem.data(following)
        trace.gradients += 1
        return following, h + problem.weight * prior, g_next, g_next + wide(problem.weight, v) * slope

    for count in range(1, iterations + 1):
        momentum_next = (1 + (1 + 4 * momentum.square()).sqrt()) / 2
        beta = (momentum - 1) / momentum_next if accelerate else torch.zeros_like(momentum)
        push = wide(beta, x)
        result = forward_backward(x + push * (x - x_before), g + push * (g - g_before))
        failed = (beta > 0) & ~(result[1] <= value - drop * size_of(result[0] - x).square())
        if bool(failed.any()):
            trace.safe_steps += int(failed.sum())
            result = tuple(
                torch.where(failed.reshape(-1, *[1] * (a.ndim - 1)), a, b)
                for a, b in zip(forward_backward(x, g), result, strict=True)
            )
        following, value, g_next, gradient = result
        if not bool(value.isfinite().all() and following.isfinite().all()):
            raise NumericalError(
                f"the reconstruction diverged at step {count}; is the step above 1 / ||A||^2, or R unbounded below?"
            )
        trace.changes.append(size_of(following - x))
        trace.steps.append(step)
        trace.objective.append(value)
        momentum = torch.where(failed, torch.ones_like(momentum), momentum_next)
        x_before, x, g_before, g = x, following, g, g_next
        trace.image, trace.residual = x, size_of(gradient)
        trace.converged = bool((trace.residual <= problem.threshold * size_of(x).clamp(min=1e-12)).all())
        if on_iteration is not None:
            on_iteration(count, x, value)
        if trace.converged:
            break
    return trace


@torch.no_grad()
def alternating_directions(
    problem: Problem,
    start: Images,
    penalty: PerImage,
    iterations: int,
    on_iteration: OnIteration | None = None,
) -> Trace:
    """Return the last prox output of ADMM in the order prox, smooth, dual.

        z <- prox_{weight / rho R}(x + u)
        x <- argmin h(x) + rho/2 ||x - z + u||^2,     (A^T A + rho) x = A^T y + rho (z - u)
        u <- u + x - z                                (afterwards u = -grad h(x) / rho)

    For rho > ||A||^2 the augmented Lagrangian L = h(x) + weight R(z) + rho/2 ||x - z + u||^2 - rho/2 ||u||^2 never rises: an
    eigenvalue a of A^T A gains (a + rho) / 2 in the second step and loses a^2 / rho in the third. u starts at -grad h(x) /
    rho, so that this holds from the first iteration on. L >= F(z), and F(z) is exact because R is known at z.

    Args:
        problem: y, A, R and the weight; A is linear.
        start: first x.
        penalty: rho, one an image.
        iterations: largest number of steps.
        on_iteration: called with the number of iterations, z and F(z).

    Raises:
        ConfigError: A is nonlinear.
        NumericalError: the iterates are no longer finite.
    """
    physics = problem.physics
    if not isinstance(physics, LinearPhysics):
        raise ConfigError("ADMM needs a linear physics; take the solver pgd")
    rho, multiple = wide(penalty, start), problem.weight / penalty
    back = physics.A_adjoint(problem.y)
    trace, x = Trace(start), start
    u = -problem.data(x)[1] / rho
    trace.gradients = 1
    for count in range(1, iterations + 1):
        z, prior, slope = problem.prox(x + u, multiple, trace.image)
        right = back + rho * (z - u)
        following, products = _conjugate_gradients(physics, rho, right, x, problem.inner_tolerance)
        u = u + following - z
        h_x, _ = problem.data(following)
        h_z, g_z = problem.data(z)
        trace.gradients += products + 2
        value = h_z + problem.weight * prior
        gap = following - z
        lagrangian = h_x + problem.weight * prior + penalty * (inner(u, gap) + 0.5 * inner(gap, gap))
        if not bool(value.isfinite().all() and lagrangian.isfinite().all()):
            raise NumericalError(
                f"the reconstruction diverged at step {count}; is the penalty below ||A||^2, or R unbounded below?"
            )
        trace.changes.append(size_of(z - trace.image))
        trace.image, trace.residual = z, size_of(g_z + wide(problem.weight, z) * slope)
        trace.steps.append(penalty)
        trace.objective.append(value)
        trace.lagrangian.append(lagrangian)
        trace.converged = bool((trace.residual <= problem.threshold * size_of(z).clamp(min=1e-12)).all())
        x = following
        if on_iteration is not None:
            on_iteration(count, z, value)
        if trace.converged:
            break
    return trace


def _conjugate_gradients(
    physics: LinearPhysics, rho: Tensor, right: Images, start: Images, tolerance: float
) -> tuple[Images, int]:
    """Return x with (A^T A + rho) x = right, and the number of products."""
    limit = tolerance * size_of(right).clamp(min=1e-30)

    def product(p: Images) -> Images:
        return physics.A_adjoint(physics.A(p)) + rho * p

    x, residual = start, right - product(start)
    direction, slope, count = residual, inner(residual, residual), 1
    while count < INNER_STEPS and bool((slope.sqrt() > limit).any()):
        image = product(direction)
        length = slope / inner(direction, image).clamp(min=1e-30)
        x, residual = x + wide(length, x) * direction, residual - wide(length, x) * image
        following = inner(residual, residual)
        direction, slope, count = residual + wide(following / slope.clamp(min=1e-30), x) * direction, following, count + 1
    return x, count
