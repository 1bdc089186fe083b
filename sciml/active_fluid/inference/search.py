"""The search for alpha and zeta: first with the intervals apart, then along one trajectory."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Complex, Float
from numpy.typing import NDArray

from sciml.active_fluid.inference.assimilation import (
    Normal,
    Problem,
    Slopes,
    intervals_apart,
    jacobian,
    normal_step,
    residuals,
    with_offset,
)
from sciml.active_fluid.inference.wiener import Filtered, whole_numbers
from sciml.runtime.errors import NumericalError

Box = tuple[tuple[float, float], tuple[float, float]]
Record = Callable[[dict[str, Any]], None]
# steps of the search with the intervals apart, and of that along one trajectory
MAX_INTERVAL_STEPS, MAX_JOINT_STEPS = 25, 24
# length of a step, in standard deviations, above which the tangents are computed anew, and below which the search has converged
MAX_SIGMAS, CONVERGED_SIGMAS = 10.0, 0.1
# steps after which the tangents are computed anew at every step
HELD_STEPS = 12
# shares of each side of the box at which the nine first trials lie
GRID_FRACTIONS = (0.15, 0.5, 0.85)
# largest ratio of the scale of time to the one given
MAX_CLOCK_RATIO = 4.0
# farthest that the logarithm of the data's scale is sought, in standard deviations of its prior
MAX_GAIN_SIGMAS = 4.0
# whole wave number up to which waves of the initial state are always sought
MIN_REACH = 3


class SearchResult(NamedTuple):
    """Where the search ended.

    Attributes:
        theta: alpha, zeta and, where they are sought, the logarithms of the scales of time and of the data.
        covariance: covariance of theta from the noise.
        noise: root mean square of the noise at a point, the larger of the given one and that of the misfit.
        misfit: root mean square of model minus data of each snapshot, in units of the noise.
        fields: m1 of the model at the snapshots, as it is seen.
        offset: of what is seen.
        converged: whether the search converged.
        reason: why the search ended.
        last: the last step, at the end of the search or close to it.
    """

    theta: Float[np.ndarray, " sought"]
    covariance: Float[np.ndarray, "sought sought"]
    noise: float
    misfit: Float[np.ndarray, " snapshots"]
    fields: Complex[np.ndarray, "snapshots points points"]
    offset: complex
    converged: bool
    reason: str
    last: Normal


def search_limits(box: Box, free_clock: bool = False, gain_std: float = 0.0) -> Float[np.ndarray, "sought 2"]:
    """Return the box widened by half its width on each side, zeta at least 0; then those of the logarithms of free scales."""
    wide = np.array([(low - (high - low) / 2, high + (high - low) / 2) for low, high in box])
    wide[1, 0] = max(wide[1, 0], 0.0)
    scales = [math.log(MAX_CLOCK_RATIO)] * free_clock + [MAX_GAIN_SIGMAS * gain_std] * (gain_std > 0)
    return np.concatenate([wide, [[-most, most] for most in scales]]) if scales else wide


def standing_out(variances: NDArray[np.float64], floor: float, most: int) -> NDArray[np.int64]:
    """Return the modes, (modes, 2) in Fourier order, of the initial state that are sought.

    They are whole shells of wave numbers, up to the last that stands out of a tenth of the noise's variance, as `most` allows.
    """
    radius = np.hypot(*whole_numbers(len(variances)))
    shells = np.rint(radius).astype(int)
    reach = max(int(shells[(variances > floor / 10)].max(initial=0)), MIN_REACH)
    while reach > MIN_REACH and np.sum((shells <= reach) & (variances > 0)) > most:
        reach -= 1
    return np.argwhere((shells <= reach) & (variances > 0))


def intervals_first(
    problem: Problem,
    state: Filtered,
    start: tuple[float, float] | None,
    box: Box,
    limits: NDArray[np.float64],
    count: int,
    record: Record,
) -> NDArray[np.float64]:
    """Return theta of intervals that each start from their own filtered snapshot: Gauss and Newton with Levenberg's damping.

    Args:
        problem: data and closure.
        state: filtered snapshots.
        start: alpha and zeta, or None for the best of nine in the box.
        box: ranges of both.
        limits: least and largest of each number that is sought, (sought, 2).
        count: steps in each interval.
        record: takes the rows of the history.

    Raises:
        NumericalError: the model diverges from every start.
    """
    states, clock = jnp.asarray(state.amplitudes), np.zeros(len(limits) - 2)

    def look(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
        value, slope, matrix = intervals_apart(problem, jnp.asarray(theta), states, count)
        return float(value), np.asarray(slope), np.asarray(matrix)

    low, width = np.array(box)[:, 0], np.ptp(np.array(box), axis=1)
    spots = (
        [low + width * [a, b] for a in GRID_FRACTIONS for b in GRID_FRACTIONS] if start is None else [np.array(start, np.float64)]
    )
    spots = [np.concatenate([spot, clock]) for spot in spots]
    looked = [look(spot) for spot in spots]
    best = int(np.argmin([one[0] if np.isfinite(one[0]) else np.inf for one in looked]))
    theta, (value, slope, matrix) = spots[best], looked[best]
    if not np.isfinite(value):
        raise NumericalError(f"the model diverges from alpha = {theta[0]:.4g}, zeta = {theta[1]:.4g}: take a smaller time_step")
    damping = 1e-3
    for iteration in range(MAX_INTERVAL_STEPS):
        distance = float(np.sqrt(max(slope @ bounded_inverse(matrix) @ slope, 0) / max(value, 1e-300)))
        row = {"alpha": float(theta[0]), "zeta": float(theta[1]), "objective": value, "gradient": distance}
        record({"stage": "intervals", "iteration": iteration} | row)
        trial, after = theta, (np.inf, slope, matrix)
        while damping < 1e6 and not after[0] < value:
            # Levenberg and Marquardt: (H + damping diag H) step = -gradient
            step = np.linalg.solve(matrix + damping * np.diag(np.diag(matrix) + 1e-300), -slope)
            trial = np.clip(theta + step, limits[:, 0], limits[:, 1])
            after = look(trial)
            damping = max(damping / 10, 1e-9) if after[0] < value else damping * 10
        if not after[0] < value:
            break
        small = bool(np.all(np.abs(trial - theta) < 1e-4))
        theta, (value, slope, matrix) = trial, after
        if small:
            break
    return theta


def one_trajectory(
    problem: Problem,
    theta: NDArray[np.float64],
    state: Filtered,
    noise_std: float | None,
    limits: NDArray[np.float64],
    counts: tuple[int, int],
    most_waves: int,
    record: Record,
    gain_std: float = 0.0,
    offset_std: float = 0.0,
) -> SearchResult:
    """Return the most likely theta of one trajectory through all snapshots, whose start is sought too.

    Args:
        problem: data and closure.
        theta: where to begin: alpha, zeta and, where they are sought, the logarithms of the scales of time and of the data.
        state: filtered snapshots.
        noise_std: root mean square of the data's noise where it is known.
        limits: least and largest of each number that is sought, (sought, 2).
        counts: steps in each interval for residuals and for tangents.
        most_waves: largest number of waves of the initial state that are sought.
        record: takes the rows of the history.
        gain_std: standard deviation of the prior of the logarithm of the data's scale, where that is sought.
        offset_std: root mean square of the prior of the data's complex offset; 0 where there is none.

    Raises:
        NumericalError: the model diverges.
    """
    fine, coarse = counts
    seen = np.asarray(problem.seen)
    number, square = float(seen.sum()), state.noise**2
    modes = standing_out(state.variances[0], square / float(seen[0].sum()), most_waves)
    spots = (modes[:, 0], modes[:, 1])
    amplitudes, variances = state.amplitudes[0].copy(), state.variances[0][spots]
    # 1 / (2 tau^2) of the numbers that have a prior
    weights = np.zeros(len(theta))
    if problem.gain is not None:
        weights[problem.gain] = 1 / (2 * gain_std**2)

    # the offset stands behind the amplitudes that are sought
    offset, has_offset = 0j, offset_std > 0
    if has_offset:
        variances = np.append(variances, offset_std**2)

    def sought(amplitudes: NDArray, offset: complex) -> NDArray:
        return np.append(amplitudes[spots], offset) if has_offset else amplitudes[spots]

    def look(theta: NDArray, amplitudes: NDArray, offset: complex) -> tuple[NDArray, NDArray, float]:
        """Return residual, fields and J."""
        residual, fields = residuals(problem, jnp.asarray(theta), jnp.asarray(amplitudes), fine, offset)
        unlikely = np.sum(square / variances * np.abs(sought(amplitudes, offset)) ** 2)
        prior = float(unlikely) + square * float(weights @ theta**2)
        return np.asarray(residual), np.asarray(fields), float(np.sum(np.abs(residual) ** 2)) + prior

    residual, fields, value = look(theta, amplitudes, offset)
    if not np.isfinite(value):
        raise NumericalError(f"the model diverges with alpha = {theta[0]:.4g}, zeta = {theta[1]:.4g}: take a smaller time_step")
    reason, converged, far = f"no end after {MAX_JOINT_STEPS} steps", False, True
    slopes: Slopes | None = None
    step: Normal | None = None
    for iteration in range(MAX_JOINT_STEPS):
        fresh = far or slopes is None or iteration >= HELD_STEPS
        if slopes is None or fresh:
            slopes = jacobian(problem, jnp.asarray(theta), jnp.asarray(amplitudes), modes, coarse)
            slopes = with_offset(slopes, seen) if has_offset else slopes
        step = normal_step(slopes, residual, sought(amplitudes, offset), square / variances, (theta, square * weights))
        inverse = bounded_inverse(step.information)
        # length of the step in standard deviations: the covariance of theta is s^2 / 2 Sigma^-1
        size = float(np.max(np.abs(step.theta) / np.sqrt(max(square, value / number) / 2 * np.diag(inverse))))
        far = size > MAX_SIGMAS
        row = {"alpha": float(theta[0]), "zeta": float(theta[1]), "objective": value, "gradient": size}
        record({"stage": "joint", "iteration": iteration} | row)
        if size < CONVERGED_SIGMAS:
            converged, reason = True, f"the step is below {CONVERGED_SIGMAS} standard deviations"
            break
        trial, moved, shifted, after = theta, amplitudes, offset, (residual, fields, np.inf)
        for scale in (1.0, 0.5, 0.25, 0.1, 0.03):
            trial, moved = np.clip(theta + scale * step.theta, limits[:, 0], limits[:, 1]), amplitudes.copy()
            moved[spots] += scale * step.amplitudes[: len(modes)]
            shifted = offset + scale * step.amplitudes[-1] if has_offset else offset
            after = look(trial, moved, shifted)
            if after[2] < value:
                break
        if not after[2] < value and size >= 1 and not fresh:
            # tangents of an earlier place lead nowhere any more: those of here may
            slopes = None
            continue
        if not after[2] < value:
            converged, reason = size < 1, "no smaller misfit along the step"
            break
        theta, amplitudes, offset, (residual, fields, value) = trial, moved, shifted, after
        if noise_std is None and not far:
            # at its minimum J has the mean s^2 a seen point: the prior's part makes up for the freedom of the initial state
            square = value / number
            residual, fields, value = look(theta, amplitudes, offset)
    noise = math.sqrt(max(square, value / number))
    misfit = np.sqrt(np.sum(np.abs(residual) ** 2, (1, 2)) / seen.sum((1, 2))) / noise
    assert step is not None
    covariance = noise**2 / 2 * bounded_inverse(step.information)
    return SearchResult(theta, covariance, noise, misfit, fields, offset, converged, reason, step)


def bounded_inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the inverse of a positive matrix; a direction that it knows nothing of gets a very large value, not none."""
    values, vectors = np.linalg.eigh(matrix)
    values = np.maximum(values, max(float(values.max()), 1e-300) * 1e-12)
    return (vectors / values) @ vectors.T
