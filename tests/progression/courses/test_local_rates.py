"""Local rates: kernels beside quadrature, conditioning beside hand-made Gaussians, known variances come back, missing values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import dblquad

from sciml.progression.cohorts.regions import REGIONS
from sciml.progression.courses.course import Course
from sciml.progression.courses.fit import anchored, anchored_samples, course_arrays, courses_from
from sciml.progression.courses.local_rates import LocalRates, _kernels

RATES = np.array([0.05, -0.02, -0.02, -0.01, -0.01, -0.005, 0.03])
REGION = REGIONS.index("hippocampus")


def subjects(count: int, seed: int, noise: float = 0.0, regions: int = len(REGIONS)) -> list[Course]:
    """Return subjects whose pace has a normal part of their own and one that differs from visit to visit."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(count):
        ages = random.uniform(60, 80) + np.append(0, np.cumsum(random.uniform(1, 2.2, 3)))
        gaps = np.diff(ages)
        # d of 0.09 years: variance 0.09 / gap of a mean over a gap
        pace = 1 + 0.25 * random.normal() + 0.3 / np.sqrt(gaps) * random.normal(size=3)
        logs = np.concatenate([np.zeros((1, 7)), np.cumsum(np.outer(gaps * pace, RATES), axis=0)])
        logs += 0.1 * random.normal(size=7) + noise * random.normal(size=logs.shape)
        volumes = np.array([30.0, 7, 3, 15, 600, 500, 250]) * np.exp(logs)
        found.append(Course(ages, volumes[:, :regions], number % 2, "CN"))
    return found


def test_kernels_are_means_over_both_spans():
    one, other = np.array([[0.0, 1.5], [1.5, 2.3]]), np.array([[0.5, 2.0], [2.3, 4.0]])
    kernels = _kernels(one, other)
    for kernel, function in zip(kernels[:3], (lambda u, v: 1.0, min, lambda u, v: u * v), strict=True):
        for i, (begin, end) in enumerate(one):
            for j, (start, stop) in enumerate(other):
                total = dblquad(function, begin, end, start, stop, epsabs=1e-6)[0]
                assert kernel[i, j] == pytest.approx(total / (end - begin) / (stop - start), abs=1e-4)
    # delta: the time that both share
    np.testing.assert_allclose(kernels[3], [[1.0 / 1.5 / 1.5, 0], [0.5 / 0.8 / 1.5, 0]])


def test_a_forecast_is_the_conditional_mean_of_the_pace():
    """One kernel of a pace of one's own, exact volumes: the observed rate shrinks by variance / (variance + what time adds)."""
    model = LocalRates(REGIONS[:1])
    model.rates[:] = 0.05
    model.common[[0, 3]] = 0.04, 0.09
    history = Course(np.array([70.0, 72.0]), 30 * np.exp([[0.0], [0.05 * 2 * 1.4]]), 0, "CN")
    found = model.predict(history, [75.0])
    weight = 0.04 / (0.04 + 0.09 / 2)
    expected = 30 * np.exp(0.05 * 2 * 1.4 + 0.05 * 3 * (1 + weight * 0.4))
    assert found.mean[0, 0] == pytest.approx(expected, rel=1e-5)
    variance = (0.05 * 3) ** 2 * (0.04 * (1 - weight) + 0.09 / 3)
    assert (found.sd / found.mean)[0, 0] == pytest.approx(np.sqrt(variance), rel=1e-3)
    # draws are of that distribution
    draws = model.sample(history, [75.0], 4000, np.random.default_rng(0))
    assert np.log(draws[:, 0, 0]).std() == pytest.approx(np.sqrt(variance), rel=0.05)


def test_a_change_of_diagnosis_takes_the_mean_rate_and_widens():
    model = LocalRates(REGIONS[:1])
    model.rates[:, 0] = 0.03, 0.06, 0.09
    model.common[0] = 0.04
    ages, volumes = np.array([70.0, 72.0]), 30 * np.exp([[0.0], [0.09]])
    same, changed = (Course(ages, volumes, 0, "MCI", ("MCI" if name == "same" else "CN", "MCI")) for name in ("same", "changed"))
    one, other = (model.predict(history, [74.0]) for history in (same, changed))
    # 0.09 is 0.75 of what MCI loses in two years, and what both rates lose together
    assert one.mean[0, 0] < other.mean[0, 0]
    assert other.mean[0, 0] == pytest.approx(30 * np.exp(0.09 + 0.12), rel=1e-4)
    assert other.sd[0, 0] > one.sd[0, 0]


def test_known_variances_come_back():
    model = LocalRates.fit(subjects(150, 1), REGIONS)
    np.testing.assert_allclose(model.rates[0], RATES, rtol=0.05)
    assert model.common[0] == pytest.approx(0.0625, rel=0.4)
    assert model.common[3] == pytest.approx(0.09, rel=0.4)
    assert model.own.max() < 0.01
    noisy = LocalRates.fit(subjects(80, 1, noise=0.01), REGIONS)
    np.testing.assert_allclose(np.sqrt(noisy.noise), 0.01, rtol=0.35)


def test_what_was_not_measured_changes_nothing_else_and_the_skull_keeps_its_content():
    people = subjects(60, 2)
    model = LocalRates.fit(people, REGIONS)
    history = people[0].until(3)
    whole = model.predict(history, [history.ages[-1] + 2.0]).mean[0]
    assert whole.sum() == pytest.approx(history.volumes[-1].sum(), rel=1e-3)
    holes = history.volumes.copy()
    holes[1, REGION] = np.nan
    partly = model.predict(Course(history.ages, holes, 0, "CN"), [history.ages[-1] + 2.0]).mean[0]
    np.testing.assert_allclose(partly, whole, rtol=5e-3)
    holes[:, REGION] = np.nan
    never = model.predict(Course(history.ages, holes, 0, "CN"), [history.ages[-1] + 2.0])
    assert np.isfinite(never.mean).all()


def test_an_odd_course_has_large_distances():
    people = subjects(80, 3)
    model = LocalRates.fit(people, REGIONS)
    usual = np.array([model.distances(person.until(3)) for person in people])
    assert np.sqrt((usual[:, 1] ** 2).mean()) == pytest.approx(1.0, abs=0.3)
    assert (model.distances(people[0].until(1)) == 0).all()
    odd = people[0].until(3)
    jump = odd.volumes * np.exp(np.outer([0, 0, 8], RATES))
    assert model.distances(Course(odd.ages, jump, 0, "CN"))[1] > 1.5 * usual[:, 1].max()


def test_it_comes_back_from_arrays_and_starts_at_the_last_visit():
    people = subjects(30, 4, noise=0.005)
    model = LocalRates.fit(people, REGIONS)
    again = courses_from(course_arrays({"local_rates": model}))["local_rates"]
    history = people[0].until(2)
    asked = [history.ages[-1], history.ages[-1] + 3]
    np.testing.assert_array_equal(model.predict(history, asked).mean, again.predict(history, asked).mean)
    np.testing.assert_allclose(anchored(model, history, asked)[0], history.volumes[-1], rtol=1e-12)
    draws = anchored_samples(model, history, asked, 5, np.random.default_rng(0))
    np.testing.assert_allclose(draws[:, 0], np.tile(history.volumes[-1], (5, 1)), rtol=1e-7)
