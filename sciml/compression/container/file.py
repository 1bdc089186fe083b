"""The file of the learned image codec (`.nic`): a header, then checked payloads, tile by tile and layer by layer.

    header | ICC profile | alpha | tile 0: layer 0, layer 1, ... | tile 1: ... | ...

Every payload is followed by a checksum that starts from the header's CRC32 and the payload's own place: payloads that change
places, or that come from another file, are found as surely as damaged ones. docs/compression_format.md describes the bytes.
"""

from __future__ import annotations

import binascii
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sciml.compression.container.bytes import pack_header, parse_header
from sciml.compression.container.header import Channel, Header, Limits, check_file_bytes, check_header, text_mode_hint
from sciml.compression.container.layout import (
    ALPHA_LAYER,
    PROFILE_LAYER,
    WHOLE_PICTURE,
    Block,
    LayerRow,
    Tile,
    TileLayout,
    blocks,
    file_bytes,
    layer_offsets,
    layer_table,
    name_block,
    tile_layout,
)
from sciml.runtime.errors import FormatError

__all__ = [
    "Channel",
    "Container",
    "Header",
    "LayerRow",
    "Limits",
    "Tile",
    "TileLayout",
    "file_bytes",
    "layer_offsets",
    "layer_table",
    "read_container",
    "read_header",
    "read_tile",
    "tile_layout",
    "write_container",
]

Data = bytes | bytearray | memoryview
DEFAULT_LIMITS = Limits()
PLACE = struct.Struct("<IB")


@dataclass(frozen=True)
class Container:
    """What was read from a file.

    Attributes:
        header: what the file says of itself, also of parts that are damaged.
        tiles: payloads of each tile, coarse to fine; of a damaged tile the intact leading ones only.
        alpha: payload of the alpha plane for `decode_alpha`; None where there is none or it is damaged.
        icc_profile: None where there is none or it is damaged.
        damage: what is damaged or missing, a line each; empty for an intact file.
    """

    header: Header
    tiles: tuple[tuple[bytes, ...], ...]
    alpha: bytes | None = None
    icc_profile: bytes | None = None
    damage: tuple[str, ...] = ()

    @property
    def intact_layers(self) -> tuple[int, ...]:
        """Number of intact leading layers of each tile."""
        return tuple(len(tile) for tile in self.tiles)


