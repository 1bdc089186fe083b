"""Displacements on a grid: composed, inverted, and the exponential of a stationary velocity.

A displacement d stands for the map x -> x + d(x); lengths are voxels, arrays (3, D, H, W). Between voxels it is linear, beyond
the grid as at its edge.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

SQUARINGS, INVERSIONS = 5, 12


def compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Return the displacement of x -> x + inner(x), then outer: inner + outer(id + inner)."""
    places = np.indices(inner.shape[1:]) + inner
    return inner + np.stack([ndimage.map_coordinates(axis, places, order=1, mode="nearest") for axis in outer])


def exponential(velocity: np.ndarray, squarings: int = SQUARINGS) -> np.ndarray:
    """Return the displacement of the flow of a stationary velocity for unit time, by scaling and squaring (Arsigny 2006).

    (1)  exp(v) = exp(v / 2^n) o ... o exp(v / 2^n),   exp(v / 2^n) ~ id + v / 2^n,

    n times composed with itself; the error falls as 2^-n. exp(-v) is its inverse.

    Args:
        velocity: v, (3, D, H, W), in voxels.
        squarings: n.
    """
    shift = velocity / 2**squarings
    for _ in range(squarings):
        shift = compose(shift, shift)
    return shift


def inverse(shift: np.ndarray, rounds: int = INVERSIONS) -> np.ndarray:
    """Return the displacement e with e = -d(id + e), by repeating that; it converges where d contracts.

    Args:
        shift: d, (3, D, H, W), in voxels.
        rounds: repetitions.
    """
    return between(shift, np.zeros_like(shift), rounds)


def between(first: np.ndarray, later: np.ndarray, rounds: int = INVERSIONS) -> np.ndarray:
    """Return the displacement from a later visit back to a first one, of two that lead to a common past.

    (2)  x + u + d_A(x + u) = x + d_B(x),   u <- d_B - d_A(id + u)

    Args:
        first: d_A, (3, D, H, W), in voxels.
        later: d_B, (3, D, H, W).
        rounds: repetitions.
    """
    found = later - first
    grid = np.indices(first.shape[1:])
    for _ in range(rounds):
        found = later - np.stack([ndimage.map_coordinates(axis, grid + found, order=1, mode="nearest") for axis in first])
    return found
