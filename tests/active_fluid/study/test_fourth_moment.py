"""The fourth moment over the order, and the check of gradients that the page shows."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sciml.active_fluid import BinghamClosure, Parameters, QuadraticClosure
from sciml.active_fluid.closures.bingham import lambda_of, order_of
from sciml.active_fluid.inference.gradient_check import gradient_rows
from sciml.active_fluid.solvers.trajectories import Trajectory
from sciml.active_fluid.study.fourth_moment import EDGES, MIN_COUNT, ORDERS, at_rest, band, curves, fourth


def test_curves_at_rest_are_those_of_the_formulas():
    np.testing.assert_allclose(at_rest(QuadraticClosure()), ORDERS**2, atol=1e-14)
    np.testing.assert_allclose(at_rest(BinghamClosure()), order_of(lambda_of(ORDERS))[1], atol=1e-11)


def test_the_fourth_moment_does_not_turn_with_the_rods():
    generator = np.random.default_rng(0)
    m1, m2 = generator.standard_normal((2, 5)) + 1j * generator.standard_normal((2, 5))
    np.testing.assert_allclose(fourth(m1 * np.exp(0.6j), m2 * np.exp(1.2j)), fourth(m1, m2), rtol=1e-12)
    assert fourth(np.zeros(1, complex), np.ones(1, complex))[0] == 0


def test_bands_leave_out_what_hardly_occurs():
    q = np.full(MIN_COUNT, 0.5)
    low, middle, high = np.array(band(np.append(q, 0.9), np.append(np.linspace(0, 1, MIN_COUNT), 7.0)), float)
    which = np.digitize(0.5, EDGES) - 1
    assert middle[which] == pytest.approx(0.5) and low[which] < 0.06 and high[which] > 0.94
    assert np.isfinite(middle).sum() == 1


def test_closures_are_put_beside_kinetic_fields():
    generator = np.random.default_rng(1)
    m1 = (0.3 * np.exp(2j * np.pi * generator.random((2, 64, 64)))).astype(np.complex64)
    flow = np.zeros((2, 64, 64))
    truth = Trajectory(Parameters(-1.0, 0.5), 1, np.arange(2.0), m1, 0.2 * m1 * m1, 0 * m1, flow + 0j, flow, flow + 0j, 0.1)
    found = curves({"bingham": BinghamClosure()}, [truth])
    which = np.digitize(0.3, EDGES) - 1
    exact = order_of(lambda_of(np.array([0.3])))[1][0]
    assert found.bands["kinetic"][1][which] == pytest.approx(0.2 * 0.09 - exact, abs=2e-5)
    assert found.bands["bingham"][1][which] == pytest.approx(0, abs=2e-5)


class Weighted(eqx.Module):
    """A closure with one weight."""

    weight: jax.Array

    def __call__(self, c, m1, strain, vorticity, parameters):
        return m1 * m1 + self.weight * m1 * strain


def test_gradients_by_three_ways_agree():
    rows = gradient_rows(Weighted(jnp.array(0.3)), Parameters(-1.5, 0.5), 3, count=3)
    assert [row["number"] for row in rows] == ["activity", "alignment", "first state", "weights"]
    assert max(row["error"] for row in rows) < 1e-7 and min(abs(row["finite"]) for row in rows) > 1e-6
