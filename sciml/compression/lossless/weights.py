"""Weights by least squares and likelihood: those of the model from many pictures, and those that a tile brings itself."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float, Int

from sciml.compression.lossless.lattice import PASSES, Around, bands, coarsest, part
from sciml.compression.lossless.model import LosslessModel
from sciml.compression.lossless.rules import (
    LARGEST_WEIGHT_LOG2,
    OWN_SPREAD_BITS,
    OWN_SPREAD_WIDTH,
    SCALES,
    SPREAD_BITS,
    UNITS,
    differences,
    mean_count,
    most_precision,
    set_of,
    spread_count,
)
from sciml.compression.lossless.tile import Bounds, Own, Pass, Walk, known_planes, layer_distances, plane_order

# samples of a pass that are enough to fit weights of means, and of spreads
ENOUGH = 24_000
ENOUGH_SPREADS = 3_000
UPDATES = 20
# own weights must save so many bits more than they cost
MARGIN_BITS = 64
# share of the squared residuals that rounded weights may add
ROUNDING = 1e-3
RIDGE = 1e-4
PRECISIONS = range(5, OWN_SPREAD_BITS + 1, 2)
# scales whose spreads may have own weights
OWN_SPREADS = 2
Samples = Int[np.ndarray, "planes rows columns"]
Equations = tuple[Float[np.ndarray, "terms samples"], Float[np.ndarray, " samples"], Float[np.ndarray, " samples"]]
Sizes = dict[tuple[int, int, int], Float[np.ndarray, " samples"]]
"""Expected sizes of all samples by plane, distance and pass."""


def equations(
    planes: Sequence[np.ndarray],
    original: np.ndarray,
    distance: int,
    number: int,
    most: int,
    sizes: Float[np.ndarray, " samples"] | None = None,
) -> Equations:
    """Return differences f and the sample's own, 4 x - b, of evenly spread samples of a pass, over their scales, and these.

    Differences are those of decoded planes, the sample is the original's.

    The scales are expected sizes; without them the root of the mean difference around.
    """
    own = part(original, distance, number + 1)
    every = max(math.ceil(own.size / most), 1)
    known = [Around(plane, distance, number) for plane in planes]
    parts, wants = [], []
    for band in bands(*own.shape):
        base, found = differences(known, band)
        chosen = slice(-band.start * own.shape[1] % every, None, every)
        parts.append(np.stack([one.ravel()[chosen] for one in found]))
        wants.append((4 * own[band] - base).ravel()[chosen])
    rows, wanted = np.concatenate(parts, -1), np.concatenate(wants)
    if sizes is None:
        scale = np.abs(rows[:7]).mean(0)
        scale = np.sqrt(scale + 0.25 * scale.mean() + 1e-9)
    else:
        scale = sizes[::every] + 0.1 * sizes.mean() + 1e-9
    return rows / scale, wanted / scale, scale


def solve(rows: Float[np.ndarray, "terms samples"], wanted: Float[np.ndarray, " samples"]) -> Float[np.ndarray, " terms"]:
    """Return the weights of least squares, with a slight pull to 0."""
    square = rows @ rows.T
    square[np.diag_indices_from(square)] += RIDGE * max(np.trace(square) / len(square), 1e-9)
    return np.linalg.solve(square, rows @ wanted)


def likely_weights(
    kept: Float[np.ndarray, "terms samples"],
    sizes: Float[np.ndarray, " samples"],
    start: Float[np.ndarray, " terms"] | None = None,
    updates: int = UPDATES,
) -> Float[np.ndarray, " terms"]:
    """Return weights v >= 0 of the spread s = v . g that minimise the mean of |r| / s + log s, by multiplicative updates.

    It is the code length of a Laplace distribution. The updates v <- v sqrt((g . |r| / s^2) / (g . 1 / s)) never raise it
    (Itakura-Saito divergence; Fevotte, Bertin and Durrieu 2009).
    """
    sizes = sizes + 0.02
    weights = np.full(len(kept), 1.0 / len(kept)) * sizes.mean() / kept.mean() if start is None else start + 1e-4
    for _ in range(updates):
        spread = weights @ kept + 1e-6
        weights = weights * np.sqrt((kept @ (sizes / spread**2)) / np.maximum(kept @ (1 / spread), 1e-12))
    return weights


def own_weights(model: LosslessModel, samples: Samples, bound: int = 0) -> Own:
    """Return the weights that are worth their bytes in a tile.

    Means are fitted twice: what the first ones leave says which sizes are expected where, and the second ones weigh by it.
    """
    values = samples.astype(np.float64) - samples.min((1, 2), keepdims=True)
    step = 2 * bound + 1
    # about what a decoder knows
    first = Own(_own_means(model, values // step * step + min(bound, values.max()), values, {}, step))
    if not first.means:
        return first
    study = Study(model, samples, first, bound, ENOUGH_SPREADS)
    study.run()
    spreads = {}
    for key, parts in study.rows.items():
        if (
            key[1] < OWN_SPREADS
            and (weights := _own_spreads(model, study.known[key], key, study.samples[key], parts)) is not None
        ):
            spreads[key] = weights
    return Own(_own_means(model, study.values, values, study.sizes, step), spreads)


class Study(Walk):
    """A walk through a picture that keeps expected sizes, and what weights of spreads are fitted on.

    Attributes:
        rows: magnitudes in levels with 1 behind them, and sizes of residuals, of some samples by plane, scale and pass.
        sizes: expected sizes of all samples by plane, distance and pass.
        samples: number of samples by plane, scale and pass.
        known: known planes by plane, scale and pass.
    """

    def __init__(self, model: LosslessModel, picture: Samples, own: Own, bound: int, most: int):
        bounds = Bounds(picture.min((1, 2)), picture.max((1, 2)))
        super().__init__(model, bounds, own, picture.shape, bound)
        self.bound, self.most = bound, most
        self.original = picture - bounds.low[:, None, None]
        self.rows: dict[Pass, list[tuple[np.ndarray, np.ndarray]]] = defaultdict(list)
        self.sizes: Sizes = {}
        self.samples: dict[Pass, int] = defaultdict(int)
        self.known: dict[Pass, int] = {}
        self._kept: list[np.ndarray] = []
        self._spreads: list[np.ndarray] = []

    def run(self) -> None:
        """Go through the whole picture."""
        first = coarsest(*self.original.shape[1:])
        self.values[:, ::first, ::first] = self.original[:, ::first, ::first]
        for distances in layer_distances(first):
            for distance in distances:
                self.level(distance, self.residuals)

    def spread(self, kept: list[np.ndarray], which: Pass, plane: int, distance: int) -> Float[np.ndarray, "rows2 columns2"]:
        """Return the expected sizes of a band, and keep them with evenly spread samples of what they come from."""
        found = super().spread(kept, which, plane, distance)
        every = -(-part(self.original[plane], distance, which[2] + 1).size // self.most)
        chosen = slice(-sum(one.size for one in self._spreads) % every, None, every)
        self._kept.append(np.stack([one.ravel()[chosen] for one in kept]))
        self._spreads.append(found.ravel())
        self.known[plane, which[1], which[2]] = which[0]
        return found

    def residuals(
        self, classes: np.ndarray, fractions: np.ndarray, level: np.ndarray, plane: int, distance: int, number: int
    ) -> np.ndarray:
        """Return the residuals of the picture."""
        wanted = part(self.original[plane], distance, number + 1).ravel() - level
        found = np.sign(wanted) * ((np.abs(wanted) + self.bound) // self.step)
        rows = np.concatenate(self._kept, 1)
        rows = np.concatenate([rows, np.full((1, rows.shape[1]), float(UNITS * self.step))])
        sizes = np.abs(wanted / self.step - fractions / UNITS)[:: -(-wanted.size // self.most)]
        key = (plane, *set_of(0, distance, number)[1:])
        self.rows[key].append((rows / (UNITS * self.step), sizes))
        self.samples[key] += wanted.size
        self.sizes[plane, distance, number] = np.concatenate(self._spreads)
        self._kept, self._spreads = [], []
        return found


def _own_means(
    model: LosslessModel, decoded: np.ndarray, values: np.ndarray, sizes: Sizes, step: int
) -> dict[Pass, tuple[Int[np.ndarray, " terms"], int]]:
    found = {}
    most = most_precision(int(values.max()).bit_length())
    order = plane_order(len(values))
    for place, plane in enumerate(order):
        planes = known_planes(order, place)
        for level, distances in _scales(coarsest(*values.shape[1:])):
            for number in range(PASSES):
                key = (plane, level, number)
                count = sum(part(values[0], distance, number + 1).size for distance in distances)
                if count < 16 * mean_count(len(planes) - 1, number):
                    continue
                share = [
                    equations(
                        [decoded[one] for one in planes],
                        values[plane],
                        distance,
                        number,
                        ENOUGH,
                        sizes.get((plane, distance, number)),
                    )
                    for distance in distances
                ]
                rows, wanted, scale = (np.concatenate(parts, -1) for parts in zip(*share, strict=True))
                default = model.mean_weights((len(planes) - 1, level, number))
                if (fitted := _worth(rows, wanted, scale / (4 * step), default, count, most)) is not None:
                    found[key] = fitted
    return found


def _scales(first: int) -> Iterator[tuple[int, list[int]]]:
    """Yield each scale of a tile with its distances, coarse to fine."""
    every = [first >> number for number in range(1, first.bit_length())]
    for scale in reversed(range(SCALES)):
        if distances := [one for one in every if set_of(0, one, 0)[1] == scale]:
            yield scale, distances


def _worth(
    rows: np.ndarray, wanted: np.ndarray, levels: np.ndarray, default: tuple[np.ndarray, int], count: int, most: int
) -> tuple[Int[np.ndarray, " terms"], int] | None:
    """Return whole weights and their precision where they save more than they cost; `levels` turns scaled errors into symbols."""
    weights = solve(rows, wanted)
    error = float(np.mean((wanted - weights @ rows) ** 2))
    # a weight rounded to 2^-p adds f^2 2^-2p / 12 to the squared error
    ratio = float((rows**2).mean(1).sum()) / (12 * ROUNDING * max(error, 1e-12))
    precision = int(np.clip(math.ceil(math.log2(max(ratio, 1)) / 2), 4, most))
    limit = (1 << (precision + LARGEST_WEIGHT_LOG2)) - 1
    whole = np.clip(np.rint(weights * 2**precision), -limit, limit).astype(np.int64)
    before, after = (float(np.abs(wanted - one @ rows / 2**bits).mean()) for one, bits in (default, (whole, precision)))
    width = int(np.abs(whole).max()).bit_length() + 1
    # a residual of mean size m has about log2(1 + 5 m) bits
    gain = count * float(np.mean(np.log2((1 + 5 * before * levels) / (1 + 5 * after * levels))))
    return (whole, precision) if gain > len(whole) * width + MARGIN_BITS else None


def _own_spreads(
    model: LosslessModel, known: int, key: Pass, count: int, parts: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[Int[np.ndarray, " terms"], int] | None:
    """Return whole weights of spreads and their precision, where they save more than they cost."""
    kept, sizes = (np.concatenate(one, -1) for one in zip(*parts, strict=True))
    if count < 16 * spread_count(known, key[2]):
        return None
    default = model.spread_weights((known, *key[1:])) / 2**SPREAD_BITS
    weights = likely_weights(kept, sizes, default)
    best, found = count * _code_length(default @ kept, sizes) - MARGIN_BITS, None
    for precision in PRECISIONS:
        whole = np.rint(weights * 2**precision).astype(np.int64)
        width = int(whole.max()).bit_length()
        if not 1 <= width <= OWN_SPREAD_WIDTH:
            continue
        bits = count * _code_length(whole @ kept / 2**precision, sizes) + width * len(whole)
        if bits < best:
            best, found = bits, (whole, precision)
    return found


def _code_length(spread: Float[np.ndarray, " samples"], sizes: Float[np.ndarray, " samples"]) -> float:
    """Return the mean bits of a Laplace distribution, but for a constant."""
    bounded = np.maximum(spread, 1e-3)
    return float(np.mean((sizes + 0.02) / bounded + np.log(bounded))) / math.log(2)
