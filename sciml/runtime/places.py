"""Where things live: the cache folder and the files that travel with the package."""

from __future__ import annotations

import os
from pathlib import Path

from sciml.runtime.errors import ScimlError

CACHE_VARIABLE = "SCIML_CACHE"


class CacheError(ScimlError):
    """The cache cannot be made."""


def cache_home() -> Path:
    """Return the folder of all caches: `$XDG_CACHE_HOME`, else `~/.cache`; what is not absolute where there is no home."""
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111 (Path raises without a home)


def cache_folder(*parts: str) -> Path:
    """Return a folder of the cache: `$SCIML_CACHE`, else `$XDG_CACHE_HOME/sciml`, else `~/.cache/sciml`.

    The folder is made. Data, checkpoints and system matrices live here, never in the repository.

    Raises:
        CacheError: the folder cannot be made.
    """
    root = os.environ.get(CACHE_VARIABLE)
    base = Path(root) if root else cache_home() / "sciml"
    folder = base.joinpath(*parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CacheError(
            f"cannot make the cache folder {folder}: {error.strerror}; set {CACHE_VARIABLE} to another place"
        ) from error
    return folder


def resource(*parts: str) -> Path:
    """Return a file that travels with the package: `data/…`, `config/…`, `references.bib`.

    In a checkout these lie at the repository's root; a wheel carries them in `sciml/resources`.

    Raises:
        ScimlError: the file is in neither place.
    """
    package = Path(__file__).resolve().parents[1]
    for root in (package / "resources", package.parent):
        path = root.joinpath(*parts)
        if path.exists():
            return path
    raise ScimlError(f"the package lacks its file {'/'.join(parts)}: install it again")
