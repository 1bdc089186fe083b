"""Fitting the rules and tables of one step: least squares and counting, no gradient step.

Plane by plane and pass by pass, in the order of coding, with what a decoder would know:

    mean     w = argmin sum (y - w . f)^2 + ridge
    spread   w = argmin sum (|q| - w . f)^2 / (p + p^2 / 2), p = w . f of the round before: a spread's error grows with it

The weights are rounded before the plane is quantised with them, so later planes see what the decoder will see.
"""

from __future__ import annotations

import logging

import numpy as np
from jaxtyping import Float, Int

from sciml.compression.entropy.chroma import CHROMA_BITS, FEATURES, SLOPE_BITS, chroma_mean, twins_of
from sciml.compression.entropy.context import (
    HIERARCHICAL,
    MAGNITUDE_UNITS,
    MEAN_BASIS,
    OWN,
    PREDICTED,
    SPREAD_BASIS,
    SPREAD_SOURCES,
    VALUE_UNITS,
    Context,
    Grid,
)
from sciml.compression.entropy.rules import CLASSES, LARGEST_MAGNITUDE, MEAN_BITS, PASSES, SPREAD_BITS, THRESHOLDS, Rules
from sciml.compression.entropy.tables import BANDS, LARGEST_SYMBOL, Tables, band_of, symmetric_sizes

log = logging.getLogger(__name__)

# of the symbols that are fitted to; the encoder's choice moves more of them to 0
DEAD_ZONE = 0.17
# a plane is coded when more than this share of its blocks would not be 0
LEAST_SHARE = 3e-6
ROUNDS = 2
# a feature of 1 in its own units
MEAN_SCALE = np.array([1.0] + [VALUE_UNITS] * (MEAN_BASIS + OWN - 1))
CHROMA_SCALE = float(VALUE_UNITS << SLOPE_BITS)
SPREAD_SCALE = np.array([1.0] + [MAGNITUDE_UNITS] * (SPREAD_BASIS + OWN - 1))


