"""Offline training: the closure's m2 against that of kinetic trajectories, point by point.

    loss = mean over trajectories of  < |h|^2 |m2 - m2_kinetic|^2 > / < |h m2_kinetic|^2 >,    h = e + zeta m1

m2 acts on the coarse model through h* m2 alone, so that errors count where they matter; each trajectory has the same say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jaxtyping import Complex, Float

from sciml.active_fluid.closures.closure import Closure, squared
from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.solvers.trajectories import Trajectory

Trained = TypeVar("Trained", bound=Closure)


class Points(NamedTuple):
    """Places of trajectories, density 1.

    Attributes:
        m1, m2, strain, m3: complex, one row a trajectory.
        vorticity: real.
        parameters: coefficients of each trajectory, numbers of shape (trajectories, 1).
    """

    m1: Complex[Array, "trajectories points"]
    m2: Complex[Array, "trajectories points"]
    strain: Complex[Array, "trajectories points"]
    vorticity: Float[Array, "trajectories points"]
    parameters: Parameters
    m3: Complex[Array, "trajectories points"]


def chosen_points(trajectories: Sequence[Trajectory], count: int, seed: int, precision: str = "float32") -> Points:
    """Return random places and times of each trajectory.

    Args:
        trajectories: kinetic trajectories.
        count: number of places of each trajectory; all of the smallest one where that has fewer.
        seed: seed of the choice.
        precision: real type, float32 or float64.
    """
    generator, count = np.random.default_rng(seed), min(count, *(one.m1.size for one in trajectories))
    rows: dict[str, list[np.ndarray]] = {name: [] for name in ("m1", "m2", "m3", "strain", "vorticity")}
    for one in trajectories:
        places = generator.choice(one.m1.size, count, replace=False)
        for name, found in rows.items():
            found.append(getattr(one, name).ravel()[places])
    wide = {"float32": "complex64", "float64": "complex128"}[precision]
    fields = {name: jnp.asarray(np.stack(found), precision if name == "vorticity" else wide) for name, found in rows.items()}
    numbers = [one.parameters.as_dict() for one in trajectories]
    columns = {name: jnp.asarray([[row[name]] for row in numbers], precision) for name in numbers[0]}
    return Points(**fields, parameters=Parameters(**columns))


def closure_errors(closure: Closure, points: Points) -> Float[Array, " trajectories"]:
    """Return the relative L2 error of h* m2 of each trajectory."""
    p = points.parameters
    found = closure(jnp.ones_like(points.vorticity), points.m1, points.strain, points.vorticity, p)
    # sqrt( < |h|^2 |m2 - m2_kinetic|^2 > / < |h m2_kinetic|^2 > )
    weight = squared(points.strain + p.zeta * points.m1)
    error, size = (jnp.sum(weight * squared(field), -1) for field in (found - points.m2, points.m2))
    return jnp.sqrt(error / size)


def at_places(points: Points, places: Array) -> Points:
    """Return the same places of every trajectory."""
    return jax.tree.map(lambda leaf: leaf if leaf.shape[1] == 1 else leaf[:, places], points)


def train_offline(
    closure: Trained,
    points: Points,
    steps: int,
    seed: int,
    rate: float = 3e-3,
    batch: int = 512,
    on_block: Callable[[int, Trained, float], None] | None = None,
    block: int = 250,
) -> Trained:
    """Return the closure after Adam steps on random batches, the rate falling as a cosine.

    Args:
        closure: closure to start from.
        points: points of the training trajectories.
        steps: number of steps of Adam.
        seed: seed of the batches.
        rate: learning rate at the start.
        batch: places of each trajectory in a step.
        on_block: function that is called after each block with the number of steps, the closure and its loss.
        block: steps between calls.
    """
    optimiser = optax.adam(optax.cosine_decay_schedule(rate, steps, 0.01))
    weights, rest = eqx.partition(closure, eqx.is_array_like)

    def loss(weights: Trained, places: Array) -> Array:
        return jnp.mean(closure_errors(eqx.combine(weights, rest), at_places(points, places)) ** 2)

    @jax.jit
    def advance(weights: Trained, state: optax.OptState, key: Array) -> tuple[Trained, optax.OptState, Array]:
        def one(carry: tuple, key: Array) -> tuple:
            weights, state = carry
            places = jax.random.randint(key, (batch,), 0, points.m1.shape[1])
            value, slope = jax.value_and_grad(loss)(weights, places)
            update, state = optimiser.update(slope, state)
            return (optax.apply_updates(weights, update), state), value

        (weights, state), values = jax.lax.scan(one, (weights, state), jax.random.split(key, block))
        return weights, state, values.mean()

    state, key = optimiser.init(weights), jax.random.key(seed)
    for done in range(0, steps, block):
        weights, state, value = advance(weights, state, jax.random.fold_in(key, done))
        if on_block is not None:
            on_block(done + block, eqx.combine(weights, rest), float(value))
    return eqx.combine(weights, rest)
