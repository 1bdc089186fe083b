"""Image files that are no good are refused in one line."""

from __future__ import annotations

import gzip
import os
import struct
import zlib

import nibabel
import numpy as np
import PIL.Image
import pydicom
import pytest
import tifffile
from image_samples import RAMP, VOLUME, dicom, nifti, png
from pydicom.uid import DeflatedExplicitVRLittleEndian

from sciml.formats import image as image_module
from sciml.formats.read import read_image
from sciml.runtime.errors import DataError, FormatError, ShapeError


def deflated(path):
    header = pydicom.dcmread(dicom(path))
    header.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    pydicom.dcmwrite(path, header)


def png_header(width, height):
    """The start of a PNG that claims a size and holds nothing."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">II", zlib.crc32(body), 0) + b"IDAT" + b"\0" * 4


def npy_header(shape, kind="<f4"):
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def nan_volume():
    volume = VOLUME.copy()
    volume[1, 2, 3] = np.nan
    volume[0, 1, 0] = np.inf
    return volume


def nifti_header(side, begin):
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.uint8)
    header.set_data_shape((side, side, side))
    header["vox_offset"], header["magic"] = begin, b"n+1"
    return header.binaryblock


def huge_nifti(path):
    path.write_bytes(gzip.compress(nifti_header(2000, 352) + b"\0" * 10**6))


def cut(path, keep):
    path.write_bytes(path.read_bytes()[:keep])


def noisy_png(path):
    png(path, np.random.default_rng(0).integers(0, 255, (64, 64)).astype(np.uint8))
    cut(path, 2000)


def cut_tiff(path):
    tifffile.imwrite(path, np.random.default_rng(0).random((64, 64)).astype(np.float32))
    cut(path, 9000)


def cut_nifti(path):
    nifti(path, np.random.default_rng(0).random((16, 16, 16)))
    cut(path, 9000)


def npy_code():
    header = b"{'descr': __import__('os').getcwd(), 'fortran_order': False, 'shape': (4, 4)}\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"\0" * 64


def sizeless(path):
    dicom(path)
    header = pydicom.dcmread(path)
    del header.Rows
    header.save_as(path)


def placed(path, value):
    """Write a volume whose affine holds one value everywhere."""
    nifti(path, VOLUME)
    content = bytearray(path.read_bytes())
    content[252:256] = b"\0\0\1\0"  # no quaternion; the affine counts
    content[280:328] = np.full(12, value, "<f4").tobytes()
    path.write_bytes(content)


BAD = {
    "missing.png": (lambda path: None, DataError, "no such file"),
    "folder.png": (lambda path: path.mkdir(), DataError, "is a folder"),
    "picture.bmp": (lambda path: path.write_bytes(b"BM"), DataError, r"unknown suffix '.bmp': known are .png"),
    "nosuffix": (lambda path: path.write_bytes(b"text"), DataError, "unknown suffix"),
    "empty.png": (lambda path: path.write_bytes(b""), FormatError, "0 bytes"),
    "empty.dcm": (lambda path: path.write_bytes(b""), FormatError, "0 bytes"),
    "junk.png": (lambda path: path.write_bytes(b"junk" * 100), FormatError, "damaged"),
    "junk.jpg": (lambda path: path.write_bytes(b"junk" * 100), FormatError, "damaged"),
    "junk.tif": (lambda path: path.write_bytes(b"junk" * 100), FormatError, "cannot be read"),
    "junk.npy": (lambda path: path.write_bytes(b"junk" * 100), FormatError, "cannot be read"),
    "junk.dcm": (lambda path: path.write_bytes(b"junk" * 100), FormatError, "cannot be read"),
    "junk.nii": (lambda path: path.write_bytes(b"junk" * 100), FormatError, "cannot be read"),
    "junk.nii.gz": (lambda path: path.write_bytes(b"junk" * 100), FormatError, "junk"),
    "code.npy": (lambda path: path.write_bytes(npy_code()), FormatError, "its NPY header does not describe an array$"),
    "unmarked.dcm": (lambda path: path.write_bytes(b"junk" * 100), FormatError, "as DICOM: its mark DICM is missing$"),
    "sizeless.dcm": (lambda path: sizeless(path), FormatError, "DICOM pixels without Rows$"),
    "nowhere.nii": (lambda path: placed(path, 0.0), FormatError, "its affine does not place the voxels in space$"),
    "nan_affine.nii": (lambda path: placed(path, np.nan), FormatError, "its affine does not place the voxels in space$"),
    "pipe.png": (lambda path: os.mkfifo(path), DataError, "is a pipe or a device: give a file$"),
    "packed.nii.gz": (lambda path: path.write_bytes(gzip.compress(b"junk" * 400)), FormatError, "it is neither NIfTI nor MGH$"),
    "cut.png": (noisy_png, FormatError, "cut short"),
    "cut.tif": (cut_tiff, FormatError, "cut short"),
    "cut.npy": (lambda path: path.write_bytes(npy_header((100, 100)) + b"\0" * 10), FormatError, "10 bytes of 40000"),
    "cut.nii.gz": (cut_nifti, FormatError, "cut"),
    "cut.dcm": (lambda path: cut(dicom(path), path.stat().st_size - 9), FormatError, "cannot be read"),
    "huge.png": (lambda path: path.write_bytes(png_header(30000, 30000)), DataError, "claims"),
    "large.png": (lambda path: path.write_bytes(png_header(12000, 12000)), FormatError, "damaged"),
    "huge.npy": (lambda path: path.write_bytes(npy_header((10**6, 10**6))), DataError, "claims 1000000000000 pixels"),
    "huge.nii.gz": (huge_nifti, DataError, "claims 8000000000 pixels"),
    "far.nii": (lambda path: path.write_bytes(nifti_header(4, 2**30) + b"\0" * 4), FormatError, "begin at byte"),
    "huge.dcm": (lambda path: dicom(path, Rows=65000, Columns=65000), DataError, "claims 4225000000 pixels"),
    "object.npy": (lambda path: np.save(path, np.array([{"a": 1}])), FormatError, "values of type object"),
    "text.npy": (lambda path: np.save(path, np.array(["a", "b"])), FormatError, "values of type <U1"),
    "complex.npy": (lambda path: np.save(path, RAMP + 1j), FormatError, "values of type complex"),
    "complex.nii": (lambda path: nifti(path, VOLUME.astype(np.complex64)), FormatError, "values of type complex64"),
    "nan.npy": (lambda path: np.save(path, nan_volume()), DataError, r"2 NaN or infinite values, the first at index \(0, 1, 0\)"),
    "nan.nii": (lambda path: nifti(path, nan_volume()), DataError, "2 NaN or infinite"),
    "nan.tif": (
        lambda path: tifffile.imwrite(path, nan_volume()[1]),
        DataError,
        r"1 NaN or infinite values, the first at index \(2, 3\)",
    ),
    "none.npy": (lambda path: np.save(path, np.zeros((0, 5))), DataError, "no pixels"),
    "line.npy": (lambda path: np.save(path, np.arange(5.0)), ShapeError, "expected"),
    "four.npy": (lambda path: np.save(path, np.arange(16.0).reshape(2, 2, 2, 2)), ShapeError, "expected"),
    "flat.png": (lambda path: png(path, np.full((8, 8), 7, np.uint8)), DataError, "constant"),
    "flat.npy": (lambda path: np.save(path, np.ones((4, 4))), DataError, "is constant: every value is 1"),
    "flat.dcm": (lambda path: dicom(path, np.zeros((4, 4), np.uint8)), DataError, "constant"),
    "deflated.dcm": (lambda path: deflated(path), FormatError, "deflated DICOM"),
    "report.dcm": (lambda path: dicom(path, pixels=False), DataError, "without pixel data"),
    "two.npy": (lambda path: np.save(path, np.tile(RAMP, (2, 2))[..., None] + [0, 1]), ShapeError, "two channels"),
    "time.nii": (lambda path: nifti(path, np.random.default_rng(0).random((3, 3, 3, 2))), ShapeError, "4th dimension"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_clear_line(tmp_path, name):
    make, error_type, message = BAD[name]
    make(tmp_path / name)
    with pytest.raises(error_type, match=message) as error:
        read_image(tmp_path / name)
    assert "\n" not in str(error.value) and name.partition(".")[0] in str(error.value)
    assert error.value.exit_code == 2


def test_unreadable(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    png(path)

    def denied(*arguments, **settings):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(PIL.Image, "open", denied)
    with pytest.raises(DataError, match=r"cannot read .*a\.png: Permission denied"):
        read_image(path)


def test_a_pickle_is_never_loaded(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("code from a file ran",))

    np.save(tmp_path / "bomb.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    with pytest.raises(FormatError):
        read_image(tmp_path / "bomb.npy")


def test_the_limit_is_stated():
    assert image_module.PIXEL_LIMIT == 2**28
    image_module.check_claim((2**14, 2**14), "exactly the limit")
    with pytest.raises(DataError, match="at most 268435456"):
        image_module.check_claim((2**14, 2**14 + 1), "one more row")
