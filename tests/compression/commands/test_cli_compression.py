"""`sciml compression` as a user meets it: files in and out, one line for a mistake, never half a file or the wrong model."""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile
from coded_files import PICTURE, Run, decibel

from sciml.compression.codecs.codec import Codec
from sciml.compression.commands.encode import read_care, windowed
from sciml.compression.container.file import read_header
from sciml.formats.pictures import PictureFile, read_picture
from sciml.runtime.errors import ConfigError

# encode and decode


def test_a_picture_there_and_back(run):
    PIL.Image.fromarray(PICTURE).save("a.png")
    code, out, err = run("encode", "a.png", "a.nic", "--report-psnr")
    size = Path("a.nic").stat().st_size
    assert code == 0 and not err
    assert out.startswith(f"a.png -> a.nic: {size} bytes, {8 * size / (70 * 90):.3f} bpp, ")
    code, out, _ = run("decode", "a.nic", "b.png")
    decoded = np.asarray(PIL.Image.open("b.png"))
    assert code == 0 and out == "a.nic -> b.png: 90 x 70, 3 channels, uint8\n" and decibel(decoded, PICTURE) > 28
    run("decode", "a.nic", "c.png", "--layers", 1)
    assert 15 < decibel(np.asarray(PIL.Image.open("c.png")), PICTURE) < decibel(decoded, PICTURE)


@pytest.mark.parametrize(("kind", "count"), [(np.uint8, 1), (np.uint8, 4), (np.uint16, 2), (np.uint16, 3)])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".npy"])
def test_bits_channels_and_alpha_come_back(run, kind, count, suffix):
    scale = np.iinfo(kind).max // 255
    array = (PICTURE[..., [0, 1, 2, 0]].astype(kind) * kind(scale))[:, :, [0, 1, 2, 3][:count]]
    np.save("a.npy", array[..., 0] if count == 1 else array)
    assert run("encode", "a.npy", "a.nic", "--quality", 60)[0] == 0
    assert run("decode", "a.nic", f"b{suffix}")[0] == 0
    assert run("encode", f"b{suffix}", "b.nic")[0] == 0
    again = Codec.load("photo").decode(Path("b.nic").read_bytes())
    assert again.dtype == kind and again.shape == ((70, 90) if count == 1 else (70, 90, count))
    if count in (2, 4):
        np.testing.assert_array_equal(again[..., -1], array[..., -1])


def test_targets_are_met_and_unreachable_ones_say_what_is(run):
    PIL.Image.fromarray(PICTURE).save("a.png")
    assert run("encode", "a.png", "a.nic", "--max-bytes", 900)[0] == 0 and 800 < Path("a.nic").stat().st_size <= 900
    assert run("encode", "a.png", "b.nic", "--bpp", 1)[0] == 0 and 700 < Path("b.nic").stat().st_size <= 787
    run("encode", "a.png", "c.nic", "--psnr", 30)
    assert decibel(Codec.load("photo").decode(Path("c.nic").read_bytes()), PICTURE) >= 30
    code, _, err = run("encode", "a.png", "d.nic", "--bpp", 0.01)
    assert code == 2 and err.startswith("a.png: ") and "this model gives" in err and not Path("d.nic").exists()
    for words, reason in (
        (("--quality", 30, "--bpp", 1), "--quality and --bpp were given"),
        (("--bpp", -1), "above 0"),
        (("--psnr", "nan"), "above 0"),
        (("--range", 5, 5), "the lower first"),
        (("--tiles", 100), "auto, off, or a side"),
        (("--model", "nowhere"), "no model nowhere: shipped are photo"),
    ):
        code, _, err = run("encode", "a.png", "d.nic", *words)
        assert code == 2 and reason in err and not Path("d.nic").exists()


def test_tiles_and_checksums(run, coded):
    run("encode", "a.png", "tiles.nic", "--tiles", 32)
    header = read_header(Path("tiles.nic").read_bytes())
    assert (header.tile_rows, header.tile_columns, header.crc32) == (3, 3, False)
    assert read_header(coded.read_bytes()).crc32
    run("decode", "tiles.nic", "tiles.png")
    assert decibel(np.asarray(PIL.Image.open("tiles.png")), PICTURE) > 28


