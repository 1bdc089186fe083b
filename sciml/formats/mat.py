"""MAT files up to version 7 that hold one numeric matrix; nothing is loaded that could run code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sciml.formats.decoding import decoding
from sciml.formats.image import check_claim
from sciml.runtime.errors import DataError, FormatError

if TYPE_CHECKING:
    import numpy as np

NUMERIC = {"double", "single", "logical"} | {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}


def read_mat(path: Path) -> np.ndarray:
    """Return the one numeric matrix of a MAT file; scalars and text beside it do not count.

    Raises:
        DataError: no such matrix, or several.
        FormatError: the file is damaged, or of version 7.3.
    """
    import numpy as np
    from scipy import io, sparse

    with decoding(path, "a MAT file"):
        try:
            listed: Any = io.whosmat(str(path))  # names and shapes without the data
        except NotImplementedError as error:
            raise FormatError(f"{path} is a MAT file of version 7.3 (HDF5): save it with -v7, or the matrix as NPY") from error
        named = [(name, shape) for name, shape, kind in listed if kind in NUMERIC | {"sparse"} and max(shape) > 1]
        if len(named) != 1:
            found = ", ".join(f"{name} {' x '.join(map(str, shape))}" for name, shape in named) or "none"
            raise DataError(f"{path} must hold one numeric matrix; it holds: {found}; save that one alone")
        check_claim(named[0][1], str(path))
        array = io.loadmat(str(path), variable_names=[named[0][0]])[named[0][0]]
    return array.toarray() if sparse.issparse(array) else np.asarray(array)
