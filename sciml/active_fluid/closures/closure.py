"""Closures: the second complex moment m2 = <exp(4 i theta)> from the first, the density and the flow.

Rotating all rods and the flow by phi turns m1, strain and m2 by exp(2 i phi), exp(2 i phi), exp(4 i phi); a reflection takes all
three to their conjugates and the vorticity to its negative. A closure has to follow. Moments of a distribution that is nowhere
negative obey (with density 1)

    | m2 - m1^2 | <= 1 - |m1|^2

(the Toeplitz matrix of 1, m1, m2 is positive), and a closure that does so too keeps |m1| below 1.
"""

from __future__ import annotations

from typing import Protocol

import equinox as eqx
import jax.numpy as jnp
from jax import Array

from sciml.active_fluid.closures.bingham import ratio
from sciml.active_fluid.fields.grid import Field, scaled
from sciml.active_fluid.fields.parameters import Parameters


class Closure(Protocol):
    """A rule for m2."""

    def __call__(self, c: Array, m1: Field, strain: Field, vorticity: Array, parameters: Parameters) -> Field:
        """Return m2.

        Args:
            c: density.
            m1: <exp(2 i theta)>, so that |m1| <= c.
            strain: E_11 + i E_12 of the flow.
            vorticity: v_x - u_y.
            parameters: coefficients of the theory.
        """
        ...


def squared(m1: Field) -> Array:
    """Return |m1|^2 with a gradient also at 0."""
    return m1.real**2 + m1.imag**2


class HigherClosure(Protocol):
    """A rule for m3: with it the coarse model keeps m1 and m2.

    Attributes:
        kept: moments that the coarse model keeps, 2.
    """

    kept: int

    def above(self, c: Array, m1: Field, m2: Field, parameters: Parameters) -> Field:
        """Return m3 of the density c, m1, m2 and the coefficients of the theory."""
        ...


AnyClosure = Closure | HigherClosure


def kept(closure: AnyClosure | None) -> int:
    """Return how many moments from m1 on the coarse model keeps with a closure: 1, or what the closure says."""
    return getattr(closure, "kept", 1)


def coarse_moments(closure: AnyClosure | None, m1: Field, c: Array | float = 1.0) -> Array:
    """Return the moments that the coarse model keeps, (kept, x, y): m1, and with a closure of m3 Bingham's m2."""
    if kept(closure) == 1:
        return m1[None]
    return jnp.stack([m1, scaled(m1 * m1, ratio(squared(scaled(m1, 1 / jnp.asarray(c)))) / c)])


class QuadraticClosure(eqx.Module):
    """m2 = m1^2 / c: S = D D / c of the tensors, exact for rods that are all aligned."""

    def __call__(self, c: Array, m1: Field, strain: Field, vorticity: Array, parameters: Parameters) -> Field:
        """Return m2."""
        return m1 * m1 / c


class BinghamClosure(eqx.Module):
    """m2 of the distribution of largest entropy with the given m1 (`sciml.active_fluid.closures.bingham`)."""

    def __call__(self, c: Array, m1: Field, strain: Field, vorticity: Array, parameters: Parameters) -> Field:
        """Return m2."""
        return scaled(m1 * m1, ratio(squared(scaled(m1, 1 / c))) / c)


def slack(c: Array, m1: Field, m2: Field) -> Array:
    """Return (1 - |m1|^2 / c^2) - |m2 / c - m1^2 / c^2|: negative where no distribution has these moments."""
    a = m1 / c
    return (1 - squared(a)) - jnp.abs(m2 / c - a * a)
