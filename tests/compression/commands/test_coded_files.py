"""Coded files through `sciml compression`: their places, damage, models and limits, what is told of them, pipes."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from coded_files import PICTURE, Run, decibel, save
from tiny_models import make_model
from typer.testing import CliRunner

from sciml.batch import find, plan
from sciml.compression import cli
from sciml.compression.codecs.codec import Codec
from sciml.compression.coding.model import CodecModel
from sciml.compression.container.file import Header, Limits, layer_offsets, read_header, write_container
from sciml.compression.study.selftest import reference_path, selftest_reference
from sciml.runtime import files
from sciml.runtime.errors import ConfigError, DataError, ScimlError


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
