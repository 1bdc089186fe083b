"""Initial states, and the kinetic moments of a coarse one."""

from __future__ import annotations

import numpy as np
from jaxtyping import Complex, Float
from numpy.typing import NDArray
from scipy import special

from sciml.active_fluid.closures.bingham import lambda_of
from sciml.active_fluid.fields.grid import check_points

# least angular modes of a kinetic run
MIN_MODES = 8
# I_n / I_0 of the last mode: at the first one a run may begin, at the second that mode is rounding
MODE_TOLERANCE, AMPLE_TOLERANCE = 5e-7, 1e-16


def random_state(points: int, seed: int, amplitude: float = 0.1, waves: int = 8, most: int = 4) -> Complex[np.ndarray, "n n"]:
    """Return a weak random nematic order m1 of a few long waves, density 1.

    m1 = sum over waves of amplitude a_j cos(2 pi k_j . x / L + phase_j) with complex normal a_j of variance 1 / waves.

    Args:
        points: points a side.
        seed: seed of the waves.
        amplitude: root mean square of |m1| times the root of 2.
        waves: number of waves.
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


def lifted(
    m1: Complex[np.ndarray, "n n"], modes: int, density: Float[np.ndarray, "n n"] | float = 1.0
) -> Complex[np.ndarray, "moments n n"]:
    """Return moments 0 to `modes` of the Bingham distribution with the given first one and density c.

    |m_n| / c = I_n / I_0 of lambda, and the phase of m_n is n times that of m1. An order of 1, whose lambda is infinite, counts
    as 1 - 1e-12: its modes do not fall, which the guards refuse.
    """
    order: NDArray[np.float64] = np.minimum(np.abs(m1) / density, 1 - 1e-12)
    lam = lambda_of(order)
    phase = m1 / np.maximum(np.abs(m1), 1e-300)
    zeroth = special.ive(0, lam)
    return np.stack([density * special.ive(n, lam) / zeroth * phase**n for n in range(modes + 1)])


def modes_needed(zeta: float, d_r: float, tolerance: float = MODE_TOLERANCE) -> int:
    """Return the modes that resolve the sharpest angular distribution of the alignment.

    The order is at most that of lambda = zeta / (2 d_r), whose modes fall as I_n / I_0, about exp(-n^2 / (2 lambda)):

        n = sqrt(2 lambda ln(1 / tolerance))

    The flow sharpens the distribution further, for which the tolerance is far below the last mode that a run may have.

    Args:
        zeta: strength of the alignment.
        d_r: rotational diffusion.
        tolerance: I_n / I_0 of the last mode; `AMPLE_TOLERANCE` gives as many modes as resolve strong flows too.
    """
    lam = zeta / (2 * d_r)
    return max(MIN_MODES, int(np.ceil(np.sqrt(2 * lam * np.log(1 / tolerance)))))


def order_of_tensor(tensor: Float[np.ndarray, "2 2 n n"]) -> tuple[Float[np.ndarray, "n n"], Complex[np.ndarray, "n n"]]:
    """Return density and m1 of D = <p p>: c = tr D, m1 = D_11 - D_22 + 2 i D_12."""
    return tensor[0, 0] + tensor[1, 1], tensor[0, 0] - tensor[1, 1] + 1j * (tensor[0, 1] + tensor[1, 0])


def tensor_of_order(m1: Complex[np.ndarray, "n n"], density: Float[np.ndarray, "n n"] | float = 1.0) -> np.ndarray:
    """Return D = <p p>, (2, 2, n, n), of m1 and the density: c / 2 on the diagonal and a deviator of m1 / 2."""
    along, across = np.real(m1), np.imag(m1)
    return np.stack([np.stack([density + along, across]), np.stack([across, density - along])]) / 2


def resampled(field: Complex[np.ndarray, "*stack n n"], points: int) -> Complex[np.ndarray, "*stack m m"]:
    """Return periodic fields on a grid of another size: Fourier coefficients below both Nyquist frequencies are kept."""
    before = field.shape[-1]
    if before == points:
        return field
    count = (min(before, points) - 1) // 2
    waves = np.arange(-count, count + 1)
    here, there = np.ix_(waves % before, waves % before), np.ix_(waves % points, waves % points)
    result = np.zeros((*field.shape[:-2], points, points), np.complex128)
    result[(..., *there)] = np.fft.fft2(field)[(..., *here)]
    return np.fft.ifft2(result) * (points / before) ** 2
