"""Gradients through steps of the coarse model by three ways: reverse mode, forward mode and finite differences.

    loss(alpha, zeta, a, b) = mean of |m1|^2 + Re m1 after the steps,

of the first state m1 + a times another state and, where the closure has weights, of the weights + b times a random direction, at
a = b = 0. Finite differences are central ones of two sizes, h and h / 2, of which the error of second order is eliminated
(Richardson 1911).
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from sciml.active_fluid.closures.closure import AnyClosure, coarse_moments
from sciml.active_fluid.fields.grid import Grid, inverse, transform
from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.fields.precision import working
from sciml.active_fluid.theory.moments import Model
from sciml.active_fluid.theory.states import random_state
from sciml.active_fluid.theory.stepping import start, steps

NUMBERS = ("activity", "alignment", "first state", "weights")
DIFFERENCE_STEP = 1e-3


def gradient_rows(
    closure: AnyClosure, parameters: Parameters, seed: int, points: int = 16, count: int = 20, dt: float = 0.05
) -> list[dict[str, Any]]:
    """Return a row for each number: its derivative by every way, and the largest difference from finite differences.

    Args:
        closure: closure of the coarse model.
        parameters: coefficients at which the derivatives are taken.
        seed: seed of the states and of the direction in the weights.
        points: points a side.
        count: number of steps after the first.
        dt: time step.
    """
    with working("double"):
        arrays, rest = eqx.partition(closure, eqx.is_array)
        generator = np.random.default_rng(seed)
        wide = jax.tree.map(lambda array: jnp.asarray(array, jnp.float64), arrays)
        along = jax.tree.map(lambda array: jnp.asarray(generator.standard_normal(array.shape)), wide)
        first, other = (jnp.asarray(random_state(points, number, amplitude=0.5)) for number in (seed, seed + 1))

        def loss(numbers: jax.Array, checkpoint: bool) -> jax.Array:
            weights = jax.tree.map(lambda array, way: array + numbers[3] * way, wide, along)
            moved = eqx.tree_at(lambda p: (p.alpha, p.zeta), parameters, (numbers[0], numbers[1]))
            model = Model(Grid.of(points, parameters.length), moved, eqx.combine(weights, rest), True, 1)
            moments = coarse_moments(model.closure, first + numbers[2] * other)
            carry = start(model, transform(moments), dt)
            end = inverse(steps(model, carry, dt, count, checkpoint).state)
            return jnp.mean(jnp.abs(end) ** 2 + end.real)

        at = jnp.array([parameters.alpha, parameters.zeta, 0.0, 0.0])
        # one program for values and tangents: to compile it is what takes the time
        pushed = jax.jit(lambda numbers, way: jax.jvp(lambda given: loss(given, False), (numbers,), (way,)))
        value = lambda numbers: float(pushed(numbers, at)[0])  # noqa: E731
        reverse = np.asarray(jax.jit(jax.grad(lambda numbers: loss(numbers, True)))(at))
        rows = []
        for index, name in enumerate(NUMBERS if jax.tree.leaves(arrays) else NUMBERS[:3]):
            unit = jnp.eye(len(NUMBERS))[index]
            # Richardson: (4 D(h / 2) - D(h)) / 3 of central differences D
            coarse, fine = (
                (value(at + h * unit) - value(at - h * unit)) / (2 * h) for h in (DIFFERENCE_STEP, DIFFERENCE_STEP / 2)
            )
            finite, forward, back = (4 * fine - coarse) / 3, float(pushed(at, unit)[1]), float(reverse[index])
            worst = max(abs(forward - finite), abs(back - finite)) / (abs(finite) + 1e-12)
            numbers = {"finite": finite, "forward": forward, "reverse": back}
            rows.append({"number": name, **{key: float(f"{number:.12g}") for key, number in numbers.items()}, "error": worst})
    return rows
