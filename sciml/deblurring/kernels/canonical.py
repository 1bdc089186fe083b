"""Kernels that users give: by name or file, brought to one canonical form with every change told; and how kernels compare.

A canonical kernel is an odd square float64 array, non-negative, of sum 1, with its centre of mass within half a pixel of the
middle one. A kernel and a displaced copy of it explain a blurred picture equally well, with the sharp picture displaced the
other way; so the displacement is taken out of the kernel and recorded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from scipy import ndimage, signal

from sciml.deblurring.files.kernels import read_array
from sciml.deblurring.kernels.names import KINDS, named_kernel
from sciml.imaging.operators.kernels import LARGEST, Kernel
from sciml.runtime.errors import ConfigError, DataError, ShapeError

REPAIRABLE = 0.05
ROUNDING = 1e-8
NOTHING_TO_DEBLUR = "The kernel is a single pixel: there is nothing to deblur, the picture is only denoised."


@dataclass(frozen=True)
class Canonical:
    """A kernel in canonical form.

    Attributes:
        kernel: odd, square, non-negative, sum 1, centre of mass within half a pixel of the middle.
        shift: rows (down) and columns (right), in pixels, that the kernel was moved by from where its array had it, the middle
            of the array being (size - 1) / 2: halves for even sizes. The sharp picture moves by the opposite; moving it by
            `shift` puts it back.
        notes: what was done to the given array, in sentences for the user.
    """

    kernel: Kernel
    shift: tuple[float, float] = (0.0, 0.0)
    notes: tuple[str, ...] = ()


def read_kernel(text: str, image_size: tuple[int, int] | None = None, strict: bool = False) -> Canonical:
    """Return the kernel that a user names: a kind with its numbers, or a file.

    Kinds: `gaussian:WIDTH`, `motion:LENGTH,ANGLE` (degrees, counter-clockwise from the horizontal), `disk:RADIUS`,
    `shake:SEED` and `delta`; one more number is the odd size (`shake:3,27`). Files: PNG, TIFF, NPY or MAT, as
    `sciml.deblurring.files.kernels.read_array` says. Whether a file's kernel is flipped cannot be known: it is a convolution
    kernel, the picture of a point of light.

    Args:
        text: such as `gaussian:2.5`, `motion:21,35` or `kernel.png`.
        image_size: height and width of the blurred picture, to refuse a kernel larger than half of it.
        strict: refuse what would have to be repaired, see `canonicalise`.

    Raises:
        ConfigError: a kind with the wrong numbers.
        DataError, FormatError: the file cannot be read or is no kernel.
        ShapeError: the shape is not that of a kernel, or it is too large for the picture.

    Example:
        >>> read_kernel("disk:4").kernel.shape
        (9, 9)
    """
    kind = text.partition(":")[0]
    if kind in KINDS:
        kernel = named_kernel(text)
        found = Canonical(kernel, notes=(NOTHING_TO_DEBLUR,) if np.count_nonzero(kernel) == 1 else ())
    elif re.fullmatch(r"[a-z_-]+(:[-+\d.,e]*)?", text) and not Path(text).exists():
        raise ConfigError(f"{text!r} is neither a file nor a kernel kind: known are {', '.join(KINDS)}")
    else:
        array, notes = read_array(Path(text))
        if Path(text).suffix.lower() not in (".npy", ".mat") and np.isfinite(array).all() and array.sum() > 0:
            # the grey levels of a picture have no sum of their own
            array = array / array.sum() * (array.shape[2] if array.ndim == 3 else 1)
        found = canonicalise(array, strict)
        found = Canonical(found.kernel, found.shift, notes + found.notes)
    size = found.kernel.shape[0]
    if image_size is not None and 2 * size > min(image_size):
        raise ShapeError(
            f"the kernel ({size} x {size} pixels) is larger than half of the picture ({image_size[0]} x {image_size[1]}): "
            "crop the kernel or take a larger part of the picture"
        )
    return found


def canonicalise(array: NDArray[Any], strict: bool = False) -> Canonical:
    """Return a kernel in canonical form, or say why the array is not a kernel.

    The kernel is moved by whole pixels only and never interpolated: the pixel nearest to its centre of mass becomes the
    middle of the smallest odd square that holds every pixel with light. One step so serves displaced kernels, empty borders,
    sides of different lengths, and even sizes, whose middle lies between pixels and is half a pixel off either way. What is
    below 1e-8 of the maximum counts as no light.

    Args:
        array: (rows, columns), or (rows, columns, channels) with equal channels.
        strict: refuse instead of repairing: even sizes, unequal sides, negative values, a sum off 1 by more than 5 %.

    Raises:
        ShapeError: not a picture, an even or unequal side with `strict`, or more than 255 pixels wide.
        DataError: values that are not finite real numbers, channels that differ, no light, negative values of 5 % or more of
            the light, or anything that `strict` refuses.
    """
    kernel = _as_plane(np.asarray(array))
    notes: list[str] = []
    rows, columns = kernel.shape
    if strict and (rows != columns or rows % 2 == 0):
        raise ShapeError(f"a kernel has one odd size so that it has a middle pixel, got {rows} x {columns}")
    kernel, changed = _as_density(kernel, strict)
    notes += changed

    lit = [np.flatnonzero(kernel.any(axis=axis)) for axis in (1, 0)]
    # a centre of mass half way between two pixels goes to the first, whatever the rounding errors
    middle = np.ceil(np.array(ndimage.center_of_mass(kernel)) - 0.5 - 1e-6).astype(int).tolist()
    reach = max(max(m - where[0], where[-1] - m) for m, where in zip(middle, lit, strict=True))
    size = 2 * int(reach) + 1
    if size > LARGEST:
        raise ShapeError(f"the kernel is {size} pixels wide, at most {LARGEST}: is it a kernel, or a picture?")
    canonical = np.zeros((size, size))
    inside = tuple(slice(where[0], where[-1] + 1) for where in lit)
    placed = tuple(slice(where[0] - m + reach, where[-1] + 1 - m + reach) for where, m in zip(lit, middle, strict=True))
    canonical[placed] = kernel[inside]

    down, right = ((length - 1) / 2 - m for length, m in zip(kernel.shape, middle, strict=True))
    if rows % 2 == 0 or columns % 2 == 0:
        notes.append(
            f"The kernel has an even size ({rows} x {columns}), so its middle lies between pixels; it was set half a pixel off."
        )
    if (rows, columns) != (size, size):
        notes.append(
            f"The kernel of {rows} x {columns} pixels became {size} x {size}, the least odd square around its centre of mass."
        )
    if (down, right) != (0, 0):
        notes.append(
            f"The kernel was moved by {down:g} rows and {right:g} columns to its centre of mass; "
            f"the sharp picture is displaced by {0 - down:g} and {0 - right:g}."
        )
    if np.count_nonzero(canonical) == 1:
        notes.append(NOTHING_TO_DEBLUR)
    return Canonical(canonical, (float(down), float(right)), tuple(notes))


def _as_plane(array: NDArray[Any]) -> NDArray[np.float64]:
    if array.dtype.kind not in "buif":
        raise DataError(f"a kernel holds real numbers, got values of type {array.dtype}")
    if array.ndim == 3 and array.shape[-1] in (1, 3):
        if (array != array[..., :1]).any() and np.isfinite(array).all():
            raise DataError("the kernel's picture is in colour, its channels differ: give one kernel, in grey, for all channels")
        array = array.mean(axis=-1, dtype=np.float64)
    if array.ndim != 2 or 0 in array.shape:
        raise ShapeError(f"a kernel has shape (rows, columns), got {array.shape}")
    return array.astype(np.float64)


def _as_density(kernel: NDArray[np.float64], strict: bool) -> tuple[NDArray[np.float64], list[str]]:
    """Return the kernel non-negative and with sum 1, and what that took."""
    notes = []
    if not np.isfinite(kernel).all():
        raise DataError(f"the kernel holds {int((~np.isfinite(kernel)).sum())} values that are NaN or infinite")
    if not kernel.any():
        raise DataError("the kernel is zero everywhere")
    kernel = np.where(np.abs(kernel) < ROUNDING * np.abs(kernel).max(), 0, kernel)
    positive = np.maximum(kernel, 0)
    light, below = positive.sum(), -np.minimum(kernel, 0).sum()
    if below > 0:
        if strict or below >= REPAIRABLE * light:
            share = f"{below / light:.1%} of its light" if light > 0 else "no light at all beside them"
            raise DataError(f"the kernel has negative values ({share}); a blur kernel is a density of light: is it a kernel?")
        notes.append(f"Negative values of the kernel, {below / light:.2%} of its light, were set to zero.")
    total = light - below
    if abs(total - 1) > 1e-3:
        if strict and abs(total - 1) > REPAIRABLE:
            raise DataError(f"the kernel sums to {total:.4g}, not 1: divide it by its sum")
        notes.append(f"The kernel summed to {total:.4g}; it was divided by its sum.")
    return positive / light, notes


def embedded(kernel: Kernel, size: int) -> Kernel:
    """Return the kernel in the middle of a larger square of zeros.

    Args:
        kernel: K x K, odd.
        size: odd, at least K.

    Raises:
        ShapeError: the size is even or too small.
    """
    margin, odd = divmod(size - kernel.shape[0], 2)
    if odd or margin < 0:
        raise ShapeError(f"a kernel of {kernel.shape[0]} pixels goes into an odd square of at least that size, not into {size}")
    return np.pad(kernel, margin)


def together(first: Kernel, second: Kernel) -> tuple[Kernel, Kernel]:
    """Return both kernels at the larger of their sizes."""
    size = max(first.shape[0], second.shape[0])
    return embedded(first, size), embedded(second, size)


def ncc(first: Kernel, second: Kernel, any_shift: bool = False) -> float:
    """Return the normalised cross-correlation of two kernels, <a, b> / (|a| |b|), from 0 to 1.

    It measures likeness, not damage: thinly spread noise hardly lowers it and ruins a deconvolution; see `blur_rms`.

    Args:
        first: odd, square.
        second: odd, square; the smaller one is embedded.
        any_shift: take the largest value over all displacements by whole pixels.
    """
    a, b = together(first, second)
    # the correlation with every displacement; without one it is the inner product
    products = signal.fftconvolve(a, b[::-1, ::-1]) if any_shift else np.sum(a * b)
    return float(np.max(products) / np.sqrt(np.sum(a**2) * np.sum(b**2)))


def blur_rms(kernel: Kernel, estimate: Kernel, picture: Float[np.ndarray, "*channels height width"]) -> float:
    """Return the root mean square of (k - k^) * x, in the picture's units: what a wrong kernel leaves unexplained.

    Compared with the noise it tells how much the error matters; of kernel errors of one size it orders the damage to the
    restored picture, which the likeness of the kernels does not.

    Args:
        kernel: the true one.
        estimate: the one in use.
        picture: a sharp picture, larger than the kernels; only pixels whose whole neighbourhood is known are counted.

    Raises:
        ShapeError: the picture is smaller than a kernel.
    """
    a, b = together(kernel, estimate)
    if min(picture.shape[-2:]) < a.shape[0]:
        raise ShapeError(f"a picture of {picture.shape[-2:]} pixels is smaller than the kernel ({a.shape[0]})")
    error = (a - b).reshape((1,) * (picture.ndim - 2) + a.shape)
    residual = signal.fftconvolve(picture.astype(np.float64), error, mode="valid", axes=(-2, -1))
    return float(np.sqrt(np.mean(residual**2)))
