import numpy as np
import pytest
import torch
from torch import nn

from sciml.runtime.errors import ConfigError, DataError, FormatError, ShapeError
from sciml.runtime.files import digest_file, save_tensors
from sciml.training import (
    TrainingConfig,
    load_weights,
    read_weights_metadata,
    save_weights,
    weight_files,
    weights_digest,
    write_model_card,
)

FACTS = {"config": TrainingConfig(steps=3), "seed": 4, "inputs": {"kodim": "ab" * 32}, "source_digest": "cd", "cpu_minutes": 1.5}


def network(seed=0, width=3):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(2, width), nn.BatchNorm1d(width))  # num_batches_tracked is a scalar


def test_round_trip(tmp_path):
    path, model, other = tmp_path / "w.safetensors", network(0), network(1)
    digest = save_weights(path, model, **FACTS, extra={"width": 3})
    metadata = load_weights(path, other)
    for name, value in model.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name
    assert metadata["config"]["steps"] == 3 and metadata["seed"] == 4 and metadata["extra"] == {"width": 3}
    assert metadata["inputs"] == FACTS["inputs"] and metadata["cpu_minutes"] == 1.5
    assert digest == weights_digest(path) == metadata["weights_digest"] == read_weights_metadata(path)["weights_digest"]


def test_digest_is_of_the_values_alone(tmp_path):
    a, b, c = (tmp_path / f"{name}.safetensors" for name in "abc")
    first = save_weights(a, network(), **FACTS)
    assert save_weights(b, network(), **(FACTS | {"cpu_minutes": 9.0})) == first
    assert digest_file(a) != digest_file(b)
    assert save_weights(c, network(1), **FACTS) != first


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("0.bias"), r"lacks the weight 0.bias \[3\]"),
        (lambda t: t.update(more=np.zeros(2, np.float32)), "has the weight more, which the model lacks"),
        (lambda t: t.update({"0.bias": np.zeros(4, np.float32)}), r"weight 0.bias has shape \[4\], the model expects \[3\]"),
        (lambda t: t.update({"0.bias": np.zeros(3, int)}), "weight 0.bias has type int64, the model expects float32"),
    ],
)
def test_what_does_not_fit_is_named_and_not_loaded(tmp_path, change, message):
    from sciml.training.weight_files import KIND, tensors_digest
    from sciml.training.weights import to_arrays

    path, model = tmp_path / "w.safetensors", network(1)
    arrays = to_arrays(network().state_dict())
    change(arrays)
    save_tensors(path, arrays, {"kind": KIND, "weights_digest": tensors_digest(arrays)})
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ShapeError, match=message) as caught:
        load_weights(path, model)
    assert "\n" not in str(caught.value)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("precision", [torch.float16, torch.float64])
def test_a_model_saved_in_another_precision_takes_that_of_the_one_it_is_loaded_into(tmp_path, precision):
    path, model, like = tmp_path / "w.safetensors", network(1), network()
    save_weights(path, network().to(precision), **FACTS)
    load_weights(path, model)
    for name, value in model.state_dict().items():
        assert value.dtype == like.state_dict()[name].dtype
        torch.testing.assert_close(value, like.state_dict()[name], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("checkout", "cut", "says"),
    [
        (True, False, r"is damaged: .*; `git checkout -- .*photo\.safetensors` brings"),
        (False, False, "is damaged: .*; `pip install --force-reinstall --no-deps sciml-workbench` brings"),
        (True, True, r"is not a safetensors file: .*; `git checkout -- "),
    ],
)
def test_a_damaged_shipped_file_names_a_remedy_that_exists(tmp_path, monkeypatch, checkout, cut, says):
    package = tmp_path / "sciml"
    monkeypatch.setattr(weight_files, "PACKAGE", package)
    if checkout:
        (tmp_path / ".git").mkdir()
    for path, wanted in ((package / "photo.safetensors", says), (tmp_path / "own.safetensors", "; train it again")):
        path.parent.mkdir(exist_ok=True)
        weight_files.write_weight_file(path, {"w": np.ones(4, np.float32)}, **FACTS)
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content[:20] if cut else content)
        with pytest.raises(FormatError, match=wanted) as caught:
            weight_files.read_weight_file(path)
        assert "\n" not in str(caught.value)


def test_no_bit_that_flips_changes_what_is_read(tmp_path):
    """One bit of every byte: the file is refused, or what is read is the same but for the digest's own name."""
    path, damaged = tmp_path / "w.safetensors", tmp_path / "damaged.safetensors"
    save_weights(path, network(), **FACTS)
    arrays, metadata = weight_files.read_weight_file(path)
    content, refused = path.read_bytes(), 0
    for place, bit in enumerate(np.random.default_rng(0).integers(0, 8, len(content))):
        damaged.write_bytes(content[:place] + bytes([content[place] ^ 1 << int(bit)]) + content[place + 1 :])
        try:
            found, told = weight_files.read_weight_file(damaged)
        except FormatError as error:
            refused += 1
            assert "train it again" in str(error) and "\n" not in str(error)
            continue
        assert {name: told.get(name) for name in metadata if name != weight_files.OF_METADATA} == {
            name: value for name, value in metadata.items() if name != weight_files.OF_METADATA
        }, place
        assert all(np.array_equal(found[name], array) for name, array in arrays.items()), place
    assert refused > 0.9 * len(content)


def test_foreign_files_are_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    save_tensors(path, {"a": np.zeros(1)}, {})
    with pytest.raises(FormatError, match=r"no.*weight file of this workbench"):
        load_weights(path, network())
    path.write_bytes(b"\x80\x04pickle")
    with pytest.raises(FormatError, match="not a safetensors file"):
        load_weights(path, network())
    with pytest.raises(DataError, match="no such file"):
        load_weights(tmp_path / "none", network())


def test_bfloat16_is_refused(tmp_path):
    with pytest.raises(ShapeError, match="bfloat16"):
        save_weights(tmp_path / "w.safetensors", network().bfloat16(), **FACTS)
    assert not list(tmp_path.iterdir())


def test_model_card(tmp_path):
    weights, card = tmp_path / "w.safetensors", tmp_path / "w.md"
    digest = save_weights(weights, network(), **FACTS)
    rows = [{"name": "PSNR", "value": 28.1, "unit": "dB", "data": "nine | crops", "n": 9}]
    arguments = {"title": "Denoiser", "weights": weights, "command": "make weights", "metrics": rows, "limits": ["Grey only."]}
    write_model_card(card, licences={"kodim": "CC0"}, **arguments)
    text = card.read_text()
    for part in (
        digest,
        digest_file(weights),
        "| kodim | CC0 |",
        "make weights",
        "| PSNR | 28.1 | dB |",
        "- Grey only.",
        "1.5",
        "| seed | 4 |",
    ):
        assert part in text
    with pytest.raises(ConfigError, match="kodim stands in only one"):
        write_model_card(card, licences={}, **arguments)
    with pytest.raises(ConfigError, match="at least one limit"):
        write_model_card(card, licences={"kodim": "CC0"}, **(arguments | {"limits": []}))
