"""What the stage `judge` writes and the page reads."""

from __future__ import annotations

from sciml.compression.study.results import Number
from sciml.runtime.results import Result


class Point(Result):
    """One crop through one codec at one quality.

    Attributes:
        quality: the codec's own setting.
        file_bytes: size of the whole file.
        psnr_db: PSNR of RGB; None for an exact copy, whose PSNR is infinite.
        ms_ssim: MS-SSIM from 0 to 1.
        encode_s: processor seconds of encoding.
        decode_s: processor seconds of decoding.
    """

    quality: Number
    file_bytes: int
    psnr_db: float | None
    ms_ssim: float
    encode_s: float
    decode_s: float


Points = dict[str, dict[str, tuple[Point, ...]]]
"""By codec and crop, from the least quality to the best."""


class CurvesFile(Result):
    """`curves.json`: the rate curves of codecs on the crops that judge.

    Attributes:
        measured: day of the measurement, in UTC.
        versions: versions of the libraries.
        codecs: settings in words by codec that ran.
        absent: the reason by codec that could not run.
        pixels: of one crop.
        photographs: id by crop; crops of one photograph are not independent.
        digests: SHA-256 by photograph.
        points: only those near the rates of the page.
        seed: of the bootstrap over photographs.
        again: files of our codec that this run coded again, of those that have the size that was measured before, where the
            measurement came with the model; None where all was measured in the run.
    """

    measured: str
    versions: dict[str, str]
    codecs: dict[str, str]
    absent: dict[str, str]
    pixels: int
    photographs: dict[str, str]
    digests: dict[str, str]
    points: Points
    seed: int
    again: tuple[int, int] | None = None
