"""Texture along the directors: line integral convolution of seeded noise that the flow carries along.

Of noise n and the line x(s) through a point along the director, T = int n(x(s)) ds over 2 L + 1 pixels, less its mean and over
its standard deviation (Cabral and Leedom, SIGGRAPH 1993). The director has no head: a step goes on to the side that it came
from. Between frames the noise moves with the liquid: n(x, t) = n(X(x, t), 0), X being where the liquid at x came from,
dX/ds = -u backwards in time.

Fields lie on the periodic square as (x, y).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from jaxtyping import Complex, Float
from scipy.ndimage import map_coordinates
from scipy.signal import resample

HALF_LENGTH = 6
"""L, pixels along the director on either side."""


def finer(field: Complex[np.ndarray, "*stack n n"] | Float[np.ndarray, "*stack n n"], points: int) -> np.ndarray:
    """Return periodic fields on another grid of the same square, by their Fourier coefficients."""
    return np.asarray(resample(resample(field, points, axis=-2), points, axis=-1))


def line_integral(
    noise: Float[np.ndarray, "n n"], angle: Float[np.ndarray, "n n"], half_length: int = HALF_LENGTH
) -> Float[np.ndarray, "n n"]:
    """Return the line integral convolution of noise along directors, of mean 0 and standard deviation 1.

    Args:
        noise: white noise on the pixels.
        angle: of the director from the x axis, in radians.
        half_length: pixels of the line on either side.
    """
    n = len(noise)
    c, s = np.cos(angle), np.sin(angle)
    total = noise.copy()
    for side in (1.0, -1.0):
        x, y = np.meshgrid(np.arange(n, dtype=float), np.arange(n, dtype=float), indexing="ij")
        dx, dy = side * c, side * s
        for _ in range(half_length):
            x, y = x + dx, y + dy
            total += map_coordinates(noise, [x, y], order=1, mode="grid-wrap")
            here = np.rint(x).astype(int) % n, np.rint(y).astype(int) % n
            # no head: the sense that goes on as it came
            sense = np.where(c[here] * dx + s[here] * dy < 0, -1.0, 1.0)
            dx, dy = sense * c[here], sense * s[here]
    return (total - total.mean()) / total.std()


def advected(
    noise: Float[np.ndarray, "n n"], velocity: Float[np.ndarray, "times 2 m m"], step: float, length: float
) -> Float[np.ndarray, "times n n"]:
    """Return noise carried along by a flow, at each time of the velocity.

    Args:
        noise: at the first time.
        velocity: of the liquid at equally spaced times, length over time.
        step: between two times.
        length: side of the square.
    """
    n = len(noise)
    grid = np.stack(np.meshgrid(np.arange(n, dtype=float), np.arange(n, dtype=float), indexing="ij"))
    speed = finer(velocity, n) * n / length
    origin, found = grid.copy(), [noise]
    for before, after in pairwise(speed):
        # the midpoint of the way back, then X(x, t + dt) = X(x - u dt, t)
        middle = (before + after) / 2
        half = grid - step / 2 * middle
        back = grid - step * np.stack([map_coordinates(one, half, order=1, mode="grid-wrap") for one in middle])
        # displacements are periodic, places are not
        moved = [map_coordinates(one, back, order=1, mode="grid-wrap") for one in origin - grid]
        origin = back + np.stack(moved)
        where = np.rint(origin).astype(int) % n
        found.append(noise[where[0], where[1]])
    return np.stack(found)
