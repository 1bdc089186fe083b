"""One answer to what decoders say of missing and damaged files: an error of one line that names the file."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sciml.runtime.errors import DataError, FormatError, ScimlError


@contextmanager
def decoding(path: Path, what: str) -> Iterator[None]:
    """Turn what a decoder raises into an error that names the file, and leave its warnings unsaid.

    Args:
        path: the file.
        what: the file is read as, for the message.

    Raises:
        DataError: the system refuses the file.
        FormatError: the file is damaged or not what it claims to be.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (ScimlError, MemoryError):
        raise
    except OSError as error:
        if error.errno is not None:
            raise DataError(f"cannot read {path}: {error.strerror or one_line(error)}") from error
        raise FormatError(f"{path} is damaged or cut short: {one_line(error)}") from error
    except Exception as error:
        # decoders answer damage with errors of every kind; whatever comes, the file is not usable
        raise FormatError(f"{path} cannot be read as {what}: {one_line(error)}") from error


def check_file(path: Path) -> None:
    """Refuse what is not there and what is no file: a folder, a pipe, a device (DataError)."""
    if path.is_dir():
        raise DataError(f"{path} is a folder: give one file of it")
    if not path.exists():
        raise DataError(f"no such file: {path}")
    if not path.is_file():
        raise DataError(f"{path} is a pipe or a device: give a file")


def check_not_empty(path: Path) -> None:
    """Refuse a file without content (FormatError)."""
    if path.stat().st_size == 0:
        raise FormatError(f"{path} is empty (0 bytes)")


def check_download(path: Path) -> None:
    """Refuse what a failed download left in place of a file: nothing, a web page, or the pointer of Git LFS.

    Raises:
        FormatError: with what it is and what to do.
    """
    check_not_empty(path)
    with path.open("rb") as file:
        start = file.read(256).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(b"<"):
        raise FormatError(
            f"{path} is a web page (HTML or XML) under another name: the download failed or wants a login; repeat it"
        )
    if start.startswith(b"version https://git-lfs"):
        raise FormatError(f"{path} is a pointer of Git LFS, not the file itself: run `git lfs pull` where it came from")


def one_line(error: Exception) -> str:
    """Return the text of an error in one line, or its name where it has none."""
    return " ".join(str(error).split()) or type(error).__name__
