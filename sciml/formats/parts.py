"""Slices of a NIfTI volume, one field of a Zarr store or a NetCDF file: `--part axial=90`, `axial=88:92`, `vorticity,time=3`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sciml.formats.fields import DATASETS, open_dataset
from sciml.formats.image import HOUNSFIELD
from sciml.formats.read import read_image
from sciml.runtime.errors import ConfigError, DataError, FormatError

NIFTI = (".nii", ".nii.gz")
VOLUMES = (*NIFTI, *DATASETS)
# axes of a volume as it is read: from feet to head, from front to back, from the patient's right to left
AXES = ("axial", "coronal", "sagittal")


def has_parts(path: Path) -> bool:
    """Say whether a file is of a kind that holds more than one picture."""
    return path.name.lower().endswith(VOLUMES)


def is_store(path: Path) -> bool:
    """Say whether a folder is a Zarr store, and so stands for one file."""
    return path.suffix.lower() == ".zarr" and path.is_dir()


Place = int | range
"""A place along an axis, or neighbouring ones."""


def parse_part(part: str | None) -> tuple[str, dict[str, Place]]:
    """Return the variable, or an empty text, and the places along named axes; `axial=88:92` is four neighbours.

    Raises:
        ConfigError: the text is not of the form `name,axis=number`.

    Example:
        >>> parse_part("vorticity,time=-1")
        ('vorticity', {'time': -1})
    """
    variable = ""
    places: dict[str, Place] = {}
    for word in (part or "").split(","):
        name, equals, number = word.strip().partition("=")
        try:
            if equals:
                first, colon, end = number.partition(":")
                places[name] = range(int(first), int(end)) if colon else int(number)
            elif variable and name:
                raise ValueError
            else:
                variable = variable or name
        except ValueError:
            raise ConfigError(f"--part {part}: expected a variable, places such as time=3, or both with commas between") from None
    return variable, places


def read_part(path: Path, part: str | None) -> tuple[np.ndarray, str, str]:
    """Return one picture of a file, its unit, and what it is in words.

    The picture is float32 of (rows, columns), or of (rows, columns, slices) where neighbouring slices of a volume are asked for.

    Raises:
        ConfigError: the part is not named, or not there; the message says what there is.
        DataError, FormatError: the file cannot be read.
    """
    variable, places = parse_part(part)
    if path.name.lower().endswith(NIFTI):
        return _nifti(path, variable, places)
    return _dataset(path, variable, places)


def _nifti(path: Path, variable: str, places: dict[str, Place]) -> tuple[np.ndarray, str, str]:
    image = read_image(path)
    array = image.array if image.array.ndim == 3 else image.array[None]
    offered = ", ".join(f"{axis}=0 to {size - 1}" for axis, size in zip(AXES, array.shape, strict=True))
    if len(array) == 1 and not variable and not places:
        places = {AXES[0]: 0}
    if variable or len(places) != 1 or next(iter(places)) not in AXES:
        raise ConfigError(f"{path} is a volume: say which slice with --part, one of {offered}")
    axis, number = next(iter(places.items()))
    place = AXES.index(axis)
    unit = HOUNSFIELD if image.unit == HOUNSFIELD else ""
    if isinstance(number, range):
        size = array.shape[place]
        if not 0 <= number.start < number.stop <= size:
            raise ConfigError(
                f"{path} has no {axis} slices {number.start}:{number.stop}: it has {size}, 0:{size} are all of them"
            )
        slices = np.moveaxis(array.take(number, place), place, -1)
        return np.ascontiguousarray(slices), unit, f"{axis} slices {number.start} to {number.stop - 1} of {size}"
    _check_place(path, axis, number, array.shape[place])
    return np.ascontiguousarray(array.take(number, place)), unit, f"{axis} slice {number} of {array.shape[place]}"


def _dataset(path: Path, variable: str, places: dict[str, Place]) -> tuple[np.ndarray, str, str]:
    with open_dataset(path) as data:
        fields = [str(name) for name, one in data.data_vars.items() if one.ndim >= 2 and one.dtype.kind in "fiu"]
        if not fields:
            raise DataError(f"{path} holds no field of real numbers: it has {', '.join(map(str, data.data_vars)) or 'nothing'}")
        if not variable and len(fields) == 1:
            variable = fields[0]
        if variable not in fields:
            raise ConfigError(f"{path} holds the fields {', '.join(fields)}: name one with --part")
        found = data[variable]
        axes = {str(axis): found.sizes[axis] for axis in found.dims[:-2]}
        if strange := set(places) - set(axes):
            raise ConfigError(f"{path}, {variable} has no axis {min(strange)}: its axes are {', '.join(map(str, found.dims))}")
        places = {axis: 0 for axis, size in axes.items() if size == 1} | places
        if missing := [f"{axis}=0 to {size - 1}" for axis, size in axes.items() if axis not in places]:
            raise ConfigError(f"{path}, {variable} is more than one picture: add to --part {', '.join(missing)}")
        for axis, number in places.items():
            if isinstance(number, range):
                raise ConfigError(f"--part {axis}={number.start}:{number.stop}: a field is one picture, give one place")
            _check_place(path, axis, number, axes[axis])
        try:
            values = np.ascontiguousarray(found.isel(places).values, np.float32)
        except (OSError, ValueError, RuntimeError) as error:
            raise FormatError(f"{path}, {variable} cannot be read: {error}") from error
        words = "".join(f", {axis} {number}" for axis, number in places.items() if axes[axis] > 1)
        return values, str(found.attrs.get("units", "")), f"{variable}{words}"


def _check_place(path: Path, axis: str, number: int, size: int) -> None:
    if not -size <= number < size:
        raise ConfigError(f"{path} has {size} places along {axis}: {number} is not among 0 to {size - 1}")
