import csv
import json
import math
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import typer

from sciml.compression.commands.bench import bench_command, find_pictures
from sciml.compression.pictures.eight_bits import read_pixels
from sciml.compression.study.anchors import ANCHORS, codecs_by_name
from sciml.compression.study.bench import Picture, run_bench
from sciml.compression.study.quality import MS_SSIM, PSNR
from sciml.runtime.errors import ConfigError, DataError, PartialResult, ScimlError
from sciml.stages import Interrupted


def scene(rows: int = 80, columns: int = 96, seed: int = 0) -> np.ndarray:
    y, x = np.mgrid[0:rows, 0:columns] / 16
    light = np.stack([np.sin(x + y + seed), np.cos(1.3 * x), np.sin(0.7 * y)], -1)
    return (127 + 50 * light + np.random.default_rng(seed).normal(scale=4, size=light.shape)).clip(0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Stored:
    """Keeps the upper bits of each value: a codec that is no part of this package."""

    name: str = "stored"
    settings: str = "upper bits"
    qualities: tuple[float, ...] = (1, 2, 3, 4)
    error: type[BaseException] | None = None

    def encode(self, picture, quality):
        if self.error is not None and quality == 3:
            raise self.error("out of\n bits")
        shift = np.uint8(8 - quality)
        return np.packbits(np.unpackbits(picture.reshape(-1, 1) >> shift, axis=1)[:, -int(quality) :]).tobytes() + bytes(
            [int(quality), *np.array([*picture.shape, 0][:3], ">u2").tobytes()]
        )

    def decode(self, content):
        quality, shape = content[-7], [int(side) for side in np.frombuffer(content[-6:], ">u2") if side]
        bits = np.unpackbits(np.frombuffer(content[:-7], np.uint8))[: math.prod(shape) * quality].reshape(-1, quality)
        padded = np.pad(bits, ((0, 0), (0, 8 - quality)))
        return (np.packbits(padded, axis=1).reshape(shape) + np.uint8(1 << (7 - quality))).astype(np.uint8)


PICTURES = [Picture("first", scene()), Picture("second", scene(seed=1))]


def test_a_rate_is_the_bytes_of_the_file(tmp_path):
    bench = run_bench(PICTURES, [Stored(), ANCHORS["jpeg"]])
    assert [(row.picture, row.codec) for row in bench.rows] == [
        (picture.name, codec.name) for picture in PICTURES for codec in (Stored(), ANCHORS["jpeg"]) for _ in codec.qualities
    ]
    for row in bench.rows:
        codec = Stored() if row.codec == "stored" else ANCHORS["jpeg"]
        path = tmp_path / "coded"
        path.write_bytes(codec.encode(next(p for p in PICTURES if p.name == row.picture).pixels(), row.quality))
        assert row.file_bytes == os.path.getsize(path)  # noqa: PTH202
        assert row.rate_bpp == 8 * path.stat().st_size / (80 * 96)
        assert row.psnr_db > 5
        assert row.ms_ssim is None
        assert min(row.encode_s, row.decode_s) >= 0
    assert bench.points("stored", MS_SSIM) == {}
    assert not bench.failures


def test_points_and_tables_of_a_known_saving():
    """A copy of jpeg whose files are longer by a quarter costs 25 % everywhere."""

    class Padded(Stored):
        def encode(self, picture, quality):
            content = ANCHORS["jpeg"].encode(picture, quality)
            return content + bytes(round(len(content) / 4))

        def decode(self, content):
            return ANCHORS["jpeg"].decode(content)

    padded = Padded(name="padded", qualities=ANCHORS["jpeg"].qualities)
    bench = run_bench(PICTURES, [ANCHORS["jpeg"], padded])
    found = bench.bd_rates("jpeg", PSNR)
    assert list(found) == ["padded"]
    assert found["padded"].mean == pytest.approx(25, abs=0.1)
    assert found["padded"].pictures == 2
    line = bench.at_rates(PSNR, (1e-3, 1.0, 100.0))["jpeg"]
    assert (line[0], line[2]) == (None, None)
    assert line[1] is not None
    with pytest.raises(ConfigError, match="anchor avif is not among"):
        bench.bd_rates("avif", PSNR)


def test_grey_pictures_go_through_codecs_of_three_channels():
    codecs = [codec for codec in ANCHORS.values() if codec.missing() is None]
    picture = scene()[..., 0]
    bench = run_bench([Picture("grey", picture)], [replace(codec, qualities=codec.qualities[-2:]) for codec in codecs])
    assert not bench.failures
    assert all(row.channels == 1 and row.psnr_db > 25 for row in bench.rows)


def test_a_failure_is_kept_beside_the_other_points():
    class Wrong(Stored):
        def decode(self, content):
            return super().decode(content)[1:]

    bench = run_bench(PICTURES[:1], [Stored(error=ValueError), Wrong(name="wrong", qualities=(1,))])
    assert [row.quality for row in bench.rows] == [1, 2, 4]
    assert [(one.codec, one.quality) for one in bench.failures] == [("stored", 3), ("wrong", 1)]
    assert bench.failures[0].reason == "out of bits"
    assert "shape" in bench.failures[1].reason


def test_what_is_not_installed_is_reported():
    absent = replace(ANCHORS["jpegxl"], missing=lambda: "not installed: no plugin")
    bench = run_bench(PICTURES[:1], [Stored(), absent])
    assert bench.absent == {"jpegxl": "not installed: no plugin"}
    assert bench.summary("stored").absent == bench.absent
    with pytest.raises(ConfigError, match="none of the codecs can run here: jpegxl not installed"):
        run_bench(PICTURES, [absent])


def test_processes_give_the_same_rows():
    codecs = [replace(ANCHORS[name], qualities=(10, 50)) for name in ("jpeg", "webp")]
    told = []
    alone, together = run_bench(PICTURES, codecs), run_bench(PICTURES, codecs, jobs=2, progress=lambda *what: told.append(what))
    timeless = [[row.model_copy(update={"encode_s": 0, "decode_s": 0}) for row in bench.rows] for bench in (alone, together)]
    assert timeless[0] == timeless[1]
    assert [done for done, _, _ in told] == [2, 4, 6, 8]
    assert {every for _, every, _ in told} == {8}
    unpicklable = replace(codecs[0], missing=lambda: None)
    with pytest.raises(ConfigError, match="do not pickle"):
        run_bench(PICTURES, [unpicklable], jobs=2)


@pytest.mark.parametrize(
    ("pictures", "codecs", "options", "error", "message"),
    [
        ([], [Stored()], {}, DataError, "0 pictures"),
        (PICTURES[:1] * 2, [Stored()], {}, ConfigError, "two pictures have the same name: first, first"),
        (PICTURES, [Stored(), Stored()], {}, ConfigError, "two codecs"),
        (PICTURES, [Stored()], {"repeats": 0}, ConfigError, "1 or more, got 0"),
    ],
)
def test_bad_orders_are_refused(pictures, codecs, options, error, message):
    with pytest.raises(error, match=message):
        run_bench(pictures, codecs, **options)


def test_reading_pictures_says_what_was_done(tmp_path):
    colour = scene()
    PIL.Image.fromarray(colour).save(tmp_path / "a.png")
    PIL.Image.fromarray(np.dstack([colour, colour[..., 0]])).save(tmp_path / "b.png")
    PIL.Image.fromarray(colour[..., 0]).save(tmp_path / "c.tif")
    PIL.Image.fromarray(colour).save(tmp_path / "d.jpg")
    PIL.Image.fromarray(colour[..., 0].astype(np.uint16) * 250).save(tmp_path / "deep.png")
    np.save(tmp_path / "volume.npy", np.tile(colour[..., 0], (9, 1, 1)))
    np.save(tmp_path / "floats.npy", colour / 255)
    pixels, notes = read_pixels(tmp_path / "a.png")
    assert np.array_equal(pixels, colour)
    assert notes == ()
    assert np.array_equal(read_pixels(tmp_path / "b.png")[0], colour)
    assert read_pixels(tmp_path / "b.png")[1] == ("alpha channel dropped",)
    assert np.array_equal(read_pixels(tmp_path / "c.tif")[0], colour[..., 0])
    assert "favour the codec jpeg" in read_pixels(tmp_path / "d.jpg")[1][0]
    for name, held in (("deep.png", "16 bits"), ("volume.npy", "a volume"), ("floats.npy", "other than whole numbers")):
        with pytest.raises(DataError, match=f"{name} holds {held}: codecs are compared on pictures of 8 bits"):
            read_pixels(tmp_path / name)


def test_pictures_are_found_by_file_folder_and_pattern(tmp_path):
    for name in ("b.png", "a.jpg", "inner/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        PIL.Image.fromarray(scene()).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    twice = [str(tmp_path / name) for name in ("b.png", "inner/b.png")]
    assert [one.name for one in find_pictures([str(tmp_path)])] == ["a.jpg", *twice]
    assert [one.name for one in find_pictures([f"{tmp_path}/*.png", str(tmp_path / "b.png")])] == ["b.png"]
    names = [one.name for one in find_pictures([str(tmp_path / "b.png"), str(tmp_path / "inner")])]
    assert names == twice
    (tmp_path / "empty").mkdir()
    for word, message in (
        ("empty", "holds no file to read"),
        ("*.gif", "no file matches"),
        ("none.png", "no such file"),
        ("notes.txt", "unknown suffix"),
    ):
        with pytest.raises(DataError, match=message):
            find_pictures([str(tmp_path / word)])


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Run the command in a folder with one picture; return (standard output, standard error)."""
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command("bench")(bench_command)
    PIL.Image.fromarray(np.dstack([scene(170, 180), np.full((170, 180), 255, np.uint8)])).save("picture.png")

    def call(*words: str) -> tuple[str, str]:
        app(list(words), standalone_mode=False)
        return capfd.readouterr()

    return call


def test_the_command_prints_and_writes_everything(run):
    out, err = run("picture.png", "--codecs", "jpeg,webp", "--out", "found", "--linear-rate")
    for words in ("BD-rate against jpeg", "PSNR in dB at equal rate", "MS-SSIM at equal rate", "Speed in megapixels", "1 of 1"):
        assert words in out
    assert "sciml: warning: picture.png: alpha channel dropped" in err
    with Path("found/bench.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(ANCHORS["jpeg"].qualities) + len(ANCHORS["webp"].qualities)
    assert all(float(row["rate_bpp"]) == 8 * int(row["file_bytes"]) / (170 * 180) for row in rows)
    found = json.loads(Path("found/bench.json").read_text())
    assert found["versions"]["pillow"] == PIL.__version__
    assert found["bd_rates"]["psnr_db"]["webp"]["pictures"] == 1
    assert len(found["rows"]) == len(rows)
    with PIL.Image.open("found/rate-distortion.png") as figure:
        assert np.asarray(figure.convert("RGB")).std() > 10
    assert sorted(path.name for path in Path("found").iterdir()) == ["bench.csv", "bench.json", "rate-distortion.png"]


def with_codecs(monkeypatch, *codecs):
    monkeypatch.setattr("sciml.compression.study.anchors.codecs_by_name", lambda names: list(codecs))


def test_an_interrupted_command_leaves_no_files(run, monkeypatch):
    with_codecs(monkeypatch, ANCHORS["jpeg"], Stored(error=KeyboardInterrupt))
    with pytest.raises(Interrupted, match="nothing was written"):
        run("picture.png", "--out", "found")
    assert list(Path("found").iterdir()) == []


def test_a_codec_that_fails_is_told_after_the_results(run, monkeypatch, capfd):
    with_codecs(
        monkeypatch, ANCHORS["jpeg"], replace(ANCHORS["jpegxl"], missing=lambda: "not installed: x"), Stored(error=OSError)
    )
    with pytest.raises(PartialResult, match=r"1 of 14 points failed, the first: stored at 3 on picture\.png: out of bits"):
        run("picture.png", "--out", "found")
    assert Path("found/bench.json").exists()
    out, err = capfd.readouterr()
    assert "No number: the curve of the codec has too few points: 3, 4 are needed" in " ".join(out.split())
    assert "warning: jpegxl is not installed" in err


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (("picture.png", "--codecs", "jpeg,gif"), ConfigError, "no codec is called 'gif'"),
        (("picture.png", "--codecs", "webp"), ConfigError, "the anchor jpeg is not among the codecs webp"),
        (("picture.png", "--out", "picture.png"), ScimlError, "cannot write to picture.png"),
        (("none.png",), DataError, "no such file: none.png"),
    ],
)
def test_bad_commands_are_answered_in_one_line(run, words, error, message):
    with pytest.raises(error, match=message):
        run(*words)


def test_names_of_the_default_are_those_of_the_anchors():
    from sciml.compression.commands.bench import ALL

    assert [codec.name for codec in codecs_by_name(ALL.split(","))] == list(ANCHORS)
