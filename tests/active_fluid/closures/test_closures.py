"""Closures: equivariance, realisability, gradients at the isotropic point, and the trace of the tensors."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sciml.active_fluid.closures.closure import BinghamClosure, QuadraticClosure, slack
from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.fields.precision import working

CLOSURES = {"bingham": BinghamClosure(), "quadratic": QuadraticClosure()}
PARAMETERS = Parameters(-1.5, 0.6)


def inputs(count: int, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Return density, m1 anywhere in its disc, strain and vorticity of all sizes."""
    generator = np.random.default_rng(seed)
    c = generator.uniform(0.5, 2, count)
    # as many close to full alignment as close to none
    q = np.where(generator.random(count) < 0.5, generator.random(count), 1 - 10 ** generator.uniform(-12, -1, count))
    m1 = c * q * np.exp(2j * np.pi * generator.random(count))
    strain = 10 ** generator.uniform(-3, 3, count) * np.exp(2j * np.pi * generator.random(count))
    return c, m1, strain, 10 ** generator.uniform(-3, 3, count) * generator.choice([-1, 1], count)


@eqx.filter_jit
def compiled(closure, *given):
    return closure(*given)


def closed(name: str, c, m1, strain, vorticity) -> np.ndarray:
    with working("double"):
        return np.asarray(compiled(CLOSURES[name], *map(jnp.asarray, (c, m1, strain, vorticity)), PARAMETERS))


@pytest.mark.parametrize("name", CLOSURES)
@pytest.mark.parametrize("angle", [0.1, 1.0, 2.5])
def test_rotation_and_reflection(name, angle):
    c, m1, strain, vorticity = inputs(2000)
    m2 = closed(name, c, m1, strain, vorticity)
    turn = np.exp(2j * angle)
    assert np.allclose(closed(name, c, m1 * turn, strain * turn, vorticity), m2 * turn**2, rtol=0, atol=1e-12)
    assert np.allclose(closed(name, c, np.conj(m1), np.conj(strain), -vorticity), np.conj(m2), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", CLOSURES)
def test_realisable_anywhere(name):
    c, m1, strain, vorticity = inputs(1_000_000)
    m2 = closed(name, c, m1, strain, vorticity)
    with working("double"):
        found = np.asarray(slack(jnp.asarray(c), jnp.asarray(m1), jnp.asarray(m2)))
    assert found.min() >= -1e-12
    # and where it is positive the Toeplitz matrix of 1, m1, m2 is too
    a, b = (m1 / c)[:500], (m2 / c)[:500]
    one = np.ones_like(a)
    toeplitz = np.moveaxis(np.array([[one, np.conj(a), np.conj(b)], [a, one, np.conj(a)], [b, a, one]]), -1, 0)
    assert np.linalg.eigvalsh(toeplitz).min() > -1e-12


def test_slack_has_the_sign_of_the_toeplitz_matrix():
    generator = np.random.default_rng(4)
    a = 0.95 * generator.random(2000) * np.exp(2j * np.pi * generator.random(2000))
    b = 1.2 * generator.random(2000) * np.exp(2j * np.pi * generator.random(2000))
    one = np.ones_like(a)
    toeplitz = np.moveaxis(np.array([[one, np.conj(a), np.conj(b)], [a, one, np.conj(a)], [b, a, one]]), -1, 0)
    least = np.linalg.eigvalsh(toeplitz)[:, 0]
    with working("double"):
        found = np.asarray(slack(jnp.ones(2000), jnp.asarray(a), jnp.asarray(b)))
    assert np.array_equal(found > 0, least > 0)
    assert 200 < np.count_nonzero(found > 0) < 1800


@pytest.mark.parametrize("name", CLOSURES)
def test_density_scales_and_full_alignment_is_exact(name):
    c, m1, strain, vorticity = inputs(500)
    assert np.allclose(closed(name, 3 * c, 3 * m1, strain, vorticity), 3 * closed(name, c, m1, strain, vorticity))
    aligned = np.exp(2j * np.linspace(0, 3, 7))
    one = np.ones(7)
    assert np.allclose(closed(name, one, aligned, one + 0j, one), aligned**2, atol=1e-12)


@pytest.mark.parametrize("name", CLOSURES)
def test_gradients_are_finite_and_right(name):
    def size(parts):
        m2 = CLOSURES[name](jnp.ones(()), parts[0] + 1j * parts[1], 0j, 0.0, PARAMETERS)
        return jnp.stack([m2.real, m2.imag])

    m1 = np.array([0j, 1e-200, 0.4 - 0.3j, 0.99j, 1, np.exp(0.7j)])
    with working("double"):
        at = jnp.asarray(np.stack([m1.real, m1.imag], 1))
        found = np.asarray(jax.jit(jax.vmap(jax.jacrev(size)))(at))
        assert np.allclose(found, np.asarray(jax.jit(jax.vmap(jax.jacfwd(size)))(at)), atol=1e-12)
        sizes = jax.jit(jax.vmap(size))
        ends = [np.asarray(sizes(at + h * e)) for e in jnp.eye(2) for h in (1e-5, -1e-5)]
    assert np.all(np.isfinite(found))
    columns = np.stack([(ends[0] - ends[1]) / 2e-5, (ends[2] - ends[3]) / 2e-5], -1)
    assert np.allclose(found[:4], columns[:4], atol=1e-7)
    assert np.all(found[0] == 0)


@pytest.mark.parametrize("name", CLOSURES)
def test_the_tensors_keep_trace_and_symmetry(name):
    # S rebuilt from c, m1, m2: cos and sin of 2 theta and 4 theta decide all components
    c, m1, strain, vorticity = inputs(300)
    m2 = closed(name, c, m1, strain, vorticity)
    xx, yy, xy = (c + m1.real) / 2, (c - m1.real) / 2, m1.imag / 2
    xxxx = (3 * c + 4 * m1.real + m2.real) / 8
    xxyy = (c - m2.real) / 8
    yyyy = (3 * c - 4 * m1.real + m2.real) / 8
    xxxy, xyyy = (2 * m1.imag + m2.imag) / 8, (2 * m1.imag - m2.imag) / 8
    for left, right in ((xxxx + xxyy, xx), (xxyy + yyyy, yy), (xxxy + xyyy, xy), (xx + yy, c)):
        assert np.allclose(left, right, atol=1e-13)
    # fourth moments of a non-negative distribution
    assert np.all(xxxx > -1e-12)
    assert np.all(xxyy > -1e-12)
    assert np.all(yyyy > -1e-12)