def test_floats_need_a_window_and_come_back_in_their_values(run):
    field = (PICTURE[..., 0] / 255.0 * 3 - 1).astype(np.float32)
    np.save("field.npy", field)
    code, _, err = run("encode", "field.npy", "field.nic")
    assert code == 2 and "say with --range LOW HIGH" in err and f"from {field.min():g} to {field.max():g}" in err
    assert run("encode", "field.npy", "field.nic", "--range", -1, 2)[0] == 0
    code, out, _ = run("decode", "field.nic", "out")
    assert code == 0 and "out/field.npy" in out and decibel(np.load("out/field.npy"), field, 3) > 28
    assert run("decode", "field.nic", "field.png")[0] == 2
    code, _, err = run("encode", "field.npy", "cut.nic", "--range", 0, 1)
    assert code == 0 and "are cut to it" in err
    run("decode", "cut.nic", "cut.tif")
    cut = tifffile.imread("cut.tif")
    assert cut.dtype == np.float32 and decibel(cut, field.clip(0, 1), 1) > 25
    field[3, 4] = np.nan
    np.save("field.npy", field)
    code, _, err = run("encode", "field.npy", "nan.nic", "--range", 0, 1)
    assert code == 2 and "1 of 6300 values are NaN" in err


def test_a_window_suits_twelve_bits_in_sixteen(colour_model):
    picture = PictureFile(PICTURE.astype(np.uint16) * 16)
    plain = Codec(colour_model)
    found, scale = windowed(picture, (0, 4095), colour_model)
    assert scale is not None and np.array_equal(found.array, picture.array)
    decoded = plain.decode(plain.encode(found.array, scale=scale))
    assert decoded.dtype == np.uint16 and decibel(decoded, picture.array, 4095) > 28
    with pytest.raises(ConfigError, match="holds no value"):
        windowed(picture, (70000, 70001), colour_model)
    alpha = PictureFile(np.full((16, 16, 4), 9000, np.uint16))
    found, scale = windowed(alpha, (0, 4095), colour_model)
    assert scale is not None and len(scale) == 3
    assert found.array[..., :3].max() == 4095 and found.array[..., 3].min() == 9000


def test_care_shifts_bits_to_the_white_of_a_mask(run):
    mask = np.zeros((70, 90), np.uint8)
    mask[:, 45:] = 255
    PIL.Image.fromarray(PICTURE).save("a.png")
    PIL.Image.fromarray(mask).save("mask.png")
    PIL.Image.fromarray(mask).convert("RGB").save("mask-rgb.png")
    errors = {}
    for name, words in (("even", ()), ("care", ("--roi", "mask.png"))):
        assert run("encode", "a.png", f"{name}.nic", "--max-bytes", 1000, *words)[0] == 0
        decoded = Codec.load("photo").decode(Path(f"{name}.nic").read_bytes())
        errors[name] = [
            decibel(part, whole) for part, whole in ((decoded[:, :45], PICTURE[:, :45]), (decoded[:, 45:], PICTURE[:, 45:]))
        ]
    assert errors["care"][1] > errors["even"][1] + 0.5 and errors["care"][0] < errors["even"][0]
    assert read_header(Path("care.nic").read_bytes()).roi
    np.testing.assert_array_equal(read_care(Path("mask-rgb.png"), (70, 90), 10**6), np.where(mask, 8.0, 1.0))
    PIL.Image.fromarray(mask[:10]).save("small.png")
    for words, reason in (
        (("a.png", "x.nic", "--roi", "small.png"), "has 90 x 10 pixels: expected 90 x 70"),
        (("a.png", "x.nic", "--roi", "a.png"), "holds colours"),
        (("a.png", "mask.png", "x", "--roi", "mask.png"), "goes with one picture"),
    ):
        code, _, err = run("encode", *words)
        assert code == 2 and reason in err


def test_notes_and_strict(run):
    first = PIL.Image.fromarray(PICTURE)
    first.save("moving.png", save_all=True, append_images=[first])
    first.convert("CMYK").save("cmyk.jpg")
    code, _, err = run("encode", "moving.png", "cmyk.jpg", "out", "--jobs", 1)
    assert code == 0 and "sciml: note: moving.png: it holds 2 frames" in err and "cmyk.jpg: CMYK is converted" in err
    code, _, err = run("encode", "moving.png", "cmyk.jpg", "strict", "--refuse-loss")
    assert code == 2 and "as --refuse-loss asks" in err and not Path("strict").exists()


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (15, 15)])
def test_small_pictures_work_with_a_note(run, size):
    PIL.Image.fromarray(PICTURE[: size[0], : size[1]]).save("a.png")
    code, _, err = run("encode", "a.png", "a.nic")
    assert code == 0 and "a PNG file may well be smaller" in err
    assert run("decode", "a.nic", "b.png")[0] == 0 and PIL.Image.open("b.png").size == size[::-1]


