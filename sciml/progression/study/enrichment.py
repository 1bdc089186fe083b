"""Trial enrichment: choose the subjects who are expected to lose most, and what that does to the size of a trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from sciml.runtime.errors import ConfigError, DataError


@dataclass(frozen=True)
class Enrichment:
    """What a choice by predicted change would have given.

    Attributes:
        order: subjects from fastest to slowest by prediction.
        chosen: how many are taken.
        mean_change: true mean change of the chosen.
        mean_change_all: of everybody.
        hits: share of the truly fastest among the chosen.
        size_chosen: subjects an arm that a trial of the chosen needs.
        size_all: of everybody.
    """

    order: tuple[int, ...]
    chosen: int
    mean_change: float
    mean_change_all: float
    hits: float
    size_chosen: float
    size_all: float


def enrich(
    predicted: Sequence[float], true: Sequence[float], chosen: int, effect: float = 0.25, power: float = 0.8, level: float = 0.05
) -> Enrichment:
    """Rank subjects by predicted change, most negative first, and compare the trial of the chosen with one of all.

    Args:
        predicted: change of ln V over the trial, a subject each.
        true: the same, as it came.
        chosen: how many to take.
        effect: share of the change that the treatment prevents.
        power: probability to find it.
        level: of the two-sided test.

    Raises:
        DataError: lists of different lengths.
        ConfigError: fewer than two subjects are chosen, or more than there are.
    """
    guess, came = np.asarray(predicted, dtype=float), np.asarray(true, dtype=float)
    if guess.shape != came.shape or guess.ndim != 1:
        raise DataError(f"{guess.shape} predicted and {came.shape} true changes; expected one of each a subject")
    if not 2 <= chosen <= len(guess):
        raise ConfigError(f"chosen is {chosen}, expected 2 to {len(guess)}, the number of subjects")
    order = np.argsort(guess, kind="stable")
    taken, fastest = order[:chosen], np.argsort(came, kind="stable")[:chosen]
    return Enrichment(
        tuple(order.tolist()),
        chosen,
        float(came[taken].mean()),
        float(came.mean()),
        len(set(taken.tolist()) & set(fastest.tolist())) / chosen,
        arm_size(came[taken], effect, power, level),
        arm_size(came, effect, power, level),
    )


def arm_size(changes: np.ndarray, effect: float, power: float = 0.8, level: float = 0.05) -> float:
    """Return the subjects an arm that a two-sample comparison of mean changes needs.

    n = 2 ((z_{1 - level/2} + z_power) sd / (effect |mean|))^2

    Args:
        changes: of untreated subjects.
        effect: share of the mean change that the treatment prevents.
        power: probability to find it.
        level: of the two-sided test.
    """
    normal = NormalDist()
    quantiles = normal.inv_cdf(1 - level / 2) + normal.inv_cdf(power)
    return float(2 * (quantiles * np.std(changes, ddof=1) / (effect * abs(np.mean(changes)))) ** 2)
