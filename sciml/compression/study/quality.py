"""How near a decoded picture is to its original: PSNR and MS-SSIM of 8-bit grey or RGB values, 16-bit slices and float fields.

PSNR takes the three channels of display values together. MS-SSIM is `pytorch_msssim.ms_ssim` on values from 0 to 255 after
rounding to 8 bits, per channel R, G, B and averaged, and no other: implementations that pad the borders or convert to luma differ
in the third decimal.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped

from sciml.compression.pictures.eight_bits import Pixels
from sciml.imaging.metrics import decibels
from sciml.runtime.errors import ShapeError

TYPES = (np.uint8, np.uint16, np.float32)
MS_SSIM_SIDE = 161
"""Least rows and columns that have an MS-SSIM: a window of 11 pixels after four halvings."""


@dataclass(frozen=True)
class Metric:
    """A measure of quality.

    Attributes:
        key: its name in rows and files.
        title: its name in tables.
        decibels: puts a value on the scale in decibels that curves are drawn and compared on.
        value: the way back.
    """

    key: str
    title: str
    decibels: Callable[[float], float]
    value: Callable[[float], float]


@dataclass(frozen=True)
class Quality:
    """What one decoded picture reached.

    Attributes:
        psnr_db: infinite for an equal picture.
        ms_ssim: MS-SSIM from 0 to 1, or None.
        without: why there is no MS-SSIM, or None.
    """

    psnr_db: float
    ms_ssim: float | None
    without: str | None = None


def measure(decoded: Pixels, original: Pixels) -> Quality:
    """Return PSNR and MS-SSIM of a decoded picture.

    Raises:
        ShapeError: the two differ in shape or type, or are neither uint8, uint16 nor float32.
    """
    without = ms_ssim_absence(original.shape)
    return Quality(psnr(decoded, original), None if without else ms_ssim(decoded, original), without)


def psnr(decoded: Pixels, original: Pixels) -> float:
    """Return 10 log10(peak^2 / mean squared error) in dB over all pixels and channels; infinite for equal pictures.

    The peak is 255 or 65535, and of floats the range of the original.

    Means over pictures are means of these decibels, as in published tables; the PSNR of the pooled squared error is lower by
    tenths of a decibel.

    Raises:
        ShapeError: the two differ in shape or type, or are neither uint8, uint16 nor float32.

    Example:
        >>> original = np.zeros((4, 4, 3), np.uint8)
        >>> round(psnr(original + np.uint8(1), original), 4)
        48.1308
    """
    _check(decoded, original)
    squares = np.square(decoded.astype(np.float64) - original.astype(np.float64))
    return decibels(float(squares.mean()), peak(original)[1])


def peak(original: Pixels) -> tuple[float, float]:
    """Return the least value of a picture's scale and its range: of the type for integers, of the values for floats."""
    if original.dtype.kind == "f":
        low, high = float(original.min()), float(original.max())
        return low, (high - low) or 1.0
    return 0.0, float(np.iinfo(original.dtype).max)


def ms_ssim(decoded: Pixels, original: Pixels) -> float:
    """Return the multi-scale structural similarity of five scales (Wang, Simoncelli and Bovik 2003), 1 for equal pictures.

    Raises:
        ShapeError: the two differ in shape or type, or a side is below `MS_SSIM_SIDE`.
    """
    _check(decoded, original)
    if reason := ms_ssim_absence(original.shape):
        raise ShapeError(reason)
    import pytorch_msssim
    import torch

    low, span = peak(original)
    planes = [picture.reshape(*picture.shape[:2], -1).transpose(2, 0, 1) for picture in (decoded, original)]
    pair = [torch.from_numpy(np.array((one - low) * (255 / span), dtype=np.float32))[None] for one in planes]
    with torch.no_grad():
        return float(pytorch_msssim.ms_ssim(pair[0], pair[1], data_range=255.0))


def ms_ssim_absence(shape: tuple[int, ...]) -> str | None:
    """Return why pictures of this shape have no MS-SSIM, or None."""
    if min(shape[:2]) >= MS_SSIM_SIDE:
        return None
    return f"{shape[0]} x {shape[1]} pixels have no MS-SSIM: it needs {MS_SSIM_SIDE} rows and columns"


def ms_ssim_decibels(value: float) -> float:
    """Return -10 log10(1 - MS-SSIM), infinite at 1.

    Example:
        >>> round(ms_ssim_decibels(0.99), 6)
        20.0
    """
    return math.inf if value >= 1 else -10 * math.log10(1 - value)


def _ms_ssim_value(decibels: float) -> float:
    return 1 - 10 ** (-decibels / 10)


def _same(value: float) -> float:
    return value


PSNR = Metric("psnr_db", "PSNR", _same, _same)
MS_SSIM = Metric("ms_ssim", "MS-SSIM", ms_ssim_decibels, _ms_ssim_value)
METRICS = (PSNR, MS_SSIM)


def _check(decoded: Pixels, original: Pixels) -> None:
    if decoded.shape != original.shape or decoded.dtype != original.dtype or original.dtype not in TYPES:
        raise ShapeError(
            f"quality compares two pictures of one shape and type (uint8, uint16, float32), got {decoded.dtype} {decoded.shape} "
            f"and {original.dtype} {original.shape}"
        )


def psnr_of(decoded: Shaped[np.ndarray, "*shape"], original: Shaped[np.ndarray, "*shape"]) -> float:
    """Return the peak signal-to-noise ratio in dB, alpha left out; the peak of floats is their range."""
    if original.ndim == 3 and original.shape[2] in (2, 4) and original.dtype.kind == "u":
        decoded, original = decoded[..., :-1], original[..., :-1]
    span = float(np.iinfo(original.dtype).max) if original.dtype.kind == "u" else float(original.max() - original.min()) or 1.0
    return decibels(float(np.mean((decoded.astype(np.float64) - original) ** 2)), span)
