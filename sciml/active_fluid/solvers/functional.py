"""The solvers as pure functions of arrays: under `jax.jit`, `grad`, `jvp`, `vmap` and `scan`, in the precision of what is given.

A solver is a pytree whose leaves are the numbers of its parameters and the weights of its closure. What a function compiles to
depends on the shapes, the number of steps and the kind of closure, not on those numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from jaxtyping import Complex, Float

from sciml.active_fluid.closures.closure import Closure
from sciml.active_fluid.fields.grid import inverse, transform
from sciml.active_fluid.fields.spread import spread
from sciml.active_fluid.solvers.automatic import AUTO
from sciml.active_fluid.solvers.evolution import Case, Posed, begin, case_of, observe, sweeps_needed
from sciml.active_fluid.theory.moments import Moments, linear, tendency
from sciml.active_fluid.theory.stepping import Coefficients, StepperState, cold_sweeps, start, step, steps
from sciml.runtime.errors import ConfigError, ShapeError

# sweeps where beta is traced: enough for every beta up to 6.9 (`sweeps_needed`)
TRACED_SWEEPS = 3
# two times are multiples of a third one to this share of the longest
TIME_TOLERANCE = 1e-9


class PureSolver(eqx.Module):
    """What both solvers do without guards, files and progress.

    Moments have the axes (moment, x, y), complex64 or complex128. Where the density is 1 everywhere m_0 is left out, which the
    number of moments tells, and m1 of the coarse model may come without its axis: (x, y). With `fourier=True` they are the
    coefficients of `jnp.fft.fft2` over the last two axes, (moment, wave x, wave y). Batches are for `jax.vmap`.
    """

    @property
    def _fields(self) -> Any:
        """This solver: each class declares parameters, points, time_step and sweeps in an order of its own."""
        return self

    def rule(self) -> Closure | None:
        """Return the closure, or None for the kinetic theory."""
        raise NotImplementedError

    def count(self) -> int:
        """Return the number of moments from m_1 on."""
        raise NotImplementedError

    def needed_sweeps(self) -> int:
        """Return the sweeps of the flow's fixed point in a step: those given, or what beta asks; 3 where beta is traced."""
        sweeps, beta = self._fields.sweeps, self._fields.parameters.beta
        if sweeps is not None:
            return sweeps
        return TRACED_SWEEPS if traced(beta) else sweeps_needed(float(beta))

    @spread
    def start(self, moments: Any, *, fourier: bool = False) -> StepperState:
        """Return the state one time step after the given moments: what `step` goes on from.

        Args:
            moments: (moment, x, y) or, for the coarse model, m1 (x, y).
            fourier: whether they are Fourier coefficients.

        Raises:
            ShapeError: another number of moments, or another grid.
        """
        state, uniform, _ = self._coefficients(moments, fourier)
        return begin(self._case(state, uniform), state, jnp.asarray(self._fields.time_step, state.real.dtype))

    @spread
    def step(self, state: StepperState) -> StepperState:
        """Return the state one time step later: semi-implicit backward differences of second order.

        Its `state.state` are the Fourier coefficients of the moments, (moment, wave x, wave y).
        """
        case = self._case(state.state, len(state.state) == self.count())
        return following(case, state, jnp.asarray(self._fields.time_step, state.state.real.dtype))

    @spread
    def integrate(
        self,
        moments: Any,
        time: float,
        save_at: Sequence[float] | Float[np.ndarray, " times"] | None = None,
        *,
        fourier: bool = False,
        checkpoint: bool = False,
    ) -> Complex[Array, "*times moment x y"]:
        """Return the moments at later times, differentiable in parameters, weights and the moments given.

        Nothing is checked on the way: a run that leaves the theory ends in values that `run` would have refused.

        Args:
            moments: at time 0, (moment, x, y) or, for the coarse model, m1 (x, y).
            time: last time, a number known when the program is compiled.
            save_at: times to return, rising, within 0 and `time`; without them the last one alone, without an axis of time. The
                time step is lowered so that a whole number of steps lies between all of them, as `run` does.
            fourier: whether the moments given and returned are Fourier coefficients.
            checkpoint: let reverse mode keep the root of the number of steps and compute the others again: memory for one more
                forward step each.

        Returns:
            (time, moment, x, y), or (time, x, y) where m1 was given as (x, y).

        Raises:
            ShapeError: another number of moments, or another grid.
            ConfigError: times that are traced, not rising, or have no common step.

        Example:
            >>> import jax
            >>> from sciml.active_fluid import CoarseSolver, Parameters, random_state
            >>> m1 = random_state(16, seed=0)
            >>> order = lambda alpha: abs(CoarseSolver(Parameters(alpha, 0.5), points=16).integrate(m1, 0.1)).mean()
            >>> bool(jax.grad(order)(-1.0) != 0)
            True
        """
        state, uniform, alone = self._coefficients(moments, fourier)
        stride, dt, wanted = schedule(time, save_at, self._fields.time_step)
        case = self._case(state, uniform)
        frames = frames_of(case, state, jnp.asarray(dt, state.real.dtype), max(wanted), stride, checkpoint)
        chosen = frames[-1] if save_at is None else frames[np.array(wanted)]
        fields = chosen if fourier else inverse(chosen)
        return fields[..., 0, :, :] if alone else fields

    @spread
    def observe(self, moments: Any, *, fourier: bool = False) -> dict[str, Array]:
        """Return what `run` saves of a state, each (x, y), with the flow converged.

        Args:
            moments: (moment, x, y), m1 (x, y), or what `start` and `step` return.
            fourier: whether they are Fourier coefficients.

        Returns:
            m1, m2, velocity_x, velocity_y, vorticity, strain, and density where m_0 is among the moments.
        """
        if isinstance(moments, StepperState):
            moments, fourier = moments.state, True
        state, uniform, _ = self._coefficients(moments, fourier)
        return observe(self._case(state, uniform), state)

    @spread
    def nonlinear(self, coefficients: Moments) -> Moments:
        """Return what changes Fourier coefficients beside the diffusions, F[N(m)], with the flow converged.

        With `linear` it is the whole theory, dm/dt = linear m + nonlinear(m), for an integrator of your own.

        Args:
            coefficients: Fourier coefficients of the moments, (moment, wave x, wave y).
        """
        state, uniform, _ = self._coefficients(coefficients, True)
        return _explicit(self._case(state, uniform), state)

    @spread
    def linear(self, coefficients: Moments) -> Float[Array, "moment x y"]:
        """Return the rates of the diffusions, -d_t k^2 - 4 n^2 d_r, for each of these Fourier coefficients."""
        state, uniform, _ = self._coefficients(coefficients, True)
        return linear(self._case(state, uniform).model(), len(state))

    def _case(self, state: Array, uniform: bool) -> Case:
        return case_of(self._fields.parameters, self.rule(), self._side(), uniform, self.needed_sweeps(), state.real.dtype)

    def _side(self) -> int:
        """Return the points a side, where they are a number."""
        points = self._fields.points
        if points == AUTO:
            name = type(self).__name__
            raise ConfigError(
                f'{name}(points="auto") is for run, which may begin anew with more points: give a number here, for example '
                "points_for(parameters) of sciml.active_fluid"
            )
        return points

    def _coefficients(self, moments: Any, fourier: bool) -> tuple[Moments, bool, bool]:
        """Return Fourier coefficients (moment, x, y), whether the density is 1, and whether m1 came without its axis."""
        given = jnp.asarray(moments)
        alone = given.ndim == 2 and self.rule() is not None
        fields = given[None] if alone else given
        uniform = len(fields) == self.count()
        side = self._side()
        if fields.shape[1:] != (side, side) or not (uniform or len(fields) == self.count() + 1):
            one = ", or m1 (x, y)" if self.rule() is not None else ""
            raise ShapeError(
                f"moments of the shape {given.shape}: this solver takes (moment, {side}, {side}) with m_1 to "
                f"m_{self.count()}, or with m_0 before them{one}"
            )
        fields = fields.astype(jnp.result_type(fields, jnp.complex64))
        return fields if fourier else transform(fields), uniform, alone


