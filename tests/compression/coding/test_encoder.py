"""The encoder's choice: nearest values where bits are free, fewer bits and more error as they cost more."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_models import texture

from sciml.compression.coding.model import CodecModel
from sciml.compression.coding.symbol_choice import LAMBDA, Chooser
from sciml.compression.coding.tile_coding import CodedTile, encode_planes, tile_planes
from sciml.compression.entropy.context import VALUE_UNITS
from sciml.compression.entropy.tables import LARGEST_SYMBOL, band_of


@pytest.fixture(scope="module")
def planes(colour_model: CodecModel) -> np.ndarray:
    return tile_planes(colour_model, texture(128, 96, seed=5), 0, 0, 128, 96)


def squared_error(tile: CodedTile, planes: np.ndarray, step: float) -> np.ndarray:
    """Return the squared error of every block, of all planes."""
    values = np.zeros_like(planes)
    values[: len(tile.values)] = tile.values * (step / VALUE_UNITS)
    return np.square(values - planes, dtype=np.float64).sum(0)


@pytest.mark.parametrize("plane", [0, 6, 30])
def test_without_a_price_of_bits_the_nearest_value_is_chosen(colour_model: CodecModel, plane: int) -> None:
    chosen = colour_model.sets[1]
    generator = np.random.default_rng(plane)
    wanted = generator.uniform(-60, 60, (chosen.rules.planes, 200))
    mean = np.round(generator.uniform(-200, 200, 200))
    chooser = Chooser(wanted, chosen.rules, chosen.tables, 1e-12)
    symbols = chooser(plane, np.arange(200), mean, generator.integers(0, 40, 200))
    every = np.arange(-70.0, 71)
    stands_for = mean[:, None] / VALUE_UNITS + chosen.rules.reconstruct(plane, every) / VALUE_UNITS
    nearest = np.abs(wanted[plane][:, None] - stands_for).min(1)
    found = mean / VALUE_UNITS + chosen.rules.reconstruct(plane, symbols) / VALUE_UNITS
    assert np.abs(np.abs(wanted[plane] - found) - nearest).max() < 1e-9


@pytest.mark.parametrize("weight", [0.02, LAMBDA, 0.4])
def test_the_choice_is_the_best_of_all_symbols_between_0_and_the_value(colour_model: CodecModel, weight: float) -> None:
    chosen, plane = colour_model.sets[0], 12
    generator = np.random.default_rng(3)
    wanted = generator.laplace(0, 2, (chosen.rules.planes, 300))
    classes = generator.integers(0, 40, 300)
    chooser = Chooser(wanted, chosen.rules, chosen.tables, weight)
    symbols = chooser(plane, np.arange(300), np.zeros(300), classes)
    every = np.arange(-30, 31)
    bits = chosen.tables.bits[band_of(plane)][classes][:, every + LARGEST_SYMBOL]
    cost = (wanted[plane][:, None] - chosen.rules.reconstruct(plane, every.astype(float)) / VALUE_UNITS) ** 2 + weight * bits
    found = cost[np.arange(300), symbols.astype(int) + 30]
    # three candidates are enough nearly always
    assert (found <= cost.min(1) + 1e-9).mean() > 0.97
    assert chooser.bits[plane] == pytest.approx(bits[np.arange(300), symbols.astype(int) + 30].sum())
    assert np.array_equal(chooser.symbols[plane], symbols)


def test_bits_fall_and_errors_rise_with_the_price_of_bits(colour_model: CodecModel, planes: np.ndarray) -> None:
    tiles = [encode_planes(colour_model, 1, 0.15, planes, weight, bytes_too=False) for weight in np.geomspace(0.01, 1.5, 10)]
    bits = [tile.bits.sum() for tile in tiles]
    errors = [squared_error(tile, planes, 0.15).sum() for tile in tiles]
    assert (np.diff(bits) < 0).all()
    assert (np.diff(errors) > 0).all()
    assert bits[0] > 1.3 * bits[-1]


def test_counted_bits_are_those_of_the_bytes(colour_model: CodecModel, planes: np.ndarray) -> None:
    tile = encode_planes(colour_model, 0, 0.4, planes)
    size = sum(map(len, tile.layers))
    assert len(tile.layers) == 3
    assert abs(8 * size - tile.bits.sum()) <= 0.004 * tile.bits.sum() + 64 * len(tile.layers)
    counted = encode_planes(colour_model, 0, 0.4, planes, bytes_too=False)
    assert counted.layers == ()
    assert np.array_equal(counted.bits, tile.bits)
    assert np.array_equal(counted.symbols, tile.symbols)


def test_care_moves_bits_to_where_it_is(colour_model: CodecModel, planes: np.ndarray) -> None:
    rows, columns = planes.shape[1:]
    weight = np.full((rows, columns), LAMBDA)
    weight[:, : columns // 2] /= 6
    weight[:, columns // 2 :] *= 4
    plain, cared = (encode_planes(colour_model, 1, 0.15, planes, value) for value in (LAMBDA, weight))
    before, after = squared_error(plain, planes, 0.15), squared_error(cared, planes, 0.15)
    left, right = np.s_[:, : columns // 2], np.s_[:, columns // 2 :]
    assert after[left].sum() < 0.9 * before[left].sum()
    assert after[right].sum() > 1.2 * before[right].sum()
    assert (cared.symbols[:, *left] != 0).sum() > (plain.symbols[:, *left] != 0).sum()
    assert (cared.symbols[:, *right] != 0).sum() < (plain.symbols[:, *right] != 0).sum()
