"""A user's own files beside the declared ones: `sciml data add NAME PATH`."""

from __future__ import annotations

import csv
import re
from dataclasses import fields
from pathlib import Path

from sciml.datasets.manifest import Record, digest, records, stored_bytes, tracked, user_manifest
from sciml.runtime.errors import ConfigError, DataError
from sciml.runtime.files import atomic_path

NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


def add(name: str, path: Path | str, licence: str = "") -> list[Record]:
    """Write a user's file, or every image of a folder, into the user's list with its digest.

    The files stay where they are; `load` then takes the name. A folder of DICOM slices becomes one
    volume called `name`; any other folder becomes one entry a file, `name/file`, in the order of their names.

    Args:
        name: lower-case letters, digits, `_`, `.` and `-`; not the id of a declared data set.
        path: a file that `sciml.formats.read.read_image` reads, or a folder of such files.
        licence: what others may do with it, in words.

    Returns:
        The records written. A name that was added before is replaced.

    Raises:
        ConfigError: the name is taken or not allowed.
        DataError: nothing there that can be read; the first file that cannot be read is named.
    """
    from sciml.datasets.loaders import load_user

    if not NAME.fullmatch(name):
        raise ConfigError(f"{name!r} is not a name: use lower-case letters, digits, '_', '.' and '-', at most 64")
    if name in tracked():
        raise ConfigError(f"{name} is the id of a declared data set: choose another name")
    path = Path(path).expanduser().resolve()
    if not path.exists():
        raise DataError(f"no such file or folder: {path}")
    added = []
    for entry, item in _entries(name, path).items():
        image = load_user(item)
        shape = "x".join(map(str, image.array.shape))
        texts = {field.name: "" for field in fields(Record)}
        texts |= {"id": entry, "source": "user", "path": str(item), "shape": shape, "dtype": f"{image.unit} {image.axes}"}
        texts |= {"sha256": digest(item), "licence": licence or "not stated", "role": "user", "tier": "user"}
        added.append(Record(**{**texts, "bytes": stored_bytes(item), "families": ()}))  # type: ignore[arg-type]
    others = [row for row in records().values() if row.source == "user" and row.id != name and not row.id.startswith(name + "/")]
    _write([*others, *added])
    return added


def _entries(name: str, path: Path) -> dict[str, Path]:
    from sciml.formats.dicom import is_dicom
    from sciml.formats.read import SUFFIXES

    if path.is_file():
        return {name: path}
    files = sorted(item for item in path.iterdir() if item.is_file() and not item.name.startswith("."))
    if len(files) > 1 and all(item.suffix.lower() in (".dcm", "", *_numbers(item)) and is_dicom(item) for item in files):
        return {name: path}
    images = [item for item in files if item.name.lower().endswith(SUFFIXES)]
    if not images:
        raise DataError(f"{path} holds no image: files with the suffixes {', '.join(SUFFIXES)} are read")
    # brackets mark a range in an entry and spaces part words on a command line: neither may stand in an id
    named = {f"{name}/{re.sub(r'[^A-Za-z0-9_.-]', '_', item.name)}": item for item in images}
    if len(named) < len(images):
        raise ConfigError(f"{path} holds file names that differ only in special characters: rename them")
    return named


def _numbers(item: Path) -> tuple[str, ...]:
    """Return the suffix where it is a number: DICOM files are often named by their identifiers."""
    return (item.suffix,) if item.suffix[1:].isdigit() else ()


def _write(rows: list[Record]) -> None:
    columns = [field.name for field in fields(Record) if field.name != "tier"]
    with atomic_path(user_manifest()) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        for row in rows:
            writer.writerow({**row.__dict__, "families": ";".join(row.families)})
