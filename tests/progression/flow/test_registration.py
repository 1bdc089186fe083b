"""Registration against a known motion, and its gradient against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from sciml.progression.flow.maps import compose, exponential
from sciml.progression.flow.registration import RegistrationSettings, Smooth, linearised, register
from sciml.runtime.errors import ShapeError

SHAPE = (28, 30, 26)
GRID = np.indices(SHAPE)
MASK = np.linalg.norm([axis - (side - 1) / 2 for axis, side in zip(GRID, SHAPE, strict=True)], axis=0) < 11
SETTINGS = RegistrationSettings(gain_voxels=9.0)


def smooth_noise(seed: int, width: float, count: int = 1) -> np.ndarray:
    field = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(count, *SHAPE)), (0, width, width, width))
    return field / field.std()


IMAGE = np.clip(0.5 + 0.2 * smooth_noise(0, 1.5)[0], 0, 1)


def looked_up(shift: np.ndarray) -> np.ndarray:
    return ndimage.map_coordinates(IMAGE, GRID + shift, order=3, mode="nearest")


@pytest.mark.parametrize("known", [0.0, 0.6])
def test_a_known_motion_is_found_in_spite_of_gain_and_noise(known):
    velocity, before = 0.6 * smooth_noise(1, 4, 3), known * smooth_noise(2, 5, 3)
    fixed = looked_up(compose(before, exponential(velocity)))
    gain = 1.1 * (1 + 0.03 * smooth_noise(3, 10)[0])
    fixed = fixed * gain + 0.005 * np.random.default_rng(4).normal(size=SHAPE)
    found = register(IMAGE, fixed * MASK, MASK, before, SETTINGS)
    inner = ndimage.binary_erosion(MASK, iterations=2)
    left = np.linalg.norm((found - velocity)[:, inner], axis=0).mean()
    assert left < 0.25 * np.linalg.norm(velocity[:, inner], axis=0).mean()


def test_two_equal_scans_need_no_motion():
    assert np.abs(register(IMAGE * MASK, IMAGE * MASK, MASK, np.zeros((3, *SHAPE)))).max() < 1e-3


def test_the_gradient_is_that_of_finite_differences():
    """E along S c at 0, c downhill, a smooth image: its slope is what the linearised images give, but for the gain's answer."""
    smooth, image = Smooth(SHAPE, 3.0), 0.5 + 0.2 * smooth_noise(9, 3)[0]
    known, other = 0.2 * smooth_noise(7, 5, 3), 0.4 * smooth_noise(6, 4, 3)
    fixed = ndimage.map_coordinates(image, GRID + other, order=3, mode="nearest")

    def parts(velocity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return linearised(image, fixed, MASK, known, velocity, SETTINGS)

    residual, slope = parts(np.zeros_like(known))
    # S is its own adjoint
    downhill = smooth(slope * residual)
    direction = smooth(downhill / np.abs(smooth(downhill)).max())
    gradient = -float((direction * slope * residual).sum())
    ahead, behind = (0.5 * float(np.square(parts(sign * 0.05 * direction)[0].astype(float)).sum()) for sign in (1, -1))
    assert gradient < 0
    assert (ahead - behind) / 0.1 == pytest.approx(gradient, rel=0.05)


def test_the_smoothing_is_its_own_adjoint_with_unit_variance():
    random, smooth = np.random.default_rng(8), Smooth(SHAPE, 2.0)
    one, other = random.normal(size=(2, 3, *SHAPE))
    assert float((smooth(one) * other).sum()) == pytest.approx(float((one * smooth(other)).sum()), rel=1e-5)
    assert smooth(one).std() == pytest.approx(1, abs=0.1)


def test_images_on_two_grids_are_refused():
    with pytest.raises(ShapeError, match="expected one grid"):
        register(IMAGE, IMAGE[1:], MASK, np.zeros((3, *SHAPE)))
