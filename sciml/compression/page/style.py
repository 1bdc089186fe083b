"""Names and looks of the codecs, the same on the whole page, and numbers in words."""

from __future__ import annotations

from typing import Any

from sciml.report.palette import Palette

TITLES = {
    "nic": "ours",
    "nic-linear": "ours, no network",
    "nic-ms-ssim": "ours, tuned for MS-SSIM",
    "nic-neural": "neural preset",
    "jpeg": "JPEG",
    "webp": "WebP",
    "jpeg2000": "JPEG 2000",
    "avif": "AVIF",
    "jpegxl": "JPEG XL",
    "photo": "photo model",
}
# the codecs in the order of the page's colours
_ORDER = ("nic", "avif", "webp", "jpeg", "jpeg2000", "jpegxl", "nic-linear", "nic-ms-ssim", "nic-neural", "photo")
SERIES = tuple(TITLES[name] for name in _ORDER)
PALETTE = Palette(SERIES)


def title_of(codec: str) -> str:
    """Return a codec's name as it is read."""
    return TITLES.get(codec, codec)


def line_of(codec: str) -> dict[str, Any]:
    """Return the line properties of a codec."""
    return PALETTE[title_of(codec)].line