def write_container(
    header: Header,
    tiles: Sequence[Sequence[bytes]],
    alpha: bytes | None = None,
    icc_profile: bytes | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> bytes:
    """Return the bytes of a `.nic` file.

    Args:
        header: its lengths, alpha_bytes and profile_bytes are measured from the payloads, whatever they are.
        tiles: payloads of each tile, tiles row by row, layers coarse to fine, equally many in each; a payload may be empty.
        alpha: payload of the alpha plane, from `encode_alpha`.
        icc_profile: ICC profile of the picture.
        limits: nothing is written that a reader with these would refuse.

    Raises:
        FormatError: a field is out of range or above its limit, or there are not as many tiles as the size of the picture needs.
    """
    header = replace(
        header,
        lengths=tuple(tuple(len(payload) for payload in tile) for tile in tiles),
        alpha_bytes=None if alpha is None else len(alpha),
        profile_bytes=None if icc_profile is None else len(icc_profile),
    )
    check_header(header, limits)
    packed = pack_header(header)
    whole = {PROFILE_LAYER: icc_profile, ALPHA_LAYER: alpha}
    parts = [packed]
    for block in blocks(header, len(packed)):
        payload = (whole[block.layer] if block.tile == WHOLE_PICTURE else tiles[block.tile][block.layer]) or b""
        parts += [payload, _checksum(payload, block, packed[-4:])]
        check_file_bytes(block.end, limits)
    return b"".join(parts)


def read_header(data: Data, limits: Limits = DEFAULT_LIMITS) -> Header:
    """Return the header of a file.

    Args:
        data: the file, or its first bytes up to the end of the header at least.
        limits: what is accepted.

    Raises:
        FormatError: this is no header of a `.nic` file of this version within the limits; the message says what was found.
    """
    view = memoryview(data).cast("B")
    with text_mode_hint(view):
        return parse_header(view, limits)[0]


def read_container(data: Data, limits: Limits = DEFAULT_LIMITS, salvage: bool = False) -> Container:
    """Return header and payloads of a file, every checksum verified.

    Args:
        data: the whole file; with `salvage` a part from its start is enough.
        limits: what is accepted.
        salvage: leave out damaged and missing payloads and name them, instead of raising. The header has to be intact.

    Raises:
        FormatError: the header is damaged, no `.nic` header or above a limit; without `salvage` also any other damage, with
            tile and layer.
    """
    view = memoryview(data).cast("B")
    with text_mode_hint(view):
        header, start = parse_header(view, limits)
        size = file_bytes(header)
        check_file_bytes(size, limits)
        faults: list[str] = []
        whole: dict[int, bytes] = {}
        tiles: list[list[bytes]] = [[] for _ in header.lengths]
        for block in blocks(header, start):
            fault = _fault(view, header, block, bytes(view[start - 4 : start]))
            if fault and not salvage:
                raise FormatError(fault)
            ended = block.end > len(view)
            # Layers after a damaged one are of no use: each refines the one before.
            useful = block.tile == WHOLE_PICTURE or len(tiles[block.tile]) == block.layer
            if fault and (useful or ended):
                faults.append(fault)
            if ended:
                break
            if useful and not fault:
                payload = bytes(view[block.start : block.stop])
                if block.tile == WHOLE_PICTURE:
                    whole[block.layer] = payload
                else:
                    tiles[block.tile].append(payload)
        if len(view) > size:
            faults.append(f"{len(view) - size} bytes follow the end of the file at byte {size}: expected none")
            if not salvage:
                raise FormatError(faults[0])
    return Container(header, tuple(map(tuple, tiles)), whole.get(ALPHA_LAYER), whole.get(PROFILE_LAYER), tuple(faults))


def read_tile(data: Data, header: Header, tile: int) -> tuple[bytes, ...]:
    """Return the payloads of one tile and look at no other.

    Args:
        data: the whole file; a memory map will do.
        header: header of the same file, from `read_header`.
        tile: its number, row by row from 0.

    Raises:
        FormatError: there is no such tile, or it is damaged.
    """
    if not 0 <= tile < len(header.lengths):
        raise FormatError(f"tile {tile} was asked for: the picture has tiles 0 to {len(header.lengths) - 1}")
    view = memoryview(data).cast("B")
    packed = pack_header(header)
    wanted = [block for block in blocks(header, len(packed)) if block.tile == tile]
    for block in wanted:
        fault = _fault(view, header, block, packed[-4:])
        if fault:
            raise FormatError(fault)
    return tuple(bytes(view[block.start : block.stop]) for block in wanted)


def _fault(data: memoryview, header: Header, block: Block, header_crc: bytes) -> str:
    """Return what is wrong with a payload, or nothing."""
    if block.end > len(data):
        size = file_bytes(header)
        return f"the file ends after {len(data)} of {size} bytes: {name_block(header, block)} and all that follows are missing"
    found, expected = bytes(data[block.stop : block.end]), _checksum(data[block.start : block.stop], block, header_crc)
    if found == expected:
        return ""
    return f"{name_block(header, block)} is damaged: its checksum is {found.hex()}, expected {expected.hex()}"


def _checksum(payload: bytes | memoryview, block: Block, header_crc: bytes) -> bytes:
    """Return the checksum over the header's CRC32, the place of the payload and the payload itself, in the block's length."""
    seed = header_crc + PLACE.pack(block.tile, block.layer)
    if block.end - block.stop == 4:
        return zlib.crc32(payload, zlib.crc32(seed)).to_bytes(4, "little")
    return binascii.crc_hqx(payload, binascii.crc_hqx(seed, 0xFFFF)).to_bytes(2, "little")
