"""Photographs of users in files: what their numbers mean, and results that mean the same.

PNG, JPEG and 8-bit TIFF files hold display values (sRGB); all others hold values proportional to light, unless the user says
otherwise. A result keeps what the file's numbers mean and their type. One exception: a PNG file always holds display values, so
what is proportional to light is encoded for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sciml.deblurring.files.picture import FLOAT_RANGE
from sciml.formats.image import SRGB, Image, linear_to_srgb, srgb_to_linear
from sciml.formats.read import read_image
from sciml.formats.write import write_image, write_integers
from sciml.imaging.tasks.scale import UNIT, range_of_noisy
from sciml.runtime.errors import ConfigError, ShapeError

PICTURES = (".png", ".tif", ".tiff", ".npy")
BLOCK, BLOCKS_VISIBLE = 8, 1.1
Gamma = Literal["auto", "srgb", "none"]
Values = NDArray[Any]


@dataclass(frozen=True)
class Photo:
    """A photograph on the scale from 0 to 1.

    Attributes:
        values: (height, width) or (3, height, width), float32.
        source: the file's content.
        value_range: stored values that became 0 and 1, for floats.
        display: whether the values are display values (sRGB); otherwise they are proportional to light.
        encoded: whether the file's format holds display values whatever the user says.
        notes: what was done on reading, in sentences.
    """

    values: Tensor
    source: Image
    value_range: tuple[float, float]
    display: bool
    encoded: bool
    notes: tuple[str, ...]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return int(self.values.shape[-2]), int(self.values.shape[-1])

    @property
    def channels(self) -> int:
        """1 or 3."""
        return 1 if self.values.ndim == 2 else 3

    @property
    def gamma(self) -> Literal["srgb"] | None:
        """The argument of `sciml.deblurring.deblur`."""
        return "srgb" if self.display else None

    def linear(self) -> Tensor:
        """Return (channel, height, width) in linear light."""
        values = self.values.reshape(-1, *self.size)
        return torch.from_numpy(srgb_to_linear(values.numpy())) if self.display else values

    def meaning(self) -> str:
        """Return in words what the numbers are."""
        return "display values (sRGB)" if self.display else "values proportional to light"


def read_photo(path: Path, gamma: str = "auto", value_range: Sequence[float] | None = None, measured: bool = True) -> Photo:
    """Read a photograph.

    Args:
        path: PNG, JPEG, TIFF or NPY, also one slice of DICOM.
        gamma: `srgb` or `none` overrules what the file's format says, `auto` does not.
        value_range: stored values of floats that become 0 and 1.
        measured: whether floats far beyond 0 and 1 mean another scale; a result may overshoot.

    Raises:
        ConfigError: an unknown gamma, a range for integers, or floats beyond 0 and 1 without a range.
        DataError, FormatError: the file is missing, damaged, constant or holds NaN.
        ShapeError: a volume.
    """
    if gamma not in ("auto", "srgb", "none"):
        raise ConfigError(f"--gamma is auto, srgb (display values) or none (proportional to light), got {gamma!r}")
    source = read_image(path)
    if source.axes == "DHW":
        raise ShapeError(f"{path} is a volume of shape {source.array.shape}: give one picture")
    if source.bits is not None and value_range is not None:
        raise ConfigError(f"{path} holds integers of {source.bits} bits, which have a range of their own: leave --range away")
    low, high = range_of_noisy(source, value_range) if measured or value_range is not None else UNIT
    array = source.array if (low, high) == UNIT else (source.array - low) / (high - low)
    least, most = float(array.min()), float(array.max())
    if measured and (least < FLOAT_RANGE[0] or most > FLOAT_RANGE[1]):
        raise ConfigError(
            f"{path} has values from {least:.3g} to {most:.3g} on the scale from 0 to 1: say with --range LOW HIGH which stored "
            "values are black and white"
        )
    notes = [f"{note[0].upper()}{note[1:]}." for note in source.notes if "divided by" not in note]
    if path.suffix.lower() in (".jpg", ".jpeg") and (ratio := blockiness(array)) > BLOCKS_VISIBLE:
        notes.append(
            f"The blocks of the JPEG file are visible (steps between them are {ratio:.2f} times those inside): they are "
            "sharpened too, and a residual network takes them for its own; a larger --noise-std gives a calmer picture."
        )
    moved = np.ascontiguousarray(np.moveaxis(array, -1, 0) if source.axes == "HWC" else array, dtype=np.float32)
    encoded = source.unit == SRGB
    return Photo(
        torch.from_numpy(moved), source, (low, high), encoded if gamma == "auto" else gamma == "srgb", encoded, tuple(notes)
    )


def blockiness(array: Values) -> float:
    """Return the mean step across the borders of 8 x 8 blocks over that of other neighbours, the larger of rows and columns."""
    grey = array.mean(-1) if array.ndim == 3 else array
    ratios = [1.0]
    for steps in (np.abs(np.diff(grey, axis=0)).mean(1), np.abs(np.diff(grey, axis=1)).mean(0)):
        across = np.arange(1, len(steps) + 1) % BLOCK == 0
        if across.any() and steps[~across].mean() > 0:
            ratios.append(float(steps[across].mean() / steps[~across].mean()))
    return max(ratios)


def write_photo(path: Path, values: Values | Tensor, photo: Photo) -> tuple[str, ...]:
    """Write a picture in the form of a photograph: its type, units and meaning.

    Args:
        path: PNG, TIFF or NPY.
        values: laid out as `photo.values`, with the same meaning.
        photo: the one that it comes from.

    Returns:
        What was changed against the photograph's form, in sentences.
    """
    array = rows_first(values)
    bits, notes = photo.source.bits, []
    if path.suffix.lower() == ".png":
        if not (photo.display or photo.encoded):
            array = linear_to_srgb(array.clip(0, 1))
            notes.append(f"{path.name} holds display values (sRGB), as PNG files do; a TIFF or NPY file keeps the numbers.")
        depth = 16 if bits == 16 and array.ndim == 2 else 8
        if bits == 16 and depth == 8:
            notes.append(f"{path.name} holds 8 bits a channel; a TIFF file keeps all 16.")
        write_image(path, array, bits=depth)
    elif bits is None:
        low, high = photo.value_range
        write_image(path, array if (low, high) == UNIT else array * (high - low) + low)
    else:
        write_integers(path, array, bits)
    return tuple(notes)


def write_light(path: Path, light: Values | Tensor, bits: int = 8) -> None:
    """Write linear light: display values of 8 or 16 bits (grey) to PNG, floats proportional to light to all others."""
    array = rows_first(light)
    if path.suffix.lower() == ".png":
        write_image(path, linear_to_srgb(array.clip(0, 1)), bits=bits)
    else:
        write_image(path, array)


def rows_first(values: Values | Tensor) -> Values:
    """Return (height, width) or (height, width, 3) from channels first."""
    array = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    array = array[0] if array.ndim == 3 and len(array) == 1 else array
    return np.moveaxis(array, 0, -1) if array.ndim == 3 else array
