"""The real brain: cut from its neighbours, prepared as a user's image, forecast, shown. A phantom stands for it."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest
from tiny_learning import GRID, autoencoder_config, diffusion_config, write_tiny_cohort

from sciml.formats.nifti import Scan, read_scan
from sciml.progression.cohorts.cohort import Cohort
from sciml.progression.cohorts.regions import DIAGNOSES, REGIONS
from sciml.progression.config import PersonConfig
from sciml.progression.networks.model_files import load_model
from sciml.progression.networks.parts import assemble
from sciml.progression.page.person import person_reportlets
from sciml.progression.scans import preparation
from sciml.progression.scans.examination import place
from sciml.progression.scans.reference import Reference
from sciml.progression.scans.resampling import on_grid
from sciml.progression.settings.models import FitCourseConfig
from sciml.progression.settings.networks import FORMS
from sciml.progression.simulation.anatomy import find_ventricles
from sciml.progression.stages import fit_course, person, train_autoencoder, train_diffusion
from sciml.report.reportlets import Scrubber, Table
from sciml.runtime.files import load_tensors, read_json

GROUPS = ("CN", "AD")


def test_ventricles_are_cut_off_from_what_they_touch_through_a_neck(phantom_template):
    affine = phantom_template.affine
    places = np.stack(np.indices(phantom_template.codes.shape), -1) * affine[0, 0] + affine[:3, 3]

    def box(low, high):
        return ((places > low) & (places < high)).all(-1)

    own = box((2, -16, 4), (18, 22, 26)) | box((-18, -16, 4), (-2, 22, 26))
    pool, neck = box((-9, -50, -16), (9, -30, 8)), box((5, -35, 4), (7, -15, 7))
    assert neck.any()
    inside = phantom_template.codes >= 0
    fluid = (own | pool | neck).astype(np.float32)
    whole, cut = (find_ventricles(fluid, inside, affine, necks) for necks in (False, True))
    assert (whole & pool).sum() > 0.9 * pool.sum()
    assert not (cut & pool).any()
    assert (cut & own).sum() > 0.75 * own.sum()


@pytest.fixture(scope="module")
def forecast_of_the_phantom(phantom_template, tmp_path_factory):
    folder = tmp_path_factory.mktemp("person")
    cohort = write_tiny_cohort(folder / "cohort").folder
    calibration = write_tiny_cohort(folder / "calibration", splits=("calibration",) * 3).folder
    train_autoencoder.run(autoencoder_config(), cohort, folder)
    weights = folder / "autoencoder.safetensors"
    train_diffusion.run(diffusion_config(FORMS["residual"], "residual"), cohort, weights, folder)
    fit_course.run(FitCourseConfig(kinds=("linear_population", "huber")), cohort, folder)
    model = assemble(
        folder / "model.safetensors", "tiny", weights, folder / "residual.safetensors", folder / "course.safetensors"
    )
    scan = folder / "scan.nii.gz"
    nibabel.save(nibabel.Nifti1Image(phantom_template.t1, phantom_template.affine), scan)
    placed = place(read_scan(scan), GRID)
    grey, white = (
        on_grid(Scan((phantom_template.codes == REGIONS.index(region)).astype(np.float32), phantom_template.affine, scan), GRID)
        for region in ("grey_matter", "white_matter")
    )
    config = PersonConfig.model_validate({"diagnoses": GROUPS, "how": {"samples": 2, "steps": 5, "course": "huber"}})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(person, "colin_template", lambda: phantom_template)
        patch.setattr(person, "local_path", lambda name: scan)
        patch.setattr(preparation, "mni_reference", lambda grid: Reference(placed.image, placed.mask, grey, white))
        person.run(config, calibration, model, folder / "person")
    return folder, model


@pytest.mark.slow
def test_he_is_forecast_with_what_the_course_expects(forecast_of_the_phantom, phantom_template):
    folder, model = forecast_of_the_phantom
    found, images = read_json(folder / "person" / "person.json"), load_tensors(folder / "person" / "person.safetensors")[0]
    cohort = Cohort(folder / "person" / "cohort")
    (visit,) = cohort.visits
    rim = abs(cohort.labels(visit)[REGIONS.index("ventricle")] - 0.5) < 0.4
    assert (visit.age_years, visit.sex, visit.diagnosis, visit.split) == (70, "M", "CN", "test")
    np.testing.assert_allclose(found["volumes_ml"], phantom_template.volumes_ml(), rtol=1e-5)
    rates = load_model(model).course("linear_population").arrays()["rates"]
    for row in found["forecasts"]:
        expected = 100 * row["years"] * rates[DIAGNOSES.index(row["diagnosis"])]
        np.testing.assert_allclose(row["expected_points"], expected, atol=1e-6)
        flow = images[f"{row['diagnosis']}_{row['years']:g}_flow"]
        if row["years"] == 0:
            np.testing.assert_array_equal(flow, images["scan"])
            assert row["no_change_psnr_db"] is None
            assert not any(row["flow_points"])
        else:
            assert row["no_change_psnr_db"] < 50
            assert not np.allclose(row["usual_points"], row["expected_points"])
            # fluid is dark: ventricles that grow darken their rim
            assert (flow - images["scan"])[rim].mean() < 0 < row["expected_points"][REGIONS.index("ventricle")]
    assert [(row["diagnosis"], row["years"]) for row in found["forecasts"]] == [(d, y) for d in GROUPS for y in (0, 4)]


@pytest.mark.slow
def test_the_page_says_that_nobody_knows_his_future(forecast_of_the_phantom, tmp_path):
    folder, _ = forecast_of_the_phantom
    shown = list(person_reportlets(folder, None))
    assert isinstance(shown[0], Scrubber)
    assert "there is no truth" in shown[0].caption
    assert [len(table.rows) for table in shown if isinstance(table, Table)] == [7, 7, 4, 1]
    assert not list(person_reportlets(tmp_path, None))
