"""Any image of a subject moved by a map that was found on a grid: in its own voxels, looked up once.

A map on a grid with affine G says where in the past, at g + s(g), that comes from what is at its index g. A voxel i of an image
with affine A lies at g = G^-1 T^-1 A i, with T from places of the template to places of the scan. Its content comes from

    (1)  i + L s(g),    L = linear part of A^-1 T G

so that no shift is the voxel itself, whatever the orientations.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import ndimage

from sciml.formats.nifti import Scan
from sciml.progression.cohorts.grids import Grid
from sciml.runtime.errors import ShapeError

# beyond the brain a shift fades out over this distance, for what an image shows of skull and skin
FADES_MM = 9.0
# planes of an image that are looked through at once
SLAB = 24
Order = Literal[0, 1, 3]


def fading(mask: np.ndarray, grid: Grid) -> np.ndarray:
    """Return the weight of a shift: 1 in the brain, falling to 0 beside it, float32 (*grid)."""
    distance = np.asarray(ndimage.distance_transform_edt(~mask)) * grid.spacing_mm
    return np.clip(1 - distance / FADES_MM, 0, 1).astype(np.float32)


def shift_of(back: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the shift of a map (3, *grid) in voxels, with a weight of `fading`, float32."""
    return ((back - np.indices(weight.shape)) * weight).astype(np.float32)


class Mover:
    """Looks an image up at the places of maps, by (1): what does not depend on the map is found once.

    Args:
        scan: the image, in any orientation.
        grid: on which maps are found.
        to_scan: (4, 4), places of the template to places of the scan, in mm; the identity by default.
        order: of the interpolation: 3 or 1 for intensities, 0 for labels, which have nothing between them.
        where: bool (*grid): nothing moves elsewhere.
    """

    def __init__(self, scan: Scan, grid: Grid, where: np.ndarray, to_scan: np.ndarray | None = None, order: Order = 3) -> None:
        self.scan, self.grid, self.order = scan, grid, order
        self.to_image = np.linalg.inv(scan.affine) @ (np.eye(4) if to_scan is None else to_scan) @ grid.affine
        array = np.ascontiguousarray(scan.array)
        self._source = (
            ndimage.spline_filter(array.astype(np.float64), 3, mode="nearest").astype(np.float32) if order == 3 else array
        )
        # a voxel beside one that moves has a share of it
        near = np.pad(np.asarray(ndimage.binary_dilation(where, np.ones((3, 3, 3)))), 1)
        to_grid, kept, places = np.linalg.inv(self.to_image), [], []
        for first in range(0, array.shape[0], SLAB):
            shape = (min(SLAB, array.shape[0] - first), *array.shape[1:])
            voxels = np.indices(shape, dtype=np.float32).reshape(3, -1)
            voxels[0] += first
            found = (to_grid[:3, :3] @ voxels + to_grid[:3, 3:]).astype(np.float32) + 1
            moves = np.asarray(ndimage.map_coordinates(near, found, order=0, mode="constant", cval=False), bool)
            kept.append(np.flatnonzero(moves) + first * shape[1] * shape[2])
            places.append(found[:, moves])
        self.voxels, self._places = np.concatenate(kept), np.concatenate(places, axis=1)

    def origins(self, shift: np.ndarray) -> np.ndarray:
        """Return where what is at `voxels` comes from, (3, n) in voxels of the image.

        Args:
            shift: (3, *grid), in voxels of the grid.

        Raises:
            ShapeError: the shift is not on the grid.
        """
        if shift.shape != (3, *self.grid.shape):
            raise ShapeError(f"the shift has shape {shift.shape}: expected {(3, *self.grid.shape)}, the grid {self.grid.name}")
        padded = np.pad(shift, [(0, 0), *[(1, 1)] * 3])
        found = np.stack([ndimage.map_coordinates(axis, self._places, order=1, mode="nearest") for axis in padded])
        voxels = np.stack(np.unravel_index(self.voxels, self.scan.array.shape)).astype(np.float32)
        return voxels + (self.to_image[:3, :3] @ found).astype(np.float32)

    def values(self, shift: np.ndarray) -> np.ndarray:
        """Return the values at `voxels`, flat indices of the image, after a shift."""
        origin = self.origins(shift)
        values = ndimage.map_coordinates(self._source, origin, order=self.order, mode="nearest", prefilter=False)
        if self.order != 3:
            return values
        # what stands still is not touched, and a spline overshoots: no value beyond those of the image
        flat = np.ascontiguousarray(self.scan.array).reshape(-1)
        still = (origin == np.stack(np.unravel_index(self.voxels, self.scan.array.shape))).all(axis=0)
        return np.where(still, flat[self.voxels], values.clip(flat.min(), flat.max()))

    def shares(self, shift: np.ndarray, count: int) -> np.ndarray:
        """Return how many of `voxels` each whole number of the image fills after a shift, (count,), in voxels.

        Numbers have nothing between them and would not move by less than half a voxel; their shares do:
        sum over voxels of the linear interpolation of the indicator of each number.

        Args:
            shift: (3, *grid), in voxels of the grid.
            count: of numbers, from 0.
        """
        codes, shape = np.ascontiguousarray(self.scan.array), np.array(self.scan.array.shape)[:, None]
        origin = self.origins(shift).clip(0, shape - 1)
        low = np.minimum(origin.astype(np.int64), shape - 2)
        part, total = origin - low, np.zeros(count)
        for corner in np.ndindex(2, 2, 2):
            side = np.array(corner)[:, None]
            weight = np.prod(np.where(side, part, 1 - part), axis=0)
            at = np.ravel_multi_index(tuple(low + side), codes.shape)
            total += np.bincount(codes.reshape(-1)[at], weight, count)
        return total

    def image(self, shift: np.ndarray) -> Scan:
        """Return the moved image, in its own voxels; where nothing moves its values are those of the scan, bit for bit."""
        moved = np.array(self.scan.array, order="C")
        moved.reshape(-1)[self.voxels] = self.values(shift)
        return Scan(moved, self.scan.affine, self.scan.path)
