"""What is refused before a run, and the bounds on its time step.

Before: grids and modes that cannot resolve the case, and states that no rods can have. What stops a run stands in
`sciml.active_fluid.solvers.causes`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.theory.states import modes_needed
from sciml.runtime.errors import ConfigError, DataError

# |m_M| / c of the last mode beyond which the angle is not resolved
MAX_LAST_MODE = 1e-3
# rounding that |m1| <= c, |m2 - m1^2| <= 1 - |m1|^2 and tr D = c may have
TOLERANCE = 1e-6
# growth of a wave in one step that counts as rounding
MAX_GROWTH = 1e-9


def check_modes(parameters: Parameters, modes: int) -> None:
    """Raise ConfigError where the modes cannot resolve the alignment."""
    needed = modes_needed(float(parameters.zeta), float(parameters.d_r))
    if modes < needed:
        raise ConfigError(
            f"{modes} modes: zeta / d_r = {parameters.zeta / parameters.d_r:g} needs at least {needed}; "
            "give more modes or a larger d_r"
        )


def check_density(density: NDArray[np.complex128]) -> None:
    """Raise DataError where a density is not above 0, with the worst cell."""
    if density.real.min() <= 0:
        raise DataError(f"the density is {density.real.min():.6g} at cell {_cell(-density.real)}: it has to be above 0")


def check_trace(trace: NDArray[np.float64], density: NDArray[np.float64]) -> None:
    """Raise DataError where tr D is not the density, with the worst cell."""
    apart = np.abs(trace - density)
    if apart.max() > TOLERANCE * np.abs(density).max():
        raise DataError(f"tr D differs from the density by {apart.max():.3g} at cell {_cell(apart)}: D = <p p> has that trace")


def check_moments(moments: NDArray[np.complex128], closed: bool = False) -> None:
    """Raise DataError where |m_n| is above the density or |m2 - m1^2| above 1 - |m1|^2, with the worst cell.

    D has the eigenvalues (c +- |m1|) / 2, so that |m1| above c is a negative one. The last moment has to be small, unless a
    closure stands for those above it.
    """
    a = moments / moments[0].real
    excess = np.abs(a).max(0) - 1
    if excess.max() > TOLERANCE:
        cell, worst = _cell(excess), int(np.argmax(np.abs(a[(slice(None), *np.unravel_index(np.argmax(excess), excess.shape))])))
        eigenvalue = f", D has the eigenvalue {-excess.max() / 2:.3g} of it" if worst == 1 else ""
        raise DataError(f"|m{worst}| is {1 + excess.max():.6g} of the density at cell {cell}{eigenvalue}: expected at most 1")
    if len(a) > 2:
        over = np.abs(a[2] - a[1] ** 2) - (1 - np.abs(a[1]) ** 2)
        if over.max() > TOLERANCE:
            raise DataError(
                f"|m2 - m1^2| is above 1 - |m1|^2 by {over.max():.3g} at cell {_cell(over)}: no rods have such moments"
            )
        if not closed and np.abs(a[-1]).max() > MAX_LAST_MODE:
            raise DataError(
                f"the last of {len(a) - 1} modes is {np.abs(a[-1]).max():.3g} at cell {_cell(np.abs(a[-1]))}, above "
                f"{MAX_LAST_MODE:g}: the rods are aligned too sharply; give more modes"
            )


class Bounds(NamedTuple):
    """What a time step carries without growth of its own.

    Attributes:
        speed: the largest |u| for the resolved waves.
        turning: the largest |w| + 2 |h| for the resolved angular modes, h = e + zeta m1: twice the rate at which rods turn.
    """

    speed: float
    turning: float


def stable_bounds(parameters: Parameters, points: int, modes: int, time_step: float, reach: float = 1.0) -> Bounds:
    """Return the bounds up to which SBDF2 lets no wave and no angular mode grow by being carried along.

    A wave k is damped by X = d_t k^2 dt, implicitly, and turned by Y = |u| k dt, explicitly; a mode n by X = 4 n^2 d_r dt and
    Y = n (|w| + 2 |h|) dt:

        (3/2 + X) z^2 - 2 z + 1/2 = i Y (2 z - 1),    |z| <= 1

    Without diffusion no Y is stable; with it the bound on Y grows as the fourth root of X while that is small. Where a uniform
    gradient moves the box, the largest k grows by a factor `reach`.
    """
    numbers = parameters.as_dict()
    k = 2 * np.pi / numbers["length"] * np.geomspace(1, reach * math.sqrt(2) * points / 3, 200)
    n = np.arange(1.0, modes + 1)
    return Bounds(_least(k, numbers["d_t"] * k**2, time_step), _least(n, 4 * n**2 * numbers["d_r"], time_step))


def _least(factors: NDArray[np.float64], damping: NDArray[np.float64], time_step: float) -> float:
    """Return the least rate over waves, each with a factor of it, above which one of them grows."""
    x = damping * time_step
    # bisection in Y = factor rate dt of |z|_max (X, Y) = 1, for all waves at once
    low, high = np.zeros_like(x), 10 + 10 * x
    for _ in range(50):
        middle = (low + high) / 2
        good = _growth(x, middle) <= 1 + MAX_GROWTH
        low, high = np.where(good, middle, low), np.where(good, high, middle)
    return float((low / (factors * time_step)).min())


def stable_step(parameters: Parameters, points: int, modes: int, wanted: Bounds, time_step: float, reach: float = 1.0) -> float:
    """Return a time step below the given one whose bounds are the wanted ones with a fifth to spare, in two digits."""
    bounds = stable_bounds(parameters, points, modes, time_step, reach)
    while bounds.speed < 1.2 * wanted.speed or bounds.turning < 1.2 * wanted.turning:
        time_step *= 0.9
        bounds = stable_bounds(parameters, points, modes, time_step, reach)
    return float(f"{time_step:.1e}")


def _growth(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the larger |z| of (3/2 + X) z^2 - (2 + 2 i Y) z + 1/2 + i Y = 0."""
    a, b, c = 1.5 + x, -2 - 2j * y, 0.5 + 1j * y
    root = np.sqrt(b * b - 4 * a * c)
    return np.maximum(np.abs(root - b), np.abs(root + b)) / (2 * a)


def _cell(values: NDArray[np.float64]) -> str:
    row, column = np.unravel_index(np.argmax(values), values.shape)
    return f"({row}, {column})"
