"""Tables of probabilities: whole counts that sum to 2^20, near to what was counted."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.compression.coding.model import CodecModel
from sciml.compression.entropy.rules import CLASSES
from sciml.compression.entropy.tables import BANDS, LARGEST_SYMBOL, TOTAL, Tables, band_of, symmetric_sizes
from sciml.runtime.errors import FormatError

SYMBOLS = 2 * LARGEST_SYMBOL + 1


def entropy(counts: np.ndarray) -> float:
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


def laplacian(scales: np.ndarray) -> np.ndarray:
    """Return expected counts of rounded Laplacian numbers, of these mean sizes, large ones all at the ends."""
    symbols = np.abs(np.arange(-LARGEST_SYMBOL, LARGEST_SYMBOL + 1))
    weights = np.exp(-symbols / scales[..., None])
    return np.round(1e7 * weights / weights.sum(-1, keepdims=True))


def check(tables: Tables) -> None:
    assert tables.counts.shape == (BANDS, CLASSES, SYMBOLS)
    assert (tables.counts.sum(-1) == TOTAL).all()
    assert tables.counts.min() >= 1
    assert np.array_equal(tables.counts, tables.counts[..., ::-1])
    assert np.allclose(tables.bits, -np.log2(tables.counts / TOTAL))


def test_tables_of_a_fitted_model(colour_model: CodecModel, grey_model: CodecModel) -> None:
    for item in (*colour_model.sets, *grey_model.sets):
        check(item.tables)


CASES = {
    "nothing counted": np.zeros((BANDS, CLASSES, SYMBOLS)),
    "laplacian": laplacian(np.geomspace(0.05, 30, BANDS * CLASSES).reshape(BANDS, CLASSES)),
    "all 0": np.tile(1e9 * (np.arange(SYMBOLS) == LARGEST_SYMBOL), (BANDS, CLASSES, 1)),
    "never 0": np.tile(1e9 * (np.arange(SYMBOLS) != LARGEST_SYMBOL), (BANDS, CLASSES, 1)),
    "all large": np.tile(1e9 * (np.arange(SYMBOLS) == 0), (BANDS, CLASSES, 1)),
    "one sign": np.tile(1e9 * (np.arange(SYMBOLS) > 60), (BANDS, CLASSES, 1)),
}


@pytest.mark.parametrize("counts", CASES.values(), ids=CASES)
def test_any_counts_give_tables(counts: np.ndarray) -> None:
    check(Tables(symmetric_sizes(counts)))


def test_tables_lose_less_than_a_hundredth_bit_where_much_was_counted() -> None:
    counts = CASES["laplacian"]
    tables = Tables(symmetric_sizes(counts))
    for band, of_class in np.ndindex(BANDS, CLASSES):
        row = counts[band, of_class]
        assert (row * tables.bits[band, of_class]).sum() / row.sum() - entropy(row) <= 0.01


def test_a_class_that_was_never_seen_leans_to_its_band() -> None:
    counts = CASES["laplacian"].copy()
    counts[:, 7] = 0
    tables = Tables(symmetric_sizes(counts))
    band = counts.sum(1)
    assert ((band * tables.bits[:, 7]).sum(-1) / band.sum(-1) < np.log2(SYMBOLS)).all()


def test_bands_of_planes() -> None:
    assert [band_of(plane) for plane in (0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 767)] == [
        *(0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7)
    ]


@pytest.mark.parametrize("value", [0, -1, 2**19])
def test_tables_without_a_probability_are_refused(value: int) -> None:
    sizes = np.ones((BANDS, CLASSES, LARGEST_SYMBOL), np.int64)
    Tables(sizes)
    sizes[3, 4, 5] = value
    with pytest.raises(FormatError, match="without probability"):
        Tables(sizes)


@pytest.mark.parametrize("shape", [(BANDS, CLASSES, LARGEST_SYMBOL - 1), (BANDS - 1, CLASSES, LARGEST_SYMBOL), (0, 0, 0)])
def test_tables_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(FormatError):
        Tables(np.ones(shape, np.int64))
