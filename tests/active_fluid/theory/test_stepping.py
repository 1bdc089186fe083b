"""Steps in time: orders, exact diffusion, conservation, symmetry, gradients."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sciml.active_fluid import BinghamClosure, Parameters, random_state
from sciml.active_fluid.fields.grid import Grid, inverse, transform
from sciml.active_fluid.fields.precision import working
from sciml.active_fluid.solvers.evolution import advance, begin, case_of, sweeps_needed
from sciml.active_fluid.theory.moments import Model
from sciml.active_fluid.theory.states import lifted
from sciml.active_fluid.theory.stepping import start, steps

POINTS, MODES = 16, 10


def after(closure, parameters: Parameters, fields: np.ndarray, dt: float, count: int, sweeps: int = 3, uniform: bool = True):
    """Return fields after some steps."""
    with working():
        case = case_of(parameters, closure, POINTS, uniform, sweeps)
        step = jnp.asarray(dt)
        carry = begin(case, transform(jnp.asarray(fields)), step)
        return np.asarray(inverse(advance(case, carry, step, jnp.asarray(count - 1)).state))


def slope(x, errors) -> float:
    return float(np.polyfit(np.log(x), np.log(errors), 1)[0])


def fields_of(closure, m1: np.ndarray) -> np.ndarray:
    return lifted(m1, MODES)[1:] if closure is None else m1[None]


@pytest.mark.parametrize("closure", [None, BinghamClosure()])
def test_steps_are_of_second_order_and_the_first_one_too(closure, parameters, m1):
    fields = fields_of(closure, m1)
    counts = np.array([8, 16, 32, 64])
    exact = after(closure, parameters, fields, 0.8 / 1024, 1024)
    errors = [np.abs(after(closure, parameters, fields, 0.8 / count, count) - exact).max() for count in counts]
    assert abs(slope(0.8 / counts, errors) - 2) < 0.1
    # the error of one step alone is of third order
    first = []
    for dt in (0.04, 0.02, 0.01):
        one = after(closure, parameters, fields, dt, 1)
        first.append(np.abs(one - after(closure, parameters, fields, dt / 64, 64)).max())
    assert abs(slope((0.04, 0.02, 0.01), first) - 3) < 0.2


def test_a_wave_without_flow_decays_as_the_scheme_says():
    # without stress and alignment each coefficient is alone: Crank and Nicolson's step, then the backward differences
    parameters, dt, count = Parameters(alpha=0.0, zeta=0.0, beta=0.0, d_t=0.3, d_r=0.02), 0.1, 12
    x = 2 * np.pi * np.arange(POINTS) / POINTS
    wave = 0.1 * np.exp(1j * (2 * x[:, None] + x[None, :]))
    fields = np.concatenate([np.ones((1, POINTS, POINTS)), np.stack([wave] * 3)])
    fields[0] += wave.real
    found = after(None, parameters, fields, dt, count, uniform=False)
    for n in range(4):
        rate = -0.3 * 5 * (2 * np.pi / 10) ** 2 - 4 * n**2 * 0.02
        values = [1.0, (1 + dt * rate / 2) / (1 - dt * rate / 2)]
        for _ in range(count - 1):
            values.append((4 * values[-1] - values[-2]) / (3 - 2 * dt * rate))
        wanted = 1 + values[-1] * wave.real if n == 0 else values[-1] * wave
        np.testing.assert_allclose(found[n], wanted, atol=1e-14)
        assert abs(values[-1] - np.exp(rate * dt * count)) < 0.03


@pytest.mark.parametrize("closure", [None, BinghamClosure()])
def test_the_number_of_rods_is_kept_over_a_thousand_steps(closure, m1):
    parameters = Parameters(alpha=-2.0, zeta=0.3, d_t=0.01)
    density = 1 + 0.3 * np.cos(2 * np.pi * np.arange(POINTS) / POINTS)[:, None] * np.ones(POINTS)
    moments = lifted(m1 * density, MODES, density)
    found = after(closure, parameters, moments if closure is None else moments[:2], 0.02, 1000, uniform=False)
    assert abs(found[0].real.mean() / density.mean() - 1) < 1e-12
    assert np.abs(found[0].imag).max() < 1e-12
    assert np.abs(found[0] - density).max() > 1e-2


@pytest.mark.parametrize("beta", [0.8, 8.0])
def test_the_sweeps_that_beta_asks_are_enough(beta):
    parameters, closure = Parameters(alpha=-2.0, zeta=0.3, beta=beta), BinghamClosure()
    fields = random_state(POINTS, 2, amplitude=0.8)[None]
    exact = after(closure, parameters, fields, 0.02, 50, sweeps=60)
    # to be compared with the error of the steps themselves
    of_steps = np.abs(after(closure, parameters, fields, 0.01, 100, sweeps=60) - exact).max()
    error = np.abs(after(closure, parameters, fields, 0.02, 50, sweeps=sweeps_needed(beta)) - exact).max()
    assert error < 0.01 * of_steps


def test_more_beta_asks_more_sweeps():
    assert [sweeps_needed(beta) for beta in (0.0, 0.8, 1.6, 3.0, 8.0)] == [1, 1, 2, 2, 4]


def model_of(alpha, zeta, length=10.0) -> Model:
    return Model(Grid.of(POINTS, length), Parameters(alpha, zeta), BinghamClosure(), True, 1)


def test_gradients_through_ten_steps_are_right_with_and_without_checkpoints(m1):
    # forward mode is beside both in `test_gradients_by_three_ways_agree`
    direction = random_state(POINTS, 9)

    def loss(given, order, checkpoint=False):
        alpha, zeta, shift = given
        model = model_of(alpha, zeta)
        carry = start(model, transform(jnp.asarray(order + shift * direction)[None]), 0.05)
        end = inverse(steps(model, carry, 0.05, 9, checkpoint).state)
        return jnp.mean(jnp.abs(end) ** 2 + end.real)

    with working():
        m1 = jnp.asarray(m1)
        given = (jnp.asarray(-2.0), jnp.asarray(0.3), jnp.asarray(0.1))
        reverse = eqx.filter_jit(jax.value_and_grad(loss))
        found = np.array(reverse(given, m1)[1])
        kept = np.array(eqx.filter_jit(jax.grad(lambda given: loss(given, m1, True)))(given))
        for index in range(3):
            unit = tuple(jnp.asarray(float(index == other)) for other in range(3))
            ahead, behind = (
                reverse(tuple(number + sign * 1e-5 * one for number, one in zip(given, unit, strict=True)), m1)[0]
                for sign in (1, -1)
            )
            assert abs((ahead - behind) / 2e-5 - found[index]) < 1e-8 * (1 + abs(found[index]))
        # where the rods have no order at all, gradients exist too
        isotropic = np.array(reverse((given[0], given[1], jnp.asarray(0.0)), 0 * m1)[1])
    assert np.abs(found).min() > 1e-4
    np.testing.assert_allclose(kept, found, rtol=1e-12)
    assert np.isfinite(isotropic).all() and isotropic[2] != 0
