"""Arrays of samples to a model's numbers and back: types, grey, several channels, physical units, alpha."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from jaxtyping import Float, Shaped

from sciml.compression.container.file import Channel
from sciml.compression.container.header import MOST_CHANNELS, Header, SampleType, check_channel
from sciml.runtime.errors import DataError, ShapeError

TYPES: dict[str, SampleType] = {"uint8": "u8", "uint16": "u16", "float32": "f32", "float64": "f32"}
LARGEST = {"u8": 255, "u16": 65535}
SAMPLE_DTYPES: dict[SampleType, type[np.generic]] = {"u8": np.uint8, "u16": np.uint16, "f32": np.float32}
COLOURS = 3


class AnyModel(Protocol):
    """What a codec asks of a model, whether of planes and tables or of networks."""

    @cached_property
    def id(self) -> bytes:
        """The 8 bytes that name the model in a stream."""
        ...

    @property
    def name(self) -> str:
        """Name of the model, for people."""
        ...

    @property
    def channels(self) -> int:
        """Channels that it codes together."""
        ...

    @property
    def centre(self) -> float:
        """Centre of the numbers of a channel."""
        ...

    @property
    def span(self) -> float:
        """Span of the numbers of a channel."""
        ...

    @property
    def test_codes(self) -> tuple[int, ...]:
        """Step codes at which the self-test codes."""
        ...


@dataclass(frozen=True)
class Samples:
    """A picture as the codec sees it.

    Attributes:
        array: samples as given, without alpha, channel last.
        sample_type: `u8`, `u16` or `f32`.
        channels: how numbers become values: value = offset + scale * number.
        alpha: plane of the same integer type, or None.
    """

    array: Shaped[np.ndarray, "rows columns channels"]
    sample_type: SampleType
    channels: tuple[Channel, ...]
    alpha: Shaped[np.ndarray, "rows columns"] | None = None


def samples_of(image: Shaped[np.ndarray, "*shape"], model: AnyModel, scale: tuple[Channel, ...] | None = None) -> Samples:
    """Return a picture as samples that the model can code.

    A model of colours takes grey (rows, columns), grey with alpha (2 channels), colour (3) and colour with alpha (4); others
    take as many channels as they have, or one. By default the values of `uint8` and `uint16` cover the model's range, and so do
    those of floats from the least to the largest; for models in units of a deviation they get mean 0 and deviation 1.

    Args:
        image: uint8, uint16 or float.
        model: model that codes it.
        scale: offset, scale and unit of every channel, in place of the default.

    Raises:
        ShapeError: a number of axes or channels that the model cannot code.
        DataError: no samples, another type, or values that are not finite.
        FormatError: a scale that no file can hold.
    """
    array = np.asarray(image)
    if array.dtype.name not in TYPES:
        raise DataError(f"samples are {array.dtype}: expected uint8, uint16 or float32; convert with .astype")
    array = array[..., None] if array.ndim == 2 else array
    if array.ndim != 3:
        raise ShapeError(f"the picture has shape {np.shape(image)}: expected (rows, columns) or (rows, columns, channels)")
    if not array.size:
        raise DataError(f"the picture has shape {np.shape(image)}: expected at least one pixel")
    kind = TYPES[array.dtype.name]
    if kind == "f32":
        with np.errstate(over="ignore"):
            array = array.astype(np.float32)
    if kind == "f32" and not np.isfinite(array).all():
        raise DataError(
            f"{int((~np.isfinite(array)).sum())} of {array.size} samples are not finite in float32: fill or cut them first"
        )
    alpha = None
    count = array.shape[2]
    if model.channels == COLOURS and count in (2, 4) and kind != "f32":
        array, alpha = array[..., :-1], array[..., -1]
    if array.shape[2] not in {1, model.channels} or count > MOST_CHANNELS:
        words = " or ".join(map(str, sorted({1, model.channels})))
        words = "1 (grey), 2 (grey, alpha), 3 (colour) or 4 (colour, alpha)" if model.channels == COLOURS else words
        raise ShapeError(f"the picture has {count} channels: the model {model.name} codes {words}")
    channels = scale or tuple(_default(array[..., index], kind, model) for index in range(array.shape[2]))
    if len(channels) != array.shape[2]:
        raise ShapeError(f"{len(channels)} scales for {array.shape[2]} channels: expected one for each")
    for index, channel in enumerate(channels):
        check_channel(index, channel)
    return Samples(array, kind, channels, alpha)


def _default(plane: Shaped[np.ndarray, "rows columns"], kind: SampleType, model: AnyModel) -> Channel:
    """Return the map from the model's numbers to a channel's values."""
    low, high = model.centre - model.span / 2, model.centre + model.span / 2
    if kind in LARGEST:
        size = LARGEST[kind] / model.span
        return Channel(-low * size, size)
    if model.span == 1:
        mean, deviation = float(plane.mean(dtype=np.float64)), float(plane.std(dtype=np.float64))
        return Channel(mean, deviation or _unseen(mean))
    least, most = float(plane.min()), float(plane.max())
    if least == most:
        size = _unseen(least) / model.span
        return Channel(least - model.centre * size, size)
    size = (most - least) / (high - low)
    return Channel(least - low * size, size)


def _unseen(value: float) -> float:
    """Return a scale below the resolution of float32 at a value, so that a constant picture keeps it."""
    return (abs(value) or 1.0) * 2.0**-24


def to_numbers(
    array: Shaped[np.ndarray, "rows columns channels"], channels: tuple[Channel, ...], wanted: int
) -> Float[np.ndarray, "rows columns wanted"]:
    """Return the model's numbers of samples; grey is repeated where the model has several channels."""
    offsets = np.array([channel.offset for channel in channels])
    scales = np.array([channel.scale for channel in channels])
    numbers = ((array.astype(np.float32) - offsets) / scales).astype(np.float32)
    return numbers if numbers.shape[2] == wanted else np.repeat(numbers, wanted, axis=2)


def to_samples(
    numbers: Float[np.ndarray, "rows columns model"], channels: tuple[Channel, ...], kind: SampleType
) -> Shaped[np.ndarray, "rows columns channels"]:
    """Return samples of the model's numbers: the mean of the channels for grey, rounded and clipped for integers."""
    if len(channels) != numbers.shape[2]:
        numbers = numbers.mean(2, keepdims=True)
    offsets = np.array([channel.offset for channel in channels], np.float32)
    scales = np.array([channel.scale for channel in channels], np.float32)
    most = float(np.finfo(np.float32).max)
    low, high = (0, LARGEST[kind]) if kind in LARGEST else (-most, most)
    with np.errstate(over="ignore"):
        values = numbers * scales + offsets
    return np.clip(np.rint(values) if kind in LARGEST else values, low, high).astype(SAMPLE_DTYPES[kind])


@contextmanager
def enough_memory(header: Header) -> Iterator[None]:
    """Turn a lack of memory for a picture into an error that says how much its pixels take.

    Raises:
        DataError: the machine has not enough memory.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        # torch says it in words
        if isinstance(error, RuntimeError) and "allocate memory" not in str(error):
            raise
        count = len(header.channels) + (header.alpha_bytes is not None)
        size = header.pixels * count * np.dtype(SAMPLE_DTYPES[header.sample_type]).itemsize
        raise DataError(
            f"not enough memory: {header.width} x {header.height} pixels of {count} channels take {size / 1e6:.0f} MB "
            "and decoding up to 200 MB more; free some, or refuse such files by their number of pixels"
        ) from error
