"""A user's own files beside the declared data."""

from __future__ import annotations

import numpy as np
import pytest
from dicom_files import slice_file

from sciml.datasets.loaders import load
from sciml.datasets.manifest import members, records, tracked, user_manifest
from sciml.datasets.user import add
from sciml.formats.write import write_image
from sciml.runtime.errors import ConfigError, DataError, FormatError


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.setenv("SCIML_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "own"
    folder.mkdir()
    generator = np.random.default_rng(1)
    write_image(folder / "a [1].png", generator.random((20, 30)))
    write_image(folder / "b.npy", generator.random((5, 20, 30)))
    (folder / "notes.txt").write_text("not an image")
    return folder


def test_a_users_file(own):
    rows = add("mine", own / "b.npy", licence="CC0-1.0")
    assert [row.id for row in rows] == ["mine"] and rows[0].licence == "CC0-1.0" and rows[0].shape == "5x20x30"
    assert load("mine").array.shape == (5, 20, 30) and load("mine[1:3]").array.shape == (2, 20, 30)
    assert "mine" in records() and "mine" not in tracked()
    assert "user-manifest.csv" in str(user_manifest()) and str(own) in user_manifest().read_text()
    write_image(own / "b.npy", np.random.default_rng(2).random((4, 20, 30)))
    with pytest.raises(DataError, match="add it again"):
        load("mine")
    add("mine", own / "b.npy")
    assert load("mine").array.shape == (4, 20, 30)


def test_a_users_file_that_was_replaced_is_refused_until_it_is_added_again(own, tmp_path):
    path = tmp_path / "mine.npy"
    np.save(path, np.arange(12.0).reshape(3, 4))
    add("mine", path)
    load("mine")
    np.save(path, np.arange(12.0).reshape(3, 4)[::-1])
    with pytest.raises(DataError, match=r"mine: .* has changed since it was added; add it again"):
        load("mine")
    add("mine", path)
    assert load("mine").array[0, 0] == 8


def test_a_users_folder(own):
    add("mine", own)
    assert members("mine") == ["mine/a__1_.png", "mine/b.npy"] and members("camera") == ["camera"]
    assert load("mine/a__1_.png").unit == "sRGB"


def test_a_users_series_is_one_volume(own, tmp_path):
    folder = tmp_path / "series"
    folder.mkdir()
    for index in range(3):
        slice_file(folder / f"{index}.dcm", float(index), np.arange(6).reshape(2, 3))
    assert [row.id for row in add("scan", folder)] == ["scan"]
    assert load("scan").array.shape == (3, 2, 3)


def test_what_is_not_added(own, tmp_path):
    for name in ("kodim23", "Big", "a/b", ""):
        with pytest.raises(ConfigError):
            add(name, own / "b.npy")
    with pytest.raises(DataError, match="no such file"):
        add("mine", own / "absent.png")
    with pytest.raises(DataError, match="unknown suffix"):
        add("mine", own / "notes.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no image"):
        add("mine", tmp_path / "empty")
    (own / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with pytest.raises(FormatError, match="broken"):
        add("mine", own)
    assert not user_manifest().exists()
