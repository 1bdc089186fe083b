"""The structural similarity of two images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sciml.runtime.errors import ShapeError


def ssim(estimate: NDArray[np.floating], truth: NDArray[np.floating], data_range: float = 1.0) -> float:
    """Return the structural similarity (Wang et al. 2004): Gaussian window of 1.5 pixels, population covariance.

    Args:
        estimate: an image (height, width).
        truth: of the same shape.
        data_range: distance between the least and the largest value that could be.

    Raises:
        ShapeError: the shapes differ, or are not those of images.
    """
    if estimate.shape != truth.shape or estimate.ndim != 2:
        raise ShapeError(f"metrics compare two (height, width) images of one shape, got {estimate.shape} and {truth.shape}")
    from skimage.metrics import structural_similarity  # takes longer to import than all that needs PSNR alone

    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    value = structural_similarity(truth, estimate, data_range=data_range, **window)
    return float(value)  # pyright: ignore[reportArgumentType] (a tuple only when the full map is asked for)
