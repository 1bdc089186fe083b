"""Simulated fields as numbers to learn from: what names them, their standard form, random parts of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from sciml.formats.fields import DATASETS, FieldPicture
from sciml.runtime.errors import DataError

SUFFIXES = (*DATASETS, ".npy")
SYMMETRIES = 8


def values_digest(pictures: Sequence[FieldPicture]) -> str:
    """Return the SHA-256 of names and values, the same however the store is chunked and compressed."""
    digest = hashlib.sha256()
    for picture in pictures:
        digest.update(f"{picture.name}\0{picture.values.shape}\0".encode())
        digest.update(np.ascontiguousarray(picture.values, "<f4").tobytes())
    return digest.hexdigest()


def standardised(values: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "rows columns"]:
    """Return values in deviations from their mean, the numbers of a model of fields.

    Raises:
        DataError: a constant field.
    """
    deviation = float(values.std(dtype=np.float64))
    if not deviation > 1e-6 * float(np.abs(values).max()):
        raise DataError(f"a field is constant, {float(values.flat[0]):g}: there is nothing to learn from it")
    return ((values - values.mean(dtype=np.float64)) / deviation).astype(np.float32)


def field_crop(
    field: Float[np.ndarray, "rows columns"], size: int, periodic: bool, generator: np.random.Generator
) -> Float[np.ndarray, "size size"]:
    """Return a random part of a field, mirrored and turned at random; of a periodic one it may go over the borders.

    The codec knows no periodicity: a field's border is the border of a picture, and so is a crop's. Cut at random places, one
    field gives crops with other borders.
    """
    rows, columns = field.shape
    if periodic:
        top, left = generator.integers(rows), generator.integers(columns)
        field = np.roll(field, (-int(top), -int(left)), (0, 1))[:size, :size]
    else:
        top, left = (int(generator.integers(side - size + 1)) for side in (rows, columns))
        field = field[top : top + size, left : left + size]
    turn = int(generator.integers(SYMMETRIES))
    turned = np.rot90(field, turn % 4)
    return np.ascontiguousarray(turned[::-1] if turn >= 4 else turned)
