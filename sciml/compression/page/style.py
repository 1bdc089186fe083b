"""Names and looks of the codecs, the same on the whole page, and numbers in words."""

from __future__ import annotations

import re
from typing import Any

from sciml.report.graphics.palette import Palette
from sciml.report.words import minus

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
    "avif-444": "AVIF, 4:4:4",
    "avif-3": "AVIF, speed 3",
    "avif-0": "AVIF, speed 0",
    "hevc-444": "HEVC, 4:4:4",
    "png": "PNG",
    "zfp": "zfp",
    "sz3": "SZ3",
}
# the codecs in the order of the page's colours
_ORDER = ("nic", "avif", "webp", "jpeg", "jpeg2000", "jpegxl", "nic-linear", "nic-ms-ssim", "nic-neural", "photo",
          "avif-3", "avif-0", "avif-444", "hevc-444")  # fmt: skip
# as they are told apart on the crops that judge
_JUDGED = {"avif": "AVIF, speed 6"}
SERIES = (*(TITLES[name] for name in _ORDER), *_JUDGED.values())
PALETTE = Palette(SERIES)


def title_of(codec: str) -> str:
    """Return a codec's name as it is read."""
    return TITLES.get(codec, codec)


def judged_title(codec: str) -> str:
    """Return a codec's name on the crops that judge, where AVIF stands at several settings."""
    return _JUDGED.get(codec, title_of(codec))


def line_of(codec: str) -> dict[str, Any]:
    """Return the line properties of a codec."""
    return PALETTE[title_of(codec)].line


def picture_words(name: str) -> str:
    """Return the name of a test picture as it is read: a field of a run by its quantity, point and time.

    Example:
        >>> picture_words("alpha-1.5_zeta0.4_seed21-velocity_y-2"), picture_words("sail")
        ('velocity y, α −1.5, ζ 0.4, seed 21, time 2', 'sail')
    """
    found = re.fullmatch(r"alpha(-?[\d.]+)_zeta(-?[\d.]+)_seed(\d+)-(\w+?)-(\d+)", name)
    if found is None:
        return name
    alpha, zeta, seed, quantity, time = found.groups()
    return f"{quantity.replace('_', ' ')}, α {minus(alpha)}, ζ {minus(zeta)}, seed {seed}, time {time}"


def spaced(text: str) -> str:
    """Return a text with a space before every sign of per cent."""
    return re.sub(r"(\d)%", r"\1 %", text)
