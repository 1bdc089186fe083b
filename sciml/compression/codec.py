"""The codec: pictures to `.nic` bytes and back.

Example:
    from sciml.compression import Codec

    codec = Codec.load("photo")
    data = codec.encode(image, bpp=0.2)      # uint8, uint16 or float32; (rows, columns[, channels])
    picture = codec.decode(data)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int, Shaped

from sciml.compression.alpha import decode_alpha, encode_alpha
from sciml.compression.container import Channel, Container, Limits, Tile, read_container, tile_layout, write_container
from sciml.compression.container_header import Header
from sciml.compression.effort import refined_planes
from sciml.compression.encoder import LAMBDA, Tune, masking, tuning
from sciml.compression.model import CodecModel, step_of
from sciml.compression.rate_control import finest_step, quality_code, search
from sciml.compression.samples import LARGEST, SAMPLE_DTYPES, Samples, samples_of, to_numbers, to_samples
from sciml.compression.tile_coding import (
    CodedTile,
    codes_checksum,
    decode_planes,
    encode_planes,
    finish,
    tile_blocks,
    tile_window,
)
from sciml.compression.transform import BLOCK
from sciml.runtime.errors import ConfigError, DataError, FormatError, ShapeError

if TYPE_CHECKING:
    from sciml.compression.model_files import Model

# pictures above are cut into tiles of this side, so that memory does not grow with them
WHOLE_PIXELS = 2**22
TILE_LOG2 = 10
# a larger tile would take more than a gigabyte
MOST_TILE_PIXELS = 2**23
QUALITY = 50.0
EFFORT = 1
MOST_EFFORT = 20
Unit = Callable[[float], float]
MOST_PSNR = 240.0


@dataclass(frozen=True)
class Encoded:
    """A coded picture and what the encoder knows of it.

    Attributes:
        data: the file.
        header: of the file, its lengths not filled in.
        tiles: what was chosen for each tile.
    """

    data: bytes
    header: Header
    tiles: tuple[CodedTile, ...]

    @property
    def ideal_bits(self) -> float:
        """Ideal code length of the payloads by the tables."""
        return float(sum(tile.bits.sum() for tile in self.tiles))

    @property
    def bpp(self) -> float:
        """Bits of the file for every pixel."""
        return 8 * len(self.data) / self.header.pixels


class Codec:
    """Encodes and decodes with one model.

    Args:
        model: see `Codec.load`.
        limits: what is accepted when reading.
        refine: False leaves out the network behind the decoder.
    """

    def __init__(self, model: CodecModel, limits: Limits | None = None, refine: bool = True):
        self.model = model
        self.limits = limits or Limits()
        self.refine = refine and model.network is not None

    @property
    def finest(self) -> float:
        """The step of quality 100."""
        return finest_step([one.step for one in self.model.sets])

    @staticmethod
    def load(name: str | Path, limits: Limits | None = None, refine: bool = True) -> Codec:
        """Return the codec of a shipped model, such as `photo` or `neural`, or of a model file.

        Raises:
            ConfigError: neither a shipped model nor a file.
            FormatError: the file is damaged or no model.
        """
        from sciml.compression.model_files import load_any

        return codec_of(load_any(name), limits, refine)

    def encode(
        self,
        image: Shaped[np.ndarray, "*shape"],
        *,
        quality: float | None = None,
        bpp: float | None = None,
        max_bytes: int | None = None,
        psnr: float | None = None,
        care: Float[np.ndarray, "rows columns"] | None = None,
        scale: tuple[Channel, ...] | None = None,
        profile: bytes | None = None,
        strong: bool = False,
        tile_log2: int | None = None,
        effort: int = EFFORT,
        tune: Tune = "psnr",
    ) -> bytes:
        """Return the `.nic` file of a picture; give at most one of quality, bpp, max_bytes and psnr.

        Args:
            image: (rows, columns) or (rows, columns, channels); uint8, uint16 or float. Colour models take alpha as last channel.
            quality: 1 (small) to 100 (near the original); 50 by default.
            bpp: bits of the file for every pixel, met from below within 0.5 %.
            max_bytes: largest file, met from below within 0.5 %.
            psnr: least peak signal-to-noise ratio of the decoded picture in dB, met from above.
            care: of every pixel, 1 where it is as usual; where it is 2, an error may cost twice the bits.
            scale: offset, scale and unit of every channel.
            profile: ICC profile to keep.
            strong: 32-bit checksums on every layer.
            tile_log2: logarithm of the tiles' side, 0 for one tile; by default 10 above 4 megapixels, else 0.
            effort: how often the symbols are chosen anew for what the network makes of them, 0 to 20; each time takes as long as
                plain coding and decoding. The first brings most of what there is to gain.
            tune: `psnr`: least squared error; `ms-ssim`: more error where the picture is busy, less where it is smooth.

        Raises:
            ConfigError: unknown effort or tuning, several targets, or one out of reach for this picture (the message names
                what is within).
            ShapeError, DataError: see `sciml.compression.samples.samples_of`.
        """
        targets = {"quality": quality, "bpp": bpp, "max_bytes": max_bytes, "psnr": psnr}
        given = {name: value for name, value in targets.items() if value is not None}
        if len(given) > 1:
            raise ConfigError(f"{' and '.join(given)} were given: choose one of quality, bpp, max_bytes and psnr")
        if not 0 <= effort <= MOST_EFFORT:
            raise ConfigError(f"an effort of {effort} was asked for: expected 0 to {MOST_EFFORT}")
        tuning(tune)
        samples = samples_of(image, self.model, scale)
        rows, columns = samples.array.shape[:2]
        if care is not None and care.shape != (rows, columns):
            raise ShapeError(f"the map of care has shape {care.shape}: expected that of the picture, {(rows, columns)}")
        if care is not None and not (np.isfinite(care).all() and care.min() > 0):
            raise DataError("the map of care has values that are not finite or not above 0: expected 1 where it is as usual")

        finest = self.finest

        def encode(code: int, effort: int = effort) -> Encoded:
            return self.encode_samples(samples, code, care, profile, strong, tile_log2, effort, tune)

        def search_for(measure: Callable[[Encoded], float], target: float, what: str, at_most: bool, unit: Unit) -> bytes:
            # where plain coding meets the target, more effort does nearly
            start = (
                search(partial(encode, effort=0), measure, target, what, at_most, unit, None, finest)
                if effort and self.refine
                else None
            )
            near = None if start is None else start.header.step
            return search(encode, measure, target, what, at_most, unit, near, finest).data

        if psnr is not None:
            peak = self._peak(samples)

            def inverse_error(trial: Encoded) -> float:
                container = read_container(trial.data, self.limits)
                decoded = self._assemble(container.header, (values for values, _ in self._decode_tiles(container, None)))
                error = np.mean((decoded.astype(np.float64) - samples.array) ** 2)
                return peak / max(math.sqrt(error), 1e-12 * peak)

            if not 0 < psnr <= MOST_PSNR:
                raise ConfigError(f"a psnr of {psnr:g} dB was asked for: expected a number above 0, up to {MOST_PSNR:g}")
            wanted = 10 ** (psnr / 20)
            return search_for(inverse_error, wanted, "dB", at_most=False, unit=lambda ratio: 20 * math.log10(ratio))
        target = max_bytes if bpp is None else bpp * rows * columns / 8
        if target is not None:
            per_byte = 1.0 if bpp is None else 8 / (rows * columns)
            what = "bytes" if bpp is None else "bits per pixel"
            return search_for(lambda trial: len(trial.data), target, what, at_most=True, unit=lambda size: size * per_byte)
        return encode(quality_code(QUALITY if quality is None else quality, finest)).data

    def encode_samples(
        self,
        samples: Samples,
        code: int,
        care: Float[np.ndarray, "rows columns"] | None = None,
        profile: bytes | None = None,
        strong: bool = False,
        tile_log2: int | None = None,
        effort: int = 0,
        tune: Tune = "psnr",
    ) -> Encoded:
        """Return a picture coded at one step, with what the encoder knows of it; arguments as `encode`.

        Args:
            samples: the picture.
            code: of the step, see `sciml.compression.model.step_of`.
            care: see `encode`.
            profile: see `encode`.
            strong: see `encode`.
            tile_log2: see `encode`.
            effort: see `encode`.
            tune: see `encode`.
        """
        height, width = samples.array.shape[:2]
        step = step_of(code)
        quality = self.model.set_for(step)
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
            strong,
            care is not None,
        )
        self.check(header)
        tiles, checksum = [], 0
        for tile in tile_layout(header).tiles:
            coded = self._encode_tile(samples, tile, quality, step, care, effort if self.refine else 0, tune)
            checksum = codes_checksum(coded.symbols, checksum)
            # memory must not grow with the picture: of several tiles only bytes and code lengths are kept
            tiles.append(coded if tile_log2 == 0 else coded.without_planes())
        header = replace(header, codes_crc=checksum)
        alpha = None if samples.alpha is None else encode_alpha(samples.alpha)
        data = write_container(header, [tile.layers for tile in tiles], alpha, profile, self.limits)
        return Encoded(data, header, tuple(tiles))

    def _encode_tile(
        self,
        samples: Samples,
        tile: Tile,
        quality: int,
        step: float,
        care: Float[np.ndarray, "rows columns"] | None,
        effort: int,
        tune: Tune,
    ) -> CodedTile:
        # the tile with one block around it
        top, left = max(tile.top - BLOCK, 0), max(tile.left - BLOCK, 0)
        part = samples.array[top : tile.top + tile.height + BLOCK, left : tile.left + tile.width + BLOCK]
        numbers = to_numbers(part, samples.channels, self.model.channels)
        window = tile_window(self.model, numbers, tile.top - top, tile.left - left, tile.height, tile.width)
        weight: float | np.ndarray = LAMBDA
        if tune == "ms-ssim":
            weight = LAMBDA * masking(self.model, window.planes(self.model))
        if care is not None:
            weight = weight / block_means(care[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width])
        planes = refined_planes(self.model, quality, step, window, weight, effort)
        return encode_planes(self.model, quality, step, planes, weight)

    def decode(self, data: bytes, layers: int | None = None) -> Shaped[np.ndarray, "*shape"]:
        """Return the picture of a `.nic` file: uint8, uint16 or float32, (rows, columns) for one channel, else channel last.

        Args:
            data: the file.
            layers: decode the first so many layers only, from 1: a coarser picture from fewer bytes.

        Raises:
            ConfigError: fewer than one layer.
            FormatError: the file is damaged, beyond the limits, of another model, or decodes to other codes than its encoder had.
        """
        return self.decode_container(read_container(data, self.limits), layers)

    def decode_container(self, container: Container, layers: int | None = None) -> Shaped[np.ndarray, "*shape"]:
        """Return the picture of what was read, intact or salvaged; arguments as `decode`."""
        header = container.header
        # before anything is allocated
        self.check(header)
        values = (item for item, _ in self._decode_tiles(container, layers))
        decoded = self._assemble(header, values)
        if container.alpha is not None:
            alpha = decode_alpha(container.alpha, header.height, header.width)
            decoded = np.concatenate([decoded, alpha.astype(decoded.dtype)[..., None]], 2)
        return decoded[..., 0] if decoded.shape[2] == 1 else decoded

    def codes(self, data: bytes) -> list[Int[np.ndarray, "planes rows columns"]]:
        """Return the integer codes of each tile of a `.nic` file; the same on every machine.

        Raises:
            FormatError: as `decode`.
        """
        container = read_container(data, self.limits)
        return [codes for _, codes in self._decode_tiles(container, None)]

    def _decode_tiles(self, container: Container, layers: int | None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        header = container.header
        self.check(header)
        if layers is not None and layers < 1:
            raise ConfigError(f"{layers} layers were asked for: expected at least 1")
        tiles = tile_layout(header).tiles
        checksum, wanted = 0, None if layers is not None or container.damage else header.codes_crc
        for number, (tile, payloads) in enumerate(zip(tiles, container.tiles, strict=True)):
            rows, columns = -(-tile.height // BLOCK), -(-tile.width // BLOCK)
            try:
                values, codes = decode_planes(self.model, header.quality, payloads[:layers], rows, columns)
            except FormatError as error:
                raise FormatError(f"tile at row {tile.top}, column {tile.left}: {error}") from error
            checksum = codes_checksum(codes, checksum)
            if number == len(tiles) - 1 and wanted not in (None, checksum):
                raise FormatError(
                    f"the decoded codes have checksum {checksum:08x}, the file says {wanted:08x}: please report this"
                )
            yield values, codes

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

    def check_model(self, header: Header) -> None:
        """Raise FormatError for a file of another model, with other channels, or with a tile that is too large."""
        if header.model_id != self.model.id:
            raise FormatError(
                f"the file was coded with model {header.model_id.hex()}, this is {self.model.name} ({self.model.id.hex()}): "
                "give the model file that it was coded with"
            )
        first = tile_layout(header).tiles[0]
        if first.height * first.width > MOST_TILE_PIXELS:
            raise FormatError(
                f"a tile has {first.height} x {first.width} pixels: at most {MOST_TILE_PIXELS} are coded in one piece"
            )
        count = len(header.channels)
        if count != self.model.channels and count != 1:
            raise FormatError(f"the file has {count} channels: the model {self.model.name} codes {self.model.channels}")

    def _assemble(self, header: Header, values: Iterable[np.ndarray]) -> Shaped[np.ndarray, "rows columns channels"]:
        """Return samples from the decoded values of all tiles, strip by strip."""
        step = step_of(header.step)
        source = iter(values)

        def strips() -> Iterator[tuple[np.ndarray, bool]]:
            for row in range(header.tile_rows):
                parts = [tile_blocks(self.model, step, next(source)) for _ in range(header.tile_columns)]
                yield np.concatenate(parts, 2), row == header.tile_rows - 1

        refine = partial(self.model.network.apply_to, step=step) if self.refine and self.model.network is not None else None
        kind = header.sample_type
        result = np.empty((header.height, header.width, len(header.channels)), SAMPLE_DTYPES[kind])
        done = 0
        for rows in finish(self.model, strips(), refine):
            part = rows[: header.height - done, : header.width]
            result[done : done + len(part)] = to_samples(part, header.channels, kind)
            done += len(part)
        return result

    @staticmethod
    def _peak(samples: Samples) -> float:
        """Return the range of the samples: of the type for integers, of the values for floats."""
        if samples.sample_type in LARGEST:
            return float(LARGEST[samples.sample_type])
        return float(samples.array.max() - samples.array.min()) or 1.0


def block_means(pixels: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "rows16 columns16"]:
    """Return the mean over each block; the last row and column go on to full blocks."""
    rows, columns = pixels.shape
    padded = np.pad(pixels, ((0, -rows % BLOCK), (0, -columns % BLOCK)), mode="edge")
    return padded.reshape(len(padded) // BLOCK, BLOCK, -1, BLOCK).mean((1, 3))


def codec_of(model: Model, limits: Limits | None = None, refine: bool = True) -> Codec:
    """Return the codec of a model of either kind; arguments as `Codec`."""
    if isinstance(model, CodecModel):
        return Codec(model, limits, refine)
    from sciml.compression.neural.codec import NeuralCodec

    return NeuralCodec(model, limits)
