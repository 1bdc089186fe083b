"""Picture files of 8 bits, grey or RGB, as codecs are compared on and learned from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from sciml.runtime.errors import DataError, ShapeError

Pixels = Shaped[np.ndarray, "height width *channels"]
"""A picture: uint8 of (rows, columns, 3) in colour, (rows, columns) in grey; of slices uint16, of fields float32."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


def read_pixels(path: Path) -> tuple[Pixels, tuple[str, ...]]:
    """Return the pixels of a picture file of 8 bits, and what was done to the stored values in words.

    Grey stays grey; an alpha channel is dropped, which the notes say.

    Raises:
        DataError: no file, no picture, or not of 8 bits.
    """
    from sciml.formats.read import read_image

    try:
        image = read_image(path)
    except ShapeError as error:
        raise DataError(f"{path} is no picture: {error}") from error
    if image.axes not in ("HW", "HWC") or image.bits != 8:
        held = "a volume" if image.axes == "DHW" else f"{image.bits} bits" if image.bits else "other than whole numbers"
        raise DataError(f"{path} holds {held}: codecs are compared on pictures of 8 bits, grey or RGB")
    notes = [note for note in image.notes if note != "uint8 divided by 255"]
    if path.suffix.lower() in (".jpg", ".jpeg"):
        notes.append("stored as JPEG: its block artefacts favour the codec jpeg; reduce it by 2 or more for a fair comparison")
    return np.rint(image.array * 255).astype(np.uint8), tuple(notes)
