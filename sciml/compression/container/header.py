"""What the head of a `.nic` file says, and the limits that it is held to before anything is allocated."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from sciml.runtime.errors import FormatError

SampleType = Literal["u8", "u16", "f32"]
SAMPLE_TYPES: tuple[SampleType, ...] = ("u8", "u16", "f32")
MODEL_ID_BYTES = 8
UNIT_BYTES = 16
MOST_CHANNELS = 16
MOST_LAYERS = 255
TILE_LOG2 = range(4, 16)
UINT32 = 2**32 - 1
# a tile takes at least as long as so many pixels
TILE_PIXELS = 2**16


@dataclass(frozen=True)
class Limits:
    """What a reader accepts, each an upper bound; a file may ask for more and is then refused.

    Attributes:
        pixels: width times height.
        side: width and height each.
        channels: channels of the picture, without alpha.
        layers: layers of a tile.
        tiles: tiles of the picture.
        small_tiles: tiles beyond one for every 65,536 pixels. A tile takes as long as so many pixels, however small it is: a
            small picture of many tiny tiles would hold a decoder for minutes.
        bytes: bytes of the whole file.
        profile: bytes of the ICC profile.
    """

    pixels: int = 2**27
    side: int = 65535
    channels: int = MOST_CHANNELS
    layers: int = 64
    tiles: int = 4096
    bytes: int = 2**28
    profile: int = 2**20
    small_tiles: int = 512


@dataclass(frozen=True)
class Channel:
    """How the numbers of a channel become values: value = offset + scale * number, in `unit`.

    The number is on the model's own scale; for u8 and u16 the value is then rounded and clipped to the type.

    Attributes:
        offset: value of the number 0; finite.
        scale: value of one step of the number; finite and not 0.
        unit: name of the value's unit, at most 16 bytes in UTF-8 without control characters; empty where it has none.
    """

    offset: float = 0.0
    scale: float = 1.0
    unit: str = ""


@dataclass(frozen=True)
class Header:
    """Everything in a file but its payloads.

    The last three fields are measured by `write_container`; who writes a file leaves them alone.

    Attributes:
        model_id: 8 bytes that name the model which can decode the file.
        width: width of the picture in pixels.
        height: height of the picture in pixels.
        channels: one entry a channel, 1 to 16.
        sample_type: type of the decoded samples.
        quality: number of the model's table set that was used, 0 to 255.
        quantiser_code: the model's code of the quantiser step, 0 to 65535.
        tile_log2: logarithm to base 2 of a tile's side, 4 to 15, or 0 where the picture is one tile.
        crc32: whether layers carry a CRC32 instead of a CRC16.
        roi: whether regions were coded with different weights; it changes nothing for a reader.
        codes_crc: CRC32 of the code arrays of all layers, or None.
        reconstruction_crc: CRC32 of the picture that the encoder decoded itself, or None.
        lengths: bytes of each layer of each tile, tiles row by row.
        alpha_bytes: bytes of the alpha payload, or None.
        profile_bytes: bytes of the ICC profile, or None.
    """

    model_id: bytes
    width: int
    height: int
    channels: tuple[Channel, ...] = (Channel(), Channel(), Channel())
    sample_type: SampleType = "u8"
    quality: int = 0
    quantiser_code: int = 0
    tile_log2: int = 0
    crc32: bool = False
    roi: bool = False
    codes_crc: int | None = None
    reconstruction_crc: int | None = None
    lengths: tuple[tuple[int, ...], ...] = ()
    alpha_bytes: int | None = None
    profile_bytes: int | None = None

    @property
    def layers(self) -> int:
        """Number of layers of every tile."""
        return len(self.lengths[0]) if self.lengths else 0

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height

    @property
    def tile_rows(self) -> int:
        """Number of rows of tiles."""
        return tiles_along(self.height, self.tile_log2)

    @property
    def tile_columns(self) -> int:
        """Number of columns of tiles."""
        return tiles_along(self.width, self.tile_log2)

    @property
    def bytes_per_layer(self) -> tuple[int, ...]:
        """Payload bytes of each layer, summed over tiles, without checksums."""
        return tuple(sum(layer) for layer in zip(*self.lengths, strict=True))


def tiles_along(side: int, tile_log2: int) -> int:
    """Return how many tiles cover `side` pixels."""
    return -(-side >> tile_log2) if tile_log2 else 1


def check_size(width: int, height: int, channels: int, layers: int, tile_log2: int, limits: Limits) -> None:
    """Raise FormatError where the fixed numbers of a header are outside the format or above the limits."""
    for name, side in (("width", width), ("height", height)):
        if side < 1:
            raise FormatError(f"the {name} is {side}: expected at least 1 pixel")
        _check_limit(side, limits.side, f"the {name} of the picture is", "pixels")
    _check_limit(width * height, limits.pixels, f"the picture of {width} x {height} has", "pixels")
    check_range(channels, 1, MOST_CHANNELS, "number of channels")
    _check_limit(channels, limits.channels, "the picture has", "channels")
    check_range(layers, 1, MOST_LAYERS, "number of layers")
    _check_limit(layers, limits.layers, "the file has", "layers")
    if tile_log2 and tile_log2 not in TILE_LOG2:
        raise FormatError(f"the tile size is 2 to the {tile_log2}: expected 0 (one tile) or {TILE_LOG2[0]} to {TILE_LOG2[-1]}")
    tiles = tiles_along(width, tile_log2) * tiles_along(height, tile_log2)
    _check_limit(tiles, limits.tiles, "the picture has", "tiles")
    most = limits.small_tiles + width * height // TILE_PIXELS
    if tiles > most:
        raise FormatError(
            f"the picture of {width} x {height} pixels has {tiles} tiles, each of which takes its time: expected at most {most}; "
            "raise the limit on tiles if you trust the file"
        )


def check_channel(index: int, channel: Channel) -> None:
    """Raise FormatError where a channel's offset, scale or unit is none."""
    if not math.isfinite(channel.offset):
        raise FormatError(f"the offset of channel {index} is {channel.offset}: expected a finite number")
    if not math.isfinite(channel.scale) or channel.scale == 0:
        raise FormatError(f"the scale of channel {index} is {channel.scale}: expected a finite number other than 0")
    # A fixed rule, since what counts as printable changes with the Unicode version.
    if any(ord(letter) < 0x20 or 0x7F <= ord(letter) < 0xA0 or 0xD800 <= ord(letter) < 0xE000 for letter in channel.unit):
        raise FormatError(f"the unit of channel {index} is {channel.unit!r}: expected text without control characters")
    if len(channel.unit.encode()) > UNIT_BYTES:
        raise FormatError(f"the unit of channel {index} is {channel.unit!r}: expected at most {UNIT_BYTES} bytes of UTF-8")


