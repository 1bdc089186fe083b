"""Kernels from files: every format gives the same kernel, and a bad file is answered in one line."""

from __future__ import annotations

import pickle

import numpy as np
import PIL.Image
import pytest
import tifffile
from scipy import io, sparse

from sciml.deblurring.kernels.canonical import canonicalise, embedded, read_kernel
from sciml.imaging.operators.kernels import disk, gaussian
from sciml.runtime.errors import DataError, FormatError, ScimlError


def test_every_format_gives_the_same_kernel(tmp_path):
    kernel = canonicalise(read_kernel("shake:3").kernel).kernel
    np.save(tmp_path / "k.npy", kernel)
    tifffile.imwrite(tmp_path / "k.tif", kernel.astype(np.float32))
    io.savemat(tmp_path / "k.mat", {"f": kernel, "sigma": 0.01, "name": "text"}, do_compression=True)
    io.savemat(tmp_path / "sparse.mat", {"f": sparse.csc_matrix(kernel)})
    levels = np.round(kernel / kernel.max() * 65535).astype(np.uint16)
    PIL.Image.fromarray(levels).save(tmp_path / "k.png")
    for name, tolerance in (("k.npy", 1e-15), ("k.mat", 1e-15), ("sparse.mat", 1e-15), ("k.tif", 1e-8), ("k.png", 1e-6)):
        found = read_kernel(str(tmp_path / name), image_size=(64, 64))
        assert found.kernel.shape == kernel.shape, name
        np.testing.assert_allclose(found.kernel, kernel, atol=tolerance, err_msg=name)
        assert found.shift == (0, 0)


def test_the_dark_background_of_an_8_bit_picture_is_removed_and_told(tmp_path):
    kernel = embedded(disk(4), 25)
    levels = np.round(kernel / kernel.max() * 255).astype(np.uint8)
    veiled = np.where(levels == 0, np.random.default_rng(0).integers(0, 3, levels.shape), levels).astype(np.uint8)
    PIL.Image.fromarray(veiled).save(tmp_path / "k.png")
    found = read_kernel(str(tmp_path / "k.png"))
    np.testing.assert_allclose(found.kernel, disk(4), atol=1e-4)
    assert any("background" in note and "%" in note for note in found.notes)
    # of a dim picture those levels may be the kernel: nothing is removed, and the user is told
    dim = np.round(gaussian(2) / gaussian(2).max() * 9).astype(np.uint8)
    PIL.Image.fromarray(dim).save(tmp_path / "dim.png")
    found = read_kernel(str(tmp_path / "dim.png"))
    assert np.count_nonzero(found.kernel) == np.count_nonzero(dim)
    assert any("only 9 of 255 levels" in note for note in found.notes)


def test_pictures_in_colour_and_with_alpha(tmp_path):
    levels = np.round(gaussian(2) / gaussian(2).max() * 255).astype(np.uint8)
    grey = read_kernel(_saved(tmp_path / "grey.png", levels)).kernel
    rgb = read_kernel(_saved(tmp_path / "rgb.png", np.dstack([levels] * 3)))
    np.testing.assert_allclose(rgb.kernel, grey, rtol=1e-12)
    assert not any("summed" in note for note in rgb.notes)
    found = read_kernel(_saved(tmp_path / "rgba.png", np.dstack([levels] * 3 + [np.full_like(levels, 200)])))
    np.testing.assert_allclose(found.kernel, grey, rtol=1e-12)
    assert any("alpha" in note for note in found.notes)
    with pytest.raises(DataError, match="colour"):
        read_kernel(_saved(tmp_path / "colour.png", np.dstack([levels, levels, levels // 2])))


def _saved(path, levels) -> str:
    PIL.Image.fromarray(levels).save(path)
    return str(path)


def test_a_box_is_a_kernel(tmp_path):
    np.save(tmp_path / "box.npy", np.ones((3, 3), dtype=np.uint8))
    np.testing.assert_allclose(read_kernel(str(tmp_path / "box.npy")).kernel, np.full((3, 3), 1 / 9))


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("code of a file was run",))


def _bad_files(folder):
    np.save(folder / "object.npy", np.array([[Trap()]], dtype=object), allow_pickle=True)
    np.save(folder / "cut.npy", np.ones((9, 9)))
    (folder / "cut.npy").write_bytes((folder / "cut.npy").read_bytes()[:-8])
    (folder / "text.npy").write_text("no array")
    (folder / "pickle.npy").write_bytes(pickle.dumps([[1.0]]))
    (folder / "empty.png").write_bytes(b"")
    (folder / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 40)
    (folder / "text.mat").write_text("MATLAB? " * 40)
    (folder / "empty.mat").write_bytes(b"")
    io.savemat(folder / "two.mat", {"x": np.ones((9, 9)), "f": np.ones((3, 3))})
    io.savemat(folder / "none.mat", {"name": "text", "cells": np.array([[1, "a"]], dtype=object)})
    (folder / "k.jpg").write_bytes(b"")
    (folder / "noend").write_bytes(b"")
    (folder / "folder.npy").mkdir()
    np.save(folder / "zero.npy", np.zeros((3, 3)))
    np.save(folder / "nan.npy", np.full((3, 3), np.nan))


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("object.npy", FormatError, "NPY"),
        ("cut.npy", FormatError, "NPY"),
        ("text.npy", FormatError, "NPY"),
        ("pickle.npy", FormatError, "NPY"),
        ("empty.png", FormatError, "empty"),
        ("damaged.png", FormatError, "damaged|cannot"),
        ("text.mat", FormatError, "MAT"),
        ("empty.mat", FormatError, "MAT"),
        ("two.mat", DataError, "x 9 x 9, f 3 x 3"),
        ("none.mat", DataError, "none"),
        ("k.jpg", DataError, r"\.jpg.*\.png"),
        ("noend", DataError, r"\.png"),
        ("folder.npy", DataError, "folder"),
        ("absent.npy", DataError, "no such file"),
        ("zero.npy", DataError, "zero everywhere"),
        ("nan.npy", DataError, "NaN"),
    ],
)
def test_a_bad_file_is_answered_in_one_line(tmp_path, name, error, message):
    _bad_files(tmp_path)
    with pytest.raises(error, match=message) as caught:
        read_kernel(str(tmp_path / name))
    assert isinstance(caught.value, ScimlError) and "\n" not in str(caught.value)
