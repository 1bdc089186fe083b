"""Forecasts in the space of the input: a 4-D NIfTI with its voxels, orientation and intensities.

The model's grid is coarser than a scan. What is brought back is therefore the change alone,

    y(t) = y_A + gain * change(t)                                                                          (1)

with the scan y_A as it was given and the change linearly interpolated at its voxels: no detail is lost, and no change gives the
scan itself back, bit for bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from scipy import ndimage

from sciml.formats.nifti import Scan
from sciml.progression.cohorts.grids import Grid
from sciml.progression.scans.examination import Placed, background
from sciml.progression.scans.resampling import on_grid
from sciml.progression.simulation.scanner import WHITE_LEVEL, white_level

if TYPE_CHECKING:
    from sciml.progression.forecasting.forecast import Forecast


def at_voxels_of(volumes: np.ndarray, grid: Grid, affine: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return volumes of the model's grid at the voxels of another image, 0 outside the grid.

    Args:
        volumes: shape (count, *grid).
        grid: of the volumes.
        affine: (4, 4) of the other image, voxel indices to mm in the same space; any orientation and rotation.
        shape: of the other image.

    Returns:
        Shape (count, *shape), float32.
    """
    # index on the grid = grid^-1 affine index
    mapping = np.linalg.inv(grid.affine) @ affine
    return np.stack(
        [
            ndimage.affine_transform(
                np.asarray(volume, dtype=np.float32),
                mapping[:3, :3],
                cast(Any, mapping[:3, 3]),
                output_shape=shape,
                order=1,
                mode="constant",
            )
            for volume in volumes
        ]
    )


def trajectory(forecast: Forecast, scan: Scan, placed: Placed) -> Any:
    """Return the forecast as a 4-D NIfTI image in the space of the scan: the scan first, then the asked ages.

    Args:
        forecast: of one subject.
        scan: of the last visit, as it was given.
        placed: the same on the grid of the forecast.
    """
    import nibabel

    # from places of the scan to those of the template, and on to the grid
    affine = np.linalg.inv(placed.to_scan) @ scan.affine
    change = at_voxels_of(forecast.images - forecast.start, forecast.grid, affine, scan.array.shape)
    given = np.asarray(scan.array, dtype=np.float32)
    gain = gain_of(scan, placed, forecast.grid)
    image = nibabel.Nifti1Image(np.stack([given, *(given + gain * part for part in change)], axis=-1), scan.affine)
    image.header["descrip"] = b"ages in the table beside; not for clinical use"
    image.header.set_xyzt_units("mm")
    return image


def gain_of(scan: Scan, placed: Placed, grid: Grid) -> float:
    """Return the intensity of the scan, above its background, that stands for 1 on the grid."""
    above = np.clip(scan.array - background(scan.array), 0, None)
    return white_level(on_grid(Scan(above, scan.affine, scan.path), grid, placed.to_scan), placed.mask) / WHITE_LEVEL
