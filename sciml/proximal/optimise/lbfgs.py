"""Limited-memory quasi-Newton directions for a batch of images, each with its own curvature (L-BFGS).

The inverse Hessian is built from the last pairs s = x+ - x, q = g+ - g on top of gamma B, B a preconditioner, by the two loops
of Nocedal (Math. Comput. 1980); gamma = <s, q> / <q, B q> of the last pair. A pair that met no positive curvature is left
out for that image, so that B positive definite keeps every direction one of descent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

Images = Float[Tensor, "batch channel height width"]
Linear = Callable[[Images], Images]
PAIRS = 5
TINY = 1e-30
# a pair counts when the cosine between step and change of gradient is above this: far below any real curvature
FLAT = 1e-6


def dot(a: Images, b: Images) -> Float[Tensor, "batch 1 1 1"]:
    """Return the inner product of each image."""
    return (a * b).sum((1, 2, 3), keepdim=True)


class Lbfgs:
    """The last pairs of steps and changes of the gradient, and the direction they give.

    Args:
        precondition: B, symmetric positive definite.
        pairs: how many pairs are kept.
    """

    def __init__(self, precondition: Linear, pairs: int = PAIRS) -> None:
        self.precondition = precondition
        self.pairs: deque[tuple[Images, Images, Tensor]] = deque(maxlen=pairs)
        self.gamma: Tensor | float = 1.0

    def add(self, s: Images, q: Images) -> None:
        """Take in a step s and the change q of the gradient along it."""
        curvature = dot(s, q)
        counts = curvature > FLAT * (dot(s, s) * dot(q, q)).sqrt()
        inverse = torch.where(counts, 1 / curvature.clamp(min=TINY), torch.zeros_like(curvature))
        self.pairs.append((s, q, inverse))
        gamma = curvature / dot(q, self.precondition(q)).clamp(min=TINY)
        self.gamma = torch.where(counts, gamma, torch.as_tensor(self.gamma, dtype=gamma.dtype, device=gamma.device))

    def direction(self, g: Images) -> Images:
        """Return H g, H the approximate inverse Hessian; x - H g is the next iterate."""
        # with V = I - q s^T / <s, q> of each pair, newest first: H = V^T H' V + s s^T / <s, q>, H' of the older pairs
        shares = []
        for s, q, inverse in reversed(self.pairs):
            share = inverse * dot(s, g)
            shares.append(share)
            g = g - share * q
        d = self.gamma * self.precondition(g)
        for (s, q, inverse), share in zip(self.pairs, reversed(shares), strict=True):
            d = d + s * (share - inverse * dot(q, d))
        return d
