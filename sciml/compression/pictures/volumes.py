"""Slices of volumes as windowed 16 bits: declared volumes by split, a user's DICOM, NIfTI, NPY, TIFF and PNG files by folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Shaped, UInt16

from sciml.runtime.errors import ConfigError, DataError, ShapeError

if TYPE_CHECKING:
    from sciml.formats.image import Image

DEPTH = 65535
# every so manyth inner slice: neighbours are nearly alike
EVERY = {"train": 2, "validation": 6, "test": 12}
SUFFIXES = (".dcm", ".nii", ".nii.gz", ".npy", ".tif", ".tiff", ".png")


def windowed_bits(array: Float[np.ndarray, "*shape"], window: tuple[float, float]) -> UInt16[np.ndarray, "*shape"]:
    """Return values as 16 bits: the lower end of the window and below is 0, the upper one and above 65535.

    Raises:
        ConfigError: the window's ends are not in order, or not finite.

    Example:
        >>> windowed_bits(np.array([-2000.0, -160.0, 40.0, 240.0]), (-160, 240)).tolist()
        [0, 0, 32768, 65535]
    """
    low, high = window
    if not (np.isfinite([low, high]).all() and low < high):
        raise ConfigError(f"the window is {low:g}, {high:g}: expected two finite numbers, the lower first")
    share = (np.asarray(array, np.float64) - low) / (high - low)
    return np.rint(share.clip(0, 1) * DEPTH).astype(np.uint16)


def window_of(image: Image, window: tuple[float, float] | None) -> tuple[float, float]:
    """Return the window that was asked for, or the range that the file's type or maker declares.

    Raises:
        ConfigError: neither is there.
    """
    if window is not None:
        return window
    if image.bits is not None or image.value_range == (0.0, 1.0):
        return (0.0, 1.0)
    low, high = (float(value) for value in (image.array.min(), image.array.max()))
    raise ConfigError(
        f"{image.name} has values from {low:g} to {high:g} ({image.unit}): say with --range LOW HIGH which are black and white, "
        "for instance --range -160 240 for soft tissue in Hounsfield units"
    )


def inner_slices(
    array: Shaped[np.ndarray, "*shape"], every: int, count: int = 1
) -> Iterator[tuple[int, Shaped[np.ndarray, "count rows columns"]]]:
    """Yield number and slice of every so manyth axial slice that is not constant, with those behind it, `count` in all.

    The outer eighths of a volume are left out; an array of one slice is yielded alone.

    Raises:
        ShapeError: neither a slice nor a volume.
    """
    if array.ndim not in (2, 3) or array.shape[2:] in ((3,), (4,)):
        raise ShapeError(f"expected a grey slice or a volume, got shape {array.shape}")
    slices, count = (array, count) if array.ndim == 3 else (array[None], 1)
    margin = len(slices) // 8
    for number in range(margin, len(slices) - max(margin, count - 1), max(every, count)):
        if slices[number].min() < slices[number].max():
            yield number, slices[number : number + count]


def slices_of(
    image: Image, window: tuple[float, float] | None, every: int, count: int = 1
) -> Iterator[tuple[int, UInt16[np.ndarray, "rows columns count"]]]:
    """Yield number and 16 bits of slices of an image with their neighbours; see `window_of` and `inner_slices`."""
    ends = window_of(image, window)
    for number, planes in inner_slices(image.array, every, count):
        bits = windowed_bits(planes, ends)
        if bits.min() < bits.max():
            yield number, np.ascontiguousarray(np.moveaxis(bits, 0, -1))


def folder_files(folder: Path, suffixes: tuple[str, ...], role: str, held_out: int, least: int) -> list[Path]:
    """Return the files of a folder that one role sees: every so manyth validates, of fewer the last.

    Args:
        folder: searched with all below it.
        suffixes: suffixes of the files that count.
        role: `train` or `validation`.
        held_out: every so manyth file validates.
        least: fewer files are refused.

    Raises:
        DataError: too few files.
    """
    paths = sorted(path for path in folder.rglob("*") if path.name.lower().endswith(suffixes) and not _inside(path, suffixes))
    if len(paths) < least:
        raise DataError(f"{folder} holds {len(paths)} files ({', '.join(suffixes)}): at least {least} are learned from")
    held = set(paths[held_out - 1 :: held_out]) or {paths[-1]}
    return [path for path in paths if (path in held) == (role == "validation")]


def _inside(path: Path, suffixes: tuple[str, ...]) -> bool:
    """Say whether a path lies within a store that is a folder itself."""
    return any(parent.name.lower().endswith(suffixes) for parent in path.parents)
