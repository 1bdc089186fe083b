"""PSNR at the best displacement, intervals, and measures of an uncertainty map, against direct computations."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from sciml.deblurring.kernels.canonical import canonicalise, embedded, read_kernel
from sciml.deblurring.study.metrics import (
    FLOORS,
    best_shift_psnr,
    calibrated,
    calibration_factor,
    coverage,
    rank_correlation,
)
from sciml.imaging.metrics import psnr
from sciml.imaging.operators.convolution import ValidBlur
from sciml.imaging.similarity import ssim
from sciml.imaging.solvers.admm import total_variation_admm
from sciml.runtime.bootstrap import bootstrap_interval
from sciml.runtime.errors import ConfigError, DataError, ShapeError


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A smooth periodic picture in [0, 1] with a few hard edges."""
    smooth = gaussian_filter(rng(seed).normal(size=(height, width)), 2.0, mode="wrap")
    return np.clip(0.5 + smooth / np.ptp(smooth) + 0.3 * (gaussian_filter(smooth, 2, mode="wrap") > 0), 0, 1)


def displaced(image: np.ndarray, down: float, right: float) -> np.ndarray:
    """Move a periodic picture by the shift theorem."""
    rows, columns = (np.fft.fftfreq(length) for length in image.shape)
    phase = np.exp(-2j * np.pi * (rows[:, None] * down + columns * right))
    return np.fft.ifft2(np.fft.fft2(image) * phase).real


# best displacement


def test_plain_measures_are_scikit_images():
    truth, estimate = picture(48, 40), np.clip(picture(48, 40) + 0.05 * rng().normal(size=(48, 40)), 0, 1)
    assert psnr(estimate, truth, 1) == pytest.approx(peak_signal_noise_ratio(truth, estimate, data_range=1))
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    assert ssim(estimate, truth) == pytest.approx(float(structural_similarity(truth, estimate, data_range=1, **window)))
    found = best_shift_psnr(estimate, truth, border=6)
    assert found.unshifted == pytest.approx(peak_signal_noise_ratio(truth[6:-6, 6:-6], estimate[6:-6, 6:-6], data_range=1))


@given(st.integers(-5, 5), st.integers(-5, 5))
@settings(max_examples=20, deadline=None)
def test_a_displacement_by_whole_pixels_is_undone_exactly(down, right):
    truth = picture(40, 36)
    found = best_shift_psnr(np.roll(truth, (down, right), (0, 1)), truth)
    assert found.psnr == math.inf
    assert found.shift == (-down, -right)


@pytest.mark.parametrize("shift", [(0.25, 0.0), (-1.25, 2.5), (3.75, -4.5), (0.0, 5.0), (-0.5, -0.5)])
def test_a_displacement_by_quarters_of_a_pixel_is_found(shift):
    truth = gaussian_filter(picture(64, 64), 1.0, mode="wrap")
    noise = 0.01 * rng(1).normal(size=truth.shape)
    found = best_shift_psnr(displaced(truth, *shift) + noise, truth)
    assert found.shift == (-shift[0], -shift[1])
    assert found.psnr == pytest.approx(40, abs=0.2)
    assert found.psnr > found.unshifted + 5


def test_the_search_is_that_of_all_displacements():
    truth, estimate = picture(34, 30), displaced(picture(34, 30), 0.6, -1.3) + 0.05 * rng(2).normal(size=(34, 30))
    found = best_shift_psnr(estimate, truth, reach=2, step=0.25, border=4)
    # every displacement by itself, of the picture continued by its mirror image to a periodic one
    mirrored = np.block([[estimate, estimate[:, ::-1]], [estimate[::-1], estimate[::-1, ::-1]]])
    steps = np.arange(-2, 2.1, 0.25)
    moved = {(d, r): displaced(mirrored, d, r)[4:30, 4:26] for d in steps for r in steps}
    scores = {place: psnr(image, truth[4:-4, 4:-4], 1) for place, image in moved.items()}
    best = max(scores, key=scores.__getitem__)
    assert found.shift == best
    assert found.psnr == pytest.approx(scores[best], abs=1e-6)


