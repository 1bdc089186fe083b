"""The header of a `.nic` file as bytes, both ways. docs/compression_format.md has the table of fields."""

from __future__ import annotations

import struct
import zlib

from sciml.compression.container.header import (
    MODEL_ID_BYTES,
    SAMPLE_TYPES,
    UINT32,
    UNIT_BYTES,
    Channel,
    Header,
    Limits,
    check_channel,
    check_extra,
    check_file_bytes,
    check_range,
    check_size,
    tiles_along,
)
from sciml.runtime.errors import FormatError

MAGIC = b"\x8eNIC"
VERSION = 1
FIXED = struct.Struct(f"<4sBB{MODEL_ID_BYTES}sIIBBHBB")
NUMBERS = struct.Struct("<dd")
CRC32 = struct.Struct("<I")

STRONG, CODES, RECONSTRUCTION, CHANNELS, PROFILE, ALPHA, ROI = (1 << bit for bit in range(7))
KNOWN_FLAGS = 2**7 - 1
VARINT_BYTES = 5

# Starts of files that people rename or mix up, with their names.
STRANGERS = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"RIFF": "a WebP picture or another RIFF file",
    b"II*\0": "a TIFF picture",
    b"MM\0*": "a TIFF picture",
    b"BM": "a BMP picture",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
}
# What is left of the magic after a transfer as text: the first byte gone, cut to 7 bits, replaced, or turned into UTF-8.
MANGLED = (MAGIC[1:], b"\x0eNIC", b"\xc2\x8eNIC", b"\xef\xbf\xbdNIC", b"?NIC", b"\xc5\xbdNIC")


def varint(value: int) -> bytes:
    """Return a number below 2^32 in groups of 7 bits, lowest first; all bytes but the last have the top bit set.

    Raises:
        FormatError: the number is negative or does not fit.
    """
    check_range(value, 0, UINT32, "length")
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def pack_header(header: Header) -> bytes:
    """Return the bytes of a checked header, its CRC32 at the end."""
    described = header.channels != (Channel(),) * len(header.channels)
    flags = (
        STRONG * header.crc32
        | ROI * header.roi
        | CODES * (header.codes_crc is not None)
        | RECONSTRUCTION * (header.reconstruction_crc is not None)
        | CHANNELS * described
        | PROFILE * (header.profile_bytes is not None)
        | ALPHA * (header.alpha_bytes is not None)
    )
    samples = SAMPLE_TYPES.index(header.sample_type) << 4 | len(header.channels) - 1
    sizes = header.width, header.height, samples, header.quality, header.quantiser_code, header.layers, header.tile_log2
    parts = [FIXED.pack(MAGIC, VERSION, flags, header.model_id, *sizes)]
    parts += [CRC32.pack(crc) for crc in (header.codes_crc, header.reconstruction_crc) if crc is not None]
    if described:
        for channel in header.channels:
            unit = channel.unit.encode()
            parts += [NUMBERS.pack(channel.offset, channel.scale), bytes([len(unit)]), unit]
    parts += [varint(size) for size in (header.profile_bytes, header.alpha_bytes) if size is not None]
    parts += [varint(length) for tile in header.lengths for length in tile]
    packed = b"".join(parts)
    return packed + CRC32.pack(zlib.crc32(packed))


def parse_header(data: memoryview, limits: Limits) -> tuple[Header, int]:
    """Return the header at the start of `data` and its size in bytes.

    Args:
        data: the file or at least its header.
        limits: what is accepted.

    Raises:
        FormatError: this is no header of a `.nic` file of this version within the limits.
    """
    _check_start(data)
    cursor = _Cursor(data)
    _, _, flags, model_id, *sizes = FIXED.unpack(cursor.take(FIXED.size, "the fixed fields"))
    width, height, samples, quality, code, layers, tile_log2 = sizes
    if flags & ~KNOWN_FLAGS:
        raise FormatError(f"the flags are {flags:#04x}: version {VERSION} knows none of {flags & ~KNOWN_FLAGS:#04x}")
    if samples >> 4 >= len(SAMPLE_TYPES):
        raise FormatError(f"the sample type is {samples >> 4}: expected 0 to {len(SAMPLE_TYPES) - 1} ({', '.join(SAMPLE_TYPES)})")
    count = (samples & 15) + 1
    check_size(width, height, count, layers, tile_log2, limits)
    codes_crc = cursor.crc("the CRC32 of the codes") if flags & CODES else None
    reconstruction_crc = cursor.crc("the CRC32 of the reconstruction") if flags & RECONSTRUCTION else None
    channels = _channels(cursor, count) if flags & CHANNELS else (Channel(),) * count
    profile_bytes = cursor.varint("the length of the ICC profile") if flags & PROFILE else None
    alpha_bytes = cursor.varint("the length of the alpha payload") if flags & ALPHA else None
    check_extra(profile_bytes, alpha_bytes, limits)
    total = (profile_bytes or 0) + (alpha_bytes or 0)
    lengths = []
    for _ in range(tiles_along(width, tile_log2) * tiles_along(height, tile_log2)):
        tile = tuple(cursor.varint("the table of lengths") for _ in range(layers))
        total += sum(tile)
        check_file_bytes(total, limits)
        lengths.append(tile)
    end = cursor.position
    found, expected = cursor.crc("the CRC32 of the header"), zlib.crc32(data[:end])
    if found != expected:
        raise FormatError(f"the header is damaged: its CRC32 is {found:08x}, expected {expected:08x}; fetch the file again")
    header = Header(
        model_id=model_id,
        width=width,
        height=height,
        channels=channels,
        sample_type=SAMPLE_TYPES[samples >> 4],
        quality=quality,
        quantiser_code=code,
        tile_log2=tile_log2,
        crc32=bool(flags & STRONG),
        roi=bool(flags & ROI),
        codes_crc=codes_crc,
        reconstruction_crc=reconstruction_crc,
        lengths=tuple(lengths),
        alpha_bytes=alpha_bytes,
        profile_bytes=profile_bytes,
    )
    return header, cursor.position


