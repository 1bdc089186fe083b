"""The packed volume formats and series of DICOM slices, good and damaged."""

from __future__ import annotations

import base64
import gzip
import io
import json
import plistlib
import tarfile
import zlib

import numpy as np
import pytest
from dicom_files import slice_file

from sciml.formats.dicom import dicom_series
from sciml.formats.packed import inflate, invesalius, jnifti, raw_volume
from sciml.runtime.errors import DataError, FormatError

VOLUME = np.arange(2 * 3 * 4, dtype="<i2").reshape(2, 3, 4)


def test_raw_volume(tmp_path):
    path = tmp_path / "v.raw"
    path.write_bytes(zlib.compress(VOLUME.tobytes()))
    image = raw_volume(path, shape=(2, 3, 4), dtype="<i2", voxel_size_mm=(1, 1, 1), packed=True, offset=-5, flip=(0,))
    assert np.array_equal(image.array, VOLUME[::-1] - 5) and image.unit == "HU"
    with pytest.raises(FormatError, match="declared bytes"):
        raw_volume(path, shape=(2, 3, 5), dtype="<i2", voxel_size_mm=(1, 1, 1), packed=True)
    with pytest.raises(FormatError, match="expected"):
        raw_volume(path, shape=(2, 3, 4), dtype="<i2", voxel_size_mm=(1, 1, 1))


def test_a_bomb_is_not_unpacked():
    with pytest.raises(FormatError, match="more than"):
        inflate(zlib.compress(b"\0" * 10**7), 1000, "bomb")
    with pytest.raises(FormatError, match="damaged"):
        inflate(b"nothing packed", 1000, "junk")


def project(path, shape, content, names=("main.plist", "matrix.dat")):
    plist = plistlib.dumps({"matrix": {"shape": list(shape), "dtype": "int16"}, "spacing": [0.5, 0.6, 2.0]})
    with tarfile.open(path, "w:gz") as archive:
        for name, part in zip(names, (plist, content), strict=False):
            entry = tarfile.TarInfo(f"tmp/{name}")
            entry.size = len(part)
            archive.addfile(entry, io.BytesIO(part))
    return path


def test_invesalius(tmp_path):
    image = invesalius(project(tmp_path / "p.inv3", (2, 3, 4), VOLUME.tobytes()))
    assert np.array_equal(image.array, VOLUME[:, ::-1]) and image.voxel_size_mm == (2.0, 0.6, 0.5)
    for shape, content, names in [
        ((2, 3, 5), VOLUME.tobytes(), ("main.plist", "matrix.dat")),
        ((2, 3, 4), VOLUME.tobytes(), ("main.plist", "other.dat")),
        ((2, 3, 4), b"", ("other.plist",)),
    ]:
        with pytest.raises(FormatError, match="InVesalius"):
            invesalius(project(tmp_path / "p.inv3", shape, content, names))
    with pytest.raises(DataError, match="claims"):
        invesalius(project(tmp_path / "p.inv3", (2**20, 2**20, 2), b""))
    (tmp_path / "p.inv3").write_bytes(b"not a tar")
    with pytest.raises(FormatError, match="InVesalius"):
        invesalius(tmp_path / "p.inv3")


def volume_text(**changes):
    packed = base64.b64encode(gzip.compress(bytes(range(24)), mtime=0)).decode()
    data = {"_ArrayType_": "uint8", "_ArraySize_": [2, 3, 4], "_ArrayZipType_": "gzip", "_ArrayZipData_": packed} | changes
    header = {"VoxelSize": [1, 2, 3], "ScaleSlope": 0.5, "ScaleOffset": 0, "Orientation": {"x": "r", "y": "a", "z": "s"}}
    return json.dumps({"NIFTIHeader": {**header, "QuaternOffset": {"x": -1, "y": -2, "z": -3}}, "NIFTIData": data})


def test_jnifti(tmp_path):
    path = tmp_path / "v.jnii"
    path.write_text(volume_text()[:-1] + ', "note": "a\tb"}')
    image = jnifti(path)
    stored = np.arange(24).reshape(2, 3, 4)
    assert image.array.shape == (4, 3, 2) and image.voxel_size_mm == (3.0, 2.0, 1.0)
    assert image.array[0, 2, 1] == 0.5 * stored[0, 0, 0] and image.array[3, 0, 0] == 0.5 * stored[1, 2, 3]
    assert image.affine @ [0, 2, 1, 1] == pytest.approx([-1, -2, -3, 1])


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        volume_text(_ArrayZipType_="lzma"),
        volume_text(_ArraySize_=[2, 3, 5]),
        volume_text(_ArrayType_="object"),
        volume_text(_ArrayZipData_="AAAA"),
    ],
)
def test_damaged_jnifti(tmp_path, text):
    (tmp_path / "v.jnii").write_text(text)
    with pytest.raises(FormatError):
        jnifti(tmp_path / "v.jnii")


@pytest.mark.parametrize("location", [True, False])
def test_dicom_series_is_sorted_by_place(tmp_path, location):
    folder = tmp_path / "series"
    folder.mkdir()
    for name, place in (("1.dcm", 30.0), ("2.dcm", 10.0), ("3.dcm", 20.0)):
        slice_file(folder / name, place, np.arange(6).reshape(2, 3) + place, location)
    image = dicom_series(folder)
    assert image.array[:, 0, 0].tolist() == [10 - 1024, 20 - 1024, 30 - 1024]
    assert image.unit == "HU" and image.voxel_size_mm == (10.0, 0.5, 0.5)
    slice_file(folder / "4.dcm", 40.0, np.zeros((3, 3)), location)
    with pytest.raises(DataError, match=r"4\.dcm has shape"):
        dicom_series(folder)
    (folder / "5.dcm").write_bytes(b"junk")
    with pytest.raises(DataError, match=r"5\.dcm is not a DICOM slice"):
        dicom_series(folder)
