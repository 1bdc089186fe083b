"""The order in which the blocks of a plane are coded: interlaced passes, each one vector operation.

A pass knows only blocks of earlier passes. The first planes start from every eighth block and halve the distance
(two passes each: the centres of the squares, then the centres of the diamonds); the others take three passes at
distance one. What lies outside the picture is mirrored, which stays on the lattice that is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Int

COARSEST = 8
AROUND = tuple((down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if (down, right) != (0, 0))


@dataclass(frozen=True)
class Pass:
    """Blocks that are coded together.

    Attributes:
        blocks: their numbers, row by row of the picture.
        neighbours: numbers of four known blocks of the same plane around each; none in the first pass.
    """

    blocks: Int[np.ndarray, " blocks"]
    neighbours: Int[np.ndarray, "neighbours blocks"]


@lru_cache(maxsize=256)
def passes(rows: int, columns: int, hierarchical: bool) -> tuple[Pass, ...]:
    """Return the passes over a plane of rows x columns blocks; passes without blocks are there, and empty."""
    coarsest = COARSEST if hierarchical else 2
    found = [Pass(_numbers(rows, columns, coarsest, 0, 0), np.zeros((0, 0), np.intp))]
    distance = coarsest // 2
    while distance:
        step = 2 * distance
        square = _numbers(rows, columns, step, distance, distance)
        found.append(_pass(square, rows, columns, [(a, b) for a in (-distance, distance) for b in (-distance, distance)]))
        diamond = [_numbers(rows, columns, step, 0, distance), _numbers(rows, columns, step, distance, 0)]
        steps = [(distance, 0), (-distance, 0), (0, distance), (0, -distance)]
        found.append(_pass(np.sort(np.concatenate(diamond)), rows, columns, steps))
        distance //= 2
    return tuple(found)


@lru_cache(maxsize=256)
def surroundings(rows: int, columns: int) -> Int[np.ndarray, "8 blocks"]:
    """Return the numbers of the eight blocks around each block; outside, the nearest block of the picture."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    return np.stack([np.clip(row + a, 0, rows - 1) * columns + np.clip(column + b, 0, columns - 1) for a, b in AROUND])


def _numbers(rows: int, columns: int, step: int, top: int, left: int) -> Int[np.ndarray, " blocks"]:
    return (np.arange(top, rows, step)[:, None] * columns + np.arange(left, columns, step)).reshape(-1)


def _pass(blocks: Int[np.ndarray, " blocks"], rows: int, columns: int, steps: list[tuple[int, int]]) -> Pass:
    row, column = np.divmod(blocks, columns)
    neighbours = [_mirrored(row, a, rows) * columns + _mirrored(column, b, columns) for a, b in steps]
    return Pass(blocks, np.stack(neighbours))


def _mirrored(position: Int[np.ndarray, " blocks"], step: int, length: int) -> Int[np.ndarray, " blocks"]:
    """Return the position one step on, or one step back where that is outside, or the own one where both are."""
    there, back = position + step, position - step
    inside = (there >= 0) & (there < length)
    return np.where(inside, there, np.where((back >= 0) & (back < length), back, position))
