"""What `encode` does: picture files to `.nic` files."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from sciml.batch import Job, Outcome, kept, look, plan, run
from sciml.compression.codecs.codec import Codec
from sciml.compression.codecs.model_files import load_any
from sciml.compression.coding.encoding import RDO_PASSES
from sciml.compression.coding.model import step_code
from sciml.compression.coding.picture_codec import PictureCodec
from sciml.compression.coding.rate_control import COARSEST, TOLERANCE
from sciml.compression.coding.samples import COLOURS, AnyModel, samples_of
from sciml.compression.coding.symbol_choice import tuning
from sciml.compression.commands.decode import NIC
from sciml.compression.commands.streams import piped
from sciml.compression.container.file import Channel, Limits, read_header
from sciml.compression.container.header import UNIT_BYTES
from sciml.compression.lossless.model import LosslessModel
from sciml.compression.study.quality import psnr_of
from sciml.formats.pictures import SUFFIXES, PictureFile, read_picture
from sciml.runtime.errors import ConfigError, DataError, ShapeError
from sciml.runtime.files import new_file

# a file this much smaller than was asked for misses its target, whatever the step; so does a picture this much better
FAR, FAR_DECIBEL = 0.05, 0.1
# how much care the white of a mask asks for
MOST_CARE = 8.0
# the decoder takes no larger tiles
TILE_SIDES_LOG2 = range(4, 12)
# pictures below are smaller than a block of the transform
SMALL_SIDE = 16


@dataclass(frozen=True)
class EncodeOrder:
    """How files are to be coded; the options of the command, see there."""

    model: str = "photo"
    quality: float | None = None
    bpp: float | None = None
    max_bytes: int | None = None
    psnr: float | None = None
    max_error: float | None = None
    roi: Path | None = None
    tiles: str = "auto"
    effort: int = RDO_PASSES
    tune: str = "psnr"
    strong: bool = False
    keep_icc: bool = False
    range: tuple[float, float] | None = None
    part: str | None = None
    max_pixels: int = Limits().pixels
    force: bool = False
    refuse_loss: bool = False
    report_psnr: bool = False

    @property
    def targets(self) -> dict[str, float]:
        """The targets that were given, by their option."""
        every = {
            "quality": self.quality,
            "bpp": self.bpp,
            "max-bytes": self.max_bytes,
            "psnr": self.psnr,
            "max-error": self.max_error,
        }
        return {name: value for name, value in every.items() if value is not None}

    @property
    def exact(self) -> bool:
        """Whether samples are coded within a bound rather than at a quality."""
        return self.max_error is not None or isinstance(load_any(self.model), LosslessModel)

    @property
    def tile_log2(self) -> int | None:
        """Logarithm of the tiles' side, 0 for one tile, None for what the size of the picture asks for."""
        if self.tiles in ("auto", "off"):
            return None if self.tiles == "auto" else 0
        sides = {str(2**number): number for number in TILE_SIDES_LOG2}
        if self.tiles not in sides:
            raise ConfigError(f"--tiles {self.tiles}: expected auto, off, or a side in pixels: {', '.join(sides)}")
        return sides[self.tiles]

    def check(self) -> None:
        """Raise ConfigError where options contradict each other or are out of range, before any picture is read."""
        if len(self.targets) > 1:
            given = " and ".join(f"--{name}" for name in self.targets)
            raise ConfigError(f"{given} were given: choose one of --quality, --bpp, --max-bytes, --psnr and --max-error")
        for name, value in self.targets.items():
            if not (math.isfinite(value) and (value > 0 or (name == "max-error" and value == 0))):
                least = "a number from 0" if name == "max-error" else "a number above 0"
                raise ConfigError(f"--{name} {value:g}: expected {least}")
        if self.max_error is not None and self.range is not None:
            raise ConfigError("--range cuts values, which an error bound does not: leave one of them out")
        if self.range is not None and not (all(map(math.isfinite, self.range)) and self.range[0] < self.range[1]):
            raise ConfigError(f"--range {self.range[0]:g} {self.range[1]:g}: expected two numbers, the lower first")
        tuning(self.tune)
        _ = self.tile_log2
        load_any(self.model)