class Fit:
    """The rules of one step while they are fitted.

    Args:
        planes: planes of the training pictures, all of one size, in steps.
        grid: their blocks.
        dead_zone: symbols |u| < 1/2 + this are 0.
        means: False predicts no mean, to know what that is worth.
        classes: False predicts the mean magnitude of the plane everywhere, to know what classes are worth.
        order: place of each plane in the block transform, by which chroma is predicted from luma; without it it is not.
    """

    def __init__(
        self,
        planes: Float[np.ndarray, "planes blocks"],
        grid: Grid,
        dead_zone: float = DEAD_ZONE,
        means: bool = True,
        classes: bool = True,
        order: Int[np.ndarray, " every"] | None = None,
    ):
        self.planes, self.grid = planes, grid
        self.dead_zone, self.means, self.classes = dead_zone, means, classes
        coded = np.flatnonzero((np.abs(planes) > 0.5 + dead_zone).mean(1) > LEAST_SHARE)
        self.count = max(int(coded.max(initial=0)) + 1, PREDICTED)
        first, rest = HIERARCHICAL, self.count - HIERARCHICAL
        width = SPREAD_BASIS + OWN
        self.mean = np.zeros((PREDICTED, PASSES[1], MEAN_BASIS + OWN), np.int32)
        self.spread = [np.zeros((first, PASSES[1], width), np.int32), np.zeros((rest, PASSES[0], width), np.int32)]
        self.floor = [np.ones((first, PASSES[1]), np.int32), np.ones((rest, PASSES[0]), np.int32)]
        self.sources = np.full((self.count, SPREAD_SOURCES), -1, np.int16)
        self.centroids = np.zeros((self.count, 4), np.int32)
        self.twins = np.zeros((0, 2), np.int16) if order is None else twins_of(order, self.count)
        self.chroma = np.zeros((len(self.twins), FEATURES), np.int32)
        self.counts = np.zeros((BANDS, CLASSES, 2 * LARGEST_SYMBOL + 1))
        self.context = Context(grid, self.count)

    def run(self) -> tuple[Rules, Tables]:
        """Return the rules and tables."""
        for plane in range(self.count):
            self._plane(plane)
            if plane % 100 == 0:
                log.info("plane %d of %d", plane, self.count)
        spread_first, spread_rest = self.spread
        floor_first, floor_rest = self.floor
        rules = Rules(
            self.mean, spread_first, spread_rest, floor_first, floor_rest, self.sources, self.centroids, self.chroma, self.twins
        )
        return rules, Tables(symmetric_sizes(self.counts))

    def _plane(self, plane: int) -> None:
        context, target = self.context, self.planes[plane].astype(np.float64)
        self.sources[plane] = self._sources(plane, target)
        first = plane < HIERARCHICAL
        row = plane if first else plane - HIERARCHICAL
        spread, floor = self.spread[not first][row], self.floor[not first][row]
        mean_basis, spread_basis = context.mean_basis(), context.spread_basis(self.sources[plane].astype(np.intp))
        residuals, symbols = np.empty_like(target), np.empty_like(target)
        followed = self._followed(plane, target)
        for number, item in enumerate(self.grid.passes(plane)):
            blocks, near = item.blocks, item.neighbours
            if not len(blocks):
                continue
            wanted = target[blocks]
            mean = followed[blocks]
            if self.means and plane < PREDICTED:
                features = _with_own(mean_basis[:, blocks], context.values[plane], near)
                weights = least_squares(features / MEAN_SCALE[:, None], wanted, 1e-3)
                self.mean[plane, number] = np.round(weights * (VALUE_UNITS * 2**MEAN_BITS) / MEAN_SCALE)
                mean = np.floor(self.mean[plane, number].astype(np.float64) @ features / 2**MEAN_BITS + 0.5)
            residual = wanted - mean / VALUE_UNITS
            quantised = np.sign(residual) * np.floor(np.abs(residual) + 0.5 - self.dead_zone)
            features = _with_own(spread_basis[:, blocks], context.magnitudes[plane], near)
            size = np.abs(quantised)
            least = size.mean()
            if self.classes:
                spread[number] = np.round(spread_rule(features, size) * 2**SPREAD_BITS)
                least = 0.1 * least + 1e-4
            floor[number] = max(1, round(least * 2**SPREAD_BITS))
            predicted = np.maximum(spread[number].astype(np.float64) @ features, floor[number])
            classes = np.searchsorted(THRESHOLDS, predicted, side="right")
            clipped = np.clip(quantised, -LARGEST_SYMBOL, LARGEST_SYMBOL).astype(np.intp) + LARGEST_SYMBOL
            np.add.at(self.counts[band_of(plane)], (classes, clipped), 1)
            residuals[blocks], symbols[blocks] = residual, quantised
            values = mean + VALUE_UNITS * quantised
            context.put(plane, blocks, values, np.minimum(MAGNITUDE_UNITS * size, LARGEST_MAGNITUDE))
        self.centroids[plane] = centroids(residuals, symbols)
        context.close(plane)
        if len(self.twins) and self.twins[plane, 0] >= 0:
            context.close_chroma(plane, *self.twins[plane].tolist())

    def _followed(self, plane: int, target: Float[np.ndarray, " blocks"]) -> Float[np.ndarray, " blocks"]:
        """Return means that luma predicts, in 1/64 of the step, and keep their weights; 0 where it predicts none."""
        if plane < PREDICTED or not len(self.twins) or self.twins[plane, 0] < 0:
            return np.zeros(len(target))
        basis = self.context.chroma_basis(*self.twins[plane].tolist())
        weights = least_squares(basis / CHROMA_SCALE, target, 1e-3)
        self.chroma[plane] = np.round(weights * (2**CHROMA_BITS))
        return chroma_mean(self.chroma[plane].astype(np.float64), basis)

    def _sources(self, plane: int, target: Float[np.ndarray, " blocks"]) -> Int[np.ndarray, " sources"]:
        """Return the earlier planes whose magnitudes go best with this plane's."""
        return best_sources(np.floor(np.abs(target) + 0.3), self.context.magnitudes, np.arange(plane))


