"""The compiled parts of a run: its start, its steps, and what is seen of a state.

The numbers of the theory, the closure's weights, the time step and the number of steps are traced: another alpha or another
interval does not compile again. Another grid, number of modes, kind of closure, precision or number of sweeps does.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from sciml.active_fluid.closures.closure import AnyClosure, slack, squared
from sciml.active_fluid.fields.forcing import Forcing, laboratory
from sciml.active_fluid.fields.grid import Grid, inverse
from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.fields.precision import complex_type
from sciml.active_fluid.solvers.causes import Watch, fejer, outermost, rings
from sciml.active_fluid.theory.moments import Model, Moments, flow_of, parted
from sciml.active_fluid.theory.stepping import Coefficients, Equations, StepperState, cold_sweeps, start, step

# share of the error of a flow extrapolated from the two steps before that the sweeps of a step may leave
SWEEP_REMAINDER = 0.1


class Posed(Protocol):
    """A case, in two dimensions or three."""

    def model(self) -> Equations:
        """Return its equations on their grid."""
        ...


class Case(NamedTuple):
    """A model without its grid, which is made anew inside each compiled function.

    Attributes:
        parameters: coefficients of the theory, as arrays.
        closure: closure of the coarse model, None for the kinetic one.
        points: points a side of the grid.
        uniform: whether the density is 1 everywhere.
        sweeps: sweeps of the flow's fixed point in a step.
        forcing: what else moves the liquid, its numbers as arrays.
    """

    parameters: Parameters
    closure: AnyClosure | None
    points: int
    uniform: bool
    sweeps: int
    forcing: Forcing | None = None

    def model(self) -> Model:
        """Return the model, in the precision of its numbers."""
        real = jnp.result_type(self.parameters.alpha)
        grid = jax.tree.map(
            lambda part: part.astype(complex_type(real) if jnp.iscomplexobj(part) else real),
            Grid.of(self.points, self.parameters.length),
        )
        return Model(grid, self.parameters, self.closure, self.uniform, self.sweeps, self.forcing)


def case_of(
    parameters: Parameters,
    closure: AnyClosure | None,
    points: int,
    uniform: bool,
    sweeps: int,
    real: jnp.dtype | None = None,
    forcing: Forcing | None = None,
) -> Case:
    """Return a case whose numbers are arrays of a real type, by default that of the precision at work."""
    kind = real or jnp.result_type(float)
    numbers = jax.tree.map(lambda number: jnp.asarray(number, kind), parameters)
    return Case(numbers, closure, points, uniform, sweeps, jax.tree.map(lambda leaf: _real(leaf, kind), forcing))


def _real(leaf: Any, real: jnp.dtype) -> Any:
    """Return a real number or array of a forcing as an array of a type, and all else as it is."""
    numeric = isinstance(leaf, float | np.floating | np.ndarray | Array)
    return jnp.asarray(leaf, real) if numeric and jnp.issubdtype(jnp.result_type(leaf), jnp.floating) else leaf


def sweeps_needed(beta: float, share: float = 8) -> int:
    """Return the sweeps of a step that leave a tenth of the extrapolated flow's error, itself of second order in the step.

    A sweep leaves at most beta / (8 + beta) of it (`sciml.active_fluid.fields.stokes`), with mean density 1. At beta 0.8 one
    sweep changes a run by 1e-8, a thousandth of what the time step does.

    Args:
        beta: shape factor times concentration.
        share: the 8 above, which is 6 in three dimensions (`sciml.active_fluid.three.equations`).
    """
    # the least n with left^n <= SWEEP_REMAINDER
    left = beta / (share + beta)
    return 1 if left <= SWEEP_REMAINDER else math.ceil(math.log(SWEEP_REMAINDER) / math.log(left))


@eqx.filter_jit
def begin(case: Posed, state: Coefficients, dt: Array) -> StepperState:
    """Return the carry after the first step."""
    return start(case.model(), state, dt)


@eqx.filter_jit
def advance(case: Posed, carry: StepperState, dt: Array, count: Array) -> StepperState:
    """Return the carry after `count` more steps."""
    model = case.model()
    return jax.lax.fori_loop(0, count, lambda _, held: step(model, held, dt), carry)


@eqx.filter_jit
def watch(case: Case, carry: StepperState) -> Watch:
    """Return the numbers that tell whether a step is good; the flow is that of the step before."""
    fields, flow = inverse(carry.state), carry.flow
    c, m1, higher = parted(case.uniform, fields)
    means = parted(case.uniform, inverse(carry.state[:3] * fejer(case.points)))
    smooth = 1 - jnp.sqrt(jnp.max(squared(means[1] / means[0])))
    last = jnp.max(jnp.abs(fields[-1]) / c) if case.closure is None else jnp.zeros(())
    if len(higher):
        least = jnp.min(slack(c, m1, higher[0]))
        smooth = jnp.minimum(smooth, jnp.min(slack(means[0], means[1], means[2][0])))
    else:
        rule: Any = case.closure
        m2 = rule(c, m1, flow.strain, flow.vorticity, case.parameters)
        least = jnp.min(jnp.where(squared(m1 / c) > 1, jnp.inf, slack(c, m1, m2)))
    power = squared(carry.state) / (jnp.mean(c) * case.points**2) ** 2
    ring, outer = rings(case.points), outermost(case.points)
    tail, inside = (jnp.sqrt(jnp.max(jnp.sum(power * (ring == one), (1, 2)))) for one in (outer, round(0.75 * outer)))
    return Watch(
        finite=jnp.all(jnp.isfinite(carry.state)),
        density=jnp.min(c),
        order=jnp.sqrt(jnp.max(squared(m1 / c))),
        slack=least,
        smooth=smooth,
        last=last,
        tail=tail,
        inside=inside,
        speed=jnp.max(jnp.abs(flow.velocity)),
        turning=jnp.max(jnp.abs(flow.vorticity) + 2 * jnp.abs(flow.strain + case.parameters.zeta * m1)),
    )


def timed(carry: StepperState) -> Moments | StepperState:
    """Return what `observe` takes of a carry: its coefficients, and with a forcing all of it, since that has the time."""
    return carry.state if carry.clock is None else carry


@eqx.filter_jit
def observe(case: Case, state: Moments | StepperState, time: Array | float = 0.0) -> dict[str, Array]:
    """Return the fields of a state that a run saves, with the flow converged.

    Args:
        case: the model.
        state: what a step returns, or Fourier coefficients at a time.
        time: the time of coefficients, where there is a forcing.
    """
    model, sheets = case.model(), None
    if isinstance(state, StepperState):
        if state.clock is not None:
            time, sheets = state.clock.time, state.clock.sheets
        state = state.state
    time = jnp.asarray(time, model.grid.k2.dtype)
    if sheets is None:
        sheets = 0 if case.forcing is None else case.forcing.sheets(time)
    model, fields = model.at(time, sheets), inverse(state)
    flow = flow_of(model, fields, None, cold_sweeps(model))
    seen = {
        "m1": fields[0 if case.uniform else 1],
        "m2": flow.m2,
        "velocity_x": flow.velocity.real,
        "velocity_y": flow.velocity.imag,
        "vorticity": flow.vorticity,
        "strain": flow.strain,
    }
    third = fields[2 if case.uniform else 3 :]
    if len(third):
        seen["m3"] = third[0]
    seen = seen if case.uniform else {"density": fields[0].real, **seen}
    if case.forcing is None or not case.forcing.moves:
        return seen
    frame = case.forcing.frame(time, sheets)
    seen = {name: laboratory(field, frame.tilt) for name, field in seen.items()}
    carried = case.forcing.uniform(case.points, case.parameters.length, frame)
    return seen | {"velocity_x": seen["velocity_x"] + carried.real, "velocity_y": seen["velocity_y"] + carried.imag}
