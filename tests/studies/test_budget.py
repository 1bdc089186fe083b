"""The budget of a chain against closed forms and brute force."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.runtime.errors import NumericalError, ShapeError
from sciml.studies.budget import variance_shares


def test_shares_add_up_and_are_those_of_a_regression_on_every_level():
    """Brute force: the explained sum of squares of nested models, with an indicator of every level."""
    links, y = ["a", "b", "c"], np.random.default_rng(0).normal(size=(3, 4, 2))
    shares = variance_shares(y, links)
    assert len(shares) == 7 and sum(shares.values()) == pytest.approx(1)
    levels = np.indices(y.shape).reshape(3, -1)

    def explained(subset) -> float:
        cell = np.ravel_multi_index([levels[axis] for axis in subset], [y.shape[axis] for axis in subset]) if subset else 0
        fit = np.eye(y.size)[np.broadcast_to(cell, y.size)]
        return np.var(fit @ np.linalg.lstsq(fit, y.ravel(), rcond=None)[0]) / y.var()

    assert shares[("b",)] == pytest.approx(explained([1]))
    assert shares[("a", "b")] == pytest.approx(explained([0, 1]) - explained([0]) - explained([1]))
    assert sum(share for links, share in shares.items() if "c" in links) == pytest.approx(1 - explained([0, 1]))


def test_a_sum_has_no_interactions_and_what_does_not_move_has_no_shares():
    a, b = np.array([0.0, 1.0, 5.0]), np.array([0.0, 2.0])
    shares = variance_shares(a[:, None] + b, ["a", "b"])
    assert shares[("a",)] == pytest.approx(a.var() / (a.var() + b.var())) and abs(shares[("a", "b")]) < 1e-15
    assert set(variance_shares(np.full((2, 2), 1e3) + 1e-7 * np.eye(2), ["a", "b"]).values()) == {0.0}


def test_what_is_no_grid_is_refused():
    with pytest.raises(ShapeError, match=r"a budget of a, b needs an axis of levels for each, got an array of \(3,\)"):
        variance_shares(np.ones(3), ["a", "b"])
    with pytest.raises(NumericalError, match="1 of 2 are not"):
        variance_shares(np.array([1.0, np.nan]), ["a"])
