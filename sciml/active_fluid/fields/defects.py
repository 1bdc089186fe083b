"""Topological defects of the director: cells around which the rods' direction turns by half a circle, NumPy only.

The director n and -n are the same, so that its angle is half the phase of m1. Around a cell of four neighbours the steps of that
phase, each brought to (-pi, pi], add up to 2 pi times -1, 0 or 1 (-2 and 2 can only come from noise between neighbours), and the
charge of the cell is half of that number. On a periodic square all charges add up to zero.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Complex, Float, Int


class Defects(NamedTuple):
    """Defects of one field.

    Attributes:
        x, y: centres of their cells, in units of length.
        charge: 1/2 or -1/2.
    """

    x: Float[np.ndarray, " defects"]
    y: Float[np.ndarray, " defects"]
    charge: Float[np.ndarray, " defects"]


def windings(m1: Complex[np.ndarray, "... points points"]) -> Int[np.ndarray, "... points points"]:
    """Return turns of the phase of m1 counter-clockwise around the cell from (i, j) to (i + 1, j + 1): twice the charge."""
    # each step is taken once, from a point to its right or upper neighbour, so that two cells share it with opposite sign
    along_x = np.angle(np.roll(m1, -1, -2) * np.conj(m1))
    along_y = np.angle(np.roll(m1, -1, -1) * np.conj(m1))
    around = along_x + np.roll(along_y, -1, -2) - np.roll(along_x, -1, -1) - along_y
    return np.rint(around / (2 * np.pi)).astype(np.int64)


def counts(m1: Complex[np.ndarray, "... points points"]) -> tuple[Int[np.ndarray, "*stack"], Int[np.ndarray, "*stack"]]:
    """Return the numbers of +1/2 and of -1/2 defects, for each time."""
    found = windings(m1)
    return np.sum(np.maximum(found, 0), axis=(-2, -1)), np.sum(np.maximum(-found, 0), axis=(-2, -1))


def defects(m1: Complex[np.ndarray, "points points"], length: float) -> Defects:
    """Return the defects of one field.

    Args:
        m1: <exp(2 i theta)>.
        length: side of the square.
    """
    found = windings(m1)
    i, j = np.nonzero(found)
    spacing = length / m1.shape[-1]
    return Defects((i + 0.5) * spacing, (j + 0.5) * spacing, found[i, j] / 2)
