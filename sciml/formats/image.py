"""An image or volume with what its numbers mean, and the checks that everything read from a file goes through."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sciml.runtime.errors import DataError, FormatError, ShapeError

if TYPE_CHECKING:
    import numpy as np

PIXEL_LIMIT = 2**28
"""Most pixels or voxels (all channels together) that a file may claim: 1 GiB as float32."""

SRGB, LINEAR, HOUNSFIELD, ARBITRARY = "sRGB", "linear", "HU", "arbitrary"


@dataclass(frozen=True)
class Image:
    """A picture or volume together with its meaning.

    Attributes:
        array: float32 of shape (rows, columns), (rows, columns, 3) or (depth, rows, columns). Axial
            volumes run from feet to head, rows from front to back, columns from the patient's right
            to left, as a radiologist looks at them.
        axes: `HW`, `HWC` or `DHW`, naming the axes of `array`.
        value_range: (low, high) of the scale; the values of a photograph lie in (0, 1).
        unit: `sRGB` (display values), `linear` (proportional to light), `HU` or `arbitrary`.
        name: for titles and messages.
        voxel_size_mm: spacing along each spatial axis of `array`, in its order, or None.
        affine: 4 x 4, from (depth, row, column, 1) to millimetres right-anterior-superior, or None.
        notes: what was done to the stored values on the way, in words.
        bits: width of the stored unsigned integers that were divided by their largest value; None for other types.
    """

    array: np.ndarray
    axes: str
    value_range: tuple[float, float]
    unit: str
    name: str
    voxel_size_mm: tuple[float, ...] | None = None
    affine: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    bits: int | None = None

    def unit_interval(self) -> np.ndarray:
        """Return the array with `value_range` mapped to [0, 1] and clipped."""
        low, high = self.value_range
        return ((self.array - low) / (high - low)).clip(0, 1)


def check_claim(shape: tuple[int, ...], where: str) -> None:
    """Refuse a shape that is empty or claims more than `PIXEL_LIMIT` values (DataError)."""
    if not shape or min(shape) < 1:
        raise DataError(f"{where} holds no pixels: its shape is {tuple(shape)}")
    if math.prod(shape) > PIXEL_LIMIT:
        raise DataError(
            f"{where} claims {math.prod(shape)} pixels, {' x '.join(map(str, shape))}; at most {PIXEL_LIMIT} are read"
        )


def check_values(array: np.ndarray, where: str) -> None:
    """Refuse NaN, infinite and all-constant values (DataError)."""
    import numpy as np

    low, high = float(array.min()), float(array.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        bad = ~np.isfinite(array)
        first = tuple(int(index) for index in np.unravel_index(int(bad.argmax()), bad.shape))
        raise DataError(
            f"{where} holds {int(bad.sum())} NaN or infinite values, the first at index {first}: mask or replace them"
        )
    if low == high:
        raise DataError(f"{where} is constant: every value is {low:g}")


def plain_image(
    array: np.ndarray, path: Path, integer_unit: str, notes: tuple[str, ...] = (), *, volume: bool | None = None
) -> Image:
    """Give an array of stored values its axes, scale and meaning."""
    import numpy as np

    if array.dtype.kind not in "buif":
        raise FormatError(f"{path} holds values of type {array.dtype}: only whole and floating-point numbers are images")
    if volume is None:
        # nothing in an NPY file names its axes: a short last axis behind two longer ones is taken for channels
        volume = array.ndim == 3 and not array.shape[-1] <= 4 < min(array.shape[:2])
        if array.ndim == 3 and not volume and array.shape[-1] == 2:
            raise ShapeError(f"{path} has shape {array.shape}: two channels are neither grey nor colour; give one of them")
    if array.ndim not in (2, 3):
        raise ShapeError(
            f"{path} has shape {array.shape}: expected (rows, columns), (rows, columns, 3) or (depth, rows, columns)"
        )
    if array.ndim == 3 and not volume:
        if array.shape[-1] in (2, 4):
            array, notes = array[..., :-1], (*notes, "alpha channel dropped")
        array = array[..., 0] if array.shape[-1] == 1 else array
    kind, values = array.dtype, np.ascontiguousarray(array, dtype=np.float32)
    if kind.kind == "u":
        top = np.iinfo(kind).max
        values, value_range, unit = values / np.float32(top), (0.0, 1.0), integer_unit
        notes = (*notes, f"{kind} divided by {top}")
    else:
        low, high = float(values.min()), float(values.max())
        inside = kind.kind == "b" or (kind.kind == "f" and low >= 0 and high <= 1)
        value_range, unit = ((0.0, 1.0) if inside else (low, high)), ARBITRARY
    axes = "DHW" if volume else "HWC" if values.ndim == 3 else "HW"
    bits = 8 * kind.itemsize if kind.kind == "u" else None
    return Image(values, axes, value_range, unit, path.stem, notes=notes, bits=bits)


def srgb_to_linear(values: np.ndarray) -> np.ndarray:
    """Return light from display values in [0, 1], IEC 61966-2-1: V/12.92 up to 0.04045, else ((V + 0.055)/1.055)^2.4."""
    import numpy as np

    values = np.asarray(values)
    return np.where(values <= 0.04045, values / 12.92, ((np.maximum(values, 0) + 0.055) / 1.055) ** 2.4).astype(values.dtype)


def linear_to_srgb(values: np.ndarray) -> np.ndarray:
    """Return display values from light in [0, 1], IEC 61966-2-1: 12.92 L up to 0.0031308, else 1.055 L^(1/2.4) - 0.055."""
    import numpy as np

    values = np.asarray(values)
    return np.where(values <= 0.0031308, values * 12.92, 1.055 * np.maximum(values, 0) ** (1 / 2.4) - 0.055).astype(values.dtype)


def block_mean(array: np.ndarray, factor: int, rows_axis: int = 0) -> np.ndarray:
    """Return means over `factor` x `factor` blocks of two neighbouring axes (ShapeError if none fits)."""
    rows, columns = (array.shape[axis] // factor for axis in (rows_axis, rows_axis + 1))
    if min(rows, columns) < 1:
        raise ShapeError(f"an image of shape {array.shape} has no block of {factor} x {factor}")
    lead = (slice(None),) * rows_axis
    total: Any = 0
    for row in range(factor):
        for column in range(factor):
            total = total + array[(*lead, slice(row, rows * factor, factor), slice(column, columns * factor, factor))]
    return total / array.dtype.type(factor**2)
