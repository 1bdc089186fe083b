"""Image files: what is read means what it says, and what is written comes back."""

from __future__ import annotations

import nibabel
import numpy as np
import PIL.Image
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from image_samples import COLOUR, LEVELS, RAMP, VOLUME, dicom, nifti, png

from sciml.formats.image import Image, block_mean, linear_to_srgb, srgb_to_linear
from sciml.formats.read import read_image
from sciml.formats.write import write_image
from sciml.runtime.errors import DataError, ScimlError, ShapeError


@pytest.mark.parametrize(
    ("name", "stored", "expected", "unit"),
    [
        ("a.png", LEVELS, LEVELS / 255, "sRGB"),
        ("a.png", LEVELS.astype(np.uint16) * 100, LEVELS * 100.0 / 65535, "sRGB"),
        ("a.png", COLOUR, COLOUR / 255, "sRGB"),
        ("a.png", np.dstack([COLOUR, LEVELS]), COLOUR / 255, "sRGB"),
        ("a.tif", LEVELS, LEVELS / 255, "sRGB"),
        ("a.tif", COLOUR.astype(np.uint16) * 7, COLOUR * 7.0 / 65535, "arbitrary"),
        ("a.tif", RAMP, RAMP, "arbitrary"),
        ("a.tif", VOLUME, VOLUME, "arbitrary"),
        ("a.npy", LEVELS, LEVELS / 255, "arbitrary"),
        ("a.npy", LEVELS.astype(">i2") - 100, LEVELS - 100.0, "arbitrary"),
        ("a.npy", RAMP.astype(np.float64) * 3, RAMP * 3, "arbitrary"),
        ("a.npy", VOLUME, VOLUME, "arbitrary"),
        ("a.npy", LEVELS > 100, LEVELS > 100, "arbitrary"),
        ("a.npy", np.tile(RAMP, (2, 2))[..., None], np.tile(RAMP, (2, 2)), "arbitrary"),
        ("a.npy", np.tile(COLOUR, (2, 2, 1)), np.tile(COLOUR, (2, 2, 1)) / 255, "arbitrary"),
    ],
)
def test_stored_values_become_what_they_mean(tmp_path, name, stored, expected, unit):
    path = tmp_path / name
    if path.suffix == ".png":
        png(path, stored)
    elif path.suffix == ".tif":
        tifffile.imwrite(path, stored, photometric="rgb" if stored.shape[-1] == 3 else "minisblack")
    else:
        np.save(path, stored)
    image = read_image(path)
    assert image.array.dtype == np.float32 and image.unit == unit and image.name == "a"
    assert image.array == pytest.approx(np.asarray(expected, dtype=np.float32), abs=1e-6)
    assert image.axes == ("DHW" if stored is VOLUME else {2: "HW", 3: "HWC"}[image.array.ndim])
    if np.asarray(stored).dtype.kind == "u":
        assert image.value_range == (0, 1) and any("divided by" in note for note in image.notes)


def test_alpha_is_dropped_with_a_note(tmp_path):
    png(tmp_path / "a.png", np.dstack([COLOUR, LEVELS]))
    assert "alpha channel dropped" in read_image(tmp_path / "a.png").notes


def test_jpeg_palette_and_compressed_tiff(tmp_path):
    smooth = np.tile(np.arange(64, dtype=np.uint8)[:, None] * 3, (1, 64))
    PIL.Image.fromarray(smooth).save(tmp_path / "a.jpg", quality=95)
    assert read_image(tmp_path / "a.jpg").array == pytest.approx(smooth / 255, abs=0.02)
    PIL.Image.fromarray(COLOUR).quantize(12).save(tmp_path / "p.png")
    assert read_image(tmp_path / "p.png").array.shape == (3, 4, 3)
    PIL.Image.fromarray(COLOUR).save(tmp_path / "l.tif", compression="tiff_lzw")
    assert read_image(tmp_path / "l.tif").array == pytest.approx(COLOUR / 255, abs=1e-6)


def test_a_phones_photo_is_turned_upright(tmp_path):
    exif = PIL.Image.Exif()
    exif[274] = 6  # the camera was held a quarter turn to the side
    PIL.Image.fromarray(np.repeat(np.repeat(LEVELS, 8, 0), 8, 1)).save(tmp_path / "a.jpg", quality=98, exif=exif)
    image = read_image(tmp_path / "a.jpg")
    assert image.array.shape == (32, 24) and "EXIF" in image.notes[0]
    assert image.array[4::8, 4::8] == pytest.approx(np.rot90(LEVELS, -1) / 255, abs=0.02)


def test_dicom(tmp_path):
    image = read_image(dicom(tmp_path / "a.dcm"))
    assert image.unit == "HU" and np.array_equal(image.array, LEVELS * 2.0 - 1024) and image.voxel_size_mm == (0.5, 0.25)
    assert np.array_equal(read_image(dicom(tmp_path / "nosuffix")).array, image.array)
    assert read_image(dicom(tmp_path / "m.dcm", modality="MR")).unit == "arbitrary"
    inverted = read_image(dicom(tmp_path / "i.dcm", modality="CR", PhotometricInterpretation="MONOCHROME1"))
    assert np.array_equal(inverted.array, 220.0 - LEVELS) and "inverted: larger is brighter" in inverted.notes


