"""The codec of a neural model: the same files, options and errors as that of the default model.

A layer is a level of the cascade, coarse to fine: its groups one after the other, each with its static table. The encoder sees a
margin around each tile; the decoder has the codes of all tiles first and then makes the picture window by window, each with a
margin too: memory does not grow with the picture beyond its pixels and codes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from constriction import stream  # pyright: ignore[reportAttributeAccessIssue] - made by the extension
from jaxtyping import Int

from sciml.compression.coding.assembly import Finished
from sciml.compression.coding.encoding import PLAIN, Encoded, EncodeOptions
from sciml.compression.coding.model import step_of
from sciml.compression.coding.picture_codec import TILE_LOG2, PictureCodec
from sciml.compression.coding.rate_control import FINEST
from sciml.compression.coding.samples import Samples, to_numbers
from sciml.compression.coding.symbol_choice import LAMBDA
from sciml.compression.coding.tile_coding import CodedTile, TakeCodes, codes_checksum
from sciml.compression.container.file import Limits, Tile, tile_layout
from sciml.compression.container.header import Header
from sciml.compression.neural.cascade import STRIDES, cells
from sciml.compression.neural.model import NeuralModel
from sciml.runtime.errors import ConfigError, FormatError

# activations of the published networks take a gigabyte at this size
WHOLE_PIXELS = 2**21
LEAST_TILE_LOG2 = 6
# pixels around a tile that the encoder looks at, a multiple of the coarsest stride
MARGIN = 256
# side of the windows that larger pictures are made in, and how far around them the small networks look; the published ones look
# further
CELL, DECODER_MARGIN = 512, 320

Levels = tuple[Int[np.ndarray, "groups rows columns"], ...]


class NeuralCodec(PictureCodec[Levels]):
    """Encodes and decodes with a neural model; see the base class for the methods."""

    model: NeuralModel

    def __init__(self, model: NeuralModel, limits: Limits | None = None):
        super().__init__(limits)
        self.model = model

    @property
    def finest(self) -> float:
        """The step of quality 100, that of photographs."""
        return FINEST

    def encode_samples(self, samples: Samples, code: int, options: EncodeOptions = PLAIN) -> Encoded:
        """Return a picture coded with a bit worth 0.15 squared steps; networks without orthonormal latents have one rate only.

        Arguments as the base class; the codes are chosen once, however many `rdo_passes` are asked for.
        """
        height, width = samples.array.shape[:2]
        if options.roi_weights is not None:
            raise ConfigError(f"the model {self.model.name} codes all regions alike: leave the region of interest out")
        if options.tune != "psnr":
            raise ConfigError(f"the model {self.model.name} knows no tuning: leave it out")
        tile_log2 = options.tile_log2
        if tile_log2 is None:
            tile_log2 = TILE_LOG2 if height * width > WHOLE_PIXELS else 0
        if 0 < tile_log2 < LEAST_TILE_LOG2:
            raise ConfigError(f"tiles of {2**tile_log2} pixels: neural models take {2**LEAST_TILE_LOG2} and more")
        header = Header(
            self.model.id, width, height, samples.channels, samples.sample_type, 0, code, tile_log2, options.crc32,
        )  # fmt: skip
        self._check_new(header)
        weight = LAMBDA * step_of(code) ** 2
        tiles, checksum = [], 0
        for tile in tile_layout(header).tiles:
            codes = self._encode_codes(samples, tile, weight)
            checksum = self.checksum(codes, checksum)
            tiles.append(self._coded(codes))
        return self._written(header, tiles, checksum, samples, options.icc_profile)

    def checksum(self, codes: Levels, before: int = 0) -> int:
        """Return the CRC32 of a tile's codes, going on from the tile before."""
        for level in codes:
            before = codes_checksum(level, before)
        return before

    def check(self, header: Header) -> None:
        """Raise FormatError where this codec cannot decode a file with this header."""
        self.check_model(header)
        if header.quality:
            raise FormatError(f"the file uses table set {header.quality}: a neural model has one")
        if header.layers > len(STRIDES):
            raise FormatError(f"the file has {header.layers} layers: a neural model has {len(STRIDES)}")
        if 0 < header.tile_log2 < LEAST_TILE_LOG2:
            raise FormatError(
                f"the file has tiles of {2**header.tile_log2} pixels: a neural model has {2**LEAST_TILE_LOG2} and more"
            )

    def _encode_codes(self, samples: Samples, tile: Tile, weight: float) -> Levels:
        top, left = max(tile.top - MARGIN, 0), max(tile.left - MARGIN, 0)
        part = samples.array[top : tile.top + tile.height + MARGIN, left : tile.left + tile.width + MARGIN]
        numbers = to_numbers(part, samples.channels, self.model.channels)
        picture = torch.from_numpy(np.ascontiguousarray(numbers.transpose(2, 0, 1)))[None]
        levels = self.model.network.encode((picture - self.model.centre) / self.model.span, weight)
        own = []
        for level, codes in enumerate(levels):
            row, column = (tile.top - top) // STRIDES[level], (tile.left - left) // STRIDES[level]
            found = codes[0, :, row : row + cells(tile.height, level), column : column + cells(tile.width, level)]
            own.append(np.ascontiguousarray(found.numpy().astype(np.int32)))
        return tuple(own)

    def _coded(self, codes: Levels) -> CodedTile:
        layers, bits = [], []
        for level, groups in enumerate(codes):
            encoder = stream.queue.RangeEncoder()
            table = -np.log2(self.model.tables[level] / self.model.tables[level][0].sum())
            for group, symbols in enumerate(groups):
                encoder.encode(symbols.ravel(), self.model.coder(level, group))
                bits.append(table[group, symbols].sum())
            layers.append(encoder.get_compressed().astype("<u4").tobytes())
        empty = np.zeros((0, 0, 0))
        return CodedTile(tuple(layers), empty, empty.astype(np.int32), np.array(bits))

    def _decode_tile(self, header: Header, tile: Tile, layers: tuple[bytes, ...], take: TakeCodes) -> Levels:
        codes = tuple(self._decode_level(level, layers, tile) for level in range(len(STRIDES)))
        for level in codes:
            take(level)
        return codes

    def _codes(self, parts: list[Int[np.ndarray, ...]]) -> Levels:
        return tuple(parts)

    def _decode_level(self, level: int, payloads: tuple[bytes, ...], tile: Tile) -> Int[np.ndarray, "groups rows columns"]:
        """Return the codes of a level; -1 where its layer is missing."""
        rows, columns = cells(tile.height, level), cells(tile.width, level)
        groups = len(self.model.tables[level])
        if level >= len(payloads):
            return np.full((groups, rows, columns), -1, np.int32)
        if len(payloads[level]) % 4:
            raise FormatError(
                f"layer {level}: {len(payloads[level])} bytes are no whole number of 32-bit words: the file is damaged"
            )
        decoder = stream.queue.RangeDecoder(np.frombuffer(payloads[level], "<u4").astype(np.uint32))
        try:
            found = [decoder.decode(self.model.coder(level, group), rows * columns) for group in range(groups)]
        except AssertionError as error:
            raise FormatError(f"layer {level}: the coded symbols fit no table: the file is damaged") from error
        return np.stack(found).reshape(groups, rows, columns).astype(np.int32)

    def _finished(self, header: Header, values: Iterator[Levels]) -> Iterator[Finished]:
        """Yield windows of the picture from the codes of all tiles; where they lie depends on the picture's size alone."""
        grids: list[Int[np.ndarray, "groups rows columns"]] = []
        for tile, codes in zip(tile_layout(header).tiles, values, strict=True):
            # codes of the whole picture are a tenth of a byte a pixel and more, and wait for the first tile too
            grids = grids or [
                np.empty((len(table), cells(header.height, level), cells(header.width, level)), np.int32)
                for level, table in enumerate(self.model.tables)
            ]
            for grid, level, stride in zip(grids, codes, STRIDES, strict=True):
                top, left = tile.top // stride, tile.left // stride
                grid[:, top : top + level.shape[1], left : left + level.shape[2]] = level
        side = CELL if header.pixels > WHOLE_PIXELS else max(header.width, header.height)
        for top in range(0, header.height, side):
            for left in range(0, header.width, side):
                yield self._window(header, grids, top, left, side)

    def _window(self, header: Header, grids: list[np.ndarray], top: int, left: int, side: int) -> Finished:
        """Return one window, made with a margin around it."""
        first, before = max(top - DECODER_MARGIN, 0), max(left - DECODER_MARGIN, 0)
        height = min(top + side + DECODER_MARGIN, header.height) - first
        width = min(left + side + DECODER_MARGIN, header.width) - before
        window = []
        for level, grid in enumerate(grids):
            row, column = first // STRIDES[level], before // STRIDES[level]
            part = grid[:, row : row + cells(height, level), column : column + cells(width, level)]
            window.append(torch.from_numpy(np.ascontiguousarray(part))[None])
        picture = self.model.network.decode(window, height, width)[0].numpy().transpose(1, 2, 0)
        own = picture[top - first : top - first + side, left - before : left - before + side]
        return Finished(top, left, own * self.model.span + self.model.centre)
