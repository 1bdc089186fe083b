"""What a T1 image in MNI space looks like on a grid: the template that a user's image is checked and registered against."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sciml.progression.cohorts.grids import Grid
from sciml.progression.simulation.anatomy import box_means, template_volume
from sciml.progression.simulation.scanner import normalise


@dataclass(frozen=True)
class Reference:
    """The MNI152 template on a grid.

    Attributes:
        t1: normalised as every image, (*grid).
        mask: where the brain is, bool.
        grey: share of grey matter in a voxel.
        white: share of white matter.
    """

    t1: np.ndarray
    mask: np.ndarray
    grey: np.ndarray
    white: np.ndarray


@lru_cache(maxsize=4)
def mni_reference(grid: Grid) -> Reference:
    """Return the template on a grid.

    Raises:
        DataError: the template is not fetched.
    """
    maps = []
    for name in ("mni2009a_t1", "mni2009a_gm", "mni2009a_wm"):
        field, affine = template_volume(name)
        # outside the template is no brain: its outermost voxels count for what lies beyond
        maps.append(box_means(np.pad(field, 1), _grown(affine), grid, grid.spacing_mm) / 255)
    t1, grey, white = maps
    mask = grey + white + (t1 > 0.1) > 0.5
    return Reference(normalise(t1, mask), mask, grey, white)


def _grown(affine: np.ndarray) -> np.ndarray:
    """Return the affine of a volume that got one voxel more on every side."""
    grown = affine.copy()
    grown[:3, 3] -= affine[:3, :3].sum(axis=1)
    return grown