def check_header(header: Header, limits: Limits) -> None:
    """Raise FormatError where a header cannot be written, or where its lengths do not fit its tiles."""
    if len(header.model_id) != MODEL_ID_BYTES:
        raise FormatError(f"the model id has {len(header.model_id)} bytes: expected {MODEL_ID_BYTES}")
    if header.sample_type not in SAMPLE_TYPES:
        raise FormatError(f"the sample type is {header.sample_type!r}: expected one of {', '.join(SAMPLE_TYPES)}")
    check_size(header.width, header.height, len(header.channels), header.layers, header.tile_log2, limits)
    for index, channel in enumerate(header.channels):
        check_channel(index, channel)
    check_range(header.quality, 0, 255, "quality index")
    check_range(header.quantiser_code, 0, 65535, "step code")
    for crc, name in ((header.codes_crc, "CRC32 of the codes"), (header.reconstruction_crc, "CRC32 of the reconstruction")):
        check_range(crc or 0, 0, UINT32, name)
    tiles = header.tile_rows * header.tile_columns
    if len(header.lengths) != tiles:
        raise FormatError(
            f"there are payloads for {len(header.lengths)} tiles: expected {tiles} for this size of picture and tile"
        )
    for index, tile in enumerate(header.lengths):
        if len(tile) != header.layers:
            raise FormatError(f"tile {index} has {len(tile)} layers: expected {header.layers} as in tile 0")
    check_extra(header.profile_bytes, header.alpha_bytes, limits)


def check_extra(profile_bytes: int | None, alpha_bytes: int | None, limits: Limits) -> None:
    """Raise FormatError for an empty profile or alpha payload, or for a profile above its limit."""
    for size, name in ((profile_bytes, "ICC profile"), (alpha_bytes, "alpha payload")):
        if size == 0:
            raise FormatError(f"the {name} has 0 bytes: expected at least 1, or none at all")
    _check_limit(profile_bytes or 0, limits.profile, "the ICC profile has", "bytes")


def check_file_bytes(size: int, limits: Limits) -> None:
    """Raise FormatError where a file is larger than its limit."""
    _check_limit(size, limits.bytes, "the file has", "bytes")


def check_range(value: int, least: int, most: int, name: str) -> None:
    """Raise FormatError where a number is outside its field."""
    if not least <= value <= most:
        raise FormatError(f"the {name} is {value}: expected {least} to {most}")


def _check_limit(value: int, limit: int, what: str, unit: str) -> None:
    if value > limit:
        raise FormatError(f"{what} {value} {unit}: expected at most {limit}; raise the limit if you trust the file")


@contextmanager
def text_mode_hint(data: memoryview) -> Iterator[None]:
    """Add to a FormatError that the file went through a text mode, where its line ends show it."""
    try:
        yield
    except FormatError as error:
        start = bytes(data[:65536])
        line_feeds = start.count(b"\n")
        if line_feeds == 0 or line_feeds != start.count(b"\r\n"):
            raise
        raise FormatError(
            f"{error}; every line feed follows a carriage return, as a copy in text mode leaves it: copy the file in binary mode"
        ) from error
