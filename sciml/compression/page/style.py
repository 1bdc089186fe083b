"""Names and looks of the codecs, the same on the whole page, and numbers in words."""

from __future__ import annotations

from sciml.report.charts import COLOURS, DASHES

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


def title_of(codec: str) -> str:
    """Return a codec's name as it is read."""
    return TITLES.get(codec, codec)


def colour_of(number: int) -> str:
    """Return the colour that curves give to their series of this number."""
    return COLOURS[number % len(COLOURS)]


def line_of(number: int) -> tuple[float, tuple[float, ...]]:
    """Return the dashes that curves give to their series of this number."""
    dash = DASHES[number % len(DASHES)]
    return (0, ()) if dash == (1, 0) else (0, tuple(part / 2 for part in dash))
