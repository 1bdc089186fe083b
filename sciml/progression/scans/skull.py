"""The brain of a head: the template's brain laid over it, its border moved to the dark line between brain and skull.

In a T1 image fluid and skull are dark and what lies on both sides is bright. From markers that are brain and no brain for sure,
both from the registered template, the image is flooded from its bright sides (watershed of -x), which meet in the dark line
[Hahn 2000]. Within that line only what is as bright as brain stays, without what hangs on by a thin bridge (opening), and with
the fluid between the folds (closing).

It is a classical method for a whole, upright T1 head. Where its result does not look like a brain it is refused: SynthStrip or
HD-BET are better at the unusual.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_multiotsu
from skimage.segmentation import watershed

from sciml.formats.nifti import Scan
from sciml.progression.cohorts.grids import GRIDS
from sciml.progression.scans.examination import Finding, background, foreground
from sciml.progression.scans.native import at_voxels_of
from sciml.progression.scans.reference import mni_reference
from sciml.progression.scans.resampling import on_grid
from sciml.progression.simulation.anatomy import connected_parts

GRID = GRIDS["1.5mm"]
# of the template's brain: brain for sure within, no brain for sure beyond
CORE_MM, BEYOND_MM = 12.0, 9.0
# its white matter stands for the levels
LEVELS_MM = 6.0
OPENING_MM, CLOSING_MM = 3.0, 6.0
# of the border of fluid to grey matter, and of white matter's level
LEAST_LEVEL, MOST_LEVEL = 0.75, 1.4
# a shell outside the template's brain, and how much of it a head fills
SHELL_MM, SHELL_SHARE = (9.0, 21.0), 0.15
# what a brain that was found must be, in the space of the template
BRAIN_ML, LEAST_OVERLAP, MOST_ASYMMETRY = (1450.0, 2350.0), 0.88, 0.05
REMEDY = "give the mask of the brain with --brain-mask, or remove the skull first with SynthStrip or HD-BET"


def has_skull(scan: Scan, to_scan: np.ndarray) -> bool:
    """Say whether an image has a skull: whether something lies around the template's brain.

    Args:
        scan: a head or a brain.
        to_scan: (4, 4), places of the template to places of the scan, in mm, of a registration.
    """
    grid = GRIDS["4.5mm"]
    inside = Scan(foreground(scan)[1].astype(np.float32), scan.affine, scan.path)
    outside = np.asarray(ndimage.distance_transform_edt(~mni_reference(grid).mask)) * grid.spacing_mm
    shell = (outside > SHELL_MM[0]) & (outside < SHELL_MM[1])
    return float(on_grid(inside, grid, to_scan)[shell].mean()) > SHELL_SHARE


def find_brain(scan: Scan, to_scan: np.ndarray) -> np.ndarray:
    """Return where the brain of a head is, bool on the voxels of the scan.

    Args:
        scan: T1 of a whole head.
        to_scan: (4, 4), places of the template to places of the scan, in mm, of a registration.
    """
    image, depth = on_grid(scan, GRID, to_scan), _template_depth()
    dark, _ = threshold_multiotsu(image[depth < -LEVELS_MM])
    white = float(np.percentile(image[depth < -LEVELS_MM], 80))
    markers = np.where(depth < -CORE_MM, 1, np.where(depth > BEYOND_MM, 2, 0))
    # fat and marrow are brighter than white matter: no basins of their own
    line = watershed(-np.minimum(ndimage.gaussian_filter(image, 0.7), white), markers) == 1
    smooth = ndimage.gaussian_filter(image, 0.5)
    tissue = line & (smooth > LEAST_LEVEL * dark) & (smooth < MOST_LEVEL * white)
    kept = _largest((_distance(~tissue) > OPENING_MM) | (line & (depth < -CORE_MM)))
    brain = _largest((_distance(kept) <= OPENING_MM + GRID.spacing_mm) & tissue)
    closed = _distance(~(_distance(brain) <= CLOSING_MM)) > CLOSING_MM
    found = np.asarray(ndimage.binary_fill_holes(closed | brain)) & line
    return on_scan(found, scan, to_scan)


def on_scan(mask: np.ndarray, scan: Scan, to_scan: np.ndarray) -> np.ndarray:
    """Return a mask of the 1.5 mm grid on the voxels of a scan, bool."""
    affine = np.linalg.inv(to_scan) @ scan.affine
    return at_voxels_of(mask[None].astype(np.float32), GRID, affine, scan.array.shape)[0] > 0.5


def only_brain(scan: Scan, mask: np.ndarray) -> Scan:
    """Return a scan whose voxels outside the mask have the value of its background."""
    return Scan(np.where(mask, scan.array, background(scan.array)).astype(np.float32), scan.affine, scan.path)


def doubts(brain: Scan, to_scan: np.ndarray) -> list[Finding]:
    """Return why what was found cannot be a whole brain; nothing where it can.

    Args:
        brain: what `only_brain` returned.
        to_scan: (4, 4), places of the template to places of the scan, in mm.
    """
    inside = Scan(foreground(brain)[1].astype(np.float32), brain.affine, brain.path)
    mask, own = on_grid(inside, GRID, to_scan) > 0.5, mni_reference(GRID).mask
    volume = float(mask.sum()) * GRID.voxel_ml
    overlap = 2 * float((mask & own).sum()) / max(float(mask.sum() + own.sum()), 1.0)
    half = mask.shape[0] // 2
    left, right = float(mask[:half].sum()), float(mask[-half:].sum())
    asymmetry = abs(left - right) / max(left + right, 1.0)
    found = []
    if not BRAIN_ML[0] <= volume <= BRAIN_ML[1]:
        found.append(f"{volume:.0f} ml in the space of the template, expected {BRAIN_ML[0]:.0f} to {BRAIN_ML[1]:.0f}")
    if overlap < LEAST_OVERLAP:
        found.append(f"an overlap (Dice) of {overlap:.2f} with the template's brain, at least {LEAST_OVERLAP:g}")
    if asymmetry > MOST_ASYMMETRY:
        found.append(f"halves that differ by {200 * asymmetry:.0f} %, at most {200 * MOST_ASYMMETRY:.0f}")
    return [Finding("error", "skull", f"what was found in the head has {text}: {REMEDY}") for text in found]


@cache
def _template_depth() -> np.ndarray:
    """Return the distance to the border of the template's brain in mm, below 0 inside."""
    own = mni_reference(GRID).mask
    return _distance(own) - _distance(~own)


def _distance(mask: np.ndarray) -> np.ndarray:
    """Return the distance of every voxel outside a mask to it, in mm, 0 inside."""
    return np.asarray(ndimage.distance_transform_edt(~mask), np.float32) * GRID.spacing_mm


def _largest(mask: np.ndarray) -> np.ndarray:
    parts = connected_parts(mask)
    return parts == np.bincount(parts[mask], minlength=1).argmax() if mask.any() else mask
