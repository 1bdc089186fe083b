"""What the study wants to reach."""

from __future__ import annotations

AT_LEAST, AT_MOST = "goal of this study, at least", "goal of this study, at most"
PEER = "measured in this run"

PICTURES = 9
RATES_BPP = (0.15, 0.25, 0.45)
# dB above WebP
LINEAR_OVER_WEBP = 0.8
OVER_WEBP, OVER_WEBP_ELSEWHERE = 1.4, 1.2
# dB above AVIF
EQUAL_TO_AVIF, BEYOND_AVIF = -0.1, 0.3
BEYOND_BPP = (0.15, 0.5)
# per cent
BD_JPEG, BD_WEBP = -50.0, -20.0
RANGE_BPP = (0.08, 1.0)
# of the ideal code length of a layer, and bits beside
OVERHEAD, OVERHEAD_BITS = 0.004, 64.0
SEAM = 1.1
# logarithm to base 2 of where float64 stops to hold every whole number
EXACT_BITS = 53
GREY_LEVELS = 1
EQUAL_BYTES = 0.02
# slices and fields: per cent of the photo model's bits, of JPEG 2000's; of the range; times smaller than float32; per cent
BD_PHOTO, BD_JPEG_2000 = -10.0, 0.0
PIXEL_SHARE = 1e-4
RATIO, SPECTRUM_ERROR = 20, 5.0
