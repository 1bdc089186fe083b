"""Symbols of a pass to bytes and back, with tables that learn from what was coded.

A residual r of expected size s belongs to a class t, 2^(1/4) wide. Above class 48 its lowest bits are coded as they are, one
more each fourth class, so that 49 tables serve residuals of any size. A table is chosen by class and by the fraction of the
predicted mean, on which side of the level it lies; its counts begin with those of the model and take up every pass.
"""

from __future__ import annotations

import numpy as np
from constriction import stream  # pyright: ignore[reportAttributeAccessIssue] - made by the extension
from jaxtyping import Float, Int

from sciml.compression.entropy.coder import by_class
from sciml.runtime.errors import FormatError

TOTAL = 2**20
LARGEST = 40
SYMBOLS = 2 * LARGEST + 1
TABLES = 49
FRACTIONS = 4
# of classes whose low bits are apart
PERIOD = 4
CLASSES = TABLES + PERIOD * 32
# E|r| = 2^-9 begins class 1
FINEST = -9
THRESHOLDS = np.floor(2.0 ** (16 + FINEST + np.arange(CLASSES - 1) / 4) + 0.5)
MOST_BITS = 34
CHUNK = 12
# how much the model's counts weigh beside those of the picture
PRIOR = 2048


class Tables:
    """Counts of symbols by class and fraction, beginning with a model's.

    Args:
        prior: counts that add up to 2^20.
    """

    def __init__(self, prior: Int[np.ndarray, "tables fractions symbols"]):
        self._prior = prior.astype(np.int64).reshape(-1, SYMBOLS)
        self._seen = np.zeros_like(self._prior)
        self._models: dict[int, stream.model.Categorical] = {}

    def model(self, key: int) -> stream.model.Categorical:
        """Return the coder's model of class x 4 + fraction; the probabilities are exact in float64."""
        if key not in self._models:
            counts = table_of(self._prior[key], self._seen[key])
            self._models[key] = stream.model.Categorical(counts / TOTAL, perfect=False)
        return self._models[key]

    def learn(self, keys: Int[np.ndarray, " symbols"], symbols: Int[np.ndarray, " symbols"]) -> None:
        """Take up the symbols of a pass, 0 to 80."""
        found = np.bincount(keys * SYMBOLS + symbols, minlength=self._seen.size).reshape(self._seen.shape)
        self._seen += found
        for key in np.flatnonzero(found.any(1)).tolist():
            self._models.pop(key, None)


