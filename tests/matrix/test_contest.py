"""The paired test with Holm's correction, against every sign pattern by brute force and against SciPy."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import false_discovery_control, rankdata, wilcoxon

from sciml.studies.matrix import contest, front, holm, signed_rank


def brute_force(differences: np.ndarray) -> float:
    """Return the two-sided p-value by all patterns of signs."""
    kept = differences[differences != 0]
    ranks = rankdata(np.abs(kept))
    found = abs((np.sign(kept) * ranks).sum())
    every = [abs((np.array(signs) * ranks).sum()) for signs in product((-1, 1), repeat=len(kept))]
    return float(np.mean([one >= found - 1e-9 for one in every]))


@pytest.mark.parametrize("seed", range(4))
def test_the_test_is_the_permutation_of_signs(seed):
    generator = np.random.default_rng(seed)
    for size in (1, 2, 5, 8, 11):
        plain = generator.normal(0.4, 1, size)
        tied = generator.integers(-2, 4, size).astype(float)
        assert signed_rank(plain.tolist()) == pytest.approx(brute_force(plain), abs=1e-12)
        if np.any(tied):
            assert signed_rank(tied.tolist()) == pytest.approx(brute_force(tied), abs=1e-12)
    large = generator.normal(0.2, 1, 28)
    assert signed_rank(large.tolist()) == wilcoxon(large, method="exact").pvalue
    assert signed_rank([0.0, 0.0]) == 1.0


def closed(values: list[float]) -> list[float]:
    """Return Holm's adjusted p-values as a closed test: the largest Bonferroni p of the sets that a hypothesis is in."""
    count = len(values)
    sets = [[i for i in range(count) if mask >> i & 1] for mask in range(1, 2**count)]
    return [max(min(len(one) * min(values[j] for j in one), 1) for one in sets if i in one) for i in range(count)]


def test_holm_is_the_closed_test_of_bonferroni():
    generator = np.random.default_rng(0)
    for count in (1, 2, 5, 7):
        values = generator.uniform(0, 0.2, count).round(2).tolist()
        found = holm(values)
        assert found == pytest.approx(closed(values)) and all(a >= b for a, b in zip(found, values, strict=True))
        # the weaker control of false discoveries never asks for more
        assert all(a >= b - 1e-12 for a, b in zip(found, false_discovery_control(values), strict=True))
    assert holm([]) == []


def row(shift: float, subjects: int, crops: int = 1, seed: int = 0):
    """Return values of three methods, of which the first is better by `shift`, and the subjects of the cases."""
    generator = np.random.default_rng(seed)
    base = {f"{who}-{crop}": 28 + 3 * generator.normal() for who in range(subjects) for crop in range(crops)}
    values = {
        name: {case: level + shift * lead + 0.2 * generator.normal() for case, level in base.items()}
        for name, lead in (("a", 1), ("b", 0), ("c", 0))
    }
    return values, {case: case.partition("-")[0] for case in base}


def test_a_winner_is_marked_only_where_every_test_rejects():
    clear = contest(*row(1.0, 12), seed=0)
    assert clear.leader == "a" and clear.standings["a"].winner and clear.words.startswith("a winner")
    assert clear.standings["b"].p < 0.05 and clear.standings["b"].lost == 1.0 and not clear.standings["b"].level
    low, high = clear.standings["a"].low, clear.standings["a"].high
    assert low < clear.standings["a"].mean < high
    equal = contest(*row(0.0, 12), seed=0)
    assert not any(one.winner for one in equal.standings.values()) and "not told apart" in equal.words


def test_crops_of_one_photograph_are_one_subject():
    """Twenty crops of two photographs decide nothing, however clear they are; they would as independent cases."""
    values, subjects = row(1.0, 2, crops=10)
    found = contest(values, subjects, seed=0)
    assert not found.standings["a"].winner and found.standings["b"].p is None and "2 subjects" in found.words
    assert contest(values, {case: case for case in subjects}, seed=0).standings["a"].winner
    alone = contest(*row(1.0, 1, crops=20), seed=0)
    assert alone.standings["a"].low is None and "1 subject " in alone.words


def test_where_smaller_is_better_the_least_leads():
    values, subjects = row(1.0, 12)
    found = contest(values, subjects, seed=0, larger=False)
    assert (
        found.leader in ("b", "c")
        and found.standings["a"].lost == 1.0
        and found.standings["a"].mean == pytest.approx(np.mean(list(values["a"].values())))
    )


def test_false_winners_are_rare():
    """Among equal methods of 10 subjects at most 5 % of rows mark a winner, and a shift is found."""
    marked = [any(one.winner for one in contest(*row(0.0, 10, seed=seed), seed=0).standings.values()) for seed in range(60)]
    assert np.mean(marked) <= 0.05
    assert all(contest(*row(1.0, 10, seed=seed), seed=0).standings["a"].winner for seed in range(5))


def test_the_front_holds_what_nothing_beats_in_both():
    generator = np.random.default_rng(1)
    quality, seconds = ({str(i): float(generator.integers(6)) for i in range(9)} for _ in range(2))
    beaten = {
        one
        for one in quality
        for other in quality
        if (quality[other], -seconds[other]) != (quality[one], -seconds[one])
        and quality[other] >= quality[one]
        and seconds[other] <= seconds[one]
    }
    assert set(front(quality, seconds)) == set(quality) - beaten
    assert front({"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 1.0}, larger=False) == ["a"]
