"""The codec: pictures to `.nic` bytes and back.

Example:
    from sciml.compression import Codec

    codec = Codec.load("photo")
    data = codec.encode(image, bpp=0.2)      # uint8, uint16 or float32; (rows, columns[, channels])
    picture = codec.decode(data)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int, Real

from sciml.compression.codecs.model_files import lossless_codec
from sciml.compression.coding.assembly import Finished, finish
from sciml.compression.coding.encoding import PLAIN, Encoded, EncodeOptions
from sciml.compression.coding.model import CodecModel, step_of
from sciml.compression.coding.picture_codec import TILE_LOG2, PictureCodec
from sciml.compression.coding.rate_control import finest_step
from sciml.compression.coding.rdo_passes import refined_planes
from sciml.compression.coding.samples import Samples, to_numbers
from sciml.compression.coding.symbol_choice import LAMBDA, masking
from sciml.compression.coding.tile_coding import (
    CodedTile,
    TakeCodes,
    codes_checksum,
    decode_planes,
    encode_planes,
    tile_planes,
    tile_window,
)
from sciml.compression.coding.transform import BLOCK
from sciml.compression.container.file import Limits, Tile, tile_layout
from sciml.compression.container.header import Header
from sciml.runtime.errors import FormatError

if TYPE_CHECKING:
    from sciml.compression.codecs.model_files import Model

# pictures above are cut into tiles, so that memory does not grow with them
WHOLE_PIXELS = 2**22
# what a file holds beside waves
LEAST_BYTES = 64
# side of what is finished at once of a larger tile
PART = 1024


class Codec(PictureCodec[Int[np.ndarray, "planes rows columns"]]):
    """Encodes and decodes with one model; `Codec.load` returns the codec of any.

    Args:
        model: model of planes, rules and tables.
        limits: what is accepted when reading.
        refine: False leaves out the network behind the decoder.
    """

    model: CodecModel

    def __init__(self, model: CodecModel, limits: Limits | None = None, refine: bool = True):
        super().__init__(limits, refine and model.network is not None)
        self.model = model

    def decodes(self, model_id: bytes) -> bool:
        """Return whether files of a model are files of this one: it may have had the first sets of this one alone."""
        return model_id == self.model_id or model_id in self.model.earlier_ids

    @property
    def finest(self) -> float:
        """The step of quality 100."""
        return finest_step([one.step for one in self.model.sets])

    @staticmethod
    def load(name: str | Path, limits: Limits | None = None, refine: bool = True) -> PictureCodec:
        """Return the codec of a shipped model, such as `photo` or `neural`, or of a model file.

        Raises:
            ConfigError: neither a shipped model nor a file.
            FormatError: the file is damaged or no model.
        """
        from sciml.compression.codecs.model_files import load_any

        return codec_of(load_any(name), limits, refine)

    def encode_samples(self, samples: Samples, code: int, options: EncodeOptions = PLAIN) -> Encoded:
        """Return a picture coded at one step, with what the encoder knows of it; arguments as the base class."""
        height, width = samples.array.shape[:2]
        step = step_of(code)
        quality = self.model.set_for(step)
        tile_log2 = options.tile_log2
        if tile_log2 is None:
            tile_log2 = TILE_LOG2 if height * width > WHOLE_PIXELS else 0
        header = Header(
            self.model.id,
            width,
            height,
            samples.channels,
            samples.sample_type,
            quality,
            code,
            tile_log2,
            options.crc32,
            options.roi_weights is not None,
        )
        self._check_new(header)
        tiles, checksum = [], 0
        for tile in tile_layout(header).tiles:
            coded = self._encode_tile(samples, tile, quality, step, options)
            checksum = self.checksum(coded.symbols, checksum)
            # memory must not grow with the picture: of several tiles only bytes and code lengths are kept
            tiles.append(coded if tile_log2 == 0 else coded.without_planes())
        return self._written(header, tiles, checksum, samples, options.icc_profile)

    def expected_size(self, samples: Samples) -> Callable[[int], float]:
        """Return the rough logarithm of a picture's bytes by step code.

        With the share f of waves above 0.6 steps for every pixel, validation photographs have 4.2 f^1.12 bits a pixel, within a
        tenth. Waves of the middle of a large picture stand for all of it.
        """
        rows, columns = samples.array.shape[:2]
        top, left = (max(side - PART, 0) // 2 for side in (rows, columns))
        part = samples.array[top : top + PART, left : left + PART]
        numbers = to_numbers(part, samples.channels, self.model.channels)
        waves = np.sort(np.abs(tile_planes(self.model, numbers, 0, 0, *part.shape[:2])), axis=None)

        def expected(code: int) -> float:
            above = len(waves) - int(np.searchsorted(waves, np.float32(0.6 * step_of(code))))
            bits = 4.2 * (above / (part.shape[0] * part.shape[1])) ** 1.12
            # strictly rising, for pictures of few waves too
            return math.log(LEAST_BYTES + rows * columns * bits / 8) + 1e-6 * code

        return expected

    def _encode_tile(self, samples: Samples, tile: Tile, quality: int, step: float, options: EncodeOptions) -> CodedTile:
        # the tile with one block around it
        top, left = max(tile.top - BLOCK, 0), max(tile.left - BLOCK, 0)
        part = samples.array[top : tile.top + tile.height + BLOCK, left : tile.left + tile.width + BLOCK]
        numbers = to_numbers(part, samples.channels, self.model.channels)
        window = tile_window(self.model, numbers, tile.top - top, tile.left - left, tile.height, tile.width)
        weight: float | np.ndarray = LAMBDA
        if options.tune == "ms-ssim":
            weight = LAMBDA * masking(self.model, window.planes(self.model))
        if options.roi_weights is not None:
            part = options.roi_weights[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width]
            weight = weight / block_means(part)
        planes = refined_planes(self.model, quality, step, window, weight, options.rdo_passes if self.refine else 0)
        return encode_planes(self.model, quality, step, planes, weight)

    def _decode_tile(
        self, header: Header, tile: Tile, layers: tuple[bytes, ...], take: TakeCodes
    ) -> Real[np.ndarray, "planes rows columns"]:
        return decode_planes(self.model, header.quality, layers, -(-tile.height // BLOCK), -(-tile.width // BLOCK), take)

    def _codes(self, parts: list[Int[np.ndarray, ...]]) -> Int[np.ndarray, "planes rows columns"]:
        return np.stack(parts)

    def checksum(self, codes: Int[np.ndarray, "planes rows columns"], before: int = 0) -> int:
        """Return the CRC32 of a tile's codes, going on from the tile before."""
        return codes_checksum(codes, before)

    def check(self, header: Header) -> None:
        """Raise FormatError where this codec cannot decode a file with this header."""
        self.check_model(header)
        if header.quality >= len(self.model.sets):
            raise FormatError(f"the file uses table set {header.quality}: the model has {len(self.model.sets)}")
        most = len(self.model.sets[header.quality].layers())
        if header.layers > most:
            raise FormatError(f"the file has {header.layers} layers: table set {header.quality} has {most}")

    def _finished(self, header: Header, values: Iterator[Real[np.ndarray, "planes rows columns"]]) -> Iterator[Finished]:
        step = step_of(header.quantiser_code)
        refine, reach = None, 0
        if self.refine and self.model.network is not None:
            refine, reach = partial(self.model.network.apply_to, step=step), self.model.network.reach
        tiles = tile_layout(header).tiles
        rows = _ends([tile.top + tile.height for tile in tiles if not tile.column])
        columns = _ends([tile.left + tile.width for tile in tiles if not tile.row])
        if len(columns) > 1:
            return finish(self.model, step, rows, columns, values, refine, reach)
        # tiles in one column are finished in parts
        downs = [_parts(start, stop) for start, stop in pairwise([0, *rows])]
        across = _parts(0, columns[0])
        pieces = (
            tile[:, (top - start) // BLOCK : (bottom - start) // BLOCK, left // BLOCK : right // BLOCK]
            for tile, ends, start in zip(values, downs, [0, *rows], strict=False)
            for top, bottom in pairwise([start, *ends])
            for left, right in pairwise([0, *across])
        )
        return finish(self.model, step, [end for ends in downs for end in ends], across, pieces, refine, reach)


def _ends(stops: list[int]) -> list[int]:
    """Return where rows or columns of tiles end, in full blocks."""
    return [-(-stop // BLOCK) * BLOCK for stop in stops]


def _parts(start: int, stop: int) -> list[int]:
    """Return the ends of parts of at most 1,024 pixels, of rows or columns of a tile."""
    return [*range(start + PART, stop, PART), stop]


PictureCodec.without_loss = staticmethod(lossless_codec)


def block_means(pixels: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "rows16 columns16"]:
    """Return the mean over each block; the last row and column go on to full blocks."""
    rows, columns = pixels.shape
    padded = np.pad(pixels, ((0, -rows % BLOCK), (0, -columns % BLOCK)), mode="edge")
    return padded.reshape(len(padded) // BLOCK, BLOCK, -1, BLOCK).mean((1, 3))


def codec_of(model: Model, limits: Limits | None = None, refine: bool = True) -> PictureCodec:
    """Return the codec of a model of either kind; arguments as `Codec`."""
    if isinstance(model, CodecModel):
        return Codec(model, limits, refine)
    from sciml.compression.lossless.model import LosslessModel

    if isinstance(model, LosslessModel):
        from sciml.compression.lossless.codec import LosslessCodec

        return LosslessCodec(model, limits)
    from sciml.compression.neural.codec import NeuralCodec

    return NeuralCodec(model, limits)
