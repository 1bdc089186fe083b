"""A scan moved in its own voxels: by how far, in any orientation, and not at all where nothing moves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sciml.formats.nifti import Scan
from sciml.progression.cohorts.grids import GRIDS
from sciml.progression.flow.moving import Mover, fading, shift_of
from sciml.runtime.errors import ShapeError

GRID = GRIDS["4.5mm"]
SHIFT_MM = np.array([2.0, -1.5, 1.0])
ANGLE = 0.3
OBLIQUE = np.array([[np.cos(ANGLE), -np.sin(ANGLE), 0], [np.sin(ANGLE), np.cos(ANGLE), 0], [0, 0, 1.0]])
AXES = {
    "RAS": np.diag([3.0, 3.0, 3.0]),
    "LAS": np.diag([-3.0, 3.0, 3.0]),
    "PIR": np.array([[0, 0, 3.0], [-3.0, 0, 0], [0, -3.0, 0]]),
    "oblique": 3 * OBLIQUE,
}


def wave(places_mm: np.ndarray) -> np.ndarray:
    return np.sin(places_mm[0] / 17) * np.cos(places_mm[1] / 21) * np.sin(places_mm[2] / 19 + 0.4)


def affine_of(axes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = axes
    affine[:3, 3] = -axes @ ((np.array(shape) - 1) / 2) + (0, -18, 18)
    return affine


def places_of(affine: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.einsum("ij,jxyz->ixyz", affine[:3, :3], np.indices(shape)) + affine[:3, 3, None, None, None]


@pytest.mark.parametrize("axes", AXES.values(), ids=AXES)
@pytest.mark.parametrize("registered", [False, True])
def test_content_moves_by_the_shift_whatever_the_orientation(axes, registered):
    shape = (40, 44, 38)
    affine = affine_of(axes, shape)
    to_scan = np.eye(4)
    if registered:
        to_scan[:3, :3], to_scan[:3, 3] = 1.1 * OBLIQUE, (3.0, -2.0, 1.0)
    scan = Scan(wave(places_of(affine, shape)).astype(np.float32), affine, Path("wave.nii"))
    shift = np.broadcast_to((SHIFT_MM / GRID.spacing_mm)[:, None, None, None], (3, *GRID.shape)).astype(np.float32)
    moved = Mover(scan, GRID, np.ones(GRID.shape, bool), to_scan).image(shift)
    # a shift of the template's space is turned with the scan
    expected = wave(places_of(affine, shape) + (to_scan[:3, :3] @ SHIFT_MM)[:, None, None, None])
    inner = (slice(4, -4),) * 3
    np.testing.assert_allclose(moved.array[inner], expected[inner], atol=4e-3)  # no value beyond the highest voxel


def test_where_nothing_moves_the_scan_stays_bit_for_bit():
    random = np.random.default_rng(0)
    shape = (30, 32, 28)
    scan = Scan(np.asfortranarray(random.random(shape, np.float32)), affine_of(AXES["oblique"], shape), Path("noise.nii"))
    mask = np.zeros(GRID.shape, bool)
    mask[10:20, 12:30, 10:28] = True
    still = np.zeros((3, *GRID.shape), np.float32)
    np.testing.assert_array_equal(Mover(scan, GRID, mask).image(still).array, scan.array)
    # a shift that is 0 in one half touches that half alone where it is not interpolated with the other
    half = still.copy()
    half[0, 15:] = 0.7
    changed = Mover(scan, GRID, mask).image(half).array != scan.array
    right = places_of(scan.affine, shape)[0]
    border = GRID.affine[0, 3] + 14 * GRID.spacing_mm
    assert changed[right > border + 1].any() and not changed[right < border].any()


def test_labels_have_nothing_between_them():
    shape = (30, 32, 28)
    codes = np.random.default_rng(1).integers(0, 8, shape)
    shift = np.full((3, *GRID.shape), 0.4, np.float32)
    moved = Mover(Scan(codes, affine_of(AXES["LAS"], shape), Path("l.nii")), GRID, np.ones(GRID.shape, bool), order=0).image(
        shift
    )
    assert moved.array.dtype == codes.dtype and set(np.unique(moved.array)) <= set(range(8))


def test_shares_of_labels_move_by_parts_of_a_voxel():
    """A block that everything moves away from, by a third of a voxel along one axis: its front shrinks, its back grows."""
    shape = (24, 26, 22)
    affine = affine_of(AXES["RAS"], shape)
    codes = np.zeros(shape, int)
    codes[6:18, 8:14, 8:14] = 1
    mover = Mover(Scan(codes, affine, Path("l.nii")), GRID, np.ones(GRID.shape, bool), order=0)
    middle = GRID.shape[0] // 2
    shift = np.zeros((3, *GRID.shape), np.float32)
    shift[0] = 1 / 4.5 * np.clip((np.arange(GRID.shape[0]) - middle) / 2, -1, 1)[:, None, None]
    # both faces across the axis look 1 mm, a third of a voxel, further out
    expected = 432 * (1 - 2 / 3 / 12)
    assert mover.shares(np.zeros_like(shift), 2)[1] == pytest.approx(432)
    assert mover.shares(shift, 2)[1] == pytest.approx(expected, rel=1e-3)


def test_a_shift_fades_beside_the_brain():
    mask = np.zeros(GRID.shape, bool)
    mask[15:25, 15:25, 15:25] = True
    shift = shift_of(np.indices(GRID.shape) + 1.0, fading(mask, GRID))
    assert (shift[:, mask] == 1).all() and shift[0, 14, 20, 20] == pytest.approx(0.5) and not shift[:, 5].any()


def test_a_shift_of_another_grid_is_refused():
    scan = Scan(np.ones((4, 4, 4), np.float32), np.eye(4), Path("s.nii"))
    with pytest.raises(ShapeError, match=r"expected \(3, 40, 48, 40\)"):
        Mover(scan, GRID, np.ones(GRID.shape, bool)).image(np.zeros((3, 4, 4, 4), np.float32))
