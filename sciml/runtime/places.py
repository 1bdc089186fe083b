"""Where things live: the cache folder and the files that travel with the package."""

from __future__ import annotations

import hashlib
import os
import platform
from pathlib import Path

from sciml.runtime.errors import ScimlError

CACHE_VARIABLE = "SCIML_CACHE"
PROGRAMS_BYTES = 1_000_000_000
"""Most that compiled programs take; those that were not used for longest go."""


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
    folder = _root().joinpath(*parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CacheError(
            f"cannot make the cache folder {folder}: {error.strerror}; set {CACHE_VARIABLE} to another place"
        ) from error
    return folder


def _root() -> Path:
    root = os.environ.get(CACHE_VARIABLE)
    return Path(root) if root else cache_home() / "sciml"


def keep_programs() -> None:
    """Let JAX keep the programs that it compiles in the cache, where one is there; call it before JAX is imported.

    An inference compiles for half a minute, and every process would do it again. Programs hold instructions of the processor
    that they were compiled for, so every kind of processor has a folder of its own. Variables that are set already stand.
    """
    root = _root()
    if not (root.is_dir() and os.access(root, os.W_OK)):
        return
    try:
        about = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        about = platform.processor()
    kind = hashlib.sha256(f"{platform.machine()} {about}".encode()).hexdigest()[:12]
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(root / "programs" / kind))
    os.environ.setdefault("JAX_COMPILATION_CACHE_MAX_SIZE", str(PROGRAMS_BYTES))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.3")


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
