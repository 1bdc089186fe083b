"""Initial states, and the kinetic moments of a coarse one."""

from __future__ import annotations

import numpy as np
from jaxtyping import Complex
from numpy.typing import NDArray
from scipy import special

from sciml.active_fluid.bingham import lambda_of
from sciml.active_fluid.grid import check_points


def random_state(points: int, seed: int, amplitude: float = 0.1, waves: int = 8, most: int = 4) -> Complex[np.ndarray, "n n"]:
    """Return a weak random nematic order m1 of a few long waves, density 1.

    m1 = sum over waves of amplitude a_j cos(2 pi k_j . x / L + phase_j) with complex normal a_j of variance 1 / waves.

    Args:
        points: a side.
        seed: of the waves.
        amplitude: root mean square of |m1| times the root of 2.
        waves: number of them.
        most: largest whole wave number along an axis.
    """
    check_points(points)
    generator = np.random.default_rng(seed)
    x = 2 * np.pi * np.arange(points) / points
    field = np.zeros((points, points), np.complex128)
    for _ in range(waves):
        kx, ky = generator.integers(-most, most + 1, 2)
        if kx == ky == 0:
            kx = 1
        weight = amplitude * complex(*generator.standard_normal(2)) / np.sqrt(2 * waves)
        field += weight * np.cos(kx * x[:, None] + ky * x[None, :] + generator.uniform(0, 2 * np.pi))
    return field / max(1.0, float(np.abs(field).max()) / 0.9)


def lifted(m1: Complex[np.ndarray, "n n"], modes: int) -> Complex[np.ndarray, "moments n n"]:
    """Return moments 0 to `modes` of the Bingham distribution with the given first one, density 1.

    |m_n| = I_n(lambda) / I_0(lambda).
    """
    order: NDArray[np.float64] = np.abs(m1)
    lam = lambda_of(order)
    phase = m1 / np.maximum(order, 1e-300)
    zeroth = special.ive(0, lam)
    return np.stack([special.ive(n, lam) / zeroth * phase**n for n in range(modes + 1)])


def modes_needed(zeta: float, d_r: float, tolerance: float = 1e-3) -> int:
    """Return the even modes that resolve the sharpest angular distribution of the theory to a last mode below the tolerance.

    The order is at most that of lambda = zeta / (2 d_r), whose modes fall as I_n / I_0, about exp(-n^2 / (2 lambda)); flow sharpens
    it a little, for which a fifth more is asked.
    """
    lam = zeta / (2 * d_r)
    orders = np.arange(1, 2000)
    fall = special.ive(orders, max(lam, 1e-9)) / special.ive(0, max(lam, 1e-9))
    return int(np.ceil(1.2 * orders[np.argmax(fall < tolerance)]))