def traced(*trees: Any) -> bool:
    """Return whether any leaf is a tracer: a value that is not known before a program runs."""
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(trees))


def schedule(time: float, save_at: Any, time_step: float) -> tuple[int, float, list[int]]:
    """Return the steps of a stride, their length, and which strides are wanted.

    Args:
        time: last time.
        save_at: times to save, or None for the last one.
        time_step: longest time step.

    Raises:
        ConfigError: times that are traced, not rising within 0 and the last one, or without a common step.
    """
    if traced(time, save_at):
        raise ConfigError("time and save_at decide the number of steps: give plain numbers, not values that are traced")
    times = np.atleast_1d(np.asarray(time if save_at is None else save_at, float))
    last = float(time)
    if not 0 < last < math.inf or times.ndim != 1 or not len(times):
        raise ConfigError(
            f"time = {time} and save_at of the shape {times.shape}: a time above 0 and a list of times are expected"
        )
    slack = TIME_TOLERANCE * last
    if (np.diff(times) <= slack).any() or times[0] < -slack or times[-1] > last + slack:
        raise ConfigError(f"save_at has to rise within 0 and {last:g}, got {', '.join(f'{one:g}' for one in times[:6])}")
    # Euclid's algorithm
    common = last
    for one in times:
        while one > slack:
            common, one = one, math.fmod(common + slack, one) - slack
    stride = max(1, math.ceil(common / time_step - 1e-9))
    if common < 1e-3 * time_step:
        raise ConfigError(f"save_at and time = {last:g} are multiples of no step above {1e-3 * time_step:g}: round them")
    return stride, common / stride, [round(one / common) for one in times]


@eqx.filter_jit
def following(case: Posed, carry: StepperState, dt: Array) -> StepperState:
    """Return the carry after one more step."""
    return step(case.model(), carry, dt)


@eqx.filter_jit
def _explicit(case: Case, state: Moments) -> Moments:
    model = case.model()
    return tendency(model, state, None, cold_sweeps(model))[0]


@eqx.filter_jit
def frames_of(
    case: Posed, state: Coefficients, dt: Array, count: int, stride: int, checkpoint: bool
) -> Complex[Array, "frames components *waves"]:
    """Return Fourier coefficients at the start and after each of `count` strides."""
    model = case.model()
    frames = [state[None]]
    if count:
        carry = steps(model, start(model, state, dt), dt, stride - 1, checkpoint)
        frames.append(carry.state[None])
    if count > 1:

        def one(held: StepperState, _: None) -> tuple[StepperState, Array]:
            after = steps(model, held, dt, stride, checkpoint)
            return after, after.state

        body = jax.checkpoint(one, prevent_cse=False) if checkpoint else one  # pyright: ignore[reportPrivateImportUsage]
        frames.append(jax.lax.scan(body, carry, None, length=count - 1)[1])
    return jnp.concatenate(frames)
