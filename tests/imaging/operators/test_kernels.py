"""Blur kernels, the check of a user's kernel, and the blur that uses them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from deepinv.physics import Blur
from hypothesis import given, settings
from hypothesis import strategies as st
from imaging_problems import random
from scipy.ndimage import center_of_mass
from scipy.signal import convolve2d

from sciml.imaging.operators.convolution import ValidBlur
from sciml.imaging.operators.kernels import camera_shake, check_kernel, disk, gaussian, line
from sciml.runtime.errors import ConfigError, DataError, ShapeError

KERNELS = {
    **{f"shake-{size}": lambda size=size: camera_shake(size, np.random.default_rng(size)) for size in (13, 19, 27)},
    "disk": lambda: disk(3.3),
    "disk-wide": lambda: disk(2.0, 15),
    "line": lambda: line(9.0, 30.0),
    "line-wide": lambda: line(5.5, -70.0, 21),
    "gaussian": lambda: gaussian(1.6),
    "gaussian-small": lambda: gaussian(0.5, 5),
    "point": lambda: gaussian(1.0, 1),
}


def l_shape() -> np.ndarray:
    """A kernel without any symmetry: a convolution and a correlation with it differ."""
    kernel = np.zeros((5, 5))
    kernel[0:5, 1] = 1.0
    kernel[4, 1:4] = 2.0
    return kernel / kernel.sum()


@pytest.mark.parametrize("name", KERNELS)
def test_every_kernel_is_a_centred_density(name):
    kernel = KERNELS[name]()
    assert kernel.dtype == np.float64
    assert kernel.shape[0] == kernel.shape[1] and kernel.shape[0] % 2 == 1
    assert kernel.min() >= 0
    assert kernel.sum() == pytest.approx(1, abs=1e-12)
    assert np.abs(np.array(center_of_mass(kernel)) - kernel.shape[0] // 2).max() < 1e-3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(check_kernel(kernel), kernel, rtol=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(range(13, 28, 2)), st.integers(0, 2**32))
def test_camera_shake_is_seeded_sharp_and_stays_inside(size, seed):
    kernel = camera_shake(size, np.random.default_rng(seed))
    assert kernel.tobytes() == camera_shake(size, np.random.default_rng(seed)).tobytes()
    assert not np.array_equal(kernel, camera_shake(size, np.random.default_rng(seed + 1)))
    assert kernel.shape == (size, size)
    assert 10 < 1 / np.sum(kernel**2) < 50
    border = kernel.sum() - kernel[1:-1, 1:-1].sum()
    assert border < 0.02
    assert np.abs(np.array(center_of_mass(kernel)) - size // 2).max() < 1e-3


@pytest.mark.parametrize("radius", [1.0, 2.3, 5.0])
def test_a_disk_has_the_area_of_a_circle(radius):
    kernel = disk(radius)
    assert 1 / kernel.max() == pytest.approx(np.pi * radius**2, rel=0.02)
    np.testing.assert_allclose(kernel, kernel.T)
    np.testing.assert_allclose(kernel, kernel[::-1])


@pytest.mark.parametrize(("angle", "slope"), [(0, 0.0), (30, -np.tan(np.pi / 6)), (-45, 1.0), (60, -np.tan(np.pi / 3))])
@pytest.mark.parametrize("length", [5.0, 11.0])
def test_a_line_has_its_length_and_turns_counter_clockwise(angle, slope, length):
    kernel = line(length, angle, 21)
    row, column = np.mgrid[:21, :21] - 10
    moments = [(kernel * a * b).sum() for a, b in ((row, row), (column, column), (row, column))]
    # variance of a uniform density of that length, plus what the bilinear weights add
    assert moments[0] + moments[1] == pytest.approx(length**2 / 12, abs=0.5)
    assert moments[2] / (moments[1] - 1 / 6) == pytest.approx(slope, abs=0.15)


def test_an_upright_line_is_a_column():
    kernel = line(7.0, 90.0)
    np.testing.assert_allclose(kernel[:, kernel.shape[0] // 2].sum(), 1)


@pytest.mark.parametrize("std", [0.8, 1.6, 3.0])
def test_a_gaussian_has_its_deviation(std):
    kernel = gaussian(std)
    position = np.arange(len(kernel)) - len(kernel) // 2
    assert np.sqrt((kernel.sum(0) * position**2).sum()) == pytest.approx(std, rel=0.02)
    np.testing.assert_allclose(kernel, np.outer(kernel.sum(1), kernel.sum(0)), atol=1e-15)


@pytest.mark.parametrize(
    "make",
    [
        lambda: camera_shake(14, np.random.default_rng(0)),
        lambda: camera_shake(5, np.random.default_rng(0)),
        lambda: disk(0),
        lambda: disk(-1),
        lambda: disk(1, 4),
        lambda: line(0, 3),
        lambda: line(float("nan"), 3),
        lambda: gaussian(-0.1),
        lambda: gaussian(1, 2),
        lambda: gaussian(1, -3),
    ],
)
def test_impossible_sizes_are_refused(make):
    with pytest.raises(ConfigError):
        make()


def _with(value: float) -> np.ndarray:
    kernel = np.full((3, 3), 1 / 9)
    kernel[0, 1] = value
    return kernel


@pytest.mark.parametrize(
    ("kernel", "error", "says"),
    [
        (_with(-0.01), DataError, "negative"),
        (_with(float("nan")), DataError, "finite"),
        (_with(float("inf")), DataError, "finite"),
        (np.zeros((3, 3)), DataError, "zero everywhere"),
        (np.ones((3, 3)) * 1j, DataError, "real"),
        (np.full((3, 3), "a"), DataError, "real"),
        (np.ones((4, 4)) / 16, ShapeError, "odd"),
        (np.ones((3, 5)) / 15, ShapeError, "square"),
        (np.ones(9) / 9, ShapeError, "2-D"),
        (np.ones((3, 3, 3)) / 27, ShapeError, "2-D"),
        (np.ones((0, 0)), ShapeError, "odd"),
        (np.ones((33, 33)) / 33**2, ShapeError, "larger than the image"),
    ],
)
def test_bad_kernels_are_refused_in_one_line(kernel, error, says):
    with pytest.raises(error, match=says) as caught:
        check_kernel(kernel, (40, 32))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("total", [0.5, 0.99, 255.0])
def test_a_kernel_of_another_sum_is_normalised_with_a_warning(total):
    with pytest.warns(UserWarning, match="normalised"):
        checked = check_kernel(np.full((3, 3), total / 9))
    np.testing.assert_allclose(checked, np.full((3, 3), 1 / 9))


def test_whole_numbers_are_taken_and_the_largest_kernel_that_fits():
    with pytest.warns(UserWarning):
        assert check_kernel(np.ones((3, 3), dtype=np.uint8)).sum() == pytest.approx(1)
    assert check_kernel(np.ones((31, 31)) / 31**2, (31, 40)).shape == (31, 31)


@pytest.mark.parametrize("size", [(16, 16), (17, 24)])
@pytest.mark.parametrize("name", [*KERNELS, "l-shape"])
def test_the_blur_is_the_valid_convolution(name, size):
    kernel = l_shape() if name == "l-shape" else KERNELS[name]()
    blur = ValidBlur(kernel, size, dtype=torch.float64)
    x = random(2, 1, *blur.canvas)
    expected = np.stack([convolve2d(member[0], kernel, mode="valid") for member in x.numpy()])[:, None]
    assert expected.shape[-2:] == size
    np.testing.assert_allclose(blur.A(x).numpy(), expected, atol=1e-12)
    theirs = Blur(filter=torch.from_numpy(kernel)[None, None], padding="valid").A(x)
    torch.testing.assert_close(blur.A(x), theirs, rtol=0, atol=1e-12)
    y = random(*theirs.shape, seed=1)
    gap = (blur.A(x) * y).sum() - (x * blur.A_adjoint(y)).sum()
    assert abs(float(gap)) < 1e-12 * float(x.norm() * y.norm())


def test_the_blur_of_a_point_shows_the_kernel():
    blur = ValidBlur(l_shape(), (9, 9), dtype=torch.float64)
    x = torch.zeros(1, 1, *blur.canvas, dtype=torch.float64)
    x[..., 6, 6] = 1
    np.testing.assert_allclose(blur.A(x)[0, 0, 2:7, 2:7].numpy(), l_shape(), atol=1e-14)
    torch.testing.assert_close(blur.crop(x)[0, 0, 4, 4], torch.tensor(1.0, dtype=torch.float64))


def test_the_blur_refuses_other_sizes():
    blur = ValidBlur(gaussian(1.0, 5), (16, 20))
    with pytest.raises(ShapeError, match=r"\(20, 24\)"):
        blur.A(torch.zeros(1, 1, 16, 20))
    with pytest.raises(ShapeError, match=r"\(16, 20\)"):
        blur.A_adjoint(torch.zeros(1, 1, 20, 24))
