"""Held-out evidence: least at the true kernel, the same for equal seeds, and blind to what is masked."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from blurred_scenes import blurred

from sciml.deblurring.correction.held_out_misfit import SHARE, HeldOut, blocks
from sciml.deblurring.kernels.canonical import embedded
from sciml.deblurring.kernels.warp import warped
from sciml.imaging.operators.kernels import disk, line
from sciml.runtime.errors import DataError

KERNEL = embedded(line(11, 25), 19)
WEIGHT = 0.4 * 0.01


def test_it_is_least_at_the_true_angle_and_scale():
    y, _ = blurred(KERNEL, 80)
    evidence = HeldOut(y, WEIGHT)
    angles = evidence([warped(KERNEL, angle) for angle in (-12, -6, 0, 6, 12)])
    scales = evidence([warped(KERNEL, 0, scale) for scale in (0.8, 0.9, 1.0, 1.1, 1.2)])
    for values in (angles, scales):
        assert values.argmin() == 2
        assert values[0] > values[1] and values[4] > values[3]
    assert angles[2] == pytest.approx(scales[2], abs=0.02)


def test_each_kernel_is_restored_at_its_own_weight_so_that_far_scales_compare():
    y, _ = blurred(disk(3.0), 80)
    wide = embedded(disk(6.0), 25)
    # half of it is the true kernel, whose |k|_2 is twice that of the given one
    values = HeldOut(y, WEIGHT)([warped(wide, 0, scale) for scale in (0.3, 0.4, 0.5, 0.63, 0.8, 1.0)])
    assert values.argmin() == 2
    alone = [HeldOut(y, WEIGHT)([each])[0] for each in (wide, warped(wide, 0, 0.5))]
    assert alone == pytest.approx([values[5], values[2]], abs=0.02)


def test_at_the_true_kernel_it_is_not_far_above_the_noise():
    y, _ = blurred(KERNEL, 80)
    found = HeldOut(y, WEIGHT)([KERNEL])[0] - 2 * math.log(0.01)
    assert 0 < found < 1.2  # the prediction error adds to the noise


def test_equal_seeds_give_equal_numbers_and_others_do_not():
    y, _ = blurred(KERNEL, 64)
    kernels = [KERNEL, warped(KERNEL, 5)]
    one, same, other = (HeldOut(y, WEIGHT, seed=seed)(kernels) for seed in (3, 3, 4))
    assert one.tobytes() == same.tobytes() and not np.array_equal(one, other)


def test_a_kernel_has_the_same_number_first_and_later():
    y, _ = blurred(KERNEL, 64)
    evidence = HeldOut(y, WEIGHT)
    first = evidence([KERNEL])[0]
    assert evidence([warped(KERNEL, 5), KERNEL])[1] == pytest.approx(first, abs=1e-4)
    assert evidence([KERNEL])[0] == first


def test_pixels_that_are_not_trusted_are_not_judged_by():
    y, _ = blurred(KERNEL, 64)
    mask = torch.ones(64, 64)
    mask[10:20, 10:50] = 0
    spoilt = y.clone()
    spoilt[..., 10:20, 10:50] = 5.0
    one, other = (HeldOut(each, WEIGHT, mask)([KERNEL])[0] for each in (y, spoilt))
    assert one == pytest.approx(other, abs=1e-5)
    evidence = HeldOut(y, WEIGHT, mask)
    assert all(float((part * (1 - mask)).sum()) == 0 for part in evidence.left_out)


def test_the_share_is_left_out_in_blocks():
    drawn = blocks((90, 71), torch.Generator().manual_seed(0))
    assert drawn.shape == (90, 71) and set(drawn.unique().tolist()) == {0.0, 1.0}
    assert float(drawn.mean()) == pytest.approx(SHARE, abs=0.03)
    whole = drawn[:, :69].reshape(30, 3, 23, 3)
    assert bool((whole.amax((1, 3)) == whole.amin((1, 3))).all())


def test_too_few_pixels_to_judge_by_are_told():
    y, _ = blurred(KERNEL, 64)
    with pytest.raises(DataError, match="fewer than 200 pixels"):
        HeldOut(y[..., :30, :30].contiguous(), WEIGHT)
    with pytest.raises(DataError, match="too saturated"):
        HeldOut(y, WEIGHT, torch.zeros(64, 64))
