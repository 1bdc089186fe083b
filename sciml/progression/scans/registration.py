"""An affine map between an image and the template: twelve numbers that make their mutual information largest.

    (1)  I(A, B) = H(A) + H(B) - H(A, B),  normalised (H(A) + H(B)) / H(A, B),

from the joint histogram of the template's voxels and the image at the places that the map leads to. Contrasts may differ.
Powell's method, first on every third voxel of the 4.5 mm grid, then on all of them.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage, optimize

from sciml.formats.nifti import Scan
from sciml.progression.cohorts.grids import GRIDS
from sciml.progression.scans.reference import Reference
from sciml.progression.simulation.subjects import MIDDLE_MM
from sciml.runtime.errors import NumericalError

GRID = GRIDS["4.5mm"]
BINS = 32
# one unit of each number: mm, radians, ln(size), shear
UNITS = np.array([10.0] * 3 + [0.15] * 3 + [0.1] * 3 + [0.05] * 3)
LEAST_GAIN = 1.02


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
        scan: brain only, roughly upright.
        reference: the template on the 4.5 mm grid.

    Raises:
        NumericalError: no map makes the two alike.
    """
    smooth = Scan(ndimage.gaussian_filter(scan.array, [2.0 / size for size in scan.spacing_mm]), scan.affine, scan.path)
    start = np.zeros(12)
    start[:3] = (_centre_mm(scan) - _centre_of(reference)) / UNITS[:3]
    unmoved = mutual_information(smooth, reference, affine_of(np.zeros(12)), 1)
    for stride, numbers in ((3, 6), (3, 12), (1, 12)):

        def cost(free: np.ndarray, stride: int = stride, numbers: int = numbers) -> float:
            every = start.copy()
            every[:numbers] = free
            return -mutual_information(smooth, reference, affine_of(every), stride)

        found = optimize.minimize(
            cost, start[:numbers], method="Powell", bounds=[(-8, 8)] * numbers,
            options={"xtol": 1e-2, "ftol": 1e-4, "maxiter": 6},
        )  # fmt: skip
        start[:numbers] = found.x
    affine = affine_of(start)
    reached = mutual_information(smooth, reference, affine, 1)
    if reached < LEAST_GAIN or reached < unmoved:
        raise NumericalError(
            f"{scan.path} could not be registered: no affine map makes it look like the template; is it a T1 brain?"
        )
    return affine


def mutual_information(scan: Scan, reference: Reference, to_scan: np.ndarray, stride: int) -> float:
    """Return (1), normalised: 1 for independent images, more for alike ones.

    Args:
        scan: the image.
        reference: the template on the 4.5 mm grid.
        to_scan: (4, 4), places of the template to places of the scan.
        stride: of the voxels that are looked at.
    """
    voxels = np.indices(GRID.shape, dtype=np.float64)[:, ::stride, ::stride, ::stride].reshape(3, -1)
    both = np.linalg.inv(scan.affine) @ to_scan @ GRID.affine
    values = ndimage.map_coordinates(scan.array, both[:3, :3] @ voxels + both[:3, 3:], order=1, mode="grid-constant", cval=0.0)
    template = reference.t1[::stride, ::stride, ::stride].ravel()
    top = float(np.percentile(scan.array[scan.array > 0], 99)) if (scan.array > 0).any() else 1.0
    joint, _, _ = np.histogram2d(template, np.clip(values, 0, top), BINS, ((0, 1.25), (0, top)))
    shares = joint / joint.sum()
    return (_entropy(shares.sum(0)) + _entropy(shares.sum(1))) / max(_entropy(shares.ravel()), 1e-12)


def _entropy(shares: np.ndarray) -> float:
    present = shares[shares > 0]
    return float(-(present * np.log(present)).sum())


def _centre_mm(scan: Scan) -> np.ndarray:
    indices = np.array(ndimage.center_of_mass(np.clip(scan.array, 0, None)))
    return scan.affine[:3, :3] @ indices + scan.affine[:3, 3]


def _centre_of(reference: Reference) -> np.ndarray:
    indices = np.array(ndimage.center_of_mass(reference.t1))
    return GRID.affine[:3, :3] @ indices + GRID.affine[:3, 3]
