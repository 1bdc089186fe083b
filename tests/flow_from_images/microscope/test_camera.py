"""The microscope against closed forms and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from flow_scenes import SMALL, order
from scipy.ndimage import convolve

from sciml.studies.flow_from_images.directors.tensor import orientation
from sciml.studies.flow_from_images.microscope.camera import as_fields, as_pictures, blurred, point_spread, rendered
from sciml.studies.flow_from_images.microscope.texture import advected, finer, line_integral


def test_noise_in_a_uniform_flow_moves_by_whole_pixels():
    noise = np.random.default_rng(0).normal(size=(32, 32))
    velocity = np.broadcast_to(np.array([3.0, -2.0])[:, None, None], (4, 2, 32, 32))
    found = advected(noise, velocity, 1.0, 32.0)
    for step, one in enumerate(found):
        np.testing.assert_array_equal(one, np.roll(noise, (3 * step, -2 * step), (0, 1)))


@pytest.mark.parametrize("angle", [0.0, 0.5, 1.2, 2.5])
def test_the_texture_lies_along_the_director(angle):
    noise = np.random.default_rng(1).normal(size=(96, 96))
    texture = line_integral(noise, np.full((96, 96), angle))
    assert texture.std() == pytest.approx(1)
    tensor, energy = orientation(1 + 0.1 * texture[None])
    found = np.angle(tensor.mean()) / 2
    assert abs(np.exp(2j * (found - angle)) - 1) < 0.06
    assert abs(tensor.mean()) > 0.4 * energy.mean()


def test_the_texture_is_the_mean_along_the_line():
    """Brute force along the x axis, where every step ends on a pixel."""
    noise = np.random.default_rng(2).normal(size=(16, 16))
    total = sum(np.roll(noise, shift, 0) for shift in range(-3, 4))
    np.testing.assert_allclose(line_integral(noise, np.zeros((16, 16)), 3), (total - total.mean()) / total.std(), atol=1e-12)


def test_fields_and_pictures_are_each_others_inverse():
    field = np.arange(12.0).reshape(3, 4)
    picture = as_pictures(field)
    assert picture.shape == (4, 3) and picture[0, 1] == field[1, 3] and picture[-1, 0] == field[0, 0]
    np.testing.assert_array_equal(as_fields(picture), field)


def test_the_blur_is_a_periodic_convolution():
    generator = np.random.default_rng(3)
    kernel, picture = point_spread(SMALL, generator), generator.normal(size=(24, 24))
    assert kernel.sum() == pytest.approx(1) and len(kernel) % 2
    np.testing.assert_allclose(blurred(picture, kernel), convolve(picture, kernel, mode="wrap"), atol=1e-12)


def test_finer_keeps_long_waves():
    x, fine = (np.arange(n) / n for n in (8, 24))
    np.testing.assert_allclose(finer(np.cos(2 * np.pi * x)[:, None] * np.ones(8), 24)[:, 0], np.cos(2 * np.pi * fine), atol=1e-12)


def test_frames_have_twelve_bits_and_the_mean_light_and_repeat():
    m1, velocity = order(0), np.zeros((5, 2, 32, 32))
    frames, kernel = rendered(m1, velocity, 0.125, 10.0, SMALL, 7)
    assert frames.dtype == np.uint16 and frames.shape == (2, 96, 96) and frames.max() <= 4095
    assert frames.mean() == pytest.approx(SMALL.gain * SMALL.photons + SMALL.offset, rel=0.02)
    again, other = rendered(m1, velocity, 0.125, 10.0, SMALL, 7)
    np.testing.assert_array_equal(again, frames)
    np.testing.assert_array_equal(other, kernel)
