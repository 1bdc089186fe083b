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

from sciml.active_fluid.closures.closure import AnyClosure, coarse_moments
from sciml.active_fluid.fields.forcing import laboratory
from sciml.active_fluid.fields.grid import inverse, transform
from sciml.active_fluid.fields.spread import spread
from sciml.active_fluid.solvers.automatic import AUTO
from sciml.active_fluid.solvers.evolution import Case, Posed, begin, case_of, observe, sweeps_needed, timed
from sciml.active_fluid.theory.moments import Moments, linear, tendency
from sciml.active_fluid.theory.moving import tilt_of
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

    With a shear or a strain the box moves (`sciml.active_fluid.fields.forcing`): coefficients are those of its wave vectors,
    `wave_vectors(time)`, and fields stand at the points (x exp(strain t), y exp(-strain t)), upright in a shear.
    """

    @property
    def _fields(self) -> Any:
        """This solver: each class declares parameters, points, time_step, sweeps and forcing in an order of its own."""
        return self

    def rule(self) -> AnyClosure | None:
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
        frames = moving_frames_of(case, state, jnp.asarray(dt, state.real.dtype), max(wanted), stride, checkpoint)
        chosen, tilt = jax.tree.map(lambda all_times: all_times[-1 if save_at is None else np.array(wanted)], frames)
        fields = chosen if fourier else inverse(chosen)
        if tilt is not None and not fourier:
            fields = laboratory(fields, tilt[..., None])
        return fields[..., 0, :, :] if alone else fields

    @spread
    def observe(self, moments: Any, *, fourier: bool = False, time: Array | float = 0.0) -> dict[str, Array]:
        """Return what `run` saves of a state, each (x, y), with the flow converged.

        Args:
            moments: (moment, x, y), m1 (x, y), or what `start` and `step` return.
            fourier: whether they are Fourier coefficients.
            time: where there is a forcing, the time of given moments; what `start` and `step` return has its own.

        Returns:
            m1, m2, velocity_x, velocity_y, vorticity, strain, and density where m_0 is among the moments.
        """
        if isinstance(moments, StepperState):
            return observe(self._case(moments.state, len(moments.state) == self.count()), timed(moments))
        state, uniform, _ = self._coefficients(moments, fourier)
        return observe(self._case(state, uniform), state, time)

    @spread
    def nonlinear(self, coefficients: Moments, time: Array | float = 0.0) -> Moments:
        """Return what changes Fourier coefficients beside the diffusions, F[N(m)], with the flow converged.

        With `linear` it is the whole theory, dm/dt = linear m + nonlinear(m), for an integrator of your own.

        Args:
            coefficients: Fourier coefficients of the moments, (moment, wave x, wave y).
            time: with a forcing, their time; a shear's box is as far ahead as it then is, however far.
        """
        state, uniform, _ = self._coefficients(coefficients, True)
        return _explicit(self._case(state, uniform), state, jnp.asarray(time, state.real.dtype))

    @spread
    def linear(self, coefficients: Moments, time: Array | float = 0.0) -> Float[Array, "moment x y"]:
        """Return the rates of the diffusions, -d_t k^2 - 4 n^2 d_r, for each of these Fourier coefficients.

        Args:
            coefficients: Fourier coefficients of the moments, (moment, wave x, wave y).
            time: with a shear or a strain, their time, as in `nonlinear`.
        """
        state, uniform, _ = self._coefficients(coefficients, True)
        return linear(self._case(state, uniform).model().at(time), len(state))

    def wave_vectors(self, time: Array | float = 0.0) -> tuple[Float[Array, "x y"], Float[Array, "x y"]]:
        """Return k_x and k_y of the Fourier coefficients, (wave x, wave y), at a time of `integrate(..., fourier=True)`.

        They change with the time where there is a shear or a strain alone. 0 at the Nyquist frequencies.
        """
        case = case_of(self._fields.parameters, None, self._side(), True, 1, forcing=self._fields.forcing)
        sheets = 0 if case.forcing is None else case.forcing.sheets(jnp.asarray(time))
        grid = case.model().at(time, sheets).grid
        return jnp.broadcast_to(grid.kx, grid.k2.shape), jnp.broadcast_to(grid.ky, grid.k2.shape)

    def _case(self, state: Array, uniform: bool) -> Case:
        own, real = self._fields, state.real.dtype
        return case_of(own.parameters, self.rule(), self._side(), uniform, self.needed_sweeps(), real, own.forcing)

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
        if alone and self.count() > 1:
            fields, fourier = coarse_moments(self.rule(), inverse(given) if fourier else given + 0j), False
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
def _explicit(case: Case, state: Moments, time: Array) -> Moments:
    model = case.model().at(time)
    return tendency(model, state, None, cold_sweeps(model))[0]


@eqx.filter_jit
def frames_of(
    case: Posed, state: Coefficients, dt: Array, count: int, stride: int, checkpoint: bool
) -> Complex[Array, "frames components *waves"]:
    """Return Fourier coefficients at the start and after each of `count` strides."""
    return moving_frames_of(case, state, dt, count, stride, checkpoint)[0]


@eqx.filter_jit
def moving_frames_of(
    case: Posed, state: Coefficients, dt: Array, count: int, stride: int, checkpoint: bool
) -> tuple[Complex[Array, "frames components *waves"], Float[Array, " frames"] | None]:
    """Return Fourier coefficients as `frames_of`, and the tilts of a box that moves."""
    model = case.model()

    def seen(carry: StepperState) -> tuple[Array, Array | None]:
        return carry.state, tilt_of(model, carry.clock)

    forcing = getattr(case, "forcing", None)
    frames = [(state[None], None if forcing is None or not forcing.moves else jnp.zeros(1, dt.dtype))]
    if count:
        carry = steps(model, start(model, state, dt), dt, stride - 1, checkpoint)
        frames.append(jax.tree.map(lambda part: part[None], seen(carry)))
    if count > 1:

        def one(held: StepperState, _: None) -> tuple[StepperState, tuple[Array, Array | None]]:
            after = steps(model, held, dt, stride, checkpoint)
            return after, seen(after)

        body = jax.checkpoint(one, prevent_cse=False) if checkpoint else one  # pyright: ignore[reportPrivateImportUsage]
        frames.append(jax.lax.scan(body, carry, None, length=count - 1)[1])
    return jax.tree.map(lambda *parts: jnp.concatenate(parts), *frames)
