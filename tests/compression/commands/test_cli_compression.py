"""`sciml compression` as a user meets it: files in and out, one line for a mistake, never half a file or the wrong model."""

from __future__ import annotations

import json
import os
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile
from tiny_models import make_model, texture
from typer.testing import CliRunner

from sciml.batch import find, plan
from sciml.compression import cli
from sciml.compression.codecs.codec import Codec
from sciml.compression.codecs.model_files import save_model
from sciml.compression.coding.model import CodecModel
from sciml.compression.commands.encode import read_care, windowed
from sciml.compression.container.file import Header, Limits, layer_offsets, read_header, write_container
from sciml.compression.study.selftest import reference_path, selftest_reference
from sciml.formats.pictures import PictureFile, read_picture
from sciml.runtime import files
from sciml.runtime.errors import ConfigError, DataError, ScimlError

PICTURE = texture(70, 90, 3, 1).round().astype(np.uint8)
Run = Callable[..., tuple[int, str, str]]


def save(path: Path, model: CodecModel) -> None:
    save_model(path, model, config={}, seed=0, inputs={}, source_digest="", cpu_minutes=0.0)


@pytest.fixture
def shipped(tmp_path, monkeypatch, colour_model) -> Path:
    """A folder of shipped models with one, `photo`."""
    folder = tmp_path / "shipped"
    save(folder / "photo.safetensors", colour_model)
    monkeypatch.setattr("sciml.training.store.ModelStore.folder", folder)
    return folder


