"""Compute R and its gradient on a large image tile by tile, exactly, with the memory of one tile.

R is a sum over levels and positions. A position of level l looks at L_l pixels in a row,

    L_l = 2^l (w - 1) + s_l,   s_0 = 1,   s_{l+1} = s_l + 3 * 2^l        (a w x w filter on an image halved l times by 4 taps),

so every term that a pixel occurs in is known when L_l - 1 pixels around it are. A tile with that halo gives the gradient on its
core, and its core's share of R. Tiles begin at multiples of 2^(levels - 1), where the samples of every level lie as they do in
the whole image; at the border of the image a tile mirrors as the image does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from sciml.proximal.regularizer import Conditioned, Images


@dataclass(frozen=True)
class TiledRegularizer(Conditioned):
    """R_sigma whose values and gradients of large images are computed in tiles; everything else is as in `Conditioned`.

    Attributes:
        tile: rows and columns of a tile's core, about.
    """

    tile: int = 256

    def value(self, x: Images) -> Float[Tensor, " batch"]:
        """Return R(x) of each image."""
        return self.value_and_gradient(x)[0]

    def value_and_gradient(self, x: Images, with_value: bool = True) -> tuple[Float[Tensor, " batch"], Images]:
        """Return R(x) of each image (zeros without `with_value`) and the gradient."""
        halo, grid = self.halo, 2 ** (len(self.banks) - 1)
        if max(x.shape[-2:]) <= self.tile + 2 * halo or x.ndim != 4:
            return super().value_and_gradient(x, with_value)
        value, gradient = x.new_zeros(len(x)), torch.empty_like(x)
        rows = list(spans(x.shape[-2], self.tile, halo, grid))
        columns = list(spans(x.shape[-1], self.tile, halo, grid))
        for top, bottom, first, last in rows:
            for left, right, start, stop in columns:
                cores = ((first - top, last - top), (start - left, stop - left))
                share, slope = self._of_tile(x[..., top:bottom, left:right].contiguous(), cores, with_value)
                value += share
                gradient[..., first:last, start:stop] = slope
        return value, gradient

    @property
    def halo(self) -> int:
        """Pixels around a tile's core that its gradient depends on, a multiple of the coarsest level's spacing."""
        reach, support = 0, 1
        for level, bank in enumerate(self.banks):
            reach = max(reach, 2**level * (bank.filters.shape[-1] - 1) + support - 1)
            support += 3 * 2**level
        grid = 2 ** (len(self.banks) - 1)
        return -(-reach // grid) * grid

    def _of_tile(self, x: Images, cores: tuple[tuple[int, int], tuple[int, int]], with_value: bool) -> tuple[Tensor, Images]:
        value, parts = x.new_zeros(len(x)), []
        for level, (bank, (t, period, size)) in enumerate(zip(self.banks, self._responses(x), strict=True)):
            q = bank.energies(t)
            if with_value:
                terms = self._weighted(bank.potential(q), period).unflatten(-1, size)
                inside = [slice(-(-a // 2**level), -(-b // 2**level)) for a, b in cores]
                value += terms[..., inside[0], inside[1]].sum((1, 2, 3))
            slope = self._weighted(bank.slope(q), period)
            parts.append(bank.gather(t * (bank.mixing.T @ slope).unsqueeze(1), period, size))
        (a, b), (c, d) = cores
        return value, self._collect(parts, x)[..., a:b, c:d]


def in_tiles(at: Conditioned, tile: int) -> TiledRegularizer:
    """Return the same R, computed in tiles."""
    return TiledRegularizer(**{field.name: getattr(at, field.name) for field in fields(Conditioned)}, tile=tile)


def spans(length: int, tile: int, halo: int, grid: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield (begin with halo, end with halo, begin, end) of about equal parts of an axis, each beginning on the grid."""
    count = max(1, -(-length // tile))
    edges = [round(length * part / count / grid) * grid for part in range(count)] + [length]
    for begin, end in pairwise(edges):
        yield max(0, begin - halo), min(length, end + halo), begin, end
