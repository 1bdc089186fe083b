"""Where the parts of a `.nic` file lie: tiles in the picture, payloads in the file, bytes by layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sciml.compression.container.bytes import pack_header
from sciml.compression.container.header import Header

# Tile number of the two payloads that belong to the whole picture, with their layer numbers.
WHOLE_PICTURE = 2**32 - 1
PROFILE_LAYER, ALPHA_LAYER = 0, 1


class Tile(NamedTuple):
    """A tile's place among tiles and its rectangle in pixels."""

    row: int
    column: int
    top: int
    left: int
    height: int
    width: int


class TileLayout(NamedTuple):
    """How tiles cover a picture.

    Attributes:
        rows: rows of tiles.
        columns: columns of tiles.
        tiles: row by row, in the order of the payloads.
    """

    rows: int
    columns: int
    tiles: tuple[Tile, ...]


class LayerRow(NamedTuple):
    """A line of `layer_table`."""

    name: str
    bytes: int
    bits_per_pixel: float


class Block(NamedTuple):
    """A payload in the file, followed by its checksum.

    Attributes:
        tile: number of the tile, or `WHOLE_PICTURE`.
        layer: number of the layer, from 0.
        start: first byte of the payload in the file.
        stop: first byte of the checksum.
        end: first byte after the checksum.
    """

    tile: int
    layer: int
    start: int
    stop: int
    end: int


def tile_layout(header: Header) -> TileLayout:
    """Return rows, columns and rectangles of the tiles; those at the right and at the bottom may be smaller."""
    rows, columns = header.tile_rows, header.tile_columns
    side = 1 << header.tile_log2 if header.tile_log2 else max(header.width, header.height)
    tiles = tuple(
        Tile(row, column, top, left, min(side, header.height - top), min(side, header.width - left))
        for row, top in enumerate(range(0, header.height, side))
        for column, left in enumerate(range(0, header.width, side))
    )
    return TileLayout(rows, columns, tiles)


def layer_offsets(header: Header) -> tuple[tuple[int, ...], ...]:
    """Return the first byte of each layer of each tile in the file, shaped as `header.lengths`."""
    starts = [block.start for block in blocks(header, len(pack_header(header))) if block.tile != WHOLE_PICTURE]
    return tuple(tuple(starts[index : index + header.layers]) for index in range(0, len(starts), header.layers))


def layer_table(header: Header) -> tuple[LayerRow, ...]:
    """Return name, bytes and bits per pixel of each part; the bytes add up to the size of the file."""
    parts = {"ICC profile": header.profile_bytes or 0, "alpha": header.alpha_bytes or 0}
    parts |= {f"layer {number}": size for number, size in enumerate(header.bytes_per_layer, 1)}
    parts = {"header and checksums": file_bytes(header) - sum(parts.values())} | parts
    kept = {name: size for name, size in parts.items() if size or name.startswith("layer")}
    return tuple(LayerRow(name, size, 8 * size / header.pixels) for name, size in kept.items())


def file_bytes(header: Header) -> int:
    """Return the size of the whole file in bytes."""
    *_, last = blocks(header, len(pack_header(header)))
    return last.end


def blocks(header: Header, header_bytes: int) -> Iterator[Block]:
    """Yield the payloads in the order of the file: profile, alpha, then tile by tile the layers.

    Args:
        header: header with its lengths.
        header_bytes: where the first payload starts.
    """
    start = header_bytes
    for layer, size in ((PROFILE_LAYER, header.profile_bytes), (ALPHA_LAYER, header.alpha_bytes)):
        if size is not None:
            yield Block(WHOLE_PICTURE, layer, start, start + size, start + size + 4)
            start += size + 4
    check = 4 if header.crc32 else 2
    for tile, lengths in enumerate(header.lengths):
        for layer, size in enumerate(lengths):
            yield Block(tile, layer, start, start + size, start + size + check)
            start += size + check


def name_block(header: Header, block: Block) -> str:
    """Return a payload in words, counted from 1, with its place in the file."""
    if block.tile == WHOLE_PICTURE:
        name = "the ICC profile" if block.layer == PROFILE_LAYER else "the alpha payload"
    else:
        row, column = divmod(block.tile, header.tile_columns)
        place = f"row {row + 1} of {header.tile_rows}, column {column + 1} of {header.tile_columns}"
        name = f"tile at {place}, layer {block.layer + 1} of {header.layers}"
    return f"{name} (from byte {block.start})"
