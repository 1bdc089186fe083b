"""A volume through an archive and back: slices of 16 bits without loss, with bounded errors, or by the learned codec."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float

from sciml.compression import Codec
from sciml.formats.write import png_of_16_bits
from sciml.studies.scan_to_forecast.config import Archive

WINDOW = 1.25
"""Magnitude of the largest level: a reconstruction may be brighter than the scan, whose largest magnitude is 1."""
LEVELS = 2**16 - 1
NEAR = 66
"""Levels by which a near-lossless sample may be off, a thousandth of all."""
MODEL = "mr"


def stored(
    volume: Float[np.ndarray, "slices rows columns"], archive: Archive, model: str | Path = MODEL
) -> tuple[Float[np.ndarray, "slices rows columns"], int]:
    """Return what an archive gives back of a volume, and its size in bytes.

    Args:
        volume: magnitudes; what is above `WINDOW` is cut.
        archive: `lossless`, PNG of 16 bits; `near-lossless`, errors up to a thousandth of the range; `quality-50` or another
            number from 1 to 100, the codec of `sciml.compression` at that quality.
        model: shipped codec or model file.
    """
    levels = np.round(np.clip(volume / WINDOW, 0, 1) * LEVELS).astype(np.uint16)
    if archive == "lossless":
        return _magnitudes(levels), sum(len(png_of_16_bits(one[..., None])) for one in levels)
    codec, kind, number = _codec(model), *archive.split("-")
    files = [codec.encode(one, max_error=NEAR) if kind == "near" else codec.encode(one, quality=float(number)) for one in levels]
    return _magnitudes(np.stack([codec.decode(data) for data in files])), sum(map(len, files))


@cache
def _codec(model: str | Path) -> Codec:
    return Codec.load(model)  # type: ignore[return-value]


def _magnitudes(levels: np.ndarray) -> np.ndarray:
    return (levels.astype(np.float64) * (WINDOW / LEVELS)).astype(np.float32)
