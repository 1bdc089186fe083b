"""Periodic square grids and what is diagonal in Fourier space.

Fields are indexed [x, y] with x = i L / N; transforms run over the last two axes. kappa = k_x + i k_y.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Complex, Float

from sciml.active_fluid.fields.spread import transformed
from sciml.runtime.errors import ConfigError

Field = Complex[Array, "*stack points points"]
MIN_POINTS = 16


def check_points(points: int) -> None:
    """Raise ConfigError where a grid cannot have so many points a side."""
    if points % 2 or points < MIN_POINTS:
        raise ConfigError(f"{points} points a side: the grid needs an even number of at least {MIN_POINTS}")


class Grid(eqx.Module):
    """Wave numbers of a periodic square, in Fourier order.

    Attributes:
        kx, ky: derivative factors without i, zero at the Nyquist frequency, where a derivative of a real field has no value.
        k2: kx^2 + ky^2 with the Nyquist frequency, for diffusion.
        keep: 1 below two thirds of the largest wave number on both axes, else 0: products of two kept fields do not alias.
        stream: i kappa*^2 / k^4 and 0 at k = 0, from stress to stream function (see `sciml.active_fluid.fields.stokes`).
        strain: i kappa^2 / 2, from stream function to strain.
    """

    kx: Float[Array, "points 1"]
    ky: Float[Array, "1 points"]
    k2: Float[Array, "points points"]
    keep: Float[Array, "points points"]
    stream: Field
    strain: Field

    @classmethod
    def of(cls, points: int, length: float | Array) -> Grid:
        """Return the grid of a square of that side."""
        counts = np.fft.fftfreq(points, 1 / points)
        scale = 2 * np.pi / length
        whole_x, whole_y = np.meshgrid(counts, counts, indexing="ij")
        inner = np.where(np.abs(counts) == points // 2, 0, counts)
        kappa = inner[:, None] + 1j * inner[None, :]
        square = np.abs(kappa) ** 2
        square[square == 0] = np.inf
        keep = np.abs(counts) < points / 3
        return cls(
            kx=scale * jnp.asarray(inner[:, None]),
            ky=scale * jnp.asarray(inner[None, :]),
            k2=scale**2 * jnp.asarray(whole_x**2 + whole_y**2),
            keep=jnp.asarray(1.0 * (keep[:, None] & keep[None, :])),
            stream=jnp.asarray(1j * np.conj(kappa) ** 2 / square**2) / scale**2,
            strain=scale**2 * jnp.asarray(0.5j * kappa**2),
        )

    @classmethod
    def deformed(cls, points: int, length: float | Array, stretch: Array, tilt: Array) -> Grid:
        """Return the grid of a box that a uniform gradient has deformed, x = a (X + tau Y), y = Y / a.

            k_x = K_x / a,   k_y = a (K_y - tau K_x)

        Args:
            points: points a side.
            length: side of the square at time 0.
            stretch: a.
            tilt: tau.
        """
        counts = np.fft.fftfreq(points, 1 / points)
        inner = np.where(np.abs(counts) == points // 2, 0, counts)
        keep = np.abs(counts) < points / 3
        real = jnp.result_type(stretch)
        scale = jnp.asarray(2 * np.pi / length, real)
        along, across = jnp.asarray(inner[:, None], real), jnp.asarray(inner[None, :], real)
        whole = jnp.asarray(counts**2, real)
        kx, ky = along / stretch, stretch * (across - tilt * along)
        # the Nyquist frequency has no sign, and no product with the other axis
        square = whole[:, None] / stretch**2 + stretch**2 * (whole + tilt**2 * whole[:, None] - 2 * tilt * along * across)
        kappa, inverse_square = kx + 1j * ky, 1 / jnp.where((kx == 0) & (ky == 0), jnp.inf, kx**2 + ky**2)
        return cls(
            kx=scale * kx,
            ky=scale * ky,
            k2=scale**2 * square,
            keep=jnp.asarray(keep[:, None] & keep[None, :], real),
            stream=scaled(1j * jnp.conj(kappa) ** 2, inverse_square**2 / scale**2),
            strain=scaled(0.5j * kappa**2, scale**2),
        )


def transform(field: Field) -> Field:
    """Return Fourier coefficients of fields; those of a constant are its value times the number of points."""
    return transformed(field, jnp.fft.fft, jnp.fft.fft2, forward=True)


def inverse(coefficients: Field) -> Field:
    """Return fields of Fourier coefficients."""
    return transformed(coefficients, jnp.fft.ifft, jnp.fft.ifft2, forward=False)


def scaled(field: Field, factor: Array | float) -> Field:
    """Return a complex field times a real factor, without the products, or the quotient, of two complex numbers."""
    return jax.lax.complex(field.real * factor, field.imag * factor)


def of_real_part(coefficients: Field) -> Field:
    """Return the coefficients of the real part of a field: (a(k) + a*(-k)) / 2."""
    mirrored = jnp.roll(jnp.flip(coefficients, (-2, -1)), 1, (-2, -1))
    return (coefficients + jnp.conj(mirrored)) / 2
