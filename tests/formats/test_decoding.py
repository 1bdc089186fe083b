"""Damage is answered alike by every reader: one line that names the file, and nothing that is unpickled or allocated first."""

from __future__ import annotations

import errno
import warnings
from pathlib import Path

import nibabel
import numpy as np
import PIL.Image
import pytest
import tifffile
from scipy import io

from sciml.formats.decoding import decoding
from sciml.formats.fields import fields_of
from sciml.formats.mat import read_mat
from sciml.formats.nifti import read_scan
from sciml.formats.npy import open_npy
from sciml.formats.pictures import read_picture
from sciml.formats.read import read_image
from sciml.runtime.errors import DataError, FormatError

NOISE = np.random.default_rng(0).random((24, 30, 20))


def picture(path: Path):
    return read_picture(path, 2**20)


def fields(path: Path):
    return list(fields_of(path, ()))


WHOLE = {
    "a.npy": (lambda path: np.save(path, NOISE), (read_image, picture, open_npy, fields)),
    "a.png": (lambda path: PIL.Image.fromarray(np.uint8(255 * NOISE[..., 0])).save(path), (read_image, picture)),
    "a.jpg": (lambda path: PIL.Image.fromarray(np.uint8(255 * NOISE[..., 0])).save(path), (read_image, picture)),
    "a.tif": (lambda path: tifffile.imwrite(path, NOISE[..., 0]), (read_image, picture)),
    "a.nii": (lambda path: nibabel.save(nibabel.Nifti1Image(NOISE, np.eye(4)), path), (read_image, read_scan)),
    "a.nii.gz": (lambda path: nibabel.save(nibabel.Nifti1Image(NOISE, np.eye(4)), path), (read_image, read_scan)),
    "a.mat": (lambda path: io.savemat(path, {"a": NOISE[..., 0]}), (read_mat,)),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_cut_file_is_named_in_one_line_by_every_reader(tmp_path, name, capfd):
    path = tmp_path / name
    make, readers = WHOLE[name]
    make(path)
    content = path.read_bytes()
    for read in readers:
        for share in (0.9, 0.5, 0.01, 0):
            path.write_bytes(content[: int(len(content) * share)])
            with warnings.catch_warnings(), pytest.raises(FormatError) as caught:
                warnings.simplefilter("error")
                read(path)
            assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_an_archive_and_a_pickle_are_no_array(tmp_path):
    np.savez(tmp_path / "a.npz", NOISE)
    (tmp_path / "a.npz").rename(tmp_path / "archive.npy")
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    for read in (read_image, picture, open_npy, fields):
        with pytest.raises(FormatError, match=r"archive\.npy"):
            read(tmp_path / "archive.npy")
        with pytest.raises(FormatError, match="values of type object"):
            read(tmp_path / "objects.npy")


def test_what_the_system_refuses_is_no_damage():
    with pytest.raises(DataError, match="cannot read a: Permission denied") as caught, decoding(Path("a"), "x"):
        raise OSError(errno.EACCES, "Permission denied")
    assert not isinstance(caught.value, FormatError)


def test_one_volume_of_several_is_read_alone(tmp_path):
    path = tmp_path / "a.nii"
    nibabel.save(nibabel.Nifti1Image(np.stack([NOISE, 2 * NOISE], axis=-1), np.eye(4)), path)
    np.testing.assert_array_equal(read_scan(path, volume=1).array, np.float32(2 * NOISE))
    with pytest.raises(DataError, match="choose one of several"):
        read_scan(path)
