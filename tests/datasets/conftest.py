"""A declared world of its own for each test: manifest, packages and cache in temporary folders."""

from __future__ import annotations

import csv
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

import pytest

from sciml.datasets import archives, manifest
from sciml.runtime.files import digest_bytes

MANIFEST = [field.name for field in fields(manifest.Record) if field.name != "tier"]
PACKAGES = [field.name for field in fields(manifest.Package)]


@dataclass
class World:
    """Declares files and builds the archives that pretend to hold them."""

    folder: Path
    cache: Path
    rows: list[dict[str, str]] = field(default_factory=list)
    packages: dict[str, dict[str, str]] = field(default_factory=dict)
    archives: dict[str, Path] = field(default_factory=dict)
    downloads: list[str] = field(default_factory=list)

    def declare(
        self, name: str, content: bytes | Mapping[str, bytes], *, kind: str = "pip", path: str | None = None, **extra: str
    ) -> None:
        """Declare a file, or a folder given as member to content."""
        package = extra.pop("package", f"package-{kind}")
        if isinstance(content, bytes):
            size, sha256 = len(content), digest_bytes(content)
        else:
            size = sum(map(len, content.values()))
            lines = "".join(f"{digest_bytes(content[key])}  {key}\n" for key in sorted(content, key=str.encode))
            sha256 = "tree:" + hashlib.sha256(lines.encode()).hexdigest()
        row = dict.fromkeys(MANIFEST, "") | {"id": name, "source": kind, "package": package, "path": path or f"inside/{name}.bin"}
        self.rows.append(row | {"bytes": str(size), "sha256": sha256, "version": "1.0", "licence": "CC0-1.0"} | extra)
        self.packages[package] = dict.fromkeys(PACKAGES, "") | {
            "package": package,
            "kind": kind,
            "archive_bytes": "1",
            "tier": "ci",
        }
        for file, columns, rows in (("manifest", MANIFEST, self.rows), ("packages", PACKAGES, self.packages.values())):
            with (self.folder / "data" / f"{file}.csv").open("w", newline="") as stream:
                writer = csv.DictWriter(stream, columns)
                writer.writeheader()
                writer.writerows(rows)
        manifest.tracked.cache_clear()
        manifest.packages.cache_clear()

    def wheel(self, contents: Mapping[str, bytes], package: str = "package-pip") -> Path:
        path = self.folder / f"{package}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in contents.items():
                archive.writestr(name, content)
        self.archives[package] = path
        return path

    def deb(self, contents: Mapping[str, bytes | None], package: str = "package-apt") -> Path:
        """Write a Debian archive by hand; content None makes a symbolic link to /etc/passwd."""
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as archive:
            for name, content in contents.items():
                entry = tarfile.TarInfo(name)
                if content is None:
                    entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
                    archive.addfile(entry)
                else:
                    entry.size = len(content)
                    archive.addfile(entry, io.BytesIO(content))
        empty = io.BytesIO()
        tarfile.open(fileobj=empty, mode="w").close()
        path = self.folder / f"{package}_1.0_all.deb"
        parts = {"debian-binary": b"2.0\n", "control.tar": empty.getvalue(), "data.tar": stream.getvalue()}
        with path.open("wb") as file:
            file.write(b"!<arch>\n")
            for name, content in parts.items():
                file.write(f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode())
                file.write(content + b"\n" * (len(content) % 2))
        self.archives[package] = path
        return path

    def kept(self) -> list[str]:
        """Names of everything in the cache's data folder that is not bookkeeping."""
        data = self.cache / "data"
        return sorted(
            item.relative_to(data).as_posix() for item in data.rglob("*") if item.is_file() and not item.name.startswith(".")
        )


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(tmp_path / "world", tmp_path / "cache")
    (made.folder / "data").mkdir(parents=True)

    def bring(package: manifest.Package, target: Path) -> None:
        made.downloads.append(package.package)
        source = made.archives[package.package]
        (target / source.name).write_bytes(source.read_bytes())

    monkeypatch.setenv("SCIML_CACHE", str(made.cache))
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(manifest, "resource", lambda *parts: made.folder.joinpath(*parts))
    monkeypatch.setattr(archives, "_pip_download", bring)
    monkeypatch.setattr(archives, "_apt_download", bring)
    yield made
    manifest.tracked.cache_clear()
    manifest.packages.cache_clear()


@pytest.fixture
def fetched() -> Callable[..., None]:
    """Skip a test whose data are not there; fail it in a check run."""

    def need(*names: str) -> None:
        absent = [name for name in names if not manifest.is_present(manifest.record(name))]
        if absent:
            (pytest.fail if manifest.in_ci() else pytest.skip)(
                f"not fetched: {', '.join(absent)}; run `sciml data fetch --data-tier ci`"
            )

    return need
