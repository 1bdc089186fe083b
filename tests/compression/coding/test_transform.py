"""The transform is orthonormal and inverts; its factors are what the equations say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.fft import dctn
from tiny_models import CENTRE, SPAN, texture

from sciml.compression.coding.transform import (
    BLOCK,
    HALF,
    Transform,
    block_dct,
    dct_matrix,
    fit_transform,
    inverse_block_dct,
    lap,
    lapping_matrix,
)

SIZES = [(16, 16), (16, 48), (48, 16), (64, 32), (160, 96)]
every_size = pytest.mark.parametrize(("rows", "columns"), SIZES)
every_count = pytest.mark.parametrize("channels", [1, 3, 5])


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def random_transform(channels: int) -> Transform:
    generator = np.random.default_rng(channels)
    rotation = np.linalg.qr(generator.standard_normal((channels, channels)))[0].astype(np.float32)
    return Transform(rotation, generator.permutation(256 * channels))


@every_count
@every_size
def test_squares_are_kept_and_the_inverse_is_exact(rows: int, columns: int, channels: int) -> None:
    transform, picture = random_transform(channels), noise(rows, columns, channels)
    planes = transform.forward(picture)
    assert planes.shape == (256 * channels, rows // BLOCK, columns // BLOCK)
    assert np.square(planes, dtype=np.float64).sum() == pytest.approx(np.square(picture, dtype=np.float64).sum(), rel=1e-5)
    assert np.abs(transform.inverse(planes) - picture).max() < 1e-5


@every_count
def test_the_inverse_is_the_transpose(channels: int) -> None:
    transform, picture = random_transform(channels), noise(48, 32, channels)
    planes = noise(256 * channels, 3, 2, seed=1)
    left = np.vdot(transform.forward(picture).astype(np.float64), planes)
    assert left == pytest.approx(np.vdot(picture.astype(np.float64), transform.inverse(planes)), abs=1e-3)


@every_size
def test_the_blocks_are_those_of_scipy(rows: int, columns: int) -> None:
    picture = noise(2, rows, columns)
    planes = block_dct(picture)
    for channel, row, column in np.ndindex(2, rows // BLOCK, columns // BLOCK):
        block = picture[channel, BLOCK * row : BLOCK * (row + 1), BLOCK * column : BLOCK * (column + 1)]
        found = planes[256 * channel : 256 * (channel + 1), row, column].reshape(BLOCK, BLOCK)
        assert np.abs(found - dctn(block.astype(np.float64), norm="ortho")).max() < 1e-5
    assert np.abs(inverse_block_dct(planes) - picture).max() < 1e-5


@pytest.mark.parametrize("matrix", [lapping_matrix, dct_matrix], ids=["lapping", "dct"])
def test_matrices_are_orthonormal(matrix) -> None:
    exact = matrix().astype(np.float64)
    assert np.abs(exact @ exact.T - np.eye(BLOCK)).max() < 1e-6


def test_lapping_keeps_the_sum_of_mirrored_pairs_of_a_line() -> None:
    # B splits into even and odd parts, P leaves the even part
    line = noise(BLOCK).astype(np.float64)
    even = line + line[::-1]
    lapped = lapping_matrix().astype(np.float64) @ line
    assert np.abs(lapped + lapped[::-1] - even).max() < 1e-5


@every_size
def test_lapping_leaves_the_outer_samples_and_undoes_itself(rows: int, columns: int) -> None:
    picture = noise(2, rows, columns)
    lapped = lap(picture)
    if columns > BLOCK and rows > BLOCK:
        assert not np.array_equal(lapped, picture)
    corner = np.s_[:, :HALF, :HALF], np.s_[:, :HALF, -HALF:], np.s_[:, -HALF:, :HALF], np.s_[:, -HALF:, -HALF:]
    for part in corner:
        assert np.array_equal(lapped[part], picture[part])
    # along an outer row only the columns are filtered: its squares stay
    for part in (np.s_[:, :HALF], np.s_[:, -HALF:]):
        assert np.square(lapped[part]).sum() == pytest.approx(np.square(picture[part]).sum(), rel=1e-5)
    assert np.abs(lap(lapped, inverse=True) - picture).max() < 1e-5


def test_lapping_reaches_eight_samples_over_a_border() -> None:
    picture = noise(1, 48, 16)
    changed = picture.copy()
    changed[:, 20:28] += 1
    difference = np.abs(lap(changed) - lap(picture)).max((0, 2))
    assert not difference[:HALF].any()
    assert difference[HALF:40].all()
    assert not difference[40:].any()


@every_count
def test_planes_are_sorted_by_energy_and_colours_are_uncorrelated(channels: int) -> None:
    pictures = [(texture(64, 96, channels, seed) - CENTRE) / SPAN for seed in range(3)]
    transform = fit_transform(pictures)
    energy = np.mean([np.square(transform.forward(picture)).mean((1, 2)) for picture in pictures], 0)
    assert (np.diff(energy) <= 1e-6 * energy[0]).all()
    assert np.array_equal(np.sort(transform.order), np.arange(256 * channels))
    assert np.abs(transform.colour @ transform.colour.T - np.eye(channels)).max() < 1e-5
    rotated = np.concatenate([picture.reshape(-1, channels) for picture in pictures]) @ transform.colour.T
    covariance = np.cov(rotated, rowvar=False).reshape(channels, channels)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 1e-3 * covariance.max()
    again = fit_transform(pictures)
    assert np.array_equal(again.colour, transform.colour)
    assert np.array_equal(again.order, transform.order)
