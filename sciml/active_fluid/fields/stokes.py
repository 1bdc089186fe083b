"""The flow of the rods' own stress, without inertia.

    -Lap u + mu u + grad P = div Sigma,   div u = 0,   zero mean flow

mu is the friction of a substrate, 0 without one. Only the traceless part sigma = Sigma_11' + i Sigma_12' of the stress drives a
flow. With the stream function psi (u = d_y psi, v = -d_x psi), strain e = E_11 + i E_12, vorticity w = v_x - u_y and
kappa = k_x + i k_y,

    psi = Re F^-1[ i kappa*^2 / (k^2 (k^2 + mu)) F[sigma] ],   F[e] = (i kappa^2 / 2) F[psi],   F[w] = k^2 F[psi]

The stress contains the strain (Maddu, Weady and Shelley, J. Comput. Phys. 2024, in complex moments):

    sigma = alpha m1 / 2 + beta / 4 ( c (e - zeta m1) + h* m2 ),    h = e + zeta m1

Its part beta c0 e / 4 with the mean density c0 is diagonal: with it psi is divided by k^4 (1 + beta c0 / 8 + mu / k^2). What is
left is a fixed point, whose sweeps contract by at most beta c0 / (8 + beta c0), below 1 for every beta, where the rods are
aligned in full, and by much less where they are not. A closure that depends on the strain is part of the fixed point.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Complex, Float

from sciml.active_fluid.fields.forcing import STILL, External
from sciml.active_fluid.fields.grid import Field, Grid, inverse, of_real_part, scaled, transform
from sciml.active_fluid.fields.parameters import Parameters

# sweeps up to which the fixed point is no loop
MAX_UNROLLED = 6

Second = Callable[[Field, Float[Array, "points points"]], Field]


class Flow(NamedTuple):
    """A flow and the second moment that goes with it.

    Attributes:
        velocity: u + i v, without that of a uniform gradient, with which the grid moves.
        strain: E_11 + i E_12, all of it.
        vorticity: v_x - u_y, all of it.
        m2: <exp(4 i theta)>, as the last sweep had it.
    """

    velocity: Complex[Array, "points points"]
    strain: Complex[Array, "points points"]
    vorticity: Float[Array, "points points"]
    m2: Complex[Array, "points points"]


def stress(c: Array, m1: Field, m2: Field, strain: Field, parameters: Parameters) -> Field:
    """Return the traceless stress sigma of moments and strain."""
    p = parameters
    h = strain + p.zeta * m1
    return p.alpha * m1 / 2 + p.beta / 4 * (c * (strain - p.zeta * m1) + jnp.conj(h) * m2)


def flow_of_stress(grid: Grid, sigma: Field) -> Flow:
    """Return the flow of a given stress, all of it, without friction."""
    psi = of_real_part(grid.stream * grid.keep * transform(sigma))
    return _flow(grid, psi, sigma * 0, STILL)


def solve_flow(
    grid: Grid,
    c: Array,
    m1: Field,
    second: Second,
    guess: Flow | None,
    parameters: Parameters,
    sweeps: int,
    mean_c: Array | float,
    external: External = STILL,
) -> Flow:
    """Return the flow in which the stress contains its own strain.

    Args:
        grid: grid of the fields.
        c: density, (points, points) or a scalar.
        m1: <exp(2 i theta)>.
        second: m2 of strain and vorticity.
        guess: flow to start from; none starts from rest.
        parameters: coefficients of the theory.
        sweeps: sweeps of the fixed point.
        mean_c: mean density.
        external: what else moves the liquid.
    """
    implicit = 1 + parameters.beta * mean_c / 8
    if parameters.friction is not None:
        implicit = implicit + parameters.friction / jnp.where(grid.k2 > 0, grid.k2, 1)
    strain = jnp.zeros_like(m1) if guess is None else guess.strain
    vorticity = jnp.zeros_like(m1.real) if guess is None else guess.vorticity

    def sweep(strain: Array, vorticity: Array) -> tuple[Array, Array]:
        # psi_{j+1} = ( i kappa*^2 / k^4 F[ sigma(e_j) - beta c0 e_j / 4 ] + drive ) / (1 + beta c0 / 8 + mu / k^2)
        m2 = second(strain, vorticity)
        explicit = stress(c, m1, m2, strain, parameters) - parameters.beta / 4 * mean_c * strain
        psi = of_real_part(scaled(grid.stream, grid.keep / implicit) * transform(explicit))
        return psi if external.drive is None else psi + scaled(external.drive, grid.keep / implicit), m2

    def again(held: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
        psi, _m2 = sweep(*held)
        return _deformation(grid, psi, external), None

    # a loop is compiled once, and a few sweeps run faster without one
    (strain, vorticity), _ = jax.lax.scan(again, (strain, vorticity), None, sweeps - 1, unroll=sweeps <= MAX_UNROLLED)
    psi, m2 = sweep(strain, vorticity)
    return _flow(grid, psi, m2, external)


def _deformation(grid: Grid, psi: Field, external: External) -> tuple[Field, Array]:
    """Return strain and vorticity."""
    # e = F^-1[ i kappa^2 / 2 psi ], w = F^-1[ k^2 psi ]
    strain, vorticity = inverse(grid.strain * psi), inverse(scaled(psi, grid.k2)).real
    if external.strain is None or external.vorticity is None:
        return strain, vorticity
    return strain + external.strain, vorticity + external.vorticity


def _flow(grid: Grid, psi: Field, m2: Field, external: External) -> Flow:
    """Return all of a flow from the coefficients of its stream function."""
    # u + i v has the coefficients i k_y psi + i (-i k_x psi) = (k_x + i k_y) psi
    velocity = inverse((grid.kx + 1j * grid.ky) * psi)
    strain, vorticity = _deformation(grid, psi, external)
    return Flow(velocity if external.mean is None else velocity + external.mean, strain, vorticity, m2)
