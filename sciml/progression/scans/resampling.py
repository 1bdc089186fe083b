"""A user's volume put on a grid, whatever its orientation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from sciml.formats.nifti import Scan
from sciml.progression.cohorts.grids import Grid

SAMPLE_MM = 1.5


def on_grid(scan: Scan, grid: Grid, to_scan: np.ndarray | None = None) -> np.ndarray:
    """Return the mean of a scan over each voxel of a grid, whatever its orientation, (*grid), float32.

    Args:
        scan: to be resampled; 0 beyond its edges.
        grid: where to.
        to_scan: (4, 4), places of the template to places of the scan in mm; the identity by default.
    """
    total = np.zeros(grid.shape)
    count = 0
    for points in _sub_points(grid, to_scan):
        indices = _indices(scan.affine, points)
        total += ndimage.map_coordinates(scan.array, indices, order=1, mode="grid-constant", cval=0.0).reshape(grid.shape)
        count += 1
    return (total / count).astype(np.float32)


def labels_on_grid(scan: Scan, codes: list[tuple[int, ...]], grid: Grid, to_scan: np.ndarray | None = None) -> np.ndarray:
    """Return the share of each voxel of a grid that has one of some codes, (len(codes), *grid), float32.

    Args:
        scan: whole numbers.
        codes: for each label the codes that belong to it.
        grid: where to.
        to_scan: as in `on_grid`.
    """
    shares = np.zeros((len(codes), *grid.shape), np.float32)
    count = 0
    for points in _sub_points(grid, to_scan):
        indices = _indices(scan.affine, points)
        # nearest neighbour: codes have no values between them
        here = ndimage.map_coordinates(scan.array, indices, order=0, mode="grid-constant", cval=0).reshape(grid.shape)
        for index, wanted in enumerate(codes):
            shares[index] += np.isin(here, wanted)
        count += 1
    return shares / count


def _sub_points(grid: Grid, to_scan: np.ndarray | None) -> Iterator[np.ndarray]:
    """Yield the places in mm of one point after another of each voxel, (3, voxels): together they fill it evenly."""
    per_axis = max(1, round(grid.spacing_mm / SAMPLE_MM))
    offsets = (np.arange(per_axis) + 0.5) / per_axis - 0.5
    voxels = np.indices(grid.shape, dtype=np.float64).reshape(3, -1)
    for shift in np.stack(np.meshgrid(offsets, offsets, offsets, indexing="ij"), -1).reshape(-1, 3):
        places = grid.spacing_mm * (voxels + shift[:, None]) + grid.affine[:3, 3:]
        if to_scan is not None:
            places = to_scan[:3, :3] @ places + to_scan[:3, 3:]
        yield places


def _indices(affine: np.ndarray, places_mm: np.ndarray) -> np.ndarray:
    inverse = np.linalg.inv(affine)
    return inverse[:3, :3] @ places_mm + inverse[:3, 3:]
