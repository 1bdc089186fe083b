"""Training through the solver: the coarse model runs from kinetic states, and its weights follow the gradient of what comes out.

    loss = mean over windows and times of  < |m1 - m1_kinetic|^2 > / < |m1_kinetic|^2 >  +  anchor x the offline loss

Each window starts at a kinetic state somewhere on a trajectory. The horizon grows from stage to stage: long ones alone are
chaotic at first, short ones alone do not see what errors grow to. Reverse mode runs through every step with checkpoints, so that
memory grows with the root of the horizon.
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

from sciml.active_fluid.closures.closure import AnyClosure, coarse_moments, squared
from sciml.active_fluid.closures.neural import NeuralClosure
from sciml.active_fluid.fields.grid import Grid, inverse, transform
from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.learning.regression import Points, at_places, closure_errors
from sciml.active_fluid.solvers.trajectories import Trajectory
from sciml.active_fluid.theory.moments import Model
from sciml.active_fluid.theory.states import resampled
from sciml.active_fluid.theory.stepping import StepperState, start, steps

# sweeps of the flow's fixed point at the start of a window, in single precision
SWEEPS = 6
# places of each trajectory in the offline loss of an update
PLACES = 512


class Windows(NamedTuple):
    """Stretches of trajectories at equal times.

    Attributes:
        fields: m1 at the start and after each of the times; density 1.
        parameters: numbers of shape (windows,).
    """

    fields: Complex[Array, "windows times points points"]
    parameters: Parameters


class RolloutPlan(NamedTuple):
    """How windows are run.

    Attributes:
        horizons: the stages in order.
        dt: time step.
        between: steps between the saved times of a trajectory.
        points: points a side of the coarse model.
        batch: windows of an update.
    """

    horizons: Sequence[Horizon]
    dt: float
    between: int
    points: int
    batch: int


class Horizon(NamedTuple):
    """A stage of the training.

    Attributes:
        times: number of saved times that a window reaches.
        updates: updates of the weights.
        rate: learning rate of Adam at the start of the stage.
    """

    times: int
    updates: int
    rate: float


def run_window(closure: AnyClosure | None, first: Array, parameters: Parameters, dt: float, between: int, times: int) -> Array:
    """Return the moments of a model at saved times after the start, (times, moments, points, points).

    Args:
        closure: closure of the coarse model, None for the kinetic theory.
        first: moments at the start, (moments, points, points).
        parameters: coefficients of the theory.
        dt: time step.
        between: steps from one saved time to the next.
        times: number of saved times.
    """
    model = Model(Grid.of(first.shape[-1], parameters.length), parameters, closure, True, 1)
    carry = start(model, transform(first), dt, SWEEPS)

    def save(carry: StepperState, count: int) -> tuple[StepperState, Array]:
        carry = steps(model, carry, dt, count, checkpoint=True)
        return carry, inverse(carry.state)

    carry, one = save(carry, between - 1)
    if times == 1:
        return one[None]
    carry, others = jax.lax.scan(lambda held, _: save(held, between), carry, None, length=times - 1)
    return jnp.concatenate([one[None], others])


def window_errors(found: Array, true: Array) -> Array:
    """Return the relative L2 error at each time, (..., times)."""
    return jnp.sqrt(jnp.mean(squared(found - true), (-2, -1)) / jnp.mean(squared(true), (-2, -1)))


class State(NamedTuple):
    """What the next update depends on, besides the data.

    Attributes:
        updates: number of updates that are done.
        closure: the closure after these updates.
        optimiser: state of Adam in the stage that the next update belongs to.
    """

    updates: int
    closure: NeuralClosure
    optimiser: optax.OptState


def train_rollout(
    closure: NeuralClosure,
    trajectories: Sequence[Trajectory],
    anchor: tuple[Points, float],
    plan: RolloutPlan,
    seed: int,
    on_update: Callable[[State, float], None] | None = None,
    resume: Callable[[State], State] | None = None,
) -> NeuralClosure:
    """Return the closure after the stages of a curriculum.

    Args:
        closure: closure to start from, trained offline.
        trajectories: kinetic trajectories.
        anchor: places of these trajectories and the weight of the offline loss there.
        plan: stages, step, grid and batch.
        seed: seed of the windows and places, drawn anew for each update.
        on_update: function that is called after each update with what the next one depends on and the loss.
        resume: function that is given a state of the right form and returns the one to go on from.
    """
    weights, rest = eqx.partition(closure, eqx.is_array)
    ends = np.cumsum([horizon.updates for horizon in plan.horizons])
    state = State(0, closure, _optimiser(plan.horizons[0]).init(weights))
    state = resume(state) if resume is not None else state
    for horizon, end in zip(plan.horizons, ends, strict=True):
        if state.updates >= end:
            continue
        optimiser = _optimiser(horizon)
        if state.updates == end - horizon.updates:
            state = state._replace(optimiser=optimiser.init(eqx.filter(state.closure, eqx.is_array)))

        @jax.jit
        def update(weights, held, windows: Windows, places: Array, optimiser=optimiser, horizon=horizon):
            def loss(weights: NeuralClosure) -> Array:
                model = eqx.combine(weights, rest)

                def one(window: Windows) -> Array:
                    first = coarse_moments(model, window.fields[0])
                    found = run_window(model, first, window.parameters, plan.dt, plan.between, horizon.times)[:, 0]
                    return window_errors(found, window.fields[1:])

                # mean over windows and times of the squared relative error of m1, and the offline loss as an anchor
                near = closure_errors(model, at_places(anchor[0], places))
                return jnp.mean(jax.lax.map(one, windows) ** 2) + anchor[1] * jnp.mean(near**2)

            value, slope = jax.value_and_grad(loss)(weights)
            change, held = optimiser.update(slope, held)
            return optax.apply_updates(weights, change), held, value

        while state.updates < end:
            generator = np.random.default_rng([seed, state.updates])
            windows = chosen_windows(trajectories, plan.batch, horizon.times, plan.points, generator)
            places = jnp.asarray(generator.integers(anchor[0].m1.shape[1], size=PLACES))
            weights, held, value = update(eqx.filter(state.closure, eqx.is_array), state.optimiser, windows, places)
            state = State(state.updates + 1, eqx.combine(weights, rest), held)
            if on_update is not None:
                on_update(state, float(value))
    return state.closure


def _optimiser(horizon: Horizon) -> optax.GradientTransformation:
    rate = optax.cosine_decay_schedule(horizon.rate, horizon.updates, 0.05)
    return optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate))


def chosen_windows(
    trajectories: Sequence[Trajectory], batch: int, times: int, points: int, generator: np.random.Generator
) -> Windows:
    """Return windows that start at random times of random trajectories, on a grid of that many points, single precision."""
    fields, numbers = [], []
    for which in generator.choice(len(trajectories), batch, replace=batch > len(trajectories)):
        one = trajectories[which]
        first = int(generator.integers(len(one.m1) - times))
        fields.append(resampled(one.m1[first : first + times + 1], points))
        numbers.append(list(one.parameters.as_dict().values()))
    columns = jnp.asarray(np.array(numbers), jnp.float32).T
    return Windows(jnp.asarray(np.stack(fields), jnp.complex64), Parameters(*columns))
