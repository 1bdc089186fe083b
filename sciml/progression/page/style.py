"""Colours of the page: diagnoses and labels in one look, and regions outlined on slices."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from sciml.progression.cohorts.planes import turned_plane, upright
from sciml.progression.cohorts.regions import REGIONS
from sciml.report.graphics.palette import COLOURS

DIAGNOSIS_COLOURS = {"CN": COLOURS[0], "MCI": COLOURS[5], "AD": COLOURS[1]}
DIAGNOSIS_TITLES = {"CN": "cognitively normal", "MCI": "mild cognitive impairment", "AD": "Alzheimer's disease"}
LABEL_COLOURS: dict[str, tuple[int, int, int]] = dict(
    zip(
        REGIONS,
        ((86, 180, 233), (213, 94, 0), (204, 121, 167), (0, 158, 115), (120, 120, 120), (225, 225, 225), (0, 70, 130)),
        strict=True,
    )
)
LINE = 2


def outlined(plane: np.ndarray, outlines: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return a plane as `upright` does, in grey, with the outlines of regions in their colours, uint8.

    Args:
        plane: intensities in [0, 1], (right, up).
        outlines: fractions of regions on the same plane; a line runs where they are one half between voxels.
    """
    picture = (255 * upright(plane).clip(0, 1)).round().astype(np.uint8)[..., None].repeat(3, -1)
    for region, fractions in outlines.items():
        turned, factor = turned_plane(fractions)
        inside = ndimage.zoom(turned, factor, order=1, mode="nearest", grid_mode=True) > 0.5
        picture[inside & ~np.asarray(ndimage.binary_erosion(inside, iterations=LINE), bool)] = LABEL_COLOURS[region]
    return picture


def label_picture(labels: np.ndarray) -> np.ndarray:
    """Return the mixture of the labels' colours, uint8 (D, H, W, 3), of fractions (regions, D, H, W)."""
    colours = np.array([LABEL_COLOURS[region] for region in REGIONS], float)
    return np.tensordot(labels, colours, axes=(0, 0)).round().clip(0, 255).astype(np.uint8)
