"""Closures beside the truth: runs from the same state, errors over time and statistics."""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Complex, Float

from sciml.active_fluid.closures.closure import AnyClosure, coarse_moments, kept
from sciml.active_fluid.fields.defects import counts
from sciml.active_fluid.fields.grid import Grid, inverse, transform
from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.fields.precision import working
from sciml.active_fluid.learning.rollout import run_window
from sciml.active_fluid.solvers.diagnostics import closure_error, field_error, first_above, mean_order, mean_speed
from sciml.active_fluid.solvers.trajectories import Trajectory
from sciml.active_fluid.theory.moments import Model, flow_of
from sciml.active_fluid.theory.states import lifted, resampled
from sciml.active_fluid.theory.stepping import COLD_SWEEPS


class Run(NamedTuple):
    """A coarse run beside a kinetic one, at its times.

    Attributes:
        m1, velocity: complex fields.
        vorticity: real field.
    """

    m1: Complex[np.ndarray, "times n n"]
    velocity: Complex[np.ndarray, "times n n"]
    vorticity: Float[np.ndarray, "times n n"]


@eqx.filter_jit
def _run(closure: AnyClosure | None, first: jax.Array, parameters: Parameters, dt: float, between: int, times: int) -> Any:
    grid = Grid.of(first.shape[-1], parameters.length)
    start = inverse(transform(first) * grid.keep)
    fields = jnp.concatenate([start[None], run_window(closure, first, parameters, dt, between, times)])
    model = Model(grid, parameters, closure, True, 1)
    flow = jax.lax.map(lambda moments: flow_of(model, moments, None, COLD_SWEEPS), fields)
    return fields[:, 0], flow.velocity, flow.vorticity


def run_beside(model: AnyClosure | int, truth: Trajectory, points: int, dt: float) -> Run:
    """Return the run of a coarse model, or of few modes, from the first state of a kinetic one, in double precision.

    Args:
        model: closure of the coarse model, or the number of modes at which the kinetic theory is cut: no guard is asked.
        truth: the kinetic run.
        points: points a side of the coarse model.
        dt: the longest step; it is lowered to divide the time between saved states.
    """
    gap = float(truth.times[1] - truth.times[0])
    between = int(np.ceil(gap / dt - 1e-9))
    with working("double"):
        m1 = jnp.asarray(resampled(truth.m1[0], points), jnp.complex128)
        closure = None if isinstance(model, int) else model
        first = jnp.asarray(lifted(np.asarray(m1), model)[1:]) if isinstance(model, int) else coarse_moments(model, m1)
        parameters = jax.tree.map(jnp.asarray, truth.parameters)
        found = _run(closure, first, parameters, gap / between, between, len(truth.times) - 1)
        return Run(*(np.asarray(field) for field in found))


def compared(run: Run, truth: Trajectory, threshold: float) -> dict[str, Any]:
    """Return errors over time and statistics of a run, as JSON values.

    Keys: `errors` (relative L2 of m1 at each time), `first_above` (time at which it passes the threshold; the last time where it
    does not) and `passes`, and of run and truth the mean order, the root mean square speed and the number of defects over time.
    """
    points = run.m1.shape[-1]
    true = resampled(truth.m1, points)
    errors = field_error(run.m1, true)
    flow = resampled(truth.velocity, points)
    return {
        "errors": [round(float(value), 6) for value in errors],
        "first_above": round(first_above(truth.times, errors, threshold), 4),
        "passes": bool(np.any(~(errors < threshold))),
        "order": [_rounded(mean_order(run.m1)), _rounded(mean_order(true))],
        "speed": [_rounded(mean_speed(run.velocity)), _rounded(mean_speed(flow))],
        "defects": [np.sum(counts(field), axis=0).tolist() for field in (run.m1, true)],
    }


def a_priori(model: AnyClosure | int, truth: Trajectory) -> float | None:
    """Return the relative L2 error of h* m2 of a closure on the fields of a kinetic run, all times together.

    None where the model keeps m2 itself: with a closure of m3, and of the kinetic theory.
    """
    if isinstance(model, int) or kept(model) > 1:
        return None
    closure: Any = model
    with working("double"):
        fields = [jnp.asarray(field) for field in (truth.m1, truth.strain, truth.vorticity)]
        closed = np.asarray(closure(jnp.ones(()), fields[0], fields[1], fields[2], jax.tree.map(jnp.asarray, truth.parameters)))
    wide = closed.reshape(1, -1, closed.shape[-1])
    m2, m1, strain = (np.asarray(field, np.complex128).reshape(wide.shape) for field in (truth.m2, truth.m1, truth.strain))
    return round(float(closure_error(wide, m2, m1, strain, float(truth.parameters.zeta))[0]), 6)


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 5) for value in values]
