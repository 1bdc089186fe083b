"""An affine map between an image and the template: twelve numbers that make their mutual information largest.

    (1)  I(A, B) = H(A) + H(B) - H(A, B),  normalised (H(A) + H(B)) / H(A, B),

from the joint histogram of the template's voxels and the image at the places that the map leads to. Contrasts may differ.
Powell's method from the best of many starts, first on every third voxel of the 4.5 mm grid, then on all of them. Only the
template's brain and a dark rim around it are looked at, so that a skull in the image does no harm.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
from scipy import ndimage, optimize
from skimage.filters import threshold_otsu

from sciml.formats.nifti import Scan
from sciml.progression.cohorts.grids import GRIDS
from sciml.progression.scans.reference import Reference
from sciml.progression.simulation.subjects import MIDDLE_MM
from sciml.runtime.errors import NumericalError

GRID = GRIDS["4.5mm"]
BINS = 32
# one unit of each number: mm, radians, ln(size), shear
UNITS = np.array([10.0] * 3 + [0.15] * 3 + [0.1] * 3 + [0.05] * 3)
LEAST_GAIN = 1.04
MOST_STRETCH = 1.5
# two voxels of the grid: fluid and skull, dark in a T1, and nothing where there is no skull
RIM_VOXELS = 2
# intensities of the template, of which white matter has 0.8
TOP = 1.25
# of a head, the part that holds the brain, and the nods in degrees that a start may have
TOP_PERCENTILE, HEAD_MM = 99.8, 150.0
BEST_STARTS = 4
SIZES = (0.87, 1.0, 1.13)
NODS = (-30, -20, -10, 0, 10, 20, 30)


def affine_of(numbers: np.ndarray) -> np.ndarray:
    """Return the (4, 4) map x -> c + R S (x - c) + t of twelve numbers: shift, rotation, ln(size), shear."""
    shift, turn, size, shear = (numbers * UNITS).reshape(4, 3)
    cosine, sine = np.cos(turn), np.sin(turn)
    about_x = np.array([[1, 0, 0], [0, cosine[0], -sine[0]], [0, sine[0], cosine[0]]])
    about_y = np.array([[cosine[1], 0, sine[1]], [0, 1, 0], [-sine[1], 0, cosine[1]]])
    about_z = np.array([[cosine[2], -sine[2], 0], [sine[2], cosine[2], 0], [0, 0, 1]])
    upper = np.array([[1, shear[0], shear[1]], [0, 1, shear[2]], [0, 0, 1]])
    linear = about_z @ about_y @ about_x @ upper @ np.diag(np.exp(size))
    affine = np.eye(4)
    affine[:3, :3] = linear
    affine[:3, 3] = MIDDLE_MM + shift - linear @ MIDDLE_MM
    return affine


def register_affine(scan: Scan, reference: Reference) -> np.ndarray:
    """Return the (4, 4) map from places of the template to places of the scan, in mm.

    Args:
        scan: a brain, or a head with its skull; its affine says roughly where up and front are.
        reference: the template on the 4.5 mm grid.

    Raises:
        NumericalError: no map makes the two alike.
    """
    smooth = Scan(ndimage.gaussian_filter(scan.array, [2.0 / size for size in scan.spacing_mm]), scan.affine, scan.path)
    # of a head the brain and the dark rim around it count: what lies beyond is in no template
    where = np.asarray(ndimage.binary_dilation(reference.mask, iterations=RIM_VOXELS))
    coarse, fine = Likeness(smooth, reference, where, 3), Likeness(smooth, reference, where, 1)
    starts = [_best(coarse, one, 6, rounds=2) for one in _starts(smooth, reference, coarse)]
    starts.sort(key=lambda numbers: coarse(affine_of(numbers)))
    starts = [_best(coarse, one, 12) for one in starts[-BEST_STARTS:]]
    start = _best(fine, max(starts, key=lambda numbers: fine(affine_of(numbers))), 12)
    affine = affine_of(start)
    stretch = np.linalg.svd(affine[:3, :3], compute_uv=False)
    if fine(affine) < LEAST_GAIN or stretch.max() > MOST_STRETCH or stretch.min() < 1 / MOST_STRETCH:
        raise NumericalError(
            f"{scan.path} could not be registered: no affine map makes it look like the template; is it a T1 brain, and does its "
            "affine say which way is up?"
        )
    return affine


def _best(likeness: Likeness, start: np.ndarray, free: int, rounds: int = 6) -> np.ndarray:
    """Return the numbers of the largest likeness near a start, only the first so many of them changed."""

    def cost(numbers: np.ndarray) -> float:
        return -likeness(affine_of(np.concatenate([numbers, start[free:]])))

    found = optimize.minimize(cost, start[:free], method="Powell", options={"xtol": 1e-2, "ftol": 1e-4, "maxiter": rounds})
    return np.concatenate([found.x, start[free:]])


class Likeness:
    """The normalised mutual information (1) of a scan and the template, as a function of the map between them.

    Args:
        scan: the image.
        reference: the template on the 4.5 mm grid.
        where: the voxels of the grid that are looked at, bool.
        stride: of the voxels that are looked at.
    """

    def __init__(self, scan: Scan, reference: Reference, where: np.ndarray, stride: int) -> None:
        voxels = np.argwhere(where)
        voxels = voxels[(voxels % stride == 0).all(axis=1)]
        self.places_mm = GRID.affine[:3, :3] @ voxels.T + GRID.affine[:3, 3:]
        self.template = np.clip(reference.t1[tuple(voxels.T)] * (BINS / TOP), 0, BINS - 1).astype(int)
        self.array, self.to_index = scan.array, np.linalg.inv(scan.affine)
        present = scan.array[scan.array > 0]
        self.top = float(np.percentile(present, 99)) if present.size else 1.0

    def __call__(self, to_scan: np.ndarray) -> float:
        """Return 1 for independent images, more for alike ones.

        Args:
            to_scan: (4, 4), places of the template to places of the scan.
        """
        both = self.to_index @ to_scan
        indices = both[:3, :3] @ self.places_mm + both[:3, 3:]
        values = ndimage.map_coordinates(self.array, indices, order=1, mode="grid-constant", cval=0.0)
        bins = np.clip(values * (BINS / self.top), 0, BINS - 1).astype(int)
        shares = np.bincount(self.template * BINS + bins, minlength=BINS**2).reshape(BINS, BINS) / len(bins)
        return (_entropy(shares.sum(0)) + _entropy(shares.sum(1))) / max(_entropy(shares.ravel()), 1e-12)


def _starts(scan: Scan, reference: Reference, likeness: Likeness) -> Iterator[np.ndarray]:
    """Yield numbers to begin with, for each nod and size of the head the best of several shifts.

    The middle of what lies below the top of the head is near that of the brain.
    """
    stride = [max(1, round(GRID.spacing_mm / size)) for size in scan.spacing_mm]
    small = scan.array[tuple(slice(None, None, step) for step in stride)]
    voxels = np.argwhere(small > 0.5 * threshold_otsu(small)) * stride
    places = scan.affine[:3, :3] @ voxels.T + scan.affine[:3, 3:]
    head = places[:, places[2] > np.percentile(places[2], TOP_PERCENTILE) - HEAD_MM]
    shift = head.mean(axis=1) - _centre_of(reference)
    for nod, size in product(NODS, SIZES):
        tried = []
        for back, up in product((-20, 0, 20), (-30, -15, 0, 15)):
            numbers = np.zeros(12)
            numbers[:3] = (shift + np.array([0, back, up])) / UNITS[:3]
            numbers[3] = np.radians(nod) / UNITS[3]
            numbers[6:9] = np.log(size) / UNITS[6:9]
            tried.append(numbers)
        yield max(tried, key=lambda numbers: likeness(affine_of(numbers)))


def _entropy(shares: np.ndarray) -> float:
    present = shares[shares > 0]
    return float(-(present * np.log(present)).sum())


def _centre_of(reference: Reference) -> np.ndarray:
    indices = np.array(ndimage.center_of_mass(reference.t1))
    return GRID.affine[:3, :3] @ indices + GRID.affine[:3, 3]
