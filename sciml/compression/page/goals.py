"""What the study wants to reach, and how a number is judged by it."""

from __future__ import annotations

from typing import Literal

Status = Literal["reproduced", "partly", "not"]
AT_LEAST, AT_MOST = "goal of this study, at least", "goal of this study, at most"
PEER = "measured in this run"

PICTURES = 9
RATES_BPP = (0.15, 0.25, 0.45)
# dB above WebP
LINEAR_OVER_WEBP = 0.8
OVER_WEBP, OVER_WEBP_ELSEWHERE = 1.4, 1.2
# dB above AVIF
EQUAL_TO_AVIF, BEYOND_AVIF, NEARLY_AVIF = -0.1, 0.3, -0.3
BEYOND_BPP = (0.15, 0.5)
# per cent
BD_JPEG, BD_WEBP = -50.0, -20.0
RANGE_BPP = (0.08, 1.0)
# of the ideal code length of a layer, and bits beside
OVERHEAD, OVERHEAD_BITS = 0.004, 64.0
# of the layers: nearly every one
NEARLY_ALL = 0.95
SEAM = 1.1
# logarithm to base 2 of where float64 stops to hold every whole number
EXACT_BITS = 53
GREY_LEVELS = 1
EQUAL_BYTES = 0.02
# slices and fields: per cent of the photo model's bits, of JPEG 2000's; of the range; times smaller than float32; per cent
BD_PHOTO, BD_JPEG_2000 = -10.0, 0.0
PIXEL_SHARE = 1e-4
RATIO, SPECTRUM_ERROR = 20, 5.0


def met(value: float, goal: float, partly: float | None = None, enough: bool = True) -> Status:
    """Return the status of a number that should reach a goal.

    Args:
        value: the number.
        goal: least value.
        partly: least value that is partly met.
        enough: whether there are as many pictures as the goal asks; with fewer it is met partly at most.
    """
    if value >= goal:
        return "reproduced" if enough else "partly"
    return "partly" if partly is not None and value >= partly else "not"
