"""Tables without images beside simulated subjects; whether intervals hold: scores by hand, the page's claims."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from progression.courses.test_local_rates import subjects

from sciml.progression.cohorts.cohort import Cohort
from sciml.progression.cohorts.regions import REGIONS, TISSUES
from sciml.progression.config import PeopleConfig, SimulateTablesConfig, SimulationConfig
from sciml.progression.courses.course import CourseForecast, normal_widths
from sciml.progression.page.courses import interval_claims, interval_numbers, interval_reportlets, interval_sentence
from sciml.progression.settings.models import FitCourseConfig
from sciml.progression.simulation import tables
from sciml.progression.simulation.simulator import simulate
from sciml.progression.simulation.subjects import draw_subject
from sciml.progression.stages import fit_course
from sciml.progression.study.interval_results import CourseIntervals
from sciml.progression.study.intervals import Outcomes, binomial, crps_of, measured, ratio_of, scores_of
from sciml.runtime.results import read_result
from sciml.runtime.seeds import Seeds


def test_volumes_of_tables_are_those_that_the_simulator_of_images_reaches(phantom_anatomy):
    config = SimulationConfig(people=PeopleConfig(visits=3))
    subject = draw_subject(config, 2, "train-002", "train", Seeds(0))
    found = tables.visits_of(subject, tables.first_volumes(subject, phantom_anatomy))
    expected = simulate(subject, phantom_anatomy, config, Seeds(0)).visits
    assert [(one.age_years, one.diagnosis) for one in found] == [(one.age_years, one.diagnosis) for one in expected]
    ratio = np.array([one.volumes_ml for one in found]) / np.array([one.volumes_ml for one in expected])
    # to the simulator's own tolerance, at the first visit and once more at a later one
    assert np.abs(ratio[:, : len(TISSUES)] - 1).max() < 1.5e-3
    assert np.abs(ratio[:, len(TISSUES)] - 1).max() < 5e-3


@pytest.fixture(scope="module")
def fitted(phantom_template, tmp_path_factory):
    """Tables of the phantom with their courses: 7 subjects to train on, 2 to calibrate by, 3 to test on."""
    folder = tmp_path_factory.mktemp("tables")
    (folder / "source").write_bytes(b"phantom")
    config = SimulateTablesConfig(subjects={"train": 7, "validation": 2, "test": 3}, seed=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "local_path", lambda name: folder / "source")
        patch.setattr(tables, "mni_template", lambda atlas: phantom_template)
        tables.simulate_tables(config, folder / "tables")
    fit_course.run(FitCourseConfig(kinds=("huber", "local_rates", "calibrated")), folder / "tables", folder / "course")
    return folder


@pytest.mark.slow
def test_tables_are_the_same_by_several_processes(phantom_template):
    config = SimulateTablesConfig(subjects={"train": 2, "test": 1}, seed=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "mni_template", lambda atlas: phantom_template)
        patch.setattr(tables, "FEWEST_SHARED", 1)
        one, two = (list(tables.draw_tables(config, Seeds(1), processes)) for processes in (1, 2))
    assert one == two and [name for name, _, _ in one] == [tables.MIXTURE] * 3 + list(tables.LAWS)


@pytest.mark.slow
def test_a_test_subject_lives_under_every_law_with_one_anatomy_and_other_names_than_images(fitted):
    cohort = Cohort(fitted / "tables")
    groups = cohort.about["groups"]
    people = cohort.subjects("test")
    assert len(people) == 3 * 6
    first = [people[name][0] for name in ("volumes-test-000", "volumes-test-000-constant", "volumes-test-000-stepwise")]
    assert {one.volumes_ml for one in first} == {first[0].volumes_ml}
    assert people["volumes-test-001-constant"][-1].volumes_ml != people["volumes-test-001-stepwise"][-1].volumes_ml
    assert {groups[name] for name in cohort.subjects("train")} == {"mixture"}
    assert "stepwise" not in {cohort.about["laws"][name] for name in cohort.subjects("train")}
    converted = {people[f"volumes-test-{number:03d}-converting"][-1].diagnosis for number in range(3)}
    assert converted <= {"MCI", "AD"}
    assert all(name.startswith("volumes-") for name in groups)
    # what a model learned from can be told without files of images
    digests = cohort.digests(cohort.select("train"))
    assert len(set(digests.values())) == len(digests) == 7


@pytest.mark.slow
def test_the_stage_tests_the_intervals_and_the_page_judges_them(fitted):
    found = read_result(fitted / "course" / "intervals.json", CourseIntervals)
    assert found.subjects == dict.fromkeys(("mixture", *tables.LAWS), 3)
    assert len(found.of(model="calibrated", volumes="exact", group="mixture", horizon="all")) == 3 * (len(REGIONS) + 1)
    titles = [one.title for one in interval_reportlets(found)]
    assert titles[0] == "How often the 90 % intervals of volumes hold"
    claims = list(interval_claims(found))
    assert len(claims) == 8
    assert {claim.status for claim in interval_claims(None)} == {"not run"}
    assert len(list(interval_numbers(found))) == 2
    assert interval_sentence(found).startswith("The 90 % intervals of volumes hold")
    assert not list(interval_reportlets(None))


def test_scores_are_those_of_their_definitions():
    # CRPS of a normal variable (Gneiting and Raftery 2007, eq. 21)
    normal, truth = NormalDist(), np.array([[0.0, 0.7, -2.0]])
    exact = [z * (2 * normal.cdf(z) - 1) + 2 * normal.pdf(z) - 1 / np.sqrt(np.pi) for z in truth[0]]
    forecast = CourseForecast(
        np.array([70.0]), np.ones((1, 3)), np.ones((1, 3)), lambda levels: normal_widths(levels)[:, None, None] * np.ones((1, 3))
    )
    np.testing.assert_allclose(crps_of(forecast, truth)[0], exact, atol=0.03)
    # two later visits of one subject and one of another: a subject counts once
    held = np.array([[True], [False], [True]]).repeat(len(REGIONS), axis=1)
    ones = np.ones((3, len(REGIONS)))
    one = Outcomes(np.array([0, 0, 1]), np.array([1.0, 5.0, 1.0]), held, 3 * ones, ones)
    scores = {(score.region, score.horizon): score for score in scores_of("ours", "exact", "mixture", 1, one, by_horizon=True)}
    assert (scores["all", "all"].held, scores["all", "all"].n) == (0.75, 2)
    assert (scores["csf", "4 y and more"].held, scores["csf", "4 y and more"].n) == (0.0, 1)
    other = Outcomes(one.subjects, one.gaps, held, 6 * ones, ones)
    ratio = ratio_of("exact", "mixture", 0, {1: one}, {1: other}, "rates", np.random.default_rng(0))
    assert (ratio.ratio, ratio.low, ratio.high) == (0.5, 0.5, 0.5)


def test_binomial_intervals_are_exact():
    # Clopper and Pearson: 0 of 10 up to 1 - 0.025^(1/10)
    assert binomial(0, 10) == (0.0, pytest.approx(1 - 0.025**0.1))
    assert binomial(10, 10) == (pytest.approx(0.025**0.1), 1.0)
    low, high = binomial(270, 300)
    assert (low, high) == (pytest.approx(0.8603, abs=1e-3), pytest.approx(0.9315, abs=1e-3))


def test_measured_volumes_have_the_stated_errors():
    people = subjects(200, 1)
    again = measured(people, np.random.default_rng(0))
    errors = np.concatenate([np.log(one.volumes / other.volumes) for one, other in zip(again, people, strict=True)])
    np.testing.assert_allclose(errors.std(axis=0), [0.015, 0.015, 0.03, 0.015, 0.01, 0.01, 0.03], rtol=0.1)
