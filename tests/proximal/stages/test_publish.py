"""Publishing: the weights arrive unchanged, with a card that says what they were validated on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from page_artefacts import write_digits

from sciml.datasets import record
from sciml.proximal.networks.explicit import ExplicitNetwork
from sciml.proximal.networks.implicit import ImplicitNetwork
from sciml.proximal.networks.network_table import network_row
from sciml.proximal.settings.models import ModelConfig, TrainConfig
from sciml.proximal.settings.structures import PublishedPotential, RegularizerConfig
from sciml.proximal.stages.publish import run, validation_rows
from sciml.runtime.errors import DataError
from sciml.runtime.files import digest_file
from sciml.training import save_weights

HISTORY = "step,loss,validation_psnr_0.1_16,validation_psnr_0.1_48\n10,2.0,,\n20,1.5,30.25,30.24\n25,1.4,,\n"


def finished(folder: Path) -> Path:
    """Write what a training leaves."""
    structure = RegularizerConfig(windows=((3,),))
    model = ModelConfig(domain="photo-grey", network=structure, steps=1, cpu_minutes=1)
    config = TrainConfig(**model.model_dump(), name="net", data_tier="ci", seed=1)
    network = ImplicitNetwork(structure)
    path = folder / "net.safetensors"
    folder.mkdir()
    facts = {"inputs": {"tea-gardens": record("tea-gardens").sha256}, "source_digest": "x", "cpu_minutes": 0.1}
    save_weights(path, network, config=config, seed=1, **facts, extra={"network": network.describe()})
    return path


def test_weights_and_card_arrive(tmp_path):
    source = finished(tmp_path / "train")
    source.with_name("history.csv").write_text(HISTORY)
    weights, card = run([source], tmp_path / "package")
    assert digest_file(weights) == digest_file(source)
    text = card.read_text()
    assert "# net: grey photographs, denoising" in text and digest_file(weights) in text
    assert "| psnr 0.1 48 | 30.240 | dB | validation crops | step 20 |" in text
    assert record("tea-gardens").licence in text and "make weights FAMILY=proximal" in text


def test_digits_have_limits_and_numbers_of_their_own(tmp_path):
    network = ExplicitNetwork(PublishedPotential(size=(8, 8), width=4, head=4, strides=(1, 2)))
    path = tmp_path / "digits.safetensors"
    save_weights(
        path, network, config={"digits": "digits8"}, seed=1, inputs={}, source_digest="x", cpu_minutes=0.1,
        extra={"network": network.describe()},
    )  # fmt: skip
    write_digits(tmp_path)
    shutil.copyfile(tmp_path / "digits" / "digits.json", tmp_path / "digits.json")
    text = run([path], tmp_path / "package")[1].read_text()
    assert "# digits: handwritten digits, denoising" in text and "Images of the size and kind of its training only" in text
    assert "| denoised psnr | 24 | dB | validation crops | after 2 stages |" in text and "windows" not in text
    assert network_row(path).purpose == "denoising of handwritten digits"


def test_weights_without_a_validation_are_not_published(tmp_path):
    source = finished(tmp_path / "train")
    with pytest.raises(DataError, match="cannot read"):
        run([source], tmp_path / "package")
    source.with_name("history.csv").write_text("step,loss,validation_psnr\n1,2.0,\n")
    with pytest.raises(DataError, match="no validation"):
        validation_rows(source.with_name("history.csv"))
