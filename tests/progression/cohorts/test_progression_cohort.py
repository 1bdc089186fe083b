"""A cohort comes back as it was written, and nobody is in two splits."""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest

from sciml.progression.cohorts.cohort import Cohort, Visit, check_visits, write_cohort, write_subject
from sciml.progression.cohorts.grids import FIELD_OF_VIEW_MM, GRIDS, grid_of
from sciml.progression.cohorts.regions import REGIONS
from sciml.runtime.errors import ConfigError, DataError, FormatError, ShapeError

GRID = GRIDS["4.5mm"]
VOLUMES = (20.123456, 9.0, 3.0, 16.0, 1000.0, 600.0, 200.0)


def visits_of(subject, split, ages=(70.0, 71.5, 73.25), sex="F", diagnosis="MCI"):
    return [Visit(subject, number, split, age, sex, diagnosis, VOLUMES) for number, age in enumerate(ages)]


@pytest.fixture
def folder(tmp_path):
    random = np.random.default_rng(0)
    visits = [*visits_of("a", "train"), *visits_of("b", "test", sex="M")]
    for name in ("a", "b"):
        labels = random.dirichlet(np.ones(len(REGIONS)), (3, *GRID.shape)).transpose(0, 4, 1, 2, 3)
        image = random.random((3, *GRID.shape)).astype(np.float16)
        write_subject(tmp_path, name, {"image": image, "mask": image > 0.5, "labels": labels}, GRID)
    write_cohort(tmp_path, GRID, visits, {"kind": "test"})
    return tmp_path


def test_the_grids_cut_one_box():
    for grid in GRIDS.values():
        corners = [grid.affine @ [*(index - 0.5 for index in ends), 1] for ends in ((0, 0, 0), grid.shape)]
        np.testing.assert_allclose(np.subtract(corners[1], corners[0])[:3], FIELD_OF_VIEW_MM)
        np.testing.assert_allclose(corners[0], GRID.affine @ [-0.5, -0.5, -0.5, 1])
    assert GRID.shape == (40, 48, 40)
    assert GRIDS["1.5mm"].shape == (120, 144, 120)
    with pytest.raises(ConfigError, match=r"4\.5mm, 3mm, 1\.5mm"):
        grid_of("2mm")


def test_a_cohort_comes_back(folder):
    cohort = Cohort(folder)
    assert cohort.about == {"kind": "test"}
    assert list(cohort.subjects("train")) == ["a"]
    assert [(one.number, other.number) for one, other in cohort.pairs("train")] == [(0, 1), (0, 2), (1, 2)]
    visit = cohort.select("test")[2]
    assert visit == replace(visits_of("b", "test", sex="M")[2])
    assert visit.volume_ml("ventricle") == 20.123456
    assert (visit.sex_code, visit.diagnosis_code) == (0.0, 0.5)
    image, mask = cohort.image(visit), cohort.mask(visit)
    assert image.shape == mask.shape == (1, *GRID.shape)
    assert image.dtype == np.float32
    np.testing.assert_array_equal(mask, image > 0.5)
    np.testing.assert_allclose(cohort.labels(visit).sum(0), 1, atol=len(REGIONS) / 255)
    assert cohort.has("labels")
    assert not cohort.has("clean")
    with pytest.raises(DataError, match="holds no clean"):
        cohort.clean(visit)
    assert cohort.volumes([]).shape == (0, len(REGIONS))


def test_unknown_volumes_are_empty_cells(folder):
    visits = [replace(visit, volumes_ml=(math.nan,) * len(REGIONS)) for visit in Cohort(folder).visits]
    write_cohort(folder, GRID, visits, {})
    assert np.isnan(Cohort(folder).volumes(visits)).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"split": "test"}, "subject a is in two splits, train and test"),
        ({"sex": "M"}, "subject a is F at one visit and M at another"),
        ({"age_years": 60.0}, "subject a: visits are not in order of age"),
        ({"number": 4}, "subject a: visit 4 is out of order"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(folder, change, message):
    visits = list(Cohort(folder).visits)
    visits[1] = replace(visits[1], **change)
    with pytest.raises(DataError, match=message):
        write_cohort(folder, GRID, visits, {})


def test_visits_of_one_age_are_for_calibration_alone():
    """There regions change independently of time: settings of every tier give no gap between their visits."""
    for split in ("calibration", "test"):
        visits = [Visit("p", number, split, 70.0, "F", "CN") for number in (0, 1)]
        with nullcontext() if split == "calibration" else pytest.raises(DataError, match="two visits at age 70"):
            check_visits(visits)


def test_a_table_changed_by_hand_is_refused_on_reading(folder):
    table = folder / "visits.csv"
    text = table.read_text()
    table.write_text(text.replace("a,1,train", "a,1,validation"))
    with pytest.raises(DataError, match="two splits"):
        Cohort(folder)
    table.write_text(text.replace("71.5000", "old"))
    with pytest.raises(FormatError, match=r"visits\.csv, line 3"):
        Cohort(folder)


def test_a_folder_that_is_no_cohort_is_named(tmp_path, folder):
    with pytest.raises(DataError, match=r"cohort\.json is missing"):
        Cohort(tmp_path / "elsewhere")
    (folder / "subjects" / "a.safetensors").unlink()
    cohort = Cohort(folder)
    with pytest.raises(DataError, match="incomplete"):
        cohort.image(cohort.visits[0])
    with pytest.raises(ShapeError, match="image of c"):
        write_subject(folder, "c", {"image": np.zeros((1, 8, 8, 8))}, GRID)
