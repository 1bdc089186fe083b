"""The calibrated spread of moved images, on errors whose law is known."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.progression.forecasting.spread import Errors, Spread, fit_spread, held, terms_of
from sciml.runtime.errors import DataError

TRUE = np.array([[2.0, 0.5, 0.02, 4e-4], [8.0, 0.0, 0.1, 1e-4]])


def drawn(seed: int, tails: bool = False) -> list[Errors]:
    """Return forecasts whose errors are normal with the deviation of `TRUE`, or have three times its tails."""
    random, found = np.random.default_rng(seed), []
    for number in range(24):
        known, years = number % 2 == 1, 1 + number % 5
        image, variance = random.random((12, 12, 12)), 1e-3 * random.random((12, 12, 12))
        terms = terms_of(0.1 * variance, 0.1 * image, years, 3.0).reshape(-1, 4)
        noise = random.standard_t(3, len(terms)) if tails else random.normal(size=len(terms))
        found.append(Errors(known, terms, np.sqrt(terms @ TRUE[int(known)]) * noise))
    return found


def test_the_law_of_the_errors_is_found():
    spread = fit_spread(drawn(0))
    for one in drawn(1):
        mine, true = (np.sqrt(one.terms @ weights[int(one.known)]) for weights in (spread.weights, TRUE))
        np.testing.assert_allclose(mine, true, rtol=0.15)


def test_intervals_hold_whatever_the_tails():
    spread = fit_spread(drawn(2, tails=True))
    shares = [held(one.errors, np.sqrt(one.terms @ spread.weights[int(one.known)])) for one in drawn(3, tails=True)]
    assert np.mean(shares) == pytest.approx(0.9, abs=0.01)


def test_draws_alone_that_are_too_narrow_are_widened():
    found = [Errors(False, np.tile([1e-4, 0, 0, 1.0], (500, 1)), np.linspace(-0.1, 0.1, 500))]
    spread = fit_spread(found)
    deviation = np.sqrt(found[0].terms @ spread.weights[0])
    assert held(found[0].errors, np.full(500, 0.01)) < 0.2 and held(found[0].errors, deviation) == pytest.approx(0.9, abs=0.01)
    # nobody with earlier scans: as without
    np.testing.assert_array_equal(spread.weights[0], spread.weights[1])


def test_slopes_are_of_a_millimetre_and_grow_with_the_years():
    ramp = np.broadcast_to(0.3 * np.arange(6.0)[:, None, None], (6, 6, 6))
    spread = Spread(np.array([[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]))
    still = np.zeros((6, 6, 6))
    np.testing.assert_allclose(spread.deviation(still, ramp, 5.0, False, 3.0), 0.1)
    np.testing.assert_allclose(spread.deviation(still, ramp, 5.0, True, 3.0), 0.5)
    again = Spread.from_arrays(spread.arrays())
    np.testing.assert_array_equal(again.weights, spread.weights)


def test_without_forecasts_nothing_is_learned():
    with pytest.raises(DataError, match="no forecast of a validation subject"):
        fit_spread([])
