"""From anatomy to image: contrast, bias field, noise, and the scale of intensities."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from sciml.progression.cohorts.grids import GRIDS, Grid
from sciml.progression.config import ScannerConfig
from sciml.runtime.errors import DataError

# in a brain of any age and disease this share of the voxels is darker than the middle of the white matter
WHITE_PERCENTILE = 80.0
WHITE_LEVEL = 0.8
BIAS_GRID = GRIDS["4.5mm"]
# of the smoothing that makes the bias field
BIAS_WIDTH_MM = 40.0


def normalise(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return an image with white matter at 0.8, clipped to [0, 1.25], zero outside the brain.

    A percentile inside the brain, not the extremes of the whole volume: one bright voxel must not change the rest.

    Args:
        image: (..., D, H, W).
        mask: bool of the same shape.

    Raises:
        DataError: nothing bright lies in the mask.
    """
    return (image * (WHITE_LEVEL / white_level(image, mask))).clip(0, 1.25) * mask


def white_level(image: np.ndarray, mask: np.ndarray) -> float:
    """Return the intensity of white matter: the 80th percentile in the brain.

    Raises:
        DataError: nothing bright lies in the mask.
    """
    level = float(np.percentile(image[mask], WHITE_PERCENTILE)) if mask.any() else 0.0
    if not level > 0:
        raise DataError("the image is empty within the brain: expected a T1 image with bright white matter")
    return level


def scan(
    intensity: np.ndarray, mask: np.ndarray, grid: Grid, config: ScannerConfig, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return (image, clean): what the scanner sees of an anatomy, with and without bias and noise.

        image = | J exp(beta) + n_1 + i n_2 |,   clean = J

    Args:
        intensity: J, (D, H, W), white matter at 0.8.
        mask: bool (D, H, W), the brain; both results are 0 outside.
        grid: of the arrays.
        config: of the scanner.
        random: the visit's generator.
    """
    width = BIAS_WIDTH_MM / BIAS_GRID.spacing_mm
    field = ndimage.gaussian_filter(random.normal(size=BIAS_GRID.shape), width, mode="reflect")
    field = config.bias * field / max(float(field.std()), 1e-12)
    places = np.indices(grid.shape, dtype=np.float64)
    places = (places + 0.5) * (grid.spacing_mm / BIAS_GRID.spacing_mm) - 0.5
    bias = np.exp(ndimage.map_coordinates(field, places, order=1, mode="nearest"))
    real, imaginary = config.noise * random.normal(size=(2, *grid.shape))
    image = np.hypot(intensity * bias + real, imaginary)
    return image * mask, intensity * mask
