"""Published results of other codecs on the 24 Kodak pictures: other pictures than ours, and not run here.

Rates in bits a pixel and PSNR of RGB in dB, means over the pictures, from the result files that come with CompressAI
(Begaint et al. 2020); those of ELIC and HPCM from the same collection, as their authors give them.
"""

from __future__ import annotations

from collections.abc import Iterator

from sciml.compression.study.curves import Curve, bd_rate, curve
from sciml.report.reportlets import Column, Table, Value

WHERE = "published, other pictures, not run"
JPEG, HYPERPRIOR = "JPEG", "mean-scale hyperprior"
POINTS: dict[str, tuple[tuple[float, float], ...]] = {
    JPEG: ((0.221, 23.78), (0.327, 26.58), (0.508, 29.04), (0.729, 30.90), (1.037, 32.79)),
    "WebP": ((0.234, 28.33), (0.353, 29.82), (0.513, 31.44), (0.823, 33.97), (1.216, 36.37)),
    "JPEG 2000": ((0.126, 26.44), (0.199, 27.80), (0.299, 29.19), (0.479, 31.07), (0.798, 33.49)),
    "AV1": ((0.056, 25.56), (0.110, 27.56), (0.246, 30.44), (0.499, 33.65), (0.909, 36.99)),
    "VVC (VTM)": ((0.048, 26.14), (0.113, 28.49), (0.246, 31.20), (0.491, 34.26), (0.875, 37.42)),
    "factorised prior": ((0.123, 26.91), (0.189, 28.22), (0.288, 29.62), (0.440, 31.28), (0.648, 32.96)),
    "scale hyperprior": ((0.131, 27.58), (0.209, 29.20), (0.320, 30.97), (0.478, 32.84), (0.669, 34.53)),
    HYPERPRIOR: ((0.124, 27.70), (0.198, 29.36), (0.307, 31.13), (0.461, 32.95), (0.662, 34.97)),
    "mean-scale, autoregressive": ((0.111, 28.09), (0.187, 29.65), (0.288, 31.36), (0.432, 33.09)),
    "Cheng 2020, anchor": ((0.120, 28.58), (0.184, 29.97), (0.271, 31.34), (0.417, 33.39)),
    "ELIC": ((0.124, 29.11), (0.197, 30.70), (0.334, 32.78), (0.491, 34.58), (0.704, 36.49)),
    "HPCM-Base": ((0.121, 29.40), (0.176, 30.75), (0.273, 32.40), (0.413, 34.21), (0.590, 36.01), (0.821, 37.75)),
    "HPCM-Large": ((0.095, 28.91), (0.154, 30.45), (0.244, 32.12), (0.378, 33.99), (0.552, 35.85)),
}
# BD-rates in per cent against VTM over the full result files, of which POINTS holds a part
AGAINST_VTM = {
    JPEG: 208.5, "WebP": 78.7, "JPEG 2000": 98.0, "AV1": 16.2, "VVC (VTM)": 0.0, "factorised prior": 68.1,
    "scale hyperprior": 30.5, HYPERPRIOR: 21.3, "mean-scale, autoregressive": 11.0, "Cheng 2020, anchor": 3.7, "ELIC": -7.0,
    "HPCM-Base": -16.0, "HPCM-Large": -20.0,
}  # fmt: skip
CITED = "[@begaint2020; @balle2018; @minnen2018; @cheng2020; @he2022; @li2025hpcm]"


def published_curve(name: str) -> Curve:
    """Return the curve through a codec's published means."""
    return curve(POINTS[name])


def against_jpeg(name: str) -> float | None:
    """Return a published codec's BD-rate against the published JPEG, from the points here."""
    return bd_rate(published_curve(JPEG), published_curve(name)).percent


def published_table() -> Table:
    """Return the published codecs, so that ours can be placed among them with care."""
    columns = [
        Column("codec", "codec"), Column("points", "bits a pixel: PSNR"),
        Column("jpeg", "BD-rate against published JPEG", "%", "down", 1), Column("vtm", "against VTM", "%", "down", 1),
    ]  # fmt: skip
    return Table(
        f"Learned codecs elsewhere: {WHERE}",
        columns,
        list(_rows()),
        "The 24 Kodak pictures, PSNR of RGB, means over pictures. Ours was not run on them: only the distance to a codec that "
        "stands in both tables, such as WebP, may be compared, and with care, since pictures, versions and rates differ.",
        "BD-rates are computed by us from published points, with PCHIP; those against VTM from more points than stand here.",
    )


def _rows() -> Iterator[dict[str, Value]]:
    for name, points in POINTS.items():
        number = None if name == JPEG else against_jpeg(name)
        yield {
            "codec": name,
            "points": "; ".join(f"{rate:.3f}: {quality:.2f}" for rate, quality in points),
            "jpeg": "is the anchor" if name == JPEG else "too little overlap" if number is None else number,
            "vtm": AGAINST_VTM[name],
        }
