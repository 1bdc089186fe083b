"""The decoder of a tile's layers in whole numbers of Python: slow, without any library, a second reading of the format.

docs/compression_format.md describes the same in words, under "Layers' content". Blocks are (row, column).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Block = tuple[int, int]
LARGEST_SYMBOL = 40
BAND_BOUNDS = (1, 3, 8, 16, 32, 64, 128)
LAYER_BOUNDS = (8, 24, 88)
HIERARCHICAL, PREDICTED = 8, 24
LARGEST_VALUE, LARGEST_MEAN, LARGEST_MAGNITUDE = 2**24, 2**23, 2**12
THRESHOLDS = [round(2 ** (7 + 0.3 * number)) for number in range(39)]
WORD, STATE = 2**32, 2**64
COIN = [0, 2**23, 2**24]


def left_ends(counts: Sequence[int]) -> list[int]:
    """Return where the parts of [0, 2^24) begin that symbols with these counts of 2^20 have, and 2^24.

    Every symbol gets 1, and its share of what is left.
    """
    ends, below = [], 0
    for number, count in enumerate(counts):
        ends.append(((below * (2**24 - len(counts))) >> 20) + number)
        below += count
    return [*ends, 2**24]


class RangeDecoder:
    """Reads symbols from 32-bit words; behind the last word there are zeros.

    The interval [low, low + size) modulo 2^64 holds `point`, the next 64 bits of the stream.
    """

    def __init__(self, words: Sequence[int]):
        self.words, self.place = list(words), 2
        self.low, self.size = 0, STATE - 1
        self.point = self._word(0) * WORD + self._word(1)

    def _word(self, place: int) -> int:
        return self.words[place] if place < len(self.words) else 0

    def symbol(self, ends: Sequence[int]) -> int:
        """Return the number of the part of [0, 2^24) where the point is; ValueError where it is in none."""
        unit = self.size >> 24
        quantile = (self.point - self.low) % STATE // unit
        if quantile >= 2**24:
            raise ValueError("the words do not come from these tables")
        symbol = bisect_right(ends, quantile) - 1
        self.low = (self.low + unit * ends[symbol]) % STATE
        self.size = unit * (ends[symbol + 1] - ends[symbol])
        if self.size < WORD:
            self.low, self.size = self.low * WORD % STATE, self.size * WORD
            self.point = (self.point * WORD + self._word(self.place)) % STATE
            self.place += 1
        return symbol

    def remainder(self) -> int:
        """Return an Exp-Golomb number: n zeros, then n + 1 bits of the number plus 1, each bit half of the range."""
        zeros = 0
        while not self.symbol(COIN):
            zeros += 1
            if zeros > 17:
                raise ValueError("a remainder passes 2^18 - 2")
        value = 1
        for _ in range(zeros):
            value = 2 * value + self.symbol(COIN)
        return value - 1


def mirrored(position: int, step: int, length: int) -> int:
    """Return position + step, or position - step where that is outside, or the position where both are."""
    for there in (position + step, position - step):
        if 0 <= there < length:
            return there
    return position


def passes(rows: int, columns: int, hierarchical: bool) -> Iterator[list[tuple[Block, list[Block]]]]:
    """Yield the passes over a plane: blocks in order, each with its four neighbours (none in the first pass)."""
    step = 8 if hierarchical else 2
    yield [((row, column), []) for row in range(0, rows, step) for column in range(0, columns, step)]
    while step > 1:
        half = step // 2
        corners = [(-half, -half), (-half, half), (half, -half), (half, half)]
        sides = [(half, 0), (-half, 0), (0, half), (0, -half)]
        for steps, wanted in ((corners, {(half, half)}), (sides, {(0, half), (half, 0)})):
            yield [
                ((row, column), [(mirrored(row, a, rows), mirrored(column, b, columns)) for a, b in steps])
                for row in range(rows)
                for column in range(columns)
                if (row % step, column % step) in wanted
            ]
        step = half


def around(block: Block, rows: int, columns: int) -> list[Block]:
    """Return the eight blocks around, row by row; outside, the nearest one inside."""
    return [
        (min(max(block[0] + a, 0), rows - 1), min(max(block[1] + b, 0), columns - 1))
        for a in (-1, 0, 1)
        for b in (-1, 0, 1)
        if (a, b) != (0, 0)
    ]


Read = Callable[[int, list[Block], list[int], list[int]], list[int]]
ReadWords = Callable[[int, list[Block], list[int]], list[int]]


class Planes:
    """What is known of a tile: values in 1/64 of the step, magnitudes in 1/4, as they are decoded.

    Args:
        rules: arrays by name as in a model file, without the set's number.
        rows: of blocks.
        columns: of blocks.
    """

    def __init__(self, rules: Mapping[str, Any], rows: int, columns: int):
        self.rules = {name: values.tolist() for name, values in rules.items()}
        self.rows, self.columns = rows, columns
        self.blocks = [(row, column) for row in range(rows) for column in range(columns)]
        self.scalar = len(self.rules["sources"])
        self.groups = [[plane for plane in planes if plane >= 0] for planes in self.rules.get("group_members", [])]
        self.count = self.scalar + sum(map(len, self.groups))
        self.unknown = empty = dict.fromkeys(self.blocks, 0)
        self.codes = [dict(empty) for _ in range(self.scalar + len(self.groups))]
        self.values = [dict(empty) for _ in range(self.count)]
        self.magnitudes = [dict(empty) for _ in range(self.count)]
        self.followed: dict[int, list[tuple[int, int]]] = {}

    def plane(self, plane: int, read: Read) -> None:
        """Decode a plane; `read` gives the symbols of a pass from the plane, its blocks, their means and classes."""
        for number, item in enumerate(passes(self.rows, self.columns, plane < HIERARCHICAL)):
            blocks = [block for block, _ in item]
            means = [self._mean(plane, number, block, near) for block, near in item]
            classes = [self._class(plane, number, block, near) for block, near in item]
            symbols = read(plane, blocks, means, classes)
            for block, mean, symbol in zip(blocks, means, symbols, strict=True):
                size, sign = abs(symbol), (symbol > 0) - (symbol < 0)
                shift = self.rules["centroids"][plane][min(size, 4) - 1]
                value = mean + sign * (64 * size - shift)
                self.codes[plane][block] = symbol
                self.values[plane][block] = min(max(value, -LARGEST_VALUE), LARGEST_VALUE)
                self.magnitudes[plane][block] = min(4 * size, LARGEST_MAGNITUDE)

        if (pair := self._twin(plane)) is not None:
            self.followed.setdefault(pair[1], []).append((plane, pair[0]))

    def group(self, group: int, read: ReadWords) -> None:
        """Decode a group; `read` gives the words of a pass from the group, its blocks and their classes."""
        planes, weights = self.groups[group], self.rules["group_spread"][group]
        order = passes(self.rows, self.columns, False) if len(weights) == 3 else [[(block, []) for block in self.blocks]]
        for number, item in enumerate(order):
            blocks = [block for block, _ in item]
            classes = [self._group_class(group, number, block, near) for block, near in item]
            for block, word in zip(blocks, read(group, blocks, classes), strict=True):
                self.codes[self.scalar + group][block] = word
                for plane, value in zip(planes, self.rules["group_words"][group][word], strict=False):
                    self.values[plane][block] = value
                    self.magnitudes[plane][block] = min((abs(value) + 8) // 16, LARGEST_MAGNITUDE)

    def _mean(self, plane: int, number: int, block: Block, near: list[Block]) -> int:
        if plane >= PREDICTED:
            return self._chroma_mean(plane, block)
        features = [1]
        for source in range(16):
            known = self.values[source] if source < plane else self.unknown
            features += [known[block], *(known[other] for other in around(block, self.rows, self.columns))]
        features += [self.values[plane][other] for other in near] or [0] * 4
        total = sum(w * f for w, f in zip(self.rules["mean"][plane][number], features, strict=True))
        return min(max((total + 2**11) >> 12, -LARGEST_MEAN), LARGEST_MEAN)

    def _twin(self, plane: int) -> tuple[int, int] | None:
        twin, channel = self.rules.get("twins", [])[plane] if self.rules.get("twins") else (-1, 0)
        return None if twin < 0 else (twin, channel)

    def _chroma_mean(self, plane: int, block: Block) -> int:
        if (pair := self._twin(plane)) is None:
            return 0
        luma = self._bounded(pair[0], block)
        features = []
        for places in ([block], [block, *around(block, self.rows, self.columns)]):
            known = [(c, y, place) for c, y in self.followed.get(pair[1], []) for place in places]
            products = sum(self._bounded(c, place) * self._bounded(y, place) for c, y, place in known)
            squares = sum(self._bounded(y, place) ** 2 for _, y, place in known)
            features.append(min(max((products * 256) // (squares + 4096), -1024), 1024) * luma)
        features.append(256 * luma)
        total = sum(w * f for w, f in zip(self.rules["chroma"][plane], features, strict=True))
        return min(max((total + 2**19) >> 20, -LARGEST_MEAN), LARGEST_MEAN)

    def _bounded(self, plane: int, block: Block) -> int:
        return min(max(self.values[plane][block], -(2**15)), 2**15)

    def _class(self, plane: int, number: int, block: Block, near: list[Block]) -> int:
        kind, row = ("first", plane) if plane < HIERARCHICAL else ("rest", plane - HIERARCHICAL)
        weights, floor = self.rules[f"spread_{kind}"][row][number], self.rules[f"floor_{kind}"][row][number]
        features = self._features(range(plane), self.rules["sources"][plane], [plane], block, near)
        spread = max(sum(w * f for w, f in zip(weights, features, strict=True)), floor)
        return bisect_right(THRESHOLDS, spread)

    def _group_class(self, group: int, number: int, block: Block, near: list[Block]) -> int:
        weights, floor = self.rules["group_spread"][group][number], self.rules["group_floor"][group][number]
        earlier = [*range(self.scalar), *(plane for planes in self.groups[:group] for plane in planes)]
        features = self._features(earlier, self.rules["group_sources"][group], self.groups[group], block, near)
        spread = max(sum(w * f for w, f in zip(weights, features, strict=True)), floor)
        return bisect_right(THRESHOLDS, spread) // 2

    def _features(self, earlier: Sequence[int], sources: list[int], own: list[int], block: Block, near: list[Block]) -> list[int]:
        """Return 1, magnitudes of all earlier planes here and around, of the sources here and around, of the own neighbours."""
        others = around(block, self.rows, self.columns)
        here = {source: self.magnitudes[source][block] for source in earlier}
        there = {source: sum(self.magnitudes[source][other] for other in others) for source in earlier}
        features = [1, sum(here.values()), sum(there.values())]
        features += [here[source] if source >= 0 else 0 for source in sources]
        features += [there[source] if source >= 0 else 0 for source in sources]
        return features + ([sum(self.magnitudes[plane][other] for plane in own) for other in near] or [0] * 4)


def decode_tile(arrays: Mapping[str, Any], quality: int, layers: Sequence[bytes], rows: int, columns: int) -> list[list[int]]:
    """Return the codes of a tile, one list of blocks row by row a plane; ValueError where the words fit no table.

    Args:
        arrays: of the model file.
        quality: index of the set, from the file's header.
        layers: bytes of each.
        rows: of blocks, the tile's height over 16, rounded up.
        columns: of blocks.
    """
    rules = {name.removeprefix(f"{quality}."): values for name, values in arrays.items() if name.startswith(f"{quality}.")}
    ends = [[_ends(sizes) for sizes in band] for band in rules.pop("sizes").tolist()]
    words = [
        [left_ends(sizes) for sizes in classes]
        for classes in (rules.pop("group_sizes").tolist() if "group_sizes" in rules else [])
    ]
    tile = Planes(rules, rows, columns)
    firsts = [*range(tile.scalar), *(planes[0] for planes in tile.groups)]
    bounds = [0, *(bisect_left(firsts, bound) for bound in LAYER_BOUNDS if bound <= firsts[-1]), len(firsts)]
    for layer, start, stop in zip(layers, bounds, bounds[1:], strict=False):
        decoder = RangeDecoder([int.from_bytes(layer[place : place + 4], "little") for place in range(0, len(layer), 4)])

        def read(plane: int, blocks: list[Block], means: list[int], classes: list[int], decoder=decoder) -> list[int]:
            tables, symbols = ends[bisect_right(BAND_BOUNDS, plane)], [0] * len(blocks)
            for place in sorted(range(len(blocks)), key=classes.__getitem__):
                symbols[place] = decoder.symbol(tables[classes[place]]) - LARGEST_SYMBOL
            for place, symbol in enumerate(symbols):
                if abs(symbol) == LARGEST_SYMBOL:
                    symbols[place] = symbol + (1 if symbol > 0 else -1) * decoder.remainder()
            return symbols

        def read_words(group: int, blocks: list[Block], classes: list[int], decoder=decoder) -> list[int]:
            found = [0] * len(blocks)
            for place in sorted(range(len(blocks)), key=classes.__getitem__):
                found[place] = decoder.symbol(words[group][classes[place]])
            return found

        for unit in range(start, stop):
            if unit < tile.scalar:
                tile.plane(unit, read)
            else:
                tile.group(unit - tile.scalar, read_words)
    return [[codes[block] for block in tile.blocks] for codes in tile.codes]


def _ends(sizes: list[int]) -> list[int]:
    return left_ends([*sizes[::-1], 2**20 - 2 * sum(sizes), *sizes])
