import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sciml.compression.study.curves import (
    bd_rate,
    bd_rate_over_pictures,
    curve,
    mean_curve,
    mean_interval,
    mean_points,
    quality_at,
)
from sciml.compression.study.quality import MS_SSIM, PSNR
from sciml.runtime.errors import ConfigError

RATES = (0.1, 0.2, 0.4, 0.8, 1.6)
LEVELS = (24.0, 27.5, 31.0, 33.9, 37.0)
BASE = curve(zip(RATES, LEVELS, strict=True))


def scaled(factor: float, lift: float = 0.0, keep: slice = slice(None)):
    return curve([(factor * rate, level + lift) for rate, level in zip(RATES, LEVELS, strict=True)][keep])


def points(factor: float) -> dict[float, tuple[float, float]]:
    return {float(i): (factor * rate, level) for i, (rate, level) in enumerate(zip(RATES, LEVELS, strict=True))}


@pytest.mark.parametrize("factor", [0.9, 1.0, 1.25])
def test_a_curve_with_all_rates_scaled_has_that_bd_rate(factor):
    found = bd_rate(BASE, scaled(factor))
    assert found.percent == pytest.approx(100 * (factor - 1), abs=1e-6)
    assert (found.overlap_db, found.share, found.reason) == ((24.0, 37.0), 1.0, None)


def test_bd_rate_is_the_mean_of_the_log_ratio_over_the_overlap():
    """Exponential curves of base 2 per 3 dB and per 6 dB: the log ratio is linear and the mean is half the way."""
    anchor = curve([(2 ** (level / 3), level) for level in range(13)])
    tested = curve([(2 ** (level / 6), level) for level in range(0, 13, 2)])
    assert bd_rate(anchor, tested).percent == pytest.approx(100 * (2**-1 - 1), abs=1e-6)


def test_no_number_comes_with_its_reason_and_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert bd_rate(BASE, scaled(1, keep=slice(3))).reason == "the curve of the codec has too few points: 3, 4 are needed"
        assert bd_rate(curve([]), BASE).reason == "the curve of the anchor has too few points: 0, 4 are needed"
        apart = bd_rate(BASE, scaled(1, lift=20))
        assert (apart.percent, apart.overlap_db, apart.reason) == (None, None, "the curves share no quality")
        little = bd_rate(BASE, scaled(1, lift=9))
        assert little.percent is None
        assert little.overlap_db == (33.0, 37.0)
        assert little.share == pytest.approx(4 / 13)
        assert little.reason == "the curves share 31% of the shorter one's range of quality, 50% are needed"
        assert bd_rate(BASE, scaled(1, lift=6)).percent is not None


def test_a_short_curve_inside_a_wide_one_is_compared_over_its_own_range():
    found = bd_rate(BASE, scaled(0.9, keep=slice(1, None)))
    assert found.percent == pytest.approx(-10, abs=0.5)  # the cubics of the two differ a little
    assert (found.overlap_db, found.share) == ((27.5, 37.0), 1.0)


def test_a_curve_leaves_out_what_nobody_would_choose():
    given_points = [(0.4, 30.0), (0.1, 25.0), (0.2, 24.0), (0.4, 29.0), (0.5, 30.0), (0.9, math.inf), (0.8, 33.0)]
    found = curve(given_points)
    assert (found.rates_bpp, found.decibels) == ((0.1, 0.4, 0.8), (25.0, 30.0, 33.0))


def test_quality_at_a_rate():
    assert [quality_at(BASE, rate) for rate in RATES] == pytest.approx(LEVELS)
    line = curve([(rate, 10 * math.log2(rate)) for rate in RATES])
    assert quality_at(line, 0.3) == pytest.approx(10 * math.log2(0.3))  # straight over the logarithm of the rate
    assert quality_at(BASE, 0.09) is None
    assert quality_at(BASE, 1.7) is None
    assert quality_at(BASE, 1.604) == 37.0  # a few bytes beyond the end
    assert quality_at(curve([]), 0.1) is None
    assert quality_at(curve([(0.2, 30.0)]), 0.2) == 30.0
    with pytest.raises(ConfigError, match="rate of 0"):
        quality_at(BASE, 0)


@given(st.floats(0.1, 1.6), st.floats(0.1, 1.6))
def test_the_interpolated_curve_never_falls(one, other):
    low, high = sorted((one, other))
    assert quality_at(BASE, low) <= quality_at(BASE, high) + 1e-9


def test_means_over_pictures_are_of_settings_that_all_have():
    found = mean_points({"a": {1: (0.1, 20.0), 2: (0.2, 30.0)}, "b": {1: (0.3, 26.0)}})
    assert found == {1: (pytest.approx(0.2), pytest.approx(23.0))}
    assert mean_points({}) == {}
    averaged = mean_curve({"a": {1: (0.1, 0.90)}, "b": {1: (0.1, 0.98)}}, MS_SSIM)
    assert averaged.decibels == pytest.approx((-10 * math.log10(1 - 0.94),))  # averaged first, decibels after


def test_bd_rates_over_pictures_count_those_without_a_number():
    factors = {"a": 0.8, "b": 0.9, "c": 0.95}
    anchor = {name: points(1) for name in (*factors, "short", "only here")}
    tested = {name: points(factor) for name, factor in factors.items()}
    tested["short"] = {1.0: (0.2, 30.0)}
    found = bd_rate_over_pictures(anchor, tested, PSNR, seed=3)
    assert found.by_picture == {name: pytest.approx(100 * (factor - 1)) for name, factor in factors.items()}
    assert found.mean == pytest.approx(-35 / 3)
    assert found.pictures == 3
    assert found.without == {"short": "the curve of the codec has too few points: 1, 4 are needed"}
    assert found.interval is not None
    assert -20.01 < found.interval[0] < found.mean < found.interval[1] < -4.99
    assert found == bd_rate_over_pictures(anchor, tested, PSNR, seed=3)
    assert found.of_mean_curves.percent is None  # one setting only is shared by all


def test_equal_pictures_leave_no_interval_to_speak_of():
    anchor, tested = ({name: points(factor) for name in "ab"} for factor in (1, 0.9))
    found = bd_rate_over_pictures(anchor, tested, PSNR)
    assert found.interval == pytest.approx((-10, -10))
    assert found.of_mean_curves.percent == pytest.approx(-10)


def test_the_bootstrap_interval_of_a_mean():
    values = np.random.default_rng(0).normal(size=100)
    low, high = mean_interval(list(values), seed=1)
    expected = 1.96 * values.std() / 10
    assert (low - values.mean(), high - values.mean()) == pytest.approx((-expected, expected), rel=0.1)
    assert mean_interval([1.0]) is None
    assert mean_interval([]) is None
