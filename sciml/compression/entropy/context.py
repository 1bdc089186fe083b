"""What is known of a picture's planes while they are coded, and the numbers from which the next block is predicted.

All values are whole numbers held in float64: values in 1/64 of the quantiser step, magnitudes in 1/4. Sums of their
products stay below 2^53 (`sciml.compression.entropy.rules` checks the bound), so a matrix product is exact in every order of
summation, on every machine.
"""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int

from sciml.compression.entropy.chroma import Slopes
from sciml.compression.entropy.lattice import Pass, passes, surroundings

VALUE_UNITS = 64
MAGNITUDE_UNITS = 4
# planes whose mean is predicted, the earlier planes that this takes, and planes with seven passes
PREDICTED = 24
MEAN_SOURCES = 16
HIERARCHICAL = 8
# earlier planes whose magnitudes predict a magnitude
SPREAD_SOURCES = 10
OWN = 4
MEAN_BASIS = 1 + 9 * MEAN_SOURCES
SPREAD_BASIS = 3 + 2 * SPREAD_SOURCES


class Grid:
    """Blocks of one or several pictures of the same size, numbered picture by picture.

    Args:
        rows: blocks from top to bottom.
        columns: blocks from left to right.
        pictures: several only where a model is fitted.
    """

    def __init__(self, rows: int, columns: int, pictures: int = 1):
        self.rows, self.columns, self.pictures = rows, columns, pictures
        self.blocks = rows * columns * pictures
        self.around = self._all(surroundings(rows, columns))

    def passes(self, plane: int) -> tuple[Pass, ...]:
        """Return the passes of a plane; plane numbers count by energy."""
        return self._passes(plane < HIERARCHICAL)

    @lru_cache(maxsize=2)  # noqa: B019 - a grid lives as long as one coding
    def _passes(self, hierarchical: bool) -> tuple[Pass, ...]:
        found = passes(self.rows, self.columns, hierarchical)
        if self.pictures == 1:
            return found
        return tuple(Pass(self._all(item.blocks), self._all(item.neighbours)) for item in found)

    def _all(self, numbers: Int[np.ndarray, "... blocks"]) -> Int[np.ndarray, "... all"]:
        """Return the numbers in every picture."""
        if self.pictures == 1:
            return numbers
        offsets = np.arange(self.pictures)[:, None] * (self.rows * self.columns)
        every = numbers[..., None, :] + offsets
        return every.reshape(*numbers.shape[:-1], every.shape[-2] * every.shape[-1])


class Context:
    """Values and magnitudes of planes, filled plane by plane and pass by pass; what is not known yet is 0.

    Args:
        grid: the blocks.
        planes: number of planes that will be coded.
    """

    def __init__(self, grid: Grid, planes: int):
        self.grid = grid
        self.values = np.zeros((planes, grid.blocks), np.float32)
        # at most 2^12, and eight times that around a block
        self.magnitudes = np.zeros((planes, grid.blocks), np.uint16)
        self._around = np.zeros((planes, grid.blocks), np.uint16)
        # 1, then a plane's value at the block and at the eight around it, for the planes that predict means
        self._means = np.zeros((MEAN_BASIS, grid.blocks))
        self._means[0] = 1
        self._total = np.zeros(grid.blocks)
        self._total_around = np.zeros(grid.blocks)
        # of each colour, how it follows luma
        self._slopes: dict[int, Slopes] = defaultdict(lambda: Slopes(grid))

    def mean_basis(self) -> Float[np.ndarray, "145 blocks"]:
        """Return 1 and the values of the first 16 planes at nine blocks, 0 where a plane is not known yet."""
        return self._means

    def release_means(self) -> None:
        """Give back what predicts means: no plane from here on needs it."""
        self._means = np.empty((0, 0))

    def chroma_basis(self, twin: int, channel: int) -> Float[np.ndarray, "3 blocks"]:
        """Return what a plane of a colour is predicted from, by its twin; see `sciml.compression.entropy.chroma`."""
        return self._slopes[channel].basis(self.values[twin])

    def close_chroma(self, plane: int, twin: int, channel: int) -> None:
        """Note a plane that is known beside its twin."""
        self._slopes[channel].add(self.values[plane], self.values[twin])

    def spread_basis(self, sources: Int[np.ndarray, " sources"]) -> Float[np.ndarray, "23 blocks"]:
        """Return 1, the magnitudes of all earlier planes here and around, those of `sources` here and around.

        A source below 0 stands for no plane.
        """
        basis = np.zeros((SPREAD_BASIS, self.grid.blocks))
        basis[0], basis[1], basis[2] = 1, self._total, self._total_around
        there = sources >= 0
        count = len(sources)
        basis[3 : 3 + count][there] = self.magnitudes[sources[there]]
        basis[3 + SPREAD_SOURCES : 3 + SPREAD_SOURCES + count][there] = self._around[sources[there]]
        return basis

    def put(
        self,
        plane: int | Int[np.ndarray, "planes 1"],
        blocks: Int[np.ndarray, " blocks"],
        values: Float[np.ndarray, "*planes blocks"],
        magnitudes: Float[np.ndarray, "*planes blocks"],
    ) -> None:
        """Note the blocks of a pass, of one plane or of several in a column."""
        self.values[plane, blocks] = values
        self.magnitudes[plane, blocks] = magnitudes

    def close(self, plane: int) -> None:
        """Note that all blocks of a plane are known."""
        magnitudes = self.magnitudes[plane]
        around = self._around[plane]
        np.sum(magnitudes[self.grid.around], axis=0, dtype=np.uint16, out=around)
        self._total += magnitudes
        self._total_around += around
        if plane < MEAN_SOURCES:
            rows = self._means[1 + 9 * plane : 10 + 9 * plane]
            rows[0] = self.values[plane]
            rows[1:] = self.values[plane][self.grid.around]

    def close_group(self, planes: Int[np.ndarray, " planes"]) -> None:
        """Note that all blocks of these planes are known; none of them predicts means."""
        magnitudes = self.magnitudes[planes]
        around = magnitudes[:, self.grid.around].sum(1, dtype=np.uint16)
        self._around[planes] = around
        self._total += magnitudes.sum(0, dtype=np.float64)
        self._total_around += around.sum(0, dtype=np.float64)