def test_bad_pictures_are_named(run):
    content = io_png()
    Path("cut.png").write_bytes(content[: len(content) // 2])
    Path("text.jpg").write_text("hello")
    huge = bytearray(content)
    huge[16:24] = struct.pack(">II", 60000, 60000)
    huge[29:33] = struct.pack(">I", zlib.crc32(bytes(huge[12:29])))
    Path("huge.png").write_bytes(huge)
    np.save("seven.npy", np.zeros((20, 20, 7), np.uint8))
    for name, reason in (
        ("cut.png", "damaged or cut short"),
        ("text.jpg", "no picture of a known kind"),
        ("huge.png", "--max-pixels"),
        ("seven.npy", "7 channels"),
        ("absent.png", "no such file"),
        ("no*.png", "no file matches"),
    ):
        code, out, err = run("encode", name, "x.nic")
        assert code == 2 and name in err and reason in err and not out and not Path("x.nic").exists()
    assert not list(Path().glob(".x*"))


def io_png() -> bytes:
    PIL.Image.fromarray(PICTURE).save("whole.png")
    return Path("whole.png").read_bytes()


def test_colour_profiles_go_through(run):
    profile = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
    PIL.Image.fromarray(PICTURE).save("a.png", icc_profile=profile)
    run("encode", "a.png", "a.nic", "--keep-icc")
    run("decode", "a.nic", "b.png")
    assert PIL.Image.open("b.png").info["icc_profile"] == profile
    run("encode", "a.png", "c.nic")
    assert read_header(Path("c.nic").read_bytes()).profile_bytes is None


# other suffixes, missed targets


def test_decoded_pictures_go_into_more_kinds_of_files(run: Run, coded: Path) -> None:
    PIL.Image.fromarray(PICTURE[..., 0]).save("grey.png")
    PIL.Image.fromarray(np.dstack([PICTURE, PICTURE[..., 0]])).save("alpha.png")
    for name in ("grey", "alpha"):
        assert run("encode", f"{name}.png", f"{name}.nic")[0] == 0
    codec = Codec.load("photo")
    whole = codec.decode(coded.read_bytes())
    for name in ("o.webp", "o.jpg", "o.jpeg"):
        assert run("decode", "a.nic", name)[0] == 0
        found = np.asarray(PIL.Image.open(name))
        assert np.array_equal(found, whole) if name == "o.webp" else decibel(found, whole) > 40
    assert run("decode", "alpha.nic", "alpha.webp")[0] == 0
    assert np.array_equal(np.asarray(PIL.Image.open("alpha.webp")), codec.decode(Path("alpha.nic").read_bytes()))
    grey = codec.decode(Path("grey.nic").read_bytes())
    for name in ("g.nii", "g.nii.gz"):
        assert run("decode", "grey.nic", name)[0] == 0
        assert np.array_equal(read_picture(Path(name), 10**6, part="axial=0").array, grey)
    for words, expected in (
        (("alpha.nic", "x.jpg"), "cannot hold 4 channels"),
        (("a.nic", "x.nii"), "NIfTI is written for one channel, this has 3"),
        (("a.nic", "x.avif"), "is neither"),
        (("a.nic", "grey.nic", "x.bmp"), "is neither"),
        (("a.nic", "x.png", "--layers", "9"), "--layers 9: a.nic has 4"),
    ):
        code, _, told = run("decode", *words)
        assert (code, expected in told) == (2, True), told
        assert not Path(words[-1]).exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--bpp", 20), "--bpp 20 is missed: the largest file"),
        (("--max-bytes", 10**8), "--max-bytes 100000000 is missed: the largest file"),
        (("--psnr", 3), "--psnr 3 is missed: the coarsest file"),
    ],
)
def test_a_missed_target_says_so(run: Run, coded: Path, words: tuple, expected: str) -> None:
    code, _, told = run("encode", "a.png", "far.nic", *words)
    assert (code, expected in told) == (3, True), told
    assert Path("far.nic").stat().st_size > 0
    assert run("decode", "far.nic", "far.png")[0] == 0
    assert run("encode", "a.png", "near.nic", "--bpp", 1)[0] == 0


@pytest.mark.parametrize("values", [(-3624.0095, 24902.3), (0.0, 1.0), (1e-30, 12345.678), (-0.1, 1 / 3), (99999.5, 123456789.0)])
def test_the_window_that_is_proposed_cuts_nothing(run: Run, values: tuple[float, float]) -> None:
    array = np.linspace(*values, 400).astype(np.float32).reshape(20, 20)
    np.save("f.npy", array)
    _, _, told = run("encode", "f.npy", "f.nic")
    low, high = re.findall(r"--range (\S+) (\S+)$", told)[0]
    assert float(np.float32(float(low))) <= array.min() and array.max() <= float(np.float32(float(high)))
    code, _, told = run("encode", "f.npy", "f.nic", "--range", low, high)
    assert code == 0 and "cut" not in told
