"""Magnitudes as whole numbers of 16 bits: what a scanner stores, and what an archive without loss keeps."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt16

WINDOW = 1.25
"""Magnitude of the largest level: a reconstruction may be brighter than the scan, whose largest magnitude is 1."""
LEVELS = 2**16 - 1


def to_levels(volume: Float[np.ndarray, "slices rows columns"]) -> UInt16[np.ndarray, "slices rows columns"]:
    """Return the nearest levels; what is above `WINDOW` is cut."""
    return np.round(np.clip(np.asarray(volume, np.float64) / WINDOW, 0, 1) * LEVELS).astype(np.uint16)


def to_magnitudes(levels: UInt16[np.ndarray, "slices rows columns"]) -> Float[np.ndarray, "slices rows columns"]:
    """Return the magnitudes of levels, float32."""
    return (levels.astype(np.float64) * (WINDOW / LEVELS)).astype(np.float32)
