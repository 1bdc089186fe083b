"""The declared data: one record a file, read from `data/manifest.csv` and the user's own list.

A record names a file inside a package's archive, its size and its SHA-256. The same record says who
made it, under which licence it comes and which subject it shows.
"""

from __future__ import annotations

import csv
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from sciml.runtime.errors import ConfigError, DataError, FormatError, ScimlError
from sciml.runtime.files import canonical_json, digest_bytes, digest_file, digest_tree, read_json, write_json
from sciml.runtime.places import CacheError, cache_folder, resource

TIERS = ("pip", "ci", "default", "full")
TREE = "tree:"


@dataclass(frozen=True)
class Package:
    """An archive that holds declared files: a Python wheel (`pip`) or a Debian package (`apt`).

    `archive_bytes` and `archive_sha256` are hints: a point release may change the archive and leave
    the files as they are. What counts is each file's own digest.
    """

    package: str
    kind: str
    version: str
    archive_bytes: int
    archive_sha256: str
    licence: str
    citation: str
    tier: str


@dataclass(frozen=True)
class Record:
    """One declared file, or one folder of files where `sha256` begins with `tree:`.

    Attributes:
        id: the name used everywhere else.
        source: `pip`, `apt` or `user`.
        path: inside the archive; absolute for a user's file.
        shape: as text, `rows x columns x channels` or `depth x rows x columns`.
        bytes: size of the file, or of all files of the folder together.
        families: the families that use it.
        patient: the subject shown, where there is one; files of one subject share it.
        citation: key in `references.bib`, may be empty for a user's file.
        tier: the smallest data tier that holds it (`ci`, `default`, `full`), or `user`.
    """

    id: str
    source: str
    package: str
    version: str
    path: str
    shape: str
    dtype: str
    bytes: int
    sha256: str
    licence: str
    role: str
    families: tuple[str, ...]
    split: str
    patient: str
    citation: str
    author: str
    tier: str

    @property
    def is_folder(self) -> bool:
        """Whether the record stands for a folder of files (a DICOM series)."""
        return self.sha256.startswith(TREE)

    @property
    def location(self) -> Path:
        """Where the file lies, or will lie once fetched."""
        if self.source == "user":
            return Path(self.path)
        return cache_folder("data") / self.id / PurePosixPath(self.path).name


def data_folder() -> Path:
    """Return the folder of fetched files in the cache."""
    return cache_folder("data")


def user_manifest() -> Path:
    """Return the path of the user's own list, which `sciml data add` writes."""
    return cache_folder() / "user-manifest.csv"


@lru_cache(maxsize=1)
def packages() -> dict[str, Package]:
    """Return the declared packages by name."""
    found = {}
    for row in _rows(resource("data", "packages.csv")):
        found[row["package"]] = Package(**{**row, "archive_bytes": int(row["archive_bytes"])})
    return found


@lru_cache(maxsize=1)
def tracked() -> dict[str, Record]:
    """Return the records of the tracked manifest by id, in the order of the file."""
    known = packages()
    return {row["id"]: _record(row, known[row["package"]].tier) for row in _rows(resource("data", "manifest.csv"))}


def records() -> dict[str, Record]:
    """Return all records by id: the tracked ones, then the user's."""
    own = {}
    with suppress(CacheError):  # without a cache there is no user's list
        path = user_manifest()
        own = {row["id"]: _record(row, "user") for row in _rows(path)} if path.exists() else {}
    # a tracked id wins: a name that was added before it became a tracked one must not shadow it
    return {**tracked(), **{name: row for name, row in own.items() if name not in tracked()}}


def record(name: str) -> Record:
    """Return the record of one id.

    Raises:
        ConfigError: there is no such id; the message offers the nearest ones.
    """
    known = records()
    if name in known:
        return known[name]
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "`sciml data list` shows all"
    raise ConfigError(f"there is no data set {name!r}: {hint}")


def members(name: str) -> list[str]:
    """Return the ids that a name stands for: itself, or every file of a folder that a user added.

    Raises:
        ConfigError: there is neither such an id nor such a folder.
    """
    own = [other for other in records() if other.startswith(name + "/")]
    return own or [record(name).id]


def tier_ids(tier: str) -> list[str]:
    """Return the ids that a data tier holds; each tier contains the smaller ones.

    Raises:
        ConfigError: the tier is unknown.
    """
    wanted = TIERS[: check_tier(tier) + 1]
    return [name for name, row in tracked().items() if row.tier in wanted]


def check_tier(tier: str) -> int:
    """Return the rank of a data tier, 0 for the smallest; ConfigError for an unknown one."""
    if tier not in TIERS:
        raise ConfigError(f"unknown data tier {tier!r}: choose one of {', '.join(TIERS)}")
    return TIERS.index(tier)


