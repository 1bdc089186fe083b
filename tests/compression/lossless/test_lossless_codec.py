"""Files without loss and within bounds: every sample, every shape and type, other surroundings, missing layers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import texture

from sciml.compression.codecs.codec import Codec
from sciml.compression.codecs.model_files import LOSSLESS, lossless_codec
from sciml.compression.container.file import Channel, read_container, write_container
from sciml.compression.lossless.codec import LosslessCodec
from sciml.compression.lossless.lattice import coarsest, part
from sciml.compression.lossless.rules import means
from sciml.compression.lossless.tile import layer_distances
from sciml.runtime.errors import ConfigError, DataError, FormatError, ShapeError

GOLDEN = Path(__file__).parents[1] / "golden" / "lossless"
SHAPES = ((1, 1), (1, 37), (53, 1), (2, 2), (3, 5), (64, 64), (65, 33), (48, 70, 3), (31, 40, 4), (40, 30, 2), (20, 30, 5))


@pytest.fixture(scope="module")
def codec() -> LosslessCodec:
    return lossless_codec()


def picture(shape: tuple[int, ...], kind: str, seed: int = 0) -> np.ndarray:
    """Return a texture with noise of the type's own size."""
    channels = shape[2] if len(shape) == 3 else 1
    smooth = texture(shape[0], shape[1], channels, seed).reshape(shape[0], shape[1], channels)[: shape[0], : shape[1]]
    noisy = smooth + np.random.default_rng(seed).normal(0, 2, smooth.shape)
    noisy = noisy.reshape(shape)
    if kind == "float32":
        return (noisy / 50 - 3).astype(np.float32)
    most = np.iinfo(kind).max
    return np.clip(np.rint(noisy * (most / 255)), 0, most).astype(kind)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_nothing_is_lost(codec: LosslessCodec, shape: tuple[int, ...], kind: str) -> None:
    image = picture(shape, kind)
    decoded = codec.decode(codec.encode(image))
    assert decoded.dtype == image.dtype
    assert np.array_equal(decoded, image)


