"""TIFF files: what of them is checked and decoded the same way whatever they are read for."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sciml.runtime.errors import FormatError

if TYPE_CHECKING:
    import numpy as np
    import tifffile


@contextmanager
def opened_tiff(path: Path) -> Iterator[tifffile.TiffFile]:
    """Yield an opened file, its decoder's complaints unsaid."""
    import tifffile

    log = logging.getLogger("tifffile")
    was_disabled, log.disabled = log.disabled, True
    try:
        with tifffile.TiffFile(path) as file:
            yield file
    finally:
        log.disabled = was_disabled


def decoded(part: Any, pages: Iterable[Any], path: Path) -> np.ndarray | None:
    """Return the array of a page or series, or None where its compression needs a decoder that is not there; Pillow has some.

    Args:
        part: a page or series of an opened file.
        pages: those that it consists of.
        path: the file.

    Raises:
        FormatError: the file is shorter than it claims.
    """
    size = path.stat().st_size
    places = (place for page in pages for place in zip(page.dataoffsets, page.databytecounts, strict=True))
    if any(offset + count > size for offset, count in places):
        raise FormatError(f"{path} is cut short: its header points behind the end of the file")
    try:
        return part.asarray()
    except (ValueError, KeyError) as error:
        if "imagecodecs" not in str(error):
            raise
        return None


def read_stack(path: Path) -> np.ndarray:
    """Return the values of a TIFF stack as they are stored, (frames, rows, columns); a single picture is one frame.

    Args:
        path: the file; of several series the first counts.

    Raises:
        DataError: the file is not there, or claims too much.
        FormatError: it is damaged, compressed in a way that is not read, or holds colours.
    """
    from sciml.formats.decoding import check_file, check_not_empty, decoding
    from sciml.formats.image import check_claim

    check_file(path)
    check_not_empty(path)
    with decoding(path, "a TIFF stack"), opened_tiff(path) as file:
        series = file.series[0]
        check_claim(series.shape, str(path))
        if series.ndim not in (2, 3) or "S" in series.axes:
            raise FormatError(f"{path} has axes {series.axes} of shape {series.shape}: a stack has (frames, rows, columns)")
        array = decoded(series, series.pages, path)
    if array is None:
        raise FormatError(f"{path} is compressed in a way that is not read: save it without compression")
    if array.dtype.kind not in "uif":
        raise FormatError(f"{path} holds {array.dtype}: whole or floating-point numbers are expected")
    return array if array.ndim == 3 else array[None]
