"""A row as a contest: means with intervals, cases lost to the leader, and the paired test that marks a winner.

The unit of every test is the subject: values of a subject's cases and noise seeds are averaged first, since crops of one
photograph and slices of one person are not independent. The leader, the method of the best mean, is compared with every other one
by the Wilcoxon signed-rank test of the differences (Wilcoxon 1945), two-sided and exact; Holm's step-down procedure (Holm 1979)
keeps the chance of any false rejection in the row at 5 %. A winner is marked where all others are rejected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sciml.runtime.bootstrap import grouped_interval

LEVEL = 0.05


@dataclass(frozen=True)
class Standing:
    """How a method stands in its row; the fields are those of `sciml.studies.matrix.study.results.Cell`."""

    mean: float
    low: float | None
    high: float | None
    lost: float | None
    p: float | None
    winner: bool
    level: bool


@dataclass(frozen=True)
class Contest:
    """A row's standings by method, its leader, and in words why a winner is marked or not."""

    standings: dict[str, Standing]
    leader: str | None
    words: str


def signed_rank(differences: Sequence[float]) -> float:
    """Return the two-sided p-value of Wilcoxon's signed-rank test, exact up to 50 subjects without ties; zeros are left out.

    Example:
        >>> signed_rank([1.0, 2.0, 3.0, 4.0, 5.0])
        0.0625
    """
    from scipy.stats import wilcoxon

    kept = np.asarray([one for one in differences if one])
    return float(np.asarray(wilcoxon(kept, method="auto"))[1]) if kept.size else 1.0


def holm(values: Sequence[float]) -> list[float]:
    """Return p-values after Holm's step-down correction: the k-th least of m times (m - k + 1), never falling, at most 1.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    order = np.argsort(values, kind="stable")
    steps = np.asarray(values, dtype=float)[order] * np.arange(len(values), 0, -1)
    result = np.empty(len(values))
    result[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return result.tolist()


def least_p(subjects: int) -> float:
    """Return the least p-value that so many subjects can give: all differences of one sign."""
    return 2.0 ** (1 - subjects)


def contest(values: Mapping[str, Mapping[str, float]], subjects: Mapping[str, str], seed: int, larger: bool = True) -> Contest:
    """Return the standings of a row.

    Args:
        values: by method and case; every method has the same cases.
        subjects: subject by case.
        seed: of the bootstrap.
        larger: whether larger is better.
    """
    if not values:
        return Contest({}, None, "nothing was run")
    cases = list(next(iter(values.values())))
    people = list(dict.fromkeys(subjects[case] for case in cases))
    table = {name: np.array([found[case] for case in cases]) * (1 if larger else -1) for name, found in values.items()}
    means = {name: float(line.mean()) for name, line in table.items()}
    leader = max(means, key=lambda name: means[name])
    others = [name for name in table if name != leader]

    def by_subject(line: np.ndarray) -> np.ndarray:
        return np.array([line[[subjects[case] == one for case in cases]].mean() for one in people])

    possible = least_p(len(people)) * len(others) < LEVEL and bool(others)
    raw = [signed_rank((by_subject(table[leader]) - by_subject(table[name])).tolist()) for name in others] if possible else []
    adjusted = dict(zip(others, holm(raw), strict=True)) if possible else {}
    won = possible and all(p < LEVEL for p in adjusted.values())
    standings = {}
    for name in table:
        line = np.array(list(values[name].values()))
        groups = [subjects[case] for case in cases]
        low, high = grouped_interval(line, groups, seed) if len(people) > 1 else (None, None)
        lost = None if name == leader else float((table[name] < table[leader]).mean())
        p = adjusted.get(name)
        standings[name] = Standing(float(line.mean()), low, high, lost, p, won and name == leader, p is not None and p >= LEVEL)
    return Contest(standings, leader, _words(len(people), len(others), possible, won, adjusted))


def _words(people: int, others: int, possible: bool, won: bool, adjusted: Mapping[str, float]) -> str:
    who = "1 subject" if people == 1 else f"{people} subjects"
    if not others:
        return "one method ran: there is nothing to compare"
    if not possible:
        least = least_p(people) * others
        return f"nothing can be marked: {who} and {others + 1} methods have a least possible p of {min(least, 1):.2g}"
    worst = max(adjusted.values())
    if won:
        return f"a winner: against each of {others} others p is at most {worst:.2g} after Holm, over {who}"
    level = sum(p >= LEVEL for p in adjusted.values())
    return f"no winner: {level} of {others} others are not told apart from the leader, over {who}"


def front(quality: Mapping[str, float], seconds: Mapping[str, float], larger: bool = True) -> list[str]:
    """Return the methods of which none other is at least as good and as fast, and better in one of both.

    Example:
        >>> front({"a": 30.0, "b": 31.0, "c": 29.0}, {"a": 1.0, "b": 2.0, "c": 3.0})
        ['a', 'b']
    """
    sign = 1 if larger else -1
    points = {name: (sign * quality[name], -seconds[name]) for name in quality}
    return [
        name
        for name, (best, fast) in points.items()
        if not any(other != (best, fast) and other[0] >= best and other[1] >= fast for other in points.values())
    ]
