"""The stage `train-neural`: a model from a folder of pictures, the same again, and again after a stop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_models import write_pictures

from sciml.compression.codecs.codec import Codec
from sciml.compression.config import Config
from sciml.compression.fitting.pools import FOLDER
from sciml.compression.neural.learning import reviver
from sciml.compression.settings.models import NeuralConfig
from sciml.compression.settings.stages import TrainNeuralConfig
from sciml.compression.stages import train_neural
from sciml.runtime.files import digest_file, read_json

SIZES = {
    "cascade": {"width": 8, "words": (4, 8, 16)}, "crops": {1.0: 2}, "crop_size": 64, "part": 64, "batch": 2, "steps": 6,
    "revive_every": 2,
}  # fmt: skip


def settings(folder: Path, **changes) -> TrainNeuralConfig:
    own = SIZES | changes
    return TrainNeuralConfig(**own, domain="mine", experiment=f"{FOLDER}{folder}", data_tier="ci", seed=3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"estimator": "gumbel"},
        {"cascade": {"preset": "published", "width": 8, "words": (4, 8, 16)}, "step": 0, "estimator": "gumbel"},
    ],
    ids=["straight-through", "gumbel", "published"],
)
def test_a_model_is_trained_and_codes(tmp_path: Path, changes) -> None:
    write_pictures(tmp_path / "own", 6)
    config = settings(tmp_path / "own", **changes)
    digests = []
    for name in ("one", "two"):
        weights, history = train_neural.run(config, tmp_path / name)
        digests.append(digest_file(weights))
        assert {"validation_cost", "validation_bpp", "dead_16", "perplexity_64"} <= set(
            history.read_text().split("\n")[0].split(",")
        )
    notes = read_json(tmp_path / "one" / "provenance.json")["notes"]
    assert notes["steps"] == 6
    assert set(notes["validation"]) == {"bpp", "psnr_db", "cost"}
    codec = Codec.load(tmp_path / "one" / "model.safetensors")
    assert codec.model_id == Codec.load(tmp_path / "two" / "model.safetensors").model.id
    picture = np.random.default_rng(0).integers(0, 256, (70, 80, 3)).astype(np.uint8)
    assert codec.decode(codec.encode(picture)).shape == picture.shape


@pytest.mark.slow
def test_a_stopped_training_ends_in_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pictures(tmp_path / "own", 6)
    config = settings(tmp_path / "own")
    whole = Codec.load(train_neural.run(config, tmp_path / "whole")[0])

    class Stop(Exception):
        """In the middle of the training."""

    def stopping(every: int, until: int):
        revive, calls = reviver(every, until), []

        def after(network) -> None:
            calls.append(1)
            if len(calls) == 4:
                raise Stop
            revive(network)

        return after

    monkeypatch.setattr(train_neural, "CHECKPOINTS", 2)
    monkeypatch.setattr(train_neural, "reviver", stopping)
    with pytest.raises(Stop):
        train_neural.run(config, tmp_path / "halved")
    monkeypatch.setattr(train_neural, "reviver", reviver)
    assert Codec.load(train_neural.run(config, tmp_path / "halved")[0]).model.id == whole.model.id


def test_settings_that_contradict_are_refused() -> None:
    with pytest.raises(ValueError, match="expected at most crop_size"):
        NeuralConfig(part=512)
    with pytest.raises(ValueError, match="give a step above 0"):
        NeuralConfig(step=0)
    with pytest.raises(ValueError, match="no such domain"):
        Config(neural={"other": NeuralConfig()})
