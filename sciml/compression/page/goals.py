"""What the study wants to reach."""

from __future__ import annotations

AT_LEAST, AT_MOST = "goal of this study, at least", "goal of this study, at most"
PEER = "measured in this run"

# photographs that a claim about codecs needs
PHOTOGRAPHS = 20
# dB above WebP
OVER_WEBP, OVER_WEBP_ELSEWHERE = 1.4, 1.2
# per cent of bits at equal quality; the levels of the scale and of the mean-scale hyperprior against BPG, as published
BD_JPEG, BD_WEBP, BD_AVIF_3 = -50.0, -20.0, -8.0
BD_HEVC, BD_HEVC_BEYOND = 7.0, -1.0
BD_MS_SSIM = 0.0
# per cent of crops that another codec may win
LOST = 20.0
RANGE_BPP = (0.08, 1.0)
# of the ideal code length of a layer, and bits beside
OVERHEAD, OVERHEAD_BITS = 0.004, 64.0
SEAM = 1.1
# logarithm to base 2 of where float64 stops to hold every whole number
EXACT_BITS = 53
GREY_LEVELS = 1
EQUAL_BYTES = 0.02
# files without loss: per cent larger than optimised PNG, than WebP without loss
LOSSLESS_PNG, LOSSLESS_WEBP = 5.0, 0.0
# slices and fields: per cent of the photo model's bits, of JPEG 2000's; of the range; times smaller than float32; per cent
BD_PHOTO, BD_JPEG_2000 = -10.0, 0.0
PIXEL_SHARE = 1e-4
RATIO, SPECTRUM_ERROR = 20, 5.0