@given(st.integers(0, 10**6), st.floats(0.01, 1.0), st.integers(0, 3), st.sampled_from([0.25, 0.3, 0.5, 1.0]))
@settings(max_examples=30, deadline=None)
def test_it_is_never_below_the_unshifted_psnr(seed, level, reach, step):
    truth = rng(seed).random((24, 20))
    estimate = truth + level * rng(seed + 1).normal(size=truth.shape)
    found = best_shift_psnr(estimate, truth, reach=reach, step=step, border=4)
    assert found.psnr >= found.unshifted == pytest.approx(psnr(estimate[4:-4, 4:-4], truth[4:-4, 4:-4], 1))
    assert max(map(abs, found.shift)) <= reach


def test_channels_move_together_and_the_range_counts():
    truth = np.stack([picture(40, 40, seed) for seed in range(3)])
    estimate = np.roll(truth, (1, -2), (1, 2)) + 0.02 * rng().normal(size=truth.shape)
    found = best_shift_psnr(estimate, truth)
    assert found.shift == (-1, 2)
    inside = (slice(None), slice(5, -5), slice(5, -5))
    assert found.psnr == pytest.approx(
        peak_signal_noise_ratio(truth[inside], np.roll(estimate, (-1, 2), (1, 2))[inside], data_range=1)
    )
    scaled = best_shift_psnr(255 * estimate, 255 * truth, data_range=255)
    assert scaled.psnr == pytest.approx(found.psnr) and scaled.shift == found.shift


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"reach": -1}, ConfigError),
        ({"step": 0}, ConfigError),
        ({"step": 1.5}, ConfigError),
        ({"border": 3}, ConfigError),
        ({"border": 10}, ShapeError),
        ({"truth": np.zeros((20, 21))}, ShapeError),
        ({"truth": np.full((20, 20), np.nan)}, DataError),
    ],
)
def test_what_cannot_be_compared_is_refused(change, error):
    with pytest.raises(error):
        best_shift_psnr(**({"estimate": np.zeros((20, 20)), "truth": np.ones((20, 20))} | change))


def test_a_displaced_kernel_costs_plain_psnr_only_and_the_canonical_one_restores_it():
    # y = k * x is deblurred with k, with k displaced by (2, -3), and with the displaced kernel made canonical
    kernel = embedded(read_kernel("shake:3,13").kernel, 21)
    x = gaussian_filter(picture(84, 84), 0.5)
    blur = ValidBlur(kernel, (64, 64))
    truth = blur.crop(torch.from_numpy(x)[None, None])[0, 0].numpy()
    y = blur.A(torch.from_numpy(x).float()[None, None])
    y = y + 0.01 * torch.randn(y.shape, generator=torch.Generator().manual_seed(0))

    def deblurred(k: np.ndarray) -> np.ndarray:
        physics = ValidBlur(k, (64, 64))
        start = torch.nn.functional.pad(y, (physics.margin,) * 4, mode="replicate")
        return physics.crop(total_variation_admm(y, physics, 2e-3, start, iterations=40))[0, 0].double().numpy()

    wrong = np.roll(kernel, (2, -3), (0, 1))
    repaired = canonicalise(wrong)
    exact, moved, again = (deblurred(k) for k in (kernel, wrong, repaired.kernel))
    assert repaired.shift == (-2, 3)
    assert psnr(moved, truth, 1) < psnr(exact, truth, 1) - 3
    best, best_exact = (best_shift_psnr(image, truth, border=10) for image in (moved, exact))
    assert best.psnr == pytest.approx(best_exact.psnr, abs=0.1)
    # the kernel went (2, -3), the picture the other way, and is moved back
    assert best.shift == (2, -3) and best_exact.shift == (0, 0)
    assert psnr(again, truth, 1) == pytest.approx(psnr(exact, truth, 1), abs=0.1)


# intervals


def test_the_interval_of_a_mean_is_the_normal_one_for_many_values_and_covers_the_mean():
    values = rng().normal(2.0, 3.0, size=400)
    low, high = bootstrap_interval(values, seed=1)
    half = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.1 * half)
    assert bootstrap_interval(list(values), seed=1) == (low, high) != bootstrap_interval(values, seed=2)
    narrow = bootstrap_interval(values, seed=1, level=0.5)
    assert low < narrow[0] < narrow[1] < high
    assert bootstrap_interval([1.5, 1.5, 1.5], seed=0) == (1.5, 1.5)
    hits = 0
    for seed in range(200):
        low, high = bootstrap_interval(rng(seed).normal(size=40), seed, draws=500)
        hits += low <= 0 <= high
    assert 180 <= hits <= 198


