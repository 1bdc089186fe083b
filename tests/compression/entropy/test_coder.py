"""Symbols survive the range coder, cost what the tables say, and hostile words never do more than raise FormatError."""

from __future__ import annotations

import time

import numpy as np
import pytest
import reference_decoder as reference
from constriction import stream
from hypothesis import given, settings
from hypothesis import strategies as st

from sciml.compression.coding.model import CodecModel
from sciml.compression.entropy.coder import Reader, Writer, by_class
from sciml.compression.entropy.rules import CLASSES
from sciml.compression.entropy.tables import BAND_BOUNDS, LARGEST_SYMBOL, Tables, band_of
from sciml.runtime.errors import FormatError

MOST = 2**17 - 1 + LARGEST_SYMBOL
PLANES = (0, *BAND_BOUNDS, 400)
Passes = list[tuple[int, np.ndarray, np.ndarray]]


@pytest.fixture(scope="module")
def tables(colour_model: CodecModel) -> Tables:
    return colour_model.sets[1].tables


def coded(tables: Tables, passes: Passes) -> bytes:
    writer = Writer(tables)
    for plane, classes, symbols in passes:
        writer.put(plane, classes, symbols)
    return writer.bytes()


def ideal_bits(tables: Tables, passes: Passes) -> float:
    total = 0.0
    for plane, classes, symbols in passes:
        size = np.abs(symbols)
        clipped = np.clip(symbols, -LARGEST_SYMBOL, LARGEST_SYMBOL).astype(int) + LARGEST_SYMBOL
        total += tables.bits[band_of(plane)][classes, clipped].sum()
        total += (2 * np.floor(np.log2(size[size >= LARGEST_SYMBOL] - LARGEST_SYMBOL + 1)) + 1).sum()
    return total


def check(tables: Tables, passes: Passes) -> None:
    layer = coded(tables, passes)
    assert 8 * len(layer) <= 1.004 * ideal_bits(tables, passes) + 64
    reader = Reader(tables, layer)
    for plane, classes, symbols in passes:
        assert np.array_equal(reader.get(plane, classes), symbols)


@st.composite
def some_passes(draw) -> Passes:
    found = []
    for _ in range(draw(st.integers(0, 6))):
        size = draw(st.integers(0, 30))
        small = st.integers(-3, 3)
        large = st.integers(LARGEST_SYMBOL - 2, MOST).map(float) | st.sampled_from([LARGEST_SYMBOL, LARGEST_SYMBOL + 1, MOST])
        symbols = draw(st.lists(small | small | large | large.map(lambda value: -value), min_size=size, max_size=size))
        classes = draw(st.lists(st.integers(0, CLASSES - 1), min_size=size, max_size=size))
        found.append((draw(st.sampled_from(PLANES)), np.array(classes, np.intp), np.array(symbols, float)))
    return found


@settings(max_examples=60, deadline=None)
@given(passes=some_passes())
def test_symbols_come_back_at_the_price_of_the_tables(tables: Tables, passes: Passes) -> None:
    check(tables, passes)


@pytest.mark.parametrize("symbol", [0, 1, -1, 39, 40, -40, 41, 42, -43, 71, MOST, -MOST])
def test_one_block(tables: Tables, symbol: int) -> None:
    check(tables, [(5, np.array([3]), np.array([float(symbol)]))])


def test_a_layer_without_symbols_has_no_bytes(tables: Tables) -> None:
    assert coded(tables, []) == b""
    assert coded(tables, [(0, np.zeros(0, np.intp), np.zeros(0))]) == b""


def test_much_of_what_the_tables_expect_costs_its_ideal_length(tables: Tables) -> None:
    generator = np.random.default_rng(0)
    passes: Passes = []
    for plane in (0, 2, 20, 70):
        classes = generator.integers(0, CLASSES, 5000)
        shares = tables.counts[band_of(plane)][classes].cumsum(-1) / 2**20
        symbols = (generator.uniform(size=(5000, 1)) > shares).sum(-1) - LARGEST_SYMBOL
        passes.append((plane, classes, symbols.astype(float)))
    check(tables, passes)


def test_blocks_are_coded_class_by_class() -> None:
    order, groups = by_class(np.array([5, 0, 5, 39, 0]))
    assert (order.tolist(), groups) == ([1, 4, 0, 2, 3], [(0, 0, 2), (5, 2, 4), (39, 4, 5)])
    order, groups = by_class(np.zeros(0, np.intp))
    assert (order.tolist(), groups) == ([], [])


@pytest.mark.parametrize("size", [1, 2, 3, 5, 4095])
def test_a_layer_of_broken_words_is_refused(tables: Tables, size: int) -> None:
    with pytest.raises(FormatError, match="32-bit words"):
        Reader(tables, bytes(size))


