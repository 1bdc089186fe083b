"""How good a restored picture and a corrected kernel are: the only place where a truth is compared with anything."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from sciml.deblurring.kernels.canonical import blur_rms, ncc
from sciml.deblurring.study.metrics import best_shift_psnr
from sciml.deblurring.study.pairs import Truth
from sciml.deblurring.study.results import KernelScores, PictureScores, ResidualScores
from sciml.formats.image import linear_to_srgb
from sciml.imaging.metrics import psnr
from sciml.imaging.operators.kernels import Kernel
from sciml.imaging.similarity import ssim

Image = Float[np.ndarray, "height width"]


def display(light: Image) -> Image:
    """Return display values of linear light, clipped to what a screen shows."""
    return linear_to_srgb(np.clip(light, 0, 1))


def display_psnr(light: Image, truth: Image) -> float:
    """Return the PSNR of display values, in dB, data range 1."""
    return psnr(display(light), display(truth), 1)


def picture_scores(light: Image, truth: Image) -> PictureScores:
    """Return PSNR and SSIM of display values, PSNR of linear light, and the PSNR at the best shift.

    All of the whole picture but the last, which leaves out a border of 8 pixels.
    """
    shown, wanted = display(light), display(truth)
    moved = best_shift_psnr(shown, wanted, reach=5, border=8)
    return PictureScores(
        psnr=psnr(shown, wanted, 1),
        ssim=ssim(shown, wanted),
        psnr_light=psnr(np.clip(light, 0, 1), np.clip(truth, 0, 1), 1),
        psnr_best_shift=moved.psnr,
        best_shift=moved.shift,
    )


def kernel_scores(kernel: Kernel, truth: Truth, sigma: float) -> KernelScores:
    """Return the likeness of a kernel to the true one, and the rms of (k - k^) * x in units of the noise."""
    return KernelScores(
        ncc=ncc(truth.kernel, kernel),
        ncc_any_shift=ncc(truth.kernel, kernel, any_shift=True),
        blur_rms=blur_rms(truth.kernel, kernel, truth.canvas) / sigma,
    )


def residual_scores(estimate: Image, truth: Truth, given: Kernel, sigma: float) -> ResidualScores:
    """Return how an estimated residual compares with r = (k - k^) * x; without a correlation where one of them is constant."""
    true = truth.residual(given)
    sizes = {"rms": float(estimate.std()) / sigma, "true_rms": float(true.std()) / sigma}
    if estimate.std() == 0 or sizes["true_rms"] < 1e-6:
        return ResidualScores(**sizes)
    return ResidualScores(**sizes, correlation=float(np.corrcoef(estimate.ravel(), true.ravel())[0, 1]))
