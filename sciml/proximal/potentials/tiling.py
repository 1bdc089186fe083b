"""Compute psi, f and J v of a large image tile by tile, exactly.

psi is a sum over positions, each of which looks `radius` far. f at a pixel is the sum of the derivatives of the terms within that
radius, and those look again as far: a tile with a halo of 2 radius gives f on its core without error, and its own terms of psi on
the way. At the border of the image a tile ends where the image ends and is extended as the image would be.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, product

import torch

from sciml.proximal.potentials.potential import Levels, Points, Potential, Values
from sciml.runtime.errors import ConfigError

Slices = tuple[slice, ...]


def tiles(size: tuple[int, ...], tile: int, halo: int) -> Iterator[tuple[Slices, Slices, Slices]]:
    """Yield (tile with halo in the image, core in the image, core in the tile) over all axes of an image."""
    axes = []
    for length in size:
        count = -(-length // tile)
        # equal parts, so that no sliver is left at the end
        edges = [length * i // count for i in range(count + 1)]
        axes.append(
            [
                (slice(max(0, a - halo), min(length, b + halo)), slice(a, b), slice(a - max(0, a - halo), b - max(0, a - halo)))
                for a, b in pairwise(edges)
            ]
        )
    for parts in product(*axes):
        whole, core, inside = zip(*parts, strict=True)
        yield tuple(whole), tuple(core), tuple(inside)


def halo_of(potential: Potential, tile: int) -> int:
    """Return how much of its surroundings a tile needs.

    Raises:
        ConfigError: psi is no sum over positions, or the tile is not positive.
    """
    if potential.radius is None:
        raise ConfigError(f"a {potential.kind} potential is no sum over positions, so it cannot be tiled; take tile = None")
    if tile < 1:
        raise ConfigError(f"a tile has at least 1 pixel, got {tile}")
    return 2 * potential.radius


@torch.no_grad()
def value_and_gradient(potential: Potential, y: Points, sigma: Levels, tile: int) -> tuple[Values, Points]:
    """Return psi(y) and f(y), equal to the result without tiles up to rounding; memory is that of one tile."""
    value, gradient = y.new_zeros(len(y)), torch.empty_like(y)
    for whole, core, inside in tiles(tuple(y.shape[2:]), tile, halo_of(potential, tile)):
        terms, slope = potential.density_and_gradient(y[(..., *whole)], sigma)
        value += terms[(..., *inside)].flatten(1).sum(1)
        gradient[(..., *core)] = slope[(..., *inside)]
    return value, gradient


def jacobian_product(potential: Potential, y: Points, v: Points, sigma: Levels, tile: int) -> Points:
    """Return J v, equal to the result without tiles up to rounding."""
    result = torch.empty_like(y)
    for whole, core, inside in tiles(tuple(y.shape[2:]), tile, halo_of(potential, tile)):
        expansion = potential.expand(y[(..., *whole)], sigma)
        result[(..., *core)] = expansion.product(v[(..., *whole)].contiguous())[(..., *inside)]
    return result
