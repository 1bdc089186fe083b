"""Shakes of a camera that turns about its axis while it moves, and what they make of a sharp picture, exactly."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from sciml.deblurring.kernels.shake import Shake
from sciml.imaging.operators.kernels import camera_path

POSES = 160
# of the path without the turn, as for `camera_shake`
LEAST_SPREAD, MOST_SPREAD = 10, 45


def turning_shake(size: int, edge: float, radius: float, generator: np.random.Generator) -> Shake:
    """Return a random shake with a turn: three paths of a hand, along rows, along columns and of the angle.

    Args:
        size: odd support of the kernel that it would be without the turn, in pixels.
        edge: by how many pixels the turn moves a point at that radius at most, either way.
        radius: in pixels from the middle of the picture.
        generator: the source of randomness; equal states give equal shakes.
    """
    while True:
        path, exposure = camera_path(generator)
        moved = _within(np.stack([path.imag, path.real]), exposure, 0.4 * (size - 3))
        angles = np.zeros(len(exposure))
        still = Shake(np.stack([*moved, angles], 1), exposure).kernel((0, 0), size)
        if LEAST_SPREAD <= 1 / float(np.square(still).sum()) <= MOST_SPREAD:
            break
    angles = np.rad2deg(_within(camera_path(generator)[0].real, exposure, edge / radius))
    # neighbours on the path move a point by hundredths of a pixel
    parts = np.array_split(np.arange(len(exposure)), POSES)
    poses = [[np.average(values[part], weights=exposure[part]) for values in (*moved, angles)] for part in parts]
    return Shake(np.array(poses), np.array([exposure[part].sum() for part in parts]))


def shaken(scene: Float[np.ndarray, "rows columns"], shake: Shake, size: tuple[int, int]) -> Float[np.ndarray, "height width"]:
    """Return the picture of a scene, sum_s w_s x(R(a_s)^T (p - t_s)), by cubic splines and without any kernel.

    Args:
        scene: x, larger than the picture by what the shake needs at each side; both have the same middle.
        shake: poses and weights.
        size: height and width of the picture.
    """
    coefficients = ndimage.spline_filter(scene, order=3)
    rows, columns = (np.arange(length) - (length - 1) / 2 for length in size)
    middle = [(length - 1) / 2 for length in scene.shape]
    picture = np.zeros(size)
    for (down, right, degrees), weight in zip(shake.poses, shake.weights, strict=True):
        cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        r, c = rows[:, None] - down, columns - right
        places = [cos * r + sin * c + middle[0], cos * c - sin * r + middle[1]]
        picture += weight * ndimage.map_coordinates(coefficients, places, order=3, prefilter=False, mode="nearest")
    return picture


def _within(values: Float[np.ndarray, "*axes steps"], exposure: Float[np.ndarray, " steps"], reach: float) -> np.ndarray:
    """Return a path about its mean over the exposure, its largest coordinate that reach."""
    centred = values - np.average(values, axis=-1, weights=exposure, keepdims=True)
    return centred / np.abs(centred).max() * reach
