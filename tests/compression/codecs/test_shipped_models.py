"""What the package ships: models that are what their cards say, trained on nothing that is tested, and pass the self-test."""

from __future__ import annotations

from pathlib import Path

import pytest

from sciml.compression.codecs.model_files import LOSSLESS, load_any, shipped
from sciml.compression.config import Config
from sciml.compression.study.margins.codecs import OURS, own_settings
from sciml.compression.study.margins.records import CurvesFile
from sciml.compression.study.selftest import selftest
from sciml.datasets.crops import EXPERIMENT, photo_crops
from sciml.datasets.manifest import record
from sciml.datasets.splits import check_weight_inputs
from sciml.runtime.files import digest_file
from sciml.runtime.results import read_result
from sciml.training.weight_files import read_weights_metadata, weights_digest

MODELS = shipped()
# two of them decode files of an earlier version
BYTES_OF_A_FAMILY = 18 * 2**20


def test_the_photo_model_is_shipped_and_all_are_small() -> None:
    assert "photo" in MODELS
    assert sum(path.stat().st_size for path in MODELS.values()) < BYTES_OF_A_FAMILY


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_what_its_card_says(name: str) -> None:
    path: Path = MODELS[name]
    card = path.with_suffix(".md").read_text(encoding="utf-8")
    for fact in (digest_file(path), weights_digest(path), load_any(path).id.hex()):
        assert fact in card, fact


@pytest.mark.parametrize("name", MODELS)
def test_a_model_was_trained_on_nothing_that_is_tested(name: str) -> None:
    domain = Config().domains["photo" if name in ("neural", LOSSLESS) else name.partition("-")[0]]
    if domain.kind != "fields":
        assert len(check_weight_inputs(MODELS[name], domain.experiment)) >= {"pictures": 20, "slices": 2}[domain.kind]
        return
    inputs = read_weights_metadata(MODELS[name])["inputs"]
    runs = Config().simulations.runs
    assert set(inputs) == {run.name for run in runs["train"]}
    assert not set(inputs) & {run.name for run in (*runs["test"], *runs["validation"])}


@pytest.mark.parametrize("name", ["photo", "photo-1", "neural"])
def test_a_model_was_trained_on_no_photograph_that_judges(name: str) -> None:
    assert len(check_weight_inputs(MODELS[name], EXPERIMENT)) >= 20


def test_the_measurement_that_came_with_the_model_is_its_own() -> None:
    path = MODELS["photo"].with_name("photo.curves.json")
    if not path.is_file():
        pytest.skip("no measurement came with the model: the page says that it was not judged")
    curves = read_result(path, CurvesFile)
    assert curves.codecs[OURS] == own_settings(load_any("photo")) and curves.again is None
    declared = {crop.name: crop.photograph for crop in photo_crops()}
    assert curves.photographs.items() <= declared.items()
    assert all(record(name).sha256 == digest for name, digest in curves.digests.items())


@pytest.mark.parametrize("name", MODELS)
def test_a_model_decodes_here_what_was_coded_where_it_was_published(name: str) -> None:
    found = selftest([name])
    assert len(found) >= 4 and all(check.verdict == "pass" for check in found), found
