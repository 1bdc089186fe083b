"""Runs as NetCDF, which has no complex numbers: real and imaginary part of a field are two variables.

    m1 (time, x, y), complex      m1_real, m1_imag (time, x, y), marked complex_field = "m1" and complex_part = "real" or "imag"

Settings that are no number and no text are JSON; the attribute json_attributes names them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sciml.active_fluid.solvers.layout import FORMAT
from sciml.runtime.errors import DataError
from sciml.runtime.files import atomic_path

if TYPE_CHECKING:
    import xarray as xr

PARTS = ("real", "imag")


def real_parts(run: xr.Dataset) -> xr.Dataset:
    """Return a run that every writer of NetCDF takes: each complex field as two real ones, `m1_real` and `m1_imag`.

    `open_run` makes the same run of the file, to the bit.

    Args:
        run: Dataset of a solver, fields (time, x, y).

    Example:
        >>> from sciml.active_fluid import CoarseSolver, Parameters, open_run, random_state, real_parts
        >>> run = CoarseSolver(Parameters(-1.0, 0.5), points=16).run(random_state(16, seed=0), until=0.1, save_every=0.1)
        >>> _ = real_parts(run).to_netcdf("run.nc")
        >>> open_run("run.nc").identical(run)
        True
    """
    import xarray as xr

    fields: dict[Any, Any] = {}
    for name, field in run.data_vars.items():
        if field.dtype.kind != "c":
            fields[name] = field
            continue
        for part in PARTS:
            words = {"complex_field": name, "complex_part": part}
            fields[f"{name}_{part}"] = (field.dims, getattr(field.values, part), {**field.attrs, **words})
    plain = {name: value for name, value in run.attrs.items() if isinstance(value, str | int | float) and type(value) is not bool}
    others = {name: json.dumps(value) for name, value in run.attrs.items() if name not in plain}
    named = {"json_attributes": " ".join(others)} if others else {}
    return xr.Dataset(fields, run.coords, {**plain, **others, **named})


def write_netcdf(run: xr.Dataset, path: Path) -> None:
    """Write a run as NetCDF 3 (64-bit offset), whole or not at all; the run is held in memory once."""
    with atomic_path(path) as temporary:
        real_parts(run).to_netcdf(temporary, engine="scipy", format="NETCDF3_64BIT", unlimited_dims=["time"])


def read_netcdf(path: Path) -> xr.Dataset:
    """Return the run of a file of `real_parts`.

    Raises:
        DataError: it is damaged, or not a run of this package.
    """
    import xarray as xr

    try:
        with xr.open_dataset(path) as file:
            held = file.load()
    except Exception as error:  # the readers answer damage with errors of every kind
        raise DataError(f"{path} cannot be read as NetCDF: {' '.join(str(error).split())[:200]}") from error
    if held.attrs.get("format") != FORMAT:
        raise DataError(f"{path} is not a run of this package: its attribute format is not {FORMAT!r}")
    try:
        fields: dict[Any, Any] = {}
        for name, field in held.data_vars.items():
            whole, part = field.attrs.pop("complex_field", None), field.attrs.pop("complex_part", None)
            if whole is None:
                fields[name] = field
            elif part == "real":
                values = np.empty(field.shape, np.result_type(field.dtype, np.complex64))
                values.real, values.imag = field.values, held[f"{whole}_imag"].values
                fields[whole] = (field.dims, values, field.attrs)
        attributes = {name: value.item() if isinstance(value, np.generic) else value for name, value in held.attrs.items()}
        for name in attributes.pop("json_attributes", "").split():
            attributes[name] = json.loads(attributes[name])
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(f"{path} is damaged: {' '.join(str(error).split())}") from error
    return xr.Dataset(fields, held.coords, attributes)
