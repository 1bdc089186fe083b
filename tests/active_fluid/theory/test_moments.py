"""The right-hand side in complex moments against the equations as they are written, on a grid of angles and with tensors."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sciml.active_fluid import BinghamClosure, Parameters, QuadraticClosure
from sciml.active_fluid.fields.grid import Grid, inverse, transform
from sciml.active_fluid.fields.precision import working
from sciml.active_fluid.fields.stokes import stress
from sciml.active_fluid.solvers.evolution import case_of, observe
from sciml.active_fluid.theory.moments import Model, flow_of, linear, tendency
from sciml.active_fluid.theory.states import lifted, random_state

POINTS, ANGLES, MODES = 16, 32, 6
PARAMETERS = Parameters(alpha=-1.3, zeta=0.7, beta=0.9, d_t=0.04, d_r=0.07, length=7.0)


def waves(generator: np.random.Generator, most: int = 2) -> np.ndarray:
    """Return a real field of long waves."""
    coefficients = np.zeros((POINTS, POINTS), complex)
    for k in range(-most, most + 1):
        for j in range(-most, most + 1):
            coefficients[k, j] = complex(*generator.standard_normal(2))
    return np.fft.ifft2(coefficients).real * POINTS**2 / 5


def distribution() -> np.ndarray:
    """Return Psi(x, y, theta) with density that varies and even harmonics up to 3."""
    generator = np.random.default_rng(0)
    theta = 2 * np.pi * np.arange(ANGLES) / ANGLES
    psi = (1 + 0.05 * waves(generator))[..., None] * np.ones(ANGLES)
    for n in range(1, 4):
        psi = psi + 0.3 / n * (
            waves(generator)[..., None] * np.cos(2 * n * theta) + waves(generator)[..., None] * np.sin(2 * n * theta)
        )
    return psi / (2 * np.pi)


def tensor_form(psi: np.ndarray, p: Parameters) -> np.ndarray:
    """Return dPsi/dt by equations (1) to (6), products cut at two thirds of the largest wave number."""
    k = 2 * np.pi / p.length * np.fft.fftfreq(POINTS, 1 / POINTS)
    kx, ky = np.meshgrid(k, k, indexing="ij")
    whole = np.abs(np.fft.fftfreq(POINTS, 1 / POINTS)) < POINTS / 3
    cut = whole[:, None] & whole[None, :]
    k2 = np.where(kx**2 + ky**2 == 0, np.inf, kx**2 + ky**2)

    def hat(field):
        return np.fft.fft2(field, axes=(0, 1)) * cut.reshape(cut.shape + (1,) * (field.ndim - 2))

    def back(coefficients):
        return np.fft.ifft2(coefficients, axes=(0, 1)).real

    theta = 2 * np.pi * np.arange(ANGLES) / ANGLES
    rod = np.stack([np.cos(theta), np.sin(theta)])
    across = np.stack([-np.sin(theta), np.cos(theta)])
    dtheta = 2 * np.pi / ANGLES
    d = np.einsum("xyt,it,jt->xyij", psi, rod, rod) * dtheta
    s = np.einsum("xyt,it,jt,kt,lt->xyijkl", psi, rod, rod, rod, rod) * dtheta
    wave = np.stack([kx, ky], -1)
    grad = np.zeros((POINTS, POINTS, 2, 2))
    for _ in range(60):
        e = (grad + np.swapaxes(grad, -1, -2)) / 2
        sigma = (
            p.alpha * d
            + p.beta * np.einsum("xyijkl,xykl->xyij", s, e)
            - 2 * p.zeta * p.beta * (np.einsum("xyij,xyjk->xyik", d, d) - np.einsum("xyijkl,xykl->xyij", s, d))
        )
        force = 1j * np.einsum("xyj,xyij->xyi", wave, hat(sigma))
        force -= wave * (np.einsum("xyi,xyi->xy", wave, force) / k2)[..., None]
        u_hat = force / k2[..., None]
        grad = back(1j * u_hat[..., :, None] * wave[..., None, :])
    u = back(u_hat)
    turning = np.einsum("it,xyij,jt->xyt", across, grad + 2 * p.zeta * d, rod)
    flux = sum(1j * wave[..., i, None] * hat(u[..., i, None] * psi) for i in range(2))
    harmonics = np.fft.fftfreq(ANGLES, 1 / ANGLES)

    def turned(field, order):
        return np.fft.ifft(np.fft.fft(field) * (1j * harmonics) ** order).real

    spread = back(-p.d_t * np.where(np.isinf(k2), 0, k2)[..., None] * np.fft.fft2(psi, axes=(0, 1)))
    return -back(flux) - turned(back(hat(turning * psi)), 1) + spread + p.d_r * turned(psi, 2)


def test_the_moments_obey_the_kinetic_equation_written_with_tensors():
    psi = distribution()
    theta = 2 * np.pi * np.arange(ANGLES) / ANGLES
    basis = np.exp(2j * np.arange(MODES + 1)[:, None] * theta) * (2 * np.pi / ANGLES)
    wanted = np.einsum("xyt,nt->nxy", tensor_form(psi, PARAMETERS), basis)
    with working():
        model = Model(Grid.of(POINTS, PARAMETERS.length), PARAMETERS, None, False, 3)
        state = transform(jnp.asarray(np.einsum("xyt,nt->nxy", psi, basis)))
        change = jax.jit(lambda state: inverse(tendency(model, state, None, 40)[0] + linear(model, len(state)) * state))
        found = np.asarray(change(state))
    assert np.abs(wanted[1]).max() > 0.1 and np.abs(wanted[0]).max() > 1e-2
    np.testing.assert_allclose(found, wanted, atol=1e-12)


@pytest.mark.parametrize("closure", [None, BinghamClosure(), QuadraticClosure()])
def test_the_flow_s_power_is_the_stress_s_work(closure):
    # 2 <|e|^2> = -<Re(e* sigma)> where the strain in the stress is the flow's own
    m1 = random_state(POINTS, 1, amplitude=0.8)
    with working():
        model = Model(Grid.of(POINTS, PARAMETERS.length), PARAMETERS, closure, True, 3)
        fields = jnp.asarray(lifted(m1, 8)[1:] if closure is None else m1[None])
        errors = []
        for sweeps in (30, 1):
            flow = jax.jit(lambda fields, sweeps=sweeps: flow_of(model, fields, None, sweeps))(fields)
            sigma = stress(jnp.ones(()), fields[0], flow.m2, flow.strain, PARAMETERS)
            spent = 2 * np.mean(np.abs(flow.strain) ** 2)
            errors.append(abs(spent + np.mean(np.real(np.conj(flow.strain) * sigma))) / spent)
    assert errors[0] < 1e-12
    assert errors[1] > 1e-3


@pytest.mark.parametrize("angle", [0.3, 1.1, 2.9])
def test_turning_all_rods_turns_the_right_hand_side(angle):
    generator = np.random.default_rng(2)
    strain, m1 = 0.4 * (generator.standard_normal((2, 5)) + 1j * generator.standard_normal((2, 5)))
    m1 = m1 / (1 + np.abs(m1))
    turn = np.exp(2j * angle)
    with working():
        for closure in (BinghamClosure(), QuadraticClosure()):
            one = jnp.ones(())
            m2 = closure(one, jnp.asarray(m1), strain, strain.real, PARAMETERS)
            turned = closure(one, jnp.asarray(m1 * turn), strain * turn, strain.real, PARAMETERS)
            np.testing.assert_allclose(turned, m2 * turn**2, atol=1e-13)
            sigma = stress(one, m1, m2, strain, PARAMETERS)
            np.testing.assert_allclose(stress(one, m1 * turn, turned, strain * turn, PARAMETERS), sigma * turn, atol=1e-13)
        # a state without a wave has no flow: what is left turns each m_n by n times the angle
        powers = turn ** np.arange(1, 7)
        moments = lifted(np.full((POINTS, POINTS), m1[0]), 6)[1:]
        model = Model(Grid.of(POINTS, PARAMETERS.length), PARAMETERS, None, True, 3)
        change = jax.jit(lambda given: inverse(tendency(model, transform(given), None)[0]))
        plain, other = (np.asarray(change(jnp.asarray(given))) for given in (moments, moments * powers[:, None, None]))
    assert np.abs(plain).max() > 0.1
    np.testing.assert_allclose(other, plain * powers[:, None, None], atol=1e-12)


def test_a_density_of_one_in_the_state_is_the_same_theory():
    m1 = random_state(POINTS, 4, amplitude=0.5)
    with working():
        fields = jnp.asarray(lifted(m1, 8))
        with_density, without = (
            observe(case_of(PARAMETERS, None, POINTS, uniform, 3), transform(fields[1:] if uniform else fields))
            for uniform in (False, True)
        )
    for name, field in without.items():
        np.testing.assert_allclose(with_density[name], field, atol=1e-13)
