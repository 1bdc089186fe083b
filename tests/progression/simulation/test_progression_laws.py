"""Laws of pace: closed forms beside quadrature, diagnoses that follow, shares as asked, one law kept for tests."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.integrate import quad

from sciml.progression.cohorts.regions import DIAGNOSES, TISSUES
from sciml.progression.config import PeopleConfig, SimulationConfig
from sciml.progression.simulation.laws import ACCELERATION, FAST, PLATEAU, Pace, draw_pace
from sciml.progression.simulation.subjects import draw_subject
from sciml.runtime.seeds import Seeds

RATES = {name: np.linspace(0.01, 0.03, len(TISSUES)) * (1 + code) for code, name in enumerate(DIAGNOSES)}
LAWS = [
    Pace("constant", "MCI"), Pace("accelerating", "CN", acceleration=0.17), Pace("decelerating", "AD", acceleration=-0.17),
    Pace("converting", "MCI", onset_years=2.3), Pace("stepwise", "CN", onset_years=1.7, plateau_years=0.6),
    Pace("accelerating", "MCI", acceleration=0.1, years=(1.2, 0.7, 1.5)),
    Pace("converting", "CN", onset_years=1.4, years=(0.8, 1.3)),
]  # fmt: skip


@pytest.mark.parametrize("pace", LAWS, ids=lambda pace: f"{pace.law}-{len(pace.years)}")
def test_changes_are_the_integral_of_rate_times_speed(pace):
    years = np.array([0.0, 1.1, 2.3, 5.9])
    found = pace.changes(RATES, years)
    for row, end in zip(found, years, strict=True):
        for column in (0, 3):

            def slope(u, column=column):
                return RATES[pace.diagnosis_at(u)][column] * pace.speed(u)

            expected = quad(slope, 0, end, points=[1.0, 1.4, 1.7, 2.0, 2.3], epsabs=1e-12)[0] if end else 0.0
            assert row[column] == pytest.approx(expected, abs=1e-10)


def test_the_law_kept_for_tests_is_far_from_the_others():
    # a jump larger than what the others change over a whole follow-up of 4.8 years
    assert np.exp(4.8 * ACCELERATION[1]) < FAST / PLATEAU
    stepwise = LAWS[4]
    assert [stepwise.speed(time) for time in (0.0, 1.69, 1.7, 2.29, 2.3)] == [1.0, 1.0, PLATEAU, PLATEAU, FAST]


def test_laws_come_by_their_shares_and_who_has_ad_cannot_convert():
    random = np.random.default_rng(0)
    shares = PeopleConfig().laws
    found = [draw_pace(shares, "MCI", 5.0, random) for _ in range(2000)]
    count = Counter(pace.law for pace in found)
    assert set(count) == set(shares)
    for law, share in shares.items():
        assert count[law] / 2000 == pytest.approx(share, abs=0.04)
    assert {pace.law for pace in (draw_pace({"converting": 1.0}, "AD", 5.0, random) for _ in range(20))} == {"constant"}
    onsets = [pace.onset_years for pace in found if pace.law == "converting"]
    assert 0 < min(onsets) < 0.5 < 4.5 < max(onsets) < 5


def test_a_subject_converts_between_two_visits_and_its_changes_follow_the_law():
    config = SimulationConfig(people=PeopleConfig(laws={"converting": 1.0}))
    person = draw_subject(config, 1, "train-001", "train", Seeds(0))
    assert (person.diagnosis, set(person.diagnoses)) == ("MCI", {"MCI", "AD"})
    assert list(person.diagnoses) == sorted(person.diagnoses, key=DIAGNOSES.index)
    constant = draw_subject(SimulationConfig(people=PeopleConfig(laws={"constant": 1.0})), 1, "train-001", "train", Seeds(0))
    # the same person otherwise; faster once it has converted
    np.testing.assert_array_equal(constant.shift_mm, person.shift_mm)
    np.testing.assert_array_equal(constant.early, person.early)
    years = np.array(person.ages_years) - person.ages_years[0]
    ratio = person.changes[1:] / constant.changes[1:]
    rates = np.array([config.atrophy.rates[name].AD / config.atrophy.rates[name].MCI for name in TISSUES])
    before = person.law.aged(np.minimum(years[1:], person.law.onset_years))
    late = (1 - before / person.law.aged(years[1:]))[:, None]
    np.testing.assert_allclose(ratio, 1 + late * (rates - 1), rtol=1e-12)


def test_nobody_is_trained_on_the_law_kept_for_tests():
    laws = PeopleConfig(laws={"stepwise": 1.0})
    assert SimulationConfig(subjects={"test": 3}, people=laws).people.laws == {"stepwise": 1.0}
    with pytest.raises(ValidationError, match="kept for test subjects; this cohort has train, validation subjects"):
        SimulationConfig(people=laws)
    with pytest.raises(ValidationError, match="expected shares of 0 and more"):
        PeopleConfig(laws={"constant": 0.0})
