"""The stage that learns the motion beside the volumes, a forecast with it, and its rows of the table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Image

from sciml.progression.cohorts.grids import GRIDS
from sciml.progression.cohorts.regions import REGIONS
from sciml.progression.forecasting.flow_forecast import FlowForecaster
from sciml.progression.forecasting.flow_model import load_flow_model, write_flow_model
from sciml.progression.forecasting.forecast import imaged
from sciml.progression.forecasting.pair_predictions import pairs_of
from sciml.progression.settings.models import AskConfig, FitCourseConfig, FitMotionConfig, ForecastConfig
from sciml.progression.stages import fit_course, fit_motion, forecast
from sciml.progression.stages.evaluate import truth_of
from sciml.progression.study.flow_rows import flow_forecasts
from sciml.runtime.errors import FormatError
from sciml.training.weight_files import read_weights_metadata

COURSE = "linear_population"


@pytest.fixture(scope="module")
def flow(phantom_cohort, tmp_path_factory):
    folder = tmp_path_factory.mktemp("flow")
    (courses,) = fit_course.run(FitCourseConfig(kinds=(COURSE,)), phantom_cohort.folder, folder / "course")[:1]
    return fit_motion.run(FitMotionConfig(subjects=2), phantom_cohort.folder, courses, folder / "motion")[0]


@pytest.mark.slow
def test_a_forecast_goes_on_as_earlier_scans_say(flow, phantom_cohort):
    visits = [imaged(phantom_cohort, visit) for visit in phantom_cohort.subjects("test")["test-002"][:2]]
    age = visits[-1].visit.age_years
    found, plain = (
        FlowForecaster.load(flow, course=COURSE, samples=2, motion=motion).forecast(visits, [age, age + 2])
        for motion in (True, False)
    )
    # no time, no change; then another motion to the same volumes, without a fold
    np.testing.assert_array_equal(found.images[0], visits[-1].image)
    assert np.abs(found.shift[1] - plain.shift[1]).max() > 0.05
    tissues = slice(0, len(REGIONS) - 1)
    np.testing.assert_allclose(found.moved_ml[..., tissues], found.asked_ml[..., tissues], rtol=1e-3)
    assert found.least_determinant > 0 and found.uncertainty[1].max() > plain.uncertainty[1].max()


@pytest.mark.slow
def test_rows_of_the_table(flow, phantom_cohort):
    pairs = [pair for pair in pairs_of(phantom_cohort, "test") if pair.start.subject == "test-002"][-1:]
    truth = truth_of(phantom_cohort, pairs)
    images, scores = flow_forecasts(phantom_cohort, pairs, truth, flow, COURSE, 2, np.random.default_rng(0))
    assert set(images) == {"flow_volumes", "flow", "flow_draws"} and images["flow"].shape == truth.clean.shape
    assert scores.volume_error_percent < 0.1 and scores.least_determinant > 0 and scores.spread > 0
    assert scores.gain_over_volumes_db["all"].n == 1
    # more than the draws' spread, and most of the voxels
    assert scores.spread > scores.spread_of_draws and scores.held["all"].mean > 0.6


def test_a_part_of_a_model_is_no_flow(phantom_cohort, tmp_path):
    (courses,) = fit_course.run(FitCourseConfig(kinds=(COURSE,)), phantom_cohort.folder, tmp_path)[:1]
    with pytest.raises(FormatError, match="holds course, expected a model"):
        FlowForecaster.load(courses)


@pytest.fixture
def flow_of_another_grid(flow, tmp_path):
    """The same model as if it were learned at 3 mm: a flow knows no grid."""
    path, about = tmp_path / "flow.safetensors", read_weights_metadata(flow)
    facts = {name: about[name] for name in ("config", "seed", "inputs", "source_digest", "cpu_minutes")}
    write_flow_model(path, replace(load_flow_model(flow), grid=GRIDS["3mm"]), **facts)
    return path


@pytest.mark.slow
def test_a_cohort_is_forecast_by_motion(flow_of_another_grid, phantom_cohort, tmp_path):
    flow = flow_of_another_grid
    config = AskConfig(subjects=("test-002",), years_ahead=(2.0,), form="flow", how=ForecastConfig(samples=2, course=COURSE))
    written = {path.name: path for path in forecast.run(config, phantom_cohort.folder, flow, tmp_path)}
    stack = Nifti1Image.from_filename(written["trajectory.nii.gz"]).get_fdata()
    assert stack.shape == (*phantom_cohort.grid.shape, 2) and np.abs(stack[..., 1] - stack[..., 0]).max() > 0.05
    # finished people are taken from where they are kept
    again = {path.name: path for path in forecast.run(config, phantom_cohort.folder, flow, tmp_path)}
    np.testing.assert_array_equal(Nifti1Image.from_filename(again["trajectory.nii.gz"]).get_fdata(), stack)
