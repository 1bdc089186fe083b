"""The packed volume formats, good and damaged, and a user's own files."""

from __future__ import annotations

import base64
import gzip
import io
import json
import plistlib
import tarfile
import zlib

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from sciml.datasets.loaders import load
from sciml.datasets.manifest import members, records, tracked, user_manifest
from sciml.datasets.user import add
from sciml.formats.dicom import dicom_series
from sciml.formats.packed import inflate, invesalius, jnifti, raw_volume
from sciml.formats.write import write_image
from sciml.runtime.errors import ConfigError, DataError, FormatError

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
    packed = base64.b64encode(gzip.compress(bytes(range(24)))).decode()
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


def slice_file(path, place, array, location=True):
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    header = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    header.Modality, header.RescaleSlope, header.RescaleIntercept = "CT", 1, -1024
    header.Rows, header.Columns = array.shape
    header.BitsAllocated = header.BitsStored = 16
    header.HighBit, header.PixelRepresentation, header.SamplesPerPixel = 15, 0, 1
    header.PhotometricInterpretation, header.PixelSpacing = "MONOCHROME2", [0.5, 0.5]
    header.ImagePositionPatient = [0, 0, place]
    if location:
        header.SliceLocation = place
    header.PixelData = array.astype("<u2").tobytes()
    pydicom.dcmwrite(path, header)


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