@pytest.mark.parametrize("values", [[], [1.0], [1.0, np.nan], [[1.0, 2.0]]])
def test_an_interval_needs_two_finite_values(values):
    with pytest.raises(DataError, match="two finite values"):
        bootstrap_interval(values, seed=0)
    with pytest.raises(ConfigError):
        bootstrap_interval([1.0, 2.0], seed=0, level=1.0)


# uncertainty maps


def test_rank_correlation_on_blocks_of_maps_that_agree_oppose_and_ignore_each_other():
    spread = gaussian_filter(rng().random((72, 66)), 5)
    spread = 0.01 + (spread - spread.min()) / np.ptp(spread)
    error = spread * rng(1).normal(size=spread.shape)
    assert rank_correlation(spread, 3 * spread) == pytest.approx(1)
    assert rank_correlation(spread, -3 * spread) == pytest.approx(1)  # of the size of the error
    assert 0.8 < rank_correlation(spread, error) < 1
    assert rank_correlation(spread, error) > rank_correlation(spread, error, block=1) + 0.2
    assert abs(rank_correlation(spread, rng(2).normal(size=spread.shape))) < 0.25
    channels = rank_correlation(np.stack([spread, spread + 9]), np.stack([spread, spread]))  # ranked together
    assert channels < 0.6 < rank_correlation(np.stack([spread, spread]), np.stack([spread, spread]))
    # by hand: means over whole blocks, the rest of 72 x 66 left out
    means = [
        np.array([[np.abs(m)[i : i + 7, j : j + 7].mean() for j in range(0, 63, 7)] for i in range(0, 70, 7)]).ravel()
        for m in (spread, error)
    ]
    ranks = [means_.argsort().argsort() for means_ in means]
    assert rank_correlation(spread, error) == pytest.approx(np.corrcoef(*ranks)[0, 1], abs=1e-12)


def test_coverage_and_the_factor_that_calibrates_it():
    assert coverage(np.array([[1.0, 1.0, 0.0, 0.0]]), np.array([[2.0, -2.1, 0.0, 0.1]])) == 0.5
    spread = 0.1 + rng().random((80, 80))
    error = spread * rng(1).normal(size=spread.shape)
    assert coverage(spread, error) == pytest.approx(0.9545, abs=0.01)
    assert coverage(spread, error, spreads=1) == pytest.approx(0.6827, abs=0.02)
    # a spread 2.5 times too small is found, on pictures of different size
    pairs = [(spread / 2.5, error), (spread[:40, :30] / 2.5, error[:40, :30])]
    factor = calibration_factor(pairs)
    assert factor == pytest.approx(2.5, rel=0.05)
    covered = [coverage(factor * s, e) * s.size for s, e in pairs]
    assert sum(covered) / (6400 + 1200) == pytest.approx(0.95, abs=1e-3)


def test_maps_that_tell_nothing_are_refused():
    flat, error = np.ones((28, 28)), rng().normal(size=(28, 28))
    with pytest.raises(DataError, match="constant"):
        rank_correlation(flat, error)
    with pytest.raises(ShapeError, match="at least 3"):
        rank_correlation(flat[:8, :8], error[:8, :8])
    with pytest.raises(ShapeError):
        coverage(flat, error[1:])
    with pytest.raises(DataError, match="negative"):
        coverage(-flat, error)
    with pytest.raises(DataError, match="no spread"):
        calibration_factor([(0 * flat, error)])
    with pytest.raises(DataError, match="at least one"):
        calibration_factor([])


def test_a_floor_is_found_where_errors_have_one_and_none_where_not():
    generator = np.random.default_rng(0)
    spread = generator.uniform(0.001, 0.1, (2, 200, 200))
    for floor in (0.0, FLOORS[6]):
        error = 1.5 * np.sqrt(spread**2 + floor**2) * generator.normal(size=spread.shape)
        found = calibrated([(one, wrong) for one, wrong in zip(spread, error, strict=True)])
        assert found.floor == floor
        assert found.factor == pytest.approx(1.5 * 1.96 / 2, rel=0.02)
        assert coverage(found(spread), error) == pytest.approx(0.95, abs=1e-3)
    with pytest.raises(DataError, match="at least one picture"):
        calibrated([])