@settings(max_examples=15, deadline=None)
@given(
    rows=st.integers(1, 40), columns=st.integers(1, 40), channels=st.sampled_from([1, 2, 3, 4]), wide=st.booleans(),
    bound=st.integers(0, 70000), kind=st.sampled_from(["texture", "noise", "steps", "sparse"]), seed=st.integers(0, 99),
)  # fmt: skip
def test_no_sample_leaves_its_bound(
    codec: LosslessCodec, rows: int, columns: int, channels: int, wide: bool, bound: int, kind: str, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    most = 65535 if wide else 255
    shape = (rows, columns, channels)
    image = {
        "texture": lambda: np.clip(texture(rows, columns, channels, seed).reshape(shape) * most / 255, 0, most),
        "noise": lambda: generator.integers(0, most + 1, shape),
        "steps": lambda: most * (np.indices(shape).sum(0) // 7 % 2),
        "sparse": lambda: generator.choice([0, most // 3, most], shape),
    }[kind]().astype(np.uint16 if wide else np.uint8)
    decoded = codec.decode(codec.encode(image, max_error=bound)).reshape(shape)
    errors = np.abs(decoded.astype(int) - image)
    assert errors.max() <= bound
    if channels in (2, 4):
        assert not errors[..., -1].any()


@settings(max_examples=15, deadline=None)
@given(
    rows=st.integers(1, 40), columns=st.integers(1, 40), exponent=st.integers(-8, 3), offset=st.floats(-1e4, 1e4),
    wide=st.booleans(), seed=st.integers(0, 99),
)  # fmt: skip
def test_no_value_of_a_field_leaves_its_bound(
    codec: LosslessCodec, rows: int, columns: int, exponent: int, offset: float, wide: bool, seed: int
) -> None:
    # doubles are bounded as they were given, though float32 comes back
    field = (texture(rows, columns, 1, seed).reshape(rows, columns) / 40 + offset).astype(np.float64 if wide else np.float32)
    bound = 10.0**exponent
    try:
        data = codec.encode(field, max_error=bound)
    except DataError:
        # nearer than float32 is
        assert wide and bound < 4 * np.spacing(np.float32(np.abs(field).max()))
        return
    assert np.abs(codec.decode(data).reshape(field.shape).astype(np.float64) - field).max() <= bound


def test_floats_that_are_no_numbers_are_kept_or_refused(codec: LosslessCodec) -> None:
    field = np.array([[np.nan, np.inf, -np.inf], [-0.0, 1e-45, np.finfo(np.float32).max]], np.float32)
    decoded = codec.decode(codec.encode(field))
    assert np.array_equal(decoded.view(np.uint32), field.view(np.uint32))
    with pytest.raises(DataError, match="3 of 6 samples are not finite"):
        codec.encode(field, max_error=0.1)


def test_bounds_cost_less_and_units_come_back(codec: LosslessCodec) -> None:
    image, field = picture((64, 64, 3), "uint8"), picture((64, 64), "float32")
    sizes = [len(codec.encode(image, max_error=bound)) for bound in (0, 2, 8)]
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] < sizes[0] / 1.5
    data = codec.encode(field, max_error=0.01, scale=(Channel(unit="1/s"),))
    assert read_container(data).header.channels[0].unit == "1/s"
    assert len(data) < len(codec.encode(field)) / 2


def test_levels_in_use_and_repeated_patterns_are_found(codec: LosslessCodec) -> None:
    twelve_bits = picture((96, 96), "uint16") // 16
    assert len(codec.encode(twelve_bits * 16)) < 1.06 * len(codec.encode(twelve_bits))
    glyphs = np.random.default_rng(0).choice([0, 255], (8, 8)).astype(np.uint8)
    text = np.tile(glyphs, (12, 12))
    data = codec.encode(text)
    assert len(data) < 300 and np.array_equal(codec.decode(data), text)


def test_any_codec_codes_and_decodes_them(colour_codec: Codec, codec: LosslessCodec) -> None:
    image = picture((40, 50, 4), "uint8")
    data = colour_codec.encode(image, max_error=0)
    assert data == codec.encode(image)
    assert np.array_equal(colour_codec.decode(data), image)
    assert np.array_equal(colour_codec.codes(data)[0], codec.codes(data)[0])
    assert np.array_equal(Codec.load(LOSSLESS).decode(data), image)


def test_tiles_and_layers(codec: LosslessCodec) -> None:
    image = picture((260, 300, 3), "uint8")
    data = codec.encode(image, tile_log2=8)
    assert len(read_container(data).tiles) == 4
    assert np.array_equal(codec.decode(data), image)
    errors = [np.abs(codec.decode(data, layers=number).astype(int) - image).mean() for number in (1, 2, 3)]
    assert 30 > errors[0] > errors[1] > errors[2] == 0
    with pytest.raises(FormatError, match="ends after"):
        codec.decode(data[:-100])
    rest = codec.decode_container(read_container(data[:-100], salvage=True))
    assert np.array_equal(rest[:256], image[:256])


def test_every_sample_is_coded_once() -> None:
    for rows, columns in ((1, 9), (64, 64), (67, 130), (5, 200), (128, 127)):
        times, first = np.zeros((rows, columns), int), coarsest(rows, columns)
        times[::first, ::first] += 1
        for distances in layer_distances(first):
            for distance in distances:
                for which in (1, 2, 3):
                    part(times, distance, which)[...] += 1
        assert (times == 1).all()


def test_a_mean_is_the_rounded_sum() -> None:
    # b = 40, f = (3, -5): 16 b + round(16 (7 x 3 + 9 x 5) / 2^4)
    base, found = np.full((1, 1), 40.0), [np.full((1, 1), 3.0), np.full((1, 1), -5.0)]
    assert means(base, found, np.array([7, -9]), 4, 255.0)[0, 0] == 640 + 7 * 3 + 9 * 5


@pytest.mark.parametrize(
    ("image", "options", "error", "words"),
    [
        (np.zeros((4, 4), np.uint8), {"max_error": -1}, ConfigError, "max_error is -1"),
        (np.zeros((4, 4), np.uint8), {"max_error": float("nan")}, ConfigError, "finite"),
        (np.zeros((4, 4), np.uint8), {"quality": 50}, ConfigError, "max_error alone"),
        (np.zeros((4, 4), np.uint8), {"tile_log2": 5}, ConfigError, "256"),
        (np.zeros((4, 4), np.uint8), {"tune": "ms-ssim"}, ConfigError, "alike"),
        (np.zeros((4, 4), np.int32), {}, DataError, "convert with .astype"),
        (np.zeros((4, 4, 17), np.uint8), {}, ShapeError, "at most 16"),
        (np.zeros((0, 4), np.uint8), {}, DataError, "at least one pixel"),
        (np.full((4, 4), 0.1), {}, DataError, "give max_error"),
    ],
)  # fmt: skip
def test_refusals(codec: LosslessCodec, image: np.ndarray, options: dict, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        codec.encode(image, **options)


def test_a_damaged_file_is_refused(codec: LosslessCodec) -> None:
    image = picture((40, 40), "uint8")
    container = read_container(codec.encode(image))
    layers = list(container.tiles[0])
    layers[2] = bytes(len(layers[2]))
    with pytest.raises(FormatError, match="checksum"):
        codec.decode(write_container(container.header, [layers]))
    strange = [(bytes([9]) + layers[0][1:], "method 9"), (b"", "method none"), (layers[0][:-1], "32-bit words")]
    for first, words in strange:
        with pytest.raises(FormatError, match=words):
            codec.decode(write_container(replace(container.header, codes_crc=None), [[first, *layers[1:]]]))


GOLDEN_SURROUNDINGS = {"OPENBLAS_CORETYPE": "Prescott", "OMP_NUM_THREADS": "2"}
CHECK = """
import json, pathlib, sys, zlib
from sciml.compression.codecs.codec import Codec
folder = pathlib.Path(sys.argv[1])
codec = Codec.load(folder / "model.safetensors")
print(json.dumps({path.name: zlib.crc32(codec.decode(path.read_bytes()).tobytes()) for path in sorted(folder.glob("*.nic"))}))
"""


def golden_pictures() -> dict[str, tuple[np.ndarray, float]]:
    """Return pictures and bounds of the golden files."""
    return {
        "colour": (picture((75, 90, 3), "uint8"), 0),
        "near": (picture((60, 50, 4), "uint8", 1), 2),
        "sixteen": (picture((70, 65), "uint16", 2), 0),
        "field": (picture((64, 64), "float32", 3), 1e-3),
        "floats": (picture((33, 40), "float32", 4), 0),
    }


def test_golden_files_decode_to_the_same_samples_in_other_surroundings() -> None:
    """SCIML_REGENERATE_GOLDEN=1 writes them anew: only for a new version of the format."""
    if os.environ.get("SCIML_REGENERATE_GOLDEN"):
        from tiny_models import FACTS

        from sciml.compression.codecs.model_files import save_model

        GOLDEN.mkdir(exist_ok=True)
        codec = lossless_codec()
        save_model(GOLDEN / "model.safetensors", codec.model, **FACTS)
        found = {name: codec.encode(image, max_error=bound) for name, (image, bound) in golden_pictures().items()}
        for name, data in found.items():
            (GOLDEN / f"{name}.nic").write_bytes(data)
        sums = {f"{name}.nic": zlib.crc32(codec.decode(data).tobytes()) for name, data in found.items()}
        (GOLDEN / "samples.json").write_text(json.dumps(sums, indent=2) + "\n")
    wanted = json.loads((GOLDEN / "samples.json").read_text())
    assert len(wanted) == len(golden_pictures())
    features = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])  # pyright: ignore[reportOptionalSubscript, reportIndexIssue]
    root = str(Path(__file__).parents[3])
    for more in ({}, GOLDEN_SURROUNDINGS | {"NPY_DISABLE_CPU_FEATURES": " ".join(features)}):
        surroundings = {**os.environ, "PYTHONPATH": root, **more}
        words = [sys.executable, "-c", CHECK, str(GOLDEN)]
        ended = subprocess.run(words, env=surroundings, capture_output=True, text=True, timeout=300, check=False)
        assert ended.returncode == 0, ended.stderr
        assert json.loads(ended.stdout) == wanted
