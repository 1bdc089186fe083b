"""Invert f = grad psi, and solve the prox of any weight, by Newton's method with conjugate gradients.

    minimise over u  F(u) = (1 - w) psi(u) + w/2 ||u||^2 - <x, u>,  grad F = (1 - w) f(u) + w u - x,  Hess F = (1 - w) J + w I

w = 0 inverts f, f(u) = x. For w > 0 the solution has f(u) = prox_{w R}(x): with z = f(u), grad R(z) = u - z, the equation says
z - x + w grad R(z) = 0. F is strongly convex for 0 < w <= 1; above 1 it is as long as w I + (1 - w) J is positive definite.

For w = 0 and x outside the range of f, F has no minimum: ||u|| grows and the gradient does not vanish, which is reported.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sciml.proximal.potentials.potential import Expansion, Levels, Points, Potential, Values
from sciml.runtime.errors import NumericalError

FARTHEST = 1e6


@dataclass(frozen=True)
class Solution:
    """Where Newton's method ended, one entry an image.

    Attributes:
        point: u.
        image: f(u).
        value: psi(u).
        residual: ||grad F(u)|| / max(||x||, 1e-12).
        converged: whether the residual met the tolerance.
        curved: whether only positive curvature of F was met; may fail above weight 1 only, up to rounding.
        iterations: Newton steps.
        products: products of the Jacobian with a vector.
    """

    point: Points
    image: Points
    value: Values
    residual: Values
    converged: Bool[Tensor, " batch"]
    curved: Bool[Tensor, " batch"]
    iterations: Int[Tensor, " batch"]
    products: Int[Tensor, " batch"]


def inner(a: Tensor, b: Tensor) -> Float[Tensor, " batch"]:
    """Return the inner product of each image."""
    return (a * b).flatten(1).sum(1)


def wide(values: Tensor, like: Tensor) -> Tensor:
    """Return one number an image, ready to broadcast."""
    return values.reshape(-1, *[1] * (like.ndim - 1))


class _Problem:
    """F, its gradient and its Hessian at one point."""

    def __init__(self, potential: Potential, u: Points, x: Points, weight: Values, sigma: Levels) -> None:
        self.weight, self.at = wide(weight, u), potential.expand(u, sigma)
        self.gradient = (1 - self.weight) * self.at.gradient + self.weight * u - x
        self.value = objective(self.at.value, u, x, weight)

    def product(self, v: Points) -> Points:
        return (1 - self.weight) * self.at.product(v) + self.weight * v


def objective(psi: Values, u: Points, x: Points, weight: Values) -> Values:
    """Return F(u) for psi = psi(u)."""
    return (1 - weight) * psi + weight / 2 * inner(u, u) - inner(x, u)


def newton(
    potential: Potential,
    x: Points,
    weight: Values,
    sigma: Levels,
    *,
    start: Points | None = None,
    tolerance: float = 1e-13,
    iterations: int = 100,
    conjugate_steps: int = 500,
) -> Solution:
    """Return the minimiser of F for each image; use float64.

    Args:
        potential: psi, in the type of `x`.
        x: right-hand sides.
        weight: w of each image, 0 for the inverse of f.
        sigma: noise level of each image.
        start: first u; `x` itself by default.
        tolerance: relative residual to reach; where rounding stops the iteration before, 100 times as much counts as solved.
        iterations: largest number of Newton steps.
        conjugate_steps: largest number of products with the Hessian in a Newton step.
    """
    count = len(x)
    scale = inner(x, x).sqrt().clamp(min=1e-12)
    u = (x if start is None else start).detach().clone()
    image, value = torch.zeros_like(u), torch.zeros_like(scale)
    residual = torch.full_like(scale, torch.inf)
    curved = torch.ones(count, dtype=torch.bool, device=x.device)
    steps = torch.zeros(count, dtype=torch.long, device=x.device)
    products = torch.zeros_like(steps)
    # images that are done leave the batch, so that the slow ones do not pay for them
    active = torch.arange(count, device=x.device)
    idle = torch.zeros_like(steps)
    for iteration in range(iterations + 1):
        problem = _Problem(potential, u[active], x[active], weight[active], sigma[active])
        size = inner(problem.gradient, problem.gradient).sqrt() / scale[active]
        image[active], value[active] = problem.at.gradient, problem.at.value
        idle[active] = torch.where(size < 0.5 * residual[active], 0, idle[active] + 1)
        residual[active] = size
        far = inner(u[active], u[active]).sqrt() > FARTHEST * (1 + scale[active])
        # three steps near rounding that no longer halve the residual: as good as floating point allows
        exhausted = (idle[active] >= 3) & (size < 100 * tolerance)
        keep = (size > tolerance) & ~far & ~exhausted & size.isfinite()
        if iteration == iterations or not bool(keep.any()):
            break
        direction, good, used = _conjugate_gradients(problem, keep, size, conjugate_steps)
        length = _armijo(potential, problem, u[active], x[active], weight[active], sigma[active], direction)
        u[active] = u[active] + wide(torch.where(keep, length, 0.0), u) * direction
        steps[active] += keep.long()
        products[active] += used
        curved[active] &= good
        active = active[keep]
    # a residual at rounding level counts, whatever stopped the iteration
    return Solution(u, image, value, residual, residual <= 100 * tolerance, curved, steps, products)


def _conjugate_gradients(problem: _Problem, keep: Tensor, size: Values, limit: int) -> tuple[Points, Tensor, Tensor]:
    """Return an approximate Newton direction, whether only positive curvature was met, and the number of products."""
    gradient = problem.gradient
    d, r = torch.zeros_like(gradient), -gradient
    p, slope = r, inner(r, r)
    # quadratic convergence once the gradient is small
    target = (slope.sqrt() * torch.minimum(size.clamp(min=1e-6), torch.full_like(size, 0.1))).square()
    good, running, used = torch.ones_like(keep), keep.clone(), torch.zeros_like(keep, dtype=torch.long)
    for step in range(limit):
        image = problem.product(p)
        used += running.long()
        bend = inner(p, image)
        positive = bend > 1e-14 * inner(p, p)
        good &= positive | ~running
        # the first direction is the gradient: worth a step even where F is flat along it
        if step == 0:
            d = torch.where(wide(positive, d), d, p)
        running &= positive
        length = torch.where(running, slope / bend.clamp(min=1e-300), 0.0)
        d, r = d + wide(length, d) * p, r - wide(length, r) * image
        following = inner(r, r)
        running &= following > target
        if not bool(running.any()):
            break
        p, slope = r + wide(following / slope.clamp(min=1e-300), r) * p, following
    return d, good, used


def _armijo(
    potential: Potential, problem: _Problem, u: Points, x: Points, weight: Values, sigma: Levels, direction: Points
) -> Values:
    """Return the first of 1, 1/2, 1/4 ... that lowers F by 1e-4 of its slope, up to the rounding of F."""
    slope = inner(problem.gradient, direction)
    rounding = 8 * torch.finfo(u.dtype).eps * (problem.value.abs() + problem.at.value.abs() + inner(u, u) + inner(x, u).abs())
    length = torch.ones_like(slope)
    for _ in range(40):
        trial = u + wide(length, u) * direction
        with torch.no_grad():
            psi = potential.value(trial, sigma)
        value = objective(psi, trial, x, weight)
        failed = ~(value <= problem.value + 1e-4 * length * slope + rounding)
        if not bool(failed.any()):
            break
        length = torch.where(failed, length / 2, length)
    return length


def largest_curvature(expansion: Expansion, generator: torch.Generator, steps: int = 30) -> Values:
    """Return the largest eigenvalue of J at a point, from below, by power iteration."""
    v = torch.randn(expansion.gradient.shape, generator=generator, dtype=torch.float64).to(expansion.gradient)
    for _ in range(steps):
        v = v / wide(inner(v, v).sqrt().clamp(min=1e-300), v)
        v = expansion.product(v)
    return inner(v, v).sqrt()


def check_curvature(potential: Potential, found: Solution, weight: Values, sigma: Levels) -> None:
    """Refuse a weight w > 1 whose w I + (1 - w) J is not positive definite where the solver went or ended.

    This is what can be seen: between the points that were visited nothing is proved. Weights up to 1 need no check.

    Raises:
        NumericalError: names the weight, the slope met and the limit.
    """
    if not bool((weight > 1).any()):
        return
    curvature = largest_curvature(potential.expand(found.point, sigma), torch.Generator().manual_seed(0))
    failed = (weight > 1) & ~(found.curved & (weight + (1 - weight) * curvature > 0))
    if bool(failed.any()):
        first = int(failed.nonzero()[0])
        raise NumericalError(
            f"weight {float(weight[first]):g}: f has slopes up to {float(curvature[first]):.3g} here, so this multiple of R "
            "need not have a unique prox; stay below L / (L - 1) with L the largest slope, or at most 1, which always works"
        )
