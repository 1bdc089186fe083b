"""The map of spreads over kernels of a stated error: against one restoration a kernel, and what it must follow."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from blurred_scenes import blurred, rng

from sciml.deblurring.correction.sensitivity import bootstrap_std, drawn_kernels
from sciml.deblurring.solvers.image import natural_weight
from sciml.deblurring.solvers.tv import Canvas, total_variation
from sciml.deblurring.study.metrics import rank_correlation
from sciml.imaging.operators.kernels import camera_shake, line
from sciml.runtime.errors import ConfigError

KERNEL = line(9, 30)
WEIGHT = natural_weight(KERNEL, 0.01)


def test_it_is_the_deviation_of_restorations_one_by_one():
    y, _ = blurred(KERNEL, 48, channels=3)
    kernels = drawn_kernels(KERNEL, "rotation:~8+scale:~0.1", 10, 3)
    found = bootstrap_std(y, KERNEL, WEIGHT, "rotation:~8+scale:~0.1", 10, 3, factor=1.5)
    images = []
    for kernel in kernels:
        canvas = Canvas.of(y, kernel)
        images.append(canvas.picture(total_variation(canvas, WEIGHT, 120, 1e-5).x))
    wanted = 1.5 * torch.cat(images).std(0, keepdim=True)
    assert found.shape == y.shape
    assert (found - wanted).square().mean().sqrt() < 0.1 * wanted.square().mean().sqrt()


def test_a_larger_error_spreads_wider_and_none_where_nothing_happens():
    y, _ = blurred(KERNEL, 64)
    y[..., 20:] = 0.5  # flat: no kernel matters there
    small, large = (bootstrap_std(y, KERNEL, WEIGHT, f"rotation:~{degrees}", 6) for degrees in (2, 8))
    assert large.mean() > 2 * small.mean()
    assert large[..., 40:-8].max() < 0.1 * large[..., :12].mean()


def test_it_tells_where_a_wrong_kernel_harms():
    kernel = camera_shake(13, rng(2))
    y, truth = blurred(kernel, 64)
    wrong = drawn_kernels(kernel, "rotation:~8+scale:~0.1+smoothing:~0.5", 3, 11)[2]
    canvas = Canvas.of(y, wrong)
    error = canvas.picture(total_variation(canvas, WEIGHT, 60).x) - truth
    spread = bootstrap_std(y, wrong, WEIGHT)
    assert rank_correlation(spread[0, 0].numpy(), error[0, 0].numpy()) > 0.5


def test_draws_are_seeded_and_a_longer_row_begins_with_the_shorter():
    few, many = (drawn_kernels(KERNEL, "rotation:~8", count, 2) for count in (3, 6))
    margin = (many.shape[1] - few.shape[1]) // 2
    inner = slice(margin, many.shape[1] - margin)
    np.testing.assert_array_equal(few, many[:3, inner, inner])
    assert not np.array_equal(drawn_kernels(KERNEL, "rotation:~8", 3, 5), few)
    y, _ = blurred(KERNEL, 48)
    one, other = (bootstrap_std(y, KERNEL, WEIGHT, count=4, seed=2) for _ in range(2))
    assert one.numpy().tobytes() == other.numpy().tobytes()


def test_values_are_displayed_before_their_spread_is_taken():
    y, _ = blurred(KERNEL, 48)
    plain = bootstrap_std(y, KERNEL, WEIGHT, count=4)
    torch.testing.assert_close(
        bootstrap_std(y, KERNEL, WEIGHT, count=4, display=lambda x: 3 * x + 1), 3 * plain, rtol=1e-3, atol=1e-6
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 1}, "at least 2 kernels"),
        ({"factor": 0.0}, "factor above 0"),
        ({"factor": math.nan}, "factor above 0"),
        ({"error": "rotation:8"}, "draws the same kernel"),
        ({"error": "nothing:~1"}, "no kernel error"),
    ],
)
def test_bad_input_is_told(change, message):
    y, _ = blurred(KERNEL, 32)
    with pytest.raises(ConfigError, match=message):
        bootstrap_std(y, KERNEL, WEIGHT, **change)
