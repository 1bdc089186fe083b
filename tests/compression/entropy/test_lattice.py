"""The passes visit every block once and look at what is known only."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.compression.entropy.context import Grid
from sciml.compression.entropy.lattice import AROUND, passes, surroundings

SIZES = [(1, 1), (1, 7), (7, 1), (5, 3), (2, 2), (3, 9), (8, 8), (9, 17), (33, 17)]
every_size = pytest.mark.parametrize(("rows", "columns"), SIZES)
every_kind = pytest.mark.parametrize("hierarchical", [False, True])


@every_kind
@every_size
def test_every_block_is_coded_once(rows: int, columns: int, hierarchical: bool) -> None:
    found = passes(rows, columns, hierarchical)
    assert len(found) == (7 if hierarchical else 3)
    every = np.concatenate([item.blocks for item in found])
    assert np.array_equal(np.sort(every), np.arange(rows * columns))
    # within a pass the blocks go row by row
    assert all((np.diff(item.blocks) > 0).all() for item in found)


def mirrored(position: int, step: int, length: int) -> int:
    for there in (position + step, position - step):
        if 0 <= there < length:
            return there
    return position


@every_kind
@every_size
def test_neighbours_come_from_earlier_passes_or_are_the_block_itself(rows: int, columns: int, hierarchical: bool) -> None:
    found = passes(rows, columns, hierarchical)
    known: set[int] = set(found[0].blocks.tolist())
    assert not len(found[0].neighbours)
    distance = 4 if hierarchical else 1
    for number, item in enumerate(found[1:]):
        square = number % 2 == 0
        steps = [(-1, -1), (-1, 1), (1, -1), (1, 1)] if square else [(1, 0), (-1, 0), (0, 1), (0, -1)]
        assert item.neighbours.shape == (4, len(item.blocks))
        for (down, right), near in zip(steps, item.neighbours, strict=True):
            for block, neighbour in zip(item.blocks.tolist(), near.tolist(), strict=True):
                row, column = divmod(block, columns)
                there = mirrored(row, down * distance, rows), mirrored(column, right * distance, columns)
                assert neighbour == there[0] * columns + there[1]
                assert neighbour in known or neighbour == block
        known |= set(item.blocks.tolist())
        distance //= 1 if square else 2
    assert len(known) == rows * columns


def test_positions_outside_are_mirrored() -> None:
    square, diamond = passes(2, 3, False)[1:]
    assert square.blocks.tolist() == [4]
    # below there is no row: both lower neighbours are the upper ones
    assert square.neighbours[:, 0].tolist() == [0, 2, 0, 2]
    assert diamond.blocks.tolist() == [1, 3, 5]
    assert diamond.neighbours.T.tolist() == [[4, 4, 2, 0], [0, 0, 4, 4], [2, 2, 4, 4]]


@every_size
def test_surroundings_stop_at_the_border(rows: int, columns: int) -> None:
    around = surroundings(rows, columns)
    for (down, right), near in zip(AROUND, around, strict=True):
        for block in range(rows * columns):
            row, column = divmod(block, columns)
            there = min(max(row + down, 0), rows - 1), min(max(column + right, 0), columns - 1)
            assert near[block] == there[0] * columns + there[1]


@pytest.mark.parametrize("plane", [0, 30])
def test_several_pictures_are_copies_of_one(plane: int) -> None:
    one, three = Grid(5, 3), Grid(5, 3, 3)
    for single, triple in zip(one.passes(plane), three.passes(plane), strict=True):
        for picture in range(3):
            part = np.s_[..., picture * len(single.blocks) : (picture + 1) * len(single.blocks)]
            assert np.array_equal(triple.blocks[part], single.blocks + 15 * picture)
            if len(single.neighbours):
                assert np.array_equal(triple.neighbours[part], single.neighbours + 15 * picture)
    assert np.array_equal(three.around, np.concatenate([one.around + 15 * picture for picture in range(3)], 1))
