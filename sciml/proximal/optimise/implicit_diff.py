"""Gradients through a minimisation, by the implicit function theorem.

For x* = argmin h(x) + R(x; a) and a loss of x*:

    solve (Hess h + Hess R) v = d loss / d x*,      d loss / d a = -<v, d/da grad R(x*; a)>

so that nothing of the solver's path is kept. Differentiating the path of a solver that has not converged is exploited in
training: the regulariser then learns to steer the unfinished iteration, and its true minimisers get worse.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from sciml.proximal.optimise.lbfgs import Images, Linear, dot
from sciml.proximal.potentials.regularizer import Conditioned


def conjugate_gradients(product: Linear, right: Images, precondition: Linear, count: int) -> tuple[Images, Tensor]:
    """Return an approximate solution of H v = right for each image, and whether each met only positive curvature.

    Args:
        product: H, symmetric.
        right: right-hand side.
        precondition: an approximate inverse of H, symmetric positive definite.
        count: number of products.

    Returns:
        v, and one truth value an image: an image stops at the first direction p with <p, H p> <= 0 and keeps the v it had.
    """
    v, residual = torch.zeros_like(right), right
    z = precondition(residual)
    direction, slope = z, dot(residual, z)
    good = torch.ones_like(slope, dtype=torch.bool)
    for step in range(count):
        image = product(direction)
        bend = dot(direction, image)
        # an image that is solved exactly has no direction left, and no curvature along it
        good = good & ((bend > 0) | (slope <= 0))
        length = torch.where(good & (bend > 0), slope / bend.clamp(min=1e-30), torch.zeros_like(slope))
        v, residual = v + length * direction, residual - length * image
        if step + 1 < count:
            z = precondition(residual)
            following = dot(residual, z)
            direction, slope = z + following / slope.clamp(min=1e-30) * direction, following
    return v, good.flatten()


def through_prox(
    at: Conditioned, solution: Images, loss_gradient: Images, precondition: Linear, count: int
) -> tuple[Float[Tensor, ""], Tensor]:
    """Return a scalar whose gradient in the parameters is that of a loss of the prox, and the relative residual of v.

    Args:
        at: R at the noise levels of the batch, with the graph of its parameters.
        solution: x* = prox_R(y), without graph.
        loss_gradient: d loss / d x*.
        precondition: about (I + Hess R)^-1.
        count: conjugate gradient steps for (I + Hess R) v = loss_gradient; positive definite, so none is dropped.
    """
    with torch.no_grad():
        hessian = at.hessian(solution)
        v, _ = conjugate_gradients(lambda p: p + hessian.product(p), loss_gradient, precondition, count)
        residual = loss_gradient - v - hessian.product(v)
        relative = dot(residual, residual).sum().sqrt() / dot(loss_gradient, loss_gradient).sum().sqrt().clamp(min=1e-30)
    return -at.directional(solution, v), relative
