"""Files are whole or absent, whatever goes wrong; what is written comes back."""

import contextlib
import errno
import hashlib
import json
import math
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sciml.runtime import files
from sciml.runtime.errors import DataError, FormatError, ScimlError
from sciml.runtime.provenance import Recorder

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcé{}", max_size=3), inner, max_size=3),
    max_leaves=10,
)
TYPES = st.sampled_from(["float32", "float64", "int64", "uint8", "bool"])


@given(JSON)
def test_json_comes_back(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "value.json"
    files.write_json(path, value)
    assert files.read_json(path) == value
    assert json.loads(files.canonical_json(value)) == value


def test_json_has_no_word_for_infinity(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"b": [math.inf, 1.0], "a": (math.nan,), 3: -math.inf})
    assert files.read_json(path) == {"b": [None, 1.0], "a": [None], "3": None}
    with pytest.raises(ValueError):
        files.canonical_json(math.nan)


def test_canonical_json_is_one_text_for_equal_values():
    assert files.canonical_json({"b": 1, "a": [1, 2]}) == files.canonical_json({"a": [1, 2], "b": 1}) == '{"a":[1,2],"b":1}'


@given(st.data())
def test_tensors_come_back(tmp_path_factory, data):
    shapes = arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4)
    tensors = data.draw(st.dictionaries(st.text("abc./", min_size=1, max_size=5), arrays.arrays(TYPES, shapes), max_size=3))
    metadata = data.draw(st.dictionaries(st.text("ab", max_size=2), JSON, max_size=3))
    path = tmp_path_factory.getbasetemp() / "value.safetensors"
    files.save_tensors(path, tensors, metadata)
    found, described = files.load_tensors(path)
    assert described == metadata
    assert found.keys() == tensors.keys()
    for name, array in tensors.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


def test_tensors_that_are_views_come_back(tmp_path):
    array = np.arange(24.0).reshape(4, 6)
    files.save_tensors(tmp_path / "a.safetensors", {"t": array.T, "s": array[::2, ::-1]})
    found, _ = files.load_tensors(tmp_path / "a.safetensors")
    assert np.array_equal(found["t"], array.T) and np.array_equal(found["s"], array[::2, ::-1])


@pytest.mark.parametrize("content", [b"", b"short", b"\x80\x04\x95", b"\xff" * 64, b"\x02\x00\x00\x00\x00\x00\x00\x00{}junk"])
def test_what_is_not_safetensors_is_refused(tmp_path, content):
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(FormatError, match="is not a safetensors file"):
        files.load_tensors(path)
    with pytest.raises(DataError, match="no such file"):
        files.load_tensors(tmp_path / "none")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"{", "line 1 column 2"), (b"\xff\xfe", "not valid JSON"), (b"", "line 1 column 1"), (b"[" * 100_000, "not valid JSON")],
)
def test_what_is_not_json_is_refused(tmp_path, content, message):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=message):
        files.read_json(path)


