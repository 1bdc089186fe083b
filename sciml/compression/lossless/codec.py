"""The codec of files without loss, or with a bound on the error of every sample.

Samples become whole numbers from 0 to 2^32 - 1: those of 8 and 16 bits are; floats with a bound e are steps of about 2 e / 33
above the least, coded within 16 of them; floats without loss are their own 32 bits, ordered by value. Whole numbers are predicted
and coded tile by tile.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Int, Shaped

from sciml.compression.coding.assembly import Finished
from sciml.compression.coding.encoding import PLAIN, Encoded, EncodeOptions
from sciml.compression.coding.picture_codec import TILE_LOG2, PictureCodec
from sciml.compression.coding.samples import LARGEST, SAMPLE_DTYPES, TYPES, Samples
from sciml.compression.coding.tile_coding import CodedTile, TakeCodes, codes_checksum
from sciml.compression.container.file import Channel, Limits, Tile, tile_layout
from sciml.compression.container.header import MOST_CHANNELS, Header
from sciml.compression.lossless.model import LosslessModel
from sciml.compression.lossless.payload import pack_tile, unpack_tile
from sciml.compression.lossless.tile import LAYERS
from sciml.runtime.errors import ConfigError, DataError, FormatError, NumericalError, ShapeError

# smaller tiles cost a decoder more than their pixels are worth
LEAST_TILE_LOG2 = 8
# larger pictures are cut into tiles, which take 50 bytes a sample to decode
MOST_TILE_SAMPLES = 2**22
ALPHA_COUNTS = (2, 4)
# step code of floats without loss, and bound of others in their steps: what is predicted well needs no symbol of its own
EXACT, STEPS = 0, 16
# steps of a float's range that still leave room for a decoder's whole numbers
MOST_STEPS = 2**31
Plane = Int[np.ndarray, "planes rows columns"]


class LosslessCodec(PictureCodec[Plane]):
    """Encodes and decodes without loss, or within a bound; see the base class for decoding.

    The step code of its files is the bound of whole numbers; 0 of floats says that they are exact.
    """

    model: LosslessModel

    def __init__(self, model: LosslessModel, limits: Limits | None = None):
        super().__init__(limits)
        self.model = model

    @property
    def finest(self) -> float:
        """There are no steps of quality."""
        return 1.0

    def encode(self, image: Shaped[np.ndarray, "*shape"], *, max_error: float | None = None, **options: Any) -> bytes:
        """Return the file of a picture without loss, or within `max_error`; arguments as the base class, but no other target."""
        targets = [name for name in ("quality", "bpp", "max_bytes", "psnr") if options.get(name) is not None]
        if targets:
            raise ConfigError(f"{targets[0]} was given: the model {self.model.name} knows max_error alone, 0 for no loss")
        return super().encode(image, max_error=max_error or 0, **options)

    def encode_within(
        self,
        image: Shaped[np.ndarray, "*shape"],
        max_error: float,
        options: EncodeOptions = PLAIN,
        scale: tuple[Channel, ...] | None = None,
    ) -> bytes:
        """Return the file of a picture no sample of which is off by more than a bound.

        Args:
            image: (rows, columns) or (rows, columns, channels), uint8, uint16 or float; of whole numbers with 2 or 4 channels the
                last is alpha, which is kept exactly.
            max_error: bound on the error of every sample, in levels or in the field's unit; 0: exact. Of whole numbers its whole
                part counts.
            options: profile, checksums and tiles.
            scale: of floats their units are kept, offset and scale follow from the bound.

        Raises:
            ConfigError: a bound below 0 or not finite, tiles below 256 pixels, a region of interest.
            ShapeError: another shape.
            DataError: another type; values that are not finite with a bound; float64 values that are no float32 without one.
        """
        if not (math.isfinite(max_error) and max_error >= 0):
            raise ConfigError(f"max_error is {max_error}: expected a finite number, 0 for no loss at all")
        unit = scale[0].unit if scale else ""
        samples, code = whole_samples(image, max_error, unit)
        return self._encode(samples, code, options, max_error).data

    def encode_samples(self, samples: Samples, code: int, options: EncodeOptions = PLAIN) -> Encoded:
        """Return a picture coded within a bound; arguments as the base class, floats with the scale of `whole_samples`."""
        return self._encode(samples, code, options, math.inf)

    def _encode(self, samples: Samples, code: int, options: EncodeOptions, max_error: float) -> Encoded:
        if options.roi_weights is not None or options.tune != "psnr":
            raise ConfigError("without loss all regions are coded alike: leave regions of interest and tuning out")
        height, width = samples.array.shape[:2]
        tile_log2 = options.tile_log2
        if tile_log2 is None:
            tile_log2 = _tile_log2(height, width, samples.array.shape[2])
        header = Header(
            self.model.id, width, height, samples.channels, samples.sample_type, 0, code, tile_log2, options.crc32,
        )  # fmt: skip
        try:
            self._check_new(header)
        except FormatError as error:
            raise ConfigError(str(error)) from error
        tiles, checksum = [], 0
        for tile in tile_layout(header).tiles:
            part = samples.array[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width]
            numbers = np.ascontiguousarray(to_whole(part, samples, code).transpose(2, 0, 1))
            layers, decoded = pack_tile(self.model, numbers, code, samples.sample_type != "f32")
            checksum = self.checksum(decoded, checksum)
            if code and samples.sample_type == "f32":
                found = from_whole(decoded.transpose(1, 2, 0), header).astype(np.float64)
                if (worst := float(np.abs(found - part).max())) > max_error:
                    raise NumericalError(f"a value would be off by {worst:g}, the bound is {max_error:g}: please report this")
            tiles.append(CodedTile(layers, np.zeros((0, 0, 0)), np.zeros((0, 0, 0), np.int32), np.zeros(0)))
        return self._written(header, tiles, checksum, samples, options.icc_profile)

    def checksum(self, codes: Plane, before: int = 0) -> int:
        """Return the CRC32 of a tile's whole numbers, going on from the tile before."""
        return codes_checksum(codes.astype(np.uint32).view(np.int32), before)

    def check(self, header: Header) -> None:
        """Raise FormatError where this codec cannot decode a file with this header."""
        self.check_id(header)
        if header.quality or header.layers not in (0, LAYERS):
            raise FormatError(f"the file has table set {header.quality} and {header.layers} layers: expected 0 and {LAYERS}")
        if header.tile_log2 and header.tile_log2 < LEAST_TILE_LOG2:
            raise FormatError(f"the tiles have {2**header.tile_log2} pixels a side: without loss they have {2**LEAST_TILE_LOG2}")
        first = tile_layout(header).tiles[0]
        if (size := first.height * first.width * len(header.channels)) > MOST_TILE_SAMPLES:
            raise FormatError(f"a tile has {size} samples: at most {MOST_TILE_SAMPLES} are coded in one piece")
        most = LARGEST.get(header.sample_type, STEPS)
        if header.quantiser_code > most:
            raise FormatError(f"the bound is {header.quantiser_code}: expected at most {most}")

    def _decode_tile(self, header: Header, tile: Tile, layers: tuple[bytes, ...], take: TakeCodes) -> Plane:
        shape = (len(header.channels), tile.height, tile.width)
        found = unpack_tile(self.model, layers, shape, header.quantiser_code) if layers else np.zeros(shape, np.int64)
        most = LARGEST.get(header.sample_type, 2**32 - 1)
        if found.max() > most:
            raise FormatError(f"a sample is {found.max()}: expected at most {most}; the file is damaged")
        take(found.astype(np.uint32).view(np.int32))
        return found

    def _codes(self, parts: list[Int[np.ndarray, ...]]) -> Plane:
        return parts[0].view(np.uint32)

    def _finished(self, header: Header, values: Iterator[Plane]) -> Iterator[Finished]:
        for tile, numbers in zip(tile_layout(header).tiles, values, strict=True):
            yield Finished(tile.top, tile.left, numbers.transpose(1, 2, 0))

    def _samples(
        self, numbers: Int[np.ndarray, "rows columns channels"], header: Header
    ) -> Shaped[np.ndarray, "rows columns channels"]:
        return from_whole(numbers, header)


