"""Measures of deblurring: PSNR at the best displacement, and how far an uncertainty map tells the error.

Plain PSNR and SSIM are those of `sciml.imaging.metrics`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from scipy import stats

from sciml.imaging.metrics import decibels
from sciml.runtime.errors import ConfigError, DataError, ShapeError

FLOORS = (0.0, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06)
Map = Float[np.ndarray, "*channels height width"]


@dataclass(frozen=True)
class BestShift:
    """PSNR at the best displacement.

    Attributes:
        psnr: in dB, the largest over the displacements.
        shift: rows (down) and columns (right), in pixels, by which the estimate is moved to fit the truth best.
        unshifted: PSNR of the unmoved estimate over the same pixels, so never above `psnr`.
    """

    psnr: float
    shift: tuple[float, float]
    unshifted: float


def best_shift_psnr(
    estimate: Float[np.ndarray, "*channels height width"],
    truth: Float[np.ndarray, "*channels height width"],
    reach: int = 5,
    step: float = 0.25,
    border: int | None = None,
    data_range: float = 1.0,
) -> BestShift:
    """Return the PSNR of an estimate moved to where it fits the truth best.

    A kernel that is displaced by d gives a sharp picture displaced by -d: the plain PSNR blames the method for what cannot be
    known, this one does not. Displacements by whole pixels are all tried, then those in steps of `step` within one pixel of the
    best (the comparison of Nan and Ji, CVPR 2020, tries all fractions; the misfit of pictures has one valley at that scale).
    Fractions are read by the shift theorem on the picture continued by its mirror image: splines would smooth on the way, and
    reward a noisy estimate for being moved by half a pixel with 1.4 dB (quintic splines, white noise).

    Args:
        estimate: any leading axes, channels for instance, move together.
        truth: of the same shape.
        reach: largest displacement along each axis, in pixels.
        step: of the fractions, in pixels; 1 tries whole pixels only.
        border: pixels left out at each side, at least `reach` and by default that, so that nothing from beyond the picture is
            compared; half the kernel's size leaves out what the boundary has spoilt.
        data_range: of the pictures' scale.

    Raises:
        ShapeError: the shapes differ, or nothing is left inside the border.
        ConfigError: a reach, step or border out of range.
        DataError: values that are not finite.
    """
    estimate, truth = np.asarray(estimate, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    border = reach if border is None else border
    if reach < 0 or not 0 < step <= 1 or border < reach:
        raise ConfigError(
            f"a reach of at least 0, a step in (0, 1] and a border of at least the reach, got {reach}, {step}, {border}"
        )
    if estimate.shape != truth.shape or truth.ndim < 2:
        raise ShapeError(f"metrics compare two (..., height, width) images of one shape, got {estimate.shape} and {truth.shape}")
    if min(truth.shape[-2:]) <= 2 * border:
        raise ShapeError(f"images of {truth.shape[-2:]} have no pixel inside a border of {border}")
    if not (np.isfinite(estimate).all() and np.isfinite(truth).all()):
        raise DataError("an image holds NaN or infinite values: it has no PSNR")
    target = _inside(truth, border)

    places = [(down, right) for down in range(-reach, reach + 1) for right in range(-reach, reach + 1)]
    errors = {(float(d), float(r)): float(np.mean((_inside(estimate, border, d, r) - target) ** 2)) for d, r in places}
    best = min(errors, key=errors.__getitem__)
    if step < 1:
        fractions = np.arange(1, math.ceil(1 / step)) * step
        near = [[float(place + move) for move in (*-fractions, 0.0, *fractions) if abs(place + move) <= reach] for place in best]
        height, width = estimate.shape[-2:]
        # only the pixels inside the border are read
        columns = [_translation(width, right)[border : width - border].T for right in near[1]]
        for down in near[0]:
            rows = _translation(height, down)[border : height - border] @ estimate
            for right, matrix in zip(near[1], columns, strict=True):
                if (down, right) not in errors:
                    errors[down, right] = float(np.mean((rows @ matrix - target) ** 2))
        best = min(errors, key=errors.__getitem__)
    return BestShift(decibels(errors[best], data_range), best, decibels(errors[0.0, 0.0], data_range))


def rank_correlation(spread: Map, error: Map, block: int = 7) -> float:
    """Return Spearman's correlation of spread and absolute error, both as means over blocks: does the map tell where?

    The absolute error of a single pixel is mostly chance; means over blocks of 7 x 7 are what an eye compares.

    Args:
        spread: predicted standard deviation.
        error: estimate minus truth, signed or not.
        block: side of the blocks in pixels; a remainder at the lower and right edge is left out.

    Raises:
        ShapeError: the shapes differ, or fewer than three blocks fit.
        DataError: a map is constant over the blocks, so that there is nothing to rank.
    """
    _check_maps(spread, error)
    means = [_block_means(np.abs(values), block) for values in (spread, error)]
    if means[0].size < 3:
        raise ShapeError(f"maps of {spread.shape} have {means[0].size} blocks of {block} x {block}: at least 3 are ranked")
    if any(np.ptp(values) == 0 for values in means):
        raise DataError("a constant map has no ranks: the spread or the error is the same everywhere")
    return float(stats.spearmanr(means[0].ravel(), means[1].ravel())[0])  # pyright: ignore[reportArgumentType]


def coverage(spread: Map, error: Map, spreads: float = 2.0) -> float:
    """Return the share of pixels whose error lies within plus or minus `spreads` times the spread; 95.4 % if all is normal."""
    _check_maps(spread, error)
    return float(np.mean(np.abs(error) <= spreads * spread))


@dataclass(frozen=True)
class Calibration:
    """What turns a map of sensitivity into standard deviations, factor sqrt(spread^2 + floor^2).

    Attributes:
        factor: above 0.
        floor: of the error that does not come from what was drawn (noise, the image prior), in the map's units.
    """

    factor: float
    floor: float

    def __call__(self, spread: Map) -> Map:
        """Return the calibrated map."""
        return self.factor * np.sqrt(np.square(spread) + self.floor**2)


def calibrated(pairs: Sequence[tuple[Map, Map]], level: float = 0.95, spreads: float = 2.0) -> Calibration:
    """Return the calibration of the largest normal likelihood of the errors, scaled so that its coverage is `level`.

    The floor is that of FLOORS with the largest sum over all pixels of -log s - e^2 / (2 s^2), s^2 = c^2 (spread^2 + floor^2), at
    the c that makes this largest, c^2 = mean e^2 / (spread^2 + floor^2). The factor is then that of `calibration_factor`.

    Args:
        pairs: (spread, error) of each picture; validation pictures.
        level: wanted coverage.
        spreads: half width of the interval in spreads.

    Raises:
        DataError: as `calibration_factor`.
    """
    if not pairs:
        raise DataError("a calibration needs at least one picture")
    squares = np.concatenate([np.square(spread).ravel() for spread, _ in pairs])
    errors = np.concatenate([np.square(error).ravel() for _, error in pairs])
    # -2 log likelihood a pixel, at the best c
    cost = {}
    for floor in FLOORS:
        width = squares + floor**2
        if bool((width > 0).all()):
            cost[floor] = math.log(float(np.mean(errors / width))) + float(np.mean(np.log(width)))
    floor = min(cost, key=cost.__getitem__)
    lifted = [(np.sqrt(np.square(spread) + floor**2), error) for spread, error in pairs]
    return Calibration(calibration_factor(lifted, level, spreads), floor)


def calibration_factor(pairs: Sequence[tuple[Map, Map]], level: float = 0.95, spreads: float = 2.0) -> float:
    """Return the one factor that brings the coverage of `spreads` times the spread to `level` over all given pictures.

    c = quantile_level(|error| / (spreads * spread)), over the pixels of all pairs with the same weight for each. Fit it on
    validation pictures and multiply the spreads of others by it.

    Args:
        pairs: (spread, error) of each picture.
        level: wanted coverage.
        spreads: half width of the interval in spreads.

    Raises:
        DataError: no pictures, or more than 1 - level of the pixels have no spread at all, so that no factor helps.
    """
    if not pairs:
        raise DataError("a calibration needs at least one picture")
    ratios = []
    for spread, error in pairs:
        _check_maps(spread, error)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios.append(np.nan_to_num(np.abs(error) / (spreads * spread), nan=0.0, posinf=np.inf).ravel())
    # the quantile is taken at an existing value, so that exactly that share lies at or below it
    factor = float(np.quantile(np.concatenate(ratios), level, method="inverted_cdf"))
    if not math.isfinite(factor):
        raise DataError(f"more than {1 - level:.0%} of the pixels have an error but no spread: no factor calibrates them")
    return factor


def _inside(image: NDArray[np.float64], border: int, down: int = 0, right: int = 0) -> NDArray[np.float64]:
    """Return the image moved down and right, without its border."""
    height, width = image.shape[-2:]
    return image[..., border - down : height - border - down, border - right : width - border - right]


def _translation(length: int, move: float) -> NDArray[np.float64]:
    """Return the matrix that moves a signal, continued by its mirror image, by the shift theorem."""
    mirrored = np.concatenate([np.eye(length), np.eye(length)[::-1]])
    phase = np.exp(-2j * np.pi * np.fft.rfftfreq(2 * length) * move)
    return np.fft.irfft(np.fft.rfft(mirrored, axis=0) * phase[:, None], n=2 * length, axis=0)[:length]


def _block_means(values: NDArray[np.floating], block: int) -> NDArray[np.floating]:
    *channels, height, width = values.shape
    rows, columns = height // block, width // block
    whole = values[..., : rows * block, : columns * block]
    return whole.reshape(*channels, rows, block, columns, block).mean(axis=(-3, -1))


def _check_maps(spread: Map, error: Map) -> None:
    if spread.shape != error.shape or spread.ndim < 2:
        raise ShapeError(f"maps of spread and error are (..., height, width) of one shape, got {spread.shape} and {error.shape}")
    if not (np.isfinite(spread).all() and np.isfinite(error).all()) or spread.min() < 0:
        raise DataError("a map holds values that are not finite, or negative spreads")
