"""A run: steps, saved times, guards and the store."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from sciml import __version__
from sciml.active_fluid.closures.closure import AnyClosure, kept
from sciml.active_fluid.fields.forcing import Forcing
from sciml.active_fluid.fields.grid import transform
from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.fields.precision import Precision, complex_type, working
from sciml.active_fluid.solvers.causes import Fault, StoppedRun, Watch, cause, fault, remedy
from sciml.active_fluid.solvers.evolution import Case, advance, begin, case_of, observe, timed, watch
from sciml.active_fluid.solvers.guards import Bounds, stable_bounds
from sciml.active_fluid.solvers.layout import FORMAT
from sciml.active_fluid.solvers.store import EXTRA, FIELDS, Store, attributes, carry_arrays, open_run
from sciml.active_fluid.theory.stepping import StepperState
from sciml.runtime.errors import ConfigError, NumericalError
from sciml.runtime.files import digest_bytes

if TYPE_CHECKING:
    import xarray as xr

# steps between two checks by the guards
STRIDE = 40
# steps that are timed before a run
TIMED = 2


class Progress(NamedTuple):
    """What is told of a saved time.

    Attributes:
        time: the saved time.
        index, last: index of this saved time and of the last one.
        order: root mean square of |m1| / c.
        speed: root mean square of the velocity.
    """

    time: float
    index: int
    last: int
    order: float
    speed: float


class Estimate(NamedTuple):
    """What a run is going to take, told before it.

    Attributes:
        seconds: wall time of computing, by the time of a few steps.
        steps: steps to go.
        frames: saved times, of which those of an earlier run are there already.
        frame_bytes: of the fields of a saved time before compression.
        carry_bytes: of the state that a store keeps to go on from.
    """

    seconds: float
    steps: int
    frames: int
    frame_bytes: int
    carry_bytes: int


@dataclass(frozen=True)
class RunSpec:
    """Everything that decides a run, but for its initial state.

    Args:
        parameters: of the theory.
        closure: None for the kinetic theory.
        points: of the grid, a side.
        modes: of the kinetic theory, as in `KineticSolver`; None for the coarse model.
        time_step: longest one, as in `CoarseSolver`.
        precision: as in `CoarseSolver`.
        sweeps: as in `CoarseSolver`.
        until: last time.
        save_every: time between saved states.
        warnings: sentences that the closure says of the parameters.
        fields: that are saved; all of them where none is named.
        chosen: sentences of how points and time step came about where they were to be found; empty where they were given.
        forcing: as in `CoarseSolver`.

    Attributes:
        every: steps between saved states.
        last: index of the last saved state.
        dt: time step that divides the time between saved states.
    """

    parameters: Parameters
    closure: AnyClosure | None
    points: int
    modes: int | None
    time_step: float
    precision: Precision
    sweeps: int
    until: float
    save_every: float
    warnings: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()
    forcing: Forcing | None = None
    every: int = field(init=False)
    last: int = field(init=False)
    dt: float = field(init=False)

    def __post_init__(self) -> None:
        if not 0 < self.save_every < math.inf or not 0 < self.until < math.inf:
            raise ConfigError(f"until = {self.until} and save_every = {self.save_every}: both have to be above 0")
        last = round(self.until / self.save_every)
        if last < 1 or abs(last * self.save_every - self.until) > 1e-9 * self.until:
            raise ConfigError(f"until = {self.until} is no whole number of save_every = {self.save_every}")
        known = FIELDS if self.closure is None else [name for name in FIELDS if name not in EXTRA]
        if unknown := set(self.fields) - set(known):
            raise ConfigError(f"no field is called {sorted(unknown)[0]!r}: a run has {', '.join(known)}")
        if self.forcing is not None:
            self.forcing.check(self.points, float(self.parameters.length), self.until)
        every = max(1, math.ceil(self.save_every / self.time_step - 1e-9))
        for name, value in (("last", last), ("every", every), ("dt", self.save_every / every)):
            object.__setattr__(self, name, value)

    @property
    def closed(self) -> bool:
        """Whether a closure gives m2."""
        return self.closure is not None and kept(self.closure) == 1

    def settings(self, moments: NDArray[np.complex128]) -> dict[str, Any]:
        """Return the attributes of the run: JSON values."""
        kinetic = self.closure is None
        return {
            "format": FORMAT,
            "model": "kinetic" if kinetic else "coarse",
            **({"modes": self.modes} if kinetic else {}),
            "closure": "none" if kinetic else name_of(self.closure),
            "closure_digest": digest_of(self.closure),
            **self.parameters.as_dict(),
            **({} if self.forcing is None else self.forcing.settings()),
            "points": self.points,
            "time_step": self.dt,
            "save_every": float(self.save_every),
            "precision": self.precision,
            "sweeps": self.sweeps,
            "initial_digest": digest_bytes(np.ascontiguousarray(moments).tobytes()),
            "version": __version__,
            "warnings": list(self.warnings),
            # without a choice the settings are those of stores from before there was one
            **({"fields": sorted(self.fields)} if self.fields else {}),
            **({"points_chosen": list(self.chosen)} if self.chosen else {}),
        }


def name_of(closure: Any) -> str:
    """Return a closure's name: its own, or that of its class."""
    return str(getattr(closure, "name", None) or type(closure).__name__.removesuffix("Closure").lower())


