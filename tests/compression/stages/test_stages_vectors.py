"""The stages that fit groups behind a scalar model and compare the two, on a folder of pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError
from tiny_models import FACTS, texture

from sciml.compression.codecs.model_files import load_model
from sciml.compression.coding.model import CodecModel
from sciml.compression.config import Config
from sciml.compression.fitting.pools import FOLDER
from sciml.compression.settings.stages import FitConfig
from sciml.compression.settings.vectors import CompareVectorsConfig, FitVectorsConfig, VectorsConfig
from sciml.compression.stages import compare_vectors, fit, fit_vectors
from sciml.runtime.errors import ConfigError
from sciml.runtime.files import read_json


@pytest.fixture(scope="module")
def experiment(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(7):
        Image.fromarray(np.rint(texture(176, 192, seed=number)).astype(np.uint8)).save(folder / f"{number}.png")
    return f"{FOLDER}{folder}"


@pytest.fixture(scope="module")
def base(experiment: str, tmp_path_factory) -> Path:
    config = FitConfig(
        domain="photo", experiment=experiment, steps=(0.4, 0.15), crop_size=96, crops={1.0: 1}, data_tier="ci", seed=3
    )
    return fit.run(config, tmp_path_factory.mktemp("fit"))[0]


def settings(experiment: str, **more) -> FitVectorsConfig:
    return FitVectorsConfig(
        name="photo-vector", experiment=experiment, channels=3, crop_size=96, crops={1.0: 1}, data_tier="ci", seed=3,
        words=12, rounds=3, **({"dimensions": {24: 4}} | more),
    )  # fmt: skip


@pytest.fixture(scope="module")
def grouped(experiment: str, base: Path, tmp_path_factory) -> Path:
    return fit_vectors.run(settings(experiment), base, tmp_path_factory.mktemp("vectors"))[0]


def test_groups_stand_behind_the_planes_of_the_base(base: Path, grouped: Path) -> None:
    scalar, model = load_model(base), load_model(grouped)
    assert model.name == "photo-vector"
    assert model.about["base"] == scalar.id.hex() != model.id.hex()
    for plain, item in zip(scalar.sets, model.sets, strict=True):
        assert item.groups is not None
        assert item.planes == plain.planes
        assert np.array_equal(item.rules.sources, plain.rules.sources[:24])
        assert np.array_equal(item.tables.sizes, plain.tables.sizes)
        facts = model.about["groups"][f"{item.step:g}"]
        assert len(facts) == len(item.groups.members)
        assert all(fact["perplexity"] >= 1 for fact in facts)


def test_the_comparison_is_against_the_scalar_model(experiment: str, base: Path, grouped: Path, tmp_path: Path) -> None:
    config = CompareVectorsConfig(
        experiment=experiment, role="validation", channels=3, data_tier="ci", qualities=(20, 40, 60, 80), seed=3
    )
    compare_vectors.run(config, base, [grouped], tmp_path)
    bench, structures = read_json(tmp_path / "bench.json"), read_json(tmp_path / "structures.json")
    assert bench["anchor"] == "scalar" and set(bench["codecs"]) == {"scalar", "photo-vector"}
    assert len(bench["rows"]) == 8 and not bench["failures"]
    assert abs(bench["bd_rates"]["psnr_db"]["photo-vector"]["mean"]) < 50
    units = zip(structures["photo-vector"]["units"], structures["scalar"]["units"], strict=True)
    assert all(of_vectors < of_scalars for of_vectors, of_scalars in units)
    assert structures["photo-vector"]["settings"]["dimensions"] == {"24": 4}


def test_another_base_is_refused(experiment: str, base: Path, grouped: Path, colour_model: CodecModel, tmp_path: Path) -> None:

    from sciml.compression.codecs.model_files import save_model

    save_model(tmp_path / "other.safetensors", colour_model, **FACTS)
    config = CompareVectorsConfig(
        experiment=experiment, role="validation", channels=3, data_tier="ci", qualities=(1, 2, 3, 4), seed=3
    )
    with pytest.raises(ConfigError, match="another model"):
        compare_vectors.run(config, tmp_path / "other.safetensors", [grouped], tmp_path)
    with pytest.raises(ConfigError, match="begin at plane 700"):
        fit_vectors.run(settings(experiment, dimensions={700: 8}), base, tmp_path)


def test_settings_that_no_model_can_have_are_refused() -> None:
    for dimensions in ({8: 2}, {88: 65}, {88: 0}, {}):
        with pytest.raises(ValidationError):
            VectorsConfig(dimensions=dimensions)
    with pytest.raises(ValidationError, match="vectors are compared in the domain photo"):
        Config(domains={"grey": {"channels": 1}}, networks={}, neural={})  # pyright: ignore[reportArgumentType]
