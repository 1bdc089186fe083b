"""Groups of planes that are coded as vectors: one word of a codebook a group and block, in as many passes as the rules say.

The class of a word comes from the same kind of whole-number rule as that of a scalar symbol (`sciml.compression.entropy.rules`),

    spread s = max(w . f, floor)       what is expected of the sum of |q| over the group, in 2^-16
    class  t = half the number of thresholds that s reaches, rounded down

and the word's numbers are the decoded values, in 1/64 of the step. With one pass nothing of the group's own neighbours is
known; with three, the sum of the group's magnitudes at the four neighbours counts too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from constriction import stream  # pyright: ignore[reportAttributeAccessIssue] - made by the extension
from jaxtyping import Float, Int

from sciml.compression.entropy.context import OWN, SPREAD_BASIS, SPREAD_SOURCES, VALUE_UNITS, Context, Grid
from sciml.compression.entropy.lattice import Pass
from sciml.compression.entropy.rules import (
    CLASSES,
    EXACT,
    LARGEST_MAGNITUDE,
    LARGEST_VALUE,
    MOST_PLANES,
    SPREAD_BOUNDS,
    THRESHOLDS,
)
from sciml.compression.entropy.tables import TOTAL, TOTAL_BITS
from sciml.runtime.errors import FormatError

# two classes of scalar symbols make one here: a table of many words needs more to count
GROUP_CLASSES = CLASSES // 2
GROUP_PASSES = (1, 3)
LARGEST_DIMENSION = 64
GROUP_FIELDS = ("members", "spread", "floor", "sources", "words", "sizes")
# value units that make a unit of magnitude
UNITS = VALUE_UNITS // 4

ChooseWords = Callable[[int, Int[np.ndarray, " blocks"], Int[np.ndarray, " blocks"]], Int[np.ndarray, " blocks"]]


@dataclass(frozen=True, eq=False)
class Groups:
    """Codebooks and rules of one step for the planes that are coded as vectors.

    Attributes:
        members: planes of each group, -1 behind the last one of a smaller group.
        spread: weights of the magnitudes by pass.
        floor: least spread.
        sources: planes of scalar symbols or earlier groups whose magnitudes count, -1 for none.
        words: values in 1/64 of the step.
        sizes: counts of 2^20 of the words by class.
    """

    members: Int[np.ndarray, "groups dimension"]
    spread: Int[np.ndarray, "groups passes 27"]
    floor: Int[np.ndarray, "groups passes"]
    sources: Int[np.ndarray, "groups 10"]
    words: Int[np.ndarray, "groups words dimension"]
    sizes: Int[np.ndarray, "groups classes words"]

    def __post_init__(self) -> None:
        self._check_shapes()
        real = self.members[self.members >= 0]
        first = int(real.min(initial=MOST_PLANES))
        if not np.array_equal(np.sort(real), np.arange(first, first + len(real))) or first + len(real) > MOST_PLANES:
            raise FormatError("the codec's groups do not hold every plane behind the scalar ones once")
        leading = self.leading
        if not (self.members[:, 0] >= 0).all() or not (np.diff(leading) >= 0).all():
            raise FormatError("the codec's groups are not in the order of their first planes")
        known = np.full(MOST_PLANES, len(self.members))
        known[:first] = -1
        for group, planes in enumerate(self.members):
            known[planes[planes >= 0]] = group
        if not ((self.sources < 0) | (known[self.sources] < np.arange(len(self.members))[:, None])).all():
            raise FormatError("the codec's group sources name planes that are not decoded yet")
        if (self.sizes.sum(-1, dtype=np.int64) != TOTAL).any() or self.sizes.min() < 1:
            raise FormatError("the codec's group tables hold a word without probability: the model file is damaged")
        if np.abs(self.words.astype(np.int64)).max() > LARGEST_VALUE:
            raise FormatError(f"the codec's words pass {LARGEST_VALUE}: the model file is damaged")
        bounds = SPREAD_BOUNDS.copy()
        bounds[SPREAD_BASIS:] *= self.members.shape[1]
        if (np.abs(self.spread.astype(np.float64)) @ bounds).max(initial=0) >= EXACT:
            raise FormatError("the codec's group weights are too large: their sums might pass 2^53 and not be exact")

    def _check_shapes(self) -> None:
        groups, dimension = self.members.shape if self.members.ndim == 2 else (0, 0)
        passes = self.spread.shape[1] if self.spread.ndim == 3 else 0
        count = self.words.shape[1] if self.words.ndim == 3 else 0
        shapes = {
            "members": (groups, dimension),
            "spread": (groups, passes, SPREAD_BASIS + OWN),
            "floor": (groups, passes),
            "sources": (groups, SPREAD_SOURCES),
            "words": (groups, count, dimension),
            "sizes": (groups, GROUP_CLASSES, count),
        }
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array.shape != shape or not np.issubdtype(array.dtype, np.integer):
                raise FormatError(
                    f"the codec's group {name} are {array.dtype} of shape {array.shape}: expected whole numbers of shape {shape}"
                )
        if not groups or not 1 <= dimension <= LARGEST_DIMENSION or passes not in GROUP_PASSES or count < 2:
            raise FormatError(
                f"the codec has {groups} groups of {dimension} planes, {passes} passes, {count} words: expected at least one "
                f"group of up to {LARGEST_DIMENSION}, 1 or 3 passes, 2 words or more"
            )

    @property
    def planes(self) -> int:
        """Number of planes that are coded, scalar ones included."""
        return int(self.members.max()) + 1

    @property
    def leading(self) -> Int[np.ndarray, " groups"]:
        """The first plane of each group."""
        return np.where(self.members >= 0, self.members, MOST_PLANES).min(1)

    def planes_of(self, group: int) -> Int[np.ndarray, " planes"]:
        """Return the planes of a group."""
        members = self.members[group]
        return members[members >= 0].astype(np.intp)

    @lru_cache(maxsize=1)  # noqa: B019 - groups live as long as their model
    def bits(self) -> Float[np.ndarray, "groups classes words"]:
        """Return the ideal code length of each word in bits."""
        return TOTAL_BITS - np.log2(self.sizes)

    @lru_cache(maxsize=2**14)  # noqa: B019 - groups live as long as their model
    def model(self, group: int, of_class: int) -> stream.model.Categorical:
        """Return the coder's model; the probabilities are exact in float64."""
        return stream.model.Categorical(self.sizes[group, of_class] / TOTAL, perfect=False)


