"""The ridge step of the kernel against dense algebra, and what it must never do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from blurred_scenes import blurred, inside, psnr, rng, sharp

from sciml.deblurring.correction.kernel_step import corrected_kernel
from sciml.deblurring.correction.refine import kernel_step, refined_kernel
from sciml.deblurring.kernels.canonical import ncc
from sciml.deblurring.kernels.errors import perturbed
from sciml.deblurring.solvers.image import map_estimate
from sciml.imaging.operators.convolution import ValidBlur
from sciml.imaging.operators.kernels import camera_shake, disk, line

KERNEL = camera_shake(13, rng(2))


def test_the_true_kernel_is_found_from_the_true_image_whichever_way_it_lies():
    x = sharp(76)
    y = ValidBlur(KERNEL, (64, 64), torch.float64).A(x)[0, 0]
    wrong = np.full((13, 13), 1 / 169)
    weak, strong = (kernel_step(x[0, 0], y, wrong, ridge) for ridge in (1e-6, 1e4))
    assert ncc(weak, KERNEL) > 0.98 and ncc(weak, KERNEL) > ncc(weak, KERNEL[::-1, ::-1].copy()) + 0.1
    np.testing.assert_allclose(strong, wrong, atol=1e-4)


def test_it_is_the_minimiser_of_the_stated_sum():
    x, kernel = sharp(24)[0, 0], line(5, 40, 5)
    y = ValidBlur(kernel, (20, 20), torch.float64).A(x[None, None])[0, 0] + 0.01 * torch.randn(
        20, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    given, ridge = np.full((5, 5), 1 / 25), 0.5
    rows, right, trace = [], [], 0.0
    for axis in (0, 1):
        edges, data = x.diff(dim=axis).numpy(), y.diff(dim=axis).numpy()
        edges = np.where(np.abs(edges) > np.quantile(np.abs(edges), 0.5), edges, 0)
        for p in range(0, data.shape[0], 2):
            for q in range(0, data.shape[1], 2):
                # (k * g)(p, q) over the window of g that the kernel covers
                rows.append(edges[p : p + 5, q : q + 5][::-1, ::-1].ravel())
                right.append(data[p, q])
    design, target = np.array(rows), np.array(right)
    trace = (design**2).sum()
    strength = ridge * trace / 25
    wanted = np.linalg.solve(design.T @ design + strength * np.eye(25), design.T @ target + strength * given.ravel())
    wanted = np.maximum(wanted.reshape(5, 5), 0)
    wanted[wanted < 0.01 * wanted.max()] = 0
    np.testing.assert_allclose(kernel_step(x, y, given, ridge), wanted / wanted.sum(), atol=1e-8)


def test_masked_pairs_of_pixels_have_no_say():
    x = sharp(76)[0, 0]
    y = ValidBlur(KERNEL, (64, 64), torch.float64).A(x[None, None])[0, 0]
    mask = torch.ones(64, 64)
    mask[20:40, 20:40] = 0
    spoilt = torch.where(mask > 0, y, 7.0)
    one, other = (kernel_step(x, each, KERNEL, 0.1, mask) for each in (y, spoilt))
    np.testing.assert_allclose(one, other, atol=1e-10)


@pytest.mark.parametrize("error", ["exact", "rotation:10", "scale:0.85", "smoothing:0.7"])
@pytest.mark.parametrize("kernel", [KERNEL, disk(3), line(9, 30)], ids=["shake", "disk", "line"])
def test_it_never_costs_more_than_a_tenth_of_a_decibel(kernel, error):
    y, truth = blurred(kernel, 64)
    given = perturbed(kernel, error, rng())
    # as it is used: where held-out pixels ask for it
    refined = corrected_kernel(y, given, 0.01, "kernel").kernel
    assert refined.min() >= 0 and refined.sum() == pytest.approx(1)
    before, after = (psnr(inside(map_estimate(y, each, "tv", sigma=0.01), each), truth) for each in (given, refined))
    assert after > before - 0.1


def test_rounds_are_told_and_repeat_to_the_bit():
    y, _ = blurred(KERNEL, 48)
    seen = []
    one = refined_kernel(y, KERNEL, 1e-3, on_round=lambda count, kernel: seen.append((count, kernel.sum())))
    assert [count for count, _ in seen] == list(range(8)) and all(total == pytest.approx(1) for _, total in seen)
    assert refined_kernel(y, KERNEL, 1e-3).tobytes() == one.tobytes()
