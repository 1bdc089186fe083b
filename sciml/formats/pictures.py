"""Picture files at all their bits: PNG, JPEG, WebP, AVIF and others, TIFF, NPY, DICOM, and one part of larger files.

What a file is shows in its first bytes, not in its name. The size that it claims is checked before anything is decoded.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import PIL.Image
from jaxtyping import Shaped

from sciml.formats.decoding import check_file, check_not_empty, decoding
from sciml.formats.image import HOUNSFIELD
from sciml.formats.npy import open_npy
from sciml.formats.parts import VOLUMES, has_parts, is_store, read_part
from sciml.formats.pillow import ORIENTATION, deep_png, is_deep, is_srgb, opened, plain_mode, srgb, upright
from sciml.formats.read import read_image
from sciml.formats.tiff import decoded, opened_tiff
from sciml.runtime.errors import ConfigError, DataError, FormatError, ShapeError

MOST_CHANNELS = 16
NAMES = "PNG, JPEG, TIFF, WebP, AVIF, JPEG XL, JPEG 2000, BMP, GIF, PPM, NPY, DICOM, NIfTI, NetCDF or Zarr"
SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".avif", ".jxl", ".jp2", ".bmp", ".gif", ".pgm", ".ppm", ".pnm"),
    *(".npy", ".dcm", *VOLUMES),
)
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
JPEG_XL_STARTS = (b"\xff\x0a", b"\0\0\0\x0cJXL ")
NIC_START = b"\x8eNIC"
ICC_TAG = 34675
MINIS_WHITE, SEPARATED = 0, 5


@dataclass(frozen=True)
class PictureFile:
    """What a picture file holds.

    Attributes:
        array: uint8, uint16 or float32; (rows, columns) for grey, else (rows, columns, channels), alpha last.
        profile: ICC profile that the numbers are in; None for sRGB and for what has none.
        unit: of floats, such as `HU`; empty where the file names none.
        notes: what was done to the stored numbers, in words.
        losses: what of the file is not in the array, in words.
    """

    array: Shaped[np.ndarray, "rows columns *channels"]
    profile: bytes | None = None
    unit: str = ""
    notes: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()


def read_picture(path: Path, most_pixels: int, keep_profile: bool = False, part: str | None = None) -> PictureFile:
    """Read a picture file, upright and in sRGB.

    8 and 16 bits stay as they are; other numbers become float32. Palettes become colours, CMYK becomes RGB, of several
    frames the first is taken.

    Args:
        path: the file.
        most_pixels: a file that claims more is refused before it is decoded.
        keep_profile: leave the numbers in the file's ICC profile, and return it.
        part: which slice of a volume or which field, see `sciml.formats.parts`.

    Raises:
        ConfigError: a part is not named, not there, or named of a file that is one picture.
        DataError: no such file, no pixels, or too many.
        FormatError: no picture, or a damaged one; the message has the decoder's reason.
        ShapeError: an array that is no picture.
    """
    if not is_store(path):
        check_file(path)
    with decoding(path, "a picture"):
        if has_parts(path):
            values, unit, words = read_part(path, part)
            check_pixels(values.shape[1], values.shape[0], most_pixels, path)
            return replace(_plain(values, path, None, (words,), (), keep_profile=False), unit=unit)
        if part is not None:
            raise ConfigError(f"--part {part} names a slice or a field, and {path} is one picture: leave it out")
        try:
            return _read(path, most_pixels, keep_profile)
        except PIL.UnidentifiedImageError as error:
            raise FormatError(f"{path} is no picture of a known kind: expected {NAMES}") from error


def check_pixels(width: int, height: int, most: int, path: Path) -> None:
    """Raise DataError where a file claims no pixels or too many."""
    if min(width, height) < 1:
        raise DataError(f"{path} holds no pixels: its size is {width} x {height}")
    if width * height > most:
        raise DataError(
            f"{path} claims {width} x {height} = {width * height} pixels: at most {most} are read; "
            "raise it with --max-pixels if you trust the file"
        )


def _read(path: Path, most: int, keep_profile: bool) -> PictureFile:
    check_not_empty(path)
    with path.open("rb") as file:
        start = file.read(132)
    if start.startswith(NIC_START):
        raise FormatError(f"{path} is coded already: a .nic file is for `decode`")
    # before TIFF: some DICOM files begin as TIFF files do
    if path.suffix.lower() == ".dcm" or start[128:] == b"DICM":
        return _read_dicom(path, most)
    if start.startswith(b"\x93NUMPY"):
        return _read_npy(path, most)
    if start.startswith(TIFF_STARTS):
        return _read_tiff(path, most, keep_profile)
    if start.startswith(JPEG_XL_STARTS):
        with suppress(ImportError):
            import pillow_jxl  # noqa: F401 (registers the format)
    return _read_pillow(path, most, keep_profile)


def _read_pillow(path: Path, most: int, keep_profile: bool) -> PictureFile:
    with opened(path) as picture:
        check_pixels(picture.width, picture.height, most, path)
        profile = picture.info.get("icc_profile") or None
        notes, losses = [], _frames(getattr(picture, "n_frames", 1))
        if is_deep(picture):
            array = deep_png(picture)
            if "transparency" in picture.info:
                losses = (*losses, "the colour that stands for transparency is left out")
        else:
            picture.load()
            plain, lost = plain_mode(picture, profile)
            losses += lost
            if profile is not None and picture.mode == "CMYK":
                profile = None  # it was used on the way to RGB
            if profile is not None and not keep_profile and plain.mode in ("L", "LA", "RGB", "RGBA"):
                try:
                    plain, note = srgb(plain, profile)
                    notes += [note] if note else []
                except DataError as error:
                    losses = (*losses, f"{error}; its numbers are taken for sRGB, --keep-icc keeps them as they are")
                profile = None
            array = np.asarray(plain)
        exif = picture.getexif()
    orientation = exif.pop(ORIENTATION, 1)
    if len(exif):
        notes.append("EXIF data is not kept")
    array, turned = upright(array, orientation)
    found = _plain(array, path, profile, tuple(notes), losses, keep_profile)
    return replace(found, notes=found.notes + turned)


def _read_tiff(path: Path, most: int, keep_profile: bool) -> PictureFile:
    """Leave 8 bits to Pillow, which knows palettes, CMYK and profiles; it does not know colours of 16 bits and floats."""
    with opened_tiff(path) as file:
        page = file.pages.first
        if page.dtype is None or page.dtype.itemsize == 1:
            with suppress(PIL.UnidentifiedImageError):
                return _read_pillow(path, most, keep_profile)
        check_pixels(page.imagewidth, page.imagelength, most, path)
        if page.samplesperpixel > MOST_CHANNELS or "Z" in page.axes:
            raise ShapeError(f"{path} has shape {page.shape}: expected a picture of at most {MOST_CHANNELS} channels")
        if page.photometric == SEPARATED:
            raise DataError(f"{path} is CMYK of {page.bitspersample} bits: it is read at 8 bits only, convert it to RGB first")
        array = decoded(page, [page], path)
        if array is None:
            found = _read_pillow(path, most, keep_profile)
            if found.array.dtype == np.uint8:
                found = replace(found, losses=(*found.losses, "its compression is read at 8 bits only; zlib keeps all"))
            return found
        tags = {code: page.tags[code].value for code in (ORIENTATION, ICC_TAG) if code in page.tags}
        if page.axes.startswith("S"):
            array = np.moveaxis(array, 0, -1)
        if page.photometric == MINIS_WHITE and array.dtype.kind == "u":
            array = np.iinfo(array.dtype).max - array
        losses = _frames(len(file.pages))
    array, turned = upright(array, int(tags.get(ORIENTATION, 1)))
    found = _plain(array, path, tags.get(ICC_TAG), (), losses, keep_profile)
    return replace(found, notes=found.notes + turned)


def _read_npy(path: Path, most: int) -> PictureFile:
    array = open_npy(path)
    if not array.size:
        raise DataError(f"{path} holds no pixels: its shape is {array.shape}")
    if array.ndim < 2:
        raise ShapeError(f"{path} has shape {array.shape}: expected (rows, columns) or (rows, columns, channels)")
    check_pixels(array.shape[1], array.shape[0], most, path)
    return _plain(array, path, None, (), (), keep_profile=False)


def _read_dicom(path: Path, most: int) -> PictureFile:
    image = read_image(path)
    if image.axes != "HW":
        raise ShapeError(f"{path} has shape {image.array.shape}: expected one grey slice")
    check_pixels(image.array.shape[1], image.array.shape[0], most, path)
    return PictureFile(image.array, None, HOUNSFIELD if image.unit == HOUNSFIELD else "", image.notes)


def _plain(
    array: np.ndarray, path: Path, profile: bytes | None, notes: tuple[str, ...], losses: tuple[str, ...], keep_profile: bool
) -> PictureFile:
    """Return an array of stored numbers as uint8, uint16 or float32 in the machine's byte order."""
    if array.dtype.kind not in "buif":
        raise FormatError(f"{path} holds values of type {array.dtype}: expected whole or floating-point numbers")
    if array.ndim not in (2, 3) or array.shape[2:] > (MOST_CHANNELS,):
        raise ShapeError(
            f"{path} has shape {array.shape}: expected (rows, columns) or (rows, columns, channels) with at most "
            f"{MOST_CHANNELS} channels; of a volume give one slice"
        )
    if not array.size:
        raise DataError(f"{path} holds no pixels: its shape is {array.shape}")
    kind = array.dtype.newbyteorder("=")
    if kind == np.bool_:
        result, notes = np.array(array, np.uint8) * np.uint8(255), (*notes, "true is stored as 255")
    elif kind in (np.uint8, np.uint16, np.float32):
        result = np.array(array, kind, order="C")
    else:
        result = np.array(array, np.float32, order="C")
        if np.array_equal(result.astype(kind), array, equal_nan=kind.kind == "f"):
            notes = (*notes, f"{kind} is stored as float32")
        else:
            losses = (*losses, f"{kind} is rounded to float32")
    if profile is not None and not keep_profile and is_srgb(profile):
        profile = None
    if profile is not None and not keep_profile:
        # colour management knows 8 bits only: the numbers stay in their profile, and the file tells of it
        notes = (*notes, "its colour profile is kept with the file: more than 8 bits are not converted to sRGB")
    return PictureFile(result, profile, "", notes, losses)


def _frames(count: int) -> tuple[str, ...]:
    return (f"it holds {count} frames: the first is taken",) if count > 1 else ()