def table_of(prior: Int[np.ndarray, " symbols"], seen: Int[np.ndarray, " symbols"]) -> Int[np.ndarray, " symbols"]:
    """Return counts of 2^20, each at least 1: the model's with the weight of `PRIOR` symbols, and what was seen."""
    mixed = prior + seen * (TOTAL // PRIOR)
    counts = 1 + mixed * (TOTAL - len(prior)) // mixed.sum()
    counts[counts.argmax()] += TOTAL - counts.sum()
    return counts


class Split:
    """A residual's class and fraction, as tables and low bits.

    Args:
        classes: class of each residual.
        fractions: mean less its nearest level in 1/64 of a level (times the step): -32 to 32.
    """

    def __init__(self, classes: Int[np.ndarray, " symbols"], fractions: Float[np.ndarray, " symbols"]):
        over = np.maximum(classes - (TABLES - 1), 0)
        self.shifts = (over + PERIOD - 1) // PERIOD
        sides = np.minimum(np.abs(fractions).astype(np.int64) // 8, FRACTIONS - 1)
        self.keys = (classes - PERIOD * self.shifts) * FRACTIONS + np.where(self.shifts > 0, 0, sides)
        self.signs = np.where((fractions < 0) & (self.shifts == 0), -1, 1)
        self.order, self.groups = by_class(self.keys)
        self.shifted = {
            int(shift): np.flatnonzero(self.shifts == shift) for shift in np.unique(self.shifts[self.shifts > 0]).tolist()
        }


class Writer:
    """Codes into one layer."""

    def __init__(self, tables: Tables):
        self.tables = tables
        self._encoder = stream.queue.RangeEncoder()

    def put(
        self,
        classes: Int[np.ndarray, " symbols"],
        fractions: Float[np.ndarray, " symbols"],
        residuals: Int[np.ndarray, " symbols"],
    ) -> None:
        """Code the residuals of a pass."""
        split = Split(classes, fractions)
        halves = (1 << split.shifts) >> 1
        moved = residuals * split.signs + halves
        symbols = moved >> split.shifts
        clipped = (symbols.clip(-LARGEST, LARGEST) + LARGEST).astype(np.int32)
        in_order = clipped[split.order]
        for key, start, stop in split.groups:
            self._encoder.encode(in_order[start:stop], self.tables.model(key))
        for shift, where in split.shifted.items():
            self.bits(moved[where] & ((1 << shift) - 1), shift)
        large = np.flatnonzero(np.abs(symbols) >= LARGEST)
        if len(large):
            rest = np.abs(symbols[large]) - LARGEST
            lengths = np.frexp(rest.astype(np.float64))[1]
            self._encoder.encode(lengths.astype(np.int32), stream.model.Uniform(MOST_BITS + 1))
            for length in np.unique(lengths[lengths > 1]).tolist():
                # the highest bit is known
                self.bits(rest[lengths == length] & ((1 << (length - 1)) - 1), length - 1)
        self.tables.learn(split.keys, clipped)

    def bits(self, values: Int[np.ndarray, " values"], count: int) -> None:
        """Code whole numbers of so many bits as they are, the lowest 12 of all first."""
        for low in range(0, count, CHUNK):
            size = min(CHUNK, count - low)
            self._encoder.encode(((values >> low) & ((1 << size) - 1)).astype(np.int32), uniform(size))

    def bytes(self) -> bytes:
        """Return the layer."""
        return self._encoder.get_compressed().astype("<u4").tobytes()


class Reader:
    """Reads what a `Writer` coded.

    Raises:
        FormatError: the layer is no whole number of 32-bit words.
    """

    def __init__(self, tables: Tables, layer: bytes | memoryview):
        if len(layer) % 4:
            raise FormatError(f"a layer of {len(layer)} bytes is no whole number of 32-bit words: the file is damaged")
        self.tables = tables
        self._decoder = stream.queue.RangeDecoder(np.frombuffer(layer, "<u4").astype(np.uint32))

    def get(self, classes: Int[np.ndarray, " symbols"], fractions: Float[np.ndarray, " symbols"]) -> Int[np.ndarray, " symbols"]:
        """Return the residuals of a pass.

        Raises:
            FormatError: the words do not come from these tables.
        """
        split = Split(classes, fractions)
        in_order = np.empty(len(classes), np.int64)
        try:
            for key, start, stop in split.groups:
                in_order[start:stop] = self._decoder.decode(self.tables.model(key), stop - start)
            clipped = np.empty(len(classes), np.int64)
            clipped[split.order] = in_order
            low = np.zeros(len(classes), np.int64)
            for shift, where in split.shifted.items():
                low[where] = self.bits(len(where), shift)
            symbols = clipped - LARGEST
            large = np.flatnonzero(np.abs(symbols) == LARGEST)
            if len(large):
                lengths = self._decoder.decode(stream.model.Uniform(MOST_BITS + 1), len(large)).astype(np.int64)
                rest = (lengths > 0).astype(np.int64)
                for length in np.unique(lengths[lengths > 1]).tolist():
                    where = lengths == length
                    rest[where] = self.bits(int(where.sum()), length - 1) + (1 << (length - 1))
                symbols[large] += np.sign(symbols[large]) * rest
        except AssertionError as error:
            raise FormatError("the coded symbols fit no table: the file is damaged") from error
        self.tables.learn(split.keys, clipped)
        halves = (1 << split.shifts) >> 1
        # what a hostile file adds up to stays a number of 64 bits
        whole = symbols.clip(-(2**62) >> split.shifts, 2**62 >> split.shifts) << split.shifts
        return (whole + low - halves) * split.signs

    def bits(self, count: int, size: int) -> Int[np.ndarray, " values"]:
        """Return so many whole numbers of `size` bits.

        Raises:
            FormatError: the words hold none.
        """
        values = np.zeros(count, np.int64)
        try:
            for low in range(0, size, CHUNK):
                values |= self._decoder.decode(uniform(min(CHUNK, size - low)), count).astype(np.int64) << low
        except AssertionError as error:
            raise FormatError("the coded bits fit no table: the file is damaged") from error
        return values


def uniform(size: int) -> stream.model.Uniform:
    """Return the coder's model of whole numbers of so many bits, from 1 to 12."""
    return stream.model.Uniform(1 << size)
