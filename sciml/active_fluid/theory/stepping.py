"""Steps in time: the second-order backward differentiation with extrapolation, SBDF2.

    (3 m^{n+1} - 4 m^n + m^{n-1}) / (2 dt) = 2 N^n - N^{n-1} + L m^{n+1}

N is explicit, L diagonal (Ascher, Ruuth and Wetton, SIAM J. Numer. Anal. 1995). The first step is a predictor of Euler and a
corrector of Crank and Nicolson, so that the order is 2 from the start. The flow of each step starts from that of the two steps
before, 2 F^n - F^{n-1}, one order beyond what the scheme needs.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
from jax import Array

from sciml.active_fluid.fields.grid import scaled
from sciml.active_fluid.fields.stokes import Flow
from sciml.active_fluid.theory.moments import Model, Moments, linear, tendency

# of the flow's fixed point where there is no flow to start from, and where its warm sweeps are the usual three
COLD_SWEEPS = 14
# steps whose carries are all kept in reverse mode: some tens of megabytes for 64 x 64 points
FEW = 100


class Carry(NamedTuple):
    """All that the next step depends on: saved and read back, a run goes on to the bit.

    Attributes:
        state: Fourier coefficients of the moments, now.
        before: those of the step before.
        slope_before: explicit tendency of the step before.
        flow, flow_before: the flow of the step before, and of the one before it.
    """

    state: Moments
    before: Moments
    slope_before: Moments
    flow: Flow
    flow_before: Flow


def cold_sweeps(model: Model) -> int:
    """Return the sweeps that find the flow from rest to rounding: more where the model's warm ones are more than three."""
    return max(COLD_SWEEPS, 4 * model.sweeps)


def start(model: Model, state: Moments, dt: Array | float, sweeps: int | None = None) -> Carry:
    """Return the carry after one step from a state, the flow of which takes some sweeps from rest."""
    rates, cold = linear(model, len(state)), sweeps or cold_sweeps(model)
    slope, flow = tendency(model, state, None, cold)
    guessed = (state + dt * slope) / (1 - dt * rates)
    again, flow_after = tendency(model, guessed, flow, cold)
    after = (state + dt / 2 * (slope + again) + dt / 2 * rates * state) / (1 - dt / 2 * rates)
    # the flow of `after` is found by its own step; what stands here is an extrapolation's other end
    backward = jax.tree.map(lambda now, then: 2 * now - then, flow, flow_after)
    return Carry(after, state, slope, flow, backward)


def step(model: Model, carry: Carry, dt: Array | float) -> Carry:
    """Return the carry after one more step."""
    guess = jax.tree.map(lambda now, then: 2 * now - then, carry.flow, carry.flow_before)
    slope, flow = tendency(model, carry.state, guess)
    rates = linear(model, len(carry.state))
    explicit = 4 * carry.state - carry.before + 2 * dt * (2 * slope - carry.slope_before)
    after = scaled(explicit, 1 / (3 - 2 * dt * rates))
    return Carry(after, carry.state, slope, flow, carry.flow)


def steps(model: Model, carry: Carry, dt: Array | float, count: int, checkpoint: bool = False) -> Carry:
    """Return the carry after `count` steps.

    Args:
        model: grid, parameters, closure.
        carry: of `start` or of earlier steps.
        dt: of a step.
        count: of steps, fixed at compilation.
        checkpoint: keep for reverse mode no more than the carries, of blocks of steps and then of the steps of one block, and
            compute what lies between again: memory grows with the root of the count, time by one forward step for each step.
    """

    def one(held: Carry, _: None) -> tuple[Carry, None]:
        return step(model, held, dt), None

    if not checkpoint:
        return jax.lax.scan(one, carry, None, length=count)[0]
    kept = jax.checkpoint(one, prevent_cse=False)  # pyright: ignore[reportPrivateImportUsage]

    def block(held: Carry, length: int) -> Carry:
        return jax.lax.scan(kept, held, None, length=length)[0]

    if count <= FEW:
        return block(carry, count)
    length = math.isqrt(count)
    blocks, rest = divmod(count, length)
    outer = jax.checkpoint(lambda held, _: (block(held, length), None), prevent_cse=False)
    return block(jax.lax.scan(outer, carry, None, length=blocks)[0], rest)
