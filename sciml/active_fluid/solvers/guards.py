"""What is refused before a run and what stops it.

Before: grids and modes that cannot resolve the case, and states that no rods can have. While it runs: values that are not finite,
a last angular mode or a realisability that shows a lack of modes, and a flow too fast for the time step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.theory.states import modes_needed
from sciml.runtime.errors import ConfigError, DataError, NumericalError

# |m_M| / c of the last mode beyond which the angle is not resolved
MAX_LAST_MODE = 1e-3
# rounding that |m1| <= c, |m2 - m1^2| <= 1 - |m1|^2 and tr D = c may have in a given state
TOLERANCE = 1e-6
# rounding that |m2 - m1^2| <= 1 - |m1|^2 may have while a run goes on
SLACK_TOLERANCE = 1e-6
# growth of a wave in one step that counts as rounding
MAX_GROWTH = 1e-9


class StoppedRun(NumericalError):
    """A run that left the range where it means something.

    Attributes:
        step: first bad step.
        time: time of the first bad step.
        quantity: what was wrong, in a word or two.
        partial: Dataset of what was saved, with the last good step at its end.
    """

    def __init__(self, message: str, step: int, time: float, quantity: str, partial: Any = None) -> None:
        super().__init__(message)
        self.step, self.time, self.quantity, self.partial = step, time, quantity, partial


class Watch(NamedTuple):
    """Numbers that tell whether a step is good.

    Attributes:
        finite: whether every value of the state is finite.
        density: least c.
        order: largest |m1| / c.
        slack: least (1 - |m1|^2) - |m2 - m1^2| with density 1; negative where no distribution has these moments.
        last: largest |m_M| / c of the last mode, 0 for a coarse model.
        speed: largest |u|.
        turning: largest |w| + 2 |h|, 0 for a coarse model.
    """

    finite: Any
    density: Any
    order: Any
    slack: Any
    last: Any
    speed: Any
    turning: Any


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


def check_moments(moments: NDArray[np.complex128]) -> None:
    """Raise DataError where |m_n| is above the density or |m2 - m1^2| above 1 - |m1|^2, with the worst cell.

    D has the eigenvalues (c +- |m1|) / 2, so that |m1| above c is a negative one.
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
        if np.abs(a[-1]).max() > MAX_LAST_MODE:
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


def stable_bounds(parameters: Parameters, points: int, modes: int, time_step: float) -> Bounds:
    """Return the bounds up to which SBDF2 lets no wave and no angular mode grow by being carried along.

    A wave k is damped by X = d_t k^2 dt, implicitly, and turned by Y = |u| k dt, explicitly; a mode n by X = 4 n^2 d_r dt and
    Y = n (|w| + 2 |h|) dt:

        (3/2 + X) z^2 - 2 z + 1/2 = i Y (2 z - 1),    |z| <= 1

    Without diffusion no Y is stable; with it the bound on Y grows as the fourth root of X while that is small.
    """
    numbers = parameters.as_dict()
    k = 2 * np.pi / numbers["length"] * np.geomspace(1, math.sqrt(2) * points / 3, 200)
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


def stable_step(parameters: Parameters, points: int, modes: int, wanted: Bounds, time_step: float) -> float:
    """Return a time step below the given one whose bounds are the wanted ones with a fifth to spare, in two digits."""
    bounds = stable_bounds(parameters, points, modes, time_step)
    while bounds.speed < 1.2 * wanted.speed or bounds.turning < 1.2 * wanted.turning:
        time_step *= 0.9
        bounds = stable_bounds(parameters, points, modes, time_step)
    return float(f"{time_step:.1e}")


def _growth(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the larger |z| of (3/2 + X) z^2 - (2 + 2 i Y) z + 1/2 + i Y = 0."""
    a, b, c = 1.5 + x, -2 - 2j * y, 0.5 + 1j * y
    root = np.sqrt(b * b - 4 * a * c)
    return np.maximum(np.abs(root - b), np.abs(root + b)) / (2 * a)


def fault(watch: Watch, bounds: Bounds, suggest: Callable[[Bounds], float]) -> tuple[str, str] | None:
    """Return what is wrong with a step and what to do, or None.

    A speed above its bound stops a run. The bound on the turning is that of the fastest cell, and a run may cross it a little: it
    tells only whether a last mode comes from the time step or from a lack of modes.

    Args:
        watch: numbers of the step.
        bounds: bounds of the time step.
        suggest: time step for wanted bounds.
    """
    if not watch.finite or not math.isfinite(watch.speed):
        return "values that are not finite", "give a smaller time step, or more points"
    if watch.density <= 0:
        return f"a density of {watch.density:.3g}", "give more points"
    slow = f"give a time step of {suggest(Bounds(watch.speed, watch.turning)):g} or less" if _over(watch, bounds) else ""
    if watch.last > MAX_LAST_MODE:
        return f"a last mode of {watch.last:.3g}, above {MAX_LAST_MODE:g}", slow or "give more modes"
    if watch.order > 1 + TOLERANCE:
        return f"|m1| of {watch.order:.6g} of the density", slow or "give more points, or a smaller time step"
    if watch.slack < -SLACK_TOLERANCE:
        return f"a realisability violated by {-watch.slack:.3g}", slow or "give more points or modes, or another closure"
    if watch.speed > bounds.speed:
        return f"a speed of {watch.speed:.3g}, above {bounds.speed:.3g}", slow
    return None


def _over(watch: Watch, bounds: Bounds) -> bool:
    return watch.speed > bounds.speed or watch.turning > bounds.turning


def _cell(values: NDArray[np.float64]) -> str:
    row, column = np.unravel_index(np.argmax(values), values.shape)
    return f"({row}, {column})"
