"""The terms that untrained networks minimise: likelihood on the seen pixels, priors, and what explains a wrong kernel.

Everything is divided by the number of entries of y and measured in units of the noise: with e the misfit,

    F = 1/n [ sum_M rho(e / sigma) + lambda_r |R|_1 / sigma + lambda_x TV(x) / sigma + lambda_k w/2 |dk|^2 ],
    e = y - A(k_hat + dk) x - R - h,    h = D^T soft(D u, tau sigma),    u = y - A(k_hat + dk) x - R,

so that the weights do not depend on the size of the picture, and F keeps its value when y, x, R, h and sigma are scaled together.
D is the orthonormal cosine transform. The terms R and h are those of Tang et al., CVPR 2023 (deep residual prior).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sciml.deblurring.dip.blur import CircularBlur, LearnableBlur
from sciml.deblurring.files.picture import SATURATED
from sciml.deblurring.settings.structures import DipConfig
from sciml.imaging.operators.kernels import Kernel
from sciml.imaging.priors import Prior, TotalVariation, gradient

Picture = Float[Tensor, "1 channel height width"]
Canvas = Float[Tensor, "1 channel rows columns"]
HUBER = 1.345
# of the residual's absolute values, in sigma, and of the ridge on the kernel's correction, in units of the image's edges
RESIDUAL_WEIGHT, KERNEL_WEIGHT = 0.3, 10.0


class CosineTransform:
    """The orthonormal 2-D DCT-II as a matrix for each axis: any size, and its transpose is exactly its inverse.

        D[k, n] = c_k cos( pi k (2 n + 1) / (2 N) ),    c_0 = 1 / sqrt(N),   c_k = sqrt(2 / N)

    Args:
        size: height and width.
        like: type and device.
        released: the transform of the released program in its place, D[k, n] = c_k cos( pi k (4 n + 1) / (2 N) ): its helper
            reorders the samples for a fast DCT and then transforms those that it had not reordered. It is orthonormal too (rows
            k and N - k are the cosine and the sine of one wave), but its waves are periodic.
    """

    def __init__(self, size: tuple[int, int], like: Tensor, released: bool = False) -> None:
        self.rows, self.columns = (_cosines(length, 4 if released else 2).to(like) for length in size)

    def __call__(self, u: Picture) -> Picture:
        """Return D u."""
        return self.rows @ u @ self.columns.T

    def adjoint(self, c: Picture) -> Picture:
        """Return D^T c, the inverse."""
        return self.rows.T @ c @ self.columns


def _cosines(length: int, step: int) -> Float[Tensor, "length length"]:
    k, n = torch.arange(length, dtype=torch.float64)[:, None], torch.arange(length, dtype=torch.float64)
    matrix = math.sqrt(2 / length) * torch.cos(math.pi * k * (step * n + 1) / (2 * length))
    matrix[0] /= math.sqrt(2)
    return matrix


def soft(u: Tensor, threshold: float) -> Tensor:
    """Return argmin_v 1/2 (v - u)^2 + threshold |v|, entry by entry."""
    return u - u.clamp(-threshold, threshold)


def huber(t: Tensor, knee: float = HUBER) -> Tensor:
    """Return t^2 / 2 where |t| <= knee and knee |t| - knee^2 / 2 beyond; the knee 1.345 costs 5 % under normal noise."""
    inside = t.clamp(-knee, knee)
    return inside * (t - inside / 2)


def simplex_projection(v: Float[Tensor, "size size"]) -> Float[Tensor, "size size"]:
    """Return the kernel nearest to `v` that is >= 0 with sum 1 (Held, Wolfe and Crowder, Math. Program. 1974).

    It is max(v - theta, 0), with theta such that the sum is 1: theta = (sum of the m largest - 1) / m for the largest m whose
    m-th entry stays above it.
    """
    ordered = v.flatten().sort(descending=True).values
    count = torch.arange(1, ordered.numel() + 1, dtype=v.dtype, device=v.device)
    theta = (ordered.cumsum(0) - 1) / count
    last = int((ordered > theta).sum()) - 1
    return (v - theta[max(last, 0)]).clamp(min=0)


def unsaturated(y: Picture, level: float = SATURATED) -> Bool[Tensor, "1 1 height width"]:
    """Return the pixels that the likelihood may use: those below `level` in every channel, as clipping breaks y = k * x."""
    return (y < level).all(1, keepdim=True)


class _PriorValue(torch.autograd.Function):
    """A prior as a term of a loss: its value forward, its gradient (or subgradient) backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, prior: Prior) -> Tensor:
        ctx.save_for_backward(x)
        ctx.prior = prior
        return prior.value(x).sum()

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        return slopes[0] * ctx.prior.gradient(ctx.saved_tensors[0]), None


@dataclass(frozen=True)
class Terms:
    """The terms of F at one point, each with its weight, and what was computed on the way.

    Attributes:
        values: scalars by name; F is their sum.
        misfit: u = y - A x - R, without graph.
        artefact: h, or None.
    """

    values: dict[str, Float[Tensor, ""]]
    misfit: Picture
    artefact: Picture | None

    @property
    def total(self) -> Float[Tensor, ""]:
        """F."""
        return torch.stack(list(self.values.values())).sum()