def hostile_layers(good: bytes, generator: np.random.Generator) -> list[bytes]:
    """Return damaged copies of a layer, and layers of other words."""
    layers = [b"", b"\xff" * 4, b"\xff" * 8, b"\xff" * 64, bytes(64), b"\xff" * 8 + bytes(32)]
    for _ in range(150):
        words = np.frombuffer(good, np.uint32).copy()
        words[generator.integers(len(words), size=generator.integers(1, 4))] ^= np.uint32(1 << generator.integers(32))
        layers.append(words[: generator.integers(len(words)) + 1].tobytes())
        layers.append(generator.bytes(4 * int(generator.integers(0, 40))))
        layers.append(b"\xff" * 4 + generator.bytes(4 * int(generator.integers(0, 40))))
    return layers


def test_hostile_words_give_format_errors_or_symbols(tables: Tables) -> None:
    generator = np.random.default_rng(1)
    passes = [(plane, generator.integers(0, CLASSES, 40), np.round(generator.standard_cauchy(40))) for plane in PLANES]
    good = coded(tables, passes)
    refused, layers = 0, hostile_layers(good, generator)
    start = time.process_time()
    for layer in layers:
        reader = Reader(tables, layer)
        try:
            for plane, classes, _ in passes:
                symbols = reader.get(plane, classes)
                assert np.abs(symbols).max() < 2**18
                assert np.array_equal(symbols, np.round(symbols))
        except FormatError as error:
            refused += 1
            assert error.__cause__ is None or isinstance(error.__cause__, AssertionError)
    assert 0 < refused < len(layers)
    assert time.process_time() - start < 10


def test_a_remainder_without_end_is_refused(tables: Tables) -> None:
    encoder = stream.queue.RangeEncoder()
    encoder.encode(np.array([2 * LARGEST_SYMBOL], np.int32), tables.model(0, 0))
    encoder.encode(np.zeros(60, np.int32), stream.model.Uniform(2))
    with pytest.raises(FormatError, match="passes 2"):
        Reader(tables, encoder.get_compressed().astype("<u4").tobytes()).get(0, np.array([0]))


def random_counts(generator: np.random.Generator) -> np.ndarray:
    """Return counts of 2^20 of 2 to 90 symbols, from even to as uneven as can be."""
    size = int(generator.integers(2, 90))
    counts = 1 + np.floor(generator.dirichlet(np.full(size, generator.choice([0.02, 0.3, 5.0]))) * (2**20 - size)).astype(int)
    counts[generator.integers(size)] += 2**20 - counts.sum()
    return counts


def test_the_decoder_in_python_reads_a_thousand_streams_alike() -> None:
    generator = np.random.default_rng(2)
    for number in range(1000):
        counts = random_counts(generator)
        size = int(generator.integers(0, 40))
        shares = counts / 2**20 if number % 2 else None
        symbols = generator.choice(len(counts), size, p=shares).astype(np.int32)
        coins = generator.integers(0, 2, size, dtype=np.int32)
        encoder = stream.queue.RangeEncoder()
        model = stream.model.Categorical(counts / 2**20, perfect=False)
        for start in range(0, size, 7):
            encoder.encode(symbols[start : start + 7], model)
            encoder.encode(coins[start : start + 7], stream.model.Uniform(2))
        decoder, ends = reference.RangeDecoder(encoder.get_compressed().tolist()), reference.left_ends(counts.tolist())
        found: list[int] = []
        for start in range(0, size, 7):
            part = slice(start, start + 7)
            found = [decoder.symbol(ends) for _ in symbols[part]]
            assert found == symbols[part].tolist()
            assert [decoder.symbol(reference.COIN) for _ in coins[part]] == coins[part].tolist()


def test_the_decoder_in_python_reads_hostile_words_alike() -> None:
    generator = np.random.default_rng(3)
    refused = 0
    for number in range(150):
        counts = random_counts(generator)
        words = generator.integers(0, 2**32, 12, dtype=np.uint32)
        words[: number % 4] = 2**32 - 1
        words = words[: generator.integers(0, 13)]
        model, ends = stream.model.Categorical(counts / 2**20, perfect=False), reference.left_ends(counts.tolist())
        fast, slow = stream.queue.RangeDecoder(words), reference.RangeDecoder(words.tolist())
        for _ in range(60):
            try:
                expected = int(fast.decode(model))
            except AssertionError:
                with pytest.raises(ValueError, match="these tables"):
                    slow.symbol(ends)
                refused += 1
                break
            assert slow.symbol(ends) == expected
    assert refused
