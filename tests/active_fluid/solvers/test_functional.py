"""The pure functions of the solvers: what jit, grad, vmap, scan and both precisions give, one registry for all."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sciml.active_fluid import (
    BinghamClosure,
    CoarseSolver,
    InvariantClosure,
    KineticSolver,
    NeuralClosure,
    Parameters,
    QuadraticClosure,
    SecondOrderClosure,
    lifted,
)
from sciml.active_fluid.closures.closure import kept
from sciml.active_fluid.fields.precision import working
from sciml.active_fluid.solvers.functional import schedule
from sciml.runtime.errors import ConfigError, ShapeError

POINTS, MODES, DT = 16, 10, 0.05

CLOSURES = {
    "kinetic": lambda: None,
    "quadratic": QuadraticClosure,
    "Bingham": BinghamClosure,
    "neural": lambda: NeuralClosure.load("default"),
    "second order": lambda: SecondOrderClosure(jnp.linspace(-1.0, 1.0, 9)),
    "a user's own": lambda: InvariantClosure(eqx.nn.MLP(6, 3, 4, 1, key=jax.random.key(0))),
}
# the others compile for long
NAMES = [name if name == "kinetic" else pytest.param(name, marks=pytest.mark.slow) for name in CLOSURES]

# every public function of moments to an array
PUBLIC = {
    "integrate": lambda solver, m: solver.integrate(m, 3 * DT, save_at=[DT, 3 * DT]),
    "checkpoint": lambda solver, m: solver.integrate(m, 3 * DT, checkpoint=True),
    "start, step and observe": lambda solver, m: solver.observe(solver.step(solver.start(m)))["strain"],
    "nonlinear and linear": lambda solver, m: solver.nonlinear(m) + solver.linear(m) * m,
}


def solver_of(closure, alpha=-2.0, zeta=0.3):
    parameters = Parameters(alpha, zeta)
    if closure is None:
        return KineticSolver(parameters, POINTS, MODES, DT, sweeps=1)
    return CoarseSolver(parameters, closure, POINTS, DT, sweeps=1)


def moments_of(closure, m1: np.ndarray) -> np.ndarray:
    return lifted(m1, MODES if closure is None else kept(closure))[1:] if closure is None or kept(closure) > 1 else m1[None]


def numbers(closure, m, theta) -> jax.Array:
    solver = solver_of(closure, theta[0], theta[1])
    return jnp.stack([jnp.mean(jnp.abs(one(solver, m)) ** 2) for one in PUBLIC.values()])


@pytest.mark.parametrize("name", NAMES)
def test_every_public_function_differentiates_compiles_and_maps(name, m1):
    closure = CLOSURES[name]()
    with working():
        m = jnp.asarray(moments_of(closure, m1))
        # the state scaled is the third number, so that gradients to the initial state are among them
        of = lambda theta: numbers(closure, theta[2] * m, theta)  # noqa: E731
        pushed = jax.jit(lambda theta, way: jax.jvp(of, (theta,), (way,)))
        theta, way, weights = jnp.array([-2.0, 0.3, 1.0]), jnp.array([0.7, 0.2, -0.4]), jnp.array([0.3, 1.0, -0.6, 0.2])
        forward = pushed(theta, way)[1]
        reverse = jax.jit(jax.grad(lambda theta: weights @ of(theta)))(theta)
        h = 1e-4
        finite = (pushed(theta + h * way, way)[0] - pushed(theta - h * way, way)[0]) / (2 * h)
        assert np.abs(finite).min() > 1e-6
        np.testing.assert_allclose(forward, finite, rtol=2e-6)
        np.testing.assert_allclose(reverse @ way, weights @ forward, rtol=1e-9)
        mapped = jax.jit(jax.vmap(of))(jnp.stack([theta, theta + way]))
        np.testing.assert_allclose(mapped, [pushed(theta, way)[0], pushed(theta + way, way)[0]], rtol=1e-11)


@pytest.mark.parametrize("name", NAMES)
def test_the_precision_is_that_of_the_state(name, m1):
    closure = CLOSURES[name]()
    m = moments_of(closure, m1)
    with jax.enable_x64(True):
        wide = {key: one(solver_of(closure), jnp.asarray(m)) for key, one in PUBLIC.items()}
        narrow = {key: one(solver_of(closure), jnp.asarray(m, jnp.complex64)) for key, one in PUBLIC.items()}
    with jax.enable_x64(False):
        plain = {key: one(solver_of(closure), jnp.asarray(m)) for key, one in PUBLIC.items()}
    for key in PUBLIC:
        assert wide[key].dtype in (np.float64, np.complex128)
        for single in (narrow[key], plain[key]):
            assert single.dtype in (np.float32, np.complex64), key
            np.testing.assert_allclose(single, wide[key], atol=3e-5 * float(np.abs(wide[key]).max()))


def test_integrate_is_the_run_in_both_spaces(solver, m1):
    run = solver.run(m1, until=0.6, save_every=0.2)
    with working():
        m = moments_of(solver.rule(), m1)
        found = solver.integrate(m, 0.6, save_at=[0, 0.2, 0.6])
        np.testing.assert_allclose(found[:, 0], run["m1"].values[[0, 1, 3]], atol=1e-14)
        waves = solver.integrate(jnp.fft.fft2(jnp.asarray(m)), 0.6, fourier=True)
        np.testing.assert_allclose(jnp.fft.ifft2(waves), found[-1], atol=1e-14)
        seen = solver.observe(found[-1])
        for key in ("m2", "velocity_x", "vorticity", "strain"):
            np.testing.assert_allclose(seen[key], run[key].values[-1], atol=1e-12)


def test_a_density_that_varies_is_a_moment_more(coarse, m1):
    density = 1 + 0.2 * np.cos(2 * np.pi * np.arange(POINTS) / POINTS)[:, None] * np.ones(POINTS)
    run = coarse.run({"m1": m1, "density": density}, until=0.2, save_every=0.2).isel(time=-1)
    with working():
        found = coarse.integrate(np.stack([density, m1]), 0.2)
        np.testing.assert_allclose(found, np.stack([run["density"], run["m1"]]), atol=1e-14)
        assert "density" in coarse.observe(found)
        # and m1 alone has no axis of moments
        np.testing.assert_allclose(coarse.integrate(m1, 0.2), coarse.integrate(m1[None], 0.2)[0], rtol=0)


def test_steps_in_a_scan_are_the_integral(coarse, m1):
    def one(state, _):
        return coarse.step(state), coarse.observe(state)["m1"]

    with working():
        fields = jax.lax.scan(one, coarse.start(m1), None, length=3)[1]
        np.testing.assert_allclose(fields, coarse.integrate(m1, 0.15, save_at=[0.05, 0.1, 0.15]), atol=1e-14)


def test_another_integrator_around_the_right_hand_side_comes_to_the_same(coarse, m1):
    # exponential Euler with a small step: of first order, so that the error halves with the step
    with working():
        exact = jnp.fft.fft2(coarse.integrate(m1, 0.4, save_at=[0.4])[-1])[None]
        errors = []
        for count in (16, 32):
            state, dt = jnp.fft.fft2(jnp.asarray(m1))[None], 0.4 / count
            rates = coarse.linear(state)
            factor = jnp.expm1(dt * rates) / rates
            advance = jax.jit(lambda u, dt=dt, rates=rates, factor=factor: jnp.exp(dt * rates) * u + factor * coarse.nonlinear(u))
            for _ in range(count):
                state = advance(state)
            errors.append(float(jnp.abs(state - exact).max() / jnp.abs(exact).max()))
    assert errors[0] < 0.02 and abs(errors[0] / errors[1] - 2) < 0.2


class Counting(eqx.Module):
    """A quadratic closure that counts how often it is traced."""

    weight: jax.Array

    def __call__(self, c, m1, strain, vorticity, parameters):
        Counting.traces += 1
        return self.weight * m1 * m1 / c


def test_a_sweep_over_numbers_compiles_once(m1):
    Counting.traces = 0
    ends, traces = [], []
    for alpha, zeta, weight in ((-1.0, 0.3, 1.0), (-2.0, 0.5, 0.5), (-2.5, 0.2, 0.9)):
        solver = CoarseSolver(Parameters(alpha, zeta), Counting(jnp.asarray(weight)), POINTS, DT)
        ends.append(solver.integrate(m1, 0.1))
        traces.append(Counting.traces)
    assert traces[0] == traces[1] == traces[2] > 0
    assert np.abs(ends[0] - ends[1]).max() > 1e-3


def test_a_solver_is_a_pytree_of_its_numbers(coarse, m1):
    moved = eqx.tree_at(lambda one: one.parameters.alpha, coarse, -1.0)
    assert moved.parameters.alpha == -1 and moved.points == coarse.points
    slopes = jax.grad(lambda one: jnp.mean(jnp.abs(one.integrate(m1, 0.1)) ** 2))(coarse)
    assert isinstance(slopes, CoarseSolver) and abs(slopes.parameters.zeta) > 1e-6 and abs(slopes.parameters.d_r) > 1e-6


def test_a_run_under_a_transformation_names_the_pure_function(coarse, m1):
    def energy(alpha):
        return CoarseSolver(Parameters(alpha, 0.3), points=POINTS).run(m1, 0.1, 0.1)["m1"].values

    for transform in (jax.grad, jax.jit):
        with pytest.raises(ConfigError, match=r"call CoarseSolver\.integrate there"):
            transform(energy)(-1.0)


@pytest.mark.parametrize(
    ("time", "save_at", "wanted"),
    [
        (1.0, None, (4, 0.25, [4])),
        (1.0, [0, 0.5, 1.0], (2, 0.25, [0, 1, 2])),
        (0.9, [0.3, 0.9], (2, 0.15, [1, 3])),
        (20.0, np.arange(0, 20.1, 0.5), (2, 0.25, list(range(41)))),
        (1.0, [0.4], (1, 0.2, [2])),
        (1 / 3, [1 / 9, 2 / 9], (1, 1 / 9, [1, 2])),
    ],
)
def test_the_time_step_divides_all_saved_times(time, save_at, wanted):
    stride, dt, chosen = schedule(time, save_at, 0.25)
    assert (stride, chosen if save_at is not None else [chosen[0] * stride]) == (wanted[0], wanted[2])
    assert dt == pytest.approx(wanted[1], rel=1e-6)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda s, m: s.integrate(m, 0.0), "above 0"),
        (lambda s, m: s.integrate(m, 1.0, save_at=[0.5, 0.2]), "has to rise"),
        (lambda s, m: s.integrate(m, 1.0, save_at=[2.0]), "within 0 and 1"),
        (lambda s, m: s.integrate(m, 1.0, save_at=[0.1, 0.1000013]), "no step above"),
        (lambda s, m: jax.jit(lambda t: s.integrate(m, t))(1.0), "plain numbers"),
        (lambda s, m: s.integrate(m[:8, :8], 1.0), r"takes \(moment, 16, 16\)"),
        (lambda s, m: s.start(np.stack([m] * 3)), "m_1 to m_1"),
        (lambda s, m: KineticSolver(Parameters(-1.0, 0.3), POINTS, MODES).observe(m), "m_1 to m_10"),
    ],
)
def test_wrong_times_and_shapes_are_refused_in_a_line(coarse, m1, call, match):
    with pytest.raises((ConfigError, ShapeError), match=match) as refusal:
        call(coarse, m1)
    assert "\n" not in str(refusal.value)
