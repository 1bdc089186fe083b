"""States of rods in three dimensions, and what theory knows of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import optimize, special

from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.three.solver import check_points

# bounds of the b of exp(b p_z^2) where b / s(b) is least: below that ratio rods have no order
LEAST_ALIGNED = (0.5, 4.0)


def random_state_3d(
    points: int, seed: int, amplitude: float = 0.1, waves: int = 8, most: int = 2
) -> Float[np.ndarray, "3 3 x y z"]:
    """Return a weak random order of a few long waves, D = I / 3 + Q, density 1.

    Q = sum over waves of amplitude A_j cos(2 pi k_j . x / L + phase_j) with random symmetric A_j without trace.

    Args:
        points: points a side.
        seed: seed of the waves.
        amplitude: root mean square of the order (3 Q:Q / 2)^(1/2), which is 1 where all rods are aligned.
        waves: number of waves.
        most: largest whole wave number along an axis.
    """
    check_points(points)
    generator = np.random.default_rng(seed)
    x = 2 * np.pi * np.arange(points) / points
    q = np.zeros((3, 3, points, points, points))
    for _ in range(waves):
        k = generator.integers(-most, most + 1, 3)
        if not k.any():
            k[0] = 1
        a = generator.standard_normal((3, 3))
        a = (a + a.T) / 2 - np.trace(a) * np.eye(3) / 3
        phase = k[0] * x[:, None, None] + k[1] * x[:, None] + k[2] * x + generator.uniform(0, 2 * np.pi)
        # E tr A.A = 5, the mean square of a cosine 1/2
        q += amplitude * np.sqrt(4 / (15 * waves)) * a[..., None, None, None] * np.cos(phase)
    least = np.linalg.eigvalsh(np.moveaxis(q, (0, 1), (-2, -1))).min()
    return np.eye(3)[..., None, None, None] / 3 + q * min(1.0, 0.9 / max(-3 * least, 1e-30))


def growth_rates_3d(parameters: Parameters, k: Float[np.ndarray, " waves"] | float) -> dict[str, np.ndarray]:
    """Return growth rates of waves of wave number k on the isotropic state in three dimensions, per unit of time.

    To first order in Q, with the wave along x,

        dQ/dt = 2/5 E + (4 zeta / 5 - 6 d_r - d_t k^2) Q,    E_xy = (3 beta zeta - 15 alpha / 2) / (15 + beta) Q_xy, other E = 0

    and a friction adds 15 friction / k^2 to 15 + beta.

    Returns:
        `cross` of Q_xy and Q_xz, which stir; `parallel` of Q_xx, Q_yy - Q_zz and Q_yz, which do not; `density`.
    """
    p = parameters.as_dict()
    k2 = np.asarray(k, np.float64) ** 2
    density = -p["d_t"] * k2
    parallel = 4 * p["zeta"] / 5 - 6 * p["d_r"] + density
    friction = 15 * p["friction"] / np.maximum(k2, 1e-300) if p.get("friction") else 0.0
    cross = parallel + (6 * p["beta"] * p["zeta"] / 5 - 3 * p["alpha"]) / (15 + p["beta"] + friction)
    return {"cross": cross, "parallel": parallel, "density": density}


def nematic_order_3d(parameters: Parameters) -> float:
    """Return the order s of aligned rods at rest, D = I / 3 + s (n n - I / 3), or 0 where there is none.

    Psi = exp(b (n . p)^2) / Z with b = s zeta / d_r (Maier and Saupe, Z. Naturforsch. A 1959), for which Bingham's closure is
    exact. The order appears with a jump at zeta = 6.731 d_r; without order rods are unstable from zeta = 7.5 d_r on.
    """
    ratio = float(parameters.zeta) / float(parameters.d_r)
    # b / s(b) falls to its least value and rises again: of the two orders at a ratio the larger one is stable
    found: Any = optimize.minimize_scalar(lambda b: b / uniaxial_order(b), bounds=LEAST_ALIGNED, method="bounded")
    least = float(found.x)
    if ratio < least / uniaxial_order(least):
        return 0.0
    b = optimize.brentq(lambda b: b - ratio * uniaxial_order(b), least, ratio + 1, xtol=1e-13)
    return uniaxial_order(float(b))  # pyright: ignore[reportArgumentType]


def uniaxial_order(b: float) -> float:
    """Return s = <3 z^2 - 1> / 2 of exp(b z^2), b above 0, z from -1 to 1."""
    # int_0^1 exp(b z^2) dz = exp(b) F(b^(1/2)) / b^(1/2) with Dawson's function F, and its logarithm's derivative
    square = 1 / (2 * np.sqrt(b) * special.dawsn(np.sqrt(b))) - 1 / (2 * b)
    return float((3 * square - 1) / 2)
