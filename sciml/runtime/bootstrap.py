"""Intervals of means by resampling."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from sciml.runtime.errors import ConfigError, DataError

DRAWS = 10_000


def bootstrap_interval(
    values: Sequence[float] | NDArray[np.floating], seed: int, level: float = 0.95, draws: int = DRAWS
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of a mean (Efron 1979): quantiles of means of cases drawn with repetition.

    Args:
        values: one number an independent case, at least two; for two methods the differences, case by case.
        seed: of the resampling.
        level: probability of the interval.
        draws: number of resamplings.

    Raises:
        DataError: fewer than two values, or values that are not finite.
        ConfigError: the level is not between 0 and 1.
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or sample.size < 2 or not np.isfinite(sample).all():
        raise DataError(f"an interval of a mean needs at least two finite values, got {sample.size}")
    if not 0 < level < 1:
        raise ConfigError(f"the level of an interval lies between 0 and 1, got {level}")
    generator = np.random.default_rng(seed)
    means = sample[generator.integers(sample.size, size=(draws, sample.size))].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def grouped_interval(
    values: Sequence[float] | NDArray[np.floating],
    groups: Sequence[Hashable],
    seed: int,
    level: float = 0.95,
    draws: int = DRAWS,
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of a mean over cases that come in groups, such as crops of one photograph.

    Whole groups are drawn with repetition, as many as there are (Davison and Hinkley 1997, section 3.8), since cases of one group
    resemble each other; the mean is over the cases of those drawn.

    Args:
        values: one number a case; for two methods the differences, case by case.
        groups: the group of each case, at least two different ones.
        seed: of the resampling.
        level: probability of the interval.
        draws: number of resamplings.

    Raises:
        DataError: fewer than two groups, another number of groups than values, or values that are not finite.
        ConfigError: the level is not between 0 and 1.
    """
    sample = np.asarray(values, dtype=np.float64)
    names = {group: place for place, group in enumerate(dict.fromkeys(groups))}
    if sample.ndim != 1 or len(groups) != sample.size or len(names) < 2 or not np.isfinite(sample).all():
        raise DataError(
            f"an interval over groups needs one finite value a case and two groups, got {sample.size} values, "
            f"{len(groups)} cases and {len(names)} groups"
        )
    if not 0 < level < 1:
        raise ConfigError(f"the level of an interval lies between 0 and 1, got {level}")
    place = np.array([names[group] for group in groups])
    totals, sizes = np.bincount(place, sample), np.bincount(place)
    drawn = np.random.default_rng(seed).integers(len(names), size=(draws, len(names)))
    # mean of a draw = sum of its groups' sums / sum of its groups' sizes
    means = totals[drawn].sum(1) / sizes[drawn].sum(1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
