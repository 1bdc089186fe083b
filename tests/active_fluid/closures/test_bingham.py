"""Bingham's map against the reference table, quadrature over the angle, series, and derivatives."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sciml.active_fluid.closures import bingham
from sciml.active_fluid.fields.precision import working

REFERENCE = np.load(Path(__file__).parents[1] / "data" / "reference.npz")


def f4(q: np.ndarray) -> np.ndarray:
    """Return the map from q to |m2| of the program."""
    with working("double"):
        return np.asarray(bingham.ratio(jnp.asarray(q) ** 2)) * q**2


def test_reference_table():
    q = REFERENCE["bingham_q"]
    assert np.max(np.abs(f4(q) - REFERENCE["bingham_f4"])) < 1e-10
    inner = (q > 0) & (q < 1 - 1e-9)
    assert np.allclose(bingham.lambda_of(q[inner]), REFERENCE["bingham_lambda"][inner], rtol=1e-9)


def test_quadrature_over_the_angle():
    theta = np.pi * np.arange(4000) / 4000
    for lam in (1e-3, 0.1, 1.0, 7.0, 60.0, 900.0):
        weight = np.exp(lam * (np.cos(2 * theta) - 1))
        weight /= weight.sum()
        q, fourth = np.sum(weight * np.cos(2 * theta)), np.sum(weight * np.cos(4 * theta))
        assert f4(np.array([q]))[0] == pytest.approx(fourth, abs=1e-11)
        assert np.allclose(bingham.order_of(np.array([lam])), [[q], [fourth]], atol=1e-13)
        assert bingham.lambda_of(np.array([q]))[0] == pytest.approx(lam, rel=1e-7)


def test_series_at_both_ends():
    q = np.array([1e-4, 1e-3, 1e-2])
    assert np.allclose(f4(q) / q**2, 0.5 + q**2 / 6, atol=1e-8)
    d = np.array([1e-8, 1e-6, 1e-4])
    assert np.allclose(f4(1 - d), 1 - 4 * d + 6 * d**2, atol=3e-11)
    # rounding above 1 counts as 1
    assert f4(np.array([1.0]))[0] == pytest.approx(1, abs=1e-12)
    with working("double"):
        assert float(bingham.ratio(jnp.asarray(1 + 1e-12))) == pytest.approx(1, abs=1e-12)


def test_the_map_rises_and_stays_realisable():
    q = np.linspace(0, 1, 200_001)
    values = f4(q)
    assert np.all(np.diff(values) > 0)
    assert np.min(1 - q**2 - np.abs(values - q**2)) > -1e-12


def test_the_constants_are_those_of_the_fit(monkeypatch):
    z = np.linspace(0, 1, 5001) ** 0.5
    with working("double"):
        kept = np.asarray(bingham.ratio(jnp.asarray(z)))
        for name, values in zip(("OFFSET", "REAL", "PAIRS"), bingham.fitted(), strict=True):
            monkeypatch.setattr(bingham, name, values)
        # poles move with rounding and the function does not
        assert np.max(np.abs(np.asarray(bingham.ratio(jnp.asarray(z))) - kept)) < 1e-10


def slope(q: np.ndarray) -> np.ndarray:
    """Return df4/dq = (df4/dlambda) / (dq/dlambda) with f4 = 1 - 2 q / lambda."""
    lam = bingham.lambda_of(q)
    dq = 1 - q / lam - q**2
    return (-2 * dq / lam + 2 * q / lam**2) / dq


def test_gradients_by_formula_and_differences():
    q = np.linspace(0.02, 0.98, 49)
    with working("double"):
        one = lambda x: bingham.ratio(x * x) * x * x  # noqa: E731
        slopes = jax.jit(jax.vmap(jax.grad(one)))
        found = np.asarray(slopes(jnp.asarray(q)))
        again = np.asarray(jax.jit(jax.vmap(jax.jacfwd(one)))(jnp.asarray(q)))
        ends = slopes(jnp.asarray([0.0, 1.0])).tolist()
    assert np.allclose(found, slope(q), atol=2e-9)
    assert np.allclose(found, again, rtol=1e-12)
    h = 1e-5
    assert np.allclose(found, (f4(q + h) - f4(q - h)) / (2 * h), atol=1e-8)
    assert ends[0] == 0
    # f4 = 1 - 4 (1 - q) + ...
    assert ends[1] == pytest.approx(4, abs=1e-7)


def test_single_precision_stays_single():
    q = np.linspace(0, 1, 1001)
    with working("single"):
        found = bingham.ratio(jnp.asarray(q**2, jnp.float32))
        assert found.dtype == jnp.float32
    assert np.max(np.abs(np.asarray(found, np.float64) * q**2 - f4(q))) < 1e-6
