"""Arrays of kernels from files: PNG and TIFF pictures, NPY and MAT; nothing is loaded that could run code."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sciml.formats.image import check_claim, read_image
from sciml.runtime.errors import DataError, FormatError

SUFFIXES = (".png", ".tif", ".tiff", ".npy", ".mat")
BACKGROUND_LEVELS = 2
FAINT = 0.02
NUMERIC = {"double", "single", "logical"} | {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}


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
    if not path.is_file():
        raise DataError(f"{path} is a folder: give one file of it" if path.is_dir() else f"no such file: {path}")
    if suffix == ".npy":
        return _read_npy(path), ()
    if suffix == ".mat":
        return _read_mat(path), ()
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


def _read_npy(path: Path) -> NDArray[Any]:
    try:
        # a memory map refuses pickled objects and files that are shorter than their header claims, before allocating
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except Exception as error:
        raise FormatError(f"{path} cannot be read as an NPY array of numbers: {_one_line(error)}") from error
    if not isinstance(array, np.ndarray):
        raise FormatError(f"{path} is an archive of several arrays: save the kernel alone with numpy.save")
    check_claim(array.shape, str(path))
    return np.array(array)


def _read_mat(path: Path) -> NDArray[Any]:
    from scipy import io, sparse

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            listed: Any = io.whosmat(str(path))  # names and shapes without the data
            named = [(name, shape) for name, shape, kind in listed if kind in NUMERIC | {"sparse"} and max(shape) > 1]
            if len(named) == 1:
                check_claim(named[0][1], str(path))
                array = io.loadmat(str(path), variable_names=[named[0][0]])[named[0][0]]
    except DataError:
        raise
    except NotImplementedError as error:
        raise FormatError(f"{path} is a MAT file of version 7.3 (HDF5): save it with -v7, or the kernel as NPY") from error
    except Exception as error:
        # the decoder answers damage with errors of every kind
        raise FormatError(f"{path} cannot be read as a MAT file: {_one_line(error)}") from error
    if len(named) != 1:
        found = ", ".join(f"{name} {' x '.join(map(str, shape))}" for name, shape in named) or "none"
        raise DataError(f"{path} must hold one numeric matrix, the kernel; it holds: {found}; save the kernel alone")
    return array.toarray() if sparse.issparse(array) else np.asarray(array)


def _one_line(error: Exception) -> str:
    return str(error).split("\n")[0].strip() or type(error).__name__
