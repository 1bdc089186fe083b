"""Intervals over cases that come in groups."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.runtime.bootstrap import bootstrap_interval, grouped_interval
from sciml.runtime.errors import ConfigError, DataError


def test_groups_of_one_are_single_cases():
    values = np.random.default_rng(0).normal(size=30)
    assert grouped_interval(values, range(30), seed=1) == pytest.approx(bootstrap_interval(values, seed=1))


def test_copies_of_a_case_make_no_narrower_interval():
    values = np.random.default_rng(0).normal(size=20)
    copies, groups = np.repeat(values, 4), np.repeat(np.arange(20), 4).tolist()
    assert grouped_interval(copies, groups, seed=1) == pytest.approx(bootstrap_interval(values, seed=1))
    assert np.ptp(grouped_interval(copies, groups, seed=1)) > 1.8 * np.ptp(bootstrap_interval(copies, seed=1))


def test_groups_of_other_sizes_count_by_their_cases():
    # three cases of 0 and one of 1: drawn twice from two groups, the means are 0, 1/4 and 1
    assert grouped_interval([0, 0, 0, 1], ["a", "a", "a", "b"], seed=0, level=0.999) == (0.0, 1.0)
    with pytest.raises(DataError, match="3 values, 2 cases and 2 groups"):
        grouped_interval([1, 2, 3], ["a", "b"], seed=0)
    with pytest.raises(DataError, match="1 groups"):
        grouped_interval([1, 2], ["a", "a"], seed=0)
    with pytest.raises(ConfigError, match="level"):
        grouped_interval([1, 2], ["a", "b"], seed=0, level=1)
