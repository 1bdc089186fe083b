"""A kernel turned, scaled and smoothed: three numbers that describe most errors of estimated kernels."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, special

from sciml.deblurring.kernels.canonical import embedded
from sciml.imaging.operators.kernels import LARGEST, Kernel
from sciml.runtime.errors import ConfigError

ROOM, CUT = 1.25, 1e-3
FOOTPRINT = 1 / 6
SCALES = (0.05, 20.0)
MARGIN = 4


def warped(kernel: Kernel, angle_degrees: float = 0.0, scale: float = 1.0, width: float = 0.0) -> Kernel:
    """Return the kernel turned and scaled about its middle pixel, then smoothed, at the same size.

        k_w(p) = [g_t * k](R^-1 p / s) / norm,    t = (w^2 + max(0, 1 - s^2) / 6) / s^2

    for angle, scale s and width w. The second part of the variance t is the smoothing before shrinking: it keeps the pixel's
    footprint (of variance 1/6, that of linear interpolation), so that lines thinner than a pixel are not lost between samples.
    g_t is the discrete Gaussian T(n, t) = e^-t I_n(t) (Lindeberg, IEEE Trans. Pattern Anal. Mach. Intell. 1990), whose variance
    is t exactly, also far below a pixel; k is interpolated by cubic B-splines and the few negative values are set to zero.

    The result depends continuously on the numbers, and smoothly but for two causes of small kinks: pixels that cross zero, and
    s = 1, where the smoothing before shrinking sets in. It is even in the width, whose square is the better unknown of a fit.
    Central differences of 1 degree and 0.02 are within some percent of the derivative. Light that leaves the square is lost, and
    the rest divided by its sum: `sciml.deblurring.kernels.canonical.embedded` makes room for a kernel that fills its square.

    Args:
        kernel: K x K, odd, non-negative, sum 1.
        angle_degrees: counter-clockwise, as in `sciml.imaging.operators.kernels.line`.
        scale: above 1 enlarges; from 0.05 to 20.
        width: standard deviation of the smoothing in pixels, at least 0. Negative widths, a sharpening, are refused on
            principle: restored images are a little too smooth, a fit ascribes that to a kernel that is too wide, and with
            sharpening allowed it makes every kernel too narrow.

    Raises:
        ConfigError: a number out of range.
    """
    if not (math.isfinite(angle_degrees) and SCALES[0] <= scale <= SCALES[1] and 0 <= width < math.inf):
        raise ConfigError(
            f"a warp takes an angle, a scale from {SCALES[0]} to {SCALES[1]:g} and a width of at least 0, "
            f"got {angle_degrees}, {scale}, {width}"
        )
    if angle_degrees == 0 and scale == 1 and width == 0:
        return kernel.copy()
    angle = math.radians(angle_degrees)
    # rows run downwards, so a counter-clockwise turn of the picture is R = [[cos, -sin], [sin, cos]] in (row, column)
    inverse = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]) / scale
    variance = (width**2 + FOOTPRINT * max(0.0, 1 - scale**2)) / scale**2
    return sampled(kernel, inverse, np.zeros(2), variance)


def stretched(kernel: Kernel, scale: float) -> Kernel:
    """Return the kernel scaled along its longer axis alone, at the same size: a longer or shorter line of the same thickness.

    The axis is the leading eigenvector of the kernel's covariance. Nothing is smoothed before shrinking, which would thicken the
    line: it is for kernels that hardly change along their axis.

    Args:
        kernel: K x K, odd, non-negative, sum 1.
        scale: above 1 lengthens.
    """
    axis = np.linalg.eigh(covariance(kernel))[1][:, 1]
    along = np.outer(axis, axis)
    inverse = np.eye(2) + (1 / scale - 1) * along
    return sampled(kernel, inverse, np.zeros(2), 0.0)


def covariance(kernel: Kernel) -> NDArray[np.float64]:
    """Return the covariance of the kernel's light about the middle pixel, in square pixels, (row, column)."""
    places = np.indices(kernel.shape).reshape(2, -1) - kernel.shape[0] // 2
    return (places * kernel.ravel()) @ places.T


def sampled(kernel: Kernel, inverse: NDArray[np.float64], offset: NDArray[np.float64], variance: float) -> Kernel:
    """Return the kernel smoothed by a Gaussian and read at inverse p + offset for each pixel p counted from the middle one.

    Args:
        kernel: K x K, odd.
        inverse: 2 x 2, from places in the result to places in the kernel, (row, column).
        offset: (row, column) in pixels.
        variance: of the smoothing, in square pixels of the kernel.
    """
    size = kernel.shape[0]
    rows = _coefficients(size)
    if variance > 0:
        taps = special.ive(np.arange(size + 2 * MARGIN), variance)
        rows = rows @ taps[_distances(size)]
    coefficients = rows[:, MARGIN:-MARGIN] @ kernel @ rows[:, MARGIN:-MARGIN].T
    middle = np.full(2, size // 2)
    start = middle + MARGIN + offset - inverse @ middle
    reading = {"output_shape": kernel.shape, "order": 3, "mode": "grid-constant", "prefilter": False}
    values = np.maximum(ndimage.affine_transform(coefficients, inverse, start, **reading), 0)  # pyright: ignore[reportArgumentType]
    total = values.sum()
    if not total > 0:
        raise ConfigError("the warp moves all light of the kernel out of its square: take a smaller scale or shift")
    return values / total


@lru_cache(maxsize=64)
def _coefficients(size: int) -> NDArray[np.floating]:
    """Return the matrix from samples to cubic B-spline coefficients, which are zero outside: the inverse of [1 4 1] / 6."""
    length = size + 2 * MARGIN
    return np.linalg.inv((4 * np.eye(length) + np.eye(length, k=1) + np.eye(length, k=-1)) / 6)


@lru_cache(maxsize=64)
def _distances(size: int) -> NDArray[np.intp]:
    places = np.arange(size + 2 * MARGIN)
    return np.abs(places[:, None] - places)


def with_room(kernel: Kernel) -> Kernel:
    """Return the kernel in a square where a turn by any angle and a scale of 1.25 lose no light."""
    lit = np.argwhere(kernel > 0) - kernel.shape[0] // 2
    reach = math.ceil(ROOM * math.sqrt(float(np.square(lit).sum(1).max()))) + 1
    return embedded(kernel, min(max(kernel.shape[0], 2 * reach + 1), max(kernel.shape[0], LARGEST)))


def trimmed(kernel: Kernel) -> Kernel:
    """Return the middle of the kernel, the least odd square that holds all but a thousandth of its light."""
    for margin in range(kernel.shape[0] // 2, 0, -1):
        middle = kernel[margin:-margin, margin:-margin]
        if middle.sum() >= 1 - CUT:
            return middle / middle.sum()
    return kernel
