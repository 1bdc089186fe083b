"""Maps against what is known of them: a rotation, an inverse, orders of convergence."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from sciml.progression.flow.maps import between, compose, exponential, inverse

SIDE = 21
GRID = np.indices((SIDE,) * 3) - (SIDE - 1) / 2
INSIDE = np.sqrt((GRID**2).sum(axis=0)) < 6
ANGLE = 0.3


def turned(angle: float) -> np.ndarray:
    """Return the displacement of a rotation about the third axis."""
    x, y, _ = GRID
    return np.stack([np.cos(angle) * x - np.sin(angle) * y - x, np.sin(angle) * x + np.cos(angle) * y - y, 0 * x])


def test_the_exponential_of_a_rotation_is_the_rotation_at_first_order():
    velocity = np.stack([-ANGLE * GRID[1], ANGLE * GRID[0], 0 * GRID[0]])
    errors = [np.abs(exponential(velocity, n) - turned(ANGLE))[:, INSIDE].max() for n in (3, 4, 5, 6)]
    ratios = np.array(errors[:-1]) / errors[1:]
    np.testing.assert_allclose(ratios, 2, atol=0.1)
    assert errors[-1] < 0.005


def bump(seed: int = 0, size: float = 0.8) -> np.ndarray:
    field = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=GRID.shape), (0, 3, 3, 3))
    return size * field / np.abs(field).max()


def test_there_and_back_is_nowhere_and_ever_nearer():
    velocity = np.stack([-ANGLE * GRID[1] + 0.1 * GRID[0], ANGLE * GRID[0], 0.05 * GRID[2]])
    left = [np.abs(compose(exponential(velocity, n), exponential(-velocity, n)))[:, INSIDE].max() for n in (2, 3, 4, 5)]
    np.testing.assert_allclose(np.array(left[:-1]) / left[1:], 2, atol=0.25)
    smooth = bump()
    assert np.abs(compose(exponential(smooth), exponential(-smooth)))[:, INSIDE].max() < 0.02


def test_an_inverse_undoes_a_displacement():
    shift = bump(1)
    assert np.abs(compose(shift, inverse(shift)))[:, INSIDE].max() < 1e-3
    np.testing.assert_allclose(inverse(turned(ANGLE))[:, INSIDE], turned(-ANGLE)[:, INSIDE], atol=1e-4)


def test_two_ways_to_one_past_give_the_way_between_them():
    first, step = bump(2), bump(3, 0.4)
    # from the later visit to the first, then on to the past
    later = compose(first, step)
    np.testing.assert_allclose(between(first, later)[:, INSIDE], step[:, INSIDE], atol=1e-3)
    assert not between(first, first).any()
