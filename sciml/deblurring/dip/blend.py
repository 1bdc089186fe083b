"""How much of what the networks changed is kept: the share that explains pixels best which nobody has fitted.

With x_0 the warm start, x the networks' image and R their residual, the returned ones are

    x_a = x_0 + a (x - x_0),    R_a = a R,    a = argmin over a in {0, 0.1, ..., 1} of  sum_held-out (y - A x_a - R_a)^2.

The start is among the candidates, so on those pixels nothing is ever lost, and two estimates whose errors differ are together
often better than either. It protects from a fit that has gone wrong; it cannot tell an error of the image from one of the
kernel, since both are seen only through y.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from sciml.deblurring.dip.objective import Canvas, Objective

SHARES = tuple(step / 10 for step in range(11))


@dataclass(frozen=True)
class Blend:
    """The best mixture of start and fit.

    Attributes:
        share: a.
        means: image, residual, artefact and correction at that share.
        before: root mean square misfit of the start on held-out pixels, in sigma.
        after: that of the mixture.
    """

    share: float
    means: dict[str, Tensor]
    before: float
    after: float

    @property
    def gain(self) -> float:
        """The fraction by which the misfit fell."""
        return 1 - self.after / self.before


@torch.no_grad()
def misfits(objective: Objective, means: Mapping[str, Tensor], apart: Tensor) -> tuple[float, float | None]:
    """Return the root mean square of y - A x - R, in sigma, over the fitted and over the held-out pixels.

    Args:
        objective: of the fit.
        means: image, and residual and correction where there are any.
        apart: the held-out pixels; without any, the second number is None.
    """
    u = objective.y - objective.blurred(means["image"], means.get("correction"))
    if "residual" in means:
        u = u - means["residual"]
    squares = (u / objective.sigma).square()

    def over(pixels: Tensor) -> float | None:
        weights = pixels.expand_as(squares).to(squares)
        return math.sqrt(float((weights * squares).sum() / weights.sum())) if bool(weights.any()) else None

    return over(objective.mask) or 0.0, over(apart)


@torch.no_grad()
def blended(objective: Objective, start: Canvas, means: Mapping[str, Tensor], apart: Tensor) -> Blend:
    """Return the mixture of the start and the fit that explains the held-out pixels best; there must be some."""
    tried = []
    for share in SHARES:
        # at 0 whatever the fit has become, a number or not
        mixed = {name: share * value if share else torch.zeros_like(value) for name, value in means.items()}
        mixed["image"] = torch.lerp(start, means["image"], share) if share else start
        tried.append((misfits(objective, mixed, apart)[1] or math.inf, share, mixed))
    # a misfit that is no number is never the least, and of equals the start's own comes first
    after, share, mixed = min(tried, key=lambda one: (not one[0] < math.inf, one[0], one[1]))
    return Blend(share, mixed, tried[0][0], after)
