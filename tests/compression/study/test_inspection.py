"""Counting bits, classes, equal bytes and the checks of files, on tiny models."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tiny_models import texture

from sciml.compression.codecs.codec import Codec
from sciml.compression.codecs.model_files import save_model
from sciml.compression.coding.network import Restorer
from sciml.compression.entropy.rules import LARGEST_VALUE, MEAN_BITS, WEIGHT_BOUNDS
from sciml.compression.entropy.tables import BANDS, LARGEST_SYMBOL, TOTAL, band_of
from sciml.compression.settings.stages import InspectConfig, ViewConfig
from sciml.compression.stages import inspect
from sciml.compression.study import inspection_checks
from sciml.compression.study.inspection import SymbolCounts, band_titles, inspect_picture, largest_sums, maps_of, model_facts
from sciml.compression.study.inspection_checks import damage, environments, fresh_processes, seam_steps
from sciml.compression.study.inspection_pictures import TOLERANCE, equal_bytes
from sciml.compression.study.inspection_results import InspectionFile
from sciml.runtime.errors import ConfigError
from sciml.runtime.files import load_tensors
from sciml.runtime.results import read_result


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return texture(96, 144, seed=7).astype(np.uint8)


def test_layers_add_up_to_the_file_and_the_last_one_is_the_picture(colour_codec, pixels):
    found = inspect_picture(colour_codec, "one", pixels, 40)
    row = found.row
    assert row.file_bytes == len(found.encoded.data) == row.overhead_bytes + sum(layer.bytes for layer in row.layers)
    assert row.layers[-1].file_bytes_so_far == row.file_bytes
    assert sum(row.band_bits) == pytest.approx(found.encoded.ideal_bits) == sum(layer.ideal_bits for layer in row.layers)
    assert np.array_equal(found.decoded[-1], colour_codec.decode(found.encoded.data))
    # the picture is smooth: the last layer may hold nothing but chroma that luma predicts, from four textures
    assert all(after.psnr_db >= before.psnr_db - 0.01 for before, after in pairwise(row.layers))
    assert all(8 * layer.bytes <= 1.004 * layer.ideal_bits + 64 for layer in row.layers)


def test_maps_of_classes_give_back_the_bits_of_the_encoder(colour_codec, pixels):
    encoded = inspect_picture(colour_codec, "one", pixels, 40).encoded
    (tile,) = encoded.tiles
    maps = maps_of(colour_codec.model, encoded.header.quality, tile.symbols)
    assert np.abs(tile.symbols).max() > LARGEST_SYMBOL
    assert maps.bits.sum() == pytest.approx(encoded.ideal_bits)
    assert maps.usage.sum() == tile.symbols.size and maps.classes.shape == tile.symbols.shape
    for band in range(BANDS):
        mine = [plane for plane in range(len(tile.symbols)) if band_of(plane) == band]
        assert np.array_equal(maps.usage[band], np.bincount(maps.classes[mine].ravel(), minlength=40))


def test_tables_without_classes_by_hand():
    counts = SymbolCounts(2)
    # one plane of a fair coin, one of certainty; together a table of 1/4 and 3/4
    counts.add(np.array([[[0, 1, 0, 1]], [[0, 0, 0, 0]]]))
    assert counts.one_table_a_plane() == pytest.approx(4)
    several = SymbolCounts(3)
    several.add(np.array([[[0, 0, 0, 0]], [[0, 1, 0, 1]], [[0, 0, 0, 0]]]))
    # planes 1 and 2 share a band, plane 0 has its own
    assert band_of(1) == band_of(2) != band_of(0)
    assert several.one_table_a_band() == pytest.approx(-2 * np.log2(1 / 4) - 6 * np.log2(3 / 4))
    large = SymbolCounts(1)
    # a remainder of 3 is 00 100 in Exp-Golomb: 5 bits, and of 0 one bit
    large.add(np.array([[[LARGEST_SYMBOL + 3, -LARGEST_SYMBOL]]]))
    assert large.one_table_a_plane() == pytest.approx(2 + 5 + 1)


def test_bands_are_named_as_tables_share_them():
    titles = band_titles()
    assert len(titles) == BANDS and titles[:3] == ["1", "2 to 3", "4 to 8"] and titles[-1] == "129 on"


def test_largest_sums_are_those_of_the_worst_picture(colour_model):
    sums = largest_sums(colour_model)
    weights = colour_model.sets[0].rules.mean.astype(np.float64)
    assert set(sums) == set(WEIGHT_BOUNDS) and all(0 < bits < 53 for bits in sums.values())
    assert 2 ** sums["mean"] >= np.abs(weights[..., 1:]).sum(-1).max() * LARGEST_VALUE > 2**MEAN_BITS


def test_facts_count_the_network(colour_model):
    assert model_facts(colour_model, Path(__file__)).network_weights is None
    from dataclasses import replace

    facts = model_facts(replace(colour_model, network=Restorer(3, 8, 1)), Path(__file__))
    # 49 -> 8 -> 8 -> 8 -> 48 channels, 3 x 3, at a sixteenth of the pixels
    products = 9 * (49 * 8 + 2 * 8 * 8 + 8 * 48)
    assert facts.network_weights == products + 8 * 3 + 48 and facts.network_products_per_pixel == products / 16


def test_codecs_meet_at_equal_bytes(colour_codec, pixels):
    found = equal_bytes(colour_codec, pixels, 1.5)
    sizes = [len(coded.data) for coded in found]
    assert found[0].codec == "jpeg" and found[-1].codec == "nic" and all(coded.decoded.shape == pixels.shape for coded in found)
    assert 0.985 * sizes[0] <= sizes[-1] <= sizes[0]
    # a tiny picture's headers are a large part: AVIF may have no size as near as in photographs
    assert all(abs(size / sizes[0] - 1) <= 3 * TOLERANCE for size in sizes)


def test_damage_is_found_and_tiles_have_no_seams(colour_codec, pixels, monkeypatch):
    data = colour_codec.encode(pixels, quality=40)
    found = damage(data, 3)
    assert found.tried == found.found == 500 and damage(data, 3) == found
    monkeypatch.setattr(inspection_checks, "TILE_LOG2", 5)
    steps = seam_steps(colour_codec, "one", pixels, 40)
    assert steps is not None and steps.step_tiled / steps.step_whole < 1.3
    assert seam_steps(colour_codec, "one", pixels[:32, :32], 40) is None


@pytest.mark.slow
def test_fresh_processes_find_the_same_codes_and_tell_another_model(colour_model, pixels, tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(path, colour_model, config={}, seed=0, inputs={}, source_digest="", cpu_minutes=0.0)
    codec = Codec(colour_model)
    rows = list(fresh_processes(codec, path, {"one": codec.encode(pixels, quality=40)}))
    assert [row.environment for row in rows] == list(environments()) and all(row.codes_equal for row in rows)
    assert all(row.largest_pixel_difference <= 1 for row in rows)


@pytest.mark.parametrize("channels", [3, 1])
def test_the_stage_writes_what_the_page_reads(channels, request, tmp_path, monkeypatch):
    model = request.getfixturevalue("colour_model" if channels == 3 else "grey_model")
    weights = tmp_path / "model.safetensors"
    save_model(weights, model, config={}, seed=0, inputs={}, source_digest="", cpu_minutes=0.0)
    given = [(name, texture(96, 96, channels, seed).astype(np.uint8)) for seed, name in enumerate(("one", "two"))]
    monkeypatch.setattr(inspect, "pictures", lambda *_: iter(given))
    monkeypatch.setattr(inspect, "fresh_processes", lambda *_: iter([]))
    view = ViewConfig(window=(0, 8, 88, 88), zoom=(2, 10), shows="noise")
    config = InspectConfig(
        domain="tiny", experiment="compression", role="test", channels=channels, data_tier="pip", qualities=(20, 40),
        rate_bpp=1.5, views={"one": view}, seed=1,
    )  # fmt: skip
    paths = inspect.run(config, weights, tmp_path / "out")
    assert all(path.is_file() for path in paths)
    names = {path.stem for path in paths if path.suffix == ".png"}
    # the second quality is shown
    numbers = read_result(tmp_path / "out" / "inspect.json", InspectionFile)
    layers = len(numbers.rows[1].layers)
    expected = {"one-original", "one-whole", *(f"one-layer{number + 1}" for number in range(layers))}
    assert expected | {f"one-{codec}" for codec in ("jpeg", "webp", "avif", "nic")} == names
    assert [(row.picture, row.quality) for row in numbers.rows] == [("one", 20), ("one", 40), ("two", 20), ("two", 40)]
    assert len(numbers.static) == 2 and numbers.damage.found == numbers.damage.tried
    arrays, _ = load_tensors(tmp_path / "out" / "maps.safetensors")
    assert arrays["classes"].shape[1:] == (6, 6) and arrays["counts"].sum(-1).tolist() == [[TOTAL] * 40] * BANDS
    wide = config.model_copy(update={"views": {"one": config.views["one"].model_copy(update={"window": (0, 90, 88, 88)})}})
    with pytest.raises(ConfigError, match="leaves the picture"):
        inspect.run(wide, weights, tmp_path / "out")
    assert isinstance(paths[0], Path)
