"""The warp step finds a turn and a scale, keeps a kernel that is right, and both steps of a kernel decide by evidence."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from blurred_scenes import blurred, rng, sharp
from scipy import ndimage

from sciml.deblurring.correction import kernel_step
from sciml.deblurring.correction.held_out_misfit import HeldOut
from sciml.deblurring.correction.kernel_step import busiest, corrected_kernel
from sciml.deblurring.correction.warp import LEAST, MOST, UNEXPLAINED, _least, corrected, fit_warp
from sciml.deblurring.kernels.canonical import embedded, ncc
from sciml.deblurring.kernels.errors import perturbed
from sciml.deblurring.kernels.warp import covariance, stretched, trimmed, warped, with_room
from sciml.imaging.operators.convolution import ValidBlur
from sciml.imaging.operators.kernels import camera_shake, disk, gaussian, line

KERNEL = line(13, 25)


def step(error: str, kind: str = "warp", size: int = 48, seed: int = 0):
    y, _ = blurred(KERNEL, size)
    return corrected_kernel(y, perturbed(KERNEL, error, rng()), 0.01, kind, seed=seed)


def test_a_turn_and_a_scale_are_found():
    found = step("rotation:10+scale:1.17647")
    assert found.corrected_by == ("warp",) and found.gain > 0.1
    assert found.warp.angle_degrees == pytest.approx(-10, abs=1.5) and found.warp.scale == pytest.approx(0.85, abs=0.03)
    assert ncc(found.kernel, KERNEL) > 0.97
    assert "turned by" in found.sentences[0] and found.held_out["warp"] < 0.9


@pytest.mark.slow
@pytest.mark.parametrize(("error", "angle", "scale"), [("rotation:10", -10, 1), ("scale:1.17647", 0, 0.85)])
def test_a_turn_and_a_scale_are_not_taken_for_each_other(error, angle, scale):
    found = step(error, size=64)
    assert found.corrected_by == ("warp",)
    assert found.warp.angle_degrees == pytest.approx(angle, abs=1.5) and found.warp.scale == pytest.approx(scale, abs=0.04)


@pytest.mark.parametrize(
    ("true", "given", "scale", "size"),
    [
        (gaussian(2.5), gaussian(1.0), 2.5, 48),
        pytest.param(disk(4.0), disk(7.0), 4 / 7, 96, marks=pytest.mark.slow),
        pytest.param(line(18, 25), line(7, 25), 18 / 7, 96, marks=pytest.mark.slow),
        pytest.param(line(17, 25), line(5, 25), 17 / 5, 96, marks=pytest.mark.slow),
    ],
)
def test_a_kernel_far_too_small_or_large_is_scaled_and_a_line_in_its_length_alone(true, given, scale, size):
    y, _ = blurred(true, size)
    found = corrected_kernel(y, given, 0.01, "warp")
    assert found.corrected_by == ("warp",)
    assert found.warp.scale == pytest.approx(scale, rel=0.1)
    assert ncc(found.kernel, true) > 0.95 > ncc(given, true)


class Wider:
    """Held-out misfit that lies above the noise and falls by `fall`, with the width alone, to so many times the given one."""

    def __init__(self, given: np.ndarray, sigma: float, above: float, fall: float, times: float) -> None:
        self.width, self.least, self.fall, self.most = self.of(given), 2 * math.log(sigma) + above, fall, times - 1
        self.y, self.count = torch.zeros(1, 1, 96, 96), 0

    def of(self, kernel: np.ndarray) -> float:
        return math.sqrt(np.trace(covariance(kernel)))

    def __call__(self, kernels: list[np.ndarray]) -> np.ndarray:
        wider = np.array([min(max(self.of(each) / self.width - 1, 0.0), self.most) for each in kernels])
        return self.least - self.fall * wider / self.most


@pytest.mark.parametrize(
    ("above", "fall", "times", "taken"),
    [
        (UNEXPLAINED - 0.01, 0.15, 1.8, False),
        (UNEXPLAINED + 0.01, 0.15, 1.8, True),
        (UNEXPLAINED + 0.01, 0.05, 1.6, True),
        (UNEXPLAINED + 0.5, 0.09, 2.5, False),
        (UNEXPLAINED + 0.5, 0.3, 2.5, True),
    ],
)
def test_an_enlarged_kernel_is_refused_on_smooth_pictures_and_needs_much_where_it_is_twice_as_large(above, fall, times, taken):
    given = gaussian(2.0)
    found = fit_warp(given, Wider(given, 0.01, above, fall, times), sigma=0.01, margin=0.02)
    assert found.kept == (not taken) and found.gain > 0.02
    assert (found.scale if taken else found.refused) == pytest.approx(times, rel=0.05)
    assert found.refused == 0 or found.scale == 1


@pytest.mark.slow
def test_a_smooth_picture_asks_for_no_larger_kernel():
    grey = ndimage.gaussian_filter(rng(0).random((144, 144)), 3)
    x = torch.from_numpy(0.4 + 0.15 * (grey - grey.min()) / np.ptp(grey))[None, None].float()
    size = 145 - len(gaussian(1.5))
    blur = ValidBlur(gaussian(1.5), (size, size))
    y = blur.A(x) + 0.01 * torch.randn(1, 1, size, size, generator=torch.Generator().manual_seed(0))
    found = corrected_kernel(y, gaussian(1.5), 0.01, "warp")
    assert found.warp.gain > 0.02 and found.verdict == "unchanged"
    assert "times as large" in found.sentences[0]


@pytest.mark.slow
def test_a_turn_of_more_than_thirty_degrees_is_found():
    y, _ = blurred(KERNEL, 96)
    found = corrected_kernel(y, line(13, 59), 0.01, "warp")
    assert found.warp.angle_degrees == pytest.approx(-34, abs=2) and found.warp.scale == pytest.approx(1, abs=0.06)
    assert ncc(found.kernel, KERNEL) > 0.95


def test_a_line_is_stretched_along_itself():
    short = embedded(line(8, 30), 25)
    longer = stretched(short, 2.0)
    assert ncc(longer, line(16, 30)) > 0.97
    before, after = (np.linalg.eigvalsh(covariance(each)) for each in (short, longer))
    assert after[1] == pytest.approx(4 * before[1], rel=0.1)
    assert after[0] < 0.5  # square pixels: still a line
    np.testing.assert_allclose(stretched(short, 1.0), short, atol=1e-9)


def test_the_exact_kernel_is_kept_to_the_bit():
    found = step("exact", size=40)
    assert found.corrected_by == () and found.gain == 0 and found.warp.kept
    assert found.kernel.tobytes() == KERNEL.tobytes()
    assert "was kept" in found.sentences[0]


def test_a_picture_too_small_to_judge_by_keeps_the_kernel_and_says_so():
    y, _ = blurred(KERNEL, 30)
    found = corrected_kernel(y, KERNEL, 0.01, "both")
    assert found.kernel is KERNEL and "cannot be judged" in found.warnings[0]


def test_three_numbers_make_the_kernel():
    kernel = embedded(camera_shake(13, rng(2)), 19)
    assert corrected(kernel, np.zeros(3)).tobytes() == kernel.tobytes()
    np.testing.assert_array_equal(corrected(kernel, np.array([7.0, 0.1, 0.49])), warped(kernel, 7, math.exp(0.1), 0.7))
    for numbers in (LEAST, MOST, np.array([0, 0, -0.3])):
        made = corrected(kernel, numbers)
        assert made.min() >= 0 and made.sum() == pytest.approx(1)
    # sharpening undoes a small smoothing, to first order
    blunt = warped(kernel, 0, 1, math.sqrt(0.3))
    sharpened = corrected(blunt, np.array([0, 0, -0.3]))
    assert np.abs(sharpened - kernel).sum() < 0.7 * np.abs(blunt - kernel).sum()


def test_the_parabola_is_exact_for_a_parabola_and_bounded_otherwise():
    for centre in (-0.7, 0.0, 0.4, 1.2):
        rise = [(at - centre) ** 2 - centre**2 for at in (-1.0, 1.0)]
        assert _least(-1.0, 1.0, *rise) == pytest.approx(centre)
    assert _least(-1.0, 1.0, 2.0, -1.0) == 1.5 or _least(-1.0, 1.0, 2.0, -1.0) <= 1.5
    assert _least(-1.0, 1.0, -1.0, -3.0) == 1.0  # no valley: the better neighbour
    assert _least(0.0, 1.0, 0.0, 0.5) == 0.0 and _least(-1.0, 0.0, -0.5, 0.0) == -1.0  # at a bound


def test_room_and_trimming_are_each_other_s_opposite():
    kernel = embedded(KERNEL, KERNEL.shape[0] + 8)
    roomy = with_room(KERNEL)
    assert roomy.shape[0] % 2 == 1 and roomy.sum() == pytest.approx(1)
    assert warped(roomy, 37, 1.25).sum() == pytest.approx(1)
    edge = warped(roomy, 37, 1.2)
    assert edge[0].sum() + edge[-1].sum() + edge[:, 0].sum() + edge[:, -1].sum() < 1e-3
    np.testing.assert_allclose(trimmed(kernel), trimmed(KERNEL), atol=1e-12)
    assert trimmed(KERNEL).shape[0] <= KERNEL.shape[0]


def test_of_a_large_picture_the_part_with_edges_is_judged():
    y = torch.full((1, 1, 90, 120), 0.5)
    y[..., 50:80, 70:100] = sharp(30).float()
    rows, columns = busiest(y, None, 40)
    assert rows.stop - rows.start == 40 and rows.start <= 50 and rows.stop >= 80
    assert columns.start <= 70 and columns.stop >= 100
    mask = torch.ones(90, 120)
    mask[45:85, 65:105] = 0
    y[..., 5:15, 5:15] = sharp(10).float()
    rows, columns = busiest(y, mask, 40)
    assert rows.start <= 5 and columns.start <= 5
    assert busiest(y, None, 200) == (slice(0, 90), slice(0, 120))


def test_evidence_of_a_step_is_of_its_own_seed(monkeypatch):
    seen = []
    monkeypatch.setattr(kernel_step, "HeldOut", lambda *args, seed, **more: seen.append(seed) or HeldOut(*args, seed=seed))
    monkeypatch.setattr(kernel_step, "refined_kernel", lambda y, kernel, *_: kernel)
    y, _ = blurred(KERNEL, 64)
    found = corrected_kernel(y, KERNEL, 0.01, "kernel", seed=5)
    # the same kernel again, from a start that is nearer to the end
    assert seen == [5] and found.held_out["ridge"] == pytest.approx(1, abs=0.004)
    assert found.corrected_by == () and "not taken" in found.sentences[0]
