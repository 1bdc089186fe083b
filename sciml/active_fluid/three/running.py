"""Runs in three dimensions: what is refused before, what stops them, and what is seen of a state."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from sciml import __version__
from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.solvers.causes import StoppedRun
from sciml.active_fluid.solvers.evolution import advance, begin
from sciml.active_fluid.solvers.guards import TOLERANCE, Bounds, stable_bounds, stable_step
from sciml.active_fluid.solvers.running import RunSpec
from sciml.active_fluid.theory.stepping import StepperState, cold_sweeps
from sciml.active_fluid.three.bingham import fourth_moments
from sciml.active_fluid.three.equations import Equations, Flow, Grid, Waves, inverse, orientation
from sciml.active_fluid.three.tensors import eigenvalues, full
from sciml.runtime.errors import DataError, ShapeError

if TYPE_CHECKING:
    import xarray as xr

# steps between two checks by the guards
STRIDE = 20
# largest wave number of a cube over that of a square
REACH = math.sqrt(1.5)
AXES = ("x", "y", "z")
NAMES = {
    "D": "orientation <p p>, whose trace is the density",
    "velocity": "velocity",
    "vorticity": "vorticity, the curl of the velocity",
    "order": "order of the rods: 3/2 of the largest eigenvalue of D / c, less 1/2",
}


class Case(NamedTuple):
    """Equations without their grid, which is made anew inside each compiled function.

    Attributes:
        parameters: coefficients of the theory, as arrays.
        points: points a side.
        sweeps: sweeps of the flow's fixed point in a step.
    """

    parameters: Parameters
    points: int
    sweeps: int

    def model(self) -> Equations:
        """Return the equations, in the precision of their numbers."""
        real = jnp.result_type(self.parameters.alpha)
        return Equations(Grid.of(self.points, self.parameters.length, real), self.parameters, self.sweeps)


class Watch(NamedTuple):
    """Numbers that tell whether a step is good.

    Attributes:
        finite: whether every value of the state is finite.
        density: least c.
        least: least eigenvalue of D / c.
        speed: largest |u|, of the step before.
    """

    finite: Any
    density: Any
    least: Any
    speed: Any


@eqx.filter_jit
def watch(case: Case, carry: StepperState) -> Watch:
    """Return the numbers that tell whether a step is good."""
    fields = inverse(carry.state)
    flow: Flow = carry.flow
    return Watch(
        finite=jnp.all(jnp.isfinite(carry.state)),
        density=jnp.min(fields[0]),
        least=jnp.min(eigenvalues(orientation(fields))[2] / fields[0]),
        speed=jnp.sqrt(jnp.max(jnp.sum(flow.velocity**2, 0))),
    )


@eqx.filter_jit
def seen(case: Case, state: Waves) -> dict[str, Array]:
    """Return the fields of a state that a run saves, with the flow converged."""
    model, fields = case.model(), inverse(state)
    d = orientation(fields)
    flow = model.flow(d, fourth_moments(d), None, cold_sweeps(model))
    g = flow.gradient
    return {
        "D": full(jnp.stack(d)),
        "velocity": flow.velocity,
        "vorticity": jnp.stack([g[2, 1] - g[1, 2], g[0, 2] - g[2, 0], g[1, 0] - g[0, 1]]),
        "order": 1.5 * eigenvalues(d)[0] / fields[0] - 0.5,
    }


def checked(initial: Any, points: int) -> Float[np.ndarray, "3 3 x y z"]:
    """Return D of an initial state.

    Raises:
        ShapeError: another shape.
        DataError: values that are not finite, a D that is not symmetric, or one that no rods have.
    """
    values = initial["D"] if hasattr(initial, "data_vars") else initial
    d = np.asarray(values.isel(time=-1) if "time" in getattr(values, "dims", ()) else values)
    if d.shape != (3, 3, points, points, points) or d.dtype.kind != "f":
        raise ShapeError(f"D of the shape {d.shape} and type {d.dtype}: expected real (3, 3, {points}, {points}, {points})")
    if not np.isfinite(d).all():
        raise DataError("the initial state has values that are not finite")
    apart = np.abs(d - d.swapaxes(0, 1)).max()
    if apart > TOLERANCE * np.abs(d).max():
        raise DataError(f"D is not symmetric: D_ij and D_ji differ by {apart:.3g}")
    values, density = np.linalg.eigvalsh(np.moveaxis(d, (0, 1), (-2, -1)))[..., 0], np.trace(d)
    if density.min() <= 0:
        raise DataError(f"the density tr D is {density.min():.6g}: it has to be above 0")
    if (values / density).min() < -TOLERANCE:
        cell = tuple(int(n) for n in np.unravel_index(np.argmin(values / density), density.shape))
        raise DataError(f"D has the eigenvalue {(values / density).min():.3g} of the density at cell {cell}: no rods have that")
    return d


def follow(spec: RunSpec, case: Case, state: Waves, on_save: Callable[[float], None] | None) -> xr.Dataset:
    """Return the run of a specification from Fourier coefficients; see `CoarseSolver3D.run`."""
    speed = stable_bounds(spec.parameters, spec.points, 1, spec.dt, REACH).speed
    frames: list[dict[str, np.ndarray]] = [jax.tree.map(np.asarray, seen(case, state))]
    dt, carry, done = jnp.asarray(spec.dt, state.real.dtype), None, 0
    look = lambda held: fault(jax.tree.map(float, watch(case, held)), spec, speed)  # noqa: E731
    for index in range(1, spec.last + 1):
        while done < index * spec.every:
            end, step = min(done + STRIDE, index * spec.every), done
            if carry is None:
                carry, step = begin(case, state, dt), 1
            after = advance(case, carry, dt, jnp.asarray(end - step))
            if look(after) is not None:
                # the first bad one of these steps
                while (wrong := look(carry)) is None and step < end:
                    carry, step = advance(case, carry, dt, jnp.asarray(1)), step + 1
                quantity, advice = wrong or ("values that the guards refuse", "give a smaller time step")
                message = f"stopped at step {step}, time {step * spec.dt:.6g}: {quantity}; {advice}"
                raise StoppedRun(message, step, step * spec.dt, quantity, _dataset(spec, frames, {"invalid": message}))
            carry, done = after, end
        assert carry is not None
        frames.append(jax.tree.map(np.asarray, seen(case, carry.state)))
        if on_save is not None:
            on_save(index * spec.save_every)
    return _dataset(spec, frames, {})


def fault(state: Watch, spec: RunSpec, speed: float) -> tuple[str, str] | None:
    """Return what is wrong with a step and what to do, or None.

    Args:
        state: numbers of the step.
        spec: of the run.
        speed: largest |u| that the time step carries.
    """
    if not state.finite or not math.isfinite(state.speed):
        return "values that are not finite", "give a smaller time step, or more points"
    if state.density <= 0:
        return f"a density of {state.density:.3g}", "give more points"
    if state.speed > speed:
        wanted = stable_step(spec.parameters, spec.points, 1, Bounds(state.speed, 0.0), spec.dt, REACH)
        return f"a speed of {state.speed:.3g}, above {speed:.3g}", f"give a time step of {wanted:g} or less"
    if state.least < -TOLERANCE:
        return f"an eigenvalue of D of {state.least:.3g} of the density", "give more points, or a smaller time step"
    return None


def _dataset(spec: RunSpec, frames: list[dict[str, np.ndarray]], more: dict[str, str]) -> xr.Dataset:
    import xarray as xr

    dimensions = {"D": ("time", "i", "j", *AXES), "order": ("time", *AXES)}
    variables = {
        name: (dimensions.get(name, ("time", "i", *AXES)), np.stack([frame[name] for frame in frames]), _about(text))
        for name, text in NAMES.items()
    }
    side = np.arange(spec.points) * (float(spec.parameters.length) / spec.points)
    places = {axis: (axis, side, _about(f"coordinate {axis}, in units of the theory's length")) for axis in AXES}
    times = ("time", spec.save_every * np.arange(len(frames)), _about("time"))
    settings = {"model": "coarse, three dimensions", "closure": "bingham", **spec.parameters.as_dict(), "points": spec.points}
    settings |= {"time_step": spec.dt, "precision": spec.precision, "sweeps": spec.sweeps, "version": __version__, **more}
    return xr.Dataset(variables, {"time": times, "i": list(AXES), "j": list(AXES), **places}, settings)


def _about(name: str) -> dict[str, str]:
    return {"long_name": name, "units": "1"}
