"""The coarse model in three dimensions as a solver: pure functions of arrays, and runs that are checked.

Example:
    from sciml.active_fluid import CoarseSolver3D, Parameters, random_state_3d

    solver = CoarseSolver3D(Parameters(alpha=-1.0, zeta=0.5), points=32)
    run = solver.run(random_state_3d(32, seed=0), until=10.0, save_every=1.0)    # an xarray Dataset
    d = solver.integrate(random_state_3d(32, seed=0), time=1.0)                  # (3, 3, x, y, z): jit, grad and vmap work
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.fields.precision import Precision, working
from sciml.active_fluid.solvers.evolution import begin, sweeps_needed
from sciml.active_fluid.solvers.functional import TRACED_SWEEPS, following, frames_of, schedule, traced
from sciml.active_fluid.solvers.running import RunSpec
from sciml.active_fluid.theory.stepping import StepperState
from sciml.active_fluid.three.equations import Waves, components, inverse, orientation, transform
from sciml.active_fluid.three.running import Case, checked, follow, seen
from sciml.active_fluid.three.tensors import full, symmetric
from sciml.runtime.errors import ConfigError, ShapeError

if TYPE_CHECKING:
    import xarray as xr

MIN_POINTS = 8
# 6 where the flow of two dimensions has 8 (`sweeps_needed`)
SHARE = 6


def check_points(points: int) -> None:
    """Raise ConfigError where a cube cannot have so many points a side."""
    if points % 2 or points < MIN_POINTS:
        raise ConfigError(f"{points} points a side: the grid needs an even number of at least {MIN_POINTS}")


class CoarseSolver3D(eqx.Module):
    """The coarse model of immotile rods in a periodic cube, with Bingham's closure; SBDF2 in time, Fourier in space.

    A pytree of its parameters; all else is part of its structure. States are D = <p p>, (3, 3, x, y, z), symmetric, whose trace
    is the density; float32 or float64, which decides the precision of the pure functions.

    Attributes:
        parameters: coefficients of the theory; `length` is the side of the cube.
        points: points a side, even, at least 8.
        time_step: longest time step; it is lowered so that a whole number of steps lies between saved times.
        precision: of `run`, double or single.
        sweeps: sweeps of the flow's fixed point in a step; by default what beta asks.

    Raises:
        ConfigError: a number is out of range.
    """

    parameters: Parameters
    points: int = eqx.field(static=True, default=32)
    time_step: float = eqx.field(static=True, default=0.025)
    precision: Precision = eqx.field(static=True, default="double")
    sweeps: int | None = eqx.field(static=True, default=None)

    def __check_init__(self) -> None:
        check_points(self.points)
        if not 0 < self.time_step < math.inf:
            raise ConfigError(f"time step {self.time_step}: it has to be above 0")
        if self.precision not in ("double", "single"):
            raise ConfigError(f"precision {self.precision!r}: it is double or single")
        if self.sweeps is not None and self.sweeps < 1:
            raise ConfigError(f"{self.sweeps} sweeps: at least 1 is needed")

    def needed_sweeps(self) -> int:
        """Return the sweeps of the flow's fixed point in a step: those given, or what beta asks; 3 where beta is traced."""
        if self.sweeps is not None:
            return self.sweeps
        beta = self.parameters.beta
        return TRACED_SWEEPS if traced(beta) else sweeps_needed(float(beta), SHARE)

    def start(self, orientation: Any) -> StepperState:
        """Return the state one time step after the given one: what `step` goes on from.

        Args:
            orientation: D (3, 3, x, y, z).

        Raises:
            ShapeError: another shape.
        """
        state = self._coefficients(orientation)
        return begin(self._case(state), state, self._step(state))

    def step(self, state: StepperState) -> StepperState:
        """Return the state one time step later; `state.state` are the Fourier coefficients of c and five components of D."""
        return following(self._case(state.state), state, self._step(state.state))

    def integrate(
        self,
        orientation: Any,
        time: float,
        save_at: Sequence[float] | Float[np.ndarray, " times"] | None = None,
        *,
        checkpoint: bool = False,
    ) -> Float[Array, "*times 3 3 x y z"]:
        """Return D at later times, differentiable in parameters and in the D given.

        Nothing is checked on the way: a run that leaves the theory ends in values that `run` would have refused.

        Args:
            orientation: D (3, 3, x, y, z) at time 0.
            time: last time, a number known when the program is compiled.
            save_at: times to return, rising, within 0 and `time`; without them the last one alone, without an axis of time.
            checkpoint: let reverse mode keep the root of the number of steps and compute the others again.

        Raises:
            ShapeError: another shape.
            ConfigError: times that are traced, not rising, or have no common step.
        """
        state = self._coefficients(orientation)
        stride, dt, wanted = schedule(time, save_at, self.time_step)
        frames = frames_of(self._case(state), state, jnp.asarray(dt, state.real.dtype), max(wanted), stride, checkpoint)
        return _tensor(frames[-1]) if save_at is None else jax.vmap(_tensor)(frames[np.array(wanted)])

    def observe(self, state: Any) -> dict[str, Array]:
        """Return what `run` saves of a state, with the flow converged.

        Args:
            state: D (3, 3, x, y, z), or what `start` and `step` return.

        Returns:
            D (3, 3, x, y, z); velocity and vorticity (3, x, y, z); order (x, y, z), which has no gradient where eigenvalues meet.
        """
        waves = state.state if isinstance(state, StepperState) else self._coefficients(state)
        return seen(self._case(waves), waves)

    def run(self, initial: Any, until: float, save_every: float, on_save: Callable[[float], None] | None = None) -> xr.Dataset:
        """Return the run from time 0.

        Args:
            initial: D (3, 3, x, y, z), or a Dataset of an earlier run, the last time of which is taken.
            until: last time, a whole number of `save_every`.
            save_every: time between saved states.
            on_save: function that is told of every saved time.

        Returns:
            Dataset of dimensions (time, i, j, x, y, z): D, velocity, vorticity, order. Without units.

        Raises:
            ShapeError, DataError: an initial state that is none.
            ConfigError: times that do not fit, or values that are traced.
            StoppedRun: the run left the range where it means something (a NumericalError, with what was good in `.partial`).
        """
        if traced(self, initial):
            raise ConfigError(
                "CoarseSolver3D.run takes numbers, not traced values: call CoarseSolver3D.integrate under jit and grad"
            )
        numbers = self.parameters, None, self.points, None, self.time_step, self.precision, self.needed_sweeps()
        spec, d = RunSpec(*numbers, until, save_every), checked(initial, self.points)
        with working(self.precision) as real:
            state = self._coefficients(jnp.asarray(d, real))
            return follow(spec, self._case(state), state, on_save)

    def _case(self, state: Waves) -> Case:
        real = state.real.dtype
        return Case(jax.tree.map(lambda number: jnp.asarray(number, real), self.parameters), self.points, self.needed_sweeps())

    def _step(self, state: Waves) -> Array:
        return jnp.asarray(self.time_step, state.real.dtype)

    def _coefficients(self, orientation: Any) -> Waves:
        """Return the Fourier coefficients of c and Q."""
        given = jnp.asarray(orientation)
        if given.shape != (3, 3, *[self.points] * 3):
            side = self.points
            raise ShapeError(f"D of the shape {given.shape}: this solver takes (3, 3, {side}, {side}, {side})")
        return transform(components(symmetric(given.astype(jnp.result_type(given, jnp.float32)))))


def _tensor(state: Waves) -> Float[Array, "3 3 x y z"]:
    return full(jnp.stack(orientation(inverse(state))))
