"""Names and looks of the codecs, the same on the whole page, and numbers in words."""

from __future__ import annotations

from collections.abc import Sequence

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
MINUS = "\u2212"


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


def signed(value: float, digits: int = 2) -> str:
    """Return a number with its sign."""
    return f"{value:+.{digits}f}".replace("-", MINUS)


def listed(values: Sequence[float | None], digits: int = 2) -> str:
    """Return signed numbers as text; what is missing is a dash."""
    return ", ".join("\u2013" if value is None else signed(value, digits) for value in values)


def sequence(words: Sequence[str]) -> str:
    """Return words with commas and an "and"."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def counted(count: int, word: str) -> str:
    """Return a number with its noun."""
    return f"{count} {word}{'' if count == 1 else 's'}"


def grouped(count: int) -> str:
    """Return a whole number with thin spaces."""
    return f"{count:,}".replace(",", "\u202f")
