"""Forecasts by motion: volumes as asked, no folds, no change where no time passes, one forecast in every orientation."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from sciml.formats.nifti import Scan
from sciml.progression.cohorts.regions import REGIONS
from sciml.progression.courses.fit import course_of, fit_courses
from sciml.progression.forecasting.flow_forecast import FlowForecaster, OwnLabels
from sciml.progression.forecasting.flow_model import FlowModel
from sciml.progression.forecasting.forecast import ImagedVisit
from sciml.progression.settings.models import FlowForecastConfig
from sciml.progression.simulation.anatomy import build_anatomy
from sciml.runtime.errors import DataError, ShapeError

SAMPLES = 2
HERE = Path("scan.nii")


@pytest.fixture(scope="module")
def forecaster(phantom_cohort) -> FlowForecaster:
    # of one diagnosis, so that their rates spread
    people = [course_of(visits, "AD") for visits in phantom_cohort.subjects("train").values()]
    model = FlowModel("flow", phantom_cohort.grid, fit_courses(people, ["linear_population"]))
    return FlowForecaster(model, FlowForecastConfig(samples=SAMPLES, course="linear_population"))


@pytest.fixture(scope="module")
def visit(phantom_cohort) -> ImagedVisit:
    one = phantom_cohort.subjects("test")["test-002"][0]
    return ImagedVisit(one, phantom_cohort.image(one)[0], phantom_cohort.labels(one), phantom_cohort.mask(one)[0])


@pytest.fixture(scope="module")
def forecast(forecaster, visit):
    return forecaster.forecast([visit], [visit.visit.age_years + years for years in (4, 0, 2)])


def test_moved_labels_have_the_volumes_asked_for(forecast, visit):
    tissues = slice(0, len(REGIONS) - 1)
    np.testing.assert_allclose(forecast.moved_ml[..., tissues], forecast.asked_ml[..., tissues], rtol=1e-3)
    # the draws differ, and the expected volumes are between them
    assert (np.ptp(forecast.asked_ml[:, 0], axis=0)[tissues] > 0).all()
    assert forecast.least_determinant > 0
    assert (forecast.low_ml[::2] < forecast.volumes_ml[::2])[:, tissues].all()
    assert (forecast.volumes_ml[::2] < forecast.high_ml[::2])[:, tissues].all()
    assert forecast.images.shape == (3, *visit.image.shape) and forecast.uncertainty[0].max() > 0


def test_volumes_alone_are_those_of_the_forecast(forecaster, forecast, visit):
    alone = forecaster.volumes([visit.visit], forecast.ages)
    assert alone.table() == forecast.table() and alone.notes == forecast.notes


def test_no_time_no_change(forecast, visit):
    np.testing.assert_array_equal(forecast.images[1], visit.image)
    assert not forecast.shift[1].any() and not forecast.draw_shifts[:, 1].any() and not forecast.uncertainty[1].any()


def test_a_later_age_moves_farther_along_the_same_way(forecast):
    near, far = forecast.shift[2], forecast.shift[0]
    assert np.abs(far).sum() > 1.5 * np.abs(near).sum()
    assert np.corrcoef(near.ravel(), far.ravel())[0, 1] > 0.9


def test_volumes_are_reached_in_the_scans_own_labels(forecaster, visit, phantom_template):
    """Hard labels at 3 mm of the anatomy on the grid: the flow of the grid alone misses them by more."""
    grid, anatomy = forecaster.model.grid, build_anatomy(phantom_template, forecaster.model.grid)
    places = np.indices(grid.shape).reshape(3, -1) * grid.spacing_mm + grid.affine[:3, 3:]
    labels, inside, _ = anatomy.look_up(places)
    mask = inside.reshape(grid.shape) >= 0.5
    labels = labels.reshape(-1, *grid.shape) * mask
    own, scan = (
        ImagedVisit(visit.visit, visit.image, labels, mask),
        Scan(phantom_template.codes + 1, phantom_template.affine, HERE),
    )
    age = [visit.visit.age_years + 3]
    errors = []
    for fine in (None, OwnLabels(scan)):
        found = forecaster.forecast([own], age, samples=1, own=fine)
        read = OwnLabels(scan).measure(mask, grid)(np.indices(grid.shape) + found.draw_shifts[0, 0])
        errors.append(np.abs(np.log(read / (found.asked_ml[0, 0] / visit.visit.volumes_ml)))[:6].max())
    assert errors[1] < 0.0051 < errors[0]


def test_images_in_other_orientations_give_the_same_forecast(forecast, visit):
    affine = forecast.grid.affine
    plain = forecast.move(Scan(visit.image, affine, HERE), 0)
    np.testing.assert_allclose(np.where(visit.mask, plain.array, 0), forecast.images[0], atol=1e-4)
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    mirror[0, 3] = visit.image.shape[0] - 1
    las = forecast.move(Scan(visit.image[::-1], affine @ mirror, HERE), 0)
    np.testing.assert_allclose(las.array[::-1], plain.array, atol=1e-5)
    turned = forecast.move(Scan(visit.image.transpose(2, 0, 1), affine[:, [2, 0, 1, 3]], HERE), 0)
    np.testing.assert_allclose(turned.array.transpose(1, 2, 0), plain.array, atol=1e-5)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(plain.array, visit.image, atol=0.02)


def test_what_cannot_be_moved_is_refused(forecaster, visit):
    age = visit.visit.age_years
    with pytest.raises(DataError, match="has no labels: a flow moves regions"):
        forecaster.forecast([ImagedVisit(visit.visit, visit.image)], [age + 1])
    with pytest.raises(DataError, match="ask for later ones"):
        forecaster.forecast([visit], [age - 1])
    with pytest.raises(ShapeError, match="expected"):
        forecaster.forecast([ImagedVisit(visit.visit, visit.image[1:], visit.labels, visit.mask)], [age + 1])


def test_ages_are_answered_in_the_order_asked(forecast):
    ventricle = forecast.moved_ml[:, :, REGIONS.index("ventricle")].mean(axis=0)
    assert all(later > earlier for earlier, later in pairwise(ventricle[[1, 2, 0]]))
