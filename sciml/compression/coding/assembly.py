"""From decoded tiles to a picture, a rectangle at a time: what is held does not grow with the picture.

The last steps of a decoder (lapping undone, colours, the network) look over the borders of tiles by a margin. They are taken for
cells of a grid that the picture's size alone decides, each as soon as it is there with a margin around it; of what came before,
only the lapped samples that later cells need are kept. How the picture was cut into tiles is nothing that a pixel knows of: the
same numbers go through the same operations, in arrays of the same shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Real

from sciml.compression.coding.model import CodecModel
from sciml.compression.coding.tile_coding import tile_blocks
from sciml.compression.coding.transform import BLOCK, HALF, lap

# largest side of a cell, a multiple of 16, and what may be kept above a row of cells, which makes those of wide pictures lower
CELL = 512
KEPT_BYTES = 80_000_000
# blocks of a tile that are transformed back at once
BLOCKS_AT_ONCE = 1024
Refine = Callable[[Float[np.ndarray, "rows columns channels"]], Float[np.ndarray, "rows columns channels"]]


class Band(NamedTuple):
    """Rows of a picture that arrive together, or columns; all places are multiples of 16.

    Attributes:
        kept: first that is still held of those before.
        start: first that arrives.
        stop: behind the last that arrives.
        done: first that was not finished before.
        final: behind the last that can be finished now.
    """

    kept: int
    start: int
    stop: int
    done: int
    final: int


class Finished(NamedTuple):
    """A rectangle of the picture, in the model's numbers."""

    top: int
    left: int
    numbers: Float[np.ndarray, "rows columns channels"]


def margin_of(reach: int) -> int:
    """Return how far the last steps look, up to whole blocks: lapping, and a network that looks `reach` pixels far."""
    return -(-(HALF + reach) // BLOCK) * BLOCK


def cell_height(width: int, channels: int, margin: int) -> int:
    """Return the height of the cells of a picture: what is kept above them is a cell and two margins high, as wide as it is."""
    rows = KEPT_BYTES // (4 * channels * width) - 2 * margin
    return min(CELL, max(BLOCK, rows // BLOCK * BLOCK))


def bands(stops: Sequence[int], margin: int, cell: int) -> list[Band]:
    """Return the bands of pieces that end at `stops`, finished in cells of one size from 0 on."""
    found: list[Band] = []
    kept = start = done = 0
    for number, stop in enumerate(stops):
        final = stop if number == len(stops) - 1 else max(done, (stop - margin) // cell * cell)
        found.append(Band(kept, start, stop, done, final))
        kept, start, done = max(0, final - margin), stop, final
    return found


def finish(
    model: CodecModel,
    step: float,
    rows: Sequence[int],
    columns: Sequence[int],
    pieces: Iterable[Real[np.ndarray, "coded rows16 columns16"]],
    refine: Refine | None = None,
    reach: int = 0,
) -> Iterator[Finished]:
    """Yield the finished rectangles of a picture, all pixels once; with its last row and column it goes on to full blocks.

    Args:
        model: whose transform is undone.
        step: step of the quantiser.
        rows: where each row of pieces ends, in pixels, multiples of 16.
        columns: the same of columns.
        pieces: decoded values in 1/64 of the step, row by row of pieces.
        refine: applied to rectangles of the picture, for instance the network.
        reach: how many pixels far `refine` looks, from multiples of 16.
    """
    margin = margin_of(reach)
    height = cell_height(columns[-1], model.channels, margin)
    down, across, source = bands(rows, margin, height), bands(columns, margin, CELL), iter(pieces)
    # lapped samples above: as far as a row of pieces has come those of its own end, behind that those of the row before
    above = np.empty((model.channels, 0, columns[-1]), np.float32)
    for row, next_row in zip_longest(down, down[1:]):
        old = row.start - row.kept
        beside = np.empty((model.channels, row.stop - row.start, 0), np.float32)
        for column, next_column in zip_longest(across, across[1:]):
            values = next(source)
            window = np.empty((model.channels, row.stop - row.kept, column.stop - column.kept), np.float32)
            window[:, :old] = above[:, :old, column.kept : column.stop]
            window[:, old:, : beside.shape[2]] = beside
            _write_blocks(model, step, values, window[:, old:, beside.shape[2] :])
            del values
            passed = column.stop if next_column is None else next_column.kept
            beside = window[:, old:, passed - column.kept :].copy()
            if next_row is not None:
                if not above.size:
                    above = np.empty((model.channels, max(one.start - one.kept for one in down), columns[-1]), np.float32)
                end = window[:, next_row.kept - row.kept :, : passed - column.kept]
                above[:, : end.shape[1], column.kept : passed] = end
            yield from _cells(model, window, row, column, refine, (height, margin))
            # not held while the next piece is decoded
            del window


def _write_blocks(
    model: CodecModel,
    step: float,
    values: Real[np.ndarray, "coded rows16 columns16"],
    lapped: Float[np.ndarray, "channels rows columns"],
) -> None:
    """Write the lapped channels of decoded values, some rows of blocks at a time."""
    rows = max(1, BLOCKS_AT_ONCE // values.shape[2])
    for row in range(0, values.shape[1], rows):
        lapped[:, row * BLOCK : (row + rows) * BLOCK] = tile_blocks(model, step, values[:, row : row + rows])


def _cells(
    model: CodecModel,
    window: Float[np.ndarray, "channels rows columns"],
    row: Band,
    column: Band,
    refine: Refine | None,
    sizes: tuple[int, int],
) -> Iterator[Finished]:
    """Yield the cells that are there, from lapped samples; `sizes` are the height of a cell and the margin."""
    height, margin = sizes
    for top in range(row.done, row.final, height):
        bottom = min(top + height, row.final)
        down = slice(max(top - margin, row.kept) - row.kept, min(bottom + margin, row.stop) - row.kept)
        for left in range(column.done, column.final, CELL):
            right = min(left + CELL, column.final)
            over = slice(max(left - margin, column.kept) - column.kept, min(right + margin, column.stop) - column.kept)
            picture = model.transform.unrotate(lap(window[:, down, over], inverse=True))
            if refine is not None:
                picture = refine(picture)
            first, before = top - row.kept - down.start, left - column.kept - over.start
            own = picture[first : first + bottom - top, before : before + right - left]
            yield Finished(top, left, own * np.float32(model.span) + np.float32(model.centre))