def _tile_log2(height: int, width: int, channels: int) -> int:
    """Return 0 for one tile, else the logarithm of the side of the largest tiles up to 1024 that are not too large."""
    if height * width * channels <= MOST_TILE_SAMPLES:
        return 0
    return next(size for size in range(TILE_LOG2, 0, -1) if channels << (2 * size) <= MOST_TILE_SAMPLES)


def whole_samples(image: Shaped[np.ndarray, "*shape"], max_error: float, unit: str = "") -> tuple[Samples, int]:
    """Return a picture's samples, with the scale of its whole numbers, and the step code; see `LosslessCodec.encode_within`.

    33 steps are twice the bound less what rounding to float32 may add; where the bound is near the resolution of float32, or
    there would be 2^31 steps and more, floats are coded exactly.
    """
    array = np.asarray(image)
    if array.dtype.name not in TYPES:
        raise DataError(f"samples are {array.dtype}: expected uint8, uint16 or float32; convert with .astype")
    array = array[..., None] if array.ndim == 2 else array
    if array.ndim != 3 or not 1 <= array.shape[2] <= MOST_CHANNELS:
        raise ShapeError(
            f"the picture has shape {np.shape(image)}: expected (rows, columns) or (rows, columns, channels), at most "
            f"{MOST_CHANNELS} channels"
        )
    if not array.size:
        raise DataError(f"the picture has shape {np.shape(image)}: expected at least one pixel")
    kind = TYPES[array.dtype.name]
    if kind != "f32":
        alpha = array[..., -1] if array.shape[2] in ALPHA_COUNTS else None
        array = array if alpha is None else array[..., :-1]
        return Samples(array, kind, (Channel(),) * array.shape[2], alpha), min(int(max_error), LARGEST[kind])
    with np.errstate(over="ignore", invalid="ignore"):
        single = array.astype(np.float32)
    step = _step(array, max_error) if max_error else None
    if step is None:
        if not np.array_equal(single, array, equal_nan=True):
            raise DataError("float64 values are not all float32: give max_error above what float32 rounds, or convert them")
        return Samples(single, kind, (Channel(unit=unit),) * array.shape[2]), EXACT
    lows = array.min((0, 1)).astype(np.float64).tolist()
    return Samples(array, kind, tuple(Channel(low, step, unit) for low in lows)), STEPS


