"""Total variation deblurring with unknown boundary, for many kernels at once.

    min over x of  F(x; k) = 1/2 || M (y - k * x) ||^2 + weight TV(x)

on a canvas larger than the picture by the kernel; M keeps the pixels of the picture that are not saturated. With u = k * x and
v = D x apart (alternating directions, Boyd et al. 2011; the mask is decoupled as by Almeida and Figueiredo, IEEE Trans. Image
Process. 2013), every step is closed:

    x <- F^-1[ (r F(k)^* F(u - a) + s F(D^T (v - b))) / (r |F(k)|^2 + s |F(D)|^2) ]
    u <- (M y + r (k * x + a)) / (M + r)
    v <- shrink(D x + b, weight / s)
    a <- a + k * x - u,    b <- b + D x - v
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sciml.imaging.operators.convolution import fast_lengths
from sciml.imaging.priors import magnitude
from sciml.runtime.errors import NumericalError, ShapeError

Kernels = Float[np.ndarray, "candidate size size"]
# penalties relative to what they penalise: u moves freely against the data, an edge is a fiftieth of the picture's largest value
DATA_PENALTY, EDGE, RELAXATION = 0.05, 1 / 50, 1.7


@dataclass(frozen=True)
class Canvas:
    """A picture, where it was measured, and the kernels that may have blurred it.

    Attributes:
        y: picture of (1, channel, height, width), linear light.
        transfers: F(k) of every candidate (candidate, 1, rows, columns) at an FFT length.
        mask: 1 where y is trusted, over the FFT length; 0 beyond the picture.
        shifted: y in the middle of the FFT length.
        length: rows and columns of the transform.
        canvas: rows and columns of the latent image.
        margin: half of the kernel's size.
    """

    y: Tensor
    transfers: Tensor
    mask: Tensor
    shifted: Tensor
    length: tuple[int, int]
    canvas: tuple[int, int]
    margin: int

    @classmethod
    def of(cls, y: Float[Tensor, "1 channel height width"], kernels: Kernels, mask: Tensor | None = None) -> Canvas:
        """Return the canvas of a picture for one or more kernels of one odd size.

        Args:
            y: picture.
            kernels: (candidate, K, K) or (K, K).
            mask: 1 where a pixel is trusted, 0 where it is saturated; of the picture's height and width.

        Raises:
            ShapeError: an even kernel, or more than one picture.
        """
        stack = np.atleast_3d(kernels) if kernels.ndim == 3 else kernels[None]
        size = stack.shape[-1]
        if y.ndim != 4 or len(y) != 1 or size % 2 == 0:
            raise ShapeError(f"expected one picture (1, channel, height, width) and odd kernels, got {tuple(y.shape)} and {size}")
        height, width = y.shape[-2:]
        margin = size // 2
        canvas = (height + 2 * margin, width + 2 * margin)
        length = fast_lengths(canvas)
        padded = y.new_zeros(len(stack), 1, *length)
        padded[..., :size, :size] = torch.from_numpy(np.ascontiguousarray(stack)).to(y)[:, None]
        transfers = torch.fft.rfft2(torch.roll(padded, (-margin, -margin), (-2, -1)))
        inside = (..., slice(margin, margin + height), slice(margin, margin + width))
        trusted, shifted = y.new_zeros(1, 1, *length), y.new_zeros(1, y.shape[1], *length)
        trusted[inside] = 1.0 if mask is None else mask.to(y)
        shifted[inside] = y
        return cls(y, transfers, trusted, shifted * trusted, length, canvas, margin)

    def blurred(self, x: Tensor) -> Tensor:
        """Return k * x over the FFT length."""
        return torch.fft.irfft2(self.transfers * torch.fft.rfft2(x), s=self.length)

    def misfit(self, x: Tensor) -> Float[Tensor, " candidate"]:
        """Return || M (y - k * x) ||^2 of x over the FFT length."""
        return (self.shifted - self.mask * self.blurred(x)).square().sum((1, 2, 3))

    def crop(self, x: Tensor) -> Tensor:
        """Return the canvas of an image over the FFT length."""
        return x[..., : self.canvas[0], : self.canvas[1]]

    def picture(self, x: Tensor) -> Tensor:
        """Return the part of a canvas image that lies inside the picture."""
        return x[..., self.margin : self.canvas[0] - self.margin, self.margin : self.canvas[1] - self.margin]


def differences(x: Tensor) -> Float[Tensor, "two candidate channel rows columns"]:
    """Return circular forward differences along rows and columns."""
    found = x.new_empty(2, *x.shape)
    for p, axis in zip(found, (-2, -1), strict=True):
        torch.sub(
            x.narrow(axis, 1, x.shape[axis] - 1), x.narrow(axis, 0, x.shape[axis] - 1), out=p.narrow(axis, 0, x.shape[axis] - 1)
        )
        torch.sub(x.narrow(axis, 0, 1), x.narrow(axis, -1, 1), out=p.narrow(axis, -1, 1))
    return found


def differences_adjoint(p: Tensor) -> Tensor:
    """Return the adjoint of `differences`."""
    found = torch.add(p[0], p[1]).neg_()
    for q, axis in zip(p, (-2, -1), strict=True):
        found.narrow(axis, 1, q.shape[axis] - 1).add_(q.narrow(axis, 0, q.shape[axis] - 1))
        found.narrow(axis, 0, 1).add_(q.narrow(axis, -1, 1))
    return found


def differences_spectrum(length: tuple[int, int], like: Tensor) -> Float[Tensor, "rows frequencies"]:
    """Return |F(D)|^2 = 4 - 2 cos w1 - 2 cos w2 at the frequencies of `rfft2`, in the type of a tensor."""
    rows = 2 - 2 * torch.cos(2 * math.pi * torch.fft.fftfreq(length[0], dtype=like.dtype, device=like.device))
    columns = 2 - 2 * torch.cos(2 * math.pi * torch.fft.rfftfreq(length[1], dtype=like.dtype, device=like.device))
    return rows[:, None] + columns


@dataclass(frozen=True)
class Solution:
    """Images of all candidates.

    Attributes:
        x: (candidate, channel, rows, columns) over the FFT length; `Canvas.crop` gives the canvas.
        objective: F of each candidate.
        misfit: || M (y - k * x) ||^2 of each candidate.
        variation: TV of each candidate's canvas.
        steps: steps taken.
    """

    x: Tensor
    objective: Float[Tensor, " candidate"]
    misfit: Float[Tensor, " candidate"]
    variation: Float[Tensor, " candidate"]
    steps: int


@torch.no_grad()
def total_variation(
    canvas: Canvas,
    weight: float | Float[Tensor, " candidate"],
    iterations: int = 60,
    tolerance: float = 3e-4,
    start: Tensor | None = None,
) -> Solution:
    """Return argmin of F for every candidate kernel.

    Args:
        canvas: picture, mask and kernels.
        weight: of the total variation, one for all candidates or one each, above 0.
        iterations: at most this many steps.
        tolerance: stop when no image changes relatively by more, and D x = v to 2 %.
        start: images over the FFT length; the picture extended by its edges otherwise.

    Raises:
        NumericalError: the iterates are not finite.
    """
    beyond = weight_map(canvas)
    # in the picture's own units, so that (y, weight) -> a (y, weight) scales every iterate
    edge = EDGE * max(float(canvas.shifted.abs().max()), 1e-30)
    weights = torch.as_tensor(weight, dtype=canvas.y.dtype, device=canvas.y.device)
    rho, sigma = DATA_PENALTY, weights.reshape(-1, 1, 1, 1) / edge
    threshold = edge * beyond
    inverse = 1 / (rho * canvas.transfers.abs().square() + sigma * differences_spectrum(canvas.length, canvas.y))
    # the constants of the steps: x <- F^-1[fit F(u - a) + smooth F(D^T (v - b))],  u <- seen + free (k * x + a)
    fit, smooth = rho * canvas.transfers.conj() * inverse, (sigma * inverse).to(canvas.transfers.dtype)
    seen, free = canvas.shifted / (canvas.mask + rho), rho / (canvas.mask + rho)
    x = edge_extended(canvas) if start is None else start
    x = x.expand(len(canvas.transfers), -1, -1, -1)
    u = blurred = canvas.blurred(x)
    v = steps = differences(x)
    a, b = torch.zeros_like(u), torch.zeros_like(v)
    step = 0
    # in place wherever it can be: fresh memory takes longer than the arithmetic
    for step in range(1, iterations + 1):
        previous = x
        spectrum = torch.fft.rfft2(u - a).mul_(fit)
        spectrum.addcmul_(smooth, torch.fft.rfft2(differences_adjoint(v - b)))
        x = torch.fft.irfft2(spectrum, s=canvas.length)
        blurred = torch.fft.irfft2(spectrum.mul_(canvas.transfers), s=canvas.length)
        steps = differences(x)
        # over-relaxed: the new k * x and D x lean away from the old u and v
        a.add_(blurred, alpha=RELAXATION).add_(u, alpha=1 - RELAXATION)
        torch.addcmul(seen, free, a, out=u)
        a.sub_(u)
        b.add_(steps, alpha=RELAXATION).add_(v, alpha=1 - RELAXATION)
        kept = magnitude(b).clamp_(min=1e-30).reciprocal_().mul_(threshold).neg_().add_(1).clamp_(min=0)
        torch.mul(b, kept, out=v)
        b.sub_(v)
        change = (_norm(x - previous) / _norm(x).clamp(min=1e-15)).max()
        if not bool(change.isfinite()):
            raise NumericalError(f"total variation diverged at step {step}; does the picture hold NaN?")
        if change < tolerance and (steps - v).square().sum() < 0.02**2 * steps.square().sum():
            break
    misfit = (canvas.shifted - canvas.mask * blurred).square().sum((1, 2, 3))
    variation = (magnitude(steps) * beyond).sum((1, 2, 3))
    return Solution(x, 0.5 * misfit + weights * variation, misfit, variation, step)


def _norm(x: Tensor) -> Float[Tensor, " candidate"]:
    return torch.linalg.vector_norm(x, dim=(1, 2, 3))


def weight_map(canvas: Canvas) -> Tensor:
    """Return 1 where both differences of a pixel lie on the canvas, else 0: beyond it nothing is penalised."""
    inside = canvas.y.new_zeros(1, 1, *canvas.length)
    inside[..., : canvas.canvas[0] - 1, : canvas.canvas[1] - 1] = 1
    return inside


def edge_extended(canvas: Canvas) -> Tensor:
    """Return the picture continued by its edge pixels over the FFT length; what is not trusted is the local mean of what is."""
    after = [n - m - s for n, m, s in zip(canvas.length, (canvas.margin,) * 2, canvas.y.shape[-2:], strict=True)]
    trusted, known = canvas.picture(canvas.crop(canvas.mask)), canvas.picture(canvas.crop(canvas.shifted))
    y = canvas.y
    if not bool(trusted.all()):
        sums, share = (torch.nn.functional.avg_pool2d(part, 9, 1, 4) for part in (known, trusted))
        local = torch.where(share > 0, sums / share.clamp(min=1e-6), known.sum() / (trusted.sum() * y.shape[1]).clamp(min=1))
        y = torch.where(trusted > 0, y, local)
    return torch.nn.functional.pad(y, (canvas.margin, after[1], canvas.margin, after[0]), mode="replicate")
