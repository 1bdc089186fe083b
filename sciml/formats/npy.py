"""NPY files: the header is checked before a number is read, and nothing is unpickled."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from sciml.formats.decoding import decoding
from sciml.formats.image import check_claim
from sciml.runtime.errors import FormatError

if TYPE_CHECKING:
    import numpy as np

ARCHIVE_START = b"PK"


def open_npy(path: Path, limited: bool = False) -> np.ndarray:
    """Return the numbers of an NPY file as a memory map: its shape and type are known, its numbers are read where they are used.

    Args:
        path: the file.
        limited: whether `check_claim` looks at the shape first.

    Raises:
        DataError: the system refuses the file, or it claims too much.
        FormatError: no NPY file, one that is shorter than it claims, or values that are not numbers.
    """
    import numpy as np
    from numpy.lib import format as npy

    with decoding(path, "an NPY array of numbers"):
        with path.open("rb") as file:
            if file.read(2) == ARCHIVE_START:
                raise FormatError(f"{path} is an archive of several arrays: save one of them alone with numpy.save")
            file.seek(0)
            version = npy.read_magic(file)
            read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            try:
                shape, _, kind = read_header(file)
            except (ValueError, SyntaxError, TypeError) as error:
                raise FormatError(f"{path} is damaged: its NPY header does not describe an array") from error
            if kind.kind not in "buifc":
                raise FormatError(f"{path} holds values of type {kind}: of NPY files whole and floating-point numbers are read")
            if limited:
                check_claim(shape, str(path))
            if 0 in shape:  # nothing cannot be mapped
                return np.empty(shape, kind)
            left, claimed = path.stat().st_size - file.tell(), math.prod(shape) * kind.itemsize
            if left < claimed:
                raise FormatError(f"{path} is an NPY file cut short: {left} bytes of {claimed}")
        return np.load(path, mmap_mode="r", allow_pickle=False)
