"""Damaged model files, of all kinds of models: refused in one line, or a model that codes and decodes."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from neural_models import make_neural
from tiny_models import FACTS, random_network, texture

from sciml.compression.codecs.codec import codec_of
from sciml.compression.codecs.model_files import LOSSLESS, NETWORK, Model, load_any
from sciml.compression.coding.model import CodecModel
from sciml.compression.lossless.codec import LosslessCodec
from sciml.compression.neural.model import NeuralModel
from sciml.runtime.errors import FormatError
from sciml.training.weight_files import write_weight_file

CASES, MANY_CASES = 45, 450
NUMBERS = (np.nan, np.inf, -np.inf, 0.0, -1.0, 1e308, 5e-324, 2.0**31)
VALUES = ("x", "two\nlines", None, [], {}, 3.5, [[[]]], {"a": {"b": 1}}, 10**400, True, "9" * 5000, -1)
TYPES = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u4", "?")
IMAGE = np.rint(texture(40, 40, 3, 5)).astype(np.uint8)
Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def models(colour_model: CodecModel, vector_model: CodecModel) -> list[Model]:
    return [replace(colour_model, network=random_network(3, 2)), vector_model, make_neural(), load_any(LOSSLESS)]


def parts(model: Model) -> tuple[Arrays, dict[str, Any]]:
    """Return the arrays and the metadata of a model's file."""
    arrays = {name: value.copy() for name, value in model.arrays().items()}
    extra: dict[str, Any] = {"name": model.name, "model_id": model.id.hex(), "about": dict(model.about)}
    if isinstance(model, NeuralModel):
        extra["neural"] = model.settings.model_dump(mode="json")
    elif isinstance(model, CodecModel) and model.network is not None:
        arrays |= {NETWORK + name: value for name, value in model.network.arrays().items()}
    return arrays, extra


def other_array(array: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Return an array of another value, type or shape."""
    with np.errstate(all="ignore"):
        number = np.asarray(draw.choice(NUMBERS)).astype(array.dtype)
        changed = array.copy()
        changed.flat[draw.integers(max(array.size, 1)) :][:1] = number
        several = array.reshape(-1)[: draw.integers(array.size + 1)]
        scalar = number if draw.integers(2) else array.sum().astype(array.dtype)
        return (changed, array.astype(draw.choice(TYPES)), array[None], array.reshape(-1), several, scalar)[draw.integers(6)]


def damage(arrays: Arrays, extra: dict[str, Any], draw: np.random.Generator) -> None:
    one, other = (str(name) for name in draw.choice(list(arrays), 2))
    how = draw.integers(6)
    if how == 0:
        del arrays[one]
    elif how == 1:
        arrays[one], arrays[other] = arrays[other], arrays[one]
    elif how in (2, 3):
        arrays[one] = other_array(arrays[one], draw)
    else:
        inside = extra["neural"] if how == 4 and isinstance(extra.get("neural"), dict) and extra["neural"] else extra
        inside[str(draw.choice(list(inside)))] = VALUES[draw.integers(len(VALUES))]


def spoil(path: Path, draw: np.random.Generator) -> None:
    """Change a byte of the file, most often in its head, or cut it."""
    data = bytearray(path.read_bytes())
    head = 8 + int.from_bytes(data[:8], "little")
    data[draw.integers(head if draw.integers(4) else len(data))] = draw.integers(256)
    path.write_bytes(bytes(data[: draw.integers(len(data)) if draw.integers(3) == 0 else len(data)]))


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore:Initializing zero-element")
@pytest.mark.parametrize("cases", [CASES, pytest.param(MANY_CASES, marks=pytest.mark.slow)])
def test_damaged_files_are_refused_or_work(models: list[Model], tmp_path: Path, cases: int) -> None:
    draw, working = np.random.default_rng(cases), 0
    for case in range(cases):
        path = tmp_path / f"{case}.safetensors"
        arrays, extra = parts(models[case % len(models)])
        for _ in range(draw.integers(3)):
            damage(arrays, extra, draw)
        write_weight_file(path, arrays, extra=extra, **FACTS)
        if draw.integers(4) == 0:
            spoil(path, draw)
        try:
            codec = codec_of(load_any(path))
        except FormatError as error:
            assert "\n" not in str(error)
            assert len(str(error)) < 2000
        else:
            working += 1
            if working < 10:
                data = codec.encode(IMAGE) if isinstance(codec, LosslessCodec) else codec.encode(IMAGE, quality=30)
                assert codec.decode(data).shape == IMAGE.shape
        path.unlink()
    # files without damage are among them
    assert working > cases / 20


def steps_of(*steps: float) -> Callable[[Arrays, dict[str, Any]], None]:
    return lambda arrays, extra: arrays.update(steps=np.array(steps))


NAMED: dict[str, tuple[int, Callable[[Arrays, dict[str, Any]], Any], str]] = {
    "text for a mapping": (0, lambda arrays, extra: extra.update(about="x"), "no mapping"),
    "a name of two lines": (0, lambda arrays, extra: extra.update(name="a\nb"), "no short text"),
    "an infinite step": (0, steps_of(np.inf, 0.2), "a step is inf"),
    "a step that is none": (0, steps_of(np.nan, 0.2), "a step is nan"),
    "a step below all codes": (0, steps_of(0.5, 5e-324), "a step is 4.94066e-324"),
    "a span beyond float32": (0, lambda arrays, extra: arrays.update(numbers=np.array([0, 1e300])), "span 1e.300"),
    "another id": (1, lambda arrays, extra: extra.update(model_id="0" * 16), "it says '0000000000000000'"),
    "a scalar where a list is": (0, lambda arrays, extra: arrays.update(order=np.array(3)), "is damaged"),
    "settings that are none": (2, lambda arrays, extra: extra.update(neural=[1]), "is damaged"),
    "a network as wide as it says": (2, lambda arrays, extra: extra["neural"].update(width=1024), "of another shape"),
    "a network of other channels": (
        0,
        lambda arrays, extra: arrays.update(
            {NETWORK + name: value for name, value in random_network(1, 1).arrays().items()}
        ),
        "is damaged",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NAMED)
def test_what_is_wrong_is_named(models: list[Model], tmp_path: Path, name: str) -> None:
    kind, change, words = NAMED[name]
    arrays, extra = parts(models[kind])
    change(arrays, extra)
    write_weight_file(tmp_path / "m.safetensors", arrays, extra=extra, **FACTS)
    tracemalloc.start()
    with pytest.raises(FormatError, match=words):
        load_any(tmp_path / "m.safetensors")
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


def test_metadata_nested_too_deep_is_no_model(tmp_path: Path) -> None:
    from safetensors.numpy import save

    path = tmp_path / "m.safetensors"
    path.write_bytes(save({"a": np.zeros(1)}, {"sciml": "[" * 100_000 + "]" * 100_000}))
    with pytest.raises(FormatError, match="is not a safetensors file"):
        load_any(path)