class Objective:
    """F as a function of the image, the residual, the correction of the kernel and the last artefact term.

    Args:
        y: the picture, (1, channel, height, width), linear light.
        kernel: the given kernel k_hat.
        sigma: standard deviation of the noise.
        config: mode, likelihood and weights.
        mask: pixels that the likelihood sees, (1, 1 or channel, height, width), nonzero where seen.
    """

    def __init__(self, y: Picture, kernel: Kernel, sigma: float, config: DipConfig, mask: Tensor | None = None) -> None:
        self.y, self.sigma, self.config = y, sigma, config
        size = (int(y.shape[-2]), int(y.shape[-1]))
        self.blur = (CircularBlur if config.boundary == "circular" else LearnableBlur)(
            kernel, size, dtype=y.dtype, device=y.device
        )
        self.kernel = self.blur.kernel
        # lambda_x: against the gradient of the data term, whose noise is sigma |k|_2 in every pixel
        self.tv_weight = config.tv_weight * float(self.kernel.norm())
        self.mask = torch.ones_like(y) if mask is None else mask.to(y).expand_as(y)
        self.cosine = CosineTransform(size, y)
        self.released = CosineTransform(size, y, released=True) if config.mode == "official" else None
        self.variation = TotalVariation()
        self.has_residual = config.mode in ("residual", "both", "official")
        self.has_kernel = config.mode in ("kernel", "both")
        # the robust likelihoods do already what h does for the squares, see `_artefact`
        self.has_artefact = config.mode in ("residual", "both") and config.fit == "l2" and config.artefact_weight is not None

    def __call__(
        self,
        x: Canvas,
        residual: Picture | None = None,
        correction: Float[Tensor, "size size"] | None = None,
        artefact: Picture | None = None,
    ) -> Terms:
        """Return the terms at one point.

        Args:
            x: the image on the canvas.
            residual: R; None is zero.
            correction: dk; None is zero.
            artefact: h of the iteration before, which fills pixels that the likelihood does not see; None is zero.
        """
        u = self.y - self.blurred(x, correction)
        if residual is not None:
            u = u - residual
        if self.released is not None:
            return Terms(self._official(x, u, residual), u.detach(), None)
        h = self._artefact(u.detach(), artefact) if self.has_artefact else None
        n, config = self.y.numel(), self.config
        values = {"likelihood": self._likelihood(u if h is None else u - h)}
        if self.tv_weight:
            value = _PriorValue.apply(x, self.variation)
            assert isinstance(value, Tensor)
            values["variation"] = self.tv_weight / (self.sigma * n) * value
        if residual is not None:
            values["residual"] = RESIDUAL_WEIGHT / (self.sigma * n) * residual.abs().sum()
        if h is not None and config.artefact_weight:
            values["artefact"] = config.artefact_weight / (self.sigma * n) * self.cosine(h).abs().sum()
        if correction is not None:
            # w = |grad x|^2 / sigma^2, the curvature that the edges of the image give to the data term in every entry of the
            # kernel: the ridge counts in units of it
            edges = gradient(x.detach()).square().sum()
            values["kernel"] = KERNEL_WEIGHT * edges / (2 * self.sigma**2 * n) * correction.square().sum()
        return Terms(values, u.detach(), h)

    def blurred(self, x: Canvas, correction: Float[Tensor, "size size"] | None = None) -> Picture:
        """Return A(k_hat + dk) x."""
        return self.blur.A(x) if correction is None else self.blur.with_kernel(x, self.kernel + correction)

    def _artefact(self, u: Picture, before: Picture | None) -> Picture:
        """Return the h-step of the alternation, without a graph.

        With every pixel seen, h = D^T soft(D u, tau sigma) minimises 1/2 |u - h|^2 + tau sigma |D h|_1 exactly, and then the
        gradient of the minimum with respect to u is u - h with h held fixed: nothing needs to be differentiated through h
        (it is Huber's function in the cosine domain). Unseen pixels are filled with the h before, one step of
        majorisation, which never raises the objective.
        """
        assert self.config.artefact_weight is not None
        filled = self.mask * u + (1 - self.mask) * (torch.zeros_like(u) if before is None else before)
        return self.cosine.adjoint(soft(self.cosine(filled), self.config.artefact_weight * self.sigma))

    def _likelihood(self, e: Picture) -> Float[Tensor, ""]:
        t = self.mask * e / self.sigma
        if self.config.fit == "l2":
            return t.square().sum() / (2 * t.numel())
        if self.config.fit == "huber":
            return huber(t).sum() / t.numel()
        return self.cosine(t).abs().sum() / t.numel()

    def _official(self, x: Canvas, u: Picture, residual: Picture | None) -> dict[str, Float[Tensor, ""]]:
        """Return the terms that the released program is left with once its inner variable is eliminated,

            16.6 mean|T u| + 0.325 mean|R| + 0.81 mean R^2 + 4 (mean (d_1 x)^2 + mean (d_2 x)^2),

        with T its transform, at the pixel count (255 x 255) of its own example, where sums were used; R is ten times its
        network's output. The boundary is this package's, and the kernel is the whole one (the program uses the symmetric part).
        """
        assert self.released is not None
        smooth = x.diff(dim=-2).square().mean() + x.diff(dim=-1).square().mean()
        values = {"likelihood": 16.6 * self.released(self.mask * u).abs().mean(), "variation": 4 * smooth}
        if residual is not None:
            values["residual"] = 0.325 * residual.abs().mean() + 0.81 * residual.square().mean()
        return values
