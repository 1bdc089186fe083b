"""Samples of one tile to layers of bytes and back, closed loop: what predicts is what the decoder has.

A residual r of bound e takes the levels mu' + (2 e + 1) r around the rounded mean mu', so that no sample is off by more than e.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from sciml.compression.lossless.coder import CLASSES, THRESHOLDS, Reader, Tables, Writer
from sciml.compression.lossless.lattice import PASSES, Around, bands, coarsest, part
from sciml.compression.lossless.model import LosslessModel
from sciml.compression.lossless.rules import (
    LARGEST_ERROR,
    LARGEST_WEIGHT_LOG2,
    MOST_KNOWN,
    MOST_PRECISION,
    OWN_SPREAD_BITS,
    OWN_SPREAD_WIDTH,
    SCALES,
    SPREAD_BITS,
    UNITS,
    differences,
    magnitudes,
    mean_count,
    means,
    most_precision,
    set_of,
    spread_count,
    spreads,
)
from sciml.runtime.errors import FormatError

LAYERS = 3
SAMPLE_BITS = 32
Pass = tuple[int, int, int]
Samples = Float[np.ndarray, "planes rows columns"]
# residuals from classes, fractions, means in whole levels and the pass
Residuals = Callable[[np.ndarray, np.ndarray, np.ndarray, int, int, int], np.ndarray]


@dataclass(frozen=True)
class Own:
    """Weights that a tile brings itself, by plane, scale and pass.

    Attributes:
        means: weights of means, and their precision.
        spreads: weights of spreads, and their precision.
    """

    means: dict[Pass, tuple[Int[np.ndarray, " terms"], int]] = field(default_factory=dict)
    spreads: dict[Pass, tuple[Int[np.ndarray, " terms"], int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Bounds:
    """Least and greatest sample of each plane."""

    low: Int[np.ndarray, " planes"]
    high: Int[np.ndarray, " planes"]

    @property
    def bits(self) -> Int[np.ndarray, " planes"]:
        """Bits of each plane's samples above the least."""
        return np.frexp((self.high - self.low).astype(np.float64))[1].astype(np.int64)


def plane_order(planes: int) -> tuple[int, ...]:
    """Return the order in which planes are coded: of colours green first."""
    return (1, 0, 2) if planes == 3 else tuple(range(planes))


def known_planes(order: Sequence[int], place: int) -> list[int]:
    """Return the plane at a place of the order, then up to two that come before it."""
    return [order[place], *order[max(place - MOST_KNOWN, 0) : place]]


def layer_distances(first: int) -> list[list[int]]:
    """Return the distances of each layer: all from 4 on, 2, 1."""
    every = [first >> number for number in range(1, first.bit_length())]
    return [[one for one in every if one > 2], [one for one in every if one == 2], [one for one in every if one == 1]]


class Walk:
    """Goes through a tile, for encoder and decoder alike.

    Args:
        model: weights and tables.
        bounds: of the samples.
        own: weights that the tile brings.
        shape: planes, rows and columns.
        bound: largest error of a sample.
    """

    def __init__(self, model: LosslessModel, bounds: Bounds, own: Own, shape: tuple[int, int, int], bound: int):
        self.model, self.own, self.step = model, own, 2 * bound + 1
        self.highest = (bounds.high - bounds.low).astype(np.float64)
        self.values = np.zeros(shape)
        self.errors = np.zeros(shape)
        self.order = plane_order(shape[0])

    def level(self, distance: int, residuals: Residuals) -> None:
        """Decode all passes of all planes at a distance."""
        for place in range(len(self.order)):
            planes = known_planes(self.order, place)
            for number in range(PASSES):
                self._pass(planes, distance, number, residuals)

    def spread(self, kept: list[np.ndarray], which: Pass, plane: int, distance: int) -> Float[np.ndarray, "rows2 columns2"]:
        """Return the expected sizes of the symbols of a band of a pass, in 2^-16."""
        weights = self.own.spreads.get((plane, *which[1:])) or (self.model.spread_weights(which), SPREAD_BITS)
        return spreads(kept, *weights, self.step)

    def _pass(self, planes: list[int], distance: int, number: int, residuals: Residuals) -> None:
        plane, which = planes[0], set_of(len(planes) - 1, distance, number)
        values = part(self.values[plane], distance, number + 1)
        if not values.size:
            return
        known = [Around(self.values[one], distance, number) for one in planes]
        errors = [Around(self.errors[one], distance, number) for one in planes]
        weights, precision = self.own.means.get((plane, *which[1:])) or self.model.mean_weights(which)
        highest = self.highest[plane]
        mean, spread = np.empty(values.shape), np.empty(values.shape)
        for band in bands(*values.shape):
            base, found = differences(known, band)
            mean[band] = means(base, found, weights, precision, highest)
            spread[band] = self.spread(magnitudes(errors, found, band), which, plane, distance)
        classes = THRESHOLDS.searchsorted(spread.ravel(), side="right")
        level = np.floor(mean / UNITS + 0.5)
        fractions = ((mean - UNITS * level) / self.step).ravel()
        found_residuals = residuals(classes, fractions, level.ravel(), plane, distance, number)
        values[...] = (level + self.step * found_residuals.reshape(level.shape)).clip(0, highest)
        part(self.errors[plane], distance, number + 1)[...] = np.minimum(np.abs(UNITS * values - mean), LARGEST_ERROR)