def test_nifti_is_turned_to_one_order(tmp_path):
    stored = VOLUME.transpose(2, 1, 0)  # right, anterior, superior
    image = read_image(nifti(tmp_path / "a.nii.gz", stored))
    assert np.array_equal(image.array, VOLUME[:, ::-1, ::-1]) and image.voxel_size_mm == (4.0, 3.0, 2.0)
    # the same place in millimetres, whatever the order: stored voxel (i, j, k) = (1, 2, 0) is array [0, 0, 2]
    assert image.affine @ [0, 0, 2, 1] == pytest.approx([2 * 1, 3 * 2, 0, 1])
    lps = np.diag([-2.0, -3.0, 4.0, 1.0])
    assert np.array_equal(read_image(nifti(tmp_path / "b.nii", stored, lps)).array, VOLUME)
    swapped = np.array([[0, 2.0, 0, 0], [0, 0, 3.0, 0], [4.0, 0, 0, 0], [0, 0, 0, 1]])  # superior, right, anterior
    assert np.array_equal(read_image(nifti(tmp_path / "c.nii", VOLUME.transpose(0, 2, 1), swapped)).array, image.array)
    assert read_image(nifti(tmp_path / "d.nii", stored[..., None])).array.shape == (2, 3, 4)


def test_nifti_slope(tmp_path):
    volume = nibabel.Nifti1Image(VOLUME.astype(np.int16), np.diag([-1.0, -1, 1, 1]))
    volume.header.set_slope_inter(0.5, -3)
    nibabel.save(volume, tmp_path / "a.nii")
    stored = np.asarray(nibabel.load(tmp_path / "a.nii").dataobj)
    assert read_image(tmp_path / "a.nii").array == pytest.approx(stored.transpose(2, 1, 0))


@given(arrays(np.float32, (5, 4), elements=st.floats(0, 1, width=32)), st.sampled_from([8, 16]))
def test_png_round_trip(tmp_path_factory, array, bits):
    array[0, 0], array[0, 1] = 0, 1
    path = tmp_path_factory.mktemp("png") / "a.png"
    write_image(path, array, bits=bits)
    assert np.abs(read_image(path).array - array).max() <= 0.5 / (2**bits - 1) + 1e-6


@pytest.mark.parametrize("name", ["a.npy", "a.tif", "a.nii", "a.nii.gz"])
def test_float_round_trip_is_exact(tmp_path, name):
    volume = np.random.default_rng(0).normal(size=(5, 6, 7)).astype(np.float32)
    write_image(tmp_path / name, volume)
    image = read_image(tmp_path / name)
    assert np.array_equal(image.array, volume) and image.axes == "DHW"
    assert [item.name for item in tmp_path.iterdir()] == [name]


def test_affine_and_spacing_round_trip(tmp_path):
    affine = np.array([[0.1, 0, -2, 10], [0, -3, 0.1, 20], [4, 0, 0, 30], [0, 0, 0, 1.0]])
    write_image(tmp_path / "a.nii.gz", VOLUME, affine=affine)
    assert read_image(tmp_path / "a.nii.gz").affine == pytest.approx(affine, abs=1e-5)
    write_image(tmp_path / "b.nii", VOLUME, voxel_size_mm=(4, 3, 2))
    assert read_image(tmp_path / "b.nii").voxel_size_mm == (4, 3, 2)
    write_image(tmp_path / "a2.nii.gz", VOLUME, affine=affine)
    assert (tmp_path / "a2.nii.gz").read_bytes() == (tmp_path / "a.nii.gz").read_bytes(), "no time stamp inside"


@pytest.mark.parametrize(
    ("name", "array", "error"),
    [
        ("a.png", np.array([[0, np.nan]]), DataError),
        ("a.png", VOLUME, ShapeError),
        ("a.nii", RAMP, ShapeError),
        ("a.bmp", RAMP, DataError),
        ("a.npy", np.zeros((0, 2)), DataError),
    ],
)
def test_what_is_not_written(tmp_path, name, array, error):
    with pytest.raises(error):
        write_image(tmp_path / name, array)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    write_image(tmp_path / "a.npy", RAMP)

    def full(*arguments, **settings):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(ScimlError, match="No space left"):
        write_image(tmp_path / "a.npy", RAMP * 2)
    monkeypatch.undo()
    assert np.array_equal(read_image(tmp_path / "a.npy").array, RAMP) and len(list(tmp_path.iterdir())) == 1


def test_srgb_is_the_standards():
    # IEC 61966-2-1: the joint, both ends, middle grey
    assert srgb_to_linear(np.array([0.0, 0.04045, 0.5, 1.0])) == pytest.approx(
        [0, 0.04045 / 12.92, 0.21404114048223255, 1], abs=1e-15
    )
    assert linear_to_srgb(np.array([0.0, 0.0031308, 0.21404114048223255, 1.0])) == pytest.approx(
        [0, 0.0031308 * 12.92, 0.5, 1], abs=1e-15
    )
    levels = np.arange(256) / 255
    assert linear_to_srgb(srgb_to_linear(levels)) == pytest.approx(levels, abs=1e-7)
    assert (np.diff(srgb_to_linear(levels)) > 0).all()
    assert srgb_to_linear(np.float32([0.5])).dtype == np.float32


@given(st.integers(1, 4), st.integers(4, 13), st.integers(4, 13))
def test_block_mean_keeps_the_mean(factor, rows, columns):
    array = np.random.default_rng(rows).random((rows, columns, 3))
    kept = array[: rows // factor * factor, : columns // factor * factor]
    assert block_mean(array, factor).mean(axis=(0, 1)) == pytest.approx(kept.mean(axis=(0, 1)))


def test_unit_interval():
    image = Image(np.float32([[-1000, 0, 3000]]), "HW", (-1000, 1000), "HU", "ct")
    assert image.unit_interval().tolist() == [[0, 0.5, 1]]
