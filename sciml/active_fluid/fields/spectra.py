"""Spectra and correlations of periodic fields, NumPy only.

A shell is all whole wave vectors n = (n_x, n_y) with j - 1/2 <= |n| < j + 1/2. Every wave vector, those in the corners too, is in
one shell, so that the sum over shells is the mean square of the field (Parseval).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Complex, Float

from sciml.runtime.errors import ShapeError

Field = Complex[np.ndarray, "... points points"]


class Spectrum(NamedTuple):
    """A field's mean square by wave number.

    Attributes:
        k: wave numbers 2 pi j / L of the shells.
        power: mean square per shell; its sum over shells is that of the field.
    """

    k: Float[np.ndarray, " shells"]
    power: Float[np.ndarray, "... shells"]


class Correlation(NamedTuple):
    """A field's correlation by distance.

    Attributes:
        r: distances, multiples of the spacing up to half the side.
        value: < Re f*(x) f(x + r) > / < |f|^2 > over places and over pairs whose distance rounds to r.
        length: first r at which it has fallen to 1 / e, linear between two; infinite where it does not.
    """

    r: Float[np.ndarray, " distances"]
    value: Float[np.ndarray, "... distances"]
    length: Float[np.ndarray, "*stack"]


def spectrum(field: Field, length: float) -> Spectrum:
    """Return the shell spectrum of a complex field, for m1 as it is.

    Args:
        field: (..., points, points).
        length: side of the square.
    """
    points = _points(field)
    density = np.abs(np.fft.fft2(field)) ** 2 / points**4
    shells, sums = _shells(density, _distances(points))
    return Spectrum(2 * np.pi / length * np.arange(shells), sums)


def energy_spectrum(velocity: Field, length: float) -> Spectrum:
    """Return the spectrum of the kinetic energy |u|^2 / 2 per shell, of u + i v."""
    found = spectrum(velocity, length)
    return Spectrum(found.k, found.power / 2)


def correlation(field: Field, length: float) -> Correlation:
    """Return the correlation function of a complex field by the theorem of Wiener and Khinchin.

    Args:
        field: (..., points, points), for example u + i v, whose product Re f* f' is that of vectors; its mean is not taken off.
        length: side of the square.
    """
    points = _points(field)
    product = np.fft.ifft2(np.abs(np.fft.fft2(field)) ** 2).real / points**2
    distance = _distances(points)
    most = points // 2
    _, sums = _shells(product, distance)
    counts = _shells(np.ones((points, points)), distance)[1]
    mean = np.mean(np.abs(field) ** 2, axis=(-2, -1))[..., None]
    value = (sums / counts)[..., : most + 1] / np.where(mean > 0, mean, 1.0)
    r = length / points * np.arange(most + 1)
    return Correlation(r, value, _decay(r, value))


def _points(field: Field) -> int:
    if field.ndim < 2 or field.shape[-1] != field.shape[-2]:
        raise ShapeError(f"a field of shape {field.shape}: the last two axes have to be a square")
    return field.shape[-1]


def _distances(points: int) -> np.ndarray:
    """Return |n| of whole vectors in Fourier order, rounded to whole shells."""
    whole = np.fft.fftfreq(points, 1 / points)
    return np.floor(np.hypot(whole[:, None], whole[None, :]) + 0.5).astype(np.int64)


def _shells(values: np.ndarray, shell: np.ndarray) -> tuple[int, np.ndarray]:
    """Return the number of shells and the sums of values over each."""
    count = int(shell.max()) + 1
    flat = values.reshape(-1, shell.size)
    sums = np.stack([np.bincount(shell.ravel(), row, count) for row in flat])
    return count, sums.reshape(*values.shape[:-2], count)


def _decay(r: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Return the first r at which a function has fallen to 1 / e."""
    below = value < np.exp(-1)
    after = np.maximum(np.argmax(below, axis=-1), 1)[..., None]
    high, low = np.take_along_axis(value, after - 1, -1), np.take_along_axis(value, after, -1)
    drop = np.where(high > low, high - low, 1.0)
    found = r[after - 1] + (high - np.exp(-1)) / drop * (r[after] - r[after - 1])
    return np.where(below.any(-1), found[..., 0], np.inf)