def encode_tile(
    model: LosslessModel, samples: Int[np.ndarray, "planes rows columns"], bound: int, own: Own
) -> tuple[tuple[bytes, ...], Int[np.ndarray, "planes rows columns"]]:
    """Return the layers of a tile, and its samples as a decoder has them.

    Args:
        model: weights and tables.
        samples: whole numbers from 0 to 2^32 - 1.
        bound: largest error of a sample, 0 for none.
        own: weights that the tile brings, from `sciml.compression.lossless.weights`.
    """
    bounds = Bounds(samples.min((1, 2)).astype(np.int64), samples.max((1, 2)).astype(np.int64))
    shifted = samples - bounds.low[:, None, None]
    walk = Walk(model, bounds, own, samples.shape, bound)
    tables = Tables(model.counts)
    first = coarsest(*samples.shape[1:])

    def residuals(
        classes: np.ndarray, fractions: np.ndarray, level: np.ndarray, plane: int, distance: int, number: int
    ) -> np.ndarray:
        wanted = part(shifted[plane], distance, number + 1).ravel() - level.astype(np.int64)
        found = np.sign(wanted) * ((np.abs(wanted) + bound) // walk.step)
        writer.put(classes, fractions, found)
        return found

    layers = []
    for number, distances in enumerate(layer_distances(first)):
        writer = Writer(tables)
        if number == 0:
            _write_head(writer, bounds, own, len(samples))
            for plane in range(len(samples)):
                begin = shifted[plane, ::first, ::first]
                walk.values[plane, ::first, ::first] = begin
                writer.bits(begin.ravel(), int(bounds.bits[plane]))
        for distance in distances:
            walk.level(distance, residuals)
        layers.append(writer.bytes())
    return tuple(layers), walk.values.astype(np.int64) + bounds.low[:, None, None]


def decode_tile(
    model: LosslessModel, layers: Sequence[bytes | memoryview], shape: tuple[int, int, int], bound: int
) -> Int[np.ndarray, "planes rows columns"]:
    """Return the samples of a tile; those of missing layers are as they are predicted.

    Args:
        model: weights and tables.
        layers: the first ones; at least one.
        shape: planes, rows and columns.
        bound: as the encoder had it.

    Raises:
        FormatError: the layers do not come from this model.
    """
    reader: Reader | None = Reader(tables := Tables(model.counts), layers[0])
    bounds, own = _read_head(reader, shape[0])
    walk = Walk(model, bounds, own, shape, bound)
    first = coarsest(*shape[1:])
    for plane in range(shape[0]):
        begin = walk.values[plane, ::first, ::first]
        begin[...] = reader.bits(begin.size, int(bounds.bits[plane])).reshape(begin.shape).clip(0, walk.highest[plane])

    def residuals(
        classes: np.ndarray, fractions: np.ndarray, level: np.ndarray, plane: int, distance: int, number: int
    ) -> np.ndarray:
        return np.zeros(len(classes)) if reader is None else reader.get(classes, fractions).astype(np.float64)

    for number, distances in enumerate(layer_distances(first)):
        if number:
            reader = Reader(tables, layers[number]) if number < len(layers) else None
        try:
            for distance in distances:
                walk.level(distance, residuals)
        except FormatError as error:
            raise FormatError(f"layer {number}: {error}") from error
    return walk.values.astype(np.int64) + bounds.low[:, None, None]


def _sets(planes: int) -> Iterator[tuple[int, Pass]]:
    """Yield known planes, and plane, scale and pass, of all weights that a tile may bring, in the order of the file."""
    order = plane_order(planes)
    for place, plane in enumerate(order):
        for scale in range(SCALES):
            for number in range(PASSES):
                yield min(place, MOST_KNOWN), (plane, scale, number)


def _write_head(writer: Writer, bounds: Bounds, own: Own, planes: int) -> None:
    writer.bits(bounds.low, SAMPLE_BITS)
    writer.bits(bounds.high - bounds.low, SAMPLE_BITS)
    for _, key in _sets(planes):
        weights, precision = own.means.get(key, (None, 0))
        writer.bits(np.array([precision]), 4)
        if weights is not None:
            width = int(np.frexp(float(np.abs(weights).max(initial=0)))[1]) + 1
            writer.bits(np.array([width]), 5)
            writer.bits(weights.astype(np.int64) + (1 << (width - 1)), width)
        sizes, precision = own.spreads.get(key, (None, 0))
        writer.bits(np.array([precision]), 4)
        if sizes is not None:
            width = int(sizes.max()).bit_length()
            writer.bits(np.array([width]), 4)
            writer.bits(sizes, width)


def _read_head(reader: Reader, planes: int) -> tuple[Bounds, Own]:
    low = reader.bits(planes, SAMPLE_BITS)
    bounds = Bounds(low, low + reader.bits(planes, SAMPLE_BITS))
    if bounds.high.max() >= 2**SAMPLE_BITS:
        raise FormatError("layer 0: the greatest sample passes 32 bits: the file is damaged")
    most = most_precision(int(bounds.bits.max()))
    own = Own()
    for known, key in _sets(planes):
        precision = int(reader.bits(1, 4)[0])
        if precision:
            width = int(reader.bits(1, 5)[0])
            if not 1 <= precision <= most or not 1 <= width <= precision + LARGEST_WEIGHT_LOG2 + 1:
                raise FormatError("layer 0: weights of means are too large: the file is damaged")
            own.means[key] = reader.bits(mean_count(known, key[2]), width) - (1 << (width - 1)), precision
        precision = int(reader.bits(1, 4)[0])
        if precision:
            width = int(reader.bits(1, 4)[0])
            if precision > OWN_SPREAD_BITS or not 1 <= width <= OWN_SPREAD_WIDTH:
                raise FormatError("layer 0: weights of spreads are too large: the file is damaged")
            own.spreads[key] = reader.bits(spread_count(known, key[2]), width), precision
    return bounds, own


assert MOST_PRECISION < 16 and len(THRESHOLDS) == CLASSES - 1
