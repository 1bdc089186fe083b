"""Files that are whole or absent: atomic writes, canonical JSON, digests, safetensors."""

from __future__ import annotations

import hashlib
import json
import math
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sciml.runtime.errors import ConfigError, DataError, FormatError, ScimlError

if TYPE_CHECKING:
    import numpy as np

JSON_LIMIT_BYTES = 64 * 2**20
UNFINISHED = ".unfinished-"
"""Stands in the name of every temporary: who is alone in a folder may remove what a killed process left."""


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a temporary sibling of `path`; rename it to `path` when the block succeeds.

    The temporary keeps the suffix (libraries choose a format by it). When the block raises, the
    temporary is removed and an older `path` stays as it was.

    Args:
        path: the final name; missing parent folders are made.

    Raises:
        ScimlError: the folder cannot be written (read-only, disk full), in one line.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}{UNFINISHED}", suffix=path.suffix, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise ScimlError(f"cannot write {path}: {error.strerror or error}; choose another output folder") from error
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise ScimlError(f"cannot write {path}: {error.strerror or error}; free some space or choose another folder") from error
    finally:
        temporary.unlink(missing_ok=True)


def sweep(folder: Path | str) -> None:
    """Remove the temporaries below a folder, of writers that were killed; only for who knows that nobody writes there."""
    for path in Path(folder).rglob(f".*{UNFINISHED}*"):
        path.unlink(missing_ok=True)


def refuse_existing(path: Path, force: bool = False) -> None:
    """Raise ConfigError where a result is there already and may not be replaced; an empty folder may be filled."""
    if force or not os.path.lexists(path):
        return
    if not path.is_dir():
        raise ConfigError(f"{path} is there already: --force writes over it")
    if any(path.iterdir()):
        raise ConfigError(f"{path} is a folder that is not empty: choose another one, or write into it with --force")


def check_place(option: str, folder: Path) -> None:
    """Refuse a folder that can neither be written to nor made (ConfigError)."""
    existing = next(place for place in (folder, *folder.resolve().parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise ConfigError(f"{option}: {folder} cannot be written: {error.strerror or error}; choose another folder") from error


@contextmanager
def new_file(path: Path, force: bool) -> Iterator[Path]:
    """Yield a temporary file that becomes `path`, whole or not at all.

    Without `force` the name is taken by a link, which fails where another process was faster.

    Raises:
        ConfigError: see `refuse_existing`.
        ScimlError: it cannot be written.
    """
    refuse_existing(path, force)
    with atomic_path(path) as temporary:
        yield temporary
        if not force:
            try:
                os.link(temporary, path)
            except FileExistsError:
                refuse_existing(path, force)
            except OSError:  # a file system without links
                refuse_existing(path, force)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_bytes(path: Path | str, content: bytes) -> None:
    """Write `content` to `path` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path | str, content: str) -> None:
    """Write `content` to `path` atomically as UTF-8."""
    write_bytes(path, content.encode())


def canonical_json(value: Any) -> str:
    """Return JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def write_json(path: Path | str, value: Any) -> None:
    """Write `value` as readable JSON with sorted keys, atomically.

    Infinite and undefined floats become null, since JSON has no word for them.
    """
    write_text(path, json.dumps(json_values(value), sort_keys=True, indent=2, allow_nan=False) + "\n")


def json_values(value: Any) -> Any:
    """Return a value as JSON gives it back: names are text, lists for tuples, None for infinite and undefined floats."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): json_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_values(item) for item in value]
    return value


def read_json(path: Path | str) -> Any:
    """Read a JSON file of at most 64 MiB.

    Raises:
        DataError: the file is missing, unreadable or too large.
        FormatError: the content is not JSON; the message has line and column.
    """
    path = Path(path)
    try:
        if path.stat().st_size > JSON_LIMIT_BYTES:
            raise DataError(f"{path} is larger than the {JSON_LIMIT_BYTES >> 20} MiB allowed for JSON")
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"{path} is not valid JSON: {error}") from error


def digest_bytes(content: bytes) -> str:
    """Return the SHA-256 of `content` in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def digest_file(path: Path | str) -> str:
    """Return the SHA-256 of a file's content in hexadecimal, read in blocks.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def digest_tree(folder: Path | str) -> str:
    """Return the digest of a folder's files: SHA-256 of `<sha256>  <name>` lines, names sorted bytewise.

    Names are relative to the folder with forward slashes, so the digest moves with the folder.
    """
    folder = Path(folder)
    names = sorted((item.relative_to(folder).as_posix() for item in folder.rglob("*") if item.is_file()), key=str.encode)
    return digest_bytes("".join(f"{digest_file(folder / name)}  {name}\n" for name in names).encode())


def save_tensors(path: Path | str, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, Any] | None = None) -> None:
    """Write arrays to a safetensors file, atomically.

    Args:
        path: the file, by convention `*.safetensors`.
        tensors: name to array (NumPy; torch tensors go through `.numpy()`).
        metadata: JSON values that are kept under one key and come back from `load_tensors`.
    """
    import numpy as np
    from safetensors.numpy import save

    arrays = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    write_bytes(path, save(arrays, {"sciml": canonical_json(json_values(metadata or {}))}))


def note_opened(path: Path | str) -> None:
    """Tell who listens to opened files (`sciml.runtime.declared`) of one that a library opens without Python."""
    sys.audit("open", os.fspath(path), "r", 0)


def load_tensors(path: Path | str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read a safetensors file as (arrays by name, metadata). Never executes code.

    Raises:
        DataError: the file is missing.
        FormatError: the content is not safetensors.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise DataError(f"no such file: {path}")
    try:
        note_opened(path)
        with safe_open(path, framework="np") as file:
            metadata = json.loads((file.metadata() or {}).get("sciml", "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, metadata  # noqa: SIM118
    except (SafetensorError, ValueError, OSError, RecursionError) as error:
        raise FormatError(f"{path} is not a safetensors file: {error}") from error
