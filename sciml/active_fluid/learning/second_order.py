"""The nine numbers of a closure of second order, by nonlinear least squares.

    loss = mean over trajectories of  < |h|^2 |m3 - m3_kinetic|^2 > / < |h m3_kinetic|^2 >,    h = e + zeta m1

m3 acts on the coarse model through h* m3 alone, as m2 does in a closure of first order. A weak ridge, RIDGE times the sum of
the squares, holds numbers that the data do not tell at those of Burg's closure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.optimize import least_squares

from sciml.active_fluid.closures.closure import squared
from sciml.active_fluid.closures.second import NUMBERS, SecondOrderClosure
from sciml.active_fluid.fields.precision import working
from sciml.active_fluid.learning.regression import Points, chosen_points
from sciml.active_fluid.solvers.trajectories import Trajectory

RIDGE = 1e-5


def fit_second_order(trajectories: Sequence[Trajectory], count: int, seed: int) -> SecondOrderClosure:
    """Return the closure of least loss, from Burg's on; Levenberg and Marquardt.

    Args:
        trajectories: kinetic trajectories.
        count: number of places of each.
        seed: seed of the choice of places.
    """
    with working("double"):
        points = chosen_points(trajectories, count, seed, "float64")
        rows = _rows(points)
        slopes = jax.jit(jax.jacfwd(rows))
        held = np.sqrt(RIDGE * len(trajectories)) * np.eye(NUMBERS)
        found = least_squares(
            lambda x: np.concatenate([rows(x), held @ x]),
            np.zeros(NUMBERS),
            lambda x: np.concatenate([slopes(x), held]),  # pyright: ignore[reportArgumentType]
            method="lm",
        )
    return SecondOrderClosure(jnp.asarray(found.x, jnp.float32))


def second_order_errors(closure: SecondOrderClosure, trajectories: Sequence[Trajectory], count: int, seed: int) -> np.ndarray:
    """Return the relative L2 error of h* m3 of each trajectory, (trajectories,)."""
    with working("double"):
        points = chosen_points(trajectories, count, seed, "float64")
        rows = _rows(points)(jnp.asarray(closure.numbers, jnp.float64)).reshape(2, len(trajectories), -1)
        return np.sqrt(np.sum(np.asarray(rows) ** 2, (0, 2)))


def _rows(points: Points) -> Callable[[Any], jax.Array]:
    """Return the function of the nine numbers whose sum of squares is the loss times the trajectories."""
    weight = jnp.sqrt(squared(points.strain + points.parameters.zeta * points.m1))
    weight = weight / jnp.sqrt(jnp.sum(weight**2 * squared(points.m3), -1, keepdims=True))
    ones = jnp.ones(())

    @jax.jit
    def rows(numbers: Float[jax.Array, " numbers"]) -> Float[jax.Array, " rows"]:
        found = SecondOrderClosure(numbers).above(ones, points.m1, points.m2, points.parameters)
        apart = weight * (found - points.m3)
        return jnp.concatenate([apart.real.ravel(), apart.imag.ravel()])

    return rows
