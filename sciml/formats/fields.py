"""Fields in the plane from Zarr stores, NetCDF and NPY files: one variable at one time, with its unit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from sciml.formats.decoding import one_line
from sciml.formats.npy import open_npy
from sciml.runtime.errors import DataError, FormatError, ShapeError

DATASETS = (".zarr", ".nc")


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
        text = one_line(error)[:200]
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
        yield from _places(path.stem, open_npy(path), "", str(path))
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
