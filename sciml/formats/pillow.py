"""Pictures by way of Pillow: how a file is opened and turned upright, modes to grey or RGB, ICC profiles to sRGB, PNG files of
16 bits a channel.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageCms
import PIL.ImageFile
from jaxtyping import Shaped, UInt16

from sciml.formats.decoding import one_line
from sciml.runtime.errors import DataError

# formats that Pillow reads without the help of another program
FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "AVIF", "BMP", "GIF", "PPM", "JPEG2000", "TIFF", "JXL")
ORIENTATION = 274
# Pillow decodes these at 8 bits, the high ones; the second unpacker takes the low ones out of the same rows
DEEP_PNG = {"RGB;16B": "RGB;16L", "RGBA;16B": "RGBA;16L", "LA;16B": "RGBA"}
GREY_DEEP = ("I;16", "I;16L", "I;16B", "I;16N")
UNUSABLE = (PIL.ImageCms.PyCMSError, OSError, ValueError, TypeError)
PLAIN = {"1": "L", "PA": "RGBA", "La": "LA", "RGBa": "RGBA", "RGBX": "RGB"}


@contextmanager
def opened(path: Path) -> Iterator[PIL.ImageFile.ImageFile]:
    """Yield an opened picture of one of `FORMATS`; its claim of size is left to the caller to check before it is decoded."""
    PIL.Image.init()
    before, PIL.Image.MAX_IMAGE_PIXELS = PIL.Image.MAX_IMAGE_PIXELS, None
    try:
        with PIL.Image.open(path, formats=[name for name in FORMATS if name in PIL.Image.OPEN]) as picture:
            yield picture
    finally:
        PIL.Image.MAX_IMAGE_PIXELS = before


def upright(array: Shaped[np.ndarray, "rows columns *channels"], orientation: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return a picture turned as its EXIF entry says, and a note: 2 to 4 mirror rows and columns, 5 to 8 swap them before."""
    if orientation not in range(2, 9):
        return array, ()
    if orientation >= 5:
        array = np.swapaxes(array, 0, 1)
    rows = slice(None, None, -1 if orientation in (3, 4, 7, 8) else 1)
    columns = slice(None, None, -1 if orientation in (2, 3, 6, 7) else 1)
    return np.ascontiguousarray(array[rows, columns]), ("turned upright as its EXIF entry says",)


def is_deep(picture: PIL.ImageFile.ImageFile) -> bool:
    """Say whether an opened file, not yet decoded, is a PNG of several channels of 16 bits."""
    return picture.format == "PNG" and bool(picture.tile) and picture.tile[0].args in DEEP_PNG


def deep_png(picture: PIL.ImageFile.ImageFile) -> UInt16[np.ndarray, "rows columns channels"]:
    """Return all 16 bits of an opened PNG file with several channels."""
    tile = picture.tile[0]
    low = DEEP_PNG[str(tile.args)]
    with PIL.Image.open(picture.filename, formats=("PNG",)) as again:
        again.tile = [tile._replace(args=low)]
        octets = np.array(again)
    if low == "RGBA":
        # two channels of 16 bits lie in a row as four of 8 do
        return octets.view(">u2").astype(np.uint16)
    return (np.array(picture, np.uint16) << 8) | octets


def plain_mode(picture: PIL.Image.Image, profile: bytes | None) -> tuple[PIL.Image.Image, tuple[str, ...]]:
    """Return a picture in a mode that is an array of samples, and what was lost, in words.

    Args:
        picture: decoded.
        profile: its ICC profile, which CMYK needs for true colours.
    """
    mode = picture.mode
    if mode == "CMYK":
        if profile is not None:
            with suppress(DataError):
                return srgb(picture, profile)[0], ("CMYK is converted to RGB by its colour profile",)
        return picture.convert("RGB"), ("CMYK is converted to RGB without a colour profile: colours are approximate",)
    if mode == "P":
        return picture.convert("RGBA" if picture.has_transparency_data else "RGB"), ()
    if mode in ("L", "RGB") and "transparency" in picture.info:
        return picture.convert(f"{mode}A"), ()
    if mode == "I":
        values = np.asarray(picture)
        # whole numbers of 16 bits in a wider mode
        if values.min() >= 0 and values.max() <= 65535:
            return PIL.Image.fromarray(values.astype(np.uint16)), ()
        return picture, ()
    if mode in PLAIN:
        return picture.convert(PLAIN[mode]), ()
    if mode in ("L", "LA", "RGB", "RGBA", "F", *GREY_DEEP):
        return picture, ()
    return picture.convert("RGB"), (f"{mode} is converted to RGB",)


def srgb(picture: PIL.Image.Image, profile: bytes) -> tuple[PIL.Image.Image, str]:
    """Return a picture with its colours in sRGB, and a note of it; grey stays grey, alpha as it is.

    A picture that is in sRGB already comes back as it is, without a note.

    Raises:
        DataError: the profile is damaged, or not for such pictures.
    """
    if is_srgb(profile):
        return picture, ""
    colours = picture.convert(picture.mode[:-1]) if picture.mode in ("LA", "RGBA") else picture
    try:
        source, target = PIL.ImageCms.ImageCmsProfile(io.BytesIO(profile)), PIL.ImageCms.createProfile("sRGB")
        name = PIL.ImageCms.getProfileDescription(source).strip()
        # relative colorimetric: what sRGB holds keeps its colour
        intent = PIL.ImageCms.Intent.RELATIVE_COLORIMETRIC
        converted = PIL.ImageCms.profileToProfile(colours, source, target, renderingIntent=intent, outputMode="RGB")
    except UNUSABLE as error:
        raise DataError(f"its ICC profile cannot be used: {one_line(error)}") from error
    assert converted is not None
    if colours.mode == "L":
        converted = converted.getchannel(0)
    if colours is not picture:
        converted.putalpha(picture.getchannel("A"))
    return converted, f"colours are converted from {name or 'its ICC profile'} to sRGB"


def is_srgb(profile: bytes) -> bool:
    """Return whether an ICC profile says that it is sRGB."""
    try:
        return "srgb" in PIL.ImageCms.getProfileDescription(io.BytesIO(profile)).lower()  # pyright: ignore[reportArgumentType]
    except UNUSABLE:
        return False


def samples_text(array: Shaped[np.ndarray, "rows columns *channels"]) -> str:
    """Return size, channels and type in words: `768 x 512, 3 channels, uint8`."""
    count = 1 if array.ndim == 2 else array.shape[2]
    return f"{array.shape[1]} x {array.shape[0]}, {count} channel{'s' * (count > 1)}, {array.dtype}"