def test_json_missing_folder_or_huge(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        files.read_json(tmp_path / "none")
    with pytest.raises(DataError, match="Is a directory"):
        files.read_json(tmp_path)
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(files.JSON_LIMIT_BYTES + 1)
    with pytest.raises(DataError, match="larger than the 64 MiB"):
        files.read_json(tmp_path / "huge")


@given(st.binary(max_size=200))
def test_digests(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "bytes"
    files.write_bytes(path, content)
    assert files.digest_file(path) == files.digest_bytes(content) == hashlib.sha256(content).hexdigest()


def test_digest_of_a_missing_file(tmp_path):
    with pytest.raises(DataError, match="cannot read"):
        files.digest_file(tmp_path / "none")


def test_tree_digest_moves_with_the_folder_and_sees_every_change(tmp_path):
    def tree(name, content):
        folder = tmp_path / name
        for file, text in content.items():
            files.write_text(folder / file, text)
        return files.digest_tree(folder)

    first = tree("a", {"x.txt": "1", "y/z.txt": "2"})
    assert tree("b", {"y/z.txt": "2", "x.txt": "1"}) == first
    assert (
        len(
            {
                first,
                tree("c", {"x.txt": "2", "y/z.txt": "2"}),
                tree("d", {"w.txt": "1", "y/z.txt": "2"}),
                tree("e", {"x.txt": "1"}),
            }
        )
        == 4
    )
    lines = "".join(f"{hashlib.sha256(text).hexdigest()}  {name}\n" for name, text in [("x.txt", b"1"), ("y/z.txt", b"2")])
    assert first == hashlib.sha256(lines.encode()).hexdigest()


def test_written_files_have_ordinary_permissions_and_no_company(tmp_path):
    before = os.umask(0o027)
    try:
        files.write_text(tmp_path / "new" / "folder" / "a.txt", "é")
    finally:
        os.umask(before)
    path = tmp_path / "new" / "folder" / "a.txt"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.read_bytes() == "é".encode()
    assert [item.name for item in path.parent.iterdir()] == ["a.txt"]


def test_temporary_keeps_the_suffix(tmp_path):
    with files.atomic_path(tmp_path / "a.png") as temporary:
        assert temporary.suffix == ".png" and temporary.parent == tmp_path


@pytest.mark.parametrize(
    "error", [RuntimeError("half way"), KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")]
)
def test_nothing_half_written_after_an_error(tmp_path, error):
    path = tmp_path / "a.bin"
    files.write_bytes(path, b"old")
    expected = ScimlError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected), files.atomic_path(path) as temporary:
        temporary.write_bytes(b"ne")
        raise error
    assert path.read_bytes() == b"old"
    assert [item.name for item in tmp_path.iterdir()] == ["a.bin"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_full_disk(tmp_path):
    path = tmp_path / "a.bin"
    files.write_bytes(path, b"old")
    with pytest.raises(ScimlError, match="No space left on device; free some space"), files.atomic_path(path) as temporary:
        temporary.unlink()
        temporary.symlink_to("/dev/full")
        temporary.write_bytes(b"x" * 100_000)
    assert path.read_bytes() == b"old"
    assert [item.name for item in tmp_path.iterdir()] == ["a.bin"]


def test_full_disk_in_every_writer(tmp_path, monkeypatch):
    def full(self, content):
        with self.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    for write in (
        lambda: files.write_text(tmp_path / "a", "text"),
        lambda: files.write_json(tmp_path / "b", {"a": 1}),
        lambda: files.save_tensors(tmp_path / "c", {"a": np.zeros(4)}),
    ):
        with pytest.raises(ScimlError, match=r"cannot write .*No space left"):
            write()
    assert not list(tmp_path.iterdir())


def test_folder_that_cannot_be_made_or_written(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(ScimlError, match=r"cannot write .*choose another output folder"):
        files.write_text(tmp_path / "file" / "a.txt", "x")
    with pytest.raises(ScimlError, match="cannot write"):
        (tmp_path / "folder").mkdir()
        files.write_text(tmp_path / "folder", "x")  # the name is taken by a folder

    def refuse(*arguments, **named):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(files.tempfile, "mkstemp", refuse)  # a read-only folder stops even root here
    with pytest.raises(ScimlError, match="Permission denied; choose another output folder"):
        files.write_text(tmp_path / "a.txt", "x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ScimlError, match="Permission denied"):
        files.write_text(tmp_path / "a.txt", "x")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def made(tmp_path):
    """A result with the provenance that its stage wrote."""
    path = tmp_path / "make" / "result.bin"
    path.parent.mkdir()
    path.write_bytes(b"result")
    Recorder("lab.make", {}).write(path.with_name("provenance.json"), [path])
    return path


def test_an_input_is_what_its_stage_wrote(made):
    assert Recorder("lab.read", {}, [made]).describe([])["inputs"] == {str(made): files.digest_bytes(b"result")}
    made.write_bytes(b"resulT")
    with pytest.raises(DataError, match=r"result.bin is not what lab.make wrote: .*remove it"):
        Recorder("lab.read", {}, [made])


def test_a_damaged_record_is_told_with_what_to_do(made):
    record = made.with_name("provenance.json")
    record.write_text(record.read_text()[:40])
    with pytest.raises(DataError, match=r"provenance.json is not valid JSON: .*; remove it, and the workflow makes it again"):
        Recorder("lab.read", {}, [made])


def test_what_killed_writers_left_is_swept_and_nothing_else(tmp_path):
    with contextlib.suppress(KeyboardInterrupt), files.atomic_path(tmp_path / "a" / "b.json") as temporary:
        left = temporary.with_name(temporary.name.replace("b", "c", 1))
        left.touch()
        raise KeyboardInterrupt
    kept = [tmp_path / "a" / name for name in ("c.json", ".c.json", "c.unfinished.json")]
    for path in kept:
        path.touch()
    assert left.exists()
    files.sweep(tmp_path)
    assert sorted((tmp_path / "a").iterdir()) == sorted(kept)


def test_a_file_that_no_stage_wrote_is_read_as_it_is(made, tmp_path):
    other = made.with_name("other.bin")
    other.write_bytes(b"1")
    alone = tmp_path / "alone.bin"
    alone.write_bytes(b"2")
    assert set(Recorder("lab.read", {}, [other, alone]).inputs) == {str(other), str(alone)}
