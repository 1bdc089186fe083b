"""Models: an id that stands for all that decides codes, files that come back, damage that is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_models import FACTS, random_network, texture

from sciml.compression.codecs.codec import Codec
from sciml.compression.codecs.model_files import find_model, load_model, save_model
from sciml.compression.coding.model import CodecModel, model_from
from sciml.runtime.errors import ConfigError, FormatError
from sciml.training.store import ModelStore


def test_a_model_comes_back_from_its_file(colour_model: CodecModel, tmp_path: Path) -> None:
    model = replace(colour_model, name="test", network=random_network(3, 2), about={"steps": [0.5]})
    save_model(tmp_path / "x.safetensors", model, **FACTS)
    found = load_model(tmp_path / "x.safetensors")
    assert (found.name, found.id, found.about) == ("test", model.id, {"steps": [0.5]})
    assert all(np.array_equal(found.arrays()[name], array) for name, array in model.arrays().items())
    assert found.network is not None
    assert model.network is not None
    for name, array in model.network.arrays().items():
        assert np.array_equal(found.network.arrays()[name], array)
    image = np.zeros((20, 20, 3), np.uint8)
    assert Codec.load(tmp_path / "x.safetensors").encode(image) == Codec(model).encode(image)


def test_every_array_that_decides_codes_changes_the_id(colour_model: CodecModel) -> None:
    seen = {colour_model.id}
    arrays = colour_model.arrays()
    assert model_from(arrays, "same").id == colour_model.id
    for name, array in arrays.items():
        changed = array.copy()
        if name == "order":
            changed.flat[[-1, -2]] = changed.flat[[-2, -1]]
        else:
            # sizes and weights become smaller, so that sums stay within their bounds
            largest = np.abs(changed).argmax()
            changed.flat[largest] -= np.sign(changed.flat[largest]) if changed.dtype.kind in "iu" else 1e-5
        seen.add(model_from(arrays | {name: changed}, name).id)
    assert len(seen) == 1 + len(arrays)
    for kind in (">i4", "i8"):
        wide = arrays | {"order": arrays["order"].astype(kind)}
        assert model_from(wide, "same").id == colour_model.id


def test_a_model_with_finer_steps_decodes_the_files_of_the_one_without(
    colour_model: CodecModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first, *_) = colour_model.sets
    former = replace(colour_model, sets=(first,))
    finer = replace(colour_model, name="finer", sets=(first, replace(first, step=first.step / 2)))
    image = np.rint(texture(32, 48)).astype(np.uint8)
    data = Codec(former).encode(image)
    assert np.array_equal(Codec(finer).decode(data), Codec(former).decode(data))
    with pytest.raises(FormatError, match="coded with model"):
        Codec(former).decode(Codec(finer).encode(image, quality=100))
    # a file names a model, and the shipped one that extends it is found by the head of its file
    save_model(tmp_path / "finer.safetensors", finer, **FACTS)
    monkeypatch.setattr(ModelStore, "folder", property(lambda _store: tmp_path))
    assert find_model(former.id).id == find_model(finer.id).id == finer.id
    with pytest.raises(FormatError, match=rf"shipped are finer \({finer.id.hex()}\); give"):
        find_model(bytes(8))


def with_sources(value: int):
    def change(arrays: dict[str, np.ndarray]) -> None:
        arrays["0.sources"] = arrays["0.sources"].copy()
        arrays["0.sources"][5, 0] = value

    return change


DAMAGE = {
    "no order": lambda arrays: arrays.pop("order"),
    "no permutation": lambda arrays: arrays.update(order=arrays["order"] * 0),
    "no steps": lambda arrays: arrays.update(steps=np.zeros(0)),
    "another step": lambda arrays: arrays.update(steps=np.array([0.5, 0.2, 0.1])),
    "a step of 0": lambda arrays: arrays.update(steps=np.array([0.5, 0.0])),
    "no span": lambda arrays: arrays.update(numbers=np.array([0.0, 0.0])),
    "one number": lambda arrays: arrays.update(numbers=np.array([0.0])),
    "fewer weights": lambda arrays: arrays.update({"0.mean": arrays["0.mean"][:, :, 1:]}),
    "fewer planes": lambda arrays: arrays.update({"1.spread_rest": arrays["1.spread_rest"][1:]}),
    "fewer floors": lambda arrays: arrays.update({"1.floor_first": arrays["1.floor_first"][:, :3]}),
    "fewer centroids": lambda arrays: arrays.update({"1.centroids": arrays["1.centroids"][:, :3]}),
    "float weights": lambda arrays: arrays.update({"0.mean": arrays["0.mean"] + 0.5}),
    "large weights": lambda arrays: arrays.update({"0.mean": arrays["0.mean"].astype(np.int64) + 2**40}),
    "own source": with_sources(5),
    "later source": with_sources(500),
    "no probability": lambda arrays: arrays.update({"0.sizes": arrays["0.sizes"] * 0}),
    "other tables": lambda arrays: arrays.update({"0.sizes": arrays["0.sizes"][:3]}),
    "colours not finite": lambda arrays: arrays.update(colour=arrays["colour"] * np.nan),
    "colours not square": lambda arrays: arrays.update(colour=arrays["colour"][:, :2]),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged_models_are_refused(colour_model: CodecModel, damage) -> None:
    arrays = colour_model.arrays()
    damage(arrays)
    with pytest.raises(FormatError):
        model_from(arrays, "damaged")


def test_files_of_something_else_are_refused(tmp_path: Path) -> None:
    from sciml.training.weight_files import write_weight_file

    write_weight_file(tmp_path / "x.safetensors", {"a": np.zeros(3)}, **FACTS)
    with pytest.raises(FormatError, match="something else"):
        load_model(tmp_path / "x.safetensors")
    with pytest.raises(ConfigError, match="there is no model nothing"):
        load_model("nothing")
    with pytest.raises(FormatError, match=r"0102030405060708.*--model"):
        find_model(bytes(range(1, 9)))


def test_the_set_of_the_nearest_step_is_used(colour_model: CodecModel) -> None:
    assert [colour_model.set_for(step) for step in (2.0, 0.5, 0.33, 0.31, 0.2, 0.01)] == [0, 0, 0, 1, 1, 1]
