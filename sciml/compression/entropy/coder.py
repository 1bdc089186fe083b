"""Symbols of one pass to bytes and back: range coding, class by class, then the remainders of large symbols."""

from __future__ import annotations

import numpy as np
from constriction import stream  # pyright: ignore[reportAttributeAccessIssue] - made by the extension
from jaxtyping import Float, Int

from sciml.compression.entropy.groups import Groups
from sciml.compression.entropy.tables import LARGEST_SYMBOL, Tables, band_of
from sciml.runtime.errors import FormatError

# remainders below 2^17 have at most 17 leading zeros
MOST_ZEROS = 17
BIT = stream.model.Uniform(2)


class Writer:
    """Codes symbols into one layer."""

    def __init__(self, tables: Tables):
        self.tables = tables
        self._encoder = stream.queue.RangeEncoder()

    def put(self, plane: int, classes: Int[np.ndarray, " blocks"], symbols: Float[np.ndarray, " blocks"]) -> None:
        """Code the symbols of a pass."""
        band = band_of(plane)
        order, groups = by_class(classes)
        clipped = (symbols[order].clip(-LARGEST_SYMBOL, LARGEST_SYMBOL) + LARGEST_SYMBOL).astype(np.int32)
        for of_class, start, stop in groups:
            self._encoder.encode(clipped[start:stop], self.tables.model(band, of_class))
        size = np.abs(symbols)
        if size.max(initial=0) >= LARGEST_SYMBOL:
            for remainder in (size[size >= LARGEST_SYMBOL] - LARGEST_SYMBOL).astype(int).tolist():
                self._remainder(remainder)

    def put_words(
        self, groups: Groups, group: int, classes: Int[np.ndarray, " blocks"], words: Int[np.ndarray, " blocks"]
    ) -> None:
        """Code the words of a pass."""
        order, parts = by_class(classes)
        numbers = words[order].astype(np.int32)
        for of_class, start, stop in parts:
            self._encoder.encode(numbers[start:stop], groups.model(group, of_class))

    def _remainder(self, value: int) -> None:
        """Exp-Golomb: as many zeros as the length of value + 1 has further bits, then value + 1."""
        text = f"{value + 1:b}"
        bits = np.array([*[0] * (len(text) - 1), *map(int, text)], np.int32)
        self._encoder.encode(bits, BIT)

    def bytes(self) -> bytes:
        """Return the layer."""
        return self._encoder.get_compressed().astype("<u4").tobytes()


class Reader:
    """Reads the symbols of one layer.

    Raises:
        FormatError: the layer is no whole number of 32-bit words.
    """

    def __init__(self, tables: Tables, layer: bytes):
        if len(layer) % 4:
            raise FormatError(f"a layer of {len(layer)} bytes is no whole number of 32-bit words: the file is damaged")
        self.tables = tables
        self._decoder = stream.queue.RangeDecoder(np.frombuffer(layer, "<u4").astype(np.uint32))

    def get(self, plane: int, classes: Int[np.ndarray, " blocks"]) -> Float[np.ndarray, " blocks"]:
        """Return the symbols of a pass.

        Raises:
            FormatError: the words do not come from these tables.
        """
        band = band_of(plane)
        order, groups = by_class(classes)
        sorted_symbols = np.empty(len(order))
        try:
            for of_class, start, stop in groups:
                sorted_symbols[start:stop] = self._decoder.decode(self.tables.model(band, of_class), stop - start)
            symbols = np.empty(len(order))
            symbols[order] = sorted_symbols - LARGEST_SYMBOL
            large = np.flatnonzero(np.abs(symbols) == LARGEST_SYMBOL)
            for block in large.tolist():
                symbols[block] += np.sign(symbols[block]) * self._remainder()
        except AssertionError as error:
            raise FormatError("the coded symbols fit no table: the file is damaged") from error
        return symbols

    def get_words(self, groups: Groups, group: int, classes: Int[np.ndarray, " blocks"]) -> Int[np.ndarray, " blocks"]:
        """Return the words of a pass.

        Raises:
            FormatError: the bytes do not come from these tables.
        """
        order, parts = by_class(classes)
        words = np.empty(len(order), np.intp)
        try:
            for of_class, start, stop in parts:
                words[order[start:stop]] = self._decoder.decode(groups.model(group, of_class), stop - start)
        except AssertionError as error:
            raise FormatError("the coded words fit no table: the file is damaged") from error
        return words

    def _remainder(self) -> int:
        zeros = 0
        while not self._decoder.decode(BIT):
            zeros += 1
            if zeros > MOST_ZEROS:
                raise FormatError("a coded symbol passes 2^17: the file is damaged")
        value = 1
        for _ in range(zeros):
            value = 2 * value + int(self._decoder.decode(BIT))
        return value - 1


def by_class(classes: Int[np.ndarray, " blocks"]) -> tuple[Int[np.ndarray, " blocks"], list[tuple[int, int, int]]]:
    """Return the blocks sorted by class (equal classes in order), and class, start and stop of each group of equals."""
    # numbers of one byte are sorted by counting
    order = classes.astype(np.uint8).argsort(kind="stable")
    counts = np.bincount(classes)
    there = counts.nonzero()[0]
    stops = counts[there].cumsum()
    return order, list(zip(there.tolist(), (stops - counts[there]).tolist(), stops.tolist(), strict=True))
