"""The Bingham closure in two dimensions, as a sum of a few poles.

    Psi_B(theta) = exp(lambda cos 2 (theta - theta0)) / (2 pi I0(lambda))
    q = |m1| / c = I1(lambda) / I0(lambda),    |m2| / c = f4(q) = I2(lambda) / I0(lambda) = 1 - 2 q / lambda

Bingham, Ann. Stat. 1974; Chaubal and Leal, J. Rheol. 1998 for its use as a closure. In complex moments m2 = g(q^2) m1^2 / c
with g = f4 / q^2, which is smooth in z = q^2, so that neither an eigenframe nor a phase is needed and gradients exist where the
rods have no order. On 0 <= z <= 1 the rational function

    g(z) = offset + sum of real(residue_j / (z - pole_j)),   poles off the interval

is within 4e-13 of the exact one in f4: eight divisions instead of a root search with Bessel functions. `fitted` computes the
poles anew.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray
from scipy import interpolate, special

# filled by `fitted()`: offset; real poles with their residues; one of each complex pair with its residue
OFFSET = 0.10371989391386155
REAL: tuple[tuple[float, float], ...] = (
    (1.77371373100767, -0.34696503346163104),
    (6.796570614568437, -1.2748339780431204),
)
PAIRS: tuple[tuple[complex, complex], ...] = (
    (0.8666283745435324 + 0.17915803540731573j, -0.00010942029362023821 - 0.0008784863748110515j),
    (0.8940674957609492 + 0.23721946241537356j, 0.0012274624115646557 - 0.001413144400517226j),
    (0.9105508756701766 + 0.1204824679273306j, 1.4897829729268509e-05 + 1.4255293224673846e-05j),
    (0.9260608927925045 + 0.07951196254017369j, -8.024221686534268e-08 - 1.5667052329344872e-07j),
    (0.9776325860016766 + 0.30007268222381467j, 0.0036131826899962116 - 0.007512266874916966j),
    (1.2037119936667784 + 0.3679256322323807j, 0.0006322342972255408 - 0.038051122381316055j),
)


def ratio(z: Array) -> Array:
    """Return g(z) = f4 / q^2 for z = q^2; z above 1, which rounding may bring, counts as 1."""
    z = jnp.where(z > 1, 1.0, z)
    fractions = [(jnp.asarray(residue, z.dtype), z - pole) for pole, residue in REAL]
    for pole, residue in PAIRS:
        # r / (z - p) + its conjugate = 2 (Re r (z - Re p) - Im r Im p) / |z - p|^2
        away = z - pole.real
        fractions.append((2 * residue.real * away - 2 * residue.imag * pole.imag, away * away + pole.imag**2))
    # a division takes as long as a dozen products: a / b + c / d = (a d + c b) / (b d), pair by pair, leaves one
    while len(fractions) > 1:
        pairs = zip(fractions[::2], fractions[1::2], strict=False)
        fractions = [(a * d + c * b, b * d) for (a, b), (c, d) in pairs] + fractions[len(fractions) // 2 * 2 :]
    return OFFSET + fractions[0][0] / fractions[0][1]


def order_of(lam: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return q and f4 of lambda from Bessel functions scaled by exp(-lambda)."""
    zeroth = special.ive(0, lam)
    return special.ive(1, lam) / zeroth, special.ive(2, lam) / zeroth


def lambda_of(q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return lambda of q, 0 <= q < 1, by Newton's method in the logarithm of lambda.

    dq/dlambda = 1 - q / lambda - q^2.
    """
    q = np.asarray(q, np.float64)
    lam = 2 * q / (1 - q**2) * (1 - q**2 / 2) + 1e-300
    for _ in range(60):
        value = order_of(lam)[0]
        # with s = ln lambda: s += (q - I1 / I0) / (lambda dq/dlambda), at most 1; dq/dlambda is 1/2 at 0
        slope = np.where(lam < 1e-6, 0.5, 1 - value / lam - value**2)
        new = lam * np.exp(np.clip((q - value) / (slope * lam), -1, 1))
        if np.all(np.abs(new - lam) <= 1e-15 * lam):
            break
        lam = new
    return lam


def fitted() -> tuple[float, tuple[tuple[float, float], ...], tuple[tuple[complex, complex], ...]]:
    """Return offset, real poles and pairs of poles of a fit to Bessel functions.

    The poles are those of the AAA approximation (Nakatsukasa, Sete and Trefethen, SIAM J. Sci. Comput. 2018) of g in z on 720
    values of lambda; offset and residues are then those of least squares.
    """
    lam = np.concatenate([np.linspace(0.12, 20, 320), np.geomspace(20.2, 1e7, 400)])
    q, f4 = order_of(lam)
    z, g = np.append(q**2, 0.0), np.append(f4 / q**2, 0.5)
    poles = interpolate.AAA(z, g, rtol=3e-11).poles()
    real = np.sort(poles[np.abs(poles.imag) < 1e-9].real)
    # poles on the interval are doublets with a zero beside them, traces of rounding
    real = real[(real < 0) | (real > 1)]
    pairs = poles[poles.imag > 1e-9]
    pairs = pairs[np.argsort(pairs.real)]
    inverse = 1 / (z[:, None] - pairs)
    columns = [np.ones_like(z)[:, None], 1 / (z[:, None] - real), 2 * inverse.real, -2 * inverse.imag]
    found = np.linalg.lstsq(np.concatenate(columns, 1), g, rcond=None)[0]
    split = 1 + len(real)
    residues = found[split : split + len(pairs)] + 1j * found[split + len(pairs) :]
    return (
        float(found[0]),
        tuple(zip(real.tolist(), found[1:split].tolist(), strict=True)),
        tuple(zip(pairs.tolist(), residues.tolist(), strict=True)),
    )
