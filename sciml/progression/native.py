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

from sciml.progression.grids import Grid
from sciml.runtime.errors import ShapeError

if TYPE_CHECKING:
    from sciml.progression.forecast import Forecast


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


def trajectory(forecast: Forecast, scan: Any, gain: float) -> Any:
    """Return the forecast as a 4-D NIfTI image in the space of the scan: the scan first, then the asked ages.

    Args:
        forecast: of one person.
        scan: nibabel image of the last visit, three axes.
        gain: intensity of the scan for 1 in the normalised image.

    Raises:
        ShapeError: the scan has not three axes.
    """
    import nibabel

    given = np.asarray(scan.dataobj, dtype=np.float32)
    if given.ndim != 3:
        raise ShapeError(f"the scan has {given.ndim} axes, expected 3; choose one volume")
    change = at_voxels_of(forecast.images - forecast.start, forecast.grid, scan.affine, given.shape)
    image = nibabel.Nifti1Image(np.stack([given, *(given + gain * part for part in change)], axis=-1), scan.affine)
    image.header["descrip"] = b"ages in the table beside; not for clinical use"
    image.header.set_xyzt_units("mm")
    return image
