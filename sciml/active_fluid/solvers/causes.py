"""What stops a run, which of grid, modes, time step and closure is the cause, and what would do.

The fields of a run are known up to a largest wave number K. Truncation there leaves wiggles, so that fields of a resolved run may
miss |m1| <= c and |m2 - m1^2| <= 1 - |m1|^2 a little. Their Fejér means

    sum over |n_x|, |n_y| <= K of (1 - |n_x| / (K + 1)) (1 - |n_y| / (K + 1)) m(n) exp(2 pi i n . x / L)

may not: averages of distributions with weights that are nowhere negative are distributions. A run goes on where these means are
realisable, the spatial tail is small, and what is violated is no more than a few times that tail.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Complex, Float

from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.solvers.guards import MAX_LAST_MODE, TOLERANCE, Bounds, stable_bounds, stable_step
from sciml.runtime.errors import NumericalError

# amplitude of the outermost ring of wave numbers, in units of the density: beyond the first a violation is one of the grid, down
# to the second an advised grid resolves
MAX_TAIL, GOOD_TAIL = 5e-3, 1e-3
# what truncation violates, over that amplitude: measured up to 4
WIGGLE = 10.0
# share of MAX_LAST_MODE down to which advised modes resolve, and from which on a violation may be theirs
GOOD_LAST_MODE = 0.1
# a fast spot may pass the bound of a uniform flow by this factor while the spectrum still falls
MAX_SPEED = 1.25
# advised grids are multiples of this, modes of the other
GRAIN, MODE_GRAIN = 16, 4


class StoppedRun(NumericalError):
    """A run that left the range where it means something.

    Attributes:
        step: first bad step.
        time: time of the first bad step.
        quantity: what was wrong, in a word or two.
        partial: Dataset of what was saved, with the last good step at its end.
        cause: points, modes, time step or closure.
        remedy: attributes of a solver that would do, such as points, modes and time_step; empty where the closure is the cause.
    """

    def __init__(
        self,
        message: str,
        step: int,
        time: float,
        quantity: str,
        partial: Any = None,
        cause: str = "",
        remedy: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.step, self.time, self.quantity, self.partial = step, time, quantity, partial
        self.cause, self.remedy = cause, remedy or {}


class Watch(NamedTuple):
    """Numbers that tell whether a step is good.

    Attributes:
        finite: whether every value of the state is finite.
        density: least c.
        order: largest |m1| / c.
        slack: least (1 - |m1|^2) - |m2 - m1^2| with density 1; negative where no distribution has these moments. With a closure
            of the places where |m1| is at most c.
        smooth: least 1 - |m1| / c, and slack of the kinetic theory, of the Fejér means.
        last: largest |m_M| / c of the last mode, 0 for a coarse model.
        tail: amplitude of the outermost ring of wave numbers in units of the density, the largest over moments.
        inside: that of the ring three quarters out.
        speed: largest |u|.
        turning: largest |w| + 2 |h|, 0 for a coarse model.
    """

    finite: Any
    density: Any
    order: Any
    slack: Any
    smooth: Any
    last: Any
    tail: Any
    inside: Any
    speed: Any
    turning: Any


class Fault(NamedTuple):
    """What is wrong with a step, in words, and its cause: points, modes, time step or closure; empty where unknown."""

    quantity: str
    cause: str


def outermost(points: int) -> int:
    """Return the largest whole wave number that the two-thirds rule keeps."""
    return math.ceil(points / 3) - 1


def rings(points: int) -> Float[np.ndarray, "points points"]:
    """Return the ring max(|n_x|, |n_y|) of each whole wave vector, in Fourier order."""
    waves = np.abs(np.fft.fftfreq(points, 1 / points))
    return np.maximum(waves[:, None], waves[None, :])


def fejer(points: int) -> Float[np.ndarray, "points points"]:
    """Return the weights of the Fejér mean of the waves that are kept."""
    weights = np.maximum(0, 1 - np.abs(np.fft.fftfreq(points, 1 / points)) / (outermost(points) + 1))
    return weights[:, None] * weights[None, :]


def fault(watch: Watch, bounds: Bounds, closed: bool, strict: bool = False) -> Fault | None:
    """Return what is wrong with a step, or None.

    Args:
        watch: numbers of the step.
        bounds: bounds of the time step.
        closed: whether a closure gives m2.
        strict: whether a spatial tail alone is a fault.
    """
    if not watch.finite or not math.isfinite(watch.speed):
        return Fault("values that are not finite", "")
    if watch.density <= 0:
        return Fault(f"a density of {watch.density:.3g}", cause(watch, bounds, closed))
    if watch.last > MAX_LAST_MODE:
        quantity = f"a last mode of {watch.last:.3g}, above {MAX_LAST_MODE:g}"
        return Fault(quantity, "time step" if _over(watch, bounds) else "modes")
    if closed and watch.slack < -TOLERANCE:
        return Fault(f"a realisability violated by {-watch.slack:.3g}", "closure")
    if not _truncation(watch, watch.order - 1):
        return Fault(f"|m1| of {watch.order:.6g} of the density", cause(watch, bounds, closed))
    if not closed and not _truncation(watch, -watch.slack):
        return Fault(f"a realisability violated by {-watch.slack:.3g}", cause(watch, bounds, closed))
    rising = watch.tail > max(watch.inside, TOLERANCE)
    if watch.speed > bounds.speed * (1 if rising else MAX_SPEED):
        return Fault(f"a speed of {watch.speed:.3g}, above {bounds.speed:.3g}", "time step")
    if strict and watch.tail > MAX_TAIL:
        quantity = f"a spatial tail of {watch.tail:.3g}, above {MAX_TAIL:g}"
        return Fault(quantity, cause(watch, bounds, closed))
    return None


def cause(watch: Watch, bounds: Bounds, closed: bool) -> str:
    """Return why the moments of a step are no distribution's.

    A spectrum that falls too slowly lacks points. One that rises to its end has waves that grow by themselves, as they do above
    the bounds of the time step.
    """
    spatial, angular = watch.tail / MAX_TAIL, watch.last / MAX_LAST_MODE
    if spatial > max(1.0, angular) and watch.tail < watch.inside:
        return "points"
    if _over(watch, bounds):
        return "time step"
    if angular > GOOD_LAST_MODE:
        return "modes"
    if spatial > 1:
        return "points"
    return "closure" if closed else "time step"


def remedy(
    why: str,
    watch: Watch,
    moments: Complex[np.ndarray, "moments n n"],
    parameters: Parameters,
    modes: int | None,
    time_step: float,
    reach: float = 1.0,
) -> tuple[str, dict[str, Any]]:
    """Return what to do in words, and as attributes of a solver.

    Args:
        why: cause of the fault.
        watch: numbers of the step.
        moments: Fourier coefficients of its moments over the number of cells, in units of the density.
        parameters: coefficients of the theory.
        modes: angular modes of the kinetic theory, None for a coarse model.
        time_step: the time step.
        reach: factor by which a uniform gradient makes wave numbers larger.
    """
    points = moments.shape[-1]
    if why == "closure":
        return "give another closure", {}
    if why == "modes":
        amplitudes = np.abs(np.fft.ifft2(moments)).max((1, 2)) * points**2
        count = asked(amplitudes[-(modes or 1) :], GOOD_LAST_MODE * MAX_LAST_MODE) + 1
        wanted = MODE_GRAIN * math.ceil(max(count, (modes or 1) + 1) / MODE_GRAIN)
        return f"give more modes: {wanted}", {"modes": wanted}
    wanted = points
    if why == "points":
        ring, last = rings(points), outermost(points)
        sums = np.array([np.sum(np.abs(moments[:, ring == number]) ** 2, axis=1) for number in range(last + 1)])
        most = max(asked(one, GOOD_TAIL) for one in np.sqrt(sums).T)
        wanted = GRAIN * math.ceil(max(3 * (most + 1), points + 2) / GRAIN)
    bounds = stable_bounds(parameters, wanted, modes or 1, time_step, reach)
    step = time_step / 2
    if _over(watch, bounds):
        step = stable_step(parameters, wanted, modes or 1, Bounds(watch.speed, watch.turning), time_step, reach)
    elif why == "points":
        return f"give more points: {wanted}", {"points": wanted}
    if why == "points":
        return f"give more points: {wanted}, and a time step of {step:g} or less", {"points": wanted, "time_step": step}
    return f"give a time step of {step:g} or less", {"time_step": step}


def asked(amplitudes: Float[np.ndarray, " numbers"], tolerance: float) -> int:
    """Return the last number at which amplitudes that go on to fall exponentially are down to a tolerance.

    ln a(n) = p - q n is fitted to the outer half. At most twice the numbers at hand are asked for: farther than that a fit does
    not reach.
    """
    last = len(amplitudes) - 1
    numbers = np.arange(last + 1)[(last + 1) // 2 :]
    outer = np.log(np.maximum(amplitudes[numbers], 1e-300))
    slope, offset = np.polyfit(numbers, outer, 1) if len(numbers) > 1 else (0.0, outer[0])
    least = math.log(tolerance)
    if offset + slope * last <= least:
        return last
    return min(2 * last + 1, math.ceil((offset - least) / -slope)) if slope < 0 else 2 * last + 1


def _truncation(watch: Watch, violated: float) -> bool:
    """Return whether a violation is none, or one of truncation alone."""
    if violated <= TOLERANCE:
        return True
    return watch.smooth >= -TOLERANCE and watch.tail <= MAX_TAIL and violated <= WIGGLE * watch.tail


def _over(watch: Watch, bounds: Bounds) -> bool:
    return watch.speed > bounds.speed or watch.turning > bounds.turning
