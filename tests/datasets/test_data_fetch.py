"""Fetching: whole and verified, or nothing."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sciml.datasets import archives, fetching, manifest
from sciml.datasets.cli import app
from sciml.datasets.fetching import fetch, is_verified, verify
from sciml.datasets.manifest import available_tier, local_path, record
from sciml.runtime.errors import ConfigError, DataError, PartialResult, ScimlError

needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb is not installed")
SERIES = {"b": b"slice b", "a": b"slice a", "deep/c": b"slice c"}


def test_a_file_and_a_folder_arrive_whole(world):
    world.declare("one", b"content" * 1000)
    world.declare("series", SERIES, path="inside/series/")
    world.wheel(
        {
            "other.py": b"x",
            "inside/one.bin": b"content" * 1000,
            **{f"inside/series/{key}": value for key, value in SERIES.items()},
        }
    )
    result = fetch(["one", "series"])
    assert sorted(result.fetched) == ["one", "series"] and not result.missing
    assert local_path("one").read_bytes() == b"content" * 1000
    assert (local_path("series") / "deep" / "c").read_bytes() == b"slice c"
    assert world.kept() == ["one/one.bin", "series/series/a", "series/series/b", "series/series/deep/c"]
    assert not list((world.cache / "data" / ".downloads").iterdir()), "the archive is deleted"
    assert available_tier() == "full", "nothing else is declared here"


@needs_dpkg
def test_a_debian_archive_is_read_without_installing(world):
    world.declare("picture", b"jpeg", kind="apt", path="usr/share/picture.jpg")
    world.declare("series", SERIES, kind="apt", path="usr/share/series/")
    world.deb({"./usr/share/picture.jpg": b"jpeg", **{f"./usr/share/series/{key}": value for key, value in SERIES.items()}})
    assert sorted(fetch(["picture", "series"]).fetched) == ["picture", "series"]
    assert world.kept() == ["picture/picture.jpg", "series/series/a", "series/series/b", "series/series/deep/c"]


@pytest.mark.parametrize("wrong", [b"contenT", b"content and more", b"cont", b""])
def test_another_content_is_refused_and_not_kept(world, wrong):
    world.declare("one", b"content")
    world.wheel({"inside/one.bin": wrong})
    with pytest.raises(DataError, match="one: ") as error:
        fetch(["one"])
    assert record("one").sha256 in str(error.value) and "nothing was kept" in str(error.value)
    found = str(error.value).partition("SHA-256 ")[2][:64]
    assert found != record("one").sha256 and len(set(found) - set("0123456789abcdef")) == 0
    assert world.kept() == [] and not (world.cache / "data" / "one").exists()


def test_a_folder_with_one_wrong_slice_is_refused(world):
    world.declare("series", SERIES, path="inside/series/")
    world.wheel({f"inside/series/{key}": value for key, value in {**SERIES, "a": b"slice A"}.items()})
    with pytest.raises(DataError, match=r"series: .*tree:"):
        fetch(["series"])
    assert world.kept() == []


def test_the_rest_arrives_when_one_file_is_wrong(world):
    world.declare("bad", b"content", package="bad-package")
    world.declare("good", b"content")
    world.wheel({"inside/bad.bin": b"other"}, package="bad-package")
    world.wheel({"inside/good.bin": b"content"})
    with pytest.raises(DataError, match="bad: "):
        fetch(["bad", "good"])
    assert world.kept() == ["good/good.bin"]


def test_a_fetch_resumes(world):
    world.declare("one", b"1" * 100)
    world.declare("two", b"2" * 100, package="second")
    world.wheel({"inside/one.bin": b"1" * 100})
    world.wheel({"inside/two.bin": b"2" * 100}, package="second")
    fetch(["one"])
    result = fetch(["one", "two"])
    assert result.present == ["one"] and result.fetched == ["two"]
    assert world.downloads == ["package-pip", "second"], "what is there is not downloaded again"
    local_path("one").write_bytes(b"x" * 100)
    assert not is_verified(record("one")), "a stamp does not outlive a change of the file"
    assert fetch(["one"]).fetched == ["one"]
    assert verify(record("one")) == "ok"


@pytest.mark.parametrize("keep_time", [True, False])
def test_a_changed_byte_of_a_file_or_of_a_slice_is_refused_when_it_is_loaded(world, keep_time):
    world.declare("one", b"content")
    world.declare("series", SERIES, path="inside/series/")
    world.wheel({"inside/one.bin": b"content", **{f"inside/series/{key}": value for key, value in SERIES.items()}})
    fetch(["one", "series"])
    for name, file in (("one", local_path("one")), ("series", local_path("series") / "deep" / "c")):
        before = file.stat()
        file.write_bytes(file.read_bytes()[:-1] + b"!")
        if keep_time:
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        with pytest.raises(DataError, match=f"data set {name} is damaged: .*sciml data fetch --only {name}"):
            local_path(name)
    assert sorted(fetch(["one", "series"]).fetched) == ["one", "series"], "the remedy works"
    assert local_path("one").read_bytes() == b"content"


def test_what_was_verified_is_not_hashed_again(world, monkeypatch):
    world.declare("one", b"content")
    world.wheel({"inside/one.bin": b"content"})
    fetch(["one"])
    monkeypatch.setattr(manifest, "_verified", {})
    monkeypatch.setattr(manifest, "digest", lambda path: pytest.fail("hashed again"))
    local_path("one")
    (world.cache / "data" / "one" / ".stamp.json").unlink()
    local_path("one")  # this process knows it


def test_a_cache_that_cannot_be_written_is_read(world, monkeypatch):
    world.declare("one", b"content")
    world.wheel({"inside/one.bin": b"content"})
    fetch(["one"])
    (world.cache / "data" / "one" / ".stamp.json").unlink()
    monkeypatch.setattr(manifest, "_verified", {})

    def refuse(*_):
        raise ScimlError("read-only")

    monkeypatch.setattr(manifest, "write_json", refuse)
    assert local_path("one").read_bytes() == b"content"


@pytest.fixture
def of_another(world, monkeypatch):
    """Return a function that makes the cache somebody else's: root becomes nobody, others lose the right, until the test ends."""
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to others
        cache = Path(folder) / "cache"
        Path(folder).chmod(0o755)
        monkeypatch.setenv("SCIML_CACHE", str(cache))
        root = os.geteuid() == 0

        def give_away() -> Path:
            if root:
                os.seteuid(65534)
            else:
                for path in (cache, *cache.rglob("*")):
                    path.chmod(0o555 if path.is_dir() else 0o444)
            return cache

        try:
            yield give_away
        finally:
            if root:
                os.seteuid(0)
            else:
                for path in (cache, *(path for path in cache.rglob("*") if path.is_dir())):
                    path.chmod(0o755)


