"""Blur kernels: a seeded camera-shake generator, disk, line and Gaussian, and the check of a user's kernel.

All kernels are odd-sized square float64 arrays, non-negative, with sum 1 and their centre of mass on the middle pixel.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from scipy import ndimage

from sciml.runtime.errors import ConfigError, DataError, ShapeError

LARGEST = 255
Kernel = Float[np.ndarray, "size size"]


def camera_shake(size: int, generator: np.random.Generator) -> Kernel:
    """Return a random camera-shake kernel.

    The trajectory is a smooth random 2-D path (after the model of Boracchi and Foi, IEEE Trans. Image Process. 2012): the
    camera moves at constant speed in a direction that turns slowly, jerks now and then, and is pulled back to the start,

        v <- 0.985 v + jerk - pull (x - x_0),    v <- v / |v|,    x <- x + v.

    It is scaled to fill the support, drawn with bilinear weights at sub-pixel positions (brighter where the hand dwelt: a
    smooth log-normal exposure along the path), and smoothed by 0.35 pixels. Draws whose effective size 1 / sum k^2 is outside
    15 to 45 pixels are repeated, so that spread and sharpness are those of recorded hand shake.

    Args:
        size: odd support in pixels, 13 to 27 for hand-held exposures; 7 is the least.
        generator: the source of randomness; equal states give equal kernels.

    Raises:
        ConfigError: the size is even or below 7.
    """
    _check_size(size, least=7)
    for _ in range(200):
        kernel = _splat(*camera_path(generator), size)
        if 15 <= 1 / np.sum(kernel**2) <= 45 or size < 13:
            return kernel
    raise ConfigError(f"no camera-shake path of a natural spread was found for size {size}")


def camera_path(generator: np.random.Generator) -> tuple[NDArray[np.complex128], NDArray[np.float64]]:
    """Return a random path of a hand-held camera, see `camera_shake`: points x + i y in arbitrary units, and the time at each."""
    return _trajectory(generator), _exposure(generator)


def _trajectory(generator: np.random.Generator, steps: int = 2000) -> NDArray[np.complex128]:
    """Return the path as complex numbers x + i y, in arbitrary units."""
    noise = generator.normal(size=(steps, 2)) @ np.array([1, 1j])
    jumps = generator.random(steps) < 0.001
    pull = generator.uniform(0, 0.7) / steps
    agitation = generator.uniform(0.003, 0.03)
    path = np.zeros(steps, dtype=np.complex128)
    velocity = np.exp(2j * math.pi * generator.random())
    for step in range(1, steps):
        jerk = agitation * noise[step] + (1.5 * noise[step] if jumps[step] else 0)
        velocity = 0.985 * velocity + jerk - pull * path[step - 1]
        velocity /= abs(velocity)
        path[step] = path[step - 1] + velocity
    return path


def _exposure(generator: np.random.Generator, steps: int = 2000) -> NDArray[np.float64]:
    """Return the time spent at each point of the path: exp of a smooth unit-variance Gaussian process."""
    process = ndimage.gaussian_filter1d(generator.normal(size=steps), steps / 30, mode="wrap")
    return np.exp(1.3 * process / process.std())


def _splat(path: NDArray[np.complex128], exposure: NDArray[np.float64], size: int) -> Kernel:
    points = np.stack([path.imag, path.real])
    points -= np.average(points, axis=1, weights=exposure)[:, None]
    extent = np.abs(points).max()
    points = points / extent * 0.4 * (size - 3) + size // 2
    low = np.floor(points).astype(int)
    share = points - low
    kernel = np.zeros((size, size))
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        weight = exposure * np.abs(1 - row - share[0]) * np.abs(1 - column - share[1])
        np.add.at(kernel, (low[0] + row, low[1] + column), weight)
    return _centred(ndimage.gaussian_filter(kernel, 0.35, mode="constant"))


def _centred(kernel: Kernel) -> Kernel:
    """Return the kernel with its centre of mass on the middle pixel and sum 1 (linear interpolation, never negative)."""
    middle = (np.array(kernel.shape) - 1) / 2
    for _ in range(10):
        offset = np.array(ndimage.center_of_mass(kernel)) - middle
        if np.abs(offset).max() < 1e-6:
            break
        kernel = ndimage.shift(kernel, -offset, order=1, mode="constant")
    return kernel / kernel.sum()


def disk(radius: float, size: int | None = None) -> Kernel:
    """Return the defocus kernel: a disk with an anti-aliased edge (each pixel is the mean of 16 x 16 samples).

    Args:
        radius: in pixels, above 0.
        size: odd support; by default the least that holds the disk.
    """
    _check_positive("radius", radius)
    size = size or 2 * math.ceil(radius) + 1
    _check_size(size)
    fine = (np.arange(size * 16) + 0.5) / 16 - size / 2
    inside = (fine[:, None] ** 2 + fine[None] ** 2 <= radius**2).astype(float)
    kernel = inside.reshape(size, 16, size, 16).mean(axis=(1, 3))
    return kernel / kernel.sum()


def line(length: float, angle_degrees: float, size: int | None = None) -> Kernel:
    """Return the kernel of a uniform straight motion, anti-aliased.

    Args:
        length: in pixels, above 0.
        angle_degrees: counter-clockwise from the horizontal.
        size: odd support; by default the least that holds the line.
    """
    _check_positive("length", length)
    size = size or 2 * math.ceil(length / 2 + 0.5) + 1
    _check_size(size)
    along = np.linspace(-length / 2, length / 2, max(2, math.ceil(length * 64)))
    angle = math.radians(angle_degrees)
    rows, columns = -along * math.sin(angle) + size // 2, along * math.cos(angle) + size // 2
    grid = np.arange(size)
    # each sample of the line spreads over its four neighbours with bilinear weights
    row_weights = np.clip(1 - np.abs(rows[:, None] - grid), 0, None)
    column_weights = np.clip(1 - np.abs(columns[:, None] - grid), 0, None)
    kernel = row_weights.T @ column_weights
    return kernel / kernel.sum()


def gaussian(std: float, size: int | None = None) -> Kernel:
    """Return a sampled Gaussian.

    Args:
        std: standard deviation in pixels, above 0.
        size: odd support; by default 2 ceil(3 std) + 1.
    """
    _check_positive("std", std)
    size = size or 2 * math.ceil(3 * std) + 1
    _check_size(size)
    profile = np.exp(-0.5 * ((np.arange(size) - size // 2) / std) ** 2)
    kernel = np.outer(profile, profile)
    return kernel / kernel.sum()


def check_kernel(kernel: NDArray[np.floating], image_size: tuple[int, int] | None = None) -> Kernel:
    """Return a user's kernel as float64 with sum 1, or say what is wrong with it.

    Args:
        kernel: 2-D array.
        image_size: height and width of the picture that it blurs, to refuse a kernel that is larger.

    Raises:
        ShapeError: not 2-D and square, even-sized, or larger than the image.
        DataError: negative or non-finite values, or all zero.

    Warns:
        UserWarning: the sum is not 1; the kernel is divided by it.
    """
    kernel = np.asarray(kernel)
    if kernel.ndim != 2 or kernel.shape[0] != kernel.shape[1]:
        raise ShapeError(f"a kernel is a square 2-D array, got shape {kernel.shape}; pad it with zeros to a square")
    if kernel.shape[0] % 2 == 0:
        raise ShapeError(f"a kernel has an odd size so that it has a middle pixel, got {kernel.shape[0]}; add a row and a column")
    if image_size is not None and kernel.shape[0] > min(image_size):
        raise ShapeError(f"the kernel ({kernel.shape[0]} pixels) is larger than the image ({image_size[0]} x {image_size[1]})")
    if not np.issubdtype(kernel.dtype, np.number) or np.iscomplexobj(kernel) or not np.isfinite(kernel).all():
        raise DataError("the kernel holds values that are not finite real numbers")
    kernel = kernel.astype(np.float64)
    if kernel.min() < 0:
        raise DataError(f"the kernel has negative values (least {kernel.min():.3g}); a blur kernel is a density of light")
    total = kernel.sum()
    if total <= 0:
        raise DataError("the kernel is zero everywhere")
    if abs(total - 1) > 1e-3:
        warnings.warn(f"the kernel sums to {total:.4g}, not 1; it was normalised", UserWarning, stacklevel=2)
    return kernel / total


def _check_size(size: int, least: int = 1) -> None:
    if size % 2 == 0 or not least <= size <= LARGEST:
        raise ConfigError(f"a kernel size is odd, at least {least} and at most {LARGEST}, got {size}")


def _check_positive(name: str, value: float) -> None:
    if not value > 0:
        raise ConfigError(f"{name} must be above 0 pixels, got {value}")
