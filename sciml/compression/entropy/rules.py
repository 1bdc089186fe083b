"""The prior: whole-number rules that give every block a predicted mean and one of 40 classes of magnitude.

For a block of plane k, with w whole-number weights and f what is known (`sciml.compression.entropy.context`),

    mean   mu = round(w_mean . f_mean / 2^12)             in 1/64 of the step, for the first 24 planes; |mu| <= 2^23; chroma
                                                          behind them follows luma (`sciml.compression.entropy.chroma`)
    spread s  = max(w_spread . f_spread, floor)           E|q| in 2^-16
    class  t  = number of thresholds that s reaches

and the symbol q is coded with the table of class t. No float decides anything: every sum is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from sciml.compression.entropy.chroma import BOUNDS as CHROMA_BOUNDS
from sciml.compression.entropy.chroma import FEATURES, chroma_mean
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
from sciml.runtime.errors import FormatError

MEAN_BITS = 12
SPREAD_BITS = 16
CLASSES = 40
PASSES = (3, 7)
# E|q| = 2^-9 begins class 1; a class is 2^0.3 wide
THRESHOLDS = np.round(2.0 ** (SPREAD_BITS - 9 + 0.3 * np.arange(CLASSES - 1)))
# the largest numbers that a context may hold, so that the rules' sums stay exact
LARGEST_VALUE = 2**24
LARGEST_MEAN = LARGEST_VALUE // 2
LARGEST_MAGNITUDE = 2**12
MOST_PLANES = 2**12
EXACT = 2**53
MEAN_BOUNDS = np.array([1.0] + [LARGEST_VALUE] * (MEAN_BASIS - 1 + OWN))
SPREAD_BOUNDS = LARGEST_MAGNITUDE * np.array(
    [1.0 / LARGEST_MAGNITUDE, MOST_PLANES, 8 * MOST_PLANES] + [1] * SPREAD_SOURCES + [8] * SPREAD_SOURCES + [1] * OWN
)
WEIGHT_BOUNDS = {
    "mean": MEAN_BOUNDS,
    "spread_first": SPREAD_BOUNDS,
    "spread_rest": SPREAD_BOUNDS,
    "chroma": CHROMA_BOUNDS,
}
"""Largest features of each kind of weights, whose sums must stay exact."""

Choose = Callable[[int, Int[np.ndarray, " blocks"], Float[np.ndarray, " blocks"], Int[np.ndarray, " blocks"]], np.ndarray]


@dataclass(frozen=True)
class Rules:
    """The rules of one step for the first `planes` planes.

    Attributes:
        mean: weights of the predicted means; 1, 16 planes at nine blocks, own neighbours.
        spread_first: weights of the magnitudes of the first 8 planes, seven passes.
        spread_rest: weights of the others, three passes.
        floor_first: least E|q| of the first 8 planes.
        floor_rest: least E|q| of the others.
        sources: earlier planes whose magnitudes count, -1 for none.
        centroids: what |q| = 1, 2, 3 and more stand for is nearer to 0 by this, in 1/64.
        chroma: weights of what predicts a plane of a colour from luma; without rows there is no such prediction.
        twins: of each plane its twin of luma and its channel, -1 for none; rows as `chroma`.
    """

    mean: Int[np.ndarray, "24 7 149"]
    spread_first: Int[np.ndarray, "first 7 27"]
    spread_rest: Int[np.ndarray, "rest 3 27"]
    floor_first: Int[np.ndarray, "first 7"]
    floor_rest: Int[np.ndarray, "rest 3"]
    sources: Int[np.ndarray, "planes 10"]
    centroids: Int[np.ndarray, "planes 4"]
    chroma: Int[np.ndarray, "followers 3"] = field(default_factory=lambda: np.zeros((0, FEATURES), np.int32))
    twins: Int[np.ndarray, "followers 2"] = field(default_factory=lambda: np.zeros((0, 2), np.int16))

    def __post_init__(self) -> None:
        self._check_shapes()
        for name, bound in WEIGHT_BOUNDS.items():
            if (np.abs(getattr(self, name).astype(np.float64)) @ bound).max(initial=0) >= EXACT:
                raise FormatError(f"the codec's {name} weights are too large: their sums might pass 2^53 and not be exact")

    def _check_shapes(self) -> None:
        planes = len(self.sources)
        rest = planes - HIERARCHICAL
        shapes = {
            "mean": (PREDICTED, PASSES[1], MEAN_BASIS + OWN),
            "spread_first": (HIERARCHICAL, PASSES[1], SPREAD_BASIS + OWN),
            "spread_rest": (rest, PASSES[0], SPREAD_BASIS + OWN),
            "floor_first": (HIERARCHICAL, PASSES[1]),
            "floor_rest": (rest, PASSES[0]),
            "sources": (planes, SPREAD_SOURCES),
            "centroids": (planes, 4),
            "chroma": (planes if len(self.chroma) else 0, FEATURES),
            "twins": (len(self.chroma), 2),
        }
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array.shape != shape or not np.issubdtype(array.dtype, np.integer):
                raise FormatError(
                    f"the codec's {name} are {array.dtype} of shape {array.shape}: expected whole numbers of shape {shape}"
                )
        if not PREDICTED <= planes <= MOST_PLANES:
            raise FormatError(f"the codec's rules have {planes} planes: expected {PREDICTED} to {MOST_PLANES}")
        if planes and not (self.sources < np.maximum(np.arange(planes), 0)[:, None]).all():
            raise FormatError("the codec's sources name planes that are not decoded yet")
        twins = self.twins[:, 0]
        if not ((twins >= -1) & (twins < np.maximum(np.arange(len(twins)), 0))).all():
            raise FormatError("the codec's twins name planes that are not decoded yet")

    @property
    def planes(self) -> int:
        """Number of planes that are coded."""
        return len(self.sources)

    def mean_weights(self, plane: int) -> Float[np.ndarray, "passes 149"] | None:
        """Return the weights of a plane's means for each pass, or None where the mean is 0."""
        if plane >= PREDICTED:
            return None
        return self.mean[plane, : PASSES[plane < HIERARCHICAL]].astype(np.float64)

    def twin_of(self, plane: int) -> tuple[int, int] | None:
        """Return a plane's twin of luma and its channel, or None where luma does not predict it."""
        if plane >= len(self.twins) or self.twins[plane, 0] < 0:
            return None
        return int(self.twins[plane, 0]), int(self.twins[plane, 1])

    def spread_weights(self, plane: int) -> tuple[Float[np.ndarray, "passes 27"], Int[np.ndarray, " passes"]]:
        """Return the weights of a plane's magnitudes, and the floors, for each pass."""
        if plane < HIERARCHICAL:
            return self.spread_first[plane].astype(np.float64), self.floor_first[plane]
        return self.spread_rest[plane - HIERARCHICAL].astype(np.float64), self.floor_rest[plane - HIERARCHICAL]

    def reconstruct(self, plane: int, symbols: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """Return what symbols stand for beside the mean, in 1/64 of the step."""
        return np.sign(symbols) * self.reconstruct_sizes(plane, np.abs(symbols))

    def reconstruct_sizes(self, plane: int, sizes: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """Return the same of symbols that are not below 0: r(q) = 64 q - c(q) with the centroid c, and r(0) = 0."""
        return VALUE_UNITS * sizes - self._shifts[plane].take(np.minimum(sizes, 4).astype(np.intp))

    @cached_property
    def _shifts(self) -> Float[np.ndarray, "planes 5"]:
        """The centroids of 0, 1, 2, 3 and more."""
        return np.concatenate([np.zeros((self.planes, 1)), self.centroids], 1)


def walk(rules: Rules, grid: Grid, choose: Choose, planes: range | None = None, context: Context | None = None) -> Context:
    """Go through planes and passes; `choose` gives the symbols of a pass, from a stream or from a picture.

    Args:
        rules: rules of the step.
        grid: the blocks.
        choose: called with the plane, its blocks, their means (1/64 of the step) and classes; returns whole symbols.
        planes: which planes, all by default.
        context: what is known of the planes before.

    Returns:
        The context with these planes.
    """
    context = Context(grid, rules.planes) if context is None else context
    for plane in range(rules.planes) if planes is None else planes:
        mean_weights = rules.mean_weights(plane)
        if plane == PREDICTED:
            context.release_means()
        spread_weights, floors = rules.spread_weights(plane)
        means = None if mean_weights is None else mean_weights[:, :MEAN_BASIS] @ context.mean_basis()
        twin, followed = rules.twin_of(plane), np.zeros(grid.blocks)
        if twin is not None and plane >= PREDICTED:
            followed = chroma_mean(rules.chroma[plane].astype(np.float64), context.chroma_basis(*twin))
        spreads = spread_weights[:, :SPREAD_BASIS] @ context.spread_basis(rules.sources[plane])
        for number, item in enumerate(grid.passes(plane)):
            blocks, near = item.blocks, item.neighbours
            if not len(blocks):
                continue
            spread = spreads[number][blocks]
            if len(near):
                spread += spread_weights[number, SPREAD_BASIS:] @ context.magnitudes[plane][near].astype(np.float64)
            if means is None or mean_weights is None:
                mean = followed[blocks].clip(-LARGEST_MEAN, LARGEST_MEAN)
            else:
                mean = means[number][blocks]
                if len(near):
                    mean += mean_weights[number, MEAN_BASIS:] @ context.values[plane][near].astype(np.float64)
                # bounded, so that a symbol's size stays below what the coder can write
                mean = (np.floor(mean / 2**MEAN_BITS + 0.5)).clip(-LARGEST_MEAN, LARGEST_MEAN)
            classes = THRESHOLDS.searchsorted(np.maximum(spread, floors[number]), side="right")
            symbols = choose(plane, blocks, mean, classes)
            sizes = np.abs(symbols)
            values = mean + np.sign(symbols) * rules.reconstruct_sizes(plane, sizes)
            magnitudes = np.minimum(MAGNITUDE_UNITS * sizes, LARGEST_MAGNITUDE)
            context.put(plane, blocks, values.clip(-LARGEST_VALUE, LARGEST_VALUE), magnitudes)
        context.close(plane)
        if twin is not None:
            context.close_chroma(plane, *twin)
    return context