def is_present(row: Record) -> bool:
    """Say whether the file is there with the declared size (cheap: no hashing)."""
    return stored_bytes(row.location) == row.bytes


def stored_bytes(path: Path) -> int | None:
    """Return the size of a file, or of all files in a folder; None where there is nothing."""
    try:
        if path.is_dir():
            return sum(item.stat().st_size for item in path.rglob("*") if item.is_file())
        return path.stat().st_size
    except OSError:
        return None


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, or `tree:` and the digest of a folder."""
    return TREE + digest_tree(path) if path.is_dir() else digest_file(path)


def is_verified(row: Record) -> bool:
    """Say whether a file is there with the declared SHA-256.

    A stamp beside it (inode, size, times of the last change of content and of entry) spares the hashing: without a fitting one
    the file is hashed and stamped.
    """
    if not is_present(row):
        return False
    state = _state(row)
    if _verified.get(row.id) == state:
        return True
    with suppress(ScimlError):  # absent, damaged, or in a cache that cannot be written: hash instead
        if read_json(_stamp_path(row)) == state:
            _verified[row.id] = state
            return True
    if digest(row.location) != row.sha256:
        return False
    write_stamp(row)
    return True


def write_stamp(row: Record) -> None:
    """Note that a file has the declared SHA-256 now; a cache that cannot be written is hashed anew by every process."""
    _verified[row.id] = state = _state(row)
    with suppress(ScimlError):
        write_json(_stamp_path(row), state)


_verified: dict[str, dict[str, str]] = {}


def _stamp_path(row: Record) -> Path:
    if row.source == "user":
        return cache_folder("user") / f"{quote(row.id, safe='')}.json"
    return data_folder() / row.id / ".stamp.json"


def _state(row: Record) -> dict[str, str]:
    """Return the declared digest, and a digest of what the file system says of the file or of all files of the folder."""
    files = sorted(item for item in row.location.rglob("*") if item.is_file()) if row.is_folder else [row.location]
    entries = [(str(item), (found := item.stat()).st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns) for item in files]
    return {"sha256": row.sha256, "files": digest_bytes(canonical_json(entries).encode())}


def local_path(name: str) -> Path:
    """Return the path of a data set's file or folder, whose SHA-256 is the declared one.

    Raises:
        ConfigError: unknown id.
        DataError: not fetched, or it is not what was declared.
    """
    row = record(name)
    if is_verified(row):
        return row.location
    size = stored_bytes(row.location)
    fetch = fetch_advice(row)
    if size == row.bytes:
        if row.source == "user":
            raise DataError(f"{name}: {row.location} has changed since it was added; add it again: `sciml data add {name} PATH`")
        raise DataError(f"data set {name} is damaged: {row.location} is not what was declared; {fetch}")
    if row.source == "user":
        state = "is gone" if size is None else f"has {size} bytes, {row.bytes} when it was added"
        raise DataError(f"{name}: {row.location} {state}; add it again: `sciml data add {name} PATH`")
    state = "is not fetched" if size is None else f"has {size} bytes, expected {row.bytes}"
    raise DataError(f"data set {name} {state}: {fetch}")


def fetch_advice(row: Record) -> str:
    """Return what brings a declared file here: a fetch, or the smaller data where this system has no apt."""
    if row.package and packages()[row.package].kind == "apt" and shutil.which("apt-get") is None:
        return "it comes by apt, which this system lacks: use --data-tier pip (in settings data_tier: pip)"
    return f"run `sciml data fetch --only {row.id}`"


def available_tier() -> str:
    """Return the largest tier that is there: `full`, `default`, `ci`, `pip` (what comes without apt) or `none`."""
    there = {name for name, row in tracked().items() if is_present(row)}
    for tier in reversed(TIERS):
        if there.issuperset(tier_ids(tier)):
            return tier
    return "none"


def usable_tier(wanted: str) -> str:
    """Return the largest tier up to `wanted` whose data are there.

    Raises:
        DataError: not even what pip brings is there.
    """
    there = available_tier()
    if there == "none":
        raise DataError(f"no data are fetched: run `sciml data fetch --data-tier {wanted}`")
    return min(wanted, there, key=check_tier)


def in_ci() -> bool:
    """Say whether this is a check run, where a missing file is a failure and not a fallback."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FormatError(f"cannot read the list of data {path}: {error}") from error


def _record(row: dict[str, str], tier: str) -> Record:
    try:
        text = {field.name: row[field.name] or "" for field in fields(Record) if field.name != "tier"}
        return Record(
            **{**text, "bytes": int(row["bytes"]), "families": tuple(filter(None, text["families"].split(";"))), "tier": tier}
        )
    except (KeyError, ValueError, TypeError) as error:
        raise FormatError(f"a row of the list of data is damaged ({error}): {row}") from error
