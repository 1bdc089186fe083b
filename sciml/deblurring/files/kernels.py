"""Arrays of kernels from files: PNG and TIFF pictures, NPY and MAT; nothing is loaded that could run code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sciml.formats.decoding import check_file
from sciml.formats.image import check_claim
from sciml.formats.mat import read_mat
from sciml.formats.npy import open_npy
from sciml.formats.read import read_image
from sciml.runtime.errors import DataError

SUFFIXES = (".png", ".tif", ".tiff", ".npy", ".mat")
BACKGROUND_LEVELS = 2
FAINT = 0.02


def read_array(path: Path) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Return the stored array of a kernel and what was done to it, in sentences.

    The values of a picture are taken as amounts of light, not as display values. Pictures of kernels at 8 bits seldom have a
    background of zero: what a viewer shows as black are levels 0 to 2, and spread over the whole square they are a veil of
    several percent of the light, the most harmful of all kernel errors. Levels up to 2 are therefore set to zero where they
    are below 2 % of the brightest one; in a dimmer picture such a level may be the kernel itself, so nothing is removed.

    Args:
        path: a file whose suffix is one of `SUFFIXES`. A MAT file (up to version 7) holds one numeric matrix.

    Raises:
        DataError: missing, a folder, of another suffix, a constant picture, or a MAT file with no or several matrices.
        FormatError: damaged, cut short or not numeric.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(f"{path} has the suffix {suffix!r}: kernels are read from {', '.join(SUFFIXES)}")
    check_file(path)
    if suffix == ".npy":
        array = open_npy(path)
        check_claim(array.shape, str(path))
        return np.array(array), ()
    if suffix == ".mat":
        return read_mat(path), ()
    image = read_image(path)
    notes = tuple(f"The kernel's file: {note}." for note in image.notes if "divided by" not in note)
    if image.bits != 8:
        return image.array.astype(np.float64), notes
    levels, more = _without_background(np.round(image.array.astype(np.float64) * 255))
    return levels / 255, notes + more


def _without_background(levels: NDArray[np.float64]) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    top, total = levels.max(), levels.sum()
    if FAINT * top <= BACKGROUND_LEVELS:
        return levels, (
            f"The kernel's picture uses only {top:.0f} of 255 levels: brighten it to the full range or save it as NPY.",
        )
    kept = np.where(levels <= BACKGROUND_LEVELS, 0, levels)
    share = 1 - kept.sum() / total
    if share == 0:
        return levels, ()
    return kept, (f"The background of the kernel's picture, levels 1 and 2 of 255, was set to zero: {share:.1%} of its light.",)
