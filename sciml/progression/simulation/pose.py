"""Where a head lies in a scanner, and the rigid registration that takes it back to the first visit.

    (1)  x -> c + R (x - c) + t,

R a rotation. Between images I_1 and I of one subject the six numbers are found by Gauss-Newton: with the residual
r = I_1 - k I(T x), k the gain that fits best, T is followed by the small motion of least sum_x w |r - J delta|^2, where
J = dI_1/dx times the generators of (1) is made once (inverse compositional, Baker 2004) and w are Tukey's weights, so that what
changes in the brain counts little (Reuter 2010). The head around the brain, a bright shell that the scanner sees and that does
not age, is registered with it.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from sciml.progression.cohorts.grids import Grid
from sciml.progression.simulation.subjects import MIDDLE_MM

ROUNDS, EQUAL_ROUNDS, TUKEY = 16, 3, 3.0
# the head around the brain: where it is brightest and how thick it is, mm
HEAD_LEVEL, HEAD_MM, HEAD_WIDTH_MM = 0.6, 7.0, 4.0
# so far from the brain an image is looked at
LOOKED_AT_MM = 16.0


def rigid(turn: np.ndarray, shift_mm: np.ndarray) -> np.ndarray:
    """Return the (4, 4) map (1) of places in mm.

    Args:
        turn: angles about the three axes, radians, (3,).
        shift_mm: t, (3,).
    """
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_rotvec(turn).as_matrix()
    affine[:3, 3] = MIDDLE_MM + shift_mm - affine[:3, :3] @ MIDDLE_MM
    return affine


def moved_voxels(affine: np.ndarray, voxels: np.ndarray, grid: Grid) -> np.ndarray:
    """Return a map of places in mm as one of voxels of a grid, at voxels (3, n)."""
    both = np.linalg.inv(grid.affine) @ affine @ grid.affine
    return both[:3, :3] @ voxels + both[:3, 3:]


def head_around(away_mm: np.ndarray) -> np.ndarray:
    """Return the intensity of the head outside the brain, by the distance from it."""
    return HEAD_LEVEL * np.exp(-np.square((away_mm - HEAD_MM) / HEAD_WIDTH_MM)) * (away_mm > 0)


def register_rigid(fixed: np.ndarray, moving: np.ndarray, mask: np.ndarray, grid: Grid) -> np.ndarray:
    """Return the (4, 4) map T from places of `fixed` to those of `moving`, in mm.

    Args:
        fixed: the first visit, (D, H, W).
        moving: another scan of the subject, a few degrees and millimetres away.
        mask: where `fixed` is looked at.
        grid: of both.
    """
    voxels = np.argwhere(mask).T.astype(np.float64)
    arms = (grid.affine[:3, :3] @ voxels + grid.affine[:3, 3:] - MIDDLE_MM[:, None]).T
    slopes = np.stack([axis[mask] for axis in np.gradient(fixed, grid.spacing_mm)], axis=1)
    # a turn w moves x by w x (x - c): slope . (w x arm) = w . (arm x slope)
    jacobian = np.concatenate([np.cross(arms, slopes), slopes], axis=1)
    target, weights, found = fixed[mask], np.ones(voxels.shape[1]), np.eye(4)
    for number in range(ROUNDS):
        seen = ndimage.map_coordinates(moving, moved_voxels(found, voxels, grid), order=1, mode="nearest")
        residual = target - seen * ((weights * target) @ seen) / ((weights * seen) @ seen)
        if number >= EQUAL_ROUNDS:
            # (1 - (r / 3 sigma)^2)^2, with sigma from the median of |r|
            sigma = 1.4826 * float(np.median(np.abs(residual))) + 1e-12
            weights = np.square(1 - np.square(np.clip(residual / (TUKEY * sigma), -1, 1)))
        weighted = jacobian * weights[:, None]
        step = np.linalg.solve(weighted.T @ jacobian, weighted.T @ residual)
        found = found @ rigid(step[:3], step[3:])
    return found


def resampled(image: np.ndarray, affine: np.ndarray, grid: Grid) -> np.ndarray:
    """Return an image looked up at the places that a map in mm leads to, cubic."""
    voxels = moved_voxels(affine, np.indices(grid.shape, dtype=np.float64).reshape(3, -1), grid)
    return ndimage.map_coordinates(image, voxels, order=3, mode="nearest").reshape(grid.shape)


def left_over_mm(affine: np.ndarray, mask: np.ndarray, grid: Grid) -> float:
    """Return how far a map moves the brain, root of the mean square over its voxels, mm."""
    places = grid.affine[:3, :3] @ np.argwhere(mask).T + grid.affine[:3, 3:]
    return float(np.sqrt(np.square(affine[:3, :3] @ places + affine[:3, 3:] - places).sum(axis=0).mean()))
