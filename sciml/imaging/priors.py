"""Priors for inverse problems: one protocol, total variation as its first member, others by entry point.

A prior R enters a reconstruction as min_x 1/2 ||A x - y||^2 + weight R(x). Packages offer priors through the entry-point
group `sciml.priors`; `resolve("tv")` or `resolve("lpn:photo-grey")` finds them by name, the part after the colon goes to
the prior as its only argument.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from inspect import signature
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from sciml.imaging.plugins import find_prior
from sciml.runtime.errors import ConfigError

Images = Float[Tensor, "batch channel height width"]


@dataclass(frozen=True)
class Certificate:
    """What is known of a prior: its convexity, smoothness and how exact its prox is.

    Attributes:
        weak_convexity: rho such that R + rho/2 ||.||^2 is convex; 0 for a convex prior; None when unknown.
        smoothness: Lipschitz constant of the gradient; None when R is not differentiable or it is unknown.
        bounded_below: whether R has a finite infimum.
        exact_prox: whether `prox` is the proximal operator of `value` up to a tolerance that it reaches.
        reason: one sentence of justification.
    """

    weak_convexity: float | None
    smoothness: float | None
    bounded_below: bool
    exact_prox: bool
    reason: str


@runtime_checkable
class Prior(Protocol):
    """What every prior offers; all arrays have shape (batch, channel, height, width)."""

    def prox(self, v: Images, weight: float | Float[Tensor, " batch"]) -> Images:
        """Return argmin_x 1/2 ||x - v||^2 + weight R(x) for each image of the batch (one weight for all, or one each)."""
        ...

    def value(self, x: Images) -> Float[Tensor, " batch"]:
        """Return R(x) for each image of the batch."""
        ...

    def gradient(self, x: Images) -> Images:
        """Return the gradient of R, or one subgradient where R has a kink."""
        ...

    def certificate(self) -> Certificate:
        """Return what is proved of this prior."""
        ...


def value_and_gradient(prior: Prior, x: Images) -> tuple[Float[Tensor, " batch"], Images]:
    """Return R(x) and its gradient, by one method of that name where the prior has it, which can save half of the time."""
    together = getattr(prior, "value_and_gradient", None)
    return (prior.value(x), prior.gradient(x)) if together is None else together(x)


def at_noise(prior: Prior, sigma: float, column_norm: float) -> tuple[Prior, float]:
    """Return a prior and its weight for 1/2 ||A x - y||^2, by the prior's own method of that name where it has one.

    Without one it is the prior itself with the weight sigma c, the standard deviation with which the noise enters A^T (A x - y).

    Args:
        prior: any.
        sigma: standard deviation of the noise in an entry of y, above 0.
        column_norm: c, root mean square norm of the columns of A; of a blur |k|_2.
    """
    own = getattr(prior, "at_noise", None)
    return (prior, sigma * column_norm) if own is None else own(sigma, column_norm)


def per_image(weight: float | Float[Tensor, " batch"], like: Images) -> Float[Tensor, "batch 1 1 1"]:
    """Return the weight as one number an image, ready to broadcast.

    Raises:
        ConfigError: a weight is negative or not finite, or there are neither one nor as many as images.
    """
    weights = torch.as_tensor(weight, dtype=like.dtype, device=like.device).reshape(-1)
    if weights.numel() not in (1, like.shape[0]) or not bool((weights >= 0).all() and weights.isfinite().all()):
        raise ConfigError(f"a prior takes one finite weight >= 0, or one an image ({like.shape[0]}), got {weights.tolist()}")
    return weights.expand(like.shape[0]).reshape(-1, 1, 1, 1)


def gradient(x: Tensor) -> Float[Tensor, "two batch channel height width"]:
    """Return forward differences along rows and columns, zero beyond the last row and column."""
    result = x.new_zeros(2, *x.shape)
    torch.sub(x[..., 1:, :], x[..., :-1, :], out=result[0][..., :-1, :])
    torch.sub(x[..., :, 1:], x[..., :, :-1], out=result[1][..., :, :-1])
    return result


def gradient_adjoint(p: Float[Tensor, "two batch channel height width"]) -> Tensor:
    """Return the exact adjoint of `gradient` (minus the divergence)."""
    result = torch.zeros_like(p[0])
    result[..., :-1, :] -= p[0][..., :-1, :]
    result[..., 1:, :] += p[0][..., :-1, :]
    result[..., :, :-1] -= p[1][..., :, :-1]
    result[..., :, 1:] += p[1][..., :, :-1]
    return result


class TotalVariation:
    """Isotropic total variation (Rudin, Osher and Fatemi, Physica D 1992), joint over channels.

        R(x) = sum over pixels of sqrt( sum over channels and both axes of (forward difference)^2 )

    The prox is computed by the fast dual projection of Beck and Teboulle (IEEE Trans. Image Process. 2009),

        x = v - D^T p,   p <- P(q + D(v - D^T q) / 8),   |p| <= weight pixelwise, with Nesterov's momentum on q,

    until the duality gap, relative to the squared norm of v, is below `tolerance` or `iterations` are done.

    Args:
        iterations: at most this many dual steps per prox.
        tolerance: relative duality gap at which the prox stops.

    Example:
        >>> import torch
        >>> prior = TotalVariation()
        >>> float(prior.value(torch.ones(1, 1, 8, 8)))
        0.0
    """

    def __init__(self, iterations: int = 200, tolerance: float = 1e-6) -> None:
        self.iterations = iterations
        self.tolerance = tolerance

    def value(self, x: Images) -> Float[Tensor, " batch"]:
        """Return the total variation of each image."""
        return magnitude(gradient(x)).sum((1, 2, 3))

    def gradient(self, x: Images) -> Images:
        """Return the subgradient D^T (D x / |D x|) with 0 / 0 = 0."""
        differences = gradient(x)
        size = magnitude(differences)
        return gradient_adjoint(torch.where(size > 0, differences / size.clamp(min=1e-30), 0))

    def prox(self, v: Images, weight: float | Float[Tensor, " batch"]) -> Images:
        """Return argmin_x 1/2 ||x - v||^2 + weight TV(x)."""
        return self.warm_prox(v, weight, None)[0]

    def warm_prox(
        self, v: Images, weight: float | Float[Tensor, " batch"], dual: Tensor | None, iterations: int | None = None
    ) -> tuple[Images, Tensor]:
        """Return the prox and its dual variable; the dual of a nearby problem as a start saves most of the steps."""
        radius = per_image(weight, v)
        p = torch.zeros(2, *v.shape, dtype=v.dtype, device=v.device) if dual is None else dual
        q, momentum = p, 1.0
        limit = self.tolerance * v.square().sum((1, 2, 3))
        for step in range(self.iterations if iterations is None else iterations):
            previous = p
            p = q + gradient(v - gradient_adjoint(q)) / 8
            p = p * (radius / magnitude(p).clamp(min=1e-30)).clamp(max=1)
            following = (1 + math.sqrt(1 + 4 * momentum**2)) / 2
            q = p + (momentum - 1) / following * (p - previous)
            momentum = following
            if step % 10 == 9:
                differences = gradient(v - gradient_adjoint(p))
                # gap = weight TV(x) - <p, D x>, never negative for |p| <= weight
                gap = (radius * magnitude(differences)).sum((1, 2, 3)) - (p * differences).sum((0, 2, 3, 4))
                if bool((gap <= limit).all()):
                    break
        return v - gradient_adjoint(p), p

    def certificate(self) -> Certificate:
        """Return: convex, not differentiable, bounded below, prox exact to the tolerance."""
        return Certificate(
            weak_convexity=0.0,
            smoothness=None,
            bounded_below=True,
            exact_prox=True,
            reason="a norm of a linear map is convex and at least 0; the prox is solved to a stated duality gap",
        )


def magnitude(differences: Tensor) -> Tensor:
    """Return the Euclidean norm over both axes and all channels, shape (batch, 1, height, width)."""
    squares = differences[0].square().addcmul(differences[1], differences[1])
    return (squares if squares.shape[1] == 1 else squares.sum(1, keepdim=True)).sqrt()


def resolve(name: str) -> Prior:
    """Return the prior of a name such as `tv` or `lpn:photo-grey`.

    Raises:
        ConfigError: no installed package offers that name (the message lists the known ones), or the part after the colon
            is missing, wrong, or one too many: a prior takes text when its first parameter may be a `str`.
    """
    point, argument = find_prior(name)
    make = point.load()
    first = next(iter(signature(make).parameters.values()), None)
    if argument and (first is None or not (first.annotation is first.empty or re.search(r"\bstr\b", str(first.annotation)))):
        raise ConfigError(f"the prior {point.name} takes nothing after its name, got {name!r}")
    try:
        return make(argument) if argument else make()
    except (TypeError, ValueError) as error:
        raise ConfigError(f"no prior can be made of {name!r}: {error}") from error
