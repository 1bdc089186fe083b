"""Forecasts of a person: what goes in, what comes out, where it lies in space, and who is chosen for a trial."""

from __future__ import annotations

from dataclasses import replace

import nibabel
import numpy as np
import pytest
import torch
from scipy import ndimage
from tiny_learning import GRID, UNET, measured_autoencoder, write_tiny_cohort

from sciml.formats.nifti import Scan
from sciml.progression.cohorts.covariates import CovariateScale
from sciml.progression.cohorts.regions import REGIONS
from sciml.progression.courses.fit import course_of, fit_courses, spread_around
from sciml.progression.forecasting.forecast import Forecaster, ImagedVisit
from sciml.progression.networks.denoiser import Denoiser
from sciml.progression.networks.model_files import ForecastModel, load_model, write_model
from sciml.progression.scans.examination import place
from sciml.progression.scans.native import at_voxels_of, gain_of, trajectory
from sciml.progression.scans.resampling import on_grid
from sciml.progression.settings.models import ForecastConfig
from sciml.progression.settings.networks import FORMS
from sciml.progression.study.enrichment import arm_size, enrich
from sciml.runtime.errors import ConfigError, DataError, ShapeError


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_tiny_cohort(tmp_path_factory.mktemp("forecast") / "cohort")


@pytest.fixture(scope="module")
def forecaster(cohort):
    torch.manual_seed(0)
    denoiser = Denoiser(FORMS["residual"], UNET)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in denoiser.parameters():
            parameter.add_(0.03 * torch.randn(parameter.shape, generator=generator))
    people = [course_of(visits) for visits in cohort.subjects().values()]
    model = ForecastModel(
        "tiny", cohort.grid, measured_autoencoder(), denoiser.eval(), CovariateScale.measured(cohort.volumes(cohort.visits)),
        fit_courses(people, ("no_change", "linear_population")),
    )  # fmt: skip
    return Forecaster(model, ForecastConfig(samples=3, steps=5, course="linear_population"))


@pytest.fixture(scope="module")
def scans(cohort):
    return [ImagedVisit(visit, cohort.image(visit)[0]) for visit in cohort.subjects("test")["s4"][:2]]


def test_a_forecast_has_images_volumes_intervals_and_a_warning(forecaster, scans):
    last = scans[-1].visit.age_years
    forecast = forecaster.forecast(scans, [last + 2, last + 4])
    assert forecast.images.shape == forecast.uncertainty.shape == (2, *GRID.shape)
    assert forecast.volumes_ml.shape == (2, len(REGIONS))
    assert (forecast.low_ml <= forecast.volumes_ml).all()
    assert (forecast.volumes_ml <= forecast.high_ml).all()
    assert float(forecast.uncertainty.max()) > 0
    # ventricles grow, the hippocampus shrinks, as everybody's in this cohort
    assert forecast.volumes_ml[1, 0] > forecast.volumes_ml[0, 0] > scans[-1].visit.volumes_ml[0]
    assert forecast.volumes_ml[1, 1] < forecast.volumes_ml[0, 1] < scans[-1].visit.volumes_ml[1]
    assert "Not for clinical use" in forecast.notes[0]
    rows = forecast.table()
    assert len(rows) == 2 * len(REGIONS)
    assert rows[0]["region"] == "ventricle"


