"""Moments of the kinetic theory and how they change.

The distribution Psi(x, theta) of immotile rods obeys (Maddu, Weady and Shelley, J. Comput. Phys. 2024)

    dPsi/dt + div(u Psi) + d/dtheta( theta' Psi ) = d_t Lap Psi + d_r d^2 Psi / dtheta^2
    theta' = p_perp . (grad u + 2 zeta D) . p

Its even moments m_n = <exp(2 i n theta)>, n >= 0 with m_0 = c, m_-1 = m_1*, and h = e + zeta m_1 obey exactly

    dm_n/dt + u . grad m_n = i n w m_n + n (h m_{n-1} - h* m_{n+1}) - 4 n^2 d_r m_n + d_t Lap m_n

and odd ones vanish for rods without head and tail. The kinetic solver keeps m_0 ... m_M and sets m_{M+1} = 0; the coarse model
keeps m_0 and m_1 and a closure gives m_2: equations (7) and (8) of the tensors c and D are the same two lines. A closure of
second order gives m_3 to a coarse model of m_0, m_1 and m_2.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array
from jaxtyping import Complex, Float

from sciml.active_fluid.closures.closure import AnyClosure
from sciml.active_fluid.fields.forcing import STILL, External, Forcing
from sciml.active_fluid.fields.grid import Grid, inverse, scaled, transform
from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.fields.stokes import Flow, solve_flow

Moments = Complex[Array, "moments points points"]


class Model(NamedTuple):
    """What decides the right-hand side.

    Attributes:
        grid: grid of the fields.
        parameters: coefficients of the theory.
        closure: rule for the next moment of the coarse model, None for the kinetic one.
        uniform: whether the density is 1 everywhere, and then no part of the state.
        sweeps: sweeps of the flow's fixed point.
        forcing: what else moves the liquid; then grid and `external` are those of one time, see `at`.
        external: what the forcing adds to the flow.
    """

    grid: Grid
    parameters: Parameters
    closure: AnyClosure | None
    uniform: bool
    sweeps: int
    forcing: Forcing | None = None
    external: External = STILL

    def at(self, time: Array | float, sheets: Array | int = 0) -> Model:
        """Return the model of a time, the same where nothing is forced.

        Args:
            time: time from the start of the run.
            sheets: whole lengths of the tilt that are left out (`sciml.active_fluid.fields.forcing`).
        """
        if self.forcing is None:
            return self
        grid, time = self.grid, jnp.asarray(time, self.grid.k2.dtype)
        if self.forcing.moves:
            grid = Grid.deformed(grid.k2.shape[-1], self.parameters.length, *self.forcing.frame(time, sheets))
        return self._replace(grid=grid, external=self.forcing.external(grid, self.parameters, time))

    def linear(self, count: int) -> Float[Array, "moments points points"]:
        """Return `linear` of this model."""
        return linear(self, count)

    def tendency(self, state: Moments, guess: Flow | None, sweeps: int | None = None) -> tuple[Moments, Flow]:
        """Return `tendency` of this model."""
        return tendency(self, state, guess, sweeps)


def linear(model: Model, count: int) -> Float[Array, "moments points points"]:
    """Return -d_t k^2 - 4 n^2 d_r for each moment of a state."""
    first = 1 if model.uniform else 0
    orders = jnp.arange(first, first + count)[:, None, None]
    return -model.parameters.d_t * model.grid.k2 - 4 * orders**2 * model.parameters.d_r


def flow_of(model: Model, fields: Moments, guess: Flow | None, sweeps: int | None = None) -> Flow:
    """Return the flow of moments given as fields, with the m2 that goes with it."""
    c, m1, higher = parted(model.uniform, fields)
    if len(higher):
        second = lambda strain, vorticity: higher[0]  # noqa: E731
    else:
        second = partial(_closed, model, c, m1)
    mean = 1.0 if model.uniform else jnp.mean(c)
    return solve_flow(model.grid, c, m1, second, guess, model.parameters, sweeps or model.sweeps, mean, model.external)


def tendency(model: Model, state: Moments, guess: Flow | None, sweeps: int | None = None) -> tuple[Moments, Flow]:
    """Return the explicit part of the right-hand side in Fourier space, and the flow.

    Args:
        model: grid, parameters and closure.
        state: Fourier coefficients of the moments.
        guess: flow to start from.
        sweeps: sweeps of the fixed point, the model's by default.
    """
    grid = model.grid
    fields = inverse(state)
    flow = flow_of(model, fields, guess, sweeps)
    c, m1, higher = parted(model.uniform, fields)
    # n runs over the state; below stands m_{n-1}, above m_{n+1}
    first = 1 if model.uniform else 0
    orders = jnp.arange(first, first + len(fields))[:, None, None]
    lowest = jnp.broadcast_to(jnp.asarray(c, m1.dtype), m1.shape) if model.uniform else jnp.conj(m1)
    if model.closure is None:
        highest = jnp.zeros_like(m1)
    else:
        rule: Any = model.closure
        highest = rule.above(c, m1, higher[0], model.parameters) if len(higher) else flow.m2
    below, above = jnp.concatenate([lowest[None], fields[:-1]]), jnp.concatenate([fields[1:], highest[None]])
    # F[ i n w m_n + n (h m_{n-1} - h* m_{n+1}) ] - F[ div(u m_n) ], div u = 0, without the aliased third
    h = flow.strain + model.parameters.zeta * m1
    turned = scaled(scaled(1j * fields, flow.vorticity) + h * below - jnp.conj(h) * above, orders)
    flux_x, flux_y = transform(scaled(fields, flow.velocity.real)), transform(scaled(fields, flow.velocity.imag))
    flux = scaled(flux_x, grid.kx) + scaled(flux_y, grid.ky)
    return scaled(transform(turned) - 1j * flux, grid.keep), flow


def _closed(model: Model, c: Array, m1: Array, strain: Array, vorticity: Array) -> Array:
    rule: Any = model.closure
    return rule(c, m1, strain, vorticity, model.parameters)


def parted(uniform: bool, fields: Moments) -> tuple[Array, Array, Array]:
    """Return density, m1 and the moments above of fields, which begin with the density where it is not uniform."""
    if uniform:
        return jnp.ones((), fields.real.dtype), fields[0], fields[1:]
    return fields[0].real, fields[1], fields[2:]
