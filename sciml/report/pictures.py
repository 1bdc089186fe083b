"""Pictures for pages: arrays to data URIs, error maps on one scale, enlarged crops."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from sciml.report.reportlets import Gallery
from sciml.runtime.errors import DataError, FormatError, ShapeError

if TYPE_CHECKING:
    from sciml.report.reportlets import Picture

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
LONGEST_SIDE = 1400
LOSSLESS_BYTES = 24_000
ERROR_COLOURS = "magma"
MISSING_RGB = (255, 0, 255)


@dataclass(frozen=True)
class Encoded:
    """A picture as a data URI with its size in pixels; `lossy` tells of WebP compression."""

    uri: str
    width: int
    height: int
    lossy: bool


def to_display(image: np.ndarray) -> np.ndarray:
    """Return uint8 pixels `(height, width)` or `(height, width, 3)` of a float image in [0, 1].

    Values outside are clipped; pixels that are not finite become magenta, so that nobody takes them
    for a result. uint8 comes back as it is.

    Raises:
        ShapeError: neither a grey nor an RGB image, or a type that has no range.
    """
    image = np.asarray(image)
    if image.size == 0 or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
        raise ShapeError(f"a picture is (height, width) or (height, width, 3); given {image.shape}")
    if image.dtype == np.uint8:
        return image
    if image.dtype == bool:
        return image.astype(np.uint8) * 255
    if not np.issubdtype(image.dtype, np.floating):
        raise ShapeError(f"a picture is float in [0, 1], uint8 or bool; given {image.dtype}")
    finite = np.isfinite(image)
    pixels = np.round(np.clip(np.where(finite, image, 0), 0, 1) * 255).astype(np.uint8)
    if finite.all():
        return pixels
    if pixels.ndim == 2:
        pixels, finite = np.stack([pixels] * 3, axis=-1), finite[..., None]
    pixels[~finite.all(axis=-1)] = MISSING_RGB
    return pixels


def encode(image: Picture, lossless_bytes: int = LOSSLESS_BYTES, quality: int = 90) -> Encoded:
    """Return a picture as a data URI.

    PNG while it is small; larger ones become WebP, since a page has a budget of bytes. Sides beyond
    1400 pixels are reduced.

    Args:
        image: array, PNG bytes or path.
        lossless_bytes: largest PNG that is kept.
        quality: WebP quality of those that are larger.
    """
    if isinstance(image, Path | str):
        try:
            image = Path(image).read_bytes()
        except OSError as error:
            raise DataError(f"cannot read the picture {image}: {error.strerror or error}") from error
    if isinstance(image, bytes):
        picture = _decode(image)
        content = image
    else:
        picture = Image.fromarray(to_display(image))
        content = b""
    if max(picture.size) > LONGEST_SIDE:
        picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
        content = b""
    content = content or _save(picture, "PNG", optimize=True)
    if len(content) <= lossless_bytes:
        return Encoded(_uri("png", content), *picture.size, lossy=False)
    mode = "RGBA" if "A" in picture.getbands() else "RGB"
    content = _save(picture.convert(mode), "WEBP", quality=quality, method=4)
    return Encoded(_uri("webp", content), *picture.size, lossy=True)


def wiped(left: Picture, right: Picture) -> np.ndarray:
    """Return the left half of one picture beside the right half of another of its size, as a slider shows them."""
    first, second = _pixels(left), _pixels(right)
    middle = first.shape[1] // 2
    return np.concatenate(
        [first[:, :middle], np.full((len(first), max(1, middle // 60), 3), 255, np.uint8), second[:, middle:]], 1
    )


def montage(images: Sequence[Picture], gap: int = 2) -> np.ndarray:
    """Return pictures in rows and columns that come near to a square, each in a cell as large as the largest."""
    pixels = [_pixels(image) for image in images]
    height, width = (max(one.shape[axis] for one in pixels) for axis in (0, 1))
    across = min(
        (count for count in range(1, len(pixels) + 1) if len(pixels) % count == 0),
        key=lambda count: (round(abs(np.log(count**2 * width / (len(pixels) * height))), 3), -count),
    )
    cells = [np.pad(one, [(0, height - one.shape[0] + gap), (0, width - one.shape[1] + gap), (0, 0)]) for one in pixels]
    return np.concatenate([np.concatenate(cells[i : i + across], 1) for i in range(0, len(cells), across)])


def _pixels(image: Picture) -> np.ndarray:
    return np.asarray(_opened(encode(image)))


def _opened(encoded: Encoded) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(encoded.uri.partition(",")[2]))).convert("RGB")


def thumbnail(image: Picture, side: int = 320) -> str:
    """Return a small WebP data URI for the index."""
    picture = _opened(encode(image))
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return _uri("webp", _save(picture, "WEBP", quality=80, method=4))


def error_map(estimate: np.ndarray, truth: np.ndarray, limit: float) -> np.ndarray:
    """Return |estimate - truth| as RGB uint8 on the scale [0, limit], for all methods the same.

    The colours are perceptually uniform and read well with every kind of colour vision. Colour
    images give the mean over the channels; larger errors than the limit show its colour.

    Args:
        estimate: array `(height, width)` or `(height, width, channels)`.
        truth: array of the same shape.
        limit: the error that gets the brightest colour, in the images' unit.
    """
    from matplotlib import colormaps

    estimate, truth = np.asarray(estimate), np.asarray(truth)
    if estimate.shape != truth.shape or estimate.ndim not in (2, 3):
        raise ShapeError(f"an error map needs two images of one shape; given {estimate.shape} and {truth.shape}")
    if not limit > 0:
        raise ShapeError(f"the limit of an error map is positive; given {limit}")
    error = np.abs(_as_number(estimate) - _as_number(truth))
    error = error.mean(axis=2) if error.ndim == 3 else error
    rgb = (
        (colormaps[ERROR_COLOURS](np.clip(np.nan_to_num(error, nan=limit) / limit, 0, 1))[..., :3] * 255).round().astype(np.uint8)
    )
    rgb[~np.isfinite(error)] = MISSING_RGB
    return rgb


def error_gradient(stops: int = 12) -> str:
    """Return the error colours as the stops of a CSS gradient, from zero to the limit."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return ", ".join(to_hex(colormaps[ERROR_COLOURS](i / (stops - 1))) for i in range(stops))


