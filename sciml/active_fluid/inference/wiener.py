"""Noise and spectra of snapshots: the Wiener filter whose variances are estimated from the data.

Of a field with Fourier amplitudes u_k of variance S_k, seen at some points of the grid with complex noise of variance s^2,

    u = A^-1 E* y,    A = E* E + s^2 / S,    posterior covariance s^2 A^-1

E takes amplitudes to seen points. S depends on the wave number alone, and is found with s by expectation and maximisation
(Dempster, Laird and Rubin, J. R. Stat. Soc. B 1977): S is the mean of |u_k|^2 plus the posterior variance over a shell of wave
numbers, s^2 the mean square of y - E u plus that of the posterior at the seen points. Points that were not seen are filled in by
the same formula.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Complex, Float
from numpy.typing import NDArray

# rounds of expectation and maximisation
MAX_EM_ROUNDS = 40


class Filtered(NamedTuple):
    """What the filter makes of snapshots.

    Attributes:
        amplitudes: Fourier coefficients over the number of points.
        variances: S, 0 for amplitudes that are not sought.
        noise: s.
    """

    amplitudes: Complex[np.ndarray, "snapshots points points"]
    variances: Float[np.ndarray, "snapshots points points"]
    noise: float


def whole_numbers(points: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the whole wave numbers along both axes, (points, points) each, in Fourier order."""
    counts = np.rint(np.fft.fftfreq(points, 1 / points)).astype(np.int64)
    return np.broadcast_to(counts[:, None], (points, points)), np.broadcast_to(counts[None, :], (points, points))


def filtered(data: NDArray[np.complex128], seen: NDArray[np.float64], noise: float | None) -> Filtered:
    """Return amplitudes, their variances and the noise of snapshots.

    Args:
        data: fields, (snapshots, points, points), 0 where not seen.
        seen: 1 where seen, else 0, of the same shape; every snapshot is seen somewhere.
        noise: s where it is known.
    """
    points = data.shape[-1]
    kx, ky = whole_numbers(points)
    radius = np.hypot(kx, ky)
    # wave numbers that the solver keeps
    modes = np.argwhere(np.maximum(np.abs(kx), np.abs(ky)) < points / 3)
    shells = np.rint(radius[tuple(modes.T)]).astype(int)
    sizes = np.bincount(shells)
    whole = [float(one.sum()) for one in seen]
    power = np.array([np.sum(np.abs(one) ** 2) for one in data]) / whole
    start = np.exp(-shells / 2)
    spectra = power[:, None] * start / start.sum() + 1e-300
    square = noise**2 if noise else 0.01 * float(power.mean())
    # E* y and E* E, whose entries are the transform of `seen` at differences of wave numbers
    right = np.fft.fft2(data * seen)[:, *modes.T]
    mixed = [_gram(one, modes) for one in seen]
    found = np.zeros_like(right)
    for _ in range(MAX_EM_ROUNDS):
        left, last = 0.0, found.copy()
        for j, gram in enumerate(mixed):
            # expectation: u = A^-1 E* y with A = E* E + s^2 / S; `inverse` is the diagonal of A^-1
            ridge = square / spectra[j]
            if gram is None:
                inverse = 1 / (points**2 + ridge)
                found[j] = inverse * right[j]
            else:
                full = np.linalg.inv(gram + np.diag(ridge))
                inverse, found[j] = np.diag(full).real, full @ right[j]
            field = np.zeros((points, points), np.complex128)
            field[tuple(modes.T)] = found[j]
            misfit = seen[j] * (data[j] - np.fft.ifft2(field) * points**2)
            left += float(np.sum(np.abs(misfit) ** 2)) + square * float(np.sum(1 - ridge * inverse))
            # maximisation: S is the mean of |u_k|^2 + s^2 (A^-1)_kk over a shell
            mean = np.bincount(shells, np.abs(found[j]) ** 2 + square * inverse) / sizes
            spectra[j] = np.maximum(mean[shells], 1e-12 * power[j] + 1e-300)
        # s^2 = ( sum |y - E u|^2 + s^2 trace(E A^-1 E*) ) / number of seen points, with trace = sum of 1 - s^2 / S (A^-1)_kk
        before, square = square, square if noise else max(left / sum(whole), 1e-16 * float(power.mean()))
        if abs(square - before) < 1e-3 * before and np.linalg.norm(found - last) < 1e-3 * np.linalg.norm(found):
            break
    amplitudes, variances = np.zeros(data.shape, np.complex128), np.zeros(data.shape)
    amplitudes[:, *modes.T], variances[:, *modes.T] = found, spectra
    return Filtered(amplitudes, variances, float(np.sqrt(square)))


def _gram(seen: NDArray[np.float64], modes: NDArray[np.int64]) -> NDArray[np.complex128] | None:
    """Return E* E, or None where all points are seen and it is their number times the identity."""
    if seen.all():
        return None
    points = len(seen)
    apart = (modes[:, None] - modes[None]) % points
    return np.fft.fft2(seen)[apart[..., 0], apart[..., 1]]
