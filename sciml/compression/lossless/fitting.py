"""The model of lossless coding from training pictures: means by least squares, spreads by likelihood, counts by counting."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from sciml.compression.lossless.coder import FINEST, FRACTIONS, LARGEST, PERIOD, SYMBOLS, TABLES, TOTAL, Split
from sciml.compression.lossless.lattice import PASSES, coarsest
from sciml.compression.lossless.model import SETS, LosslessModel
from sciml.compression.lossless.rules import (
    DEFAULT_PRECISION,
    LARGEST_WEIGHT_LOG2,
    MOST_MEANS,
    MOST_SPREADS,
    SPREAD_BITS,
    set_of,
)
from sciml.compression.lossless.tile import Pass, known_planes, plane_order
from sciml.compression.lossless.weights import Study, equations, likely_weights, own_weights, solve

# samples of a pass of a picture that weights of spreads are fitted on
ENOUGH = 1_000
UPDATES = 150
# symbols that a table begins with, those of a two-sided geometric distribution
BEGUN = 300.0
Pictures = Sequence[Int[np.ndarray, "planes rows columns"]]


def fit_model(name: str, pictures: Pictures) -> LosslessModel:
    """Return the model fitted on pictures.

    Args:
        name: name of the model.
        pictures: whole numbers, planes first; of one plane or of three colours.
    """
    prior = np.stack([[_geometric(of_class)] * FRACTIONS for of_class in range(TABLES)])
    spread = np.zeros((*SETS, MOST_SPREADS), np.int32)
    # one level, until spreads are fitted
    spread[..., -1] = 1 << SPREAD_BITS
    model = LosslessModel(name, _fit_means(pictures), spread, whole_counts(prior))
    model = LosslessModel(name, model.mean, _fit_spreads(model, pictures), model.counts)
    counts = BEGUN * prior
    for picture in pictures:
        walk = Counter(model, picture)
        walk.run()
        counts += walk.counts
    return LosslessModel(name, model.mean, model.spread, whole_counts(counts))


def _fit_means(pictures: Pictures) -> Int[np.ndarray, "known scales passes means"]:
    rows: dict[Pass, list] = defaultdict(list)
    for picture in pictures:
        values = picture.astype(np.float64)
        order = plane_order(len(values))
        first = coarsest(*values.shape[1:])
        for place in range(len(order)):
            planes = known_planes(order, place)
            for distance in (first >> number for number in range(1, first.bit_length())):
                for number in range(PASSES):
                    which = set_of(len(planes) - 1, distance, number)
                    rows[which].append(
                        equations([values[one] for one in planes], values[planes[0]], distance, number, 4 * ENOUGH)
                    )
    found = np.zeros((*SETS, MOST_MEANS), np.int32)
    limit = 1 << (DEFAULT_PRECISION + LARGEST_WEIGHT_LOG2)
    for which, parts in rows.items():
        weights = solve(*(np.concatenate(one, -1) for one in zip(*[pair[:2] for pair in parts], strict=True)))
        found[which][: len(weights)] = np.clip(np.rint(weights * 2**DEFAULT_PRECISION), -limit, limit)
    return found


class Counter(Study):
    """A walk that counts symbols too."""

    def __init__(self, model: LosslessModel, picture: Int[np.ndarray, "planes rows columns"]):
        super().__init__(model, picture, own_weights(model, picture), 0, 1)
        self.counts = np.zeros((TABLES, FRACTIONS, SYMBOLS))

    def residuals(
        self, classes: np.ndarray, fractions: np.ndarray, level: np.ndarray, plane: int, distance: int, number: int
    ) -> np.ndarray:
        """Return the residuals of the picture, and count them."""
        found = super().residuals(classes, fractions, level, plane, distance, number)
        split = Split(classes, fractions)
        symbols = (found.astype(np.int64) * split.signs + ((1 << split.shifts) >> 1)) >> split.shifts
        keys = split.keys * SYMBOLS + symbols.clip(-LARGEST, LARGEST) + LARGEST
        self.counts += np.bincount(keys, minlength=self.counts.size).reshape(self.counts.shape)
        return found


def _fit_spreads(model: LosslessModel, pictures: Pictures) -> Int[np.ndarray, "known scales passes spreads"]:
    rows: dict[Pass, list[tuple[np.ndarray, np.ndarray]]] = defaultdict(list)
    for picture in pictures:
        study = Study(model, picture, own_weights(model, picture), 0, ENOUGH)
        study.run()
        for key, parts in study.rows.items():
            rows[study.known[key], key[1], key[2]] += [(kept.astype(np.float32), sizes) for kept, sizes in parts]
    found = np.zeros((*SETS, MOST_SPREADS), np.int32)
    for which, parts in rows.items():
        kept, sizes = (np.concatenate(one, -1) for one in zip(*parts, strict=True))
        weights = likely_weights(kept.astype(np.float64), sizes, updates=UPDATES)
        found[which][: len(weights)] = np.rint(weights * 2**SPREAD_BITS).clip(0, 4 << SPREAD_BITS)
    return found


def _geometric(of_class: int) -> Float[np.ndarray, " symbols"]:
    """Return the two-sided geometric distribution rho^|k| whose mean size 2 rho / (1 - rho^2) lies in a class."""
    mean = 2.0 ** ((of_class - 0.5) / PERIOD + FINEST)
    rho = (np.sqrt(1 + mean**2) - 1) / mean
    found = rho ** np.abs(np.arange(-LARGEST, LARGEST + 1)) + 1e-6
    return found / found.sum()


def whole_counts(shares: Float[np.ndarray, "*tables symbols"]) -> Int[np.ndarray, "*tables symbols"]:
    """Return counts of 2^20, none below 1."""
    shares = shares / shares.sum(-1, keepdims=True)
    counts = 1 + np.floor(shares * (TOTAL - SYMBOLS)).astype(np.int64)
    largest = counts.argmax(-1)[..., None]
    rest = TOTAL - counts.sum(-1, keepdims=True)
    np.put_along_axis(counts, largest, np.take_along_axis(counts, largest, -1) + rest, -1)
    return counts
