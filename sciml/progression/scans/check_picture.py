"""A picture of an image beside the template, with the outline of the template's brain over both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import ndimage

from sciml.progression.cohorts.grids import Grid
from sciml.progression.cohorts.planes import upright
from sciml.progression.scans.examination import Placed
from sciml.progression.scans.reference import Reference, mni_reference

OUTLINE = (1.0, 0.55, 0.0)


def check_picture(placed: Placed, reference: Reference) -> np.ndarray:
    """Return the image above and the template below in three planes, RGB in [0, 1].

    Args:
        placed: the image on the grid.
        reference: the template on the same grid.
    """
    return np.concatenate([_planes(image, reference.mask) for image in (placed.image, reference.t1)])


def write_check_picture(path: Path, placed: Placed, grid: Grid) -> None:
    """Write `check_picture` as a PNG.

    Args:
        path: of the picture.
        placed: the image on the grid.
        grid: of the image.
    """
    import PIL.Image

    from sciml.report.pictures import to_display
    from sciml.runtime.files import atomic_path

    with atomic_path(path) as temporary:
        PIL.Image.fromarray(to_display(check_picture(placed, mni_reference(grid)))).save(temporary, "PNG")


def _planes(volume: np.ndarray, mask: np.ndarray) -> np.ndarray:
    middle = [size // 2 for size in volume.shape]
    shown = []
    for axis in (1, 2, 0):
        plane, inside = np.take(volume, middle[axis], axis), np.take(mask, middle[axis], axis)
        rgb = np.repeat(plane[..., None], 3, -1).clip(0, 1)
        rgb[inside & ~np.asarray(ndimage.binary_erosion(inside), bool)] = OUTLINE
        shown.append(upright(rgb))
    height = max(picture.shape[0] for picture in shown)
    return np.concatenate([np.pad(one, ((0, height - one.shape[0]), (0, 0), (0, 0))) for one in shown], axis=1)