def test_a_forecast_has_the_calibrated_intervals_of_its_course_or_says_that_it_has_none(forecaster, cohort, scans):
    assert any("not calibrated" in note for note in forecaster.forecast(scans, [85.0], samples=1).notes)
    people = [course_of(visits) for visits in cohort.subjects().values()]
    # as many as a calibration needs, each a little other
    random = np.random.default_rng(0)
    more = [
        replace(one, volumes=one.volumes * np.exp(0.02 * random.normal(size=one.volumes.shape)))
        for one in people
        for _ in range(3)
    ]
    courses = fit_courses(more, ("huber", "local_rates", "calibrated"))
    ours = replace(forecaster, model=replace(forecaster.model, courses=courses), config=ForecastConfig(samples=2, steps=5))
    found = ours.forecast(scans, [85.0])
    low, high = courses["calibrated"].predict(course_of([scan.visit for scan in scans]), [85.0]).interval(0.9)
    np.testing.assert_allclose(np.stack([found.low_ml, found.high_ml]), np.stack([low, high]), rtol=1e-12)
    assert not any("not calibrated" in note for note in found.notes)
    assert ours.model.course("best") is courses["calibrated"]


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(forecaster, scans):
    ages = [scans[-1].visit.age_years + 3]
    first, again, other = (forecaster.forecast(scans, ages, seed=seed) for seed in (1, 1, 2))
    assert first.images.tobytes() == again.images.tobytes()
    assert not np.array_equal(first.images, other.images)


def test_one_age_is_forecast_alike_alone_and_among_others(forecaster, scans):
    last = scans[-1].visit.age_years
    alone = forecaster.forecast(scans, [last + 4], samples=1)
    among = forecaster.forecast(scans, [last, last + 4], samples=1)
    np.testing.assert_allclose(alone.images[0], among.images[1], atol=1e-5)
    assert not among.uncertainty.any()


def test_nothing_asked_of_the_future_changes_no_volume(forecaster, scans):
    forecast = forecaster.forecast(scans, [scans[-1].visit.age_years])
    np.testing.assert_allclose(forecast.volumes_ml[0], scans[-1].visit.volumes_ml, rtol=1e-9)


def test_another_diagnosis_gives_another_course(forecaster, scans):
    ages = [scans[-1].visit.age_years + 4]
    known, asked = forecaster.forecast(scans, ages), forecaster.forecast(scans, ages, diagnosis="AD")
    assert (known.diagnosis, asked.diagnosis) == ("MCI", "AD")
    assert not np.allclose(known.volumes_ml, asked.volumes_ml)
    assert not np.allclose(known.images, asked.images)


def test_what_if_tells_of_no_change_of_the_diagnosis(forecaster, scans):
    """Nobody changes the diagnosis in the training: a change of it is nothing that a model knows."""
    had = [replace(scan, visit=replace(scan.visit, diagnosis="AD")) for scan in scans]
    ages = [scans[-1].visit.age_years, scans[-1].visit.age_years + 4]
    np.testing.assert_array_equal(forecaster.forecast(scans, ages, diagnosis="AD").images, forecaster.forecast(had, ages).images)


def test_a_readout_measures_the_chains(forecaster, scans):
    def readout(before, after):
        return np.full(len(REGIONS), np.log(after.mean() / before.mean()))

    measured = replace(forecaster, change_of_volumes=readout).forecast(scans, [scans[-1].visit.age_years + 3])
    plain = forecaster.forecast(scans, [scans[-1].visit.age_years + 3])
    ratio = plain.images[0].mean() / scans[-1].image.mean()
    np.testing.assert_allclose(measured.volumes_ml[0], np.array(scans[-1].visit.volumes_ml) * ratio, rtol=0.06)


def test_draws_are_spread_around_the_mean():
    mean, draws = np.array([[10.0, 2.0]]), np.exp(np.random.default_rng(0).normal(size=(5, 1, 2)))
    spread = spread_around(mean, draws)
    np.testing.assert_allclose(np.exp(np.log(spread).mean(0)), mean)
    np.testing.assert_allclose(np.log(spread).std(0, ddof=1), np.log(draws).std(0, ddof=1) * np.sqrt(5 / 4))
    assert np.array_equal(spread_around(mean, draws[:1]), mean[None])


