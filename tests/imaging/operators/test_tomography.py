"""The projector against scikit-image, against brute force, and against itself through autograd."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from imaging_problems import blobs, random
from skimage.transform import iradon, radon

from sciml.classical.stages.check import fbp_reference
from sciml.datasets.loaders import load, window_hu
from sciml.imaging.operators.tomography import ParallelBeam, detector_count, system_matrix
from sciml.runtime.errors import ConfigError, ShapeError

ANGLES = tuple(np.arange(0, 180, 7.5))


def line_integrals(image: np.ndarray, angle_degrees: float) -> np.ndarray:
    """Integrate the bilinear interpolation of an image along every ray, by fine steps."""
    from scipy.ndimage import map_coordinates

    height, width = image.shape
    bins = math.ceil(math.hypot(height, width))
    s = np.arange(bins)[:, None] - bins // 2
    step = 0.05
    t = np.arange(-bins, bins, step)[None]
    theta = math.radians(angle_degrees)
    column = s * math.cos(theta) + t * math.sin(theta) + width // 2
    row = -s * math.sin(theta) + t * math.cos(theta) + height // 2
    padded = np.pad(image, 2)
    return map_coordinates(padded, [row + 2, column + 2], order=1, mode="constant").sum(1) * step


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 20), st.integers(2, 20), st.lists(st.floats(-200, 400), min_size=1, max_size=4), st.integers(0, 99))
def test_the_adjoint_is_exact_in_double_precision(height, width, angles, seed):
    physics = ParallelBeam((height, width), angles, dtype=torch.float64)
    x, y = random(1, 1, height, width, seed=seed), random(1, 1, len(angles), detector_count((height, width)), seed=seed + 1)
    forward, back = physics.A(x), physics.A_adjoint(y)
    assert abs(float((forward * y).sum() - (x * back).sum())) <= 1e-12 * float(forward.norm() * y.norm() + x.norm())


@pytest.mark.parametrize("size", [(96, 96), (97, 97)])
def test_it_agrees_with_scikit_image_on_a_smooth_picture(size):
    image = blobs(*size)
    theirs = radon(image, ANGLES, circle=False)
    physics = ParallelBeam(size, ANGLES, dtype=torch.float64)
    ours = physics.A(torch.from_numpy(image)[None, None])[0, 0].numpy().T * physics.scale
    assert ours.shape == theirs.shape
    assert np.linalg.norm(ours - theirs) / np.linalg.norm(theirs) < 1e-3


@pytest.mark.parametrize("size", [(20, 33), (33, 20), (24, 24)])
@pytest.mark.parametrize("angle", [0.0, 17.0, 45.0, 80.0, 90.0, 135.0, 170.0])
def test_it_agrees_with_brute_force_line_integrals_on_rectangles(size, angle):
    image = blobs(*size)
    physics = ParallelBeam(size, [angle], dtype=torch.float64)
    ours = physics.A(torch.from_numpy(image)[None, None])[0, 0, 0].numpy() * physics.scale
    truth = line_integrals(image, angle)
    assert np.linalg.norm(ours - truth) / np.linalg.norm(truth) < 0.01


def test_upright_views_are_plain_sums():
    image = np.random.default_rng(0).random((5, 7))
    matrix = system_matrix((5, 7), (0.0, 90.0))
    upright, flat = (matrix @ image.ravel()).reshape(2, -1)
    bins = detector_count((5, 7))
    assert bins == 9
    columns, rows = np.zeros(bins), np.zeros(bins)
    columns[bins // 2 - 3 : bins // 2 + 4] = image.sum(0)
    rows[bins // 2 - 2 : bins // 2 + 3] = image.sum(1)[::-1]  # at 90 degrees the detector runs upwards
    np.testing.assert_allclose(upright, columns, atol=1e-6)
    np.testing.assert_allclose(flat, rows, atol=1e-6)


def test_every_view_of_a_disk_has_its_mass():
    x = torch.from_numpy(blobs(40, 28).astype(np.float32))[None, None]
    physics = ParallelBeam((40, 28), ANGLES)
    mass = physics.A(x).sum(-1) * physics.scale
    torch.testing.assert_close(mass, x.sum().expand_as(mass), rtol=2e-3, atol=0)


@pytest.mark.parametrize("angles", [(0.0, 30.0, 75.0, 120.0), (90.0,), (45.0,)])
@pytest.mark.parametrize("size", [(24, 24), (24, 17), (2, 2)])
def test_the_norm_is_one_and_the_scale_is_the_largest_singular_value(size, angles):
    physics = ParallelBeam(size, angles, dtype=torch.float64)
    dense = physics.A(torch.eye(size[0] * size[1], dtype=torch.float64).reshape(-1, 1, *size)).reshape(size[0] * size[1], -1)
    assert float(torch.linalg.matrix_norm(dense, 2)) == pytest.approx(1, abs=5e-6)
    exact = np.linalg.norm(system_matrix(size, angles).toarray(), 2)
    assert physics.scale == pytest.approx(exact, rel=5e-6)


def test_gradients_flow_as_the_adjoint():
    physics = ParallelBeam((6, 5), [0.0, 33.0, 100.0], dtype=torch.float64)
    x = random(2, 1, 6, 5).requires_grad_()
    y = random(*physics.A(x).shape, seed=1)
    physics.A(x).backward(y)
    torch.testing.assert_close(x.grad, physics.A_adjoint(y), rtol=1e-12, atol=1e-12)
    assert torch.autograd.gradcheck(physics.A, x)
    assert torch.autograd.gradcheck(physics.A_adjoint, y.requires_grad_())
    assert torch.autograd.gradgradcheck(lambda z: physics.A(z) ** 2, x)


def test_filtered_backprojection_agrees_with_scikit_image():
    image = blobs(96, 96).astype(np.float32)
    sinogram = radon(image, ANGLES, circle=False)
    theirs = iradon(sinogram, ANGLES, circle=False, output_size=96)
    physics = ParallelBeam((96, 96), ANGLES)
    ours = physics.fbp(torch.from_numpy(sinogram.T.astype(np.float32) / physics.scale)[None, None])[0, 0].numpy()
    assert np.linalg.norm(ours - theirs) / np.linalg.norm(theirs) < 0.01


@pytest.mark.parametrize("size", [(64, 64), (48, 65), (65, 48)])
def test_filtered_backprojection_inverts_a_full_scan(size):
    image = blobs(*size).astype(np.float32)
    physics = ParallelBeam(size, tuple(np.arange(0, 180, 1.5)))
    back = physics.fbp(physics.A(torch.from_numpy(image)[None, None]))[0, 0].numpy()
    assert np.linalg.norm(back - image) / np.linalg.norm(image) < 0.02


def test_a_lower_cutoff_and_the_hann_window_smooth():
    physics = ParallelBeam((48, 48), ANGLES)
    y = random(1, 1, len(ANGLES), detector_count((48, 48)), dtype=torch.float32)
    sharp, low = physics.fbp(y).std(), physics.fbp(y, cutoff=0.5).std()
    assert low < 0.6 * sharp
    assert physics.fbp(y, window="hann").std() < sharp
    assert physics.fbp(y, 0.5, "hann").std() < low


@pytest.mark.parametrize(("cutoff", "window"), [(0.0, "ramp"), (1.2, "ramp"), (-1, "hann"), (1.0, "hamming")])
def test_unknown_filters_are_refused(cutoff, window):
    with pytest.raises(ConfigError, match="ramp or hann"):
        ParallelBeam((16, 16), [0.0]).fbp(torch.zeros(1, 1, 1, 23), cutoff, window)


def test_no_views_tiny_images_and_wrong_shapes_are_refused():
    with pytest.raises(ConfigError, match="at least one view"):
        ParallelBeam((16, 16), [])
    with pytest.raises(ConfigError, match="2 x 2"):
        ParallelBeam((1, 16), [0.0])
    physics = ParallelBeam((16, 12), [0.0, 90.0])
    with pytest.raises(ShapeError, match=r"\(16, 12\)"):
        physics.A(torch.zeros(1, 1, 12, 16))
    for call in (physics.A_adjoint, physics.fbp):
        with pytest.raises(ShapeError):
            call(torch.zeros(1, 1, 2, 16))


@pytest.mark.slow
def test_the_reference_figures_of_filtered_backprojection(need_data):
    need_data("ct_amos0336")
    picture = window_hu(load("ct_amos0336[70:71]").array[0], -1000, 1000).astype(np.float32)
    for views, expected in ((180, 35.4), (60, 28.1), (24, 21.4)):
        found = fbp_reference(picture, views)
        assert found.scikit_image_db == pytest.approx(expected, abs=0.3)
        assert found.ours_db == pytest.approx(found.scikit_image_db, abs=0.5)
