"""Planes of one tile to layers of bytes and back, and the planes of tiles that are lapped across their borders.

Lapping reaches 8 samples over a border. The encoder cuts every tile out of the lapped picture, the decoder undoes the lapping
when both sides are there: tiles leave no seam, though each is coded by itself.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int, Real

from sciml.compression.coding.model import CodecModel, StepSet
from sciml.compression.coding.symbol_choice import LAMBDA, Chooser, WordChooser
from sciml.compression.coding.transform import BLOCK, block_dct, lap
from sciml.compression.entropy.coder import Reader, Writer
from sciml.compression.entropy.context import VALUE_UNITS, Context, Grid
from sciml.compression.entropy.groups import ChooseWords, walk_groups
from sciml.compression.entropy.rules import LARGEST_VALUE, Choose, walk
from sciml.runtime.errors import FormatError

TakeCodes = Callable[[Int[np.ndarray, "rows columns"]], None]


@dataclass(frozen=True)
class CodedTile:
    """What the encoder made of a tile.

    Attributes:
        layers: bytes, coarse to fine.
        values: decoded planes in 1/64 of the step.
        symbols: the codes, one row for each plane of the rules and one for each group.
        bits: ideal code length of each row of the codes.
    """

    layers: tuple[bytes, ...]
    values: Float[np.ndarray, "planes rows columns"]
    symbols: Int[np.ndarray, "units rows columns"]
    bits: Float[np.ndarray, " units"]

    def without_planes(self) -> CodedTile:
        """Return bytes and code lengths alone."""
        return replace(self, values=self.values[:, :0, :0].copy(), symbols=self.symbols[:, :0, :0].copy())


def encode_planes(
    model: CodecModel,
    quality: int,
    step: float,
    planes: Float[np.ndarray, "planes rows columns"],
    weight: float | Float[np.ndarray, "rows columns"] = LAMBDA,
    bytes_too: bool = True,
) -> CodedTile:
    """Return the layers of a tile.

    Args:
        model: whose rules and tables are used.
        quality: number of the set among those of the model.
        step: step of the quantiser, in the planes' unit.
        planes: planes of the tile.
        weight: squared steps a bit is worth; one number or one a block.
        bytes_too: False counts ideal code lengths only, for rate control.
    """
    chosen = model.sets[quality]
    rows, columns = planes.shape[1:]
    bound = LARGEST_VALUE / VALUE_UNITS / 2
    scaled = np.clip(planes.reshape(len(planes), -1) / step, -bound, bound)
    grid = Grid(rows, columns)
    context = Context(grid, chosen.planes)
    weights = np.ravel(np.broadcast_to(weight, (rows, columns)))
    choose = Chooser(scaled, chosen.rules, chosen.tables, weights)
    choose_words = None if chosen.groups is None else WordChooser(scaled, chosen.groups, weights)
    choosers = [chooser for chooser in (choose, choose_words) if chooser is not None]
    layers = []
    for part in chosen.layers():
        writer = Writer(chosen.tables) if bytes_too else None
        for chooser in choosers:
            chooser.writer = writer
        walk_units(chosen, grid, choose, choose_words, part, context)
        if writer is not None:
            layers.append(writer.bytes())
    symbols = np.concatenate([chooser.symbols for chooser in choosers]).reshape(chosen.units, rows, columns)
    bits = np.concatenate([chooser.bits for chooser in choosers])
    return CodedTile(tuple(layers), context.values.reshape(chosen.planes, rows, columns), symbols, bits)


def walk_units(
    chosen: StepSet, grid: Grid, choose: Choose, choose_words: ChooseWords | None, part: range, context: Context
) -> None:
    """Go through the planes and the groups of a part of the units; see `walk` and `walk_groups`."""
    scalar = chosen.rules.planes
    walk(chosen.rules, grid, choose, range(part.start, min(part.stop, scalar)), context)
    if chosen.groups is not None and choose_words is not None:
        walk_groups(chosen.groups, grid, choose_words, range(max(part.start - scalar, 0), max(part.stop - scalar, 0)), context)


def decode_planes(
    model: CodecModel, quality: int, layers: Iterable[bytes], rows: int, columns: int, take: TakeCodes
) -> Float[np.ndarray, "planes rows columns"]:
    """Return the values of a tile, whole numbers in 1/64 of the step as int16 or float32; planes of missing layers are 0.

    Args:
        model: whose rules and tables are used.
        quality: number of the set among those of the model.
        layers: bytes of the layers, coarse to fine.
        rows: blocks from top to bottom.
        columns: blocks from left to right.
        take: gets the codes of each unit in their order, (rows, columns); those of missing layers are 0.

    Raises:
        FormatError: the layers do not come from this model.
    """
    chosen = model.sets[quality]
    grid = Grid(rows, columns)
    context = Context(grid, chosen.planes)
    groups = chosen.groups
    # codes of the unit that is being decoded, and how many of its blocks are there
    codes, there, taken = np.zeros(grid.blocks, np.int32), 0, 0

    def note(blocks: np.ndarray, symbols: np.ndarray) -> None:
        nonlocal codes, there, taken
        codes[blocks] = symbols
        there += len(blocks)
        if there == grid.blocks:
            take(codes.reshape(rows, columns))
            codes, there, taken = np.zeros(grid.blocks, np.int32), 0, taken + 1

    for number, (part, layer) in enumerate(zip(chosen.layers(), layers, strict=False)):
        reader = Reader(chosen.tables, layer)

        def choose(
            plane: int, blocks: np.ndarray, mean: np.ndarray, classes: np.ndarray, reader: Reader = reader
        ) -> Float[np.ndarray, " blocks"]:
            symbols = reader.get(plane, classes)
            note(blocks, symbols)
            return symbols

        def choose_words(
            group: int, blocks: np.ndarray, classes: np.ndarray, reader: Reader = reader
        ) -> Int[np.ndarray, " blocks"]:
            assert groups is not None  # only groups ask for words
            words = reader.get_words(groups, group, classes)
            note(blocks, words)
            return words

        try:
            walk_units(chosen, grid, choose, choose_words, part, context)
        except FormatError as error:
            raise FormatError(f"layer {number}: {error}") from error
    for _ in range(taken, chosen.units):
        take(codes.reshape(rows, columns))
    values = context.values.reshape(chosen.planes, rows, columns)
    # what predicts the planes is given back first; values are whole numbers, most often small ones
    del context
    small = np.iinfo(np.int16)
    return values.astype(np.int16) if small.min <= values.min() and values.max() <= small.max else values


@dataclass(frozen=True)
class TileWindow:
    """A tile of the lapped picture with up to one block around it; the picture's last row and column go on to full blocks.

    Attributes:
        centred: numbers of the picture in units of the span, around 0.
        lapped: rotated channels after the lapping.
        inner: rows and columns of the tile.
        inside: how many rows and columns belong to the picture.
    """

    centred: Float[np.ndarray, "rows columns channels"]
    lapped: Float[np.ndarray, "channels rows columns"]
    inner: tuple[slice, slice]
    inside: tuple[int, int]

    def planes(self, model: CodecModel) -> Float[np.ndarray, "planes rows16 columns16"]:
        """Return the planes of the tile."""
        return block_dct(np.ascontiguousarray(self.lapped[:, *self.inner]))[model.transform.order]


def tile_window(
    model: CodecModel, numbers: Float[np.ndarray, "rows columns channels"], top: int, left: int, height: int, width: int
) -> TileWindow:
    """Return a tile and what is around it.

    Args:
        model: whose transform is used.
        numbers: the picture, or the part of it that the tile and one block around it lie in.
        top: first row of the tile, a multiple of 16.
        left: first column of the tile, a multiple of 16.
        height: height of the tile within the picture.
        width: width of the tile within the picture.
    """
    rows, columns = numbers.shape[:2]
    above, before = min(top, BLOCK), min(left, BLOCK)
    below, after = min(rows - top - height, BLOCK), min(columns - left - width, BLOCK)
    window = numbers[top - above : top + height + below, left - before : left + width + after]
    centred = ((window.astype(np.float32) - np.float32(model.centre)) / np.float32(model.span)).astype(np.float32)
    padded = np.pad(centred, ((0, -window.shape[0] % BLOCK), (0, -window.shape[1] % BLOCK), (0, 0)), mode="edge")
    full_height, full_width = (-(-side // BLOCK) * BLOCK for side in (height, width))
    inner = slice(above, above + full_height), slice(before, before + full_width)
    return TileWindow(padded, lap(model.transform.rotate(padded)), inner, window.shape[:2])


def tile_planes(
    model: CodecModel, numbers: Float[np.ndarray, "rows columns channels"], top: int, left: int, height: int, width: int
) -> Float[np.ndarray, "planes rows16 columns16"]:
    """Return the planes of a tile of the lapped picture; arguments as `tile_window`."""
    return tile_window(model, numbers, top, left, height, width).planes(model)


def tile_blocks(
    model: CodecModel, step: float, values: Real[np.ndarray, "coded rows16 columns16"]
) -> Float[np.ndarray, "channels rows columns"]:
    """Return the rotated channels of a decoded tile, still lapped."""
    planes = np.zeros((len(model.transform.order), *values.shape[1:]), np.float32)
    planes[: len(values)] = values * np.float32(step / VALUE_UNITS)
    return model.transform.blocks(planes)


def codes_checksum(codes: Int[np.ndarray, "planes rows columns"], before: int = 0) -> int:
    """Return the CRC32 of codes as little-endian int32, going on from the tile before."""
    return zlib.crc32(np.ascontiguousarray(codes, "<i4").tobytes(), before)
