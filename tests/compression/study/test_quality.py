import math

import numpy as np
import pytest
import pytorch_msssim
import torch
from jaxtyping import TypeCheckError

from sciml.compression.study.quality import METRICS, measure, ms_ssim, ms_ssim_decibels, psnr
from sciml.runtime.errors import ShapeError


def pair(*shape: int) -> tuple[np.ndarray, np.ndarray]:
    """A random picture and the same with noise."""
    generator = np.random.default_rng(0)
    original = generator.integers(0, 256, size=shape, dtype=np.uint8)
    return (original + generator.normal(scale=20, size=shape)).clip(0, 255).astype(np.uint8), original


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_psnr_of_one_grey_level_and_of_a_known_error(shape):
    original = np.full(shape, 254, np.uint8)
    assert psnr(original + np.uint8(1), original) == pytest.approx(48.1308, abs=5e-5)
    assert psnr(np.zeros_like(original), original) == pytest.approx(20 * math.log10(255 / 254))  # no wrap around at 256
    assert psnr(original, original) == math.inf


def test_psnr_takes_the_channels_together():
    original = np.zeros((4, 4, 3), np.uint8)
    decoded = original.copy()
    decoded[..., 0] = 3
    assert psnr(decoded, original) == pytest.approx(10 * math.log10(255**2 / (9 / 3)))


@pytest.mark.parametrize("shape", [(161, 170, 3), (170, 161)])
def test_ms_ssim_is_that_of_pytorch_msssim(shape):
    decoded, original = pair(*shape)
    x, y = (torch.tensor(np.atleast_3d(one).astype(np.float32)).permute(2, 0, 1)[None] for one in (decoded, original))
    assert ms_ssim(decoded, original) == pytest.approx(float(pytorch_msssim.ms_ssim(x, y, data_range=255)), abs=1e-7)
    assert 0.5 < ms_ssim(decoded, original) < 0.999
    assert ms_ssim(original, original) == pytest.approx(1.0, abs=1e-6)


def test_small_pictures_have_no_ms_ssim_and_a_reason():
    decoded, original = pair(160, 300, 3)
    reached = measure(decoded, original)
    assert reached.psnr_db == psnr(decoded, original)
    assert reached.ms_ssim is None
    assert reached.without == "160 x 300 pixels have no MS-SSIM: it needs 161 rows and columns"
    with pytest.raises(ShapeError, match="160 x 300"):
        ms_ssim(decoded, original)


def test_larger_pictures_have_both():
    reached = measure(*pair(161, 161, 3))
    assert reached.ms_ssim is not None
    assert reached.without is None


def test_decibels_of_ms_ssim():
    assert ms_ssim_decibels(0.9) == pytest.approx(10)
    assert ms_ssim_decibels(0.0) == 0
    assert ms_ssim_decibels(1.0) == math.inf
    for metric in METRICS:
        assert metric.value(metric.decibels(0.97)) == pytest.approx(0.97)


def test_pictures_of_two_shapes_are_not_compared():
    for compare in (measure, psnr):
        with pytest.raises((ShapeError, TypeCheckError)):
            compare(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5, 3), np.uint8))
