"""A volume through an archive and back: slices of 16 bits without loss, with bounded errors, or by the learned codec."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float

from sciml.compression import Codec
from sciml.formats.write import png_of_16_bits
from sciml.studies.scan_to_forecast.chain.levels import to_levels, to_magnitudes
from sciml.studies.scan_to_forecast.config import Archive

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
            number from 1 to 100, the codec of `sciml.compression` at that quality. These take neighbouring slices together, as
            many as the model has channels; the last slice fills up the last file.
        model: shipped codec or model file.
    """
    levels = to_levels(volume)
    if archive == "lossless":
        return to_magnitudes(levels), sum(len(png_of_16_bits(one[..., None])) for one in levels)
    codec, kind, number = _codec(model), *archive.split("-")
    together = codec.model.channels
    filled = np.concatenate([levels, np.repeat(levels[-1:], -len(levels) % together, 0)])
    # (files, rows, columns, slices of a file)
    slabs = np.moveaxis(filled.reshape(-1, together, *levels.shape[1:]), 1, -1)
    files = [
        codec.encode(one, max_error=NEAR) if kind == "near" else codec.encode(one, quality=float(number))
        for one in map(np.ascontiguousarray, slabs)
    ]
    decoded = np.stack([codec.decode(data).reshape(slabs.shape[1:]) for data in files])
    return to_magnitudes(np.moveaxis(decoded, -1, 1).reshape(filled.shape)[: len(levels)]), sum(map(len, files))


@cache
def _codec(model: str | Path) -> Codec:
    return Codec.load(model)  # type: ignore[return-value]
