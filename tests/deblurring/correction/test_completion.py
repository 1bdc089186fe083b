"""A kernel that lost pixels: found to have gaps, completed along its trajectory, and never warped far instead."""

from __future__ import annotations

import numpy as np
import pytest
from blurred_scenes import blurred, rng, sharp

from sciml.deblurring.correction import completion, kernel_step
from sciml.deblurring.correction.completion import completions, has_gaps
from sciml.deblurring.correction.kernel_step import corrected_kernel
from sciml.deblurring.correction.refine import normal_equations
from sciml.deblurring.correction.warp import Warp
from sciml.deblurring.kernels.canonical import ncc, read_kernel
from sciml.deblurring.kernels.errors import perturbed
from sciml.imaging.operators.kernels import disk, gaussian, line

SHAKE = read_kernel("shake:4,13").kernel
HOLED = perturbed(SHAKE, "dropout:0.4", rng())


def shake(seed: int) -> np.ndarray:
    return read_kernel(f"shake:{seed},15").kernel


def test_gaps_are_dark_pixels_between_bright_ones():
    row = np.zeros((5, 5))
    row[2] = [0.25, 0.25, 0, 0.25, 0.25]
    assert has_gaps(row) and has_gaps(row.T)
    whole = np.zeros((5, 5))
    whole[2] = 0.2
    assert not has_gaps(whole)
    holed = [has_gaps(perturbed(shake(seed), "dropout:0.45", rng(seed))) for seed in range(20)]
    sound = [*(shake(seed) for seed in range(20)), line(13, 25), disk(3.0), gaussian(1.5)]
    assert np.mean(holed) >= 0.9 and np.mean([has_gaps(kernel) for kernel in sound]) <= 0.1


def test_the_equations_of_some_pixels_are_part_of_those_of_all():
    y, x, some = blurred(SHAKE, 48)[0], sharp(60, 4, 1)[0, 0].float(), rng().random((13, 13)) < 0.3
    normal, right = normal_equations(x, y[0, 0], 13)
    part, target = normal_equations(x, y[0, 0], 13, support=some)
    np.testing.assert_allclose(part, normal[np.ix_(some.ravel(), some.ravel())], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(target, right[some.ravel()], rtol=1e-4, atol=1e-5)


def test_the_least_squares_of_a_completion_is_optimal():
    """Karush, Kuhn and Tucker: the gradient is zero where a pixel is bright and at least zero where it is dark."""
    y, _ = blurred(SHAKE, 48)
    seen = {}
    whole = completion.optimize.nnls

    def watched(matrix, right):
        found = whole(matrix, right)
        seen["gradient"], seen["x"] = matrix.T @ (matrix @ found[0] - right), found[0]
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(completion.optimize, "nnls", watched)
        found = completions(y, HOLED, 0.01)[0]
    scale = np.abs(seen["gradient"]).max() + 1
    assert np.abs(seen["gradient"][seen["x"] > 0]).max() < 1e-6 * scale and seen["gradient"].min() > -1e-6 * scale
    assert found.min() >= 0 and found.sum() == pytest.approx(1) and found.shape == HOLED.shape


def test_missing_pixels_are_completed_and_the_verdict_says_how_sure_that_is():
    y, _ = blurred(SHAKE, 64)
    found = corrected_kernel(y, HOLED, 0.01, "warp")
    assert found.corrected_by == ("completion",) and found.verdict == "confident" and found.gain > 0.1
    assert ncc(found.kernel, SHAKE) > ncc(HOLED, SHAKE) + 0.03
    assert found.sentences[0].startswith("Missing pixels of the kernel were completed")


def test_a_large_warp_of_a_kernel_with_gaps_is_refused(monkeypatch):
    y, _ = blurred(SHAKE, 48)
    far = Warp(disk(4.0), disk(4.0), 3.0, 2.2, 0.0, 0.26, kept=False, tried=1)
    monkeypatch.setattr(kernel_step, "fit_warp", lambda *_: far)
    found = corrected_kernel(y, HOLED, 0.01, "warp")
    assert "warp" not in found.corrected_by and found.verdict in ("doubtful", "unchanged")
    assert "scaled by 2.20" in found.warnings[0] and found.warp is not None and found.warp.kept
    # a kernel without gaps may be so far off
    assert corrected_kernel(y, SHAKE, 0.01, "warp").corrected_by == ("warp",)