def _step(array: Shaped[np.ndarray, "rows columns channels"], max_error: float) -> float | None:
    """Return the step of floats, or None where they are to be exact."""
    if not np.isfinite(array).all():
        raise DataError(f"{int((~np.isfinite(array)).sum())} of {array.size} samples are not finite: a bound is of numbers alone")
    low, high = float(array.min()), float(array.max())
    largest = max(abs(low), abs(high))
    if largest >= float(np.finfo(np.float32).max):
        return None
    rounding = float(np.spacing(np.float32(largest))) / 2
    step = 2 * (max_error - rounding) * (1 - 2.0**-20) / (2 * STEPS + 1)
    return step if max_error > 4 * rounding and (high - low) / step < MOST_STEPS else None


def to_whole(
    array: Shaped[np.ndarray, "rows columns channels"], samples: Samples, code: int
) -> Int[np.ndarray, "rows columns channels"]:
    """Return the whole numbers of samples."""
    if samples.sample_type != "f32":
        return array.astype(np.int64)
    if code == EXACT:
        # from the least number to the greatest: floats below 0 have their order reversed
        bits = np.ascontiguousarray(array).view(np.uint32).astype(np.int64)
        return np.where(bits >= 2**31, 2**32 - 1 - bits, bits + 2**31)
    offsets = np.array([channel.offset for channel in samples.channels])
    return np.rint((array.astype(np.float64) - offsets) / samples.channels[0].scale).astype(np.int64)


def from_whole(numbers: Int[np.ndarray, "rows columns channels"], header: Header) -> Shaped[np.ndarray, "rows columns channels"]:
    """Return the samples of whole numbers."""
    kind = header.sample_type
    if kind != "f32":
        return numbers.astype(SAMPLE_DTYPES[kind])
    if header.quantiser_code == EXACT:
        bits = np.where(numbers >= 2**31, numbers - 2**31, 2**32 - 1 - numbers)
        return np.ascontiguousarray(bits.astype(np.uint32)).view(np.float32)
    offsets = np.array([channel.offset for channel in header.channels])
    scales = np.array([channel.scale for channel in header.channels])
    most = float(np.finfo(np.float32).max)
    with np.errstate(over="ignore"):
        return (offsets + scales * numbers).clip(-most, most).astype(np.float32)
