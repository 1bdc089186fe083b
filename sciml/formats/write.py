"""Decoded pictures to files that hold them without further loss: PNG of 8 and 16 bits, TIFF, NPY, and NetCDF for floats."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
from jaxtyping import Shaped, UInt16

from sciml.compression.container_header import SampleType
from sciml.runtime.errors import ConfigError

SUFFIXES = (".png", ".tif", ".tiff", ".npy", ".nc")
PNG_CHANNELS = 4
# PNG's types of colour for 1 to 4 channels
COLOUR_TYPES = (0, 4, 2, 6)


def suffix_for(sample_type: SampleType, channels: int) -> str:
    """Return the suffix of the file that a picture goes to where none is named: `.png`, or `.npy` for what PNG cannot hold.

    Args:
        sample_type: of the `.nic` file.
        channels: with alpha.
    """
    return ".png" if sample_type != "f32" and channels <= PNG_CHANNELS else ".npy"


def check_form(path: Path, sample_type: SampleType, channels: int) -> None:
    """Raise ConfigError where a file of this suffix cannot hold such a picture; arguments as `suffix_for`."""
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{path}: decoded pictures are written as {', '.join(SUFFIXES)}, which lose nothing more")
    if path.suffix.lower() == ".png" and suffix_for(sample_type, channels) != ".png":
        held = "floating-point numbers" if sample_type == "f32" else f"{channels} channels"
        raise ConfigError(f"{path}: PNG cannot hold {held}; name a .npy or .tif file")
    if path.suffix.lower() == ".nc" and sample_type != "f32":
        raise ConfigError(f"{path}: NetCDF is written for floats, these are whole numbers; name a .png, .tif or .npy file")


def write_picture(
    path: Path, array: Shaped[np.ndarray, "rows columns *channels"], profile: bytes | None, suffix: str, unit: str = ""
) -> None:
    """Write a picture; see `check_form` for what goes where.

    Args:
        path: the file, which may bear a temporary name.
        array: uint8, uint16 or float32, alpha last.
        profile: ICC profile of the numbers; NPY does not hold it.
        suffix: chooses the format.
        unit: of the values; NetCDF alone holds it.
    """
    suffix = suffix.lower()
    if suffix == ".npy":
        with path.open("wb") as file:
            np.save(file, array, allow_pickle=False)
    elif suffix == ".nc":
        import xarray

        axes = ("row", "column", "channel")[: array.ndim]
        data = xarray.Dataset({"picture": (axes, array, {"units": unit} if unit else {})})
        path.write_bytes(bytes(data.to_netcdf(engine="scipy")))
    elif suffix in (".tif", ".tiff"):
        _write_tiff(path, array, profile)
    elif array.dtype == np.uint16:
        path.write_bytes(png_of_16_bits(array, profile))
    else:
        buffer = io.BytesIO()
        PIL.Image.fromarray(array).save(buffer, "PNG", icc_profile=profile)
        path.write_bytes(buffer.getvalue())


def _write_tiff(path: Path, array: Shaped[np.ndarray, "rows columns *channels"], profile: bytes | None) -> None:
    import tifffile

    count = 1 if array.ndim == 2 else array.shape[2]
    colour = count in (3, 4)
    alpha = array.dtype.kind == "u" and count in (2, 4)
    more = count - (3 if colour else 1)
    tifffile.imwrite(
        path,
        array,
        photometric="rgb" if colour else "minisblack",
        planarconfig="contig" if array.ndim == 3 else None,
        extrasamples=["unassalpha" if alpha else "unspecified"] * more or None,
        compression="zlib",
        iccprofile=profile,
        metadata=None,
    )


def png_of_16_bits(array: UInt16[np.ndarray, "rows columns *channels"], profile: bytes | None = None) -> bytes:
    """Return a PNG file of 1 to 4 channels of 16 bits, which Pillow writes for grey alone."""
    height, width = array.shape[:2]
    count = 1 if array.ndim == 2 else array.shape[2]
    rows = np.ascontiguousarray(array, ">u2").reshape(height, -1).view(np.uint8)
    left, above = np.zeros_like(rows), np.zeros_like(rows)
    left[:, 2 * count :] = rows[:, : -2 * count]
    above[1:] = rows[:-1]
    # PNG's filters 0, 1 and 2; the one with the least sum of sizes is good for a row (PNG specification, 12.8)
    filtered = np.stack([rows, rows - left, rows - above])
    best = np.abs(filtered.view(np.int8).astype(np.int16)).sum(2).argmin(0)
    chosen = filtered[best, np.arange(height)]
    data = zlib.compress(np.concatenate([best.astype(np.uint8)[:, None], chosen], 1).tobytes(), 6)
    head = struct.pack(">IIBBBBB", width, height, 16, COLOUR_TYPES[count - 1], 0, 0, 0)
    colours = b"" if profile is None else _chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(profile))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + colours + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
