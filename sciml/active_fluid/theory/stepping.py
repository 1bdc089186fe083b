"""Steps in time: the second-order backward differentiation with extrapolation, SBDF2.

    (3 m^{n+1} - 4 m^n + m^{n-1}) / (2 dt) = 2 N^n - N^{n-1} + L m^{n+1}

N is explicit, L diagonal (Ascher, Ruuth and Wetton, SIAM J. Numer. Anal. 1995). The first step is a predictor of Euler and a
corrector of Crank and Nicolson, so that the order is 2 from the start. The flow of each step starts from that of the two steps
before, 2 F^n - F^{n-1}, one order beyond what the scheme needs. With a forcing N^n is that of its time, and where the box moves L
is that of the time of its moments.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Protocol

import jax
from jax import Array
from jaxtyping import Complex

from sciml.active_fluid.fields.grid import scaled
from sciml.active_fluid.theory.moving import Clock, at, upright

# sweeps that find a flow from rest to rounding, where a step from the flow before takes at most three
COLD_SWEEPS = 14
# steps whose states reverse mode keeps all: some tens of megabytes for 64 x 64 points
MAX_KEPT_STEPS = 100

Coefficients = Complex[Array, "components *waves"]


class Equations(Protocol):
    """Equations that are stepped, in two dimensions or three: dm/dt = linear m + tendency(m)."""

    @property
    def sweeps(self) -> int:
        """Return the sweeps of the flow's fixed point in a step."""
        ...

    def linear(self, count: int) -> Array:
        """Return the rates of the diffusions for a state of so many components."""
        ...

    def tendency(self, state: Coefficients, guess: Any, sweeps: int | None = None) -> tuple[Coefficients, Any]:
        """Return the explicit terms and the flow, which starts from a guess, or from rest."""
        ...


class StepperState(NamedTuple):
    """All that the next step depends on: saved and read back, a run goes on to the bit.

    Attributes:
        state: Fourier coefficients of the moments or tensors, m^n.
        before: Fourier coefficients one step earlier, m^{n-1}.
        slope_before: explicit tendency one step earlier, N^{n-1}.
        flow, flow_before: flow one step earlier and two steps earlier.
        clock: time of `state` with a forcing, None without one.
    """

    state: Coefficients
    before: Coefficients
    slope_before: Coefficients
    flow: Any
    flow_before: Any
    clock: Clock | None = None


def cold_sweeps(model: Equations) -> int:
    """Return the sweeps that find the flow from rest to rounding: more where the model's warm ones are more than three."""
    return max(COLD_SWEEPS, 4 * model.sweeps)


def start(model: Equations, state: Coefficients, dt: Array | float, sweeps: int | None = None) -> StepperState:
    """Return the carry after one step from a state, the flow of which takes some sweeps from rest."""
    first, second, cold = at(model, 0.0), at(model, dt), sweeps or cold_sweeps(model)
    rates, rates_after = first.linear(len(state)), second.linear(len(state))
    slope, flow = first.tendency(state, None, cold)
    # predictor: (1 - dt L^1) m* = m^0 + dt N^0
    guessed = (state + dt * slope) / (1 - dt * rates_after)
    again, flow_after = second.tendency(guessed, flow, cold)
    # corrector: (1 - dt L^1 / 2) m^1 = m^0 + dt / 2 (N^0 + N*) + dt / 2 L^0 m^0
    after = (state + dt / 2 * (slope + again) + dt / 2 * rates * state) / (1 - dt / 2 * rates_after)
    # the flow of `after` is found by its own step; what stands here is an extrapolation's other end
    backward = jax.tree.map(lambda now, then: 2 * now - then, flow, flow_after)
    return upright(model, StepperState(after, state, slope, flow, backward), dt, 1)


def step(model: Equations, carry: StepperState, dt: Array | float) -> StepperState:
    """Return the carry after one more step."""
    guess = jax.tree.map(lambda now, then: 2 * now - then, carry.flow, carry.flow_before)
    now = later = model
    if carry.clock is not None:
        now = at(model, carry.clock.time, carry.clock.sheets)
        later = at(model, (carry.clock.steps + 1) * dt, carry.clock.sheets)
    slope, flow = now.tendency(carry.state, guess)
    rates = later.linear(len(carry.state))
    # (3 - 2 dt L^{n+1}) m^{n+1} = 4 m^n - m^{n-1} + 2 dt (2 N^n - N^{n-1})
    explicit = 4 * carry.state - carry.before + 2 * dt * (2 * slope - carry.slope_before)
    after = scaled(explicit, 1 / (3 - 2 * dt * rates))
    held = StepperState(after, carry.state, slope, flow, carry.flow, carry.clock)
    return held if carry.clock is None else upright(model, held, dt, carry.clock.steps + 1)


def steps(model: Equations, carry: StepperState, dt: Array | float, count: int, checkpoint: bool = False) -> StepperState:
    """Return the carry after `count` steps.

    Args:
        model: grid and parameters, and a closure where there is one.
        carry: state after `start` or after earlier steps.
        dt: time step.
        count: number of steps, fixed at compilation.
        checkpoint: keep for reverse mode no more than the carries, of blocks of steps and then of the steps of one block, and
            compute what lies between again: memory grows with the root of the count, time by one forward step for each step.
    """

    def one(held: StepperState, _: None) -> tuple[StepperState, None]:
        return step(model, held, dt), None

    if not checkpoint:
        return jax.lax.scan(one, carry, None, length=count)[0]
    kept = jax.checkpoint(one, prevent_cse=False)  # pyright: ignore[reportPrivateImportUsage]

    def block(held: StepperState, length: int) -> StepperState:
        return jax.lax.scan(kept, held, None, length=length)[0]

    if count <= MAX_KEPT_STEPS:
        return block(carry, count)
    length = math.isqrt(count)
    blocks, rest = divmod(count, length)
    outer = jax.checkpoint(lambda held, _: (block(held, length), None), prevent_cse=False)
    return block(jax.lax.scan(outer, carry, None, length=blocks)[0], rest)
