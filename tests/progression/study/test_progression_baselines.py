"""Scores against hand-computed values, the change readout, and forecasts that need no network."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sciml.progression.cohorts.cohort import Cohort
from sciml.progression.cohorts.regions import REGIONS, TISSUES
from sciml.progression.flow.volumes import LabelledBrain, map_to_volumes
from sciml.progression.study.baselines import (
    choose_filter,
    filtered,
    filters,
    fit_population_field,
    prescribed_forecast,
    true_motion_forecast,
    volume_ratios,
)
from sciml.progression.study.readout import (
    calibration_pairs,
    change_features,
    fit_readout,
    neighbourhoods,
    responses,
    smoothed,
)
from sciml.progression.study.scores import (
    brain_psnr,
    brain_ssim,
    brain_volume_error,
    change_score,
    grouped_change_scores,
    relative_error,
    smoothness,
    subject_interval,
)
from sciml.runtime.errors import DataError, ShapeError


def test_change_scores_of_known_numbers():
    true = np.array([0.1, 0.2, 0.4])
    score = change_score(true / 2, true)
    assert score.n == 3
    assert score.mean_error_points == pytest.approx(100 * 0.7 / 6)
    assert score.bias_points == pytest.approx(-100 * 0.7 / 6)
    assert (score.correlation, score.slope, score.skill) == (pytest.approx(1), pytest.approx(0.5), pytest.approx(0.5))
    nothing = change_score(0 * true, true)
    assert nothing.skill == pytest.approx(0)
    assert math.isnan(nothing.correlation)
    assert change_score(true, true).skill == 1
    with pytest.raises(ShapeError, match="one length"):
        change_score(true[:2], true)


def test_scores_by_group():
    true = np.tile(np.array([[0.1], [0.3], [-0.2]]), (1, len(REGIONS)))
    found = grouped_change_scores(true * [[1], [1], [0]], true, ["CN", "CN", "AD"])
    assert found["thalamus"]["all"].n == 3
    assert found["thalamus"]["CN"].mean_error_points == pytest.approx(0)
    assert found["thalamus"]["AD"].skill == pytest.approx(0)


def test_volume_errors_of_known_numbers():
    start = np.full((1, len(REGIONS)), 100.0)
    true, predicted = start * 0.9, start * 0.99
    # six regions of 100 ml are brain; 9 of 600 ml
    np.testing.assert_allclose(brain_volume_error(predicted, true, start), 1.5)
    np.testing.assert_allclose(relative_error(predicted, true), 10)


def test_image_scores():
    random = np.random.default_rng(0)
    truth = random.random((12, 14, 12))
    mask = np.zeros(truth.shape, bool)
    mask[3:9, 3:9, 3:9] = True
    image = truth + 0.1 * mask
    assert brain_psnr(image, truth, mask) == pytest.approx(20)
    assert brain_psnr(truth, truth, mask) == math.inf
    # what happens outside does not count
    assert brain_psnr(image + ~mask, truth, mask) == pytest.approx(20)
    assert brain_ssim(truth, truth, mask) == pytest.approx(1)
    worse = truth + 0.3 * random.normal(size=truth.shape)
    assert brain_ssim(worse, truth, mask) < 0.8
    # a constant shift of a constant image: only the means differ, (2 a b + c) / (a^2 + b^2 + c)
    flat = np.full(truth.shape, 0.5)
    assert brain_ssim(flat + 0.2, flat) == pytest.approx((2 * 0.35 + 1e-4) / (0.74 + 1e-4), abs=1e-6)
    with pytest.raises(ShapeError, match="expected one"):
        brain_psnr(truth[1:], truth, mask)


def test_people_are_drawn_with_all_their_pairs():
    subjects = [name for name in "abcdef" for _ in range(50)]
    values = np.repeat(np.arange(6.0), 50)
    low, high = subject_interval(values, subjects, np.random.default_rng(0))
    # six independent values with standard deviation 1.7, not three hundred
    assert 1.5 < high - low < 3.5
    assert low < 2.5 < high


def test_smoothness_is_the_second_difference():
    assert smoothness(np.array([[0.0, 0.1, 0.2]])) == pytest.approx(0)
    assert smoothness(np.array([[0.0, 0.1, 0.0]])) == pytest.approx(20)


@pytest.fixture(scope="module")
def readout(phantom_results):
    cohort = Cohort(phantom_results / "calibration")
    pairs = calibration_pairs(cohort)
    first, later = ([pair[side] for pair in pairs] for side in (0, 1))
    return fit_readout(pairs, change_features(neighbourhoods(cohort, first), cohort.images(first), cohort.images(later)))


def test_the_readout_reads_changes(readout, phantom_cohort):
    pairs = phantom_cohort.pairs("test")
    first, later = ([pair[side] for pair in pairs] for side in (0, 1))
    places = neighbourhoods(phantom_cohort, first)
    assert len({id(place) for place in places}) == len({(visit.subject, visit.number) for visit in first})
    before, after = phantom_cohort.images(first), phantom_cohort.images(later)
    found = readout.change(places, before, after)
    true = np.log(phantom_cohort.volumes(later) / phantom_cohort.volumes(first))
    index = REGIONS.index("ventricle")
    assert np.corrcoef(found[:, index], true[:, index])[0, 1] > 0.8
    # linear in the difference, and nothing without one
    np.testing.assert_allclose(readout.change(places, before, before + 2 * (after - before)), 2 * found, atol=1e-5)
    assert not readout.change(places, before, before).any()
    # far from a region nothing is read: a change at the pole of the skull is not hippocampus
    changed = before.copy()
    changed[..., -6:] += 0.3
    assert np.abs(readout.change(places, before, changed)[:, REGIONS.index("hippocampus")]).max() < 1e-9
    assert set(readout.floor) == set(REGIONS)
    with pytest.raises(ShapeError, match="expected pairs"):
        readout.change(places, before[:1], after)


def test_responses_are_the_derivative_of_the_flow(phantom_cohort):
    visit = phantom_cohort.select("test")[0]
    image, labels, mask = phantom_cohort.clean(visit)[0], phantom_cohort.labels(visit), phantom_cohort.mask(visit)[0]
    found = responses(image, labels, mask)
    share = 0.01
    for tissue, region in enumerate(TISSUES):
        ratios = np.ones(len(TISSUES))
        ratios[tissue] = np.exp(share)
        moved = prescribed_forecast(image, labels, mask, ratios)
        measured = smoothed((moved - np.where(mask, image, 0))[None])[0] / share
        assert np.corrcoef(measured[mask], found[tissue][mask])[0, 1] > 0.95, region
        assert np.linalg.norm(measured - found[tissue]) < 0.35 * np.linalg.norm(measured), region


def test_a_readout_needs_people_and_labels(phantom_cohort, monkeypatch):
    with pytest.raises(DataError, match="0 subjects in calibration"):
        calibration_pairs(phantom_cohort)
    monkeypatch.setattr(Cohort, "has", lambda _self, _name: False)
    with pytest.raises(DataError, match="no labels"):
        neighbourhoods(phantom_cohort, phantom_cohort.select("test"))


def test_the_filter_is_chosen_on_validation_people_alone(phantom_cohort):
    name, scores = choose_filter(phantom_cohort)
    assert set(scores) == set(filters())
    assert scores[name] == max(scores.values())
    assert scores[name] > scores["none"]
    (first, later), *_ = phantom_cohort.pairs("validation")
    image = filtered(phantom_cohort.images([first]), name)
    assert image.shape == (1, 1, *phantom_cohort.grid.shape)
    noisy = phantom_cohort.image(first)[0]
    truth, mask = phantom_cohort.clean(later)[0], phantom_cohort.mask(later)[0]
    assert brain_psnr(image[0, 0], truth, mask) > brain_psnr(noisy, truth, mask)
    with pytest.raises(DataError, match="no pair of visits in calibration"):
        choose_filter(phantom_cohort, "calibration")


def test_prescribed_volumes_are_reached_and_improve_the_image(phantom_cohort):
    visits = phantom_cohort.subjects("test")["test-002"]
    first, last = visits[0], visits[-1]
    assert first.diagnosis == "AD"
    labels, mask = phantom_cohort.labels(first), phantom_cohort.mask(first)[0]
    ratios = volume_ratios(np.array(last.volumes_ml), first)
    brain = LabelledBrain(labels, mask)
    points = np.argwhere(mask).T.astype(float)
    back = map_to_volumes(labels, mask, ratios)
    reached = brain(back[:, mask]).sum(axis=1) / brain(points).sum(axis=1)
    np.testing.assert_allclose(reached[: len(TISSUES)], ratios, rtol=1e-3)
    clean, truth = phantom_cohort.clean(first)[0], phantom_cohort.clean(last)[0]
    forecast = prescribed_forecast(clean, labels, mask, ratios)
    assert brain_psnr(forecast, truth, mask) > brain_psnr(clean, truth, mask) + 1
    np.testing.assert_array_equal(prescribed_forecast(clean, labels, mask, np.ones(len(TISSUES))), clean)
    # the true motion knows more than volumes do
    image = phantom_cohort.image(first)[0]
    moved = brain_psnr(prescribed_forecast(image, labels, mask, ratios), truth, mask)
    assert brain_psnr(true_motion_forecast(phantom_cohort, first, last), truth, mask) > moved + 0.5


def test_the_mean_field_moves_with_the_years(phantom_cohort):
    field = fit_population_field(phantom_cohort)
    assert field.people == {"CN": 1, "MCI": 1, "AD": 1}
    visits = phantom_cohort.subjects("train")["train-002"]
    clean, mask = phantom_cohort.clean(visits[0])[0], phantom_cohort.mask(visits[0])[0]
    truth = phantom_cohort.clean(visits[-1])[0]
    years = visits[-1].age_years - visits[0].age_years
    # the only training person with the diagnosis: the mean is that person's own motion
    assert brain_psnr(field.forecast(clean, mask, "AD", years), truth, mask) > brain_psnr(clean, truth, mask) + 1
    np.testing.assert_allclose(field.forecast(clean, mask, "AD", 0.0), clean, atol=1e-6)
    del field.velocity["AD"]  # type: ignore[attr-defined]
    with pytest.raises(DataError, match="nobody with AD"):
        field.forecast(clean, mask, "AD", 1.0)
