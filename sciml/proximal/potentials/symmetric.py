"""Images under half-sample symmetric extension: the boundary of the implicit regulariser.

An image of H x W pixels stands for the periodic signal of 2H x 2W that mirrors it at its edges, x[-1 - i] = x[i]. On such
signals the cosine transform (DCT-II) diagonalises every convolution whose filters are even together, so that bounds in the
frequency domain are exact for images of any size, up to the border.

Level l of the pyramid is the signal of period 2H / 2^l after l times filtering by [1, 3, 3, 1] / 8 and keeping every second
sample. Its distinct samples are 0 ... ceil(H / 2^l) - 1; for an odd period the last one lies on the mirror's axis and occurs
once, not twice, in a period: it has weight 1/2.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from sciml.runtime.errors import ShapeError

BLUR = (1 / 8, 3 / 8, 3 / 8, 1 / 8)


def distinct(period: int) -> int:
    """Return the number of distinct samples of a symmetric signal of this period."""
    return (period + 1) // 2


def _index(position: int, period: int) -> int:
    """Return which distinct sample stands at any position: x[p] = x[p mod N], x[N - 1 - p] = x[p]."""
    wrapped = position % period
    return min(wrapped, period - 1 - wrapped)


@lru_cache(maxsize=64)
def extension(period: int, radius: int, dtype: torch.dtype = torch.float32, device: str = "cpu") -> Tensor:
    """Return the matrix (n + 2 radius, n) that extends the n distinct samples by `radius` on both sides."""
    count = distinct(period)
    matrix = torch.zeros(count + 2 * radius, count, dtype=dtype)
    for row in range(count + 2 * radius):
        matrix[row, _index(row - radius, period)] = 1
    return matrix.to(device)


@lru_cache(maxsize=64)
def reduction(period: int, dtype: torch.dtype = torch.float32, device: str = "cpu") -> Tensor:
    """Return the matrix that filters by [1, 3, 3, 1] / 8 and keeps every second sample.

    Raises:
        ShapeError: the period is odd, so that the signal has no half of it.
    """
    if period % 2:
        raise ShapeError(f"a symmetric signal of odd period {period} cannot be halved; use fewer levels or an even size")
    matrix = torch.zeros(distinct(period // 2), distinct(period), dtype=dtype)
    for row in range(len(matrix)):
        for offset, tap in zip((-1, 0, 1, 2), BLUR, strict=True):
            matrix[row, _index(2 * row + offset, period)] += tap
    return matrix.to(device)


@lru_cache(maxsize=64)
def multiplicity(period: int, dtype: torch.dtype = torch.float32, device: str = "cpu") -> Tensor:
    """Return the weight of each distinct sample: 1, or 1/2 for the one on the axis of an odd period."""
    weights = torch.ones(distinct(period), dtype=dtype)
    if period % 2:
        weights[-1] = 0.5
    return weights.to(device)


def multiplicities(period: tuple[int, int], like: Tensor) -> Tensor | None:
    """Return the weight (rows, columns) of each distinct sample of an image; None where all are 1."""
    if period[0] % 2 == 0 and period[1] % 2 == 0:
        return None
    rows, columns = (multiplicity(n, like.dtype, str(like.device)) for n in period)
    return rows[:, None] * columns


@lru_cache(maxsize=64)
def cosine_transform(size: int, dtype: torch.dtype = torch.float32, device: str = "cpu") -> Tensor:
    """Return the orthonormal DCT-II as a matrix (frequency, sample); frequency k is pi k / size."""
    samples = torch.arange(size, dtype=torch.float64)
    matrix = torch.cos(math.pi * samples[:, None] * (samples[None] + 0.5) / size) * math.sqrt(2 / size)
    matrix[0] /= math.sqrt(2)
    return matrix.to(device, dtype)


def cosines(frequencies: Tensor, degree: int) -> Tensor:
    """Return cos(w d) for every frequency w and lag d = -degree ... degree."""
    lags = torch.arange(-degree, degree + 1, dtype=frequencies.dtype, device=frequencies.device)
    return torch.cos(frequencies[:, None] * lags)


def aliased_gain(frequencies: Tensor) -> Tensor:
    """Return an even trigonometric polynomial of degree 4 that bounds b (b + b~), with b = |cos^3(w/2)|, b~ = |sin^3(w/2)|.

    Halving maps a spectrum u to (b u + b~ u~) / 2, u~ its alias. By Cauchy and Schwarz |b u + b~ u~|^2 <= (b + b~)(b |u|^2 +
    b~ |u~|^2), and the share of u is b (b + b~) = cos^6(w/2) + |sin w|^3 / 8, where |s|^3 <= (s^2 + s^4) / 2.
    """
    squared = torch.sin(frequencies).square()
    return torch.cos(frequencies / 2).pow(6) + (squared + squared.square()) / 16


def across_channels(x: Tensor, channels: int, back: bool = False) -> Tensor:
    """Return images whose groups of channels are turned by their orthonormal cosine transform: mean and differences.

    Noise stays white, and the brightness of a colour picture stands apart from its colours.

    Args:
        x: (batch, groups x channels, height, width).
        channels: channels of a group; 1 changes nothing.
        back: apply the inverse.
    """
    if channels == 1:
        return x
    turn = cosine_transform(channels, x.dtype, str(x.device))
    return torch.einsum("dc,bgdhw->bgchw" if back else "cd,bgdhw->bgchw", turn, x.unflatten(1, (-1, channels))).flatten(1, 2)
