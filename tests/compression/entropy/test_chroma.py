"""Chroma follows luma: twins by hand, slopes of pictures whose colours are known, and what the prediction is worth."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_models import CENTRE, SPAN, planes_of

from sciml.compression.coding.transform import Transform, fit_transform
from sciml.compression.entropy.chroma import LARGEST_SLOPE, SLOPE_BITS, Slopes, chroma_mean, twins_of
from sciml.compression.entropy.context import PREDICTED, Grid
from sciml.compression.fitting.scalar import Fit

SIDE = 96


def test_twins_are_earlier_planes_of_the_same_wave() -> None:
    # mean of luma, wave 5 of luma, its colours, wave 9 of a colour before that of luma, means of a colour
    order = np.array([0, 5, 256 + 5, 512 + 5, 256 + 9, 9, 512 + 9, 256])
    assert twins_of(order, 8).tolist() == [[-1, 0], [-1, 0], [1, 1], [1, 2], [-1, 0], [-1, 0], [5, 2], [-1, 0]]
    assert twins_of(order, 3).tolist() == [[-1, 0], [-1, 0], [1, 1]]
    assert twins_of(np.arange(256), 40).shape == (0, 2)


@pytest.mark.parametrize("slope", [-0.75, 0.5, 2.0])
def test_a_colour_that_follows_luma_is_predicted_by_its_slope(slope: float) -> None:
    grid, generator = Grid(4, 5), np.random.default_rng(0)
    slopes = Slopes(grid)
    for _ in range(6):
        luma = 64 * generator.integers(-200, 200, grid.blocks).astype(np.float32)
        slopes.add(slope * luma, luma)
    wave = 64 * generator.integers(-200, 200, grid.blocks).astype(np.float32)
    here, around, plain = slopes.basis(wave) / 2**SLOPE_BITS
    assert np.array_equal(plain, wave)
    for found in (here, around):
        assert np.abs(found - slope * wave).max() <= np.abs(wave).max() / 2**SLOPE_BITS
    assert np.abs(chroma_mean(np.array([2.0**12, 0, 0]), slopes.basis(wave)) - here).max() <= 0.5


def test_slopes_are_bounded_and_0_before_anything_is_known() -> None:
    slopes = Slopes(Grid(2, 2))
    wave = np.full(4, 2.0**24, np.float32)
    assert not slopes.basis(wave)[:2].any()
    slopes.add(wave, np.full(4, 64, np.float32))
    here, around, _ = slopes.basis(np.full(4, 1, np.float32))
    assert (here <= LARGEST_SLOPE).all() and (around <= LARGEST_SLOPE).all() and here.max() == LARGEST_SLOPE


def patches(seed: int) -> np.ndarray:
    """Return one texture whose colour changes from patch to patch: over all patches colour and luma do not correlate."""
    generator = np.random.default_rng(seed)
    texture = generator.standard_normal((SIDE, SIDE))
    row, column = np.mgrid[:SIDE, :SIDE] // 48
    tint = np.where((row + column) % 2 == seed % 2, 1.0, -1.0)
    return np.stack([texture * (1 + 0.8 * tint), texture, texture * (1 - 0.8 * tint)], -1) * 20 + 127.5


def test_colours_that_change_from_place_to_place_need_fewer_bits() -> None:
    pictures = [patches(seed) for seed in range(4)]
    transform: Transform = fit_transform([(picture - CENTRE) / SPAN for picture in pictures])
    planes = planes_of(transform, pictures, 0.08)

    def bits(order: np.ndarray | None) -> float:
        fit = Fit(planes, Grid(SIDE // 16, SIDE // 16, 4), order=order)
        rules, tables = fit.run()
        assert len(rules.chroma) == (0 if order is None else rules.planes) and not rules.chroma[:PREDICTED].any()
        return float((fit.counts * tables.bits).sum())

    assert bits(transform.order) < 0.85 * bits(None)
