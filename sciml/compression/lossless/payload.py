"""A tile's layers with their method: predicted, predicted over the levels in use, or deflated.

The first byte of layer 0 names the method.

    0  predicted: the coder's words follow
    1  predicted over levels: the number of levels and the bytes of their deflated differences (4 bytes each), these, the words
    2  deflated: rows with all their planes as one plane of `sciml.compression.container.alpha`; the other layers are empty
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from sciml.compression.container.alpha import decode_alpha, encode_alpha
from sciml.compression.lossless.model import LosslessModel
from sciml.compression.lossless.tile import LAYERS, decode_tile, encode_tile
from sciml.compression.lossless.weights import own_weights
from sciml.runtime.errors import FormatError

PREDICTED, LEVELS, DEFLATED = range(3)
TABLE = struct.Struct("<II")
MOST_LEVELS = 2**16
# levels are listed where no more than half of the range is in use, and the list costs at most this share of what it may save
SHARE = 0.5
# deflate at full effort is tried where its quickest is not larger than this
NEAR = 1.3
Plane = Int[np.ndarray, "planes rows columns"]


def pack_tile(model: LosslessModel, samples: Plane, bound: int, short: bool) -> tuple[tuple[bytes, ...], Plane]:
    """Return the layers of a tile and its samples as a decoder has them.

    Args:
        model: weights and tables.
        samples: whole numbers.
        bound: largest error.
        short: whether they have at most 16 bits.
    """
    method, table, numbers = PREDICTED, b"", samples
    if short and bound == 0:
        used = np.unique(samples)
        saved = math.log2((int(used[-1] - used[0]) + 1) / len(used)) * samples.size
        packed = zlib.compress(np.diff(used, prepend=0).astype("<u2").tobytes(), 9)
        if saved >= samples.size and 8 * len(packed) < SHARE * saved:
            method, table = LEVELS, TABLE.pack(len(used), len(packed)) + packed
            numbers = used.searchsorted(samples)
    layers, decoded = encode_tile(model, numbers, bound, own_weights(model, numbers, bound))
    layers = (bytes([method]) + table + layers[0], *layers[1:])
    decoded = samples if method == LEVELS else decoded
    if short:
        plain = _flat(samples).astype(np.uint16 if samples.max() > 255 else np.uint8)
        if len(zlib.compress(plain.tobytes(), 1)) < NEAR * sum(map(len, layers)):
            deflated = encode_alpha(plain)
            if 1 + len(deflated) < sum(map(len, layers)):
                return (bytes([DEFLATED]) + deflated, *[b""] * (LAYERS - 1)), samples
    return layers, decoded


def unpack_tile(model: LosslessModel, layers: Sequence[bytes], shape: tuple[int, int, int], bound: int) -> Plane:
    """Return the samples of a tile; those of missing layers are as they are predicted.

    Args:
        model: weights and tables.
        layers: the first ones, at least one.
        shape: planes, rows and columns.
        bound: largest error that the encoder allowed.

    Raises:
        FormatError: the layers do not come from this model.
    """
    planes, rows, columns = shape
    first = memoryview(layers[0])
    if not first or first[0] > DEFLATED:
        raise FormatError(f"layer 0 has method {first[0] if first else 'none'}: expected 0 to {DEFLATED}")
    method, body = first[0], first[1:]
    if method == DEFLATED:
        plain = decode_alpha(bytes(body), rows, planes * columns)
        return np.ascontiguousarray(plain.reshape(rows, planes, columns).transpose(1, 0, 2)).astype(np.int64)
    if method == PREDICTED:
        return decode_tile(model, [body, *layers[1:]], shape, bound)
    if len(body) < TABLE.size:
        raise FormatError("layer 0 ends within its list of levels: the file is damaged")
    count, size = TABLE.unpack(body[: TABLE.size])
    used = _levels(bytes(body[TABLE.size : TABLE.size + size]), count, size)
    numbers = decode_tile(model, [body[TABLE.size + size :], *layers[1:]], shape, bound)
    if numbers.max() >= count:
        raise FormatError(f"a sample has level {numbers.max()} of {count}: the file is damaged")
    return used[numbers]


def _flat(samples: Plane) -> Int[np.ndarray, "rows planes_columns"]:
    return samples.transpose(1, 0, 2).reshape(samples.shape[1], -1)


def _levels(packed: bytes, count: int, size: int) -> Int[np.ndarray, " levels"]:
    if not 1 <= count <= MOST_LEVELS or len(packed) != size:
        raise FormatError(f"layer 0 lists {count} levels in {size} bytes: the file is damaged")
    unpacker = zlib.decompressobj()
    try:
        octets = unpacker.decompress(packed, 2 * count + 1)
    except zlib.error as error:
        raise FormatError(f"the list of levels is damaged: {error}") from error
    if len(octets) != 2 * count or not unpacker.eof:
        raise FormatError(f"the list of levels has {len(octets)} bytes: expected {2 * count}")
    return np.frombuffer(octets, "<u2").astype(np.int64).cumsum()
