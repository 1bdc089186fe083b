"""Checks of a store's files before Zarr reads them: plain numbers, known codecs, whole chunks."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from sciml.runtime.errors import DataError
from sciml.runtime.files import read_json

FORMAT = "sciml active fluid run"
TYPES = ("float32", "float64", "complex64", "complex128")
CODECS = ["bytes", "zstd", "crc32c"]
COORDINATES = ("time", "x", "y")
MAX_VALUES = 2**26


def attributes_of(path: Path) -> dict[str, Any]:
    """Return the attributes of a store's group.

    Raises:
        DataError: missing, or no store of this package.
    """
    if not path.is_dir():
        raise DataError(f"no such store: {path}")
    content = read_json(path / "zarr.json")
    attributes = content.get("attributes") if isinstance(content, dict) else None
    if not isinstance(attributes, dict) or attributes.get("format") != FORMAT or content.get("zarr_format") != 3:
        raise DataError(f"{path} is not a run of this package: its zarr.json does not say {FORMAT!r}")
    return attributes


def frames_of(path: Path) -> int:
    """Return the number of saved times that every array with a time has."""
    shapes = [_array(folder)["shape"] for folder in _arrays(path) if folder.name not in ("x", "y")]
    return min((shape[0] for shape in shapes), default=0) if (path / "time").is_dir() else 0


def checked_folder(path: Path) -> None:
    """Compare every array's description and every whole chunk's checksum with what is allowed.

    Raises:
        DataError: a type, codec or shape that is not written here, or a chunk that is missing or damaged.
    """
    frames = frames_of(path)
    for folder in _arrays(path):
        shape = _array(folder)["shape"]
        timed = folder.name not in ("x", "y")
        for index in range(frames if timed else 1):
            chunk = folder.joinpath("c", *map(str, (index, *[0] * (len(shape) - 1))))
            if not _whole(chunk):
                raise DataError(f"{chunk} is missing or damaged: remove {path} and run it again")


def descriptions(path: Path) -> dict[str, Any]:
    """Return the descriptions of a store's arrays by name."""
    return {folder.name: _array(folder) for folder in _arrays(path)}


def _arrays(path: Path) -> list[Path]:
    return sorted(folder for folder in path.iterdir() if folder.is_dir() and folder.name != "carry")


def _array(folder: Path) -> dict[str, Any]:
    described = read_json(folder / "zarr.json")
    try:
        shape = described["shape"]
        chunks = described["chunk_grid"]["configuration"]["chunk_shape"]
        codecs = [codec["name"] for codec in described["codecs"]]
        wanted = shape if folder.name in ("x", "y") else [1, *shape[1:]]
        good = (
            described["zarr_format"] == 3
            and described["node_type"] == "array"
            and described["data_type"] in TYPES
            and all(type(side) is int and side >= 0 for side in shape)
            and len(shape) == (1 if folder.name in COORDINATES else 3)
            and math.prod(shape[1:]) <= MAX_VALUES
            and chunks == wanted
            and codecs == CODECS
            and not described.get("storage_transformers")
        )
    except (KeyError, TypeError, IndexError):
        good = False
    if not good:
        raise DataError(f"{folder}/zarr.json describes an array that this package does not write: it is not read")
    return described


def _whole(chunk: Path) -> bool:
    """Return whether a chunk ends with the checksum of what stands before it."""
    import google_crc32c

    try:
        content = chunk.read_bytes()
    except OSError:
        return False
    return len(content) > 4 and google_crc32c.value(content[:-4]) == int.from_bytes(content[-4:], "little")