def _check_start(data: memoryview) -> None:
    """Raise FormatError where the data does not start as a file of this version."""
    start = bytes(data[:16])
    if not start:
        raise FormatError("the file is empty: expected a .nic file")
    if start[:4] != MAGIC:
        if start.startswith(MANGLED):
            raise FormatError("the first byte 8e was lost in a transfer as text: copy the .nic file again in binary mode")
        if MAGIC.startswith(start):
            raise FormatError(f"the file ends after {len(start)} bytes: expected a whole .nic file; fetch it again")
        names = [name for magic, name in STRANGERS.items() if start.startswith(magic)]
        raise FormatError(
            f"this is {names[0] if names else 'no .nic file'}: it starts with {start[:4].hex(' ')}, expected {MAGIC.hex(' ')}"
        )
    if len(start) == len(MAGIC):
        raise FormatError("the file ends after 4 bytes: expected a whole .nic file; fetch it again")
    version = start[4]
    if version > VERSION:
        raise FormatError(
            f"this is format version {version}, read here is {VERSION}: update to a release that reads version {version}"
        )
    if version < VERSION:
        raise FormatError(f"the format version is {version}: expected {VERSION}")


def _channels(cursor: _Cursor, count: int) -> tuple[Channel, ...]:
    channels = []
    for index in range(count):
        offset, scale = NUMBERS.unpack(cursor.take(NUMBERS.size, f"channel {index}"))
        size = cursor.take(1, f"channel {index}")[0]
        if size > UNIT_BYTES:
            raise FormatError(f"the unit of channel {index} has {size} bytes: expected at most {UNIT_BYTES}")
        try:
            unit = cursor.take(size, f"channel {index}").decode()
        except UnicodeDecodeError as error:
            raise FormatError(f"the unit of channel {index} is no UTF-8: {error}") from error
        channels.append(Channel(offset, scale, unit))
        check_channel(index, channels[-1])
    if channels == [Channel()] * count:
        raise FormatError("the channels are described, yet all by default: expected no description then")
    return tuple(channels)


class _Cursor:
    """A place in the header; every step forward is checked against the end of the data."""

    def __init__(self, data: memoryview) -> None:
        self.data, self.position = data, 0

    def take(self, size: int, what: str) -> bytes:
        """Return the next bytes, of the part of the header named `what`."""
        taken = bytes(self.data[self.position : self.position + size])
        if len(taken) < size:
            raise FormatError(
                f"the file ends after {len(self.data)} bytes in {what}: expected at least {self.position + size}; fetch it again"
            )
        self.position += size
        return taken

    def crc(self, what: str) -> int:
        """Return the next four bytes as a CRC32."""
        return CRC32.unpack(self.take(CRC32.size, what))[0]

    def varint(self, what: str) -> int:
        """Return the next number; one value has one form only, so that equal headers have equal bytes."""
        data, start, value = self.data, self.position, 0
        for index, byte in enumerate(data[start : start + VARINT_BYTES]):
            value |= (byte & 0x7F) << 7 * index
            if byte > 0x7F:
                continue
            if index and byte == 0:
                raise FormatError(f"a number in {what} at byte {start} is longer than it has to be: the header is damaged")
            if value > UINT32:
                break
            self.position += index + 1
            return value
        self.take(VARINT_BYTES, what)
        raise FormatError(f"a number in {what} at byte {start} exceeds {UINT32}: the header is damaged")
