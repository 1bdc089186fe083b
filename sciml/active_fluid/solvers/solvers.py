"""The two solvers of the theory: the kinetic one, which is the truth, and the coarse one with a closure.

`run` is the convenient way, with guards, progress, files and labelled axes. The pure functions beside it (`integrate`, `step`,
`observe`) are for `jax.jit`, `grad`, `vmap` and `scan`; see `sciml.active_fluid.solvers.functional`.

Example:
    from sciml.active_fluid import CoarseSolver, Parameters, random_state

    run = CoarseSolver(Parameters(alpha=-1.0, zeta=0.5), points=64).run(random_state(64, seed=0), until=20.0, save_every=0.5)
    run["vorticity"].sel(time=10.0)
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import equinox as eqx

from sciml.active_fluid.closures.closure import AnyClosure, BinghamClosure, kept
from sciml.active_fluid.fields.forcing import Forcing
from sciml.active_fluid.fields.grid import check_points
from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.fields.precision import Precision
from sciml.active_fluid.solvers.automatic import AUTO, settled
from sciml.active_fluid.solvers.functional import PureSolver, traced
from sciml.active_fluid.solvers.guards import check_modes
from sciml.active_fluid.solvers.initial import initial_moments
from sciml.active_fluid.solvers.running import Estimate, Progress, RunSpec, follow, name_of
from sciml.runtime.errors import ConfigError

if TYPE_CHECKING:
    import xarray as xr

OnSave = Callable[[Progress], None]
OnStart = Callable[[Estimate], None]
Points = int | Literal["auto"]


class KineticSolver(PureSolver):
    """The kinetic theory: Fourier in space and angle, second order in time.

    A pytree of its parameters and its forcing; all else is part of its structure.

    Attributes:
        parameters: coefficients of the theory.
        points: points a side, even, at least 16; or "auto", for `run` alone, which finds them (`solvers.automatic`).
        modes: angular modes m_1 ... m_M, each of which stands for two of the 2 M + 1 even harmonics.
        time_step: longest time step; it is lowered so that a whole number of steps lies between saved times.
        precision: double or single.
        sweeps: sweeps of the flow's fixed point in a step; by default what beta asks.
        forcing: an imposed flow or a body force.

    Raises:
        ConfigError: a number is out of range, or the modes cannot resolve zeta / d_r.
    """

    parameters: Parameters
    points: Points = eqx.field(static=True, default=64)
    modes: int = eqx.field(static=True, default=16)
    time_step: float = eqx.field(static=True, default=0.0125)
    precision: Precision = eqx.field(static=True, default="double")
    sweeps: int | None = eqx.field(static=True, default=None)
    forcing: Forcing | None = None

    def __check_init__(self) -> None:
        _check(self.points, self.time_step, self.precision, self.sweeps)
        if not traced(self.parameters):
            check_modes(self.parameters, self.modes)

    def rule(self) -> None:
        """Return None: the kinetic theory needs no closure."""

    def count(self) -> int:
        """Return the number of moments from m_1 on."""
        return self.modes

    def run(
        self,
        initial: Any,
        until: float,
        save_every: float,
        store: Path | str | None = None,
        on_save: OnSave | None = None,
        fields: Sequence[str] = (),
        on_start: OnStart | None = None,
    ) -> xr.Dataset:
        """Return the run from time 0.

        A store is written during the run, one chunk a saved time; the same call goes on with one that was stopped, and ends with
        the same bytes as a run that was not. A later `until` goes on from the end.

        Args:
            initial: m1 (n, n), complex, which is lifted to a Bingham distribution; D (2, 2, n, n); moments (modes + 1, n, n); or
                a mapping or Dataset with m1 or D, and density (`sciml.active_fluid.solvers.initial`). Another grid is resampled.
            until: last time, a whole number of `save_every`.
            save_every: time between saved states.
            store: folder for a Zarr group, by convention RUN.zarr; without one the run is kept in memory.
            on_save: function that is told of every saved time (`Progress`).
            fields: names of those that are saved; all by default. A density that varies is always saved.
            on_start: function that is told of the time and the bytes that the run will take (`Estimate`).

        Returns:
            Dataset of dimensions (time, x, y): m1, m2, velocity_x, velocity_y, vorticity, strain, and density where it varies.
            Without dimension. With a store, fields are read from it when they are used.

        Raises:
            ShapeError, DataError: an initial state that is none; a damaged store.
            ConfigError: times that do not fit, a store made with other settings, or values that are traced.
            StoppedRun: the run left the range where it means something (a NumericalError, with what was good in `.partial`,
                `.cause`, and attributes of a solver that would do in `.remedy`).
        """
        _refuse_traced(self, initial)

        def go(solver: KineticSolver, chosen: tuple[str, ...]) -> xr.Dataset:
            moments = initial_moments(initial, solver._side(), solver.modes)
            spec = _spec(solver, None, solver.modes, until, save_every, fields, chosen=chosen)
            return follow(spec, moments, store, on_save, on_start)

        return settled(self, go, store) if self.points == AUTO else go(self, ())


class CoarseSolver(PureSolver):
    """The coarse model of density and second moment, with a closure; the same numerics.

    A pytree of its parameters, closure and forcing; all else is part of its structure.

    Attributes:
        parameters: coefficients of the theory.
        closure: rule for m2, or for m3, with which the model keeps m1 and m2; where it has a method `outside(parameters)`, the
            sentences of that are warnings.
        points: points a side, even, at least 16; or "auto", for `run` alone, which finds them (`solvers.automatic`).
        time_step: longest time step; it is lowered so that a whole number of steps lies between saved times.
        precision: double or single.
        sweeps: sweeps of the flow's fixed point in a step; by default what beta asks.
        forcing: an imposed flow or a body force.

    Raises:
        ConfigError: a number is out of range.
    """

    parameters: Parameters
    closure: AnyClosure = eqx.field(default_factory=BinghamClosure)
    points: Points = eqx.field(static=True, default=64)
    time_step: float = eqx.field(static=True, default=0.0125)
    precision: Precision = eqx.field(static=True, default="double")
    sweeps: int | None = eqx.field(static=True, default=None)
    forcing: Forcing | None = None

    def __check_init__(self) -> None:
        _check(self.points, self.time_step, self.precision, self.sweeps)

    def rule(self) -> AnyClosure:
        """Return the closure."""
        return self.closure

    def count(self) -> int:
        """Return the number of moments from m_1 on that the closure lets the model keep: 1, or 2."""
        return kept(self.closure)

    def run(
        self,
        initial: Any,
        until: float,
        save_every: float,
        store: Path | str | None = None,
        on_save: OnSave | None = None,
        fields: Sequence[str] = (),
        on_start: OnStart | None = None,
    ) -> xr.Dataset:
        """Return the run from time 0; arguments, result and errors are those of `KineticSolver.run`, without moments."""
        _refuse_traced(self, initial)
        outside: Any = getattr(self.closure, "outside", None)
        sentences = list(outside(self.parameters)) if outside is not None else []
        if outside is not None and (self.forcing is not None or self.parameters.friction is not None):
            sentences.append(f"the closure {name_of(self.closure)!r} was trained without forcing and friction")
        for sentence in sentences:
            warnings.warn(sentence, stacklevel=2)

        def go(solver: CoarseSolver, chosen: tuple[str, ...]) -> xr.Dataset:
            moments = initial_moments(initial, solver._side(), None if self.count() == 1 else self.count(), closed=True)
            spec = _spec(solver, solver.closure, None, until, save_every, fields, sentences, chosen)
            return follow(spec, moments, store, on_save, on_start)

        return settled(self, go, store) if self.points == AUTO else go(self, ())


def _check(points: Any, time_step: float, precision: str, sweeps: int | None) -> None:
    if points != AUTO:
        check_points(points)
    if not 0 < time_step < float("inf"):
        raise ConfigError(f"time step {time_step}: it has to be above 0")
    if precision not in ("double", "single"):
        raise ConfigError(f"precision {precision!r}: it is double or single")
    if sweeps is not None and sweeps < 1:
        raise ConfigError(f"{sweeps} sweeps: at least 1 is needed")


def _refuse_traced(solver: KineticSolver | CoarseSolver, initial: Any) -> None:
    if traced(solver, initial):
        raise ConfigError(
            f"{type(solver).__name__}.run checks and saves numbers, which do not exist under jit, grad and vmap: "
            f"call {type(solver).__name__}.integrate there"
        )


def _spec(
    solver: KineticSolver | CoarseSolver,
    closure: AnyClosure | None,
    modes: int | None,
    until: float,
    save_every: float,
    fields: Sequence[str],
    sentences: list[str] | None = None,
    chosen: tuple[str, ...] = (),
) -> RunSpec:
    return RunSpec(
        parameters=solver.parameters,
        closure=closure,
        points=solver._side(),
        modes=modes,
        time_step=solver.time_step,
        precision=solver.precision,
        sweeps=solver.needed_sweeps(),
        until=until,
        save_every=save_every,
        warnings=tuple(sentences or ()),
        fields=tuple(fields),
        chosen=chosen,
        forcing=solver.forcing,
    )
