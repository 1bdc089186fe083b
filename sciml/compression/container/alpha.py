"""Lossless payload of an alpha plane: a byte for opaque or constant planes, else a filter and raw deflate.

Every filter is a difference of neighbours, so that cumulative sums undo it for the whole plane at once.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np
from jaxtyping import UInt
from numpy.typing import NDArray

from sciml.runtime.errors import FormatError, ShapeError

OPAQUE, CONSTANT, FIRST_FILTER = 0, 1, 2
# Axes along which neighbours are subtracted, in the order of the methods from FIRST_FILTER on.
FILTERS: tuple[tuple[int, ...], ...] = ((), (1,), (0,), (1, 0))
WIDE = 0x10
# A deflate stream gives at most 258 bytes for two bits.
MOST_EXPANSION = 1032
# samples that are unpacked at once, and bytes of the stream that are
ROWS_BYTES, READ_BYTES = 2**20, 2**16


def encode_alpha(plane: UInt[np.ndarray, "height width"]) -> bytes:
    """Return the payload of a plane, the shortest over all filters.

    Args:
        plane: alpha, not premultiplied, in uint8 or uint16; the largest value of the type is opaque.

    Raises:
        ShapeError: the plane is empty, has not two dimensions or another type.
    """
    plane = np.asarray(plane)
    if plane.ndim != 2 or plane.size == 0 or plane.dtype not in (np.uint8, np.uint16):
        raise ShapeError(f"alpha has shape {plane.shape} and type {plane.dtype}: expected (height, width) in uint8 or uint16")
    wide = WIDE if plane.dtype == np.uint16 else 0
    first = plane.flat[0]
    if np.all(plane == first):
        if first == np.iinfo(plane.dtype).max:
            return bytes([wide | OPAQUE])
        return bytes([wide | CONSTANT]) + int(first).to_bytes(plane.itemsize, "little")
    streams = (bytes([wide | method]) + _deflate(_subtract(plane, axes)) for method, axes in enumerate(FILTERS, FIRST_FILTER))
    return min(streams, key=len)


def decode_alpha(payload: bytes, height: int, width: int) -> UInt[np.ndarray, "height width"]:
    """Return the plane of a payload, uint8 or uint16 as it was given.

    Never more than the plane is inflated, whatever the payload holds.

    Args:
        payload: payload from `encode_alpha`.
        height: height of the picture, already checked against the limits.
        width: width of the picture, likewise.

    Raises:
        FormatError: the payload does not hold exactly one plane of this size.
    """
    return np.concatenate(list(alpha_rows(payload, height, width)))


def alpha_rows(payload: bytes, height: int, width: int) -> Iterator[UInt[np.ndarray, "rows width"]]:
    """Yield the plane of a payload, some rows at a time; arguments and errors as `decode_alpha`."""
    if not payload:
        raise FormatError("the alpha payload is empty: expected at least 1 byte")
    method, body = payload[0] & ~WIDE, payload[1:]
    dtype = np.dtype(np.uint16 if payload[0] & WIDE else np.uint8)
    rows = max(1, ROWS_BYTES // width)
    counts = [min(rows, height - top) for top in range(0, height, rows)]
    if method in (OPAQUE, CONSTANT):
        size = dtype.itemsize if method == CONSTANT else 0
        if len(body) != size:
            raise FormatError(f"the alpha payload of a constant plane has {len(payload)} bytes: expected {1 + size}")
        value = int.from_bytes(body, "little") if size else np.iinfo(dtype).max
        yield from (np.full((count, width), value, dtype) for count in counts)
        return
    if method >= FIRST_FILTER + len(FILTERS):
        raise FormatError(f"the alpha payload has method {payload[0]:#04x}: expected 0 to 5, or 0x10 to 0x15 for 16 bits")
    size = height * width
    # of 16 bits all high bytes come first: a second reader begins with the low ones
    readers = [_Inflater(body, size * dtype.itemsize) for _ in range(dtype.itemsize)]
    for _ in range(0 if len(readers) == 1 else height):
        readers[1].take(width)
    axes = FILTERS[method - FIRST_FILTER]
    above = np.zeros(width, dtype)
    for count in counts:
        part = np.zeros((count, width), dtype)
        for shift, reader in zip(range(8 * len(readers) - 8, -1, -8), readers, strict=True):
            part |= np.frombuffer(reader.take(part.size), np.uint8).reshape(part.shape).astype(dtype) << shift
        if 1 in axes:
            part = np.cumsum(part, axis=1, dtype=dtype)
        if 0 in axes:
            part[0] += above
            part = np.cumsum(part, axis=0, dtype=dtype)
            above = part[-1]
        if not readers[-1].left:
            readers[-1].end()
        yield part


def _subtract(plane: NDArray[np.unsignedinteger], axes: tuple[int, ...]) -> NDArray[np.unsignedinteger]:
    """Return the differences to the neighbour before along each axis, modulo the range of the type; before the first is 0."""
    for axis in axes:
        plane = np.diff(plane, axis=axis, prepend=plane.dtype.type(0))
    return plane


def _deflate(plane: NDArray[np.unsignedinteger]) -> bytes:
    """Return a plane as raw deflate; of 16 bits all high bytes come first, since they are more alike than the low ones."""
    octets = np.asarray(plane, plane.dtype.newbyteorder(">"), order="C").view(np.uint8).reshape(-1, plane.itemsize)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(octets.T.tobytes()) + packer.flush()


class _Inflater:
    """Exactly `size` bytes from raw deflate, some at a time."""

    def __init__(self, stream: bytes, size: int) -> None:
        if size > MOST_EXPANSION * len(stream):
            raise FormatError(
                f"the alpha payload of {len(stream)} bytes cannot hold the {size} bytes of the plane: it is damaged"
            )
        self.left, self._size = size, size
        self._stream, self._place = stream, 0
        self._unpacker = zlib.decompressobj(-zlib.MAX_WBITS)

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        found = bytearray()
        while len(found) < count:
            octets = self._some(count - len(found))
            if not octets:
                end = "" if self._unpacker.eof else "an unfinished "
                raise FormatError(
                    f"the alpha payload holds {end}{self._size - self.left + len(found)} bytes: expected {self._size}"
                )
            found += octets
        self.left -= count
        return bytes(found)

    def end(self) -> None:
        """Check that the stream ends here."""
        # a stream of the right size reaches its end mark now, one that is too long shows
        if self._some(1):
            raise FormatError(f"the alpha payload holds more than {self._size} bytes: expected {self._size}")
        if not self._unpacker.eof:
            raise FormatError(f"the alpha payload holds an unfinished {self._size} bytes: expected {self._size}")
        rest = len(self._unpacker.unused_data) + len(self._stream) - self._place
        if rest:
            raise FormatError(f"{rest} bytes follow the alpha stream: expected none")

    def _some(self, most: int) -> bytes:
        """Return up to so many bytes, none where the stream has no more."""
        try:
            while not self._unpacker.eof:
                waiting = self._unpacker.unconsumed_tail
                if not waiting:
                    waiting = self._stream[self._place : self._place + READ_BYTES]
                    self._place += len(waiting)
                octets = self._unpacker.decompress(waiting, most)
                if octets or not (waiting or self._unpacker.unconsumed_tail):
                    return octets
        except zlib.error as error:
            raise FormatError(f"the alpha payload is damaged: {error}") from error
        return b""
