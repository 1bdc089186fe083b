"""How well alpha and zeta are recovered from synthetic snapshots whose truth is known.

Twin experiments take the snapshots from the closed model that the inference uses itself: they test the inference, whose intervals
hold the noise alone. Snapshots of the kinetic theory test the closure too, whose error is part of the interval.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Complex
from numpy.typing import NDArray

from sciml.active_fluid.closures.closure import Closure
from sciml.active_fluid.fields.grid import Grid
from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.fields.precision import working
from sciml.active_fluid.inference.infer import BOX, infer
from sciml.active_fluid.inference.search import Box
from sciml.active_fluid.inference.verdicts import NORMAL_QUANTILE_95
from sciml.active_fluid.theory.moments import Model
from sciml.active_fluid.theory.states import lifted, modes_needed, random_state
from sciml.active_fluid.theory.stepping import StepperState, start, steps
from sciml.runtime.errors import ConfigError, NumericalError

# size of the last kinetic mode above which the angle is not resolved
MAX_LAST_MODE = 1e-3
# sweeps of the flow's fixed point in a step
SWEEPS = 4


@eqx.filter_jit
def _first(parameters: Parameters, closure: Closure | None, state: Array, dt: float, count: int) -> StepperState:
    model = Model(Grid.of(state.shape[-1], parameters.length), parameters, closure, True, SWEEPS)
    return steps(model, start(model, state, dt), dt, count - 1)


@eqx.filter_jit
def _on(parameters: Parameters, closure: Closure | None, carry: StepperState, dt: float, count: int) -> StepperState:
    model = Model(Grid.of(carry.state.shape[-1], parameters.length), parameters, closure, True, SWEEPS)
    return steps(model, carry, dt, count)


def synthetic(
    parameters: Parameters,
    times: Sequence[float],
    closure: Closure | None,
    points: int = 32,
    seed: int = 0,
    time_step: float = 0.00625,
    modes: int | None = None,
) -> Complex[np.ndarray, "snapshots points points"]:
    """Return m1 without noise at given times after a random weak order.

    Args:
        parameters: coefficients of the truth.
        times: times of the snapshots, increasing, above 0, whole multiples of the time step.
        closure: closure of the closed model, or None for the kinetic theory.
        points: points a side.
        seed: seed of the initial state.
        time_step: time step of the solver.
        modes: angular modes of the kinetic theory, as many as zeta / d_r asks by default.

    Raises:
        ConfigError: times do not rise from above 0 in whole steps.
        NumericalError: the run diverges, or the last kinetic mode is above 1e-3.
    """
    gaps = np.diff(np.asarray(times, np.float64), prepend=0.0)
    counts = np.rint(gaps / time_step).astype(int)
    if not len(gaps) or np.any(counts < 1) or np.any(np.abs(counts * time_step - gaps) > 1e-9):
        raise ConfigError(f"times {list(times)}: they have to rise from above 0 in whole multiples of the time step {time_step}")
    m1 = random_state(points, seed)
    first = (
        m1[None] if closure is not None else lifted(m1, modes or modes_needed(float(parameters.zeta), float(parameters.d_r)))[1:]
    )
    with working("double"):
        numbers = Parameters(*[jnp.asarray(value, jnp.float64) for value in parameters.as_dict().values()])  # pyright: ignore
        carry = _first(numbers, closure, jnp.asarray(np.fft.fft2(first)), time_step, int(counts[0]))
        states = [np.asarray(carry.state)]
        for count in counts[1:]:
            carry = _on(numbers, closure, carry, time_step, int(count))
            states.append(np.asarray(carry.state))
    fields = np.fft.ifft2(np.stack(states))
    if not np.isfinite(fields).all():
        raise NumericalError(f"the truth with {parameters.as_dict()} diverged: take shorter steps than {time_step}")
    if closure is None and (tail := float(np.abs(fields[:, -1]).max())) > MAX_LAST_MODE:
        raise NumericalError(f"the last of {len(first)} kinetic modes reaches {tail:.2g}, above {MAX_LAST_MODE}: take more modes")
    return fields[:, 0]


def with_noise(
    fields: NDArray[np.complex128], level: float, seed: int | tuple[int, int]
) -> tuple[Complex[np.ndarray, "s p p"], float]:
    """Return fields with complex Gaussian noise, and its root mean square: `level` times that of all fields."""
    generator = np.random.default_rng(seed)
    size = level * float(np.sqrt(np.mean(np.abs(fields) ** 2)))
    noise = generator.standard_normal(fields.shape) + 1j * generator.standard_normal(fields.shape)
    return fields + size / np.sqrt(2) * noise, size


def _within(box: Box, generator: np.random.Generator) -> tuple[float, float]:
    return float(generator.uniform(*box[0])), float(generator.uniform(*box[1]))


def recovery(
    closure: Closure,
    seeds: Iterable[int],
    kinetic: bool = False,
    truths: Sequence[tuple[float, float]] | None = None,
    known: Parameters | None = None,
    box: Box = BOX,
    times: Sequence[float] = (4.0, 5.0, 6.0, 7.0, 8.0),
    noise: float = 0.02,
    points: int = 32,
    every: int = 1,
    mask: Bool[np.ndarray, "n n"] | None = None,
    modes: int | None = None,
    progress: Callable[[dict[str, Any]], None] | None = None,
) -> list[dict[str, Any]]:
    """Return a row for each seed: truth, start, estimate, intervals, whether they cover, relative errors.

    A seed decides the initial state, the noise, the start, and the truth where none is given: uniform in the box.

    Args:
        closure: closure of the model that is fitted.
        seeds: one experiment each.
        kinetic: take the snapshots from the kinetic theory instead of the closed model.
        truths: (alpha, zeta) of each seed, in turn; random ones by default.
        known: beta, d_t, d_r, length.
        box: ranges of truths and starts.
        times: times of the snapshots.
        noise: root mean square relative to that of the snapshots.
        points: points a side of truth and model.
        every: show every so many-th point along each axis.
        mask: mask of the points shown, after `every`.
        modes: angular modes of the kinetic theory.
        progress: function that is called with each row.

    Raises:
        ConfigError: `every` does not divide the grid.
    """
    if every < 1 or points % every:
        raise ConfigError(f"every {every}th of {points} points: it has to divide the grid")
    known = known or Parameters(-1.0, 0.5)
    rows = []
    for number, seed in enumerate(seeds):
        generator = np.random.default_rng((seed, 1))
        begin, drawn = _within(box, generator), _within(box, generator)
        truth = truths[number % len(truths)] if truths else drawn
        parameters = replace(known, alpha=truth[0], zeta=truth[1])
        clean = synthetic(parameters, times, None if kinetic else closure, points, seed, modes=modes)
        shown, size = with_noise(clean[:, ::every, ::every], noise, (seed, 2))
        found = infer(shown, times, closure, begin, known, mask=mask, box=box, points=points, closure_error=kinetic)
        row: dict[str, Any] = {"seed": seed, "data": "kinetic" if kinetic else "closed model"}
        noise_alone = NORMAL_QUANTILE_95 * np.sqrt(np.diag(found.noise_covariance))
        for i, name in enumerate(("alpha", "zeta")):
            value, (low, high) = getattr(found, name), getattr(found, f"{name}_interval")
            row |= {f"{name}_truth": truth[i], f"{name}_start": begin[i], name: value, f"{name}_low": low, f"{name}_high": high}
            row |= {f"{name}_covered": low <= truth[i] <= high, f"{name}_error": (value - truth[i]) / abs(truth[i])}
            row |= {f"{name}_noise_half": float(noise_alone[i])}
        row |= {"p_value": found.goodness.p_value, "verdict": found.goodness.verdict}
        row |= {"noise_ratio": found.noise_std / size, "steps": len(found.history), "converged": found.converged}
        rows.append(row)
        if progress:
            progress(row)
    return rows
