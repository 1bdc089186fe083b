"""Calibration: intervals of a model that is too sure hold, draws follow them, who is unlike the others gets wider ones."""

from __future__ import annotations

import numpy as np
import pytest
from progression.courses.test_local_rates import RATES, subjects

from sciml.progression.cohorts.regions import REGIONS
from sciml.progression.courses.calibration import FEWEST, LEVELS, NORMALS, Calibrated, _quantiles, _stretched, calibrate
from sciml.progression.courses.course import Course, CourseModel
from sciml.progression.courses.fit import (
    ByVisits,
    anchored,
    anchored_interval,
    anchored_samples,
    course_arrays,
    course_notes,
    courses_from,
    fit_courses,
    regression_or_rates,
)
from sciml.progression.courses.linear import LinearPopulation
from sciml.progression.courses.local_rates import LocalRates
from sciml.runtime.errors import ConfigError, DataError


def too_sure(people: list[Course]) -> CourseModel:
    """Return rates whose own intervals are four times too narrow."""
    model = LinearPopulation.fit(people, REGIONS)
    model.variance = model.variance / 16
    return model


@pytest.fixture(scope="module")
def course() -> Calibrated:
    return calibrate(regression_or_rates, subjects(40, 1), subjects(20, 2), folds=4)


def held(model: CourseModel, people: list[Course], visits: int) -> np.ndarray:
    found = []
    for person in people:
        low, high = model.predict(person.until(visits), person.ages[visits:]).interval(0.9)
        found.append(((person.volumes[visits:] >= low) & (person.volumes[visits:] <= high)).mean(axis=0))
    return np.mean(found, axis=0)


def test_intervals_of_a_model_that_is_too_sure_hold_for_every_number_of_visits():
    people, fresh = subjects(120, 1), subjects(200, 5)
    model = calibrate(too_sure, people)
    for visits in (1, 2, 3):
        assert held(too_sure(people), fresh, visits).max() < 0.6
        shares = held(model, fresh, visits)
        assert 0.83 < shares.min() <= shares.max() < 0.97


def test_no_subject_is_calibrated_by_a_model_that_saw_it():
    seen: list[set[float]] = []

    def fit(people):
        seen.append({float(person.ages[0]) for person in people})
        return too_sure(people)

    people, others = subjects(12, 1), subjects(3, 2)
    calibrate(fit, people, others, folds=4)
    first = {float(person.ages[0]) for person in people}
    assert seen[0] == first
    assert [len(first - one) for one in seen[1:]] == [3] * 4
    assert set().union(*(first - one for one in seen[1:])) == first
    assert not set().union(*seen) & {float(person.ages[0]) for person in others}


def test_draws_follow_the_intervals(course):
    person = subjects(1, 9)[0]
    for visits in (1, 3):
        history, asked = person.until(visits), [person.ages[-1] + 1.0, person.ages[-1] + 2.0]
        draws = anchored_samples(course, history, asked, 4000, np.random.default_rng(0))
        for level in (0.5, 0.9):
            low, high = anchored_interval(course, history, asked, level, draws)
            np.testing.assert_allclose(((draws >= low) & (draws <= high)).mean(axis=0), level, atol=0.03)
        # jointly: ages and regions go together as in the model inside
        logs = np.log(draws)
        assert np.corrcoef(logs[:, 0, 0], logs[:, 1, 0])[0, 1] > 0.7
        assert np.corrcoef(logs[:, 0, 0], logs[:, 0, 1])[0, 1] < -0.3
    at_last = course.sample(history, [history.ages[-1]], 3, np.random.default_rng(0))
    # all start where the model believes the last visit to be: near what was measured, which had no noise
    np.testing.assert_array_equal(at_last[:, 0], np.tile(at_last[0, 0], (3, 1)))
    np.testing.assert_allclose(at_last[0, 0], history.volumes[-1], rtol=1e-3)


def test_who_is_unlike_the_others_gets_wider_intervals_and_a_note_with_two_visits_too(course):
    person = subjects(1, 9)[0].until(2)
    odd = Course(person.ages, person.volumes * np.exp(np.outer([0, 5], RATES)), person.sex, "CN")
    strange = Course(person.ages, person.volumes * np.exp(0.8 * (-1.0) ** np.arange(len(REGIONS))), person.sex, "CN")
    for history in (odd, strange):
        said = course.unlike(history)
        assert "as far from the training subjects as the farthest of them" in said
        widths = [
            np.log(np.divide(*course.predict(one, [one.ages[-1] + 2.0]).interval(0.9)[::-1]))[0, 1] for one in (person, history)
        ]
        assert widths[1] > 1.5 * widths[0]
    assert not course.unlike(person)
    # and the pair of models without a calibration says what either says
    assert isinstance(course.model, ByVisits)
    assert course.model.unlike(strange)


def test_calibration_is_kept_with_the_models_and_older_files_say_that_there_is_none(course):
    people = subjects(12, 1)
    models = fit_courses(people, ("huber", "local_rates", "calibrated"), others=subjects(3, 2))
    again = courses_from({name: array.copy() for name, array in course_arrays(models).items()})
    history = people[0].until(2)
    asked = [history.ages[-1] + 2.0]
    for one, other in zip(*(m["calibrated"].predict(history, asked).interval(0.8) for m in (models, again)), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(anchored(again["calibrated"], history, asked), anchored(models["local_rates"], history, asked))
    assert not course_notes(again["calibrated"], history)
    older = courses_from(course_arrays({"huber": models["huber"]}))
    assert "not calibrated" in course_notes(older["huber"], history)[0]
    with pytest.raises(ConfigError, match="needs huber and local_rates beside it"):
        course_arrays({"calibrated": models["calibrated"]})


def test_too_few_subjects_are_refused():
    with pytest.raises(DataError, match=f"8 subjects of two visits and more to calibrate by; 90 % intervals need {FEWEST}"):
        calibrate(too_sure, subjects(8, 1))
    assert calibrate(too_sure, subjects(6, 1), subjects(3, 2)).widths.shape == (3, len(REGIONS), len(LEVELS))


def test_quantiles_are_of_shares_and_grow_beyond_the_last_level():
    values, shares = np.array([3.0, 1.0, 2.0, 4.0]), np.array([0.25, 0.25, 0.25, 0.25])
    np.testing.assert_array_equal(_quantiles(values, shares, np.array([0.25, 0.5, 0.9, 1.0])), [1, 2, 4, 4])
    np.testing.assert_array_equal(_quantiles(values, np.array([1.0, 0, 0, 1.0]), np.array([0.4, 0.6])), [3, 4])
    # the table of a normal distribution changes nothing
    table = np.tile(NORMALS, (2, 1))
    sizes = np.array([[0.0, 0.3], [1.2, 3.0]])
    np.testing.assert_allclose(_stretched(sizes, table), sizes, rtol=1e-12)


def test_with_measured_volumes_local_rates_beat_the_rates_of_the_population():
    people, fresh = subjects(100, 1, noise=0.01), subjects(100, 6, noise=0.01)
    ours, rates = LocalRates.fit(people, REGIONS), LinearPopulation.fit(people, REGIONS)
    errors = [
        np.mean([np.abs(np.log(model.predict(one.until(3), one.ages[3:]).mean / one.volumes[3:]))[0, :2] for one in fresh])
        for model in (ours, rates)
    ]
    assert errors[0] < 0.95 * errors[1]
