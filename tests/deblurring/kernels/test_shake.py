"""A camera that turned: displacements against the motion itself, kernels against the resampled scene, and its table."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sciml.deblurring import Shake
from sciml.deblurring.kernels.shake import displacements, read_shake, write_shake
from sciml.deblurring.study.turning import shaken, turning_shake
from sciml.runtime.errors import DataError, FormatError, ShapeError

POSES = np.array([[0.0, 0.0, 0.0], [1.5, -2.0, 1.0], [-0.5, 3.0, -2.0]])
SHAKE = Shake(POSES, np.array([2.0, 1.0, 1.0]))


def test_a_displacement_leads_from_a_point_of_the_scene_to_where_it_is_seen():
    scene = np.array([40.0, -70.0])
    for pose, (down, right, degrees) in enumerate(POSES):
        angle = math.radians(degrees)
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        seen = turn @ scene + (down, right)
        np.testing.assert_allclose(displacements(POSES, tuple(seen))[pose], seen - scene, atol=1e-12)
    # what lies to the right of the middle rises where the picture turns counter-clockwise
    assert displacements(np.array([[0, 0, 1.0]]), (0, 100))[0, 0] < 0


def test_kernels_hold_all_the_light_at_its_mean_place():
    size = SHAKE.size(101, 161)
    for place in ((0, 0), (50, 80), (-50, 80), (12.5, -33.1)):
        kernel = SHAKE.kernel(place, size)
        middle = np.arange(size) - size // 2
        mean = SHAKE.weights @ displacements(SHAKE.poses, place)
        np.testing.assert_allclose([kernel.sum(1) @ middle, kernel.sum(0) @ middle], mean, atol=1e-12)
    still = Shake(POSES * (1, 1, 0), SHAKE.weights)
    np.testing.assert_array_equal(still.kernel((0, 0), 9), still.kernel((40, -70), 9))
    assert still.size(101, 161) == 7 and still.turn == 0
    assert math.degrees(SHAKE.turn) == pytest.approx(np.sqrt(np.cov([0, 0, 1, -2], bias=True)))


SCENES = {"plane": lambda r, c: 0.3 * r - 0.2 * c + 1, "wave": lambda r, c: np.sin(0.2 * r + 0.1 * c)}


@pytest.mark.parametrize("name", SCENES)
def test_a_resampled_scene_is_that_of_the_formula_and_of_the_kernels(name):
    size, pad, f = (30, 44), 8, SCENES[name]

    def places(size):
        return tuple(np.meshgrid(*(np.arange(length) - (length - 1) / 2 for length in size), indexing="ij"))

    (r, c), wide = places(size), f(*places((size[0] + 2 * pad, size[1] + 2 * pad)))
    found, expected = shaken(wide, SHAKE, size), np.zeros(size)
    for (down, right, degrees), weight in zip(SHAKE.poses, SHAKE.weights, strict=True):
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        expected += weight * f(cos * (r - down) + sin * (c - right), cos * (c - right) - sin * (r - down))
    np.testing.assert_allclose(found[4:-4, 4:-4], expected[4:-4, 4:-4], atol=2e-4)
    # the kernel of a place makes the same pixel, up to its bilinear drawing
    kernel = SHAKE.kernel((r[22, 9], c[22, 9]), 11)
    seen = wide[22 + pad - 5 : 22 + pad + 6, 9 + pad - 5 : 9 + pad + 6]
    assert (kernel[::-1, ::-1] * seen).sum() == pytest.approx(found[22, 9], abs=0.01)


def test_a_random_shake_has_the_extent_asked_for():
    shake = turning_shake(19, 7, 400, np.random.default_rng(3))
    assert shake.poses[:, :2].min() >= -0.4 * 16 - 1e-9 and shake.poses[:, :2].max() <= 0.4 * 16 + 1e-9
    assert 0.9 * 7 < np.abs(np.deg2rad(shake.poses[:, 2])).max() * 400 <= 7
    np.testing.assert_allclose(shake.weights @ shake.poses, 0, atol=1e-9)


def test_a_table_gives_the_poses_back_and_another_file_is_refused(tmp_path):
    path = tmp_path / "poses.csv"
    write_shake(path, SHAKE)
    found = read_shake(path)
    np.testing.assert_allclose(found.poses, SHAKE.poses)
    np.testing.assert_allclose(found.weights, SHAKE.weights)
    head = "rows,columns,degrees,weight\n"
    for text, error, words in (
        ("a,b\n1,2\n", FormatError, "first line"),
        (head + "1,2,x,4\n", FormatError, "no table of poses"),
        (head + "1,2,3\n", FormatError, "four numbers"),
        (head, FormatError, "four numbers"),
        (head + "1,2,nan,1\n", DataError, "not finite"),
        (head + "1,2,3,-1\n", DataError, "shares of the exposure"),
        (head + "1,2,3,0\n", DataError, "shares of the exposure"),
    ):
        path.write_text(text)
        with pytest.raises(error, match=words):
            read_shake(path)
    with pytest.raises(DataError):
        read_shake(tmp_path / "missing.csv")
    with pytest.raises(ShapeError, match="poses \\(count, 3\\)"):
        Shake(np.zeros((2, 2)), np.ones(2))
    with pytest.raises(ShapeError, match="no light comes"):
        Shake(POSES[1:], np.ones(2)).kernel((0, 0), 3)
    with pytest.raises(ShapeError, match="at most 255"):
        Shake(POSES * 100, np.ones(3)).size(100, 100)