def encode_files(
    words: Sequence[str], out: Path, order: EncodeOrder, say: Callable[[str], None], processes: int | None = None
) -> list[Outcome]:
    """Code files, folders and patterns into a `.nic` file or a folder of them.

    Raises:
        ScimlError: see `EncodeOrder.check`, `sciml.batch.plan` and `sciml.batch.run`.
    """
    with piped(words, out, f"result{NIC}", "", say) as (words, out, say):
        jobs = plan(words, out, SUFFIXES, (NIC,), NIC)
        look(lambda job: read_picture(job.source, order.max_pixels, order.keep_icc, order.part), jobs, order.force)
        order.check()
        if order.roi is not None and len(jobs) > 1:
            raise ConfigError(f"--roi {order.roi} goes with one picture, {len(jobs)} were given")
        return run(partial(encode_file, order), jobs, say, processes)


def encode_file(order: EncodeOrder, job: Job) -> Outcome:
    """Code one file.

    Raises:
        ScimlError: it cannot be read, coded as it was asked, or written.
    """
    target = job.target or job.source.with_suffix(NIC)
    if there := kept(job, target, order.force):
        return there
    picture = read_picture(job.source, order.max_pixels, order.keep_icc, order.part)
    if order.refuse_loss and picture.losses:
        raise DataError(f"{job.source}: {'; '.join(picture.losses)}. Refused, as --refuse-loss asks")
    codec = Codec.load(order.model, Limits(pixels=order.max_pixels))
    if order.exact:
        picture, scale = picture, (Channel(unit=unit_that_fits(picture.unit)),)
    else:
        picture, scale = windowed(picture, order.range, codec.model)
    array = picture.array
    rows, columns = array.shape[:2]
    notes = picture.notes + picture.losses
    if min(rows, columns) < SMALL_SIDE:
        notes = (*notes, f"below {SMALL_SIDE} pixels a side a PNG file may well be smaller")
    data = codec.encode(
        array,
        quality=order.quality,
        bpp=order.bpp,
        max_bytes=order.max_bytes,
        psnr=order.psnr,
        max_error=order.max_error,
        roi_weights=None if order.roi is None else read_care(order.roi, (rows, columns), order.max_pixels),
        scale=scale,
        icc_profile=picture.profile,
        crc32=order.strong,
        tile_log2=order.tile_log2,
        rdo_passes=order.effort,
        tune=tuning(order.tune),
    )
    with new_file(target, order.force) as temporary:
        temporary.write_bytes(data)
    far = missed(order, codec, data, array)
    line = f"{job.source} -> {target}: {len(data)} bytes, {8 * len(data) / (rows * columns):.3f} bpp"
    if order.report_psnr:
        line += f", {psnr_of(codec.decode(data), array):.2f} dB"
    return Outcome(job.source, line, notes, missing=(far,) if far else ())


def windowed(
    picture: PictureFile, window: tuple[float, float] | None, model: AnyModel
) -> tuple[PictureFile, tuple[Channel, ...] | None]:
    """Return a picture with its values cut to a window, and the scale that spreads the window over a model's range.

    Args:
        picture: as read.
        window: values that are black and white; None for what the type says.
        model: model that will code it. A model in units of a deviation measures offset and scale of each channel itself.

    Raises:
        ConfigError: floats without a window, or a window for a model in units of a deviation.
        ShapeError: floats with alpha.
        DataError: a value is not a number.
    """
    array = picture.array
    floats, in_deviations = array.dtype.kind == "f", model.span == 1
    count = 1 if array.ndim == 2 else array.shape[2]
    if floats and (bad := int((~np.isfinite(array)).sum())):
        raise DataError(f"{bad} of {array.size} values are NaN or infinite: replace them first")
    if floats and model.channels == COLOURS and count in (2, 4):
        raise ShapeError(f"floats with {count} channels: alpha goes with whole numbers only, leave it out")
    if window is None:
        if floats and not in_deviations:
            low, high = float(array.min()), float(array.max())
            raise ConfigError(
                f"its values are floats from {low:g} to {high:g}: say with --range LOW HIGH which are black and white, "
                f"for instance --range {outward(low, -1)} {outward(high, 1)}"
            )
        if in_deviations and picture.unit:
            return picture, tuple(replace(one, unit=unit_that_fits(picture.unit)) for one in samples_of(array, model).channels)
        return picture, None
    if in_deviations:
        raise ConfigError(f"the model {model.name} scales each channel by its deviation: leave --range out")
    low, high = window
    colours = count - (not floats and model.channels == COLOURS and count in (2, 4))
    values = array if array.ndim == 2 else array[..., :colours]
    # whole numbers are cut at whole numbers within
    ends = (low, high) if floats else (max(math.ceil(low), 0), min(math.floor(high), np.iinfo(array.dtype).max))
    if ends[0] > ends[1]:
        raise ConfigError(f"--range {low:g} {high:g} holds no value of {array.dtype}")
    cut = int(((values < ends[0]) | (values > ends[1])).sum())
    values = np.clip(values, *ends).astype(array.dtype)
    notes = picture.notes
    if cut:
        notes = (*notes, f"{cut} of {values.size} values lie outside of --range {low:g} {high:g} and are cut to it")
    size = (high - low) / model.span
    channel = Channel(low - (model.centre - model.span / 2) * size, size, unit_that_fits(picture.unit))
    if colours < count:
        values = np.concatenate([values, array[..., colours:]], 2)
    return replace(picture, array=values, notes=notes), (channel,) * colours


