"""Picture files of every kind to arrays and back: bits, colours, frames, profiles, turns, damage, and claims of size."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageCms
import PIL.ImageOps
import pytest
import tifffile

from sciml.formats.pictures import read_picture
from sciml.formats.write import check_form, png_of_16_bits, suffix_for, write_picture
from sciml.runtime.errors import ConfigError, DataError, FormatError, ShapeError

MOST = 2**20
RNG = np.random.default_rng(7)
BYTES = RNG.integers(0, 256, (9, 13, 4)).astype(np.uint8)
WORDS = RNG.integers(0, 65536, (9, 13, 4)).astype(np.uint16)
COLOURS = {1: BYTES[..., 0], 2: BYTES[..., :2], 3: BYTES[..., :3], 4: BYTES}
DEEP = {1: WORDS[..., 0], 2: WORDS[..., :2], 3: WORDS[..., :3], 4: WORDS}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def profile(name: str = "LAB") -> bytes:
    """Return an ICC profile that is not sRGB by its name: one of sRGB with another description."""
    content = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
    return content.replace(b"s\0R\0G\0B", b"o\0w\0n\0s") if name == "own" else content


def saved(name: str, picture: PIL.Image.Image, **options) -> Path:
    picture.save(name, **options)
    return Path(name)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".npy"])
@pytest.mark.parametrize("arrays", [COLOURS, DEEP], ids=["8 bits", "16 bits"])
def test_what_is_written_is_read_again(count, suffix, arrays):
    path = Path(f"picture{suffix}")
    write_picture(path, arrays[count], None, suffix)
    found = read_picture(path, MOST)
    assert found.array.dtype == arrays[count].dtype and not found.losses
    np.testing.assert_array_equal(found.array, arrays[count])


@pytest.mark.parametrize(
    ("shape", "suffix"), [((9, 13), ".tif"), ((9, 13, 3), ".tif"), ((9, 13, 7), ".npy"), ((9, 13, 7), ".tif")]
)
def test_floats_and_many_channels_go_to_tiff_and_npy(shape, suffix):
    array = RNG.standard_normal(shape).astype(np.float32)
    path = Path(f"field{suffix}")
    write_picture(path, array, None, suffix)
    np.testing.assert_array_equal(read_picture(path, MOST).array, array)


def test_other_libraries_read_what_is_written():
    for count in (2, 3, 4):
        with PIL.Image.open(io.BytesIO(png_of_16_bits(DEEP[count]))) as picture:
            assert picture.convert("RGBA").size == (13, 9)
    write_picture(Path("a.tif"), DEEP[4], profile(), ".tif")
    with tifffile.TiffFile("a.tif") as file:
        page = file.pages.first
        assert page.photometric == tifffile.PHOTOMETRIC.RGB and page.extrasamples == (tifffile.EXTRASAMPLE.UNASSALPHA,)
        assert page.tags["InterColorProfile"].value == profile()


def test_a_smooth_deep_png_is_smaller_than_its_samples():
    ramp = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint16) * 37
    assert len(png_of_16_bits(np.stack([ramp] * 3, 2))) < ramp.nbytes


def test_suffixes_that_cannot_hold_a_picture_are_refused():
    assert suffix_for("u16", 4) == ".png" and suffix_for("f32", 1) == ".npy" and suffix_for("u8", 7) == ".npy"
    check_form(Path("a.tiff"), "f32", 9)
    check_form(Path("a.NII.gz"), "u16", 1)
    check_form(Path("a.webp"), "u8", 2, (16383, 5))
    for name, kind, count, reason in (
        ("a.png", "f32", 1, "floating"),
        ("a.png", "u8", 7, "7 channels"),
        ("a.bmp", "u8", 3, ".npy"),
        ("a.jpg", "u16", 3, "16 bits"),
        ("a.jpg", "u8", 2, "2 channels"),
        ("a.webp", "f32", 1, "floating"),
        ("a.nii", "u8", 3, "3"),
    ):
        with pytest.raises(ConfigError, match=reason):
            check_form(Path(name), kind, count)
    with pytest.raises(ConfigError, match="at most 16383 pixels a side"):
        check_form(Path("a.webp"), "u8", 3, (16384, 5))


@pytest.mark.parametrize("suffix", [".webp", ".avif", ".bmp", ".jpg", ".jp2", ".ppm", ".gif"])
def test_other_formats_are_read(suffix):
    smooth = np.add.outer(np.arange(32) * 4, np.arange(48) * 2).astype(np.uint8)
    path = saved(f"picture{suffix}", PIL.Image.fromarray(np.stack([smooth] * 3, 2)))
    found = read_picture(path, MOST)
    assert found.array.shape == (32, 48, 3) and np.abs(found.array[..., 1].astype(int) - smooth).mean() < 6


def test_the_content_decides_not_the_suffix():
    saved("picture.png", PIL.Image.fromarray(COLOURS[3]))
    Path("picture.png").rename("picture.dat")
    np.testing.assert_array_equal(read_picture(Path("picture.dat"), MOST).array, COLOURS[3])


def test_palettes_bilevel_and_transparent_colours():
    palette = PIL.Image.fromarray(COLOURS[3]).quantize(8)
    np.testing.assert_array_equal(read_picture(saved("p.png", palette), MOST).array, np.asarray(palette.convert("RGB")))
    assert read_picture(saved("t.png", palette, transparency=2), MOST).array.shape == (9, 13, 4)
    assert read_picture(saved("k.png", PIL.Image.fromarray(COLOURS[3]), transparency=(1, 2, 3)), MOST).array.shape == (9, 13, 4)
    one = read_picture(saved("one.png", PIL.Image.fromarray(COLOURS[1] > 99)), MOST).array
    np.testing.assert_array_equal(one, (COLOURS[1] > 99) * np.uint8(255))


def test_cmyk_becomes_rgb_with_a_warning():
    for name in ("c.jpg", "c.tif"):
        found = read_picture(saved(name, PIL.Image.fromarray(COLOURS[3]).convert("CMYK")), MOST)
        assert found.array.shape == (9, 13, 3) and "without a colour profile" in found.losses[0]
    tifffile.imwrite("deep.tif", DEEP[4], photometric="separated")
    with pytest.raises(DataError, match="CMYK of 16 bits"):
        read_picture(Path("deep.tif"), MOST)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["turned.jpg", "turned.png", "deep.png", "deep.tif"])
def test_pictures_come_upright(orientation, name):
    array = np.zeros((16, 24, 3), np.uint8)
    array[:8, :8], array[8:, 16:] = 250, 120
    picture = PIL.Image.fromarray(array)
    exif = PIL.Image.Exif()
    exif[274] = orientation
    picture.save("reference.png", exif=exif)
    with PIL.Image.open("reference.png") as reference:
        upright = np.asarray(PIL.ImageOps.exif_transpose(reference))
    if name == "deep.tif":
        tifffile.imwrite(name, array.astype(np.uint16) * 257, photometric="rgb", extratags=[(274, 3, 1, orientation, True)])
    elif name == "deep.png":
        content, head = png_of_16_bits(array.astype(np.uint16) * 257), exif.tobytes().removeprefix(b"Exif\0\0")
        chunk = struct.pack(">I", len(head)) + b"eXIf" + head + struct.pack(">I", zlib.crc32(b"eXIf" + head))
        Path(name).write_bytes(content[:33] + chunk + content[33:])
    else:
        picture.save(name, exif=exif, quality=95)
    found = read_picture(Path(name), MOST)
    assert found.array.shape == upright.shape
    scale = 257 if found.array.dtype == np.uint16 else 1
    assert np.abs(found.array.astype(int) // scale - upright).mean() < 12
    # libraries turn some formats themselves
    assert orientation != 1 or not any("upright" in note for note in found.notes)


def test_colour_profiles_are_converted_or_kept():
    picture = PIL.Image.fromarray(COLOURS[3])
    plain = read_picture(saved("s.png", picture, icc_profile=profile()), MOST)
    assert plain.profile is None and plain.notes == () and np.array_equal(plain.array, COLOURS[3])
    own = saved("o.png", picture, icc_profile=profile("own"))
    converted = read_picture(own, MOST)
    assert converted.profile is None and any("to sRGB" in note for note in converted.notes)
    kept = read_picture(own, MOST, keep_profile=True)
    assert kept.profile == profile("own") and np.array_equal(kept.array, COLOURS[3])
    with_alpha = read_picture(saved("a.png", PIL.Image.fromarray(BYTES), icc_profile=profile("own")), MOST)
    np.testing.assert_array_equal(with_alpha.array[..., 3], BYTES[..., 3])
    # a common mistake of programs: a profile of colours on grey
    grey = read_picture(saved("g.png", PIL.Image.fromarray(COLOURS[1]), icc_profile=profile("own")), MOST)
    assert np.array_equal(grey.array, COLOURS[1]) and "cannot be used" in grey.losses[0]
    Path("deep.png").write_bytes(png_of_16_bits(DEEP[3], profile("own")))
    deep = read_picture(Path("deep.png"), MOST)
    assert deep.profile == profile("own") and "is kept with the file" in deep.notes[0]


def test_of_frames_the_first_is_taken():
    first, second = PIL.Image.fromarray(COLOURS[3]), PIL.Image.fromarray(255 - COLOURS[3])
    for name, options in (("a.png", {}), ("a.webp", {"lossless": True}), ("a.tif", {})):
        found = read_picture(saved(name, first, save_all=True, append_images=[second], **options), MOST)
        assert found.losses == ("it holds 2 frames: the first is taken",), name
        np.testing.assert_array_equal(found.array, COLOURS[3])
    tifffile.imwrite("deep.tif", np.stack([DEEP[1]] * 3), photometric="minisblack")
    found = read_picture(Path("deep.tif"), MOST)
    assert "3 frames" in found.losses[0] and np.array_equal(found.array, DEEP[1])


def test_numbers_of_other_types():
    for kind, array in (("int16", np.arange(-50, 50)), ("float16", np.linspace(0, 1, 100)), ("bool", np.arange(100) % 2)):
        np.save("a.npy", array.reshape(10, 10).astype(kind))
        found = read_picture(Path("a.npy"), MOST)
        assert not found.losses and found.notes and found.array.dtype == (np.uint8 if kind == "bool" else np.float32)
    np.save("b.npy", np.linspace(0, 1, 100).reshape(10, 10))
    assert read_picture(Path("b.npy"), MOST).losses == ("float64 is rounded to float32",)
    np.save("c.npy", WORDS.astype(">u2"))
    np.testing.assert_array_equal(read_picture(Path("c.npy"), MOST).array, WORDS)
    tifffile.imwrite("m.tif", DEEP[1], photometric="miniswhite")
    np.testing.assert_array_equal(read_picture(Path("m.tif"), MOST).array, 65535 - DEEP[1])
    tifffile.imwrite("planar.tif", np.moveaxis(DEEP[3], 2, 0), photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(read_picture(Path("planar.tif"), MOST).array, DEEP[3])


def test_dicom_slices_are_in_hounsfield_units():
    from pydicom.data import get_testdata_file

    # this one begins as a TIFF file does
    found = read_picture(Path(str(get_testdata_file("CT_small.dcm"))), MOST)
    assert found.array.shape == (128, 128) and found.array.dtype == np.float32 and found.unit == "HU" and found.array.min() < -500


def test_what_is_no_picture_is_named():
    Path("text.png").write_text("not a picture")
    Path("empty.png").touch()
    Path("coded.nic").write_bytes(b"\x8eNIC" + bytes(40))
    np.save("line.npy", np.zeros(5))
    np.save("volume.npy", np.zeros((4, 20, 30)))
    np.save("none.npy", np.zeros((0, 5)))
    np.save("complex.npy", np.zeros((4, 4), complex))
    np.save("objects.npy", np.array([[{}]]), allow_pickle=True)
    for name, kind, reason in (
        ("text.png", FormatError, "no picture of a known kind"),
        ("empty.png", FormatError, "is empty"),
        ("coded.nic", FormatError, "is coded already"),
        ("absent.png", DataError, "no such file"),
        (".", DataError, "is a folder"),
        ("line.npy", ShapeError, r"\(5,\)"),
        ("volume.npy", ShapeError, "give one slice"),
        ("none.npy", DataError, "no pixels"),
        ("complex.npy", FormatError, "complex128"),
        ("objects.npy", FormatError, "objects.npy"),
    ):
        with pytest.raises(kind, match=reason):
            read_picture(Path(name), MOST)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif", "deep.png", "deep.tif", "a.npy", "a.bmp"])
def test_cut_files_are_named_with_the_reason(name, capfd):
    big = RNG.integers(0, 65536, (40, 50, 3)).astype(np.uint16)
    if name.startswith("deep") or name == "a.npy":
        write_picture(Path(name), big, None, Path(name).suffix)
    else:
        saved(name, PIL.Image.fromarray(big.astype(np.uint8)))
    content = Path(name).read_bytes()
    for share in (0.9, 0.5, 0.02):
        Path(name).write_bytes(content[: int(len(content) * share)])
        with pytest.raises(DataError, match=name) as caught:
            read_picture(Path(name), MOST)
        assert caught.value.exit_code == 2 and "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_claims_of_size_are_refused_before_decoding_and_without_warnings():
    path = saved("a.png", PIL.Image.fromarray(COLOURS[3]))
    huge = bytearray(path.read_bytes())
    huge[16:24] = struct.pack(">II", 60000, 60000)
    huge[29:33] = struct.pack(">I", zlib.crc32(bytes(huge[12:29])))
    Path("huge.png").write_bytes(huge)
    np.save("large.npy", np.zeros((2000, 2000), np.uint8))
    tifffile.imwrite("large.tif", np.zeros((2000, 2000), np.uint16), compression="zlib")
    before = PIL.Image.MAX_IMAGE_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("huge.png", "large.npy", "large.tif"):
            with pytest.raises(DataError, match="at most 1048576 are read; raise it with --max-pixels"):
                read_picture(Path(name), MOST)
    assert before == PIL.Image.MAX_IMAGE_PIXELS
    assert read_picture(Path("large.npy"), 2**22).array.shape == (2000, 2000)
