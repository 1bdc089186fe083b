"""The coarse model in three dimensions: its grid, its flow and what changes it.

With D = <p p>, c = tr D, S = <p p p p>, (grad u)_ij = d u_i / d x_j, E its symmetric part and T = E + 2 zeta D, immotile rods
that turn as p' = (I - p p).(grad u + 2 zeta D).p and diffuse on the sphere, where p p - I / 3 falls with 6 d_r, obey

    dc/dt + u . grad c = d_t Lap c
    dD/dt + u . grad D = grad u . D + D . grad u^T + 4 zeta D.D - 2 S:T + d_t Lap D - 6 d_r (D - c I / 3)
    -Lap u + grad P = div Sigma,   div u = 0,   Sigma = alpha D + beta S:E - 2 zeta beta (D.D - S:D)

(Maddu, Weady and Shelley, J. Comput. Phys. 2024, on the sphere instead of the circle: 6 d_r (D - c I / 3) stands for
4 d_r (D - c I / 2); `sciml.active_fluid.three.bingham` closes S.) The state is c and Q = D - c I / 3, for which the diffusions
are diagonal: c, Q_xx, Q_yy, Q_xy, Q_xz, Q_yz. So tr D = c at all times.

The stress holds the strain. Between rods that are all aligned and strains across them S:E lies between 0 and 2/3 c E; its middle,
c0 E / 3 with the mean density, is solved at once, and the sweeps for the rest contract by at most beta c0 / (6 + beta c0). A
friction adds friction u on the left of the flow's equation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Complex, Float

from sciml.active_fluid.fields.grid import scaled
from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.three.bingham import fourth_moments
from sciml.active_fluid.three.tensors import (
    AXES,
    PAIRS,
    PLACE,
    Fields,
    contracted,
    parts,
    plus,
    product,
    symmetric,
    trace,
)

Waves = Complex[Array, "component x y z"]
COMPONENTS = 6
# components of a tensor without trace that are kept: all but zz
TRACELESS = (0, 1, 3, 4, 5)
SPACE = (-3, -2, -1)


class Grid(NamedTuple):
    """Wave numbers of a periodic cube as `jnp.fft.rfftn` orders them: z has the half from 0 on.

    Attributes:
        k: derivative factors without i, (3, x, y, z), 0 at the Nyquist frequency.
        k2: square of the wave number, with the Nyquist frequency.
        inverse_k2: 1 / k . k, and 0 where that is 0.
        keep: 1 below two thirds of the largest wave number on all axes, else 0: products of two kept fields do not alias.
    """

    k: Float[Array, "3 x y z"]
    k2: Float[Array, "x y z"]
    inverse_k2: Float[Array, "x y z"]
    keep: Float[Array, "x y z"]

    @classmethod
    def of(cls, points: int, length: float | Array, real: jnp.dtype) -> Grid:
        """Return the grid of a cube of that side, in a real type."""
        counts = np.fft.fftfreq(points, 1 / points)
        whole = np.stack(np.meshgrid(counts, counts, np.arange(points // 2 + 1.0), indexing="ij"))
        inner = np.where(np.abs(whole) == points // 2, 0, whole)
        square = (inner**2).sum(0)
        scale = 2 * np.pi / jnp.asarray(length, real)
        array = lambda values: jnp.asarray(values, real)  # noqa: E731
        return cls(
            k=scale * array(inner),
            k2=scale**2 * array((whole**2).sum(0)),
            inverse_k2=array(np.where(square > 0, 1 / np.maximum(square, 1), 0)) / scale**2,
            keep=array((np.abs(whole) < points / 3).all(0)),
        )


class Flow(NamedTuple):
    """A flow.

    Attributes:
        velocity: (3, x, y, z).
        gradient: d u_i / d x_j, (3, 3, x, y, z).
    """

    velocity: Float[Array, "3 x y z"]
    gradient: Float[Array, "3 3 x y z"]


class Equations(NamedTuple):
    """What decides the right-hand side.

    Attributes:
        grid: grid of the fields.
        parameters: coefficients of the theory.
        sweeps: sweeps of the flow's fixed point.
    """

    grid: Grid
    parameters: Parameters
    sweeps: int

    def linear(self, count: int) -> Float[Array, "component x y z"]:
        """Return the rates of the diffusions: -d_t k^2 of c and -d_t k^2 - 6 d_r of Q."""
        falls = jnp.asarray([0.0] + [6.0] * (count - 1), self.grid.k2.dtype)
        return -self.parameters.d_t * self.grid.k2 - falls[:, None, None, None] * self.parameters.d_r

    def tendency(self, state: Waves, guess: Flow | None, sweeps: int | None = None) -> tuple[Waves, Flow]:
        """Return the explicit part of the right-hand side in Fourier space, and the flow.

        Args:
            state: Fourier coefficients of c and Q.
            guess: flow to start from; none starts from rest.
            sweeps: sweeps of the fixed point, these equations' by default.
        """
        grid = self.grid
        fields = inverse(state)
        d = orientation(fields)
        fourth = closure(d)
        flow = self.flow(d, fourth, guess, sweeps)
        gradient = [parts(row) for row in parts(flow.gradient)]
        turned = transform(jnp.stack(turning(d, fourth, gradient, symmetric(flow.gradient), self.parameters.zeta)))
        # F[u . grad f] = i k . F[u f], div u = 0
        carried = -1j * dot([transform(one * fields) for one in parts(flow.velocity)], grid.k)
        return scaled(carried + jnp.concatenate([jnp.zeros_like(turned[:1]), turned]), grid.keep), flow

    def flow(self, d: Fields, fourth: Fields, guess: Flow | None, sweeps: int | None = None) -> Flow:
        """Return the flow in which the stress holds its own strain.

        Args:
            d: six components of D as fields.
            fourth: fifteen components of S.
            guess: flow to start from; none starts from rest.
            sweeps: sweeps of the fixed point, these equations' by default.
        """
        p, grid = self.parameters, self.grid
        mean = jnp.mean(trace(d))
        still = plus(d, plus(product(d, d), contracted(fourth, d), 1.0, -1.0), p.alpha, -2 * p.zeta * p.beta)
        friction = 0.0 if p.friction is None else p.friction
        across = grid.keep * grid.inverse_k2 / (1 + p.beta * mean / 6 + friction * grid.inverse_k2)

        def sweep(strain: Fields) -> Waves:
            # u_{j+1} = (I - k k / k^2) i k . F[ Sigma(E_j) - beta c0 E_j / 3 ] / (k^2 (1 + beta c0 / 6) + friction)
            stress = plus(still, plus(contracted(fourth, strain), strain, 1.0, -mean / 3), 1.0, p.beta)
            # the pressure takes what is isotropic, and with it zz
            waves = parts(transform(jnp.stack([stress[n] - stress[2] if n < 3 else stress[n] for n in TRACELESS])))
            six = [*waves[:2], jnp.zeros_like(waves[0]), *waves[2:]]
            force = [dot([six[n] for n in row], grid.k) for row in PLACE]
            along = scaled(dot(force, grid.k), grid.inverse_k2)
            return jnp.stack([scaled(1j * (one - scaled(along, k)), across) for one, k in zip(force, grid.k, strict=True)])

        def again(strain: list[Array], _: None) -> tuple[list[Array], None]:
            u = parts(sweep(strain))
            # E_ij = i (k_i u_j + k_j u_i) / 2, without trace
            waves = [0.5j * (scaled(u[j], grid.k[i]) + scaled(u[i], grid.k[j])) for i, j in (PAIRS[n] for n in TRACELESS)]
            e = parts(inverse(jnp.stack(waves)))
            return [e[0], e[1], -e[0] - e[1], *e[2:]], None

        strain = [jnp.zeros_like(one) for one in d] if guess is None else symmetric(guess.gradient)
        strain, _ = jax.lax.scan(again, strain, None, (sweeps or self.sweeps) - 1)
        u = sweep(strain)
        return Flow(inverse(u), inverse(1j * scaled(u[:, None], grid.k)))


def rates(d: Fields, fourth: Fields, gradient: Sequence[Fields], strain: Fields, zeta: Array) -> list[Array]:
    """Return what turns the rods: components xx, yy, xy, xz, yz of a tensor without trace, as fields."""
    # grad u . D + (grad u . D)^T + 4 zeta D.D - 2 S:T
    squared, closed = product(d, d), contracted(fourth, plus(strain, d, 1.0, 2 * zeta))
    found = []
    for n in TRACELESS:
        i, j = PAIRS[n]
        one, two, three = (gradient[i][k] * d[PLACE[k][j]] + gradient[j][k] * d[PLACE[k][i]] for k in AXES)
        found.append(one + two + three + 4 * zeta * squared[n] - 2 * closed[n])
    return found


# reverse mode keeps what goes into these and computes what is inside again: it would keep hundreds of fields a step
closure = jax.checkpoint(fourth_moments, prevent_cse=False)  # pyright: ignore[reportPrivateImportUsage]
turning = jax.checkpoint(rates, prevent_cse=False)  # pyright: ignore[reportPrivateImportUsage]


def transform(field: Float[Array, "*stack x y z"]) -> Complex[Array, "*stack x y z"]:
    """Return Fourier coefficients of real fields over the last three axes."""
    return jnp.fft.rfftn(field, axes=SPACE)


def inverse(waves: Complex[Array, "*stack x y z"]) -> Float[Array, "*stack x y z"]:
    """Return the real fields, on an even number of points a side, of Fourier coefficients."""
    return jnp.fft.irfftn(waves, axes=SPACE)


def orientation(fields: Float[Array, "component x y z"]) -> list[Array]:
    """Return the six components of D of c and Q: D = Q + c I / 3, Q_zz = -Q_xx - Q_yy."""
    c, xx, yy, *others = parts(fields)
    return [xx + c / 3, yy + c / 3, c / 3 - xx - yy, *others]


def components(d: Fields) -> Float[Array, "component x y z"]:
    """Return c and Q of the six components of D."""
    c = trace(d)
    return jnp.stack([c, d[0] - c / 3, d[1] - c / 3, *d[3:]])


def dot(waves: Fields, k: Float[Array, "3 x y z"]) -> Array:
    """Return the sum over the axes of waves_i k_i."""
    return scaled(waves[0], k[0]) + scaled(waves[1], k[1]) + scaled(waves[2], k[2])
