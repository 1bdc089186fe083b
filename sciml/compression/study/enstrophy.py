"""What a decoded flow field keeps of the physics: enstrophy and its spectrum.

With the vorticity w on a periodic square of side L and its Fourier coefficients w_k,

    Z = 1/2 <w^2> = sum over k of Z(k),   Z(k) = 1/2 sum over the shell |k'| in [k - 1/2, k + 1/2) of |w_k'|^2,

k in units of 2 pi / L. The shells hold every coefficient once, corners of the square of wave vectors included (Parseval).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from sciml.runtime.errors import DataError, ShapeError

SHARE = 0.99


@dataclass(frozen=True)
class SpectrumError:
    """How far a decoded field's spectrum lies from the true one.

    Attributes:
        largest: largest relative error of a shell from 1 to `last`.
        at: the shell that has it.
        last: the least shell up to which 99 % of the enstrophy lies.
        total: relative error of the whole enstrophy, with its sign.
    """

    largest: float
    at: int
    last: int
    total: float


def enstrophy_spectrum(vorticity: Float[np.ndarray, "points points"]) -> Float[np.ndarray, " shells"]:
    """Return Z(k) for the shells 0, 1, 2, ..., in the square of the field's unit.

    Raises:
        ShapeError: the field is not square.
        DataError: it holds NaN or infinite values.
    """
    if vorticity.ndim != 2 or vorticity.shape[0] != vorticity.shape[1]:
        raise ShapeError(f"an enstrophy spectrum needs a square field, got shape {vorticity.shape}")
    if not np.isfinite(vorticity).all():
        raise DataError("the field holds NaN or infinite values: it has no spectrum")
    points = len(vorticity)
    coefficients = np.fft.fft2(vorticity.astype(np.float64)) / points**2
    wave = np.fft.fftfreq(points, 1 / points)
    shells = np.floor(np.hypot(wave[:, None], wave) + 0.5).astype(int)
    return 0.5 * np.bincount(shells.ravel(), np.square(np.abs(coefficients)).ravel())


def last_shell(spectrum: Float[np.ndarray, " shells"], share: float = SHARE) -> int:
    """Return the least shell up to which a share of the enstrophy lies, the mean flow's shell 0 counted.

    Raises:
        DataError: there is no enstrophy.
    """
    total = float(spectrum.sum())
    if not total > 0:
        raise DataError("the field has no enstrophy: a spectrum cannot be compared")
    return int(np.searchsorted(np.cumsum(spectrum), share * total))


def spectrum_error(decoded: Float[np.ndarray, "points points"], original: Float[np.ndarray, "points points"]) -> SpectrumError:
    """Return the relative errors of a decoded field's enstrophy spectrum up to the original's `last_shell`.

    Raises:
        ShapeError, DataError: see `enstrophy_spectrum` and `last_shell`.
    """
    found, true = enstrophy_spectrum(decoded), enstrophy_spectrum(original)
    last = max(last_shell(true), 1)
    errors = np.abs(found[1 : last + 1] - true[1 : last + 1]) / true[1 : last + 1]
    worst = int(errors.argmax())
    return SpectrumError(float(errors[worst]), worst + 1, last, float(found.sum() / true.sum() - 1))
