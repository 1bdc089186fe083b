"""Minimise F(x) = h(x) + R(x) for a smooth h and a weakly convex R: preconditioned quasi-Newton steps, safeguarded.

    x+ = x - H g,    H from the last five pairs of steps and changes of the gradient (`sciml.proximal.optimise.lbfgs`)

One gradient an iteration. A step that does not lower F enough is replaced by x - S g, S the inverse of an upper bound of the
Hessian in the cosine basis, 1 / (||A||^2 + D(w)): it lowers F by at least 1/2 <g, S g>, so that F never rises and every
accumulation point is critical.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from sciml.proximal.optimise.lbfgs import Lbfgs, dot
from sciml.proximal.potentials import symmetric
from sciml.proximal.potentials.regularizer import Conditioned
from sciml.runtime.errors import NumericalError

# a run halts where so many gradients lower neither F by this share of it nor the residual by a tenth
PATIENCE, PROGRESS = 300, 1e-5

Images = Float[Tensor, "batch channel height width"]
Objective = Callable[[Images], tuple[Float[Tensor, " batch"], Images]]
Linear = Callable[[Images], Images]


@dataclass
class Minimum:
    """Where a minimisation ended.

    Attributes:
        x: the minimiser.
        objective: F(x) of each image, for every accepted iterate.
        residual: norm of the gradient of F at `x`, each image.
        gradients: number of gradients taken.
        safe_steps: how often the safeguard replaced a step, over all images.
        changes: ||dx|| of each image and iteration.
        converged: whether every image met the tolerance.
    """

    x: Images
    objective: list[Float[Tensor, " batch"]] = field(default_factory=list)
    residual: Float[Tensor, " batch"] = field(default_factory=lambda: torch.empty(0))
    gradients: int = 0
    safe_steps: int = 0
    changes: list[Float[Tensor, " batch"]] = field(default_factory=list)
    converged: bool = False


def norm(a: Images) -> Float[Tensor, " batch"]:
    """Return the 2-norm of each image."""
    return a.square().sum((1, 2, 3)).sqrt()


def cosine_filter(symbol: Float[Tensor, "batch channel height width"]) -> Linear:
    """Return x -> DCT^T symbol DCT x, the transform being over rows, columns and the channels that the symbol has."""
    rows, columns = (symmetric.cosine_transform(n, symbol.dtype, str(symbol.device)) for n in symbol.shape[-2:])
    channels = symbol.shape[1]

    def apply(x: Images) -> Images:
        spectrum = rows @ symmetric.across_channels(x, channels) @ columns.T
        spectrum = (spectrum.unflatten(1, (-1, channels)) * symbol[:, None]).flatten(1, 2)
        return symmetric.across_channels(rows.T @ spectrum @ columns, channels, back=True)

    return apply


def typical_start(at: Conditioned, weight: float | Tensor, spectrum: Tensor, x: Images) -> tuple[Images, Linear]:
    """Return a first iterate and a preconditioner for h + weight R near a rough solution x of h alone.

    The bound D of Hess R is met in flat regions only. What R does on average is told by its half-quadratic majoriser at a smooth
    image, whose symbol is T (`Conditioned.typical_symbol`). With a the spectrum of A^T A:

        u = a / (a + 0.3 weight D) x,    B = 1 / (a + weight T(u)),    start = a B x          (all in the cosine basis)

    At a noisy image most potentials are saturated, and a solver that starts there takes three times the gradients.

    Args:
        at: R at the noise levels of the batch.
        weight: weight of R, one number or (batch, 1, 1, 1).
        spectrum: about the diagonal of A^T A in the cosine basis, 1 for denoising.
        x: the noisy image, or a reconstruction without prior.
    """
    size = (x.shape[-2], x.shape[-1])
    smooth = cosine_filter(spectrum / (spectrum + 0.3 * weight * at.upper_symbol(size)))(x)
    inverse = 1 / (spectrum + weight * at.typical_symbol(smooth))
    return cosine_filter(spectrum * inverse)(x), cosine_filter(inverse)


def fixed_steps(gradient: Linear, precondition: Linear, start: Images, count: int) -> Images:
    """Return the iterate after `count` gradients, without safeguard: what training uses.

    Args:
        gradient: gradient of F.
        precondition: B, symmetric positive definite, about the inverse of the Hessian of F.
        start: first iterate.
        count: number of gradients.
    """
    lbfgs = Lbfgs(precondition)
    x, g = start, gradient(start)
    for _ in range(count - 1):
        following = x - lbfgs.direction(g)
        g_next = gradient(following)
        lbfgs.add(following - x, g_next - g)
        x, g = following, g_next
    return x - lbfgs.direction(g)


def minimize(
    objective: Objective,
    precondition: Linear,
    safe: Linear,
    start: Images,
    *,
    tolerance: float,
    iterations: int,
    memory: int = 1,
    on_iteration: Callable[[int, Images, Tensor], None] | None = None,
) -> Minimum:
    """Return a stationary point of F near `start`, or where the iterates came to a halt.

    A step is accepted when F falls below the largest of the last `memory` values by 1e-4 <g, dx> (Grippo, Lampariello and
    Lucidi 1986; memory 1: F never rises). Otherwise the image takes the safe step x - S g, and forgets nothing.

    Args:
        objective: x -> (F of each image, gradient).
        precondition: B, about the inverse Hessian where the iterates are.
        safe: S, with S^-1 above the Hessian of F everywhere.
        start: first iterate.
        tolerance: stop when the gradient's norm is below tolerance times the norm of the image, for every image.
        iterations: largest number of gradients.
        memory: number of values that a new one is compared with.
        on_iteration: called with the number of gradients, the iterate and F.

    Raises:
        NumericalError: F or its gradient is not finite.
    """
    x, lbfgs = start, Lbfgs(precondition)
    value, g = objective(x)
    _check(value, g, 1)
    found = Minimum(x, [value], norm(g), 1)
    # one rounding of F: below it, higher and lower cannot be told apart
    rounding = 8 * torch.finfo(value.dtype).eps
    mark, least, since = value, found.residual, 1
    while True:
        found.converged = bool((found.residual <= tolerance * norm(x).clamp(min=1e-12)).all())
        if on_iteration is not None:
            on_iteration(found.gradients, x, value)
        if bool((mark - value > PROGRESS * value.abs()).any() or (found.residual < 0.9 * least).any()):
            mark, least, since = value, torch.minimum(least, found.residual), found.gradients
        if found.converged or found.gradients >= iterations or found.gradients - since > PATIENCE:
            return found
        level = torch.stack(found.objective[-memory:]).amax(0)
        step = lbfgs.direction(g)
        value_next, g_next = objective(x - step)
        found.gradients += 1
        failed = ~(value_next <= level - 1e-4 * dot(g, step).flatten() + rounding * level.abs())
        if bool(failed.any()):
            # only the failed images take the safe step
            found.safe_steps += int(failed.sum())
            step = torch.where(failed[:, None, None, None], safe(g), step)
            value_next, g_next = objective(x - step)
            found.gradients += 1
        _check(value_next, g_next, found.gradients)
        lbfgs.add(-step, g_next - g)
        x, value, g = x - step, value_next, g_next
        found.changes.append(norm(step))
        found.x, found.residual = x, norm(g)
        found.objective.append(value)


def _check(value: Tensor, g: Tensor, step: int) -> None:
    if not bool(value.isfinite().all() and g.isfinite().all()):
        raise NumericalError(f"the objective or its gradient is not finite after {step} gradients; does the input hold NaN?")
