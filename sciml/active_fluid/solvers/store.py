"""Runs on disk: a Zarr group with one chunk a saved time, written during the run, and all that the next step depends on.

    RUN.zarr/zarr.json            settings of the run, and a copy of the arrays' descriptions (consolidated metadata)
    RUN.zarr/time, x, y           coordinates
    RUN.zarr/m1, velocity_x, ...  fields (time, x, y), each chunk with a checksum
    RUN.zarr/carry                the carry after the last saved time, as safetensors

A saved time is written first, then the copy, and the carry last: a killed run goes on from a time that is whole, and
`xarray.open_zarr` sees whole times only. Nothing in a store is unpickled or run: other types, codecs and formats than those
written here are refused before Zarr reads anything.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sciml.active_fluid.solvers.layout import COORDINATES, attributes_of, checked_folder, descriptions, frames_of
from sciml.active_fluid.solvers.netcdf import read_netcdf
from sciml.runtime.errors import ConfigError, DataError
from sciml.runtime.files import load_tensors, read_json, save_tensors, write_text

if TYPE_CHECKING:
    import xarray as xr

UNITS = {
    "time": ("time", "1"),
    "x": ("first coordinate, in units of the theory's length", "1"),
    "y": ("second coordinate, in units of the theory's length", "1"),
    "density": ("density c", "1"),
    "m1": ("first complex moment <exp(2 i theta)>", "1"),
    "m2": ("second complex moment <exp(4 i theta)>", "1"),
    "m3": ("third complex moment <exp(6 i theta)>", "1"),
    "velocity_x": ("velocity along x", "1"),
    "velocity_y": ("velocity along y", "1"),
    "vorticity": ("vorticity d_x v - d_y u", "1"),
    "strain": ("strain E_11 + i E_12", "1"),
}
FIELDS = tuple(name for name in UNITS if name not in COORDINATES)
# of the kinetic theory, saved where it is asked for
EXTRA = ("m3",)
CARRY = "carry/state.safetensors"
# none of them decides a run's numbers
NOT_COMPARED = ("version", "warnings", "points_chosen", "invalid")


class Store:
    """A run's Zarr group, opened to be written.

    Args:
        path: path of the group, by convention RUN.zarr.
        settings: settings of the run, JSON values; those of a store that exists have to be the same.
        x: coordinates along a side.

    Raises:
        ConfigError: the store was made with other settings, or the name is taken by something else.
        DataError: the store is damaged.
    """

    def __init__(self, path: Path | str, settings: dict[str, Any], x: np.ndarray) -> None:
        self.path, self.settings = Path(path), settings
        if not self.path.exists():
            self._create(x)
        attributes = attributes_of(self.path)
        for name in sorted({*settings, *attributes} - {*NOT_COMPARED}):
            if attributes.get(name) != settings.get(name):
                raise ConfigError(
                    f"{self.path} was made with {name} = {attributes.get(name)}, not {settings.get(name)}: "
                    "choose another name, or remove it"
                )
        self.invalid: str | None = attributes.get("invalid")
        checked_folder(self.path)
        import zarr

        self.group = zarr.open_group(str(self.path), mode="r+", zarr_format=3, use_consolidated=False)

    def _create(self, x: np.ndarray) -> None:
        import zarr

        partial = self.path.with_name(f".{self.path.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        try:
            partial.parent.mkdir(parents=True, exist_ok=True)
            group = zarr.create_group(str(partial), zarr_format=3, attributes=self.settings)
            for name in ("x", "y"):
                _array(group, name, x.shape, x.shape, x.dtype, (name,))[:] = x
            group.create_group("carry")
            partial.rename(self.path)
        except OSError as error:
            raise ConfigError(f"cannot write {self.path}: {error.strerror or error}; choose another folder") from error

    def resume(self, like: dict[str, np.ndarray]) -> tuple[int, dict[str, np.ndarray]]:
        """Return the number of saved times that are whole and the carry after them; 0 and nothing to begin anew.

        Args:
            like: a carry, for its shapes and types.

        Raises:
            DataError: the carry is damaged or not of this run.
        """
        if not (self.path / CARRY).exists():
            return 0, {}
        tensors, record = load_tensors(self.path / CARRY)
        frames = record.get("frames")
        shapes = {name: (array.shape, array.dtype) for name, array in tensors.items()}
        wanted = {name: (_as_real(array).shape, _as_real(array).dtype) for name, array in like.items()}
        if not isinstance(frames, int) or frames < 1 or frames > frames_of(self.path) or shapes != wanted:
            raise DataError(f"{self.path}/{CARRY} does not belong to this run: remove {self.path} to begin anew")
        return frames, {name: array.view(like[name].dtype)[..., 0] if like[name].dtype.kind == "c" else array
                        for name, array in tensors.items()}  # fmt: skip

    def append(self, index: int, time: float, fields: dict[str, np.ndarray], carry: dict[str, np.ndarray] | None) -> None:
        """Write a saved time at an index, in place of whatever lies there and behind it, and then the carry."""
        for name, field in {**fields, "time": np.asarray(time)}.items():
            if name not in self.group:
                axes = ("time", "x", "y")[: 1 + field.ndim]
                _array(self.group, name, (0, *field.shape), (1, *field.shape), field.dtype, axes)
            array: Any = self.group[name]
            array.resize((index + 1, *field.shape))
            array[index] = field
        self._consolidate()
        if carry is not None:
            real = {name: _as_real(array) for name, array in carry.items()}
            save_tensors(self.path / CARRY, real, {"frames": index + 1})

    def mark_invalid(self, message: str) -> None:
        """Write into the settings that the run left the range where it means something."""
        self.group.attrs["invalid"] = message
        self.invalid = message
        self._consolidate()

    def _consolidate(self) -> None:
        """Write the arrays' descriptions into the group's, where readers look for them first."""
        held = {"kind": "inline", "must_understand": False, "metadata": descriptions(self.path)}
        content = {**read_json(self.path / "zarr.json"), "consolidated_metadata": held}
        write_text(self.path / "zarr.json", json.dumps(content, indent=2))


def open_run(path: Path | str) -> xr.Dataset:
    """Return the run of a store or of a NetCDF file (`real_parts`), equal to the Dataset that was returned when it was made.

    The fields of a store are read when they are used. Every chunk's checksum is compared first. A run that was killed shows the
    times that are whole.

    Args:
        path: a store, RUN.zarr, or a file, RUN.nc.

    Returns:
        Dataset of dimensions (time, x, y), complex fields as such, without dimension.

    Raises:
        DataError: missing, damaged, truncated, or not a run of this package.
    """
    import xarray as xr

    path = Path(path)
    if path.is_file():
        return read_netcdf(path)
    attributes_of(path)
    checked_folder(path)
    frames = frames_of(path)
    if not frames:
        raise DataError(f"{path} holds no saved time yet: run it again to go on")
    names = [name for name in (*UNITS, *COORDINATES) if (path / name).is_dir()]
    try:
        # a killed run may have arrays of unequal length: each is opened alone
        parts = [
            xr.open_zarr(path, chunks=None, decode_cf=False, consolidated=False, drop_variables=[*{*names} - {name}])
            for name in names
        ]
        parts = [part.isel(time=slice(frames)) if "time" in part.dims else part for part in parts]
        return xr.merge(parts, join="exact", compat="equals", combine_attrs="override")[names]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is damaged: {' '.join(str(error).split())}") from error


def carry_arrays(carry: Any) -> dict[str, np.ndarray]:
    """Return the arrays of a carry by name, such as `flow.velocity`."""
    named: dict[str, np.ndarray] = {}
    for name, part in carry._asdict().items():
        if part is None:
            continue
        if hasattr(part, "_asdict"):
            named |= {f"{name}.{inner}": np.asarray(array) for inner, array in part._asdict().items()}
        else:
            named[name] = np.asarray(part)
    return named


def _array(group: Any, name: str, shape: tuple[int, ...], chunks: tuple[int, ...], dtype: np.dtype, axes: tuple[str, ...]) -> Any:
    from zarr.codecs import Crc32cCodec, ZstdCodec

    return group.create_array(
        name,
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        compressors=[ZstdCodec(level=1), Crc32cCodec()],
        fill_value=np.nan,
        dimension_names=axes,
        attributes=attributes(name),
    )


def attributes(name: str) -> dict[str, str]:
    """Return the attributes of a variable: its name in words and its unit."""
    return {"long_name": UNITS[name][0], "units": UNITS[name][1]}


def _as_real(array: np.ndarray) -> np.ndarray:
    """Return a complex array with real and imaginary part on a last axis; safetensors has no complex doubles."""
    if array.dtype.kind != "c":
        return array
    return np.ascontiguousarray(array)[..., None].view(np.dtype(f"f{array.dtype.itemsize // 2}"))
