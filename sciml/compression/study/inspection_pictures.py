"""One picture through several codecs at equal bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from sciml.compression.coding.picture_codec import PictureCodec
from sciml.compression.study.anchors import ANCHORS, Anchor
from sciml.compression.study.bench import LUMA

# largest difference in bytes at which files count as equally large
TOLERANCE = 0.02
JPEG_RANGE = range(3, 31)
OTHERS = ("webp", "avif")
# qualities of JPEG whose size is near enough to the wanted one to be tried
TRIED = 4
HALVINGS = 9

Pixels = UInt8[np.ndarray, "rows columns *channels"]


@dataclass(frozen=True)
class Coded:
    """A file of one codec and the picture that it decodes to."""

    codec: str
    quality: float | None
    data: bytes
    decoded: Pixels


def equal_bytes(codec: PictureCodec, pixels: Pixels, rate_bpp: float) -> list[Coded]:
    """Return files of nearly equal size from JPEG, WebP, AVIF and the codec, JPEG first and the codec last.

    JPEG and AVIF have whole qualities whose sizes lie some per cent apart. Of JPEG's sizes near the wanted one, that is taken
    to which the others come nearest; the codec meets it from below.

    Args:
        codec: ours.
        pixels: the picture.
        rate_bpp: wanted bits a pixel.
    """
    wanted = rate_bpp * pixels.shape[0] * pixels.shape[1] / 8
    anchors = {name: anchor for name in OTHERS if not (anchor := ANCHORS[name]).missing()}
    files = {quality: ANCHORS["jpeg"].encode(pixels, quality) for quality in JPEG_RANGE}
    near = sorted(files, key=lambda quality: abs(np.log(len(files[quality]) / wanted)))[:TRIED]
    sizes = _Sizes(pixels)
    best, least = near[0], np.inf
    for quality in near:
        misses = [
            abs(len(sizes.nearest(anchor, len(files[quality]))[1]) / len(files[quality]) - 1) for anchor in anchors.values()
        ]
        if max(misses, default=0) < least:
            best, least = quality, max(misses, default=0)
        if least <= TOLERANCE / 2:
            break
    target = len(files[best])
    found: list[tuple[str, float | None, bytes, Callable[[bytes], Pixels]]] = []
    found.append(("jpeg", float(best), files[best], ANCHORS["jpeg"].decode))
    for name, anchor in anchors.items():
        quality, data = sizes.nearest(anchor, target)
        found.append((name, quality, data, anchor.decode))
    found.append(("nic", None, codec.encode(pixels, max_bytes=target), codec.decode))
    return [Coded(name, quality, data, _like(decode(data), pixels)) for name, quality, data, decode in found]


class _Sizes:
    """Files of the anchors by quality, each made once."""

    def __init__(self, pixels: Pixels):
        self.pixels = pixels
        self.files: dict[tuple[str, float], bytes] = {}

    def file(self, anchor: Anchor, quality: float) -> bytes:
        key = (anchor.name, quality)
        if key not in self.files:
            self.files[key] = anchor.encode(self.pixels, quality)
        return self.files[key]

    def nearest(self, anchor: Anchor, target: int) -> tuple[float, bytes]:
        """Return quality and file whose size is nearest to a target; sizes rise with the quality."""
        low, high = 0.0, 100.0
        for _ in range(HALVINGS):
            middle = _allowed(anchor, (low + high) / 2)
            if middle in (low, high):
                break
            low, high = (middle, high) if len(self.file(anchor, middle)) < target else (low, middle)
        quality = min((low, high), key=lambda value: abs(len(self.file(anchor, value)) - target))
        return quality, self.file(anchor, quality)


def _allowed(anchor: Anchor, quality: float) -> float:
    # WebP takes fractions, AVIF does not
    return quality if anchor.name == "webp" else float(int(quality))


def _like(decoded: Pixels, pixels: Pixels) -> Pixels:
    """Return a decoded picture with the axes of the original: codecs without grey hand back three equal channels."""
    return np.rint(decoded @ np.array(LUMA)).astype(np.uint8) if decoded.ndim > pixels.ndim else decoded
