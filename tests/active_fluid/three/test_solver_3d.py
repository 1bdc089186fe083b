"""The solver in three dimensions: pure functions, runs and what is refused."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sciml.active_fluid import CoarseSolver3D, Parameters, StoppedRun, random_state_3d
from sciml.active_fluid.fields.precision import working
from sciml.runtime.errors import ConfigError, DataError, ShapeError

POINTS, DT = 8, 0.05


@pytest.fixture
def solver() -> CoarseSolver3D:
    return CoarseSolver3D(Parameters(alpha=-2.0, zeta=0.5), POINTS, DT)


@pytest.fixture
def d() -> np.ndarray:
    return random_state_3d(POINTS, seed=1, amplitude=0.4, most=1)


def isotropic() -> jax.Array:
    return jnp.broadcast_to(jnp.eye(3)[..., None, None, None] / 3, (3, 3, *[POINTS] * 3))


def test_the_gradient_of_a_step_is_that_of_differences(d):
    def order(theta, state):
        solver = CoarseSolver3D(Parameters(theta[0], theta[1], theta[2]), POINTS, DT, sweeps=2)
        return jnp.mean(jnp.abs(solver.step(state).state) ** 2)

    with working():
        both = jax.jit(jax.value_and_grad(order))
        solver = CoarseSolver3D(Parameters(-2.0, 0.5), POINTS, DT, sweeps=2)
        theta, way, h = jnp.array([-2.0, 0.5, 0.8]), jnp.array([0.4, -0.3, 0.2]), 1e-4
        state = solver.start(d)
        finite = (both(theta + h * way, state)[0] - both(theta - h * way, state)[0]) / (2 * h)
        np.testing.assert_allclose(both(theta, state)[1] @ way, finite, rtol=1e-6)
        # isotropic rods: three eigenvalues meet everywhere
        assert np.isfinite(both(theta, solver.start(isotropic()))[1]).all()


@pytest.mark.slow
def test_gradients_through_a_run_are_those_of_differences(d):
    def order(theta):
        solver = CoarseSolver3D(Parameters(theta[0], theta[1], theta[2]), POINTS, DT, sweeps=2)
        return jnp.mean(solver.integrate(isotropic() + theta[3] * (d - isotropic()), 3 * DT) ** 2) * 1e3

    with working():
        both = jax.jit(jax.value_and_grad(order))
        theta, way, h = jnp.array([-2.0, 0.5, 0.8, 1.0]), jnp.array([0.4, -0.3, 0.2, 0.5]), 1e-4
        finite = (both(theta + h * way)[0] - both(theta - h * way)[0]) / (2 * h)
        np.testing.assert_allclose(both(theta)[1] @ way, finite, rtol=1e-6)
        assert np.isfinite(both(theta * jnp.array([1.0, 1.0, 1.0, 0.0]))[1]).all()


@pytest.mark.slow
def test_reverse_mode_with_less_memory_and_mapped_parameters(d):
    def energy(alpha, checkpoint):
        return jnp.mean(CoarseSolver3D(Parameters(alpha, 0.5), POINTS, DT).integrate(d, 4 * DT, checkpoint=checkpoint) ** 2)

    with working():
        slopes = [jax.jit(jax.grad(lambda a, kept=kept: energy(a, kept)))(-1.0) for kept in (False, True)]
        np.testing.assert_allclose(slopes[0], slopes[1], rtol=1e-12)
        alphas = jnp.array([-1.0, 0.5])
        mapped = jax.jit(jax.vmap(lambda a: energy(a, False)))(alphas)
        np.testing.assert_allclose(mapped, [energy(a, False) for a in alphas], rtol=1e-12)


@pytest.mark.slow
def test_a_run_is_the_integral_and_the_steps(solver, d):
    run = solver.run(d, until=0.4, save_every=0.2)
    assert run["D"].dims == ("time", "i", "j", "x", "y", "z") and run["velocity"].dims == ("time", "i", "x", "y", "z")
    assert run["D"].dtype == np.float64 and run.attrs["time_step"] == pytest.approx(DT) and run.attrs["zeta"] == 0.5
    with working():
        found = solver.integrate(d, 0.4, save_at=[0.0, 0.2, 0.4])
        np.testing.assert_allclose(found, run["D"], atol=1e-14)
        state = solver.start(d)
        for _ in range(7):
            state = solver.step(state)
        seen = solver.observe(state)
        for name in ("D", "velocity", "vorticity", "order"):
            np.testing.assert_allclose(seen[name], run[name][-1], atol=1e-12, err_msg=name)
    largest = np.linalg.eigvalsh(np.moveaxis(run["D"].values[-1], (0, 1), (-2, -1)))[..., -1]
    np.testing.assert_allclose(run["order"][-1], 1.5 * largest - 0.5, atol=1e-13)
    # a run goes on from the last time of another
    again = solver.run(run.isel(time=slice(0, 2)), until=0.2, save_every=0.2)
    assert np.abs(again["D"][-1].values - run["D"][-1].values).max() < 1e-4


@pytest.mark.slow
def test_the_precision_is_that_of_the_state(solver, d):
    with working():
        wide, narrow = solver.integrate(d, 0.4), solver.integrate(jnp.asarray(d, jnp.float32), 0.4)
    with jax.enable_x64(False):
        plain = solver.integrate(d, 0.4)
    run = CoarseSolver3D(solver.parameters, POINTS, DT, precision="single").run(d, 0.4, 0.2)
    for single in (narrow, plain, run["D"].values[-1]):
        assert single.dtype == np.float32 and np.abs(single - wide).max() < 1e-5


def test_weak_random_order_has_the_amplitude_that_is_asked():
    squares = [
        1.5 * ((random_state_3d(8, seed, amplitude=0.05) - np.eye(3)[..., None, None, None] / 3) ** 2).sum((0, 1)).mean()
        for seed in range(200)
    ]
    assert np.sqrt(np.mean(squares)) == pytest.approx(0.05, rel=0.1)
    strong = random_state_3d(8, 0, amplitude=3.0)
    assert np.linalg.eigvalsh(np.moveaxis(strong, (0, 1), (-2, -1))).min() == pytest.approx(1 / 30)
    assert np.abs(np.trace(strong) - 1).max() < 1e-14


def test_runs_stop_where_they_mean_nothing_any_more(d):
    fast = CoarseSolver3D(Parameters(alpha=-25.0, zeta=0.5), POINTS, DT)
    with pytest.raises(StoppedRun, match=r"a speed of .*give a time step of .* or less") as stopped:
        fast.run(d, until=2.0, save_every=1.0)
    assert stopped.value.partial.sizes["time"] == 1 and "invalid" in stopped.value.partial.attrs
    # alignment that eight points do not resolve
    sharp = CoarseSolver3D(Parameters(alpha=-3.0, zeta=8.0, d_t=1e-4), POINTS, DT / 10)
    with pytest.raises(StoppedRun, match=r"an eigenvalue of D of -.*more points"):
        sharp.run(d, until=4.0, save_every=1.0)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda s, d: s.run(d[..., :4], 1.0, 0.5), ShapeError, r"expected real \(3, 3, 8, 8, 8\)"),
        (lambda s, d: s.integrate(d[0], 1.0), ShapeError, r"takes \(3, 3, 8, 8, 8\)"),
        (lambda s, d: s.run(d * np.nan, 1.0, 0.5), DataError, "not finite"),
        (lambda s, d: s.run(-d, 1.0, 0.5), DataError, r"the density tr D is -1: it has to be above 0"),
        (lambda s, d: s.run(np.triu(np.ones((3, 3)))[..., None, None, None] * d, 1.0, 0.5), DataError, "not symmetric"),
        (lambda s, d: s.run(3 * d - 2 * np.eye(3)[..., None, None, None] / 3, 1.0, 0.5), DataError, "has the eigenvalue -"),
        (lambda s, d: s.run(d, 1.0, 0.3), ConfigError, "is no whole number of save_every"),
        (lambda s, d: jax.jit(lambda x: s.run(x, 1.0, 0.5)["D"].values)(d), ConfigError, r"call CoarseSolver3D\.integrate"),
        (lambda s, d: CoarseSolver3D(s.parameters, 9), ConfigError, "even number of at least 8"),
        (lambda s, d: CoarseSolver3D(s.parameters, 8, -1.0), ConfigError, "above 0"),
        (lambda s, d: CoarseSolver3D(s.parameters, 8, sweeps=0), ConfigError, "at least 1"),
    ],
)
def test_what_is_no_state_or_no_number_is_refused_in_a_line(solver, d, call, error, match):
    with pytest.raises(error, match=match) as refusal:
        call(solver, d)
    assert "\n" not in str(refusal.value)
