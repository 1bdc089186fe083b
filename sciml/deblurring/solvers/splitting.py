"""ADMM for a blur of which only a part is seen: with the mask split off, every step is a transform or a pixelwise formula."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from sciml.deblurring.solvers.tv import differences, differences_adjoint, differences_spectrum
from sciml.imaging.operators.convolution import ValidBlur, fast_lengths
from sciml.imaging.priors import Images, magnitude
from sciml.runtime.errors import ConfigError, DataError, NumericalError, ShapeError

DATA_PENALTY = 0.1
Differences = Float[Tensor, "two batch channel height width"]
Shrink = Callable[[Differences, float], Differences]


def masked_admm(
    y: Images,
    physics: ValidBlur,
    sigma: float,
    weight: float,
    shrink: Shrink,
    mask: Images | None = None,
    iterations: int = 80,
    penalty: float = 1.0,
    growth: float = 1.0,
    start: Images | None = None,
) -> Images:
    """Return argmin_x 1/2 ||M (A x - y)||^2 / sigma^2 + weight sum phi(D x / sigma) by ADMM with a decoupled mask.

    The mask M, which also takes in the frame, is split off from the blur, so that the x step is diagonal under the FFT (Almeida
    and Figueiredo, IEEE Trans. Image Process. 2013). In units of sigma, with u = k * x on the whole grid and v = D x:

        x <- (a |k|^2 + b |d|^2)^-1 ( a k^H (u - p) + b d^H (v - q) )
        u <- (M y + a (k * x + p)) / (M + a),          p <- p + k * x - u
        v <- prox_(weight phi / b)(D x + q),           q <- q + D x - v

    Differences that would leave the canvas wrap around on the grid; they are free (phi = 0), so the prior ends at the frame. The
    penalty b grows geometrically over the first three quarters of the steps, q shrinking in proportion: a phi that is not convex
    is then met first where its shrinkage moves everything.

    Args:
        y: the blurred picture; this and the next four as for `sciml.deblurring.solvers.peers.hyper_laplacian`.
        physics: what blurred it.
        sigma: standard deviation of the noise.
        weight: of the prior.
        mask: 1 where a pixel of y is believed, else 0; all are by default.
        shrink: (differences, t) -> prox of t phi, elementwise or joint over axes and channels.
        iterations: number of steps.
        penalty: first value of b / weight.
        growth: last value of b over the first.
        start: first guess on the canvas.

    Raises:
        ConfigError: sigma or the weight is not above 0.
        ShapeError: the picture or the mask is not of the blur's size.
        DataError: the picture is not finite.
        NumericalError: the image is not finite.
    """
    for name, value in (("sigma", sigma), ("the weight", weight)):
        if not (value > 0 and math.isfinite(value)):
            raise ConfigError(f"{name} must be above 0, got {value}")
    believed = checked_mask(y, physics, mask)
    length = fast_lengths(physics.canvas)
    frame = _frame(physics, length)
    guess = extended(y, physics, believed) if start is None else start
    believed, target = (torch.nn.functional.pad(part, frame) for part in (believed, believed * y / sigma))
    x = torch.nn.functional.pad(guess / sigma, (0, length[1] - guess.shape[-1], 0, length[0] - guess.shape[-2]))
    transfer = _transfer(physics, length)
    blur_power, slope_power = transfer.abs().square(), differences_spectrum(length, y)
    inside = _inside(physics, x)
    growing = 3 * iterations // 4
    a, b, factor = DATA_PENALTY, weight * penalty, growth ** (1 / max(1, growing))

    spectrum = torch.fft.rfft2(x)
    blurred, slopes = torch.fft.irfft2(spectrum * transfer, s=length), differences(x)
    u, p, v, q = (
        blurred,
        torch.zeros_like(x),
        torch.where(inside, shrink(slopes * inside, weight / b), slopes),
        torch.zeros_like(slopes),
    )
    for step in range(iterations):
        right = a * transfer.conj() * torch.fft.rfft2(u - p) + b * torch.fft.rfft2(differences_adjoint(v - q))
        spectrum = right / (a * blur_power + b * slope_power + 1e-12)
        x = torch.fft.irfft2(spectrum, s=length)
        blurred, slopes = torch.fft.irfft2(spectrum * transfer, s=length), differences(x)
        u = (target + a * (blurred + p)) / (believed + a)
        p = p + blurred - u
        moved = slopes + q
        v = torch.where(inside, shrink(moved * inside, weight / b), moved)
        q = moved - v
        if step < growing:
            b, q = b * factor, q / factor
    if not bool(x.isfinite().all()):
        raise NumericalError("the restored image is not finite; are sigma and the weight within many orders of magnitude of 1?")
    return x[..., : physics.canvas[0], : physics.canvas[1]] * sigma


def shrink_count(v: Differences, t: float) -> Differences:
    """Return the prox of t times the number of pixels with a difference (l0): those with |v|^2 <= 2 t become 0."""
    return v * (magnitude(v).square() > 2 * t)


def shrink_two_thirds(v: Tensor, t: float) -> Tensor:
    """Return argmin_w 1/2 (w - v)^2 + t |w|^(2/3), element by element, in closed form.

    Away from 0, s = |w|^(1/3) solves the quartic s^4 - |v| s + c = 0 with c = 2 t / 3. Ferrari's resolvent
    m^3 - c m - v^2 / 8 = 0 has the root m = 2 sqrt(c / 3) cosh(arccosh(v^2 / 16 (3 / c)^(3/2)) / 3), and then

        s = ( sqrt(2 m) + sqrt( 2 |v| / sqrt(2 m) - 2 m ) ) / 2.

    w = 0 is the better minimiser up to |v| = 2 c^(3/4), where w jumps to c^(3/4).
    """
    if t <= 0:
        return v
    c = 2 * t / 3
    size = v.abs()
    kept = size > 2 * c**0.75
    # below the threshold the value is thrown away; 2 c^(3/4) keeps the roots real
    safe = size.clamp(min=2 * c**0.75)
    m = 2 * math.sqrt(c / 3) * torch.cosh(torch.arccosh(safe.square() / 16 * (3 / c) ** 1.5) / 3)
    root = (2 * m).sqrt()
    s = (root + (2 * safe / root - 2 * m).clamp(min=0).sqrt()) / 2
    return torch.where(kept, v.sign() * s.pow(3), 0)


def shrink_magnitude_two_thirds(v: Differences, t: float) -> Differences:
    """Return the prox of t times the power 2/3 of that norm."""
    size = magnitude(v)
    return v * (shrink_two_thirds(size, t) / size.clamp(min=1e-30))


def checked_mask(y: Images, physics: ValidBlur, mask: Images | None) -> Images:
    """Return the mask, broadcast to y, after a look at both."""
    if y.ndim != 4 or tuple(y.shape[-2:]) != physics.size:
        raise ShapeError(f"this blur makes pictures of (batch, channel, {physics.size}), got shape {tuple(y.shape)}")
    if not bool(y.isfinite().all()):
        raise DataError("the picture holds values that are not finite; give a mask and fill them with anything")
    if mask is None:
        return torch.ones_like(y)
    try:
        return mask.to(y).expand_as(y)
    except RuntimeError as error:
        raise ShapeError(f"the mask {tuple(mask.shape)} does not fit the picture {tuple(y.shape)}") from error


def extended(y: Images, physics: ValidBlur, believed: Images) -> Images:
    """Return the picture on the canvas as a first guess: what is not believed, and the frame, filled from what lies near.

    The filling of pixels is A^T M y / A^T M, a mean over believed pixels with the kernel's weights; where it sees none, their
    mean. The frame repeats the nearest pixel.
    """
    seen = physics.crop(physics.A_adjoint(believed))
    mean = (believed * y).sum((-2, -1), keepdim=True) / believed.sum((-2, -1), keepdim=True).clamp(min=1)
    near = torch.where(seen > 1e-3, physics.crop(physics.A_adjoint(believed * y)) / seen.clamp(min=1e-3), mean)
    return torch.nn.functional.pad(torch.where(believed > 0, y, near), (physics.margin,) * 4, mode="replicate")


def _frame(physics: ValidBlur, length: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the padding (left, right, top, bottom) that puts a picture at its place on the FFT grid."""
    margin = physics.margin
    return margin, length[1] - physics.size[1] - margin, margin, length[0] - physics.size[0] - margin


def _inside(physics: ValidBlur, grid: Images) -> Tensor:
    """Return where forward differences stay on the canvas, shape (2, 1, 1, rows, columns) of the FFT grid."""
    rows, columns = physics.canvas
    inside = torch.zeros(2, 1, 1, *grid.shape[-2:], dtype=torch.bool, device=grid.device)
    inside[0, ..., : rows - 1, :columns] = True
    inside[1, ..., :rows, : columns - 1] = True
    return inside


def _transfer(physics: ValidBlur, length: tuple[int, int]) -> Tensor:
    size = physics.kernel.shape[0]
    padded = torch.nn.functional.pad(physics.kernel, (0, length[1] - size, 0, length[0] - size))
    return torch.fft.rfft2(torch.roll(padded, (-physics.margin, -physics.margin), (0, 1)))