def group_passes(grid: Grid, count: int) -> tuple[Pass, ...]:
    """Return the passes over the blocks of a group: one over all, or the three of a plane."""
    if count == 1:
        return (Pass(np.arange(grid.blocks), np.zeros((0, 0), np.intp)),)
    return grid.passes(MOST_PLANES)


def group_classes(spread: Float[np.ndarray, " blocks"], floor: int) -> Int[np.ndarray, " blocks"]:
    """Return the classes of expected sums of magnitudes."""
    return np.searchsorted(THRESHOLDS, np.maximum(spread, floor), side="right") // 2


def magnitudes_of(values: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Return magnitudes in 1/4 of values in 1/64 of the step, rounded."""
    return np.minimum(np.floor((np.abs(values) + UNITS // 2) / UNITS), LARGEST_MAGNITUDE)


def walk_groups(groups: Groups, grid: Grid, choose: ChooseWords, numbers: range, context: Context) -> None:
    """Go through groups and their passes; `choose` gives the words of a pass, from a stream or from a picture.

    Args:
        groups: groups of the step.
        grid: the blocks.
        choose: called with the group, its blocks and their classes; returns numbers of words.
        numbers: which groups.
        context: what is known of the planes before; takes in those of these groups.
    """
    for group in numbers:
        planes = groups.planes_of(group)
        weights = groups.spread[group].astype(np.float64)
        spreads = weights[:, :SPREAD_BASIS] @ context.spread_basis(groups.sources[group])
        words = groups.words[group, :, : len(planes)].T.astype(np.float64)
        sums = np.zeros(grid.blocks)
        for number, item in enumerate(group_passes(grid, len(weights))):
            blocks, near = item.blocks, item.neighbours
            if not len(blocks):
                continue
            spread = spreads[number, blocks]
            if len(near):
                spread = spread + weights[number, SPREAD_BASIS:] @ sums[near]
            values = words[:, choose(group, blocks, group_classes(spread, groups.floor[group, number]))]
            magnitudes = magnitudes_of(values)
            sums[blocks] = magnitudes.sum(0)
            context.put(planes[:, None], blocks, values, magnitudes)
        context.close_group(planes)