def digest_of(closure: Any) -> str:
    """Return a digest of a closure's class and numbers."""
    digest = hashlib.sha256(f"{type(closure).__module__}.{type(closure).__qualname__}".encode())
    for path, leaf in jax.tree_util.tree_leaves_with_path(closure):
        digest.update(jax.tree_util.keystr(path).encode())
        if isinstance(leaf, jax.Array | np.ndarray):
            digest.update(f"{leaf.dtype}{leaf.shape}".encode() + np.asarray(leaf).tobytes())
        else:
            # the representation of a function has its address
            digest.update((getattr(leaf, "__qualname__", None) or repr(leaf)).encode())
    return digest.hexdigest()


def follow(
    spec: RunSpec,
    moments: NDArray[np.complex128],
    path: Path | str | None,
    on_save: Callable[[Progress], None] | None,
    on_start: Callable[[Estimate], None] | None = None,
) -> xr.Dataset:
    """Return the run of a specification from its initial moments; see `KineticSolver.run`."""
    return _Run(spec, moments, path, on_save, on_start).whole()


class _Run:
    """A run under way."""

    def __init__(
        self,
        spec: RunSpec,
        moments: NDArray[np.complex128],
        path: Path | str | None,
        on_save: Callable[[Progress], None] | None,
        on_start: Callable[[Estimate], None] | None,
    ) -> None:
        self.spec, self.on_save, self.on_start = spec, on_save, on_start
        self.settings = spec.settings(moments)
        self.x = np.arange(spec.points) * (float(spec.parameters.length) / spec.points)
        self.uniform = bool(np.abs(moments[0] - 1).max() <= 1e-12)
        self.reach = 1.0 if spec.forcing is None else spec.forcing.reach(spec.until)
        self.bounds = self._bounds(0.0)
        self.store = None if path is None else Store(path, self.settings, self.x)
        if self.store is not None and self.store.invalid:
            raise NumericalError(f"{path} was stopped: {self.store.invalid}; choose another name, or remove it")
        self.frames: list[tuple[float, dict[str, np.ndarray]]] = []
        with working(spec.precision) as real:
            self.complex = complex_type(real)
            self.case: Case = case_of(spec.parameters, spec.closure, spec.points, self.uniform, spec.sweeps, forcing=spec.forcing)
            self.state = transform(jnp.asarray(moments[1:] if self.uniform else moments, self.complex))
            self.dt = jnp.asarray(spec.dt, real)

    def whole(self) -> xr.Dataset:
        """Return the run, from its start or from where the store ends."""
        carry, done = None, 0
        if self.store is not None:
            with working(self.spec.precision):
                shapes = eqx.filter_eval_shape(begin, self.case, self.state, self.dt)
                blank = jax.tree.map(lambda part: np.empty(part.shape, part.dtype), shapes)
                saved, arrays = self.store.resume(carry_arrays(blank))
                if saved:
                    done, parts = saved - 1, [jnp.asarray(arrays[name]) for name in carry_arrays(blank)]
                    carry = jax.tree.unflatten(jax.tree.structure(blank), parts)
        if self.on_start is not None and done < self.spec.last:
            self.on_start(self._estimate(carry, self.spec.last - done))
        if carry is None:
            self._save(0, self.state, None)
        for index in range(done + 1, self.spec.last + 1):
            carry = self._block(carry, index)
            self._save(index, timed(carry), carry)
        if self.store is not None:
            times = slice(None, self.spec.last + 1)
            return open_run(self.store.path).isel(time=times)
        return self._dataset()

    def _estimate(self, carry: StepperState | None, frames: int) -> Estimate:
        """Return what is to come, by steps that are timed and thrown away."""
        with working(self.spec.precision):
            held = begin(self.case, self.state, self.dt) if carry is None else carry
            held = advance(self.case, held, self.dt, jnp.asarray(1))  # compiles
            jax.block_until_ready(held)
            clock = time.perf_counter()
            jax.block_until_ready(advance(self.case, held, self.dt, jnp.asarray(TIMED)))
            stepping = (time.perf_counter() - clock) / TIMED
            jax.block_until_ready(observe(self.case, timed(held)))  # compiles
            clock = time.perf_counter()
            seen = jax.block_until_ready(observe(self.case, timed(held)))
            seeing = time.perf_counter() - clock
        steps = frames * self.spec.every
        return Estimate(
            seconds=steps * stepping + frames * seeing,
            steps=steps,
            frames=self.spec.last + 1,
            frame_bytes=sum(array.nbytes for array in self._chosen(seen).values()),
            carry_bytes=sum(part.nbytes for part in jax.tree.leaves(held)),
        )

    def _chosen(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Return the fields that are saved: those that are wanted, and the density where it varies."""
        wanted = self.spec.fields or [name for name in FIELDS if name not in EXTRA]
        return {name: field for name, field in fields.items() if name in wanted or name == "density"}

    def _bounds(self, time: float) -> Bounds:
        """Return the bounds of the time step at a time: a strain goes on making waves shorter."""
        spec = self.spec
        reach = 1.0 if spec.forcing is None else spec.forcing.reach(time)
        return stable_bounds(spec.parameters, spec.points, spec.modes or 1, spec.dt, reach)

    def _block(self, carry: StepperState | None, index: int) -> StepperState:
        """Return the carry at a saved index from that at the one before."""
        if self.reach > 1:
            self.bounds = self._bounds(index * self.spec.save_every)
        step = (index - 1) * self.spec.every
        while step < index * self.spec.every:
            count = min(STRIDE, index * self.spec.every - step)
            after = self._steps(carry, count)
            if self._fault(self._watch(after)) is not None:
                self._stop(carry, step, count)
            carry, step = after, step + count
        assert carry is not None
        return carry

    def _steps(self, carry: StepperState | None, count: int) -> StepperState:
        with working(self.spec.precision):
            if carry is None:
                carry, count = begin(self.case, self.state, self.dt), count - 1
                self._check_type(carry_arrays(carry))
            return advance(self.case, carry, self.dt, jnp.asarray(count))

    def _watch(self, carry: StepperState) -> Watch:
        with working(self.spec.precision):
            return jax.tree.map(float, watch(self.case, carry))

    def _fault(self, seen: Watch) -> Fault | None:
        return fault(seen, self.bounds, self.spec.closed, strict=bool(self.spec.chosen))

    def _stop(self, carry: StepperState | None, step: int, count: int) -> None:
        """Find the first bad step among the next ones, save the good one before it and raise."""
        wrong, seen, good, after = None, None, None, carry
        for _ in range(count):
            after = self._steps(carry, 1)
            seen, step = self._watch(after), step + 1
            wrong = self._fault(seen)
            if wrong is not None:
                break
            carry, good = after, seen
        assert after is not None and seen is not None
        if wrong is None:  # a longer loop that rounds in another way
            wrong = Fault("values that the guards refuse", "time step")
        if not wrong.cause:
            good = good or (seen if carry is None else self._watch(carry))
            after, seen = carry or after, good
            wrong = wrong._replace(cause=cause(good, self.bounds, self.spec.closed))
        spec = self.spec
        density = 1.0 if self.uniform else float(jnp.real(after.state[0, 0, 0])) / spec.points**2
        moments = np.asarray(after.state, np.complex128) / (spec.points**2 * density)
        advice, changes = remedy(wrong.cause, seen, moments, spec.parameters, spec.modes, spec.dt, self.reach)
        when = step * spec.dt
        message = f"stopped at step {step}, time {when:.6g}: {wrong.quantity}; {advice}"
        index, left = divmod(step - 1, spec.every)
        if carry is not None and left:
            self._save(index + 1, timed(carry), None, (step - 1) * spec.dt)
        if self.store is not None:
            self.store.mark_invalid(message)
            held = open_run(self.store.path)
        else:
            held = self._dataset()
            held.attrs["invalid"] = message
        raise StoppedRun(message, step, when, wrong.quantity, held, wrong.cause, changes)

    def _save(self, index: int, state: Any, carry: StepperState | None, when: float | None = None) -> None:
        with working(self.spec.precision):
            fields = {name: np.asarray(array) for name, array in observe(self.case, state).items()}
        self._check_type(fields)
        when = index * self.spec.save_every if when is None else when
        if self.store is not None:
            self.store.append(index, when, self._chosen(fields), None if carry is None else carry_arrays(carry))
        else:
            self.frames.append((when, self._chosen(fields)))
        if self.on_save is not None:
            density = fields.get("density", 1.0)
            rms = float(np.sqrt(np.mean(np.abs(fields["m1"] / density) ** 2)))
            speed = float(np.sqrt(np.mean(fields["velocity_x"] ** 2 + fields["velocity_y"] ** 2)))
            self.on_save(Progress(when, index, self.spec.last, rms, speed))

    def _check_type(self, arrays: dict[str, np.ndarray]) -> None:
        types = (self.complex, np.dtype(f"f{self.complex.itemsize // 2}"))
        single = [name for name, array in arrays.items() if array.dtype.kind in "fc" and array.dtype not in types]
        if single:
            raise NumericalError(
                f"{single[0]} came out as {arrays[single[0]].dtype} where {self.spec.precision} precision was asked for: "
                "the closure, or JAX's settings, change it"
            )

    def _dataset(self) -> xr.Dataset:
        import xarray as xr

        axes = ("time", "x", "y")
        names = self.frames[0][1]
        variables = {name: (axes, np.stack([fields[name] for _, fields in self.frames]), attributes(name)) for name in names}
        coordinates = {
            "time": ("time", np.array([time for time, _ in self.frames]), attributes("time")),
            **{name: (name, self.x, attributes(name)) for name in ("x", "y")},
        }
        return xr.Dataset(variables, coordinates, self.settings)