def _with_own(
    basis: Float[np.ndarray, "features blocks"], own: Float[np.ndarray, " all"], near: Int[np.ndarray, "neighbours blocks"]
) -> Float[np.ndarray, "all_features blocks"]:
    """Return the features of a pass with those of the plane's own neighbours below; 0 in the first pass."""
    below = own[near].astype(np.float64) if len(near) else np.zeros((OWN, basis.shape[1]))
    return np.concatenate([basis, below])


def best_sources(
    size: Float[np.ndarray, " blocks"], magnitudes: Float[np.ndarray, "planes blocks"], known: Int[np.ndarray, " known"]
) -> Int[np.ndarray, " sources"]:
    """Return the known planes whose magnitudes correlate best with `size`, -1 behind the last one."""
    chosen = np.full(SPREAD_SOURCES, -1, np.int16)
    if not len(known):
        return chosen
    size = size.astype(np.float32)
    size -= size.mean()
    earlier = magnitudes[: known[-1] + 1] if np.array_equal(known, np.arange(len(known))) else magnitudes[known]
    # squares of whole numbers of 16 bits would pass their range
    earlier = earlier.astype(np.float32)
    means = earlier.mean(1)
    deviation = np.sqrt(np.maximum(np.einsum("pb,pb->p", earlier, earlier) / len(size) - means**2, 0)) + 1e-6
    correlation = np.abs(earlier @ size) / deviation
    best = known[np.argsort(-correlation, kind="stable")[:SPREAD_SOURCES]]
    chosen[: len(best)] = best
    return chosen


def least_squares(
    features: Float[np.ndarray, "features blocks"], wanted: Float[np.ndarray, " blocks"], ridge: float
) -> Float[np.ndarray, " features"]:
    """Return argmin over w of sum (wanted - w . f)^2 + ridge n |w|^2; features that are always 0 get 0."""
    gram = features @ features.T
    gram[np.diag_indices_from(gram)] += ridge * features.shape[1] + 1e-12
    return np.linalg.solve(gram, features @ wanted)


def spread_rule(
    features: Float[np.ndarray, "features blocks"], size: Float[np.ndarray, " blocks"]
) -> Float[np.ndarray, " features"]:
    """Return weights of E|q|, by least squares whose weights follow the spread."""
    scaled = features / SPREAD_SCALE[:, None]
    weights = _weighted(scaled, size, np.ones(len(size)))
    for _ in range(ROUNDS):
        predicted = np.maximum(weights @ scaled, 0.3 * size.mean() + 1e-4)
        weights = _weighted(scaled, size, 1 / (predicted + 0.5 * predicted**2))
    return weights / SPREAD_SCALE


def _weighted(
    features: Float[np.ndarray, "features blocks"], wanted: Float[np.ndarray, " blocks"], weights: Float[np.ndarray, " blocks"]
) -> Float[np.ndarray, " features"]:
    weighted = features * weights
    gram = weighted @ features.T
    gram[np.diag_indices_from(gram)] += 1e-4 * weights.sum() + 1e-12
    return np.linalg.solve(gram, weighted @ wanted)


def centroids(residuals: Float[np.ndarray, " blocks"], symbols: Float[np.ndarray, " blocks"]) -> Int[np.ndarray, " sizes"]:
    """Return how much nearer to 0 the mean of the residuals coded as |q| = 1, 2, 3 and more is, in 1/64.

    Shrunk towards 0.05 by 20 imagined residuals; sizes above 3 share half of what 3 has.
    """
    size = np.minimum(np.abs(symbols), 4).astype(np.intp)
    loss = np.abs(symbols) - np.abs(residuals)
    total, number = np.bincount(size, loss, 5)[1:4], np.bincount(size, minlength=5)[1:4]
    shift = (total + 0.05 * 20) / (number + 20)
    return np.round(VALUE_UNITS * np.append(shift, shift[2] / 2)).astype(np.int32)
