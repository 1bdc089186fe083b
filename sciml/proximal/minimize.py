"""Minimise F(x) = h(x) + R(x) for a smooth h and a weakly convex R: preconditioned Barzilai-Borwein steps, safeguarded.

    d = B g,   x+ = x - alpha d,   alpha = <dx, dg> / <dg, B dg>     (Barzilai and Borwein 1988, in the metric of B)

B is the inverse of an upper bound of the Hessian, 1 / (a(w) + D(w)) in the cosine basis: the step alpha = 1 lowers F by at least
1/2 <g, B g>. The bound is far above the curvature met in practice, where most potentials are saturated; long steps make use
of that, and a step that does not lower F enough is replaced by the safe one. One gradient an iteration; every image of a
batch has its own alpha.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from sciml.proximal import symmetric
from sciml.runtime.errors import NumericalError

Images = Float[Tensor, "batch channel height width"]
Objective = Callable[[Images], tuple[Float[Tensor, " batch"], Images]]
Linear = Callable[[Images], Images]
LONGEST, SHORTEST = 30.0, 0.5


@dataclass
class Minimum:
    """Where a minimisation ended.

    Attributes:
        x: the minimiser.
        objective: F(x) of each image, for every accepted iterate.
        residual: norm of the gradient of F at `x`, each image.
        relative: that norm divided by the norm of the first gradient's scale, as the tolerance counts it.
        gradients: number of gradients taken.
        safe_steps: how often the safeguard replaced a step, over all images.
        steps: step length of each image and iteration.
        changes: ||dx|| of each image and iteration.
        converged: whether every image met the tolerance.
    """

    x: Images
    objective: list[Float[Tensor, " batch"]] = field(default_factory=list)
    residual: Float[Tensor, " batch"] = field(default_factory=lambda: torch.empty(0))
    gradients: int = 0
    safe_steps: int = 0
    steps: list[Float[Tensor, " batch"]] = field(default_factory=list)
    changes: list[Float[Tensor, " batch"]] = field(default_factory=list)
    converged: bool = False


def dot(a: Images, b: Images) -> Float[Tensor, "batch 1 1 1"]:
    """Return the inner product of each image."""
    return (a * b).sum((1, 2, 3), keepdim=True)


def norm(a: Images) -> Float[Tensor, " batch"]:
    """Return the 2-norm of each image."""
    return a.square().sum((1, 2, 3)).sqrt()


def cosine_filter(symbol: Float[Tensor, "batch channel height width"]) -> Linear:
    """Return x -> DCT^T symbol DCT x."""
    rows, columns = (symmetric.cosine_transform(n, symbol.dtype, str(symbol.device)) for n in symbol.shape[-2:])

    def apply(x: Images) -> Images:
        channels = symbol.shape[1]
        spectrum = (rows @ x @ columns.T).unflatten(1, (-1, channels)) * symbol[:, None]
        return rows.T @ spectrum.flatten(1, 2) @ columns

    return apply


def fixed_steps(gradient: Linear, precondition: Linear, start: Images, count: int, first: float = 2.5) -> Images:
    """Return the iterate after `count` gradients, without safeguard: what training uses.

    Args:
        gradient: gradient of F.
        precondition: B.
        start: first iterate.
        count: number of gradients.
        first: first step length; 2.5 suits denoising, where the start is the noisy image.
    """
    x, g = start, gradient(start)
    d, alpha = precondition(g), start.new_full((len(start), 1, 1, 1), first)
    for _ in range(count - 1):
        following = x - alpha * d
        g_next = gradient(following)
        d_next = precondition(g_next)
        alpha = _length(dot(following - x, g_next - g), dot(g_next - g, d_next - d))
        x, g, d = following, g_next, d_next
    return x - alpha.clamp(max=1) * d


def minimize(
    objective: Objective,
    precondition: Linear,
    start: Images,
    *,
    tolerance: float,
    iterations: int,
    first: float = 2.5,
    memory: int = 1,
    safe: Linear | None = None,
    shortest: float = SHORTEST,
    on_iteration: Callable[[int, Images, Tensor], None] | None = None,
) -> Minimum:
    """Return a stationary point of F near `start`.

    A step is accepted when F falls below the largest of the last `memory` values by 1e-4 <g, dx> (Grippo, Lampariello and
    Lucidi 1986; memory 1: F never rises). Otherwise the image takes the safe step x - B g, or x - S g with another
    preconditioner S.

    Args:
        objective: x -> (F of each image, gradient).
        precondition: B, with B^-1 above the Hessian of F, so that the step 1 is safe, unless `safe` is given.
        start: first iterate.
        tolerance: stop when the gradient's norm is below tolerance times the norm of the image, for every image.
        iterations: at most this many gradients.
        first: first step length.
        memory: number of values that a new one is compared with.
        safe: S, with S^-1 above the Hessian of F; needed where B is only about the inverse Hessian.
        shortest: least step length.
        on_iteration: called with the number of gradients, the iterate and F.

    Raises:
        NumericalError: F or its gradient is not finite.
    """
    x = start
    value, g = objective(x)
    _check(value, g, 1)
    d, alpha = precondition(g), start.new_full((len(start), 1, 1, 1), first)
    found = Minimum(x, [value], norm(g), 1)
    # one rounding of F: below it, higher and lower cannot be told apart
    rounding = 8 * torch.finfo(value.dtype).eps
    while True:
        found.converged = bool((found.residual <= tolerance * norm(x).clamp(min=1e-12)).all())
        if on_iteration is not None:
            on_iteration(found.gradients, x, value)
        if found.converged or found.gradients >= iterations:
            return found
        level = torch.stack(found.objective[-memory:]).amax(0)
        following = x - alpha * d
        value_next, g_next = objective(following)
        enough = level - 1e-4 * (alpha * dot(g, d)).flatten() + rounding * level.abs()
        failed = ~(value_next <= enough)
        found.gradients += 1
        if bool(failed.any()):
            # only the failed images take the safe step
            found.safe_steps += int(failed.sum())
            alpha = torch.where(failed[:, None, None, None], torch.ones_like(alpha), alpha)
            step = d if safe is None else torch.where(failed[:, None, None, None], safe(g), d)
            following = x - alpha * step
            value_next, g_next = objective(following)
            found.gradients += 1
        _check(value_next, g_next, found.gradients)
        d_next = precondition(g_next)
        found.steps.append(alpha.flatten())
        found.changes.append(norm(following - x))
        alpha = _length(dot(following - x, g_next - g), dot(g_next - g, d_next - d), shortest)
        x, value, g, d = following, value_next, g_next, d_next
        found.x, found.residual = x, norm(g)
        found.objective.append(value)


def _length(curvature: Tensor, change: Tensor, shortest: float = SHORTEST) -> Tensor:
    """Return <dx, dg> / <dg, B dg> within its limits; 1 where the curvature along the step was not positive."""
    alpha = (curvature / change.clamp(min=1e-30)).clamp(shortest, LONGEST)
    return torch.where(curvature > 0, alpha, torch.ones_like(alpha))


def _check(value: Tensor, g: Tensor, step: int) -> None:
    if not bool(value.isfinite().all() and g.isfinite().all()):
        raise NumericalError(f"the objective or its gradient is not finite after {step} gradients; does the input hold NaN?")
