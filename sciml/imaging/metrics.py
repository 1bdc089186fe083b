"""Image quality against a known truth, per image; the data range is stated, never guessed."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sciml.runtime.errors import ShapeError


def psnr(estimate: NDArray[np.generic], truth: NDArray[np.generic], data_range: float) -> float:
    """Return the peak signal-to-noise ratio in dB over all values of an array; inf for equal ones.

    Differences are taken in the arrays' own precision, at least float32: give integers of 16 bits as float64.

    Args:
        estimate: an array of any shape, an image for instance.
        truth: of the same shape.
        data_range: distance between the least and the largest value that could be.

    Raises:
        ShapeError: the shapes differ.
    """
    if estimate.shape != truth.shape:
        raise ShapeError(f"a PSNR compares two arrays of one shape, got {estimate.shape} and {truth.shape}")
    kind = np.result_type(estimate, truth, np.float32)
    error = np.mean((truth.astype(kind) - estimate.astype(kind)) ** 2, dtype=np.float64)
    return float(10 * np.log10(float(data_range) ** 2 / error)) if error else math.inf


def decibels(mean_square: float, data_range: float) -> float:
    """Return 10 log10(range^2 / mean squared error), the PSNR in dB of an error that is known; inf where there is none.

    The logarithm is the C library's, NumPy's in `psnr`: they can differ in the last bit.
    """
    return 10 * math.log10(data_range**2 / mean_square) if mean_square else math.inf


def spread(values: list[float]) -> dict[str, float | int]:
    """Return mean, sample standard deviation and count."""
    with np.errstate(invalid="ignore"):  # exact reconstructions have an infinite PSNR and no spread
        std = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return {"mean": float(np.mean(values)), "std": std, "n": len(values)}
