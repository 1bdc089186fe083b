"""Files of the neural preset: the rate identity, the same codes everywhere, tiles, layers, refusals, damage, model files."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from neural_models import make_neural
from PIL import Image
from tiny_models import FACTS, make_model, texture
from typer.testing import CliRunner

from sciml.compression import cli
from sciml.compression.codecs.codec import Codec, codec_of
from sciml.compression.codecs.model_files import load_any, load_model, save_model
from sciml.compression.container.file import read_container, write_container
from sciml.compression.neural.cascade import cells, largest_bpp
from sciml.compression.neural.codec import MARGIN, NeuralCodec
from sciml.compression.neural.model import NeuralModel, neural_model_from
from sciml.compression.study.selftest import selftest_reference
from sciml.runtime.errors import ConfigError, DataError, FormatError, ShapeError

PICTURE = np.rint(texture(100, 140, 3, 50)).astype(np.uint8)


@pytest.fixture(scope="module")
def codec() -> NeuralCodec:
    found = codec_of(make_neural())
    assert isinstance(found, NeuralCodec)
    return found


def bound(model: NeuralModel) -> float:
    books = model.network.codebooks()
    return largest_bpp([len(book.sizes) for book in books], [book.count for book in books])


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 7), (16, 40, 3), (63, 65, 3), (64, 64, 4), (130, 20, 2)])
@pytest.mark.parametrize("preset", ["small", "published"])
def test_pictures_come_back_in_their_form(shape: tuple[int, ...], preset: str) -> None:
    codec = codec_of(make_neural(preset))
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    data = codec.encode(image)
    decoded = codec.decode(data)
    assert (decoded.shape, decoded.dtype) == (shape, image.dtype)
    if shape[2:] in ((2,), (4,)):
        assert np.array_equal(decoded[..., -1], image[..., -1])
    assert [found.shape[1:] for found in codec.codes(data)[0]] == [
        (cells(shape[0], level), cells(shape[1], level)) for level in range(3)
    ]


def test_the_rate_is_that_of_the_file_and_of_the_tables(codec: NeuralCodec) -> None:
    from sciml.compression.coding.samples import samples_of

    encoded = codec.encode_samples(samples_of(PICTURE, codec.model), 500)
    assert encoded.bpp == 8 * len(encoded.data) / (100 * 140)
    (codes,) = codec.codes(encoded.data)
    bits = sum(
        -np.log2(table[group, plane] / 2**20).sum()
        for table, level in zip(codec.model.tables, codes, strict=True)
        for group, plane in enumerate(level)
    )
    assert encoded.ideal_bits == pytest.approx(bits)
    payload = 8 * sum(map(len, encoded.tiles[0].layers))
    # words of 32 bits, one more a layer to end it
    assert bits <= payload <= 1.001 * bits + 3 * 64


def test_equal_tables_meet_the_bound() -> None:
    model = make_neural()
    even = tuple(np.full(table.shape, 2**20 // table.shape[1]) for table in model.tables)
    codec = codec_of(dataclasses.replace(model, tables=even))
    image = np.rint(texture(256, 320, 3, 51)).astype(np.uint8)
    payload = sum(map(len, read_container(codec.encode(image)).tiles[0]))
    assert 8 * payload / (256 * 320) == pytest.approx(bound(model), rel=0.02)
    assert 8 * payload / (256 * 320) >= bound(model)


def test_bits_are_weighed_against_the_error(codec: NeuralCodec) -> None:
    sizes, errors = [], []
    for quality in (1, 25, 60):
        data = codec.encode(PICTURE, quality=quality)
        sizes.append(len(data))
        errors.append(float(np.square(codec.decode(data).astype(float) - PICTURE).mean()))
    assert sizes[0] < sizes[1] < sizes[2]
    assert errors[0] > errors[2]
    assert len(codec.encode(PICTURE, max_bytes=sizes[1])) <= sizes[1]
    with pytest.raises(
        ConfigError, match=r"bits per pixel cannot be reached for this picture: this model gives 0\.\d+ to 0\.\d+"
    ):
        codec.encode(PICTURE, bpp=0.05)
    with pytest.raises(ConfigError, match="dB cannot be reached"):
        codec.encode(PICTURE, psnr=50)


def test_networks_without_a_rate_have_one() -> None:
    codec = codec_of(make_neural("published"))
    assert codec.encode(PICTURE, quality=5)[28:] != b""
    assert len({len(codec.encode(PICTURE, quality=quality)) for quality in (5, 50, 95)}) == 1
    with pytest.raises(ConfigError, match="cannot be reached"):
        codec.encode(PICTURE, bpp=0.01)


def test_codes_do_not_depend_on_the_surroundings(codec: NeuralCodec) -> None:
    data = codec.encode(PICTURE)
    wanted = codec.codes(data)[0]
    for threads in (2, 1):
        torch.set_num_threads(threads)
        with torch.backends.mkldnn.flags(enabled=threads == 2):
            assert all(np.array_equal(a, b) for a, b in zip(codec.codes(data)[0], wanted, strict=True))
    torch.set_default_dtype(torch.float64)
    try:
        assert all(np.array_equal(a, b) for a, b in zip(codec.codes(data)[0], wanted, strict=True))
    finally:
        torch.set_default_dtype(torch.float32)
    # no weight of a network is between bytes and codes
    changed = dict(codec.model.arrays())
    changed |= {name: value + np.float16(0.1) for name, value in changed.items() if name.startswith("network.synthesis")}
    other = NeuralCodec(neural_model_from(changed, "other", codec.model.settings.model_dump()))
    assert other.model.id != codec.model_id
    tile = read_container(data).tiles[0]
    renamed = write_container(dataclasses.replace(read_container(data).header, model_id=other.model.id), [tile])
    assert all(np.array_equal(a, b) for a, b in zip(other.codes(renamed)[0], wanted, strict=True))
    assert not np.array_equal(other.decode(renamed), codec.decode(data))


def test_decoding_a_batch_is_decoding_each(codec: NeuralCodec) -> None:
    network = codec.model.network
    pictures = [torch.from_numpy(texture(64, 64, 3, seed).transpose(2, 0, 1) / 255 - 0.5)[None] for seed in range(3)]
    codes = [network.encode(picture, 0.01) for picture in pictures]
    together = network.decode([torch.cat(level) for level in zip(*codes, strict=True)], 64, 64)
    for place, found in enumerate(codes):
        assert torch.allclose(network.decode(found, 64, 64)[0], together[place], atol=1e-5)


@pytest.mark.slow
def test_a_fresh_process_decodes_the_same_codes(codec: NeuralCodec, tmp_path: Path) -> None:
    save_model(tmp_path / "m.safetensors", codec.model, **FACTS)
    data = codec.encode(PICTURE)
    (tmp_path / "p.nic").write_bytes(data)
    script = (
        "import sys, numpy as np; from sciml.compression import Codec; from pathlib import Path\n"
        "codec = Codec.load(sys.argv[1]); data = Path(sys.argv[2]).read_bytes()\n"
        "np.savez(sys.argv[3], *codec.codes(data)[0], picture=codec.decode(data))\n"
    )
    arguments = [tmp_path / "m.safetensors", tmp_path / "p.nic", tmp_path / "out.npz"]
    subprocess.run([sys.executable, "-c", script, *map(str, arguments)], check=True)
    found = np.load(tmp_path / "out.npz")
    for level, codes in enumerate(codec.codes(data)[0]):
        assert np.array_equal(found[f"arr_{level}"], codes)
    assert np.abs(found["picture"].astype(int) - codec.decode(data)).max() <= 1


def test_tiles_leave_no_seam(codec: NeuralCodec) -> None:
    image = np.rint(texture(200, 330, 3, 52)).astype(np.uint8)
    whole, tiled = codec.encode(image, tile_log2=0), codec.encode(image, tile_log2=7)
    assert len(codec.codes(tiled)) == 6
    assert np.array_equal(codec.decode(whole), codec.decode(tiled))
    assert MARGIN % 64 == 0
    with pytest.raises(ConfigError, match="64 and more"):
        codec.encode(image, tile_log2=5)


def test_layers_are_levels(codec: NeuralCodec) -> None:
    data = codec.encode(PICTURE, quality=50)
    assert read_container(data).header.layers == 3
    errors = [np.square(codec.decode(data, layers).astype(float) - PICTURE).mean() for layers in (1, 2, 3)]
    assert errors[0] > errors[1] > errors[2]


def test_damage_is_found_and_leading_levels_are_saved(codec: NeuralCodec) -> None:
    data = codec.encode(PICTURE, tile_log2=6)
    generator = np.random.default_rng(0)
    for place in generator.integers(len(data), size=60):
        broken = bytearray(data)
        broken[place] ^= 1 << int(generator.integers(8))
        with pytest.raises(FormatError):
            codec.decode(bytes(broken))
    for size in (0, 3, 30, len(data) // 2, len(data) - 1):
        with pytest.raises(FormatError):
            codec.decode(data[:size])
    kept = read_container(data[: len(data) // 2], salvage=True)
    assert codec.decode_container(kept).shape == PICTURE.shape


def test_layers_that_were_never_coded_are_format_errors(codec: NeuralCodec) -> None:
    data = codec.encode(PICTURE)
    container = read_container(data)
    wrong = write_container(container.header, [[b"\xff" * 64, b"\x00" * 8, b"\xff" * 400]])
    with pytest.raises(FormatError, match=r"layer|codes"):
        codec.decode(wrong)
    with pytest.raises(FormatError, match="no whole number"):
        codec.decode(write_container(container.header, [[*container.tiles[0][:2], b"12345"]]))
    with pytest.raises(FormatError, match="a neural model has 3"):
        codec.decode(write_container(container.header, [[*container.tiles[0], b""]]))
    with pytest.raises(FormatError, match="table set"):
        codec.decode(write_container(dataclasses.replace(container.header, quality=1), container.tiles))


def test_other_models_and_inputs_are_refused(codec: NeuralCodec) -> None:
    plain = Codec(make_model(3, (0.5,), 2, 64))
    with pytest.raises(FormatError, match="was coded with model"):
        codec.decode(plain.encode(PICTURE))
    with pytest.raises(FormatError, match="was coded with model"):
        plain.decode(codec.encode(PICTURE))
    with pytest.raises(ConfigError, match="region of interest"):
        codec.encode(PICTURE, roi_weights=np.ones((100, 140)))
    with pytest.raises(ConfigError, match="no tuning"):
        codec.encode(PICTURE, tune="ms-ssim")
    with pytest.raises(ShapeError, match="channels"):
        codec.encode(np.zeros((20, 20, 5), np.uint8))
    with pytest.raises(DataError, match="not finite"):
        codec.encode(np.full((20, 20, 3), np.nan, np.float32))


@pytest.mark.parametrize("preset", ["small", "published"])
def test_models_go_through_files(tmp_path: Path, preset: str) -> None:
    model, path = make_neural(preset), tmp_path / "m.safetensors"
    save_model(path, model, **FACTS)
    again = load_any(path)
    assert isinstance(again, NeuralModel)
    assert again.id == model.id
    assert codec_of(again).encode(PICTURE) == codec_of(model).encode(PICTURE)
    with pytest.raises(ConfigError, match="is a neural or lossless model"):
        load_model(path)
    reference = selftest_reference(model)
    assert {"step", "data", "codes_crc32", "psnr_db"} == set(reference["streams"][0])


def test_the_command_line_takes_a_neural_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_model(tmp_path / "m.safetensors", make_neural(), **FACTS)
    Image.fromarray(PICTURE).save("p.png")

    def run(*words: str) -> str:
        result = CliRunner().invoke(cli.app, [*words])
        assert result.exit_code == 0, result.exception
        return result.stdout

    assert "bpp" in run("encode", "p.png", "p.nic", "--model", "m.safetensors")
    (facts,) = json.loads(run("info", "p.nic", "--json"))
    assert facts["model_id"] == make_neural().id.hex()
    assert len([row for row in facts["layers"] if row["name"].startswith("layer")]) == 3
    assert "good" in run("verify", "p.nic", "--model", "m.safetensors")
    run("decode", "p.nic", "back.png", "--model", "m.safetensors")
    codec = codec_of(make_neural())
    assert np.array_equal(np.asarray(Image.open("back.png")), codec.decode(codec.encode(PICTURE)))
    result = CliRunner().invoke(cli.app, ["encode", "p.png", "q.nic", "--model", "m.safetensors", "--bpp", "0.01"])
    assert isinstance(result.exception, ConfigError)


DAMAGE = {
    "a table that does not sum up": lambda arrays: arrays.update({"tables.1": arrays["tables.1"] * 2}),
    "a table with a word without probability": lambda arrays: arrays["tables.0"].__setitem__((0, 0), 0),
    "a missing table": lambda arrays: arrays.pop("tables.2"),
    "a missing weight": lambda arrays: arrays.pop("network.deviations"),
    "another weight": lambda arrays: arrays.update({"network.more": arrays["network.deviations"]}),
    "another shape": lambda arrays: arrays.update({"network.deviations": arrays["network.deviations"][:3]}),
    "not finite": lambda arrays: arrays["network.inward.base"].__setitem__(0, np.float16(np.nan)),
    "no step": lambda arrays: arrays.update(step=np.array([np.nan])),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged_models_are_refused(damage) -> None:
    model = make_neural()
    arrays = {name: value.copy() for name, value in model.arrays().items()}
    damage(arrays)
    with pytest.raises(FormatError, match="is damaged"):
        neural_model_from(arrays, "tiny", model.settings.model_dump())
    with pytest.raises(FormatError, match="is damaged"):
        neural_model_from(model.arrays(), "tiny", {"preset": "huge"})
