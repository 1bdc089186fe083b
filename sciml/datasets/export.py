"""A declared data set as a file of a common format, whole or in part, to try a command on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sciml.datasets.loaders import load
from sciml.formats.image import Image
from sciml.formats.write import write_image
from sciml.runtime.errors import ConfigError


def export(entry: str, out: Path, crop: tuple[int, int, int, int] | None = None) -> Image:
    """Write a data set as an image file and return what was written; a volume of one slice becomes a picture.

    Args:
        entry: a data set, or a range such as `ct_cranium[54:55]`.
        out: the file; its suffix names the format.
        crop: row, column, height and width in pixels of the part that is kept of the picture or of every slice; all by default.

    Raises:
        ConfigError: unknown data set, or a part outside of it.
        DataError: not fetched.
    """
    image = load(entry) if crop is None else cropped(load(entry), *crop)
    if image.axes == "DHW" and len(image.array) == 1:
        image = replace(image, array=image.array[0], axes="HW")
    write_image(out, image.array, affine=image.affine, voxel_size_mm=image.voxel_size_mm)
    return image


def cropped(image: Image, row: int, column: int, height: int, width: int) -> Image:
    """Return a part of a picture, or of every slice of a volume, at its place in space.

    Args:
        image: picture or volume.
        row: of the upper left corner, in pixels.
        column: of the upper left corner, in pixels.
        height: in pixels.
        width: in pixels.

    Raises:
        ConfigError: the part does not lie inside.
    """
    first = image.axes.index("H")
    rows, columns = image.array.shape[first : first + 2]
    if min(row, column, height - 1, width - 1) < 0 or row + height > rows or column + width > columns:
        raise ConfigError(
            f"{image.name} has {rows} x {columns} pixels: a crop of {height} x {width} at ({row}, {column}) is not inside"
        )
    affine = image.affine
    if affine is not None:
        affine = affine.copy()
        affine[:, 3] += affine[:, 1:3] @ (row, column)
    part = (slice(None),) * first + (slice(row, row + height), slice(column, column + width))
    return replace(image, array=image.array[part], affine=affine)