@pytest.mark.parametrize("stamped", [True, False])
def test_a_complete_cache_of_somebody_else_is_used(world, of_another, monkeypatch, stamped):
    world.declare("one", b"content")
    world.declare("two", b"more", package="second")
    world.wheel({"inside/one.bin": b"content"})
    assert fetch(["one"]).fetched == ["one"]
    stamp = manifest.data_folder() / "one" / ".stamp.json"
    if not stamped:
        stamp.unlink()
    monkeypatch.setattr(manifest, "_verified", {})
    cache = of_another()
    with pytest.raises(PermissionError):
        (cache / "data" / ".lock").open("a")
    assert fetch(["one"]).present == ["one"] and local_path("one").read_bytes() == b"content"
    with pytest.raises(ScimlError, match=r"data are missing in .* cannot be written .*: set SCIML_CACHE") as caught:
        fetch(["one", "two"])
    assert "\n" not in str(caught.value)


def test_a_half_archive_is_got_again(world):
    world.declare("one", b"content")
    whole = world.wheel({"inside/one.bin": b"content"}).read_bytes()
    downloads = world.cache / "data" / ".downloads"
    (downloads / ".partial-package-pip").mkdir(parents=True)
    (downloads / ".partial-package-pip" / "half.whl").write_bytes(whole[:50])
    (downloads / "package-pip").mkdir()
    (downloads / "package-pip" / "package-1.0.whl").write_bytes(whole[:50])
    (world.cache / "data" / "one").mkdir()
    (world.cache / "data" / "one" / ".one.x7f3.bin").write_bytes(b"half")
    assert fetch(["one"]).fetched == ["one"]
    assert world.downloads == ["package-pip"]
    assert sorted(item.name for item in (world.cache / "data" / "one").iterdir()) == [".stamp.json", "one.bin"]


def test_archives_are_kept_on_request(world):
    world.declare("one", b"content")
    world.wheel({"inside/one.bin": b"content"})
    fetch(["one"], keep_archives=True)
    shutil.rmtree(world.cache / "data" / "one")
    fetch(["one"], keep_archives=True)
    assert world.downloads == ["package-pip"]