def zoom_crops(pictures: Mapping[str, np.ndarray], box: tuple[int, int, int, int], scale: int = 4) -> dict[str, np.ndarray]:
    """Return the same crop of every picture, enlarged by repeating pixels (no smoothing is added).

    Args:
        pictures: label to array.
        box: top, left, height and width in pixels.
        scale: enlargement.
    """
    top, left, height, width = box
    crops = {}
    for label, image in pictures.items():
        crop = to_display(image)[top : top + height, left : left + width]
        if crop.shape[:2] != (height, width):
            raise ShapeError(f"the crop {box} leaves the picture {label!r} of size {np.shape(image)[:2]}")
        crops[label] = crop.repeat(scale, axis=0).repeat(scale, axis=1)
    return crops


def gallery(
    title: str, pictures: Mapping[str, np.ndarray], box: tuple[int, int, int, int], caption: str, alt: str, scale: int = 4
) -> Gallery:
    """Return a gallery of the same enlarged crop of every picture; arguments as in `zoom_crops`."""
    return Gallery(title, zoom_crops(pictures, box, scale), caption, alt)


def _as_number(image: np.ndarray) -> np.ndarray:
    if image.dtype == np.uint8:
        return image / 255.0
    return image if np.iscomplexobj(image) else image.astype(np.float64)


def _decode(content: bytes) -> Image.Image:
    if not content.startswith(PNG_MAGIC):
        raise FormatError("a picture given as a file must be PNG; convert it first")
    try:
        picture = Image.open(io.BytesIO(content), formats=["PNG"])
        picture.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise FormatError(f"the PNG picture cannot be read: {error}") from error
    return picture.convert("RGB") if picture.mode not in ("L", "RGB", "RGBA", "LA") else picture


def _save(picture: Image.Image, kind: str, **options: int | bool) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
