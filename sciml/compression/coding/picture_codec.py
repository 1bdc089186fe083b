"""What every codec does, whichever model it has: meet a target, write and read `.nic` files, check them tile by tile.

A codec of one kind of model adds how it codes a picture at one step, how it decodes a tile, and how tiles become a picture.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from jaxtyping import Float, Int, Real, Shaped

from sciml.compression.coding.assembly import Finished
from sciml.compression.coding.encoding import PLAIN, RDO_PASSES, Encoded, EncodeOptions, options_of
from sciml.compression.coding.rate_control import quality_code, search
from sciml.compression.coding.samples import LARGEST, SAMPLE_DTYPES, AnyModel, Samples, enough_memory, samples_of, to_samples
from sciml.compression.coding.symbol_choice import Tune
from sciml.compression.coding.tile_coding import CodedTile, TakeCodes, codes_checksum
from sciml.compression.container.alpha import alpha_rows, encode_alpha
from sciml.compression.container.file import Channel, Container, Limits, Tile, read_container, tile_layout, write_container
from sciml.compression.container.header import Header, check_size
from sciml.runtime.errors import ConfigError, DataError, FormatError, ShapeError

TILE_LOG2 = 10
# a larger tile would take more than a gigabyte
MOST_TILE_PIXELS = 2**23
QUALITY = 50.0
Unit = Callable[[float], float]
MOST_PSNR = 240.0

Codes = TypeVar("Codes")
"""The whole numbers of one tile that are coded: an array, or one for each level."""


class PictureCodec(ABC, Generic[Codes]):
    """Encodes and decodes with one model; the base of `Codec`, `NeuralCodec` and `LosslessCodec`.

    Args:
        limits: what is accepted when reading.
        refine: whether there is a network behind the decoder that is used.

    Attributes:
        model: a neural one, one with planes, rules and tables, or one without loss.
        without_loss: opens the codec that keeps bounds on errors; the room that knows all models sets it.
    """

    model: AnyModel
    without_loss: ClassVar[staticmethod[[Limits], PictureCodec[Any]] | None] = None

    def __init__(self, limits: Limits | None = None, refine: bool = False):
        self.limits = limits or Limits()
        self.refine = refine

    @property
    def model_id(self) -> bytes:
        """The 8 bytes that name the model in a stream."""
        return self.model.id

    def decodes(self, model_id: bytes) -> bool:
        """Return whether files of a model are files of this one."""
        return model_id == self.model_id

    @property
    @abstractmethod
    def finest(self) -> float:
        """The step of quality 100."""

    @abstractmethod
    def encode_samples(self, samples: Samples, code: int, options: EncodeOptions = PLAIN) -> Encoded:
        """Return a picture coded at one step, with what the encoder knows of it.

        Args:
            samples: the picture.
            code: code of the step, see `sciml.compression.coding.model.step_of`.
            options: everything else that the encoder is told.
        """

    def expected_size(self, samples: Samples) -> Callable[[int], float] | None:
        """Return the rough logarithm of a picture's bytes by step code, without coding it, where there is a way to know."""
        return None

    @abstractmethod
    def checksum(self, codes: Codes, before: int = 0) -> int:
        """Return the CRC32 of a tile's codes, going on from the tile before."""

    @abstractmethod
    def check(self, header: Header) -> None:
        """Raise FormatError where this codec cannot decode a file with this header."""

    @abstractmethod
    def _decode_tile(self, header: Header, tile: Tile, layers: tuple[bytes, ...], take: TakeCodes) -> Any:
        """Return what a picture is made of, of one tile from its layers; `take` gets its codes, part by part."""

    @abstractmethod
    def _codes(self, parts: list[Int[np.ndarray, ...]]) -> Codes:
        """Return the codes of a tile from the parts that `_decode_tile` gave."""

    @abstractmethod
    def _finished(self, header: Header, values: Iterator[Any]) -> Iterator[Finished]:
        """Yield the rectangles of a picture from what `_decode_tile` gave for all tiles; they may reach beyond the picture.

        Nothing is allocated before the first tile is there, and little besides one tile at any time.
        """

    def encode(
        self,
        image: Shaped[np.ndarray, "*shape"],
        *,
        quality: float | None = None,
        bpp: float | None = None,
        max_bytes: int | None = None,
        psnr: float | None = None,
        max_error: float | None = None,
        roi_weights: Float[np.ndarray, "rows columns"] | None = None,
        scale: tuple[Channel, ...] | None = None,
        icc_profile: bytes | None = None,
        crc32: bool = False,
        tile_log2: int | None = None,
        rdo_passes: int = RDO_PASSES,
        tune: Tune = "psnr",
        **former: Any,
    ) -> bytes:
        """Return the `.nic` file of a picture; give at most one of quality, bpp, max_bytes, psnr and max_error.

        Args:
            image: (rows, columns) or (rows, columns, channels); uint8, uint16 or float. Colour models take alpha as last channel.
            quality: 1 (small) to 100 (near the original); 50 by default.
            bpp: bits of the file for every pixel, met from below within 0.5 %.
            max_bytes: largest file, met from below within 0.5 %.
            psnr: least peak signal-to-noise ratio of the decoded picture in dB, met from above.
            max_error: largest error of any sample, in levels or in a field's unit; 0: no loss. Coded with the shipped model
                `lossless`, whatever this codec's model is.
            roi_weights: weight of the squared error at every pixel of a region of interest, 1 as usual; where it is 2, an error
                may cost twice the bits.
            scale: offset, scale and unit of every channel.
            icc_profile: ICC profile to keep.
            crc32: checksums of 32 bits on every layer, in place of 16.
            tile_log2: logarithm of the tiles' side, 0 for one tile; by default 10 above 4 megapixels, else 0.
            rdo_passes: passes of rate-distortion optimisation, 0 to 20: how often the symbols are chosen anew for what the
                network makes of them. A pass takes as long as plain coding and decoding; the first brings most of the gain.
            tune: `psnr`: least squared error; `ms-ssim`: more error where the picture is busy, less where it is smooth.
            former: `care`, `profile`, `strong` and `effort`, the names of `roi_weights`, `icc_profile`, `crc32` and `rdo_passes`
                in earlier versions.

        Raises:
            ConfigError: unknown names, passes or tuning, several targets, or one out of reach for this picture (the message names
                what is within).
            ShapeError, DataError: see `sciml.compression.coding.samples.samples_of`.
        """
        targets = {"quality": quality, "bpp": bpp, "max_bytes": max_bytes, "psnr": psnr, "max_error": max_error}
        given = {name: value for name, value in targets.items() if value is not None}
        if len(given) > 1:
            raise ConfigError(f"{' and '.join(given)} were given: choose one of quality, bpp, max_bytes, psnr and max_error")
        options = options_of(
            former,
            roi_weights=roi_weights,
            icc_profile=icc_profile,
            crc32=crc32,
            tile_log2=tile_log2,
            rdo_passes=rdo_passes,
            tune=tune,
        )
        if max_error is not None:
            return self.encode_within(image, max_error, options, scale)
        samples = samples_of(image, self.model, scale)
        rows, columns = samples.array.shape[:2]
        weights = options.roi_weights
        if weights is not None and weights.shape != (rows, columns):
            raise ShapeError(f"roi_weights have shape {weights.shape}: expected that of the picture, {(rows, columns)}")
        if weights is not None and not (np.isfinite(weights).all() and weights.min() > 0):
            raise DataError("roi_weights hold values that are not finite or not above 0: expected 1 where it is as usual")

        finest = self.finest

        def encode(code: int, options: EncodeOptions = options) -> Encoded:
            return self.encode_samples(samples, code, options)

        def search_for(
            measure: Callable[[Encoded], float],
            target: float,
            what: str,
            at_most: bool,
            unit: Unit,
            expected: Callable[[int], float] | None = None,
        ) -> bytes:
            # where plain coding meets the target, more passes do nearly
            plain = partial(encode, options=replace(options, rdo_passes=0)) if options.rdo_passes and self.refine else None
            return search(encode, measure, target, what, at_most, unit, finest, plain, expected).data

        if psnr is not None:
            peak = self._peak(samples)

            def inverse_error(trial: Encoded) -> float:
                container = read_container(trial.data, self.limits)
                decoded = self._picture(replace(container, alpha=None), None)
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
            expected = self.expected_size(samples)
            return search_for(lambda trial: len(trial.data), target, what, True, lambda size: size * per_byte, expected)
        return encode(quality_code(QUALITY if quality is None else quality, finest)).data

    def decode(self, data: bytes, layers: int | None = None) -> Shaped[np.ndarray, "*shape"]:
        """Return the picture of a `.nic` file: uint8, uint16 or float32, (rows, columns) for one channel, else channel last.

        Args:
            data: the file.
            layers: decode the first so many layers only, from 1: a coarser picture from fewer bytes.

        Raises:
            ConfigError: fewer than one layer.
            FormatError: the file is damaged, beyond the limits, of another model, or decodes to other codes than its encoder had.
        """
        container = read_container(data, self.limits)
        return self._reader(container.header).decode_container(container, layers)

    def decode_container(self, container: Container, layers: int | None = None) -> Shaped[np.ndarray, "*shape"]:
        """Return the picture of what was read, intact or salvaged; arguments as `decode`."""
        header = container.header
        self.check(header)
        with enough_memory(header):
            decoded = self._picture(container, layers)
        return decoded[..., 0] if decoded.shape[2] == 1 else decoded

    def _picture(self, container: Container, layers: int | None) -> Shaped[np.ndarray, "rows columns channels"]:
        header, count = container.header, len(container.header.channels)
        picture: Shaped[np.ndarray, "rows columns channels"] | None = None
        for top, left, numbers in self._finished(header, self._decode_tiles(container, layers)):
            if picture is None:
                shape = header.height, header.width, count + (container.alpha is not None)
                picture = np.empty(shape, SAMPLE_DTYPES[header.sample_type])
            own = numbers[: header.height - top, : header.width - left]
            place = picture[top : top + own.shape[0], left : left + own.shape[1], :count]
            place[:] = self._samples(own, header)
        assert picture is not None  # a header has at least one tile
        if container.alpha is not None:
            top = 0
            for rows in alpha_rows(container.alpha, header.height, header.width):
                picture[top : top + len(rows), :, count] = rows
                top += len(rows)
        return picture

    def _samples(self, numbers: Real[np.ndarray, "rows columns channels"], header: Header) -> Shaped[np.ndarray, "*shape"]:
        """Return the samples of a finished rectangle."""
        return to_samples(numbers, header.channels, header.sample_type)

    def codes(self, data: bytes) -> list[Codes]:
        """Return the integer codes of each tile of a `.nic` file; the same on every machine.

        Raises:
            FormatError: as `decode`.
        """
        container = read_container(data, self.limits)
        return self._reader(container.header)._codes_of(container)

    def _codes_of(self, container: Container) -> list[Codes]:
        parts: list[Int[np.ndarray, ...]] = []
        found: list[Codes] = []
        with enough_memory(container.header):
            for _ in self._decode_tiles(container, None, parts.append):
                found.append(self._codes(parts))
                parts.clear()
        return found

    def encode_within(
        self,
        image: Shaped[np.ndarray, "*shape"],
        max_error: float,
        options: EncodeOptions = PLAIN,
        scale: tuple[Channel, ...] | None = None,
    ) -> bytes:
        """Return the file of a picture no sample of which is off by more than a bound; see `encode`."""
        return self._without_loss().encode_within(image, max_error, options, scale)

    def _without_loss(self) -> PictureCodec[Any]:
        if self.without_loss is None:
            raise ConfigError(f"the codec of {self.model.name} keeps no bound on errors: open it with Codec.load")
        return self.without_loss(self.limits)

    def _reader(self, header: Header) -> PictureCodec[Any]:
        """Return this codec, or that of files without loss where the file is one of these."""
        if not self.decodes(header.model_id) and self.without_loss is not None:
            exact = self.without_loss(self.limits)
            return exact if exact.model_id == header.model_id else self
        return self

    def check_codes(self, data: bytes) -> None:
        """Check every payload of a `.nic` file and the codes that they decode to; keeps none of them.

        Raises:
            FormatError: as `decode`.
        """
        container = read_container(data, self.limits)
        reader = self._reader(container.header)
        with enough_memory(container.header):
            for _ in reader._decode_tiles(container, None):
                pass

    def _decode_tiles(self, container: Container, layers: int | None, keep: TakeCodes | None = None) -> Iterator[Any]:
        """Yield what each tile decodes to; `keep` gets the codes, which are compared with their checksum behind the last tile."""
        header = container.header
        self.check(header)
        if layers is not None and layers < 1:
            raise ConfigError(f"{layers} layers were asked for: expected at least 1")
        tiles = tile_layout(header).tiles
        checksum, wanted = 0, None if layers is not None or container.damage else header.codes_crc

        def take(codes: Int[np.ndarray, ...]) -> None:
            nonlocal checksum
            checksum = codes_checksum(codes, checksum)
            if keep is not None:
                keep(codes)

        for number, (tile, payloads) in enumerate(zip(tiles, container.tiles, strict=True)):
            try:
                values = self._decode_tile(header, tile, payloads[:layers], take)
            except FormatError as error:
                raise FormatError(f"tile at row {tile.top}, column {tile.left}: {error}") from error
            if number == len(tiles) - 1 and wanted not in (None, checksum):
                raise FormatError(
                    f"the decoded codes have checksum {checksum:08x}, the file says {wanted:08x}: please report this"
                )
            # handed on, not held here: a tile's values may take more than all else
            box = [values]
            del values
            yield box.pop()

    def _written(
        self, header: Header, tiles: Sequence[CodedTile], checksum: int, samples: Samples, icc_profile: bytes | None
    ) -> Encoded:
        """Return the file of coded tiles, with the checksum of their codes."""
        header = replace(header, codes_crc=checksum)
        alpha = None if samples.alpha is None else encode_alpha(samples.alpha)
        data = write_container(header, [tile.layers for tile in tiles], alpha, icc_profile, self.limits)
        return Encoded(data, header, tuple(tiles))

    def _check_new(self, header: Header) -> None:
        """Raise ConfigError or FormatError where a picture cannot be coded so, before it is."""
        try:
            check_size(header.width, header.height, len(header.channels), 1, header.tile_log2, self.limits)
        except FormatError as error:
            larger = "; choose larger tiles" if header.tile_log2 else ""
            raise ConfigError(f"the file could not be read again: {error}{larger}") from error
        self.check(header)

    def check_id(self, header: Header) -> None:
        """Raise FormatError for a file of another model."""
        if not self.decodes(header.model_id):
            raise FormatError(
                f"the file was coded with model {header.model_id.hex()}, this is {self.model.name} ({self.model_id.hex()}): "
                "give the model file that it was coded with"
            )

    def check_model(self, header: Header) -> None:
        """Raise FormatError for a file of another model, with other channels, or with a tile that is too large."""
        self.check_id(header)
        first = tile_layout(header).tiles[0]
        if first.height * first.width > MOST_TILE_PIXELS:
            raise FormatError(
                f"a tile has {first.height} x {first.width} pixels: at most {MOST_TILE_PIXELS} are coded in one piece"
            )
        count = len(header.channels)
        if count != self.model.channels and count != 1:
            raise FormatError(f"the file has {count} channels: the model {self.model.name} codes {self.model.channels}")

    @staticmethod
    def _peak(samples: Samples) -> float:
        """Return the range of the samples: of the type for integers, of the values for floats."""
        if samples.sample_type in LARGEST:
            return float(LARGEST[samples.sample_type])
        return float(samples.array.max() - samples.array.min()) or 1.0