@pytest.fixture
def run(tmp_path, monkeypatch, shipped) -> Run:
    """Run a command in an empty folder; returns exit code, standard output and the error or standard error."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def call(*words: object) -> tuple[int, str, str]:
        result = CliRunner().invoke(cli.app, list(map(str, words)))
        if isinstance(result.exception, ScimlError):
            text = str(result.exception)
            assert "\n" not in text
            return result.exception.exit_code, result.stdout, f"{result.stderr}{text}"
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.stdout, result.stderr

    return call


@pytest.fixture
def coded(run) -> Path:
    PIL.Image.fromarray(PICTURE).save("a.png")
    assert run("encode", "a.png", "a.nic", "--strong")[0] == 0
    return Path("a.nic")


def decibel(first: np.ndarray, second: np.ndarray, peak: float = 255) -> float:
    return 10 * np.log10(peak**2 / np.mean((first.astype(float) - second) ** 2))


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


# files, folders, names


def test_folders_keep_their_tree_and_failures_do_not_stop_the_others(run, shipped):
    for name in ("in/a.png", "in/deep/a.png", "in/deep/b.jpg", "in/.hidden/c.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(PICTURE).save(name)
    Path("in/deep/bad.png").write_bytes(b"no")
    Path("in/notes.txt").touch()
    code, out, err = run("encode", "in", "out", "--jobs", 2, "--model", shipped / "photo.safetensors")
    assert code == 3 and "1 of 4 files failed: in/deep/bad.png" in err and "sciml: error: in/deep/bad.png is no picture" in err
    names = sorted(path.relative_to("out").as_posix() for path in Path("out").rglob("*.*"))
    assert names == ["a.nic", "deep/a.nic", "deep/b.nic"]
    assert [line.split()[0] for line in out.splitlines()] == ["in/a.png", "in/deep/a.png", "in/deep/b.jpg"]
    code, out, _ = run("decode", "out", "back")
    assert code == 0 and len(out.splitlines()) == 3 and Path("back/deep/b.png").is_file()
    # again: what is there is kept, and said to be
    before = Path("back/a.png").stat().st_mtime_ns
    code, out, err = run("decode", "out", "back")
    assert code == 0 and not out and err.count("is there already: --force makes it again") == 3
    assert Path("back/a.png").stat().st_mtime_ns == before
    assert run("decode", "out/**/*.nic", "back", "--force")[0] == 0


def test_where_results_go(run):
    for name in ("in/a.png", "in/a.jpg", "in/b.c.png", "more/b.c.png"):
        Path(name).parent.mkdir(exist_ok=True)
        PIL.Image.fromarray(PICTURE).save(name)
    Path("there").mkdir()

    def targets(words: list[str], out: str) -> dict[str, str]:
        return {str(job.source): str(job.target) for job in plan(words, Path(out), (".png", ".jpg"), (".nic",), ".nic")}

    assert targets(["in/a.png"], "x.nic") == {"in/a.png": "x.nic"}
    assert targets(["in/a.png"], "there") == {"in/a.png": "there/a.nic"}
    assert targets(["in"], "new") == {"in/a.jpg": "new/a.jpg.nic", "in/a.png": "new/a.png.nic", "in/b.c.png": "new/b.c.nic"}
    assert targets(["i*/*.png"], "new") == {"in/a.png": "new/in/a.nic", "in/b.c.png": "new/in/b.c.nic"}
    assert targets([str(Path("in").resolve() / "*.png")], "new").popitem()[1] == "new/b.c.nic"
    assert len(find(["in", "in/a.png"], (".png",))) == 2
    for words, out, reason in (
        (["in"], "x.nic", "name a folder"),
        (["in/a.png", "in/a.jpg"], "x.nic", "name a folder"),
        (["in/a.png"], "in/a.jpg", "results go to a folder"),
        (["in/a.png"], "new.png", "results go to a folder"),
        (["in/b.c.png", "more/b.c.png"], "new", "would both be written"),
    ):
        with pytest.raises(ConfigError, match=reason):
            targets(words, out)
    with pytest.raises(DataError, match="holds no file"):
        targets(["there"], "new")


def test_nothing_is_replaced_also_not_what_another_process_was_faster_with(run, coded, monkeypatch):
    before = coded.read_bytes()
    code, _, err = run("encode", "a.png", "a.nic", "--quality", 3)
    assert code == 2 and "--force" in err and coded.read_bytes() == before
    path = Path("race.nic")
    with pytest.raises(ConfigError, match="there already"), files.new_file(path, force=False) as temporary:
        temporary.write_bytes(b"late")
        path.write_bytes(b"early")
    assert path.read_bytes() == b"early" and not list(Path().glob(".race*"))

    def no_links(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", no_links)
    with files.new_file(Path("plain.nic"), force=False) as temporary:
        temporary.write_bytes(b"x")
    assert Path("plain.nic").read_bytes() == b"x"
    assert run("encode", "a.png", "a.nic", "--quality", 3, "--force")[0] == 0 and coded.read_bytes() != before


# damage, models, limits


def test_damage_is_refused_and_salvaged(run, coded):
    content = bytearray(coded.read_bytes())
    offsets = layer_offsets(read_header(bytes(content)))[0]
    content[offsets[1] + 3] ^= 1
    Path("bad.nic").write_bytes(content)
    Path("cut.nic").write_bytes(coded.read_bytes()[: offsets[2]])
    Path("gone.nic").write_bytes(coded.read_bytes()[: offsets[0] + 1])
    Path("head.nic").write_bytes(coded.read_bytes()[:20])
    for name, reason in (("bad.nic", "layer 2 of 4"), ("cut.nic", "the file ends after"), ("gone.nic", "layer 1 of 4")):
        code, _, err = run("decode", name, "x.png")
        assert code == 2 and name in err and reason in err and "--salvage" in err and not Path("x.png").exists()
    for name in ("bad.nic", "cut.nic"):
        code, out, err = run("decode", name, "x.png", "--salvage", "--force")
        assert code == 3 and name in out and "sciml: warning:" in err and "incomplete" in err
        assert decibel(np.asarray(PIL.Image.open("x.png")), PICTURE) > 15
    code, _, err = run("decode", "gone.nic", "y.png", "--salvage")
    assert code == 2 and "nothing of the picture is intact" in err and not Path("y.png").exists()
    code, _, err = run("decode", "head.nic", "y.png", "--salvage")
    assert code == 2 and "head.nic" in err
    later = bytearray(coded.read_bytes())
    later[4] = 9
    Path("later.nic").write_bytes(later)
    code, _, err = run("decode", "later.nic", "y.png")
    assert code == 2 and "version 9" in err
    code, out, _ = run("decode", "a.nic", "bad.nic", "mixed")
    assert code == 3 and Path("mixed/a.png").is_file() and not Path("mixed/bad.png").exists()


def test_never_another_model(run, coded, shipped):
    other = make_model(3, steps=(0.4,), count=2, side=64, name="other")
    save(Path("other.safetensors"), other)
    code, _, err = run("decode", "a.nic", "x.png", "--model", "other.safetensors")
    assert code == 2 and "this is other" in err and not Path("x.png").exists()
    photo_id = Codec.load("photo").model.id.hex()
    (shipped / "photo.safetensors").rename("mine.safetensors")
    save(shipped / "other.safetensors", other)
    code, _, err = run("decode", "a.nic", "x.png")
    assert code == 2 and photo_id in err and f"other ({other.id.hex()})" in err and "--model" in err
    assert run("decode", "a.nic", "x.png", "--model", "mine.safetensors")[0] == 0
    assert "none that is shipped" in run("info", "a.nic")[1]
    assert run("verify", "a.nic")[0] == 2


def test_limits_of_pixels(run, coded):
    for words in (("decode", "a.nic", "x.png"), ("verify", "a.nic"), ("encode", "a.png", "x.nic")):
        code, _, err = run(*words, "--max-pixels", 6299)
        assert code == 2 and "90 x 70 = 6300 pixels" in err and "--max-pixels" in err
    assert run("decode", "a.nic", "x.png", "--max-pixels", 6300)[0] == 0
    assert Limits().pixels == cli.MOST_PIXELS


def test_colour_profiles_go_through(run):
    profile = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
    PIL.Image.fromarray(PICTURE).save("a.png", icc_profile=profile)
    run("encode", "a.png", "a.nic", "--keep-icc")
    run("decode", "a.nic", "b.png")
    assert PIL.Image.open("b.png").info["icc_profile"] == profile
    run("encode", "a.png", "c.nic")
    assert read_header(Path("c.nic").read_bytes()).profile_bytes is None


# info, verify, selftest


def test_info_tells_all_without_a_model(run, coded):
    code, out, _ = run("info", "a.nic")
    assert code == 0 and "90 x 70 pixels" in out and "photo, id" in out and "layer 4" in out and "50.0" in out and "intact" in out
    code, out, _ = run("info", "a.nic", "--json")
    facts = json.loads(out)[0]
    size = coded.stat().st_size
    assert facts["bytes"] == size == sum(row["bytes"] for row in facts["layers"]) and facts["bpp"] == 8 * size / 6300
    assert facts["checksum_bits"] == 32 and facts["model"] == "photo" and not facts["damage"]
    Path("cut.nic").write_bytes(coded.read_bytes()[:-9])
    assert "the file ends after" in json.loads(run("info", "cut.nic", "--json")[1])[0]["damage"][0]
    Path("bad.nic").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    code, out, err = run("info", "a.nic", "bad.nic")
    assert code == 3 and "90 x 70" in out and "bad.nic" in err and "PNG" in err
    assert run("info", "bad.nic")[0] == 2


def test_verify_has_a_line_a_file(run, coded):
    content = bytearray(coded.read_bytes())
    content[-20] ^= 4
    Path("bad.nic").write_bytes(content)
    code, out, _ = run("verify", "a.nic")
    assert code == 0 and out.startswith(f"a.nic: good, {len(content)} bytes, codes ")
    code, out, err = run("verify", "a.nic", "bad.nic")
    assert code == 2 and out.splitlines()[1] == "bad.nic: BAD" and "(the header passed)" in err


def test_selftest_compares_with_what_was_coded_elsewhere(run, shipped, colour_model, grey_model):
    code, out, _ = run("selftest")
    assert code == 0 and "no reference" in out and "numpy" in out and "FAIL" not in out
    path = reference_path(shipped / "photo.safetensors")
    reference = selftest_reference(colour_model)
    path.write_text(json.dumps(reference))
    code, out, _ = run("selftest")
    assert code == 0 and "no reference" not in out and out.count("reference at step") == 2 and path.stat().st_size < 10_000
    changes = ({"codes_crc32": "00000000"}, {"psnr_db": 50.0}, {"data": "AAAA"})
    path.write_text(json.dumps({**reference, "streams": [{**reference["streams"][0], **change} for change in changes]}))
    code, out, err = run("selftest")
    assert code == 1 and out.count("FAIL") == len(changes) and "checks failed" in err
    path.write_text(json.dumps(selftest_reference(grey_model)))
    assert run("selftest")[0] == 1
    save(Path("grey.safetensors"), grey_model)
    code, out, _ = run("selftest", "--model", "grey.safetensors")
    assert code == 0 and "photo" not in out
    path.unlink()
    (shipped / "photo.safetensors").unlink()
    code, _, err = run("selftest")
    assert code == 2 and "nothing to test" in err


def test_every_command_teaches(run):
    for name in ("encode", "decode", "info", "verify", "selftest", "bench"):
        code, out, _ = run(name, "--help")
        assert code == 0 and "Example" in out and f"sciml compression {name}" in " ".join(out.split())


# standard input and output, other suffixes, missed targets


def test_a_dash_is_standard_input_and_output(coded: Path) -> None:
    def call(*words: str, given: bytes = b"") -> tuple[bytes, str, ScimlError | None]:
        result = CliRunner().invoke(cli.app, list(words), input=given)
        assert result.exception is None or isinstance(result.exception, ScimlError), result.exception
        return result.stdout_bytes, result.stderr, result.exception

    picture, code = Path("a.png").read_bytes(), coded.read_bytes()
    out, told, _ = call("encode", "-", "-", "--strong", given=picture)
    assert out == code
    assert "standard input -> standard output: " in told
    assert call("encode", "a.png", "-", "--strong")[0] == code
    assert "standard input -> b.nic" in call("encode", "-", "b.nic", "--strong", given=picture)[0].decode()
    assert Path("b.nic").read_bytes() == code
    assert call("decode", "a.nic", "a-back.png")[2] is None
    assert call("decode", "-", "-", given=code)[0] == Path("a-back.png").read_bytes()
    for words, given, expected in (
        (("encode", "-", "c.nic"), b"", "standard input is empty"),
        (("decode", "-", "c.png"), picture, "standard input.*PNG"),
        (("encode", "a.png", "-", "-"), picture, "stands for one file"),
        (("encode", ".", "-"), b"", "only one file goes to standard output"),
    ):
        out, _, error = call(*words, given=given)
        assert out == b""
        assert re.search(expected, str(error)), error
    assert not Path("c.nic").exists() and not Path("-").exists()


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


def test_the_place_that_is_missing_is_named(run: Run, coded: Path) -> None:
    for command in ("encode", "decode"):
        code, _, told = run(command, "a.png")
        assert (code, "OUT" in told.splitlines()[-2]) == (2, True), told


def test_tiny_tiles_are_decoded_where_that_is_asked_for(run: Run, shipped: Path, colour_model: CodecModel) -> None:
    PIL.Image.fromarray(np.tile(PICTURE, (7, 6, 1))).save("a.png")
    code, _, told = run("encode", "a.png", "a.nic", "--tiles", "16", "--effort", "0")
    assert (code, "choose larger tiles" in told) == (2, True)
    many, tiles = Header(colour_model.id, 540, 490, tile_log2=4), [[b""] * 2] * 1054
    Path("m.nic").write_bytes(write_container(many, tiles, limits=Limits(small_tiles=1054)))
    code, _, told = run("decode", "m.nic", "m.png")
    assert (code, "with --max-tiles 1054" in told) == (2, True), told
    assert run("info", "m.nic")[0] == 0
    # its tiles are decoded then, and are none
    assert "tile at row 0, column 0" in run("decode", "m.nic", "m.png", "--max-tiles", 1054)[2]