def test_a_model_file_gives_the_same_forecast(forecaster, scans, tmp_path):
    about = {"network": forecaster.model.autoencoder.config.model_dump(mode="json")}
    write_model(
        tmp_path / "tiny.safetensors", forecaster.model, about, config={}, seed=0, inputs={}, source_digest="", cpu_minutes=0.0
    )
    again = Forecaster.load(tmp_path / "tiny.safetensors", samples=3, steps=5, course="linear_population")
    ages = [scans[-1].visit.age_years + 3]
    assert np.array_equal(again.forecast(scans, ages).images, forecaster.forecast(scans, ages).images)
    assert load_model(tmp_path / "tiny.safetensors").grid == GRID


def test_bad_questions_are_refused(forecaster, scans, cohort):
    last = scans[-1].visit.age_years
    other = ImagedVisit(cohort.subjects("validation")["s3"][0], scans[0].image)
    for given, ages, more, error, message in (
        ([], [80], {}, DataError, "at least one visit"),
        ([other, scans[0]], [90], {}, DataError, "visits of 2 subjects"),
        (scans, [last - 1], {}, DataError, "ask for later"),
        (scans, [], {}, DataError, "ask for later"),
        (scans, [last + 1], {"diagnosis": "sick"}, ConfigError, "expected CN, MCI, AD"),
        ([ImagedVisit(scans[0].visit, np.zeros((4, 4, 4)))], [90], {}, ShapeError, "sciml progression prepare"),
    ):
        with pytest.raises(error, match=message):
            forecaster.forecast(given, ages, **more)


def test_far_and_strange_questions_are_answered_with_a_note(forecaster, scans):
    forecast = forecaster.forecast(scans, [scans[-1].visit.age_years + 30])
    assert any("30.0 years ahead" in note for note in forecast.notes)
    assert any("outside the training range" in note for note in forecast.notes)


ORIENTATIONS = {"RAS": np.eye(4), "LAS": np.diag([-1.0, 1, 1, 1]), "LPI": np.diag([-1.0, -1, -1, 1])}


