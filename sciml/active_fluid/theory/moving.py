"""Time and lattice of a forced run; without a forcing nothing of this is compiled."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from sciml.active_fluid.fields.grid import scaled


class Clock(NamedTuple):
    """Where a forced run is.

    Attributes:
        steps: steps from its start.
        time: time from its start.
        sheets: whole lengths by which a shear has moved the upper side of the box, and which its lattice leaves out.
    """

    steps: Array
    time: Array
    sheets: Array


def at(model: Any, time: Array | float, sheets: Array | int = 0) -> Any:
    """Return the equations of a time: themselves where they have no forcing (`sciml.active_fluid.theory.moments.Model.at`)."""
    return model if getattr(model, "forcing", None) is None else model.at(time, sheets)


def tilt_of(model: Any, clock: Clock | None) -> Array | None:
    """Return the tilt of the box at a time of its clock, None where it does not move."""
    forcing = getattr(model, "forcing", None)
    return None if clock is None or forcing is None or not forcing.moves else forcing.frame(clock.time, clock.sheets).tilt


def upright(model: Any, carry: Any, dt: Array | float, count: Array | int) -> Any:
    """Return the carry of a step with its clock set, on the lattice whose tilt is nearest to 0.

    Args:
        model: equations.
        carry: a `StepperState` with the clock of the step before, or with None after the first step.
        dt: time step.
        count: steps from the start.
    """
    forcing = getattr(model, "forcing", None)
    if forcing is None:
        return carry
    points, real = model.grid.k2.shape[-1], model.grid.k2.dtype
    held = jnp.zeros((), jnp.int32) if carry.clock is None else carry.clock.sheets
    clock = Clock(jnp.asarray(count, jnp.int32), jnp.asarray(count * dt, real), held)
    if forcing.shear is None:
        return carry._replace(clock=clock)
    sheets = forcing.sheets(clock.time)
    shift = sheets - held
    counts, places = np.fft.fftfreq(points, 1 / points).astype(int), np.arange(points)

    def of_waves(field: Array) -> Array:
        # with X' = X + s Y the wave (K_x, K_y) is (K_x, K_y - s K_x); what leaves the resolved ones is dropped
        source = counts[None, :] + shift * counts[:, None]
        kept = model.grid.keep * (jnp.abs(source) < points / 3)
        return scaled(jnp.take_along_axis(field, (source % points)[None], -1), kept)

    def of_places(field: Array) -> Array:
        return jnp.take_along_axis(field, (places[:, None] - shift * places[None, :]) % points, 0)

    def moved() -> Any:
        waves = {name: of_waves(getattr(carry, name)) for name in ("state", "before", "slope_before")}
        flows = {name: jax.tree.map(of_places, getattr(carry, name)) for name in ("flow", "flow_before")}
        return carry._replace(**waves, **flows)

    carry = carry._replace(clock=None)
    return jax.lax.cond(shift != 0, moved, lambda: carry)._replace(clock=clock._replace(sheets=sheets))
