"""The flow: an analytic solution, its own constraints, and its fixed point against a dense linear solve."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sciml.active_fluid.closures.closure import BinghamClosure
from sciml.active_fluid.fields.grid import Grid, check_points, of_real_part
from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.fields.precision import working
from sciml.active_fluid.fields.stokes import Flow, flow_of_stress, solve_flow, stress
from sciml.active_fluid.theory.moments import Model, flow_of
from sciml.active_fluid.theory.states import random_state
from sciml.runtime.errors import ConfigError

POINTS, LENGTH = 16, 7.0
AXIS = LENGTH * np.arange(POINTS) / POINTS
X, Y = AXIS[:, None], AXIS[None, :]
K = 2 * np.pi / LENGTH


def numpy_flow(flow: Flow) -> Flow:
    return Flow(*(np.asarray(part) for part in flow))


def derivative(field: np.ndarray, axis: int) -> np.ndarray:
    """Return the spectral derivative of a real field, written apart from the grid's."""
    n = np.fft.fftfreq(POINTS, 1 / POINTS)
    n[POINTS // 2] = 0
    shape = (-1, 1) if axis == 0 else (1, -1)
    return np.fft.ifft(1j * K * n.reshape(shape) * np.fft.fft(field, axis=axis), axis=axis).real


def test_flow_of_a_stress_with_a_known_solution():
    # psi = cos(a x) cos(b y) solves Stokes with Sigma = -2 E(psi): any other multiple of E moves it in proportion, and a gradient
    # part, such as the stress of an isotropic potential, adds pressure alone
    a, b = 2 * K, 3 * K
    psi = np.cos(a * X) * np.cos(b * Y)
    u, v = -b * np.cos(a * X) * np.sin(b * Y), a * np.sin(a * X) * np.cos(b * Y)
    e11 = a * b * np.sin(a * X) * np.sin(b * Y)
    e12 = (a**2 - b**2) * psi / 2
    vorticity = (a**2 + b**2) * psi
    # Sigma = grad grad phi has the traceless part (phi_xx - phi_yy) / 2 + i phi_xy and a divergence that is a gradient
    phi = np.sin(K * X + 2 * K * Y)
    pressure = (-(K**2) + 4 * K**2) / 2 * phi - 2j * K**2 * phi
    with working("double"):
        flow = numpy_flow(flow_of_stress(Grid.of(POINTS, LENGTH), jnp.asarray(-2 * (e11 + 1j * e12) + pressure)))
    assert np.allclose(flow.velocity, u + 1j * v, atol=1e-12)
    assert np.allclose(flow.strain, e11 + 1j * e12, atol=1e-12)
    assert np.allclose(flow.vorticity, vorticity, atol=1e-12)


def test_a_flow_obeys_its_equations():
    generator = np.random.default_rng(0)
    sigma = random_state(POINTS, 0, 1.0) + 1j * random_state(POINTS, 1, 1.0)
    sigma = sigma + generator.standard_normal() * 0.1
    with working("double"):
        flow = numpy_flow(flow_of_stress(Grid.of(POINTS, LENGTH), jnp.asarray(sigma)))
    u, v = flow.velocity.real, flow.velocity.imag
    assert np.abs(u).max() > 1e-3
    assert np.allclose(derivative(u, 0) + derivative(v, 1), 0, atol=1e-13)
    assert np.allclose(flow.velocity.mean(), 0, atol=1e-15)
    assert np.allclose(flow.strain.real, derivative(u, 0), atol=1e-13)
    assert np.allclose(flow.strain.imag, (derivative(u, 1) + derivative(v, 0)) / 2, atol=1e-13)
    assert np.allclose(flow.vorticity, derivative(v, 0) - derivative(u, 1), atol=1e-13)
    # the curl of Lap u + div Sigma is 0: with the stream function's biharmonic operator, -Lap w = curl div Sigma
    s11, s12 = sigma.real, sigma.imag
    curl = derivative(derivative(s12, 0) - derivative(s11, 1), 0) - derivative(derivative(s11, 0) + derivative(s12, 1), 1)
    laplacian = derivative(derivative(flow.vorticity, 0), 0) + derivative(derivative(flow.vorticity, 1), 1)
    assert np.allclose(laplacian + curl, 0, atol=1e-11)


def test_bad_grids_are_refused():
    for points in (15, 8, 17):
        with pytest.raises(ConfigError, match="even number"):
            check_points(points)


def test_the_real_part_in_fourier_space():
    field = np.random.default_rng(1).standard_normal((POINTS, POINTS, 2)) @ [1, 1j]
    with working("double"):
        found = np.asarray(of_real_part(jnp.fft.fft2(field)))
    assert np.allclose(found, np.fft.fft2(field.real), atol=1e-12)


def strongly_ordered(seed: int = 2) -> np.ndarray:
    m1 = random_state(POINTS, seed, 1.0, most=2)
    return 0.95 * m1 / np.abs(m1).max()


@pytest.mark.parametrize("beta", [0.8, 8.0])
def test_the_fixed_point_is_the_solution_of_the_dense_linear_system(beta):
    parameters = Parameters(-1.5, 0.6, beta, length=LENGTH)
    m1, c = strongly_ordered(), 1 + 0.3 * np.cos(K * X) * np.ones((1, POINTS))
    m1 = m1 * c
    with working("double"):
        grid = Grid.of(POINTS, LENGTH)
        second = np.asarray(BinghamClosure()(jnp.asarray(c), jnp.asarray(m1), 0j, 0.0, parameters))
        given = jnp.asarray(c), jnp.asarray(m1), lambda e, w: jnp.asarray(second), None, parameters, 80, c.mean()
        flow = numpy_flow(jax.jit(lambda: solve_flow(grid, *given))())

        # e = P[sigma(e)] is real-linear in e with m2 given: its matrix, a column per real number of e
        def swept(strain: np.ndarray) -> np.ndarray:
            sigma = stress(jnp.asarray(c), jnp.asarray(m1), jnp.asarray(second), jnp.asarray(strain), parameters)
            return np.asarray(flow_of_stress(grid, sigma).strain).ravel().view(np.float64)

        size = 2 * POINTS**2
        rest = swept(np.zeros((POINTS, POINTS), np.complex128))
        basis = np.eye(size).view(np.complex128).reshape(size, POINTS, POINTS)
        sigma = stress(jnp.asarray(c), jnp.asarray(m1), jnp.asarray(second), jnp.asarray(basis), parameters)
        columns = np.asarray(flow_of_stress(grid, sigma).strain).reshape(size, -1).view(np.float64)
    matrix = (columns - rest).T
    solved = np.linalg.solve(np.eye(size) - matrix, rest).view(np.complex128).reshape(POINTS, POINTS)
    assert np.abs(solved).max() > 0.01
    assert np.allclose(flow.strain, solved, rtol=0, atol=1e-11 * np.abs(solved).max())


@pytest.mark.parametrize("beta", [0.8, 8.0])
def test_sweeps_contract_at_least_as_fast_as_the_bound(beta):
    parameters = Parameters(-1.5, 0.6, beta, length=LENGTH)
    with working("double"):
        m1 = jnp.asarray(strongly_ordered()[None])
        model = Model(Grid.of(POINTS, LENGTH), parameters, BinghamClosure(), uniform=True, sweeps=1)
        exact = np.asarray(jax.jit(lambda: flow_of(model, m1, None, 80).strain)())
        # each time one sweep more, from the flow of those before
        once = jax.jit(lambda guess: flow_of(model, m1, guess, 1))
        flow, errors = None, []
        for _ in range(7):
            flow = once(flow)
            errors.append(np.linalg.norm(np.asarray(flow.strain) - exact))
    rates = np.array(errors[1:]) / errors[:-1]
    assert np.all(rates < beta / (8 + beta) + 1e-6)
    assert np.all(rates > 0.01 * beta / (8 + beta))


def test_the_bound_is_met_where_all_rods_are_parallel():
    # a wave of strain on fully aligned rods: m2 = m1^2, c = 1 and the remainder h* m2 of the strain alone has norm beta / 4 |e|
    parameters = Parameters(0.0, 0.0, 2.0, length=LENGTH)
    wave = np.cos(K * X + K * Y)
    with working("double"):
        grid = Grid.of(POINTS, LENGTH)
        m1 = jnp.exp(0j) * jnp.ones((POINTS, POINTS), jnp.complex128)
        guess = Flow(*(jnp.asarray(part) for part in (wave * 0j, wave + 0j, wave * 0, wave * 0j)))
        one = solve_flow(grid, jnp.ones(()), m1, lambda e, w: m1 * m1, guess, parameters, 1, 1.0)
        ratio = np.linalg.norm(np.asarray(one.strain)) / np.linalg.norm(wave)
    # waves at 45 degrees strain along the rods: sigma = beta / 4 e* m2, and e_cross takes 1 / 2 of it over 1 + beta / 8
    assert ratio == pytest.approx(2.0 / (8 + 2.0), rel=1e-10)