@needs_dpkg
@pytest.mark.parametrize("evil", ["../../../../evil", "../evil", "x/../../evil", "a\\..\\evil"])
def test_a_name_that_leads_outside_is_refused(world, evil):
    world.declare("series", {"a": b"a"}, kind="apt", path="usr/series/")
    world.deb({"usr/series/a": b"a", f"usr/series/{evil}": b"evil"})
    with pytest.raises(DataError, match="leads outside"):
        fetch(["series"])
    assert world.kept() == []
    assert not list(world.cache.parent.rglob("*evil*"))


@needs_dpkg
def test_links_are_never_followed(world):
    world.declare("one", b"content", kind="apt", path="usr/one")
    world.deb({"usr/one": None})
    with pytest.raises(DataError, match="has no file usr/one"):
        fetch(["one"])
    assert world.kept() == []


def test_a_lock_keeps_two_fetches_apart(world):
    world.declare("one", b"content")
    world.wheel({"inside/one.bin": b"content"})
    (world.cache / "data").mkdir(parents=True)
    code = f"""
import fcntl, sys
file = open({str(world.cache / "data" / ".lock")!r}, "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.readline()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with (world.cache / "data" / ".lock").open("w") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        holder.communicate("go\n")
    assert fetch(["one"]).fetched == ["one"]


APT_DOWNLOAD = archives._apt_download


def without_apt(world, monkeypatch):
    world.declare("one", b"content")
    world.declare("far", b"content", kind="apt")
    world.wheel({"inside/one.bin": b"content"})

    def unknown(package, target):
        raise archives.PackageUnavailable("apt: E: Unable to locate package package-apt")

    monkeypatch.setattr(archives, "_apt_download", unknown)
    monkeypatch.setattr(fetching, "has_apt", lambda: True)


def test_without_apt_lists_the_pip_data_arrive_with_advice(world, monkeypatch):
    without_apt(world, monkeypatch)
    result = fetch(["one", "far"])
    assert result.fetched == ["one"] and "sudo apt-get update" in result.missing["far"]
    assert available_tier() == "pip"
    run = CliRunner().invoke(app, ["fetch", "--tier", "ci"])
    assert run.exit_code == 0 and "sudo apt-get update" in run.output


@pytest.mark.parametrize(("arguments", "ci"), [(["--refuse-missing"], ""), ([], "true")])
def test_missing_data_is_a_partial_result_where_it_matters(world, monkeypatch, arguments, ci):
    without_apt(world, monkeypatch)
    monkeypatch.setenv("CI", ci)
    run = CliRunner().invoke(app, ["fetch", "--tier", "ci", *arguments])
    assert isinstance(run.exception, PartialResult) and run.exception.exit_code == 3


def test_a_system_without_apt(monkeypatch, tmp_path):
    from sciml.datasets.manifest import Package

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(archives.PackageUnavailable, match="no apt-get"):
        archives.obtain(Package("p", "apt", "1", 1, "", "", "", "ci"), tmp_path)


def test_without_apt_nothing_is_advised_that_needs_it(world, monkeypatch, tmp_path):
    world.declare("near", b"content")
    world.declare("far", b"content", kind="apt")
    monkeypatch.setattr(archives, "_apt_download", APT_DOWNLOAD)
    for path, wanted, other in ((os.environ["PATH"], "fetch --only far", "pip"), (str(tmp_path), "data_tier: pip", "--only")):
        monkeypatch.setenv("PATH", path)
        if path == str(tmp_path) or shutil.which("apt-get"):
            with pytest.raises(DataError, match=wanted) as caught:
                local_path("far")
            assert other not in str(caught.value)
    with pytest.raises(DataError, match="fetch --only near"):
        local_path("near")
    reason = fetch(["far"]).missing["far"]
    assert "no apt-get" in reason and "--data-tier pip" in reason and "sudo" not in reason


def test_unfetched_unknown_and_changed_data_say_what_to_do(world):
    world.declare("photo", b"content")
    with pytest.raises(DataError, match="fetch --only photo"):
        local_path("photo")
    with pytest.raises(ConfigError, match="did you mean photo"):
        local_path("phooto")
    world.wheel({"inside/photo.bin": b"content"})
    fetch(["photo"])
    local_path("photo").write_bytes(b"short")
    with pytest.raises(DataError, match="5 bytes, expected 7"):
        local_path("photo")
    run = CliRunner().invoke(app, ["verify"])
    assert isinstance(run.exception, DataError) and "expected 7" in str(run.exception)