def turned(degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return affine


def scan_in(orientation: np.ndarray, spacing: float = 3.0):
    """Return an empty scan around the middle of the grid, and its affine."""
    shape = (60, 72, 60)
    affine = orientation @ np.diag([spacing] * 3 + [1.0])
    middle = GRID.affine @ [*(side / 2 - 0.5 for side in GRID.shape), 1]
    affine[:3, 3] = middle[:3] - affine[:3, :3] @ [side / 2 - 0.5 for side in shape]
    return shape, affine


@pytest.mark.parametrize("orientation", [*ORIENTATIONS.values(), turned(10)], ids=[*ORIENTATIONS, "turned"])
def test_the_change_comes_back_where_it_belongs_in_any_orientation(orientation):
    """A marker right of the middle stays right of the middle, within a voxel, whatever the order of the input's axes."""
    marker = np.zeros(GRID.shape)
    marker[28:31, 30:33, 20:23] = 1
    centre = (GRID.affine @ [29, 31, 21, 1])[:3]
    assert centre[0] > 10
    shape, affine = scan_in(orientation)
    (found,) = at_voxels_of(marker[None], GRID, affine, shape)
    indices = np.stack(np.nonzero(found > 0.2))
    weights = found[tuple(indices)]
    place = affine[:3, :3] @ ((indices * weights).sum(1) / weights.sum()) + affine[:3, 3]
    np.testing.assert_allclose(place, centre, atol=1.0)
    assert found.sum() * 27 == pytest.approx(marker.sum() * 4.5**3, rel=0.05)


def brain_in(orientation: np.ndarray, path) -> Scan:
    """Return one smooth brain with a bright spot on its right, stored in an orientation, white matter near 500."""
    shape, affine = scan_in(orientation)
    places = np.einsum("ij,jxyz->ixyz", affine[:3, :3], np.indices(shape)) + affine[:3, 3, None, None, None]
    middle = (GRID.affine @ [*(side / 2 - 0.5 for side in GRID.shape), 1])[:3, None, None, None]
    x, y, z = (places - middle) / np.array([60.0, 75.0, 60.0])[:, None, None, None]
    radius = np.sqrt(x**2 + y**2 + z**2)
    spot = np.exp(-(((x - 0.5) ** 2 + y**2 + z**2) / 0.02))
    array = np.where(radius < 1, 500 - 200 * np.exp(-((radius / 0.4) ** 2)) + 150 * spot + 40 * np.sin(6 * y), 0.0)
    return Scan(array.astype(np.float32), affine, path)


@pytest.mark.parametrize(
    "orientation",
    [
        pytest.param(ORIENTATIONS["LAS"], marks=pytest.mark.slow, id="LAS"),
        pytest.param(ORIENTATIONS["LPI"], marks=pytest.mark.slow, id="LPI"),
        pytest.param(turned(10), id="turned"),
    ],
)
def test_the_same_person_in_another_orientation_has_the_same_forecast(forecaster, scans, orientation, tmp_path):
    """Forecast from each orientation, brought back to its own space, and from there to the grid: left stays left."""
    found, masks = [], []
    for name, some in (("RAS", ORIENTATIONS["RAS"]), ("other", orientation)):
        scan = brain_in(some, tmp_path / name)
        placed = place(scan, GRID)
        given = [replace(scans[-1], image=placed.image)]
        forecast = forecaster.forecast(given, [scans[-1].visit.age_years + 3])
        image = trajectory(forecast, scan, placed)
        np.testing.assert_array_equal(image.affine, scan.affine)
        np.testing.assert_array_equal(np.asarray(image.dataobj)[..., 0], scan.array)
        later = Scan(np.asarray(image.dataobj)[..., 1], image.affine, scan.path)
        found.append(on_grid(later, GRID) / 500)
        masks.append(placed.mask)
        assert float(np.abs(later.array - scan.array).max()) > 5
    # a turned box of scanned space ends elsewhere, beyond the brain
    inside = ndimage.binary_erosion(masks[0] & masks[1])
    error = (found[0] - found[1])[inside]
    assert -10 * np.log10(np.mean(error**2)) > 35
    # mirrored, it would be another image
    assert -10 * np.log10(np.mean((found[0] - found[1][::-1])[inside] ** 2)) < 30


def test_no_change_gives_the_scan_itself(forecaster, scans, tmp_path):
    scan = brain_in(ORIENTATIONS["LPI"], tmp_path / "x")
    placed = place(scan, GRID)
    forecast = forecaster.forecast([replace(scans[-1], image=placed.image)], [scans[-1].visit.age_years])
    still = replace(forecast, images=forecast.start[None])
    image = trajectory(still, scan, placed)
    assert image.shape == (*scan.array.shape, 2)
    assert nibabel.aff2axcodes(image.affine) == ("L", "P", "I")
    np.testing.assert_array_equal(np.asarray(image.dataobj)[..., 1], scan.array)
    assert gain_of(scan, placed, GRID) == pytest.approx(500 / 0.8, rel=0.1)


def test_the_fastest_are_chosen_and_a_trial_of_them_is_smaller():
    random = np.random.default_rng(0)
    true = -0.02 - 0.02 * random.random(200)
    predicted = true + 0.003 * random.normal(size=200)
    found = enrich(predicted, true, 50)
    assert found.mean_change < found.mean_change_all
    assert found.hits > 0.7
    assert found.size_chosen < 0.5 * found.size_all
    assert enrich(true, true, 50).hits == 1
    # z of 0.975 and of 0.8: 1.96 + 0.8416
    assert arm_size(np.array([-1.0, -3.0]), 0.5) == pytest.approx(2 * (2.8016 * np.sqrt(2) / 1) ** 2, rel=1e-4)
    with pytest.raises(ConfigError, match="chosen is 1, expected 2 to 200"):
        enrich(predicted, true, 1)
    with pytest.raises(DataError, match="one of each a subject"):
        enrich(predicted[:3], true, 2)
