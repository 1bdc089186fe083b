"""Training through the solver: the coarse model is run from kinetic states, and its weights follow the gradient of what comes out.

    loss = mean over windows and times of  < |m1 - m1_kinetic|^2 > / < |m1_kinetic|^2 >

Each window starts at a kinetic state somewhere on a trajectory. The horizon grows from stage to stage: long ones alone are chaotic
at first, short ones alone do not see what errors grow to. Reverse mode runs through every step with checkpoints, so that memory
grows with the root of the horizon.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jaxtyping import Complex

from sciml.active_fluid.closures import Closure, squared
from sciml.active_fluid.grid import Grid, inverse, transform
from sciml.active_fluid.moments import Model
from sciml.active_fluid.neural import NeuralClosure
from sciml.active_fluid.parameters import Parameters
from sciml.active_fluid.stepping import Carry, start, steps

# of the flow's fixed point at the start of a window: single precision
SWEEPS = 6


class Windows(NamedTuple):
    """Stretches of trajectories at equal times.

    Attributes:
        fields: m1 at the start and after each of the times; density 1.
        parameters: numbers of shape (windows,).
    """

    fields: Complex[Array, "windows times points points"]
    parameters: Parameters


class Horizon(NamedTuple):
    """A stage of the training.

    Attributes:
        times: number of saved times that a window reaches.
        updates: of the weights.
        rate: of Adam at the start of the stage.
    """

    times: int
    updates: int
    rate: float


def coarsened(field: Complex[np.ndarray, "*times n n"], points: int) -> Complex[np.ndarray, "*times m m"]:
    """Return fields on a grid of fewer points, by leaving out the waves that it cannot hold."""
    count = field.shape[-1]
    if count == points:
        return field
    half = points // 2
    kept = np.r_[0:half, count - half : count]
    coefficients = np.fft.fft2(field)[..., kept[:, None], kept]
    coefficients[..., half, :] = coefficients[..., :, half] = 0
    return np.fft.ifft2(coefficients) * (points / count) ** 2


def run_window(closure: Closure, first: Array, parameters: Parameters, dt: float, between: int, times: int) -> Array:
    """Return m1 of the coarse model at saved times after the start, (times, points, points).

    Args:
        closure: of the model.
        first: m1 at the start.
        parameters: of the theory.
        dt: of a step.
        between: steps from one saved time to the next.
        times: number of saved times.
    """
    model = Model(Grid.of(first.shape[-1], parameters.length), parameters, closure, True, 1)
    model = jax.tree.map(lambda leaf: leaf.astype(first.real.dtype) if leaf.dtype == jnp.float64 else leaf, model)
    carry = start(model, transform(first)[None], dt, SWEEPS)

    def save(carry: Carry, count: int) -> tuple[Carry, Array]:
        carry = steps(model, carry, dt, count, checkpoint=True)
        return carry, inverse(carry.state[0])

    carry, one = save(carry, between - 1)
    if times == 1:
        return one[None]
    carry, others = jax.lax.scan(lambda held, _: save(held, between), carry, None, length=times - 1)
    return jnp.concatenate([one[None], others])


def window_errors(found: Array, true: Array) -> Array:
    """Return the relative L2 error at each time, (..., times)."""
    return jnp.sqrt(jnp.mean(squared(found - true), (-2, -1)) / jnp.mean(squared(true), (-2, -1)))


def train_rollout(
    closure: NeuralClosure,
    trajectories: Sequence[dict],
    horizons: Sequence[Horizon],
    seed: int,
    dt: float,
    between: int,
    batch: int = 4,
    on_update: Callable[[int, Horizon, NeuralClosure, float], None] | None = None,
) -> NeuralClosure:
    """Return the closure after the stages of a curriculum.

    Args:
        closure: to start from, trained offline.
        trajectories: `m1` (times, n, n) at equal times and `parameters`.
        horizons: the stages in order.
        seed: of the windows.
        dt: of a step.
        between: steps between the saved times of a trajectory.
        batch: windows an update.
        on_update: called after each update with its number, the stage, the closure and the loss.
    """
    generator = np.random.default_rng(seed)
    weights, rest = eqx.partition(closure, eqx.is_array)
    number = 0
    for horizon in horizons:
        optimiser = optax.chain(
            optax.clip_by_global_norm(1.0), optax.adam(optax.cosine_decay_schedule(horizon.rate, horizon.updates, 0.05))
        )
        state = optimiser.init(weights)

        @jax.jit
        def update(
            weights: NeuralClosure, state: optax.OptState, windows: Windows, optimiser=optimiser, horizon=horizon
        ) -> tuple:
            def loss(weights: NeuralClosure) -> Array:
                one = (
                    lambda fields, parameters: window_errors(  # noqa: E731
                        run_window(eqx.combine(weights, rest), fields[0], parameters, dt, between, horizon.times), fields[1:]
                    )
                )
                return jnp.mean(jax.lax.map(lambda pair: one(*pair), (windows.fields, windows.parameters)) ** 2)

            value, slope = jax.value_and_grad(loss)(weights)
            change, state = optimiser.update(slope, state)
            return optax.apply_updates(weights, change), state, value

        for _ in range(horizon.updates):
            windows = chosen_windows(trajectories, batch, horizon.times, generator)
            weights, state, value = update(weights, state, windows)
            number += 1
            if on_update is not None:
                on_update(number, horizon, eqx.combine(weights, rest), float(value))
    return eqx.combine(weights, rest)


def chosen_windows(trajectories: Sequence[dict], batch: int, times: int, generator: np.random.Generator) -> Windows:
    """Return windows that start at random times of random trajectories, single precision."""
    fields, numbers = [], []
    for which in generator.choice(len(trajectories), batch, replace=batch > len(trajectories)):
        one = trajectories[which]
        first = int(generator.integers(len(one["m1"]) - times))
        fields.append(one["m1"][first : first + times + 1])
        numbers.append([getattr(one["parameters"], name) for name in Parameters.__dataclass_fields__])
    columns = jnp.asarray(np.array(numbers), jnp.float32).T
    return Windows(jnp.asarray(np.stack(fields), jnp.complex64), Parameters(*columns))
