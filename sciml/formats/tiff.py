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
