"""Picture files to arrays for the codec: PNG, JPEG, WebP, AVIF and others, TIFF, NPY, DICOM, and one part of larger files, at all
their bits.

What a file is shows in its first bytes, not in its name. The size that it claims is checked before anything is decoded.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import PIL.Image
from jaxtyping import Shaped

from sciml.compression.container_header import MOST_CHANNELS
from sciml.formats.colour import DEEP_PNG, deep_png, is_srgb, plain_mode, srgb
from sciml.formats.parts import VOLUMES, has_parts, is_store, read_part
from sciml.runtime.errors import ConfigError, DataError, FormatError, ScimlError, ShapeError

# formats that Pillow reads without the help of another program
FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "AVIF", "BMP", "GIF", "PPM", "JPEG2000", "TIFF", "JXL")
NAMES = "PNG, JPEG, TIFF, WebP, AVIF, JPEG XL, JPEG 2000, BMP, GIF, PPM, NPY, DICOM, NIfTI, NetCDF or Zarr"
SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".avif", ".jxl", ".jp2", ".bmp", ".gif", ".pgm", ".ppm", ".pnm"),
    *(".npy", ".dcm", *VOLUMES),
)
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
JPEG_XL_STARTS = (b"\xff\x0a", b"\0\0\0\x0cJXL ")
NIC_START = b"\x8eNIC"
ORIENTATION, ICC_TAG = 274, 34675
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
    if not path.is_file() and not is_store(path):
        raise DataError(f"{path} is a folder: give a file" if path.is_dir() else f"no such file: {path}")
    try:
        with _quiet():
            if has_parts(path):
                values, unit, words = read_part(path, part)
                check_pixels(values.shape[1], values.shape[0], most_pixels, path)
                return replace(_plain(values, path, None, (words,), (), keep_profile=False), unit=unit)
            if part is not None:
                raise ConfigError(f"--part {part} names a slice or a field, and {path} is one picture: leave it out")
            return _read(path, most_pixels, keep_profile)
    except ScimlError:
        raise
    except PIL.UnidentifiedImageError as error:
        raise FormatError(f"{path} is no picture of a known kind: expected {NAMES}") from error
    except OSError as error:
        if error.errno is not None:
            raise DataError(f"cannot read {path}: {error.strerror}") from error
        raise FormatError(f"{path} is damaged or cut short: {_one_line(error)}") from error
    except MemoryError:
        raise
    except Exception as error:  # decoders answer damage with errors of every kind
        raise FormatError(f"{path} cannot be read, it may be damaged: {_one_line(error)}") from error


def check_pixels(width: int, height: int, most: int, path: Path) -> None:
    """Raise DataError where a file claims no pixels or too many."""
    if min(width, height) < 1:
        raise DataError(f"{path} holds no pixels: its size is {width} x {height}")
    if width * height > most:
        raise DataError(
            f"{path} claims {width} x {height} = {width * height} pixels: at most {most} are read; "
            "raise it with --max-pixels if you trust the file"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave the limit of pixels to `check_pixels`, and warnings of decoders unsaid."""
    before, PIL.Image.MAX_IMAGE_PIXELS = PIL.Image.MAX_IMAGE_PIXELS, None
    log = logging.getLogger("tifffile")
    was_disabled, log.disabled = log.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        PIL.Image.MAX_IMAGE_PIXELS, log.disabled = before, was_disabled


def _read(path: Path, most: int, keep_profile: bool) -> PictureFile:
    with path.open("rb") as file:
        start = file.read(132)
    if not start:
        raise FormatError(f"{path} is empty (0 bytes)")
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
    PIL.Image.init()
    with PIL.Image.open(path, formats=[name for name in FORMATS if name in PIL.Image.OPEN]) as picture:
        check_pixels(picture.width, picture.height, most, path)
        profile = picture.info.get("icc_profile") or None
        notes, losses = [], _frames(getattr(picture, "n_frames", 1))
        if picture.format == "PNG" and picture.tile and picture.tile[0].args in DEEP_PNG:
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
    return _upright(_plain(array, path, profile, tuple(notes), losses, keep_profile), orientation)


def _read_tiff(path: Path, most: int, keep_profile: bool) -> PictureFile:
    """Leave 8 bits to Pillow, which knows palettes, CMYK and profiles; it does not know colours of 16 bits and floats."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        if page.dtype is None or page.dtype.itemsize == 1:
            with suppress(PIL.UnidentifiedImageError):
                return _read_pillow(path, most, keep_profile)
        check_pixels(page.imagewidth, page.imagelength, most, path)
        if page.samplesperpixel > MOST_CHANNELS or "Z" in page.axes:
            raise ShapeError(f"{path} has shape {page.shape}: expected a picture of at most {MOST_CHANNELS} channels")
        if page.photometric == SEPARATED:
            raise DataError(f"{path} is CMYK of {page.bitspersample} bits: it is read at 8 bits only, convert it to RGB first")
        places = zip(page.dataoffsets, page.databytecounts, strict=True)
        if any(offset + count > path.stat().st_size for offset, count in places):
            raise FormatError(f"{path} is cut short: its header points behind the end of the file")
        try:
            array = page.asarray()
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
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
    return _upright(_plain(array, path, tags.get(ICC_TAG), (), losses, keep_profile), int(tags.get(ORIENTATION, 1)))


def _read_npy(path: Path, most: int) -> PictureFile:
    # a memory map knows shape and type, and whether the file is long enough, before anything is read; it cannot map nothing
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        if 0 in (shape := read_header(file)[0]):
            raise DataError(f"{path} holds no pixels: its shape is {shape}")
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.ndim < 2:
        raise ShapeError(f"{path} has shape {array.shape}: expected (rows, columns) or (rows, columns, channels)")
    check_pixels(array.shape[1], array.shape[0], most, path)
    return _plain(array, path, None, (), (), keep_profile=False)


def _read_dicom(path: Path, most: int) -> PictureFile:
    from sciml.formats.image import HOUNSFIELD, read_image

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


def _upright(picture: PictureFile, orientation: int) -> PictureFile:
    """Return the picture turned as its EXIF entry says: 2 to 4 mirror rows and columns, 5 to 8 swap them before."""
    if orientation not in range(2, 9):
        return picture
    array = picture.array
    if orientation >= 5:
        array = np.swapaxes(array, 0, 1)
    rows = slice(None, None, -1 if orientation in (3, 4, 7, 8) else 1)
    columns = slice(None, None, -1 if orientation in (2, 3, 6, 7) else 1)
    notes = (*picture.notes, "turned upright as its EXIF entry says")
    return replace(picture, array=np.ascontiguousarray(array[rows, columns]), notes=notes)


def _frames(count: int) -> tuple[str, ...]:
    return (f"it holds {count} frames: the first is taken",) if count > 1 else ()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
