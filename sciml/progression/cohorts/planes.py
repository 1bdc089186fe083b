"""Planes of a brain as they are looked at: head up or front up, the subject's right on the left, pixels large enough to see."""

from __future__ import annotations

import numpy as np

SIDE = 320


def coronal(volume: np.ndarray, index: int) -> np.ndarray:
    """Return a coronal slice of (D, H, W[, 3]), seen from the front: head up, the subject's right on the left."""
    return upright(volume[:, index])


def axial(volume: np.ndarray, index: int) -> np.ndarray:
    """Return an axial slice of (D, H, W[, 3]), seen from below: the front up, the subject's right on the left."""
    return upright(volume[:, :, index])


def upright(plane: np.ndarray) -> np.ndarray:
    """Return a plane of (right, up) axes as a picture of about 320 pixels, right on the left; pixels are repeated."""
    picture, factor = turned_plane(plane)
    return picture.repeat(factor, 0).repeat(factor, 1)


def turned_plane(plane: np.ndarray) -> tuple[np.ndarray, int]:
    """Return a plane as it is looked at, and how often its pixels are repeated."""
    picture = np.swapaxes(plane, 0, 1)[::-1, ::-1]
    return picture, max(1, round(SIDE / max(picture.shape[:2])))
