"""Arrays to files: images on the scale from 0 to 1 or in their units, and pictures of stored samples without any loss.

PNG holds 8 and 16 bits, TIFF and NPY all types, NIfTI volumes, NetCDF floats; JPEG and WebP hold 8 bits, JPEG with a loss.
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Literal

import numpy as np
import PIL.Image
from jaxtyping import Shaped, UInt16

from sciml.formats.image import check_claim
from sciml.formats.nifti import nifti_bytes, write_nifti
from sciml.runtime.errors import ConfigError, DataError, ShapeError
from sciml.runtime.files import atomic_path

SampleKind = Literal["u8", "u16", "f32"]
NIFTI = (".nii", ".nii.gz")
JPEG, WEBP = (".jpg", ".jpeg"), (".webp",)
SAMPLE_SUFFIXES = (".png", ".tif", ".tiff", ".npy", ".nc", *JPEG, *WEBP, *NIFTI)
JPEG_QUALITY = 95
# widths and heights that JPEG and WebP can say
MOST_SIDE = {".jpg": 65535, ".jpeg": 65535, ".webp": 16383}
PNG_CHANNELS = 4
# PNG's types of colour for 1 to 4 channels
COLOUR_TYPES = (0, 4, 2, 6)


def write_image(
    path: Path | str,
    array: np.ndarray,
    *,
    bits: int = 8,
    affine: np.ndarray | None = None,
    voxel_size_mm: tuple[float, ...] | None = None,
) -> None:
    """Write an image or volume, whole or not at all; the suffix chooses the format.

    Args:
        path: `.png` (values in [0, 1], clipped and rounded to `bits`), `.tif`/`.tiff` and `.npy`
            (float32 as they are), `.nii`/`.nii.gz` (float32 volume of shape (depth, rows, columns)).
        array: (rows, columns), (rows, columns, 3) or (depth, rows, columns).
        bits: 8 or 16, for PNG; 16 for grey only.
        affine: for NIfTI, as in `Image`.
        voxel_size_mm: for NIfTI without an affine, (depth, rows, columns).

    Raises:
        DataError: NaN or infinite values, or an unknown suffix.
        ShapeError: the format cannot hold such an array.
        ScimlError: the file cannot be written.
    """
    path, array = Path(path), np.asarray(array, dtype=np.float32)
    check_claim(array.shape, str(path))
    if not np.isfinite(array).all():
        raise DataError(f"{path} is not written: the array holds {int((~np.isfinite(array)).sum())} NaN or infinite values")
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        write_nifti(path, array, affine, voxel_size_mm)
        return
    if path.suffix.lower() not in (".png", ".tif", ".tiff", ".npy"):
        raise DataError(f"{path}: images are written as .png, .tif, .npy, .nii or .nii.gz")
    with atomic_path(path) as temporary:
        if name.endswith(".png"):
            _write_png(temporary, array, bits, path)
        elif name.endswith(".npy"):
            np.save(temporary, array, allow_pickle=False)
        else:
            _write_plain_tiff(temporary, array)


def write_integers(path: Path, array: np.ndarray, bits: int) -> None:
    """Write values on the scale from 0 to 1 as unsigned integers to TIFF or NPY, cut and rounded."""
    levels = np.round(array.astype(np.float64).clip(0, 1) * (2**bits - 1)).astype(f"u{bits // 8}")
    if path.suffix.lower() == ".npy":
        write_npy(path, levels)
        return
    with atomic_path(path) as temporary:
        _write_plain_tiff(temporary, levels)


def write_npy(path: Path, array: np.ndarray) -> None:
    """Write an array of any type and shape, whole or not at all."""
    with atomic_path(path) as temporary:
        np.save(temporary, array, allow_pickle=False)


def _write_plain_tiff(path: Path, array: np.ndarray) -> None:
    import tifffile

    colour = array.ndim == 3 and array.shape[-1] == 3
    tifffile.imwrite(path, array, photometric="rgb" if colour else "minisblack", compression="zlib")


def _write_png(temporary: Path, array: np.ndarray, bits: int, path: Path) -> None:
    colour = array.ndim == 3 and array.shape[-1] == 3
    if not (array.ndim == 2 or colour) or bits not in (8, 16) or (bits == 16 and colour):
        raise ShapeError(
            f"{path}: PNG takes (rows, columns) at 8 or 16 bits or (rows, columns, 3) at 8, not {array.shape} at {bits}; use TIFF"
        )
    levels = np.round(array.clip(0, 1).astype(np.float64) * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)
    PIL.Image.fromarray(levels).save(temporary, format="PNG")


def suffix_for(sample_type: SampleKind, channels: int) -> str:
    """Return the suffix of the file that a picture goes to where none is named: `.png`, or `.npy` for what PNG cannot hold.

    Args:
        sample_type: of the `.nic` file.
        channels: with alpha.
    """
    return ".png" if sample_type != "f32" and channels <= PNG_CHANNELS else ".npy"


def sample_suffix(path: Path) -> str:
    """Return the suffix that says a picture's format, in small letters; `.nii.gz` is one."""
    name = path.name.lower()
    return next((one for one in sorted(SAMPLE_SUFFIXES, key=len, reverse=True) if name.endswith(one)), path.suffix.lower())


def check_form(path: Path, sample_type: SampleKind, channels: int, size: tuple[int, int] = (1, 1)) -> None:
    """Raise ConfigError where a file of this suffix cannot hold such a picture; arguments as `suffix_for`, `size` in pixels."""
    suffix = sample_suffix(path)
    if suffix not in SAMPLE_SUFFIXES:
        raise ConfigError(f"{path}: decoded pictures are written as {', '.join(SAMPLE_SUFFIXES)}")
    if suffix == ".png" and suffix_for(sample_type, channels) != ".png":
        held = "floating-point numbers" if sample_type == "f32" else f"{channels} channels"
        raise ConfigError(f"{path}: PNG cannot hold {held}; name a .npy or .tif file")
    if suffix == ".nc" and sample_type != "f32":
        raise ConfigError(f"{path}: NetCDF is written for floats, these are whole numbers; name a .png, .tif or .npy file")
    if suffix in NIFTI and channels != 1:
        raise ConfigError(f"{path}: NIfTI is written for one channel, this has {channels}; name a .tif or .npy file")
    if suffix in (*JPEG, *WEBP):
        held = {"u16": "16 bits", "f32": "floating-point numbers"}.get(sample_type, f"{channels} channels")
        if sample_type != "u8" or channels not in ((1, 3) if suffix in JPEG else (1, 2, 3, 4)):
            raise ConfigError(f"{path}: {suffix} files cannot hold {held}; name a .png, .tif or .npy file")
        if max(size) > MOST_SIDE[suffix]:
            raise ConfigError(f"{path}: {suffix} files have at most {MOST_SIDE[suffix]} pixels a side; name a .png or .tif file")


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
    elif suffix in NIFTI:
        path.write_bytes(nifti_bytes(array[None].astype(np.float32), None, None, packed=suffix != NIFTI[0]))
    elif suffix in (*JPEG, *WEBP):
        kind, options = ("JPEG", {"quality": JPEG_QUALITY, "subsampling": 0}) if suffix in JPEG else ("WEBP", {"lossless": True})
        # what is under full transparency stays too
        exact = {} if suffix in JPEG else {"exact": True}
        buffer = io.BytesIO()
        PIL.Image.fromarray(array).save(buffer, kind, icc_profile=profile, **options, **exact)
        path.write_bytes(buffer.getvalue())
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