def outward(value: float, direction: int) -> str:
    """Return a number in four digits or more that cuts nothing off: not above `value` for -1, not below it for 1."""
    for digits in range(4, 18):
        size = Decimal(value).adjusted() - digits + 1 if value else 0
        rounded = Decimal(value).quantize(Decimal(1).scaleb(size), ROUND_CEILING if direction > 0 else ROUND_FLOOR)
        # what is cut is decided in float32
        if (np.float32(float(rounded)) - np.float32(value)) * direction >= 0:
            return f"{float(rounded):.17g}" if float(f"{float(rounded):g}") != float(rounded) else f"{float(rounded):g}"
    return repr(value)


def missed(order: EncodeOrder, codec: PictureCodec, data: bytes, array: np.ndarray) -> str:
    """Return what to tell of a target that the model cannot come near to for this picture, or nothing."""
    code = read_header(data, codec.limits).quantiser_code
    pixels = array.shape[0] * array.shape[1]
    wanted = order.max_bytes if order.bpp is None else order.bpp * pixels / 8
    if wanted is not None and len(data) < (1 - (TOLERANCE if code == step_code(codec.finest) else FAR)) * wanted:
        given = f"--max-bytes {order.max_bytes}" if order.bpp is None else f"--bpp {order.bpp:g}"
        return (
            f"{given} is missed: the largest file that {codec.model.name} makes of this picture was written, "
            f"{len(data)} bytes, {8 * len(data) / pixels:.3f} bpp"
        )
    if order.psnr is not None and code == step_code(COARSEST):
        found = psnr_of(codec.decode(data), array)
        if found > order.psnr + FAR_DECIBEL:
            return (
                f"--psnr {order.psnr:g} is missed: the coarsest file that {codec.model.name} makes of this picture was written, "
                f"{found:.2f} dB"
            )
    return ""


def unit_that_fits(unit: str) -> str:
    """Return a unit as a header can hold it: without control characters, empty where it is too long to be kept whole."""
    plain = "".join(letter for letter in unit if letter.isprintable())
    return plain if len(plain.encode()) <= UNIT_BYTES else ""


def read_care(path: Path, shape: tuple[int, int], most_pixels: int) -> Float[np.ndarray, "rows columns"]:
    """Return the care of each pixel from a grey picture: 1 where it is black, 8 where it is white, 8^share between.

    Raises:
        DataError: it cannot be read, or holds floats or colours.
        ShapeError: it has another size than the picture.
    """
    mask = read_picture(path, most_pixels, keep_profile=True).array
    if mask.dtype.kind != "u":
        raise DataError(f"the mask {path} holds {mask.dtype}: expected whole numbers, black to white")
    if mask.ndim == 3:
        # paint programs store grey as colours
        colours = mask[..., :COLOURS] if mask.shape[2] >= COLOURS else mask[..., :1]
        if (colours != colours[..., :1]).any():
            raise DataError(f"the mask {path} holds colours: expected grey, black for usual care and white for the most")
        mask = colours[..., 0]
    if mask.shape != shape:
        raise ShapeError(
            f"the mask {path} has {mask.shape[1]} x {mask.shape[0]} pixels: expected {shape[1]} x {shape[0]}, as the picture has"
        )
    return MOST_CARE ** (mask / np.iinfo(mask.dtype).max)
