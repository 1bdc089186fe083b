"""The scale and form of a user's own file: one stated affine map of its values to [0, 1], inverted on the way out.

    unit = (value - low) / (high - low)

The range (low, high) is what the file's type says or what the user says, never a stretch of noisy values to their own extremes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sciml.formats.image import HOUNSFIELD, Image
from sciml.formats.write import write_image
from sciml.runtime.errors import ConfigError, DataError, ShapeError

HU_WINDOW = (-1000.0, 1000.0)
UNIT = (0.0, 1.0)
NEAR_UNIT = (-0.5, 1.5)
"""Noisy or ringing values of a picture on the scale from 0 to 1 stay inside this interval."""

Range = tuple[float, float]
Batch = Float[Tensor, "batch 1 height width"]


@dataclass(frozen=True)
class Origin:
    """What brings a reconstruction back to the form of the file that it comes from.

    Attributes:
        axes: `HW`, `HWC` or `DHW`, as in `Image`.
        value_range: the two values that became 0 and 1.
        bits: width of the stored unsigned integers, or None.
        affine: as in `Image`.
        voxel_size_mm: as in `Image`.
    """

    axes: str
    value_range: Range
    bits: int | None = None
    affine: np.ndarray | None = None
    voxel_size_mm: tuple[float, ...] | None = None

    @classmethod
    def of(cls, picture: Image, value_range: Range) -> Origin:
        """Return the origin of a picture whose values were mapped by a range."""
        return cls(picture.axes, value_range, picture.bits, picture.affine, picture.voxel_size_mm)

    def record(self) -> dict[str, Any]:
        """Return the origin as JSON values."""
        return {
            "axes": self.axes,
            "value_range": list(self.value_range),
            "bits": self.bits,
            "affine": None if self.affine is None else self.affine.tolist(),
            "voxel_size_mm": None if self.voxel_size_mm is None else list(self.voxel_size_mm),
        }

    @classmethod
    def from_record(cls, record: dict[str, Any], count: int) -> Origin:
        """Return the origin that `record` described.

        Args:
            record: JSON values.
            count: number of channels or slices that were measured.

        Raises:
            KeyError, TypeError, ValueError: it is not such a record, or it does not fit the count.
        """
        axes, (low, high) = str(record["axes"]), (float(end) for end in record["value_range"])
        if count not in {"HW": (1,), "HWC": (3,), "DHW": (count,)}[axes] or not low < high:
            raise ValueError(f"{count} pictures with axes {axes} and range {low:g} to {high:g}")
        affine, spacing = record["affine"], record["voxel_size_mm"]
        return cls(
            axes,
            (low, high),
            None if record["bits"] is None else int(record["bits"]),
            None if affine is None else np.array(affine, dtype=np.float64).reshape(4, 4),
            None if spacing is None else tuple(float(size) for size in spacing),
        )


def range_of(picture: Image, given: Sequence[float] | None = None) -> Range:
    """Return the range of a true picture.

    Args:
        picture: a picture without noise.
        given: the user's own range, which wins. Otherwise -1000 to 1000 for Hounsfield units, 0 to 1 for a picture on that
            scale, and 0 (or the least value, if it is negative) to the largest value for any other.
    """
    if given is not None:
        return _checked(given)
    if picture.unit == HOUNSFIELD:
        return HU_WINDOW
    low, high = picture.value_range
    return min(low, 0.0), high


def range_of_noisy(picture: Image, given: Sequence[float] | None = None) -> Range:
    """Return the range of a measured picture: the user's own, or 0 to 1, which leaves its values as they are.

    Raises:
        ConfigError: no range is given and the values are not on the scale from 0 to 1.
    """
    if given is not None:
        return _checked(given)
    low, high = float(picture.array.min()), float(picture.array.max())
    if low < NEAR_UNIT[0] or high > NEAR_UNIT[1]:
        raise ConfigError(
            f"{picture.name} has values from {low:g} to {high:g}, not on the scale from 0 to 1: "
            "say with --range LOW HIGH which values without noise are black and white"
        )
    return UNIT


def _checked(given: Sequence[float]) -> Range:
    low, high = float(given[0]), float(given[1])
    if not (low < high and math.isfinite(high - low)):
        raise ConfigError(f"--range takes two finite numbers, the lower one first, got {low:g} {high:g}")
    return low, high


def to_batch(picture: Image, value_range: Range, clip: bool = False) -> Batch:
    """Return an image as (channels or slices, 1, height, width) with a range mapped to [0, 1], values beyond it cut or kept."""
    low, high = value_range
    array = picture.array if value_range == UNIT else (picture.array - low) / (high - low)
    if picture.axes == "HWC":
        array = np.moveaxis(array, -1, 0)
    stack = array if array.ndim == 3 else array[None]
    batch = torch.from_numpy(np.ascontiguousarray(stack, dtype=np.float32))[:, None]
    return batch.clamp(0, 1) if clip else batch


def check_output(path: Path, axes: str, count: int) -> None:
    """Refuse an output that `write_batch` could not write.

    Args:
        path: the file to be written.
        axes: of the picture.
        count: number of channels or slices.

    Raises:
        DataError: a folder, or an unknown suffix.
        ShapeError: the format cannot hold such a picture.
    """
    name = path.name.lower()
    if path.is_dir():
        raise DataError(f"{path} is a folder: name a file in it")
    if name.endswith(".png"):
        if axes == "DHW" and count > 1:
            raise ShapeError(f"{path}: PNG holds no volume ({count} slices): write .nii.gz, .tif or .npy")
    elif name.endswith((".nii", ".nii.gz")):
        if axes == "HWC":
            raise ShapeError(f"{path}: NIfTI holds volumes, not colour: write .png, .tif or .npy")
    elif not name.endswith((".tif", ".tiff", ".npy")):
        raise DataError(f"{path}: images are written as .png, .tif, .npy, .nii or .nii.gz")


def write_batch(path: Path, batch: Batch, origin: Origin, placed: bool = True) -> None:
    """Write what `to_batch` took apart as one file again: PNG as [0, 1], every other format in the units of the origin.

    Args:
        path: result, by its suffix.
        batch: pictures on the scale from 0 to 1.
        origin: form and range.
        placed: whether the first voxel is still where the affine says.
    """
    array, axes, spacing = batch[:, 0].numpy(), origin.axes, origin.voxel_size_mm
    check_output(path, axes, len(array))
    name = path.name.lower()
    if axes == "HWC":
        array = np.moveaxis(array, 0, -1)
    elif axes == "HW" and name.endswith((".nii", ".nii.gz")):
        spacing = spacing and (1.0, *spacing)
    elif axes == "HW" or name.endswith(".png"):
        array = array[0]
    if not name.endswith(".png") and origin.value_range != UNIT:
        low, high = origin.value_range
        array = array * (high - low) + low
    bits = 16 if origin.bits == 16 and array.ndim == 2 else 8
    write_image(path, array, bits=bits, affine=origin.affine if placed else None, voxel_size_mm=spacing)
