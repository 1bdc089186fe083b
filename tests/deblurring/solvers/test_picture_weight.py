"""The weight of total variation follows the picture: its scale, its contrast, and parts of it where it is large."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from blurred_scenes import blurred, inside, psnr

from sciml.deblurring.solvers import image
from sciml.deblurring.solvers.image import MOST_FACTOR, THETA, map_estimate, natural_weight, noise_unit, picture_weight
from sciml.imaging.operators.kernels import line

KERNEL = line(9, 30)


def test_it_is_the_middle_between_the_natural_weight_and_the_most_likely_one():
    y, sigma = blurred(KERNEL, 96, 0.03)[0], 0.03
    x = inside(map_estimate(y, KERNEL, weight=natural_weight(KERNEL, sigma)), KERNEL)
    g = torch.hypot(x[..., 1:, :-1] - x[..., :-1, :-1], x[..., :-1, 1:] - x[..., :-1, :-1]).mean()
    wanted = THETA * np.sqrt(noise_unit(KERNEL, sigma) * sigma**2 / float(g))
    assert natural_weight(KERNEL, sigma) < wanted < MOST_FACTOR * noise_unit(KERNEL, sigma)
    found = picture_weight(y, KERNEL, sigma)
    assert found == pytest.approx(wanted, rel=0.03)
    # and it scales with the picture
    assert picture_weight(4 * y, KERNEL, 4 * sigma) == pytest.approx(4 * found, rel=1e-4)


def test_a_faint_picture_asks_for_more_and_gains_by_it():
    """Contrast an eighth as large is noise eight times as large: the natural weight grows by 8, the best one by more."""
    sigma = 0.08
    y, truth = blurred(KERNEL, 96, sigma)
    found, usual = picture_weight(y, KERNEL, sigma), natural_weight(KERNEL, sigma)
    assert found > 1.5 * usual
    one, other = (psnr(inside(map_estimate(y, KERNEL, weight=weight), KERNEL), truth) for weight in (found, usual))
    assert one > other + 0.1


def test_it_is_no_less_than_the_natural_weight_and_bounded():
    noise = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    assert picture_weight(noise, KERNEL, 1e-4) == pytest.approx(natural_weight(KERNEL, 1e-4))
    flat = torch.full((1, 1, 64, 64), 0.5)
    assert picture_weight(flat, KERNEL, 0.01) == pytest.approx(MOST_FACTOR * noise_unit(KERNEL, 0.01))


def test_of_a_large_picture_nine_parts_tell(monkeypatch):
    y, sigma = blurred(KERNEL, 96, 0.03)[0], 0.03
    whole = picture_weight(y, KERNEL, sigma)
    monkeypatch.setattr(image, "PART", 24)
    looked = []
    real = image.total_variation
    monkeypatch.setattr(image, "total_variation", lambda canvas, *rest: looked.append(canvas.y.shape) or real(canvas, *rest))
    mask = torch.ones(180, 180)
    many = picture_weight(torch.nn.functional.pad(y, (0, 84, 0, 84), mode="reflect"), KERNEL, sigma, mask)
    side = 4 * len(KERNEL)
    assert looked == [(1, 1, side, side)] * 9
    assert many == pytest.approx(whole, rel=0.15)
