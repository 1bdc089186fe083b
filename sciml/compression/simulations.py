"""Simulated fields from Zarr stores, NetCDF and NPY files: fields in the plane of one variable at one time, with their unit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from sciml.runtime.errors import DataError, FormatError, ShapeError

SUFFIXES = (".zarr", ".nc", ".npy")
DATASETS = (".zarr", ".nc")
SYMMETRIES = 8


@dataclass(frozen=True)
class FieldPicture:
    """A field.

    Attributes:
        name: file, variable and place along the other axes.
        values: float32, in `unit`.
        unit: empty where the file names none.
        variable: its name; empty for NPY.
    """

    name: str
    values: Float[np.ndarray, "rows columns"]
    unit: str = ""
    variable: str = ""


def open_dataset(path: Path) -> Any:
    """Return the xarray Dataset of a Zarr store or a NetCDF file.

    Raises:
        DataError: it is not there.
        FormatError: it is damaged, or of a kind that is not read.
    """
    import xarray

    if not path.exists():
        raise DataError(f"no such file: {path}")
    try:
        if path.suffix.lower() == ".zarr":
            return xarray.open_zarr(path, consolidated=False)
        return xarray.open_dataset(path)
    except Exception as error:  # the readers of the formats answer damage with errors of every kind
        text = " ".join(str(error).split())[:200]
        hint = "; of NetCDF version 3 is read, version 4 needs the package h5netcdf" if path.suffix.lower() == ".nc" else ""
        raise FormatError(f"{path} cannot be read as {path.suffix}: {text}{hint}") from error


def fields_of(path: Path, variables: Sequence[str], begin: float | None = None) -> Iterator[FieldPicture]:
    """Yield the fields of a file: of each variable at each place along all axes but the last two.

    Args:
        path: `.zarr` or `.nc`, or `.npy` of shape (..., rows, columns), where variables have no names.
        variables: those that the file lacks are an error.
        begin: fields of an earlier `time` are left out.

    Raises:
        DataError: a variable is missing, complex or no field, or holds NaN or infinite values.
        ShapeError: fewer than two axes.
    """
    if path.suffix.lower() == ".npy":
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        yield from _places(path.stem, array, "", str(path))
        return
    with open_dataset(path) as data:
        for name in variables:
            if name not in data.data_vars:
                raise DataError(f"{path} has no variable {name}: it has {', '.join(map(str, data.data_vars))}")
            found = data[name]
            if begin is not None and "time" in found.dims:
                found = found.isel(time=np.flatnonzero(found["time"].values >= begin))
            unit = str(found.attrs.get("units", ""))
            for picture in _places(f"{path.stem}-{name}", found.values, unit, f"{path}, {name}"):
                yield FieldPicture(picture.name, picture.values, unit, name)


def _places(name: str, array: np.ndarray, unit: str, where: str) -> Iterator[FieldPicture]:
    if array.ndim < 2:
        raise ShapeError(f"{where} has shape {array.shape}: expected (rows, columns), with further axes before them")
    if array.dtype.kind not in "fiu":
        raise DataError(f"{where} holds {array.dtype}: expected real numbers; of a complex field give real and imaginary part")
    for place in np.ndindex(array.shape[:-2]):
        values = np.asarray(array[place], np.float32)
        if bad := int((~np.isfinite(values)).sum()):
            raise DataError(f"{where} holds {bad} NaN or infinite values at {place}: a run that went astray is not learned from")
        yield FieldPicture("-".join([name, *(f"{number}" for number in place)]), values, unit)


def values_digest(pictures: Sequence[FieldPicture]) -> str:
    """Return the SHA-256 of names and values, the same however the store is chunked and compressed."""
    digest = hashlib.sha256()
    for picture in pictures:
        digest.update(f"{picture.name}\0{picture.values.shape}\0".encode())
        digest.update(np.ascontiguousarray(picture.values, "<f4").tobytes())
    return digest.hexdigest()


def standardised(values: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "rows columns"]:
    """Return values in deviations from their mean, the numbers of a model of fields.

    Raises:
        DataError: a constant field.
    """
    deviation = float(values.std(dtype=np.float64))
    if not deviation > 1e-6 * float(np.abs(values).max()):
        raise DataError(f"a field is constant, {float(values.flat[0]):g}: there is nothing to learn from it")
    return ((values - values.mean(dtype=np.float64)) / deviation).astype(np.float32)


def field_crop(
    field: Float[np.ndarray, "rows columns"], size: int, periodic: bool, generator: np.random.Generator
) -> Float[np.ndarray, "size size"]:
    """Return a random part of a field, mirrored and turned at random; of a periodic one it may go over the borders.

    The codec knows no periodicity: a field's border is the border of a picture, and so is a crop's. Cut at random places, one
    field gives crops with other borders.
    """
    rows, columns = field.shape
    if periodic:
        top, left = generator.integers(rows), generator.integers(columns)
        field = np.roll(field, (-int(top), -int(left)), (0, 1))[:size, :size]
    else:
        top, left = (int(generator.integers(side - size + 1)) for side in (rows, columns))
        field = field[top : top + size, left : left + size]
    turn = int(generator.integers(SYMMETRIES))
    turned = np.rot90(field, turn % 4)
    return np.ascontiguousarray(turned[::-1] if turn >= 4 else turned)
