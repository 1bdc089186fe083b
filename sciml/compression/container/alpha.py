"""Lossless payload of an alpha plane: a byte for opaque or constant planes, else a filter and raw deflate.

Every filter is a difference of neighbours, so that cumulative sums undo it for the whole plane at once.
"""

from __future__ import annotations

import zlib

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
    if not payload:
        raise FormatError("the alpha payload is empty: expected at least 1 byte")
    method, body = payload[0] & ~WIDE, payload[1:]
    dtype = np.dtype(np.uint16 if payload[0] & WIDE else np.uint8)
    if method in (OPAQUE, CONSTANT):
        size = dtype.itemsize if method == CONSTANT else 0
        if len(body) != size:
            raise FormatError(f"the alpha payload of a constant plane has {len(payload)} bytes: expected {1 + size}")
        return np.full((height, width), int.from_bytes(body, "little") if size else np.iinfo(dtype).max, dtype)
    if method >= FIRST_FILTER + len(FILTERS):
        raise FormatError(f"the alpha payload has method {payload[0]:#04x}: expected 0 to 5, or 0x10 to 0x15 for 16 bits")
    plane = _join(_inflate(body, height * width * dtype.itemsize), dtype).reshape(height, width)
    for axis in FILTERS[method - FIRST_FILTER]:
        plane = np.cumsum(plane, axis=axis, dtype=dtype)
    return plane


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


def _join(octets: bytes, dtype: np.dtype) -> NDArray[np.unsignedinteger]:
    """Return samples from their bytes, all high ones first."""
    parts = np.frombuffer(octets, np.uint8).reshape(dtype.itemsize, -1)
    return np.ascontiguousarray(parts.T).view(dtype.newbyteorder(">")).ravel().astype(dtype)


def _inflate(stream: bytes, size: int) -> bytes:
    """Return exactly `size` bytes from raw deflate."""
    if size > MOST_EXPANSION * len(stream):
        raise FormatError(f"the alpha payload of {len(stream)} bytes cannot hold the {size} bytes of the plane: it is damaged")
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        # One more than allowed: a stream of the right size then reaches its end mark, one that is too long shows.
        octets = unpacker.decompress(stream, size + 1)
    except zlib.error as error:
        raise FormatError(f"the alpha payload is damaged: {error}") from error
    if len(octets) != size or not unpacker.eof:
        found = (
            f"more than {size}" if len(octets) > size else f"{len(octets)}" if unpacker.eof else f"an unfinished {len(octets)}"
        )
        raise FormatError(f"the alpha payload holds {found} bytes: expected {size}")
    if unpacker.unused_data:
        raise FormatError(f"{len(unpacker.unused_data)} bytes follow the alpha stream: expected none")
    return octets
