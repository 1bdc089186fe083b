"""Metrics by hand, and the pictures that the tasks are studied on."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from sciml.datasets import splits
from sciml.datasets.loaders import window_hu
from sciml.imaging.metrics import decibels, psnr
from sciml.imaging.similarity import ssim
from sciml.imaging.tasks import cases as module
from sciml.imaging.tasks.cases import Case, cases, centre, reduced
from sciml.runtime.errors import ConfigError, DataError, ShapeError

FLAT = np.full((16, 16), 0.25)


@pytest.mark.parametrize(
    ("estimate", "data_range", "expected"),
    [
        (FLAT + 0.1, 1.0, 20.0),
        (FLAT - 0.1, 1.0, 20.0),
        (FLAT + 0.01, 1.0, 40.0),
        (FLAT + 0.1, 10.0, 40.0),
        (FLAT + 0.1, 255.0, 20 + 20 * math.log10(255)),
        (FLAT + 0.2 * np.eye(16), 1.0, 10 * math.log10(1 / (0.04 / 16))),
        (FLAT + 1.0, 1.0, 0.0),
    ],
)
def test_psnr_by_hand(estimate, data_range, expected):
    assert psnr(estimate, FLAT, data_range) == pytest.approx(expected)


def test_equal_images_have_infinite_psnr_and_unit_ssim():
    image = np.random.default_rng(0).random((16, 16))
    assert psnr(image, image.copy(), 1) == math.inf
    assert ssim(image, image.copy()) == pytest.approx(1)


def test_ssim_of_flat_images_by_hand():
    # without any variance SSIM is (2 a b + c1) / (a^2 + b^2 + c1), c1 = (0.01 range)^2
    for data_range in (1.0, 2.0):
        c1 = (0.01 * data_range) ** 2
        expected = (2 * 0.25 * 0.5 + c1) / (0.25**2 + 0.5**2 + c1)
        assert ssim(FLAT + 0.25, FLAT, data_range) == pytest.approx(expected, rel=1e-6)


def test_ssim_against_its_definition():
    rng = np.random.default_rng(1)
    a = rng.random((40, 36))
    b = a + 0.2 * rng.normal(size=a.shape)

    def mean(x):
        return gaussian_filter(x, 1.5, truncate=3.5)

    variance_a, variance_b = mean(a * a) - mean(a) ** 2, mean(b * b) - mean(b) ** 2
    covariance = mean(a * b) - mean(a) * mean(b)
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * mean(a) * mean(b) + c1) / (mean(a) ** 2 + mean(b) ** 2 + c1)
    structure = (2 * covariance + c2) / (variance_a + variance_b + c2)
    # the border of half a window is left out
    assert ssim(b, a) == pytest.approx((luminance * structure)[5:-5, 5:-5].mean(), rel=1e-6)


def test_ssim_falls_with_noise_and_uses_the_range():
    rng = np.random.default_rng(0)
    truth = rng.random((32, 32))
    scores = [ssim(truth + level * rng.normal(size=truth.shape), truth) for level in (0.02, 0.1, 0.5)]
    assert scores == sorted(scores, reverse=True) and scores[2] < 0.5
    assert ssim(truth * 255 + 5, truth * 255, 255.0) == pytest.approx(ssim(truth + 5 / 255, truth), rel=1e-6)


def test_metrics_compare_two_images_of_one_shape():
    for shapes in (((16, 16), (16, 17)), ((1, 16, 16), (1, 16, 16)), ((16,), (16,))):
        with pytest.raises(ShapeError, match="one shape"):
            ssim(*map(np.zeros, shapes))
    with pytest.raises(ShapeError, match="one shape"):
        psnr(np.zeros((16, 16)), np.zeros((16, 17)), 1)
    assert psnr(np.zeros((2, 3, 4)), np.full((2, 3, 4), 0.1), 1) == pytest.approx(20) == decibels(0.01, 1)


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 30), st.integers(1, 30))
def test_centre_cuts_and_pads_about_the_middle(height, width, rows, columns):
    array = np.arange(1.0, height * width + 1, dtype=np.float32).reshape(height, width)
    result = centre(array, (rows, columns))
    assert result.shape == (rows, columns) and result.dtype == np.float32 and result.flags["C_CONTIGUOUS"]
    assert np.count_nonzero(result) == min(height, rows) * min(width, columns)
    if rows <= height and columns <= width:
        top, left = (height - rows) / 2, (width - columns) / 2
        assert result[0, 0] in {
            array[a, b] for a in {math.floor(top), math.ceil(top)} for b in {math.floor(left), math.ceil(left)}
        }


def test_centre_of_known_arrays():
    array = np.arange(16.0).reshape(4, 4)
    np.testing.assert_array_equal(centre(array, (2, 2)), [[5, 6], [9, 10]])
    np.testing.assert_array_equal(centre(np.ones((2, 2)), (4, 2))[:, 0], [0, 1, 1, 0])


@pytest.mark.parametrize(
    ("shape", "size", "result"),
    [
        ((512, 512), (256, 256), (256, 256)),
        ((512, 256), (128, 128), (256, 128)),
        ((100, 100), (64, 64), (100, 100)),
        ((40, 40), (64, 64), (40, 40)),
        ((129, 130), (64, 64), (64, 65)),
    ],
)
def test_reduced_takes_means_by_the_largest_whole_factor(shape, size, result):
    array = np.random.default_rng(0).random(shape)
    found = reduced(array, size)
    assert found.shape == result
    factor = shape[0] // result[0]
    np.testing.assert_allclose(found[0, 0], array[:factor, :factor].mean())


def test_the_window_maps_hounsfield_units_to_the_unit_interval():
    assert module.CT_WINDOW_HU == (-1000, 1000)
    hu = np.array([-2000.0, -1000, 0, 500, 1000, 3000])
    np.testing.assert_allclose(window_hu(hu, -1000, 1000), [0, 0, 0.5, 0.75, 1, 1])


@pytest.mark.parametrize("experiment", ["imaging-photos", "imaging-ct", "imaging-mri"])
@pytest.mark.parametrize("tier", ["ci", "default", "full"])
def test_what_is_tuned_on_is_never_tested_on(experiment, tier):
    assert not splits.conflicts(experiment)
    validation, test = (splits.split(experiment, role, tier) for role in ("validation", "test"))
    assert validation and test and not set(validation) & set(test)


def test_an_empty_role_is_refused():
    with pytest.raises(DataError, match="no test-other data at the data tier ci"):
        cases("imaging-ct", "test-other", 1, (64, 64), "ci")
    with pytest.raises(ConfigError):
        cases("imaging-ct", "tests", 1, (64, 64), "ci")


def test_photographs_are_grey_crops_in_the_declared_order(need_data):
    need_data("camera", "astronaut")
    found = cases("imaging-photos", "test", 2, (64, 48), "ci")
    assert [case.name for case in found] == ["camera", "astronaut"]
    for case in found:
        assert case.array.shape == (64, 48) and case.array.dtype == np.float32 and case.position_mm is None
        assert case.array.min() >= 0 and case.array.max() <= 1 and case.array.std() > 0.05


@pytest.mark.parametrize(
    ("experiment", "role", "name"), [("imaging-ct", "test", "ct_cranium"), ("imaging-mri", "validation", "mni2009c_t1")]
)
def test_slices_are_spread_over_the_middle_half(need_data, experiment, role, name):
    need_data(name)
    found = cases(experiment, role, 3, (96, 96), "ci")
    assert len(found) == 3 and all(case.name.startswith(f"{name}[") for case in found)
    positions = [case.position_mm for case in found]
    assert positions == sorted(positions) and len(set(positions)) == 3
    assert np.diff(positions) == pytest.approx(np.diff(positions)[0], rel=0.3)
    for case in found:
        assert isinstance(case, Case) and case.array.min() >= 0 and case.array.max() <= 1
        assert (case.array > 0.2).mean() > 0.1  # the body is in view
    assert len(cases(experiment, role, 1, (96, 96), "ci")) == 1


@pytest.mark.parametrize("tier", ["pip", "ci"])
def test_a_single_slice_is_one_case_however_many_are_wanted(need_data, tier):
    need_data("dcm_examples_overlay")
    (case,) = cases("imaging-mri", "test", 4, (112, 96), tier)
    assert case.name == "dcm_examples_overlay" and case.array.shape == (112, 96)
    assert case.array.min() >= 0 and 0.5 < case.array.max() <= 1 and (case.array > 0.1).mean() > 0.3


def test_a_users_own_pictures_stand_in_for_a_split(tmp_path, monkeypatch):
    from sciml.datasets.user import add
    from sciml.formats.write import write_image

    monkeypatch.setenv("SCIML_CACHE", str(tmp_path / "cache"))
    grey = np.linspace(0, 1, 40 * 50, dtype=np.float32).reshape(40, 50)
    (tmp_path / "own").mkdir()
    write_image(tmp_path / "own" / "a.png", grey)
    write_image(tmp_path / "own" / "b.png", np.stack([grey, grey, grey], axis=-1))
    add("own", tmp_path / "own", "mine")
    found = cases("imaging-photos", "test", 5, (32, 32), "ci", ("own",))
    assert [case.name for case in found] == ["own/a.png", "own/b.png"]
    for case in found:
        assert np.allclose(case.array, grey[4:36, 9:41], atol=1 / 255)


def test_the_same_data_cannot_be_validation_and_test():
    from sciml.imaging.tasks.studies import Study
    from sciml.runtime.errors import ConfigError
    from sciml.runtime.settings import validated

    values = {"variants": {"a": {}}, "validation_data": ["x", "y"], "test_data": ["y"]}
    with pytest.raises(ConfigError, match="y cannot be both"):
        validated(Study, values, "study.yaml")
