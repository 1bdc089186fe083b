"""Chroma predicted from luma: the mean of a colour's wave from the same wave of the first channel, its twin.

How a colour follows luma differs from place to place, so the slope is that of what is decoded already,

    a(b) = sum y_c y_l / (sum y_l^2 + 1),   over the planes before this one with their twins, at a block or also around it,

and the mean is mu = w . (a_here y_l, a_around y_l, y_l), with weights of the plane. All is whole: values in 1/64 of the step and
at most 2^15, slopes in 1/256, rounded down, and at most 2^10, so that sums stay below 2^53.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

if TYPE_CHECKING:
    from sciml.compression.entropy.context import Grid

WAVES = 256
SLOPE_BITS, CHROMA_BITS = 8, 12
LARGEST_TWIN, LARGEST_SLOPE = 2**15, 2**10
# one squared step, in units of 1/64 each
SOFT = 2**12
FEATURES = 3
BOUNDS = np.array([LARGEST_TWIN * LARGEST_SLOPE] * 2 + [LARGEST_TWIN << SLOPE_BITS], np.float64)


def twins_of(order: Int[np.ndarray, " planes"], count: int) -> Int[np.ndarray, "count 2"]:
    """Return of each plane its twin and its channel; -1 and 0 where it has none: luma, means, a twin that comes later.

    No rows where no plane has one.

    Args:
        order: place of each plane in the block transform, 256 waves a channel.
        count: planes that are coded.
    """
    channels, waves = np.divmod(np.asarray(order[:count], np.int64), WAVES)
    luma = {int(wave): plane for plane, (channel, wave) in enumerate(zip(channels, waves, strict=True)) if channel == 0 and wave}
    found = np.zeros((count, 2), np.int16)
    for plane, (channel, wave) in enumerate(zip(channels.tolist(), waves.tolist(), strict=True)):
        twin = luma.get(wave, count) if channel else count
        found[plane] = (twin, channel) if twin < plane else (-1, 0)
    return found if (found[:, 0] >= 0).any() else found[:0]


class Slopes:
    """How one channel follows luma, block by block: sums of products of what is decoded.

    Args:
        grid: the blocks.
    """

    def __init__(self, grid: Grid):
        self.grid = grid
        self.products, self.squares = np.zeros((2, grid.blocks), np.int64)

    def add(self, values: Float[np.ndarray, " blocks"], twin: Float[np.ndarray, " blocks"]) -> None:
        """Note a plane and its twin, in 1/64 of the step."""
        chroma, luma = bounded(values), bounded(twin)
        self.products += chroma * luma
        self.squares += luma * luma

    def basis(self, twin: Float[np.ndarray, " blocks"]) -> Float[np.ndarray, "3 blocks"]:
        """Return what a plane's mean is a weighted sum of."""
        luma, around = bounded(twin), self.grid.around
        products, squares = (sums + sums[around].sum(0) for sums in (self.products, self.squares))
        slopes = (_slope(self.products, self.squares), _slope(products, squares))
        return np.stack([*(slope * luma for slope in slopes), luma << SLOPE_BITS]).astype(np.float64)


def bounded(values: Float[np.ndarray, " blocks"]) -> Int[np.ndarray, " blocks"]:
    """Return values of at most 2^15 as whole numbers."""
    return values.clip(-LARGEST_TWIN, LARGEST_TWIN).astype(np.int64)


def _slope(products: Int[np.ndarray, " blocks"], squares: Int[np.ndarray, " blocks"]) -> Int[np.ndarray, " blocks"]:
    return ((products << SLOPE_BITS) // (squares + SOFT)).clip(-LARGEST_SLOPE, LARGEST_SLOPE)


def chroma_mean(weights: Float[np.ndarray, " 3"], basis: Float[np.ndarray, "3 blocks"]) -> Float[np.ndarray, " blocks"]:
    """Return predicted means in 1/64 of the step."""
    return np.floor(weights @ basis / 2 ** (SLOPE_BITS + CHROMA_BITS) + 0.5)
