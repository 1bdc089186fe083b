"""Batches, a short training, and the files of the stages of digits and of trained priors."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch

from sciml.datasets import available_tier
from sciml.proximal.config import DigitsConfig, PriorConfig
from sciml.proximal.networks.forms import LearnedProximalNetwork
from sciml.proximal.networks.implicit import ImplicitNetwork
from sciml.proximal.settings.structures import PublishedPotential, RegularizerConfig, matching_schedule
from sciml.proximal.stages import digits as stage
from sciml.proximal.stages import prior
from sciml.proximal.study import digits
from sciml.proximal.study.prior_results import DigitNumbers, PriorNumbers
from sciml.runtime.errors import DataError
from sciml.runtime.files import load_tensors
from sciml.runtime.provenance import read_record
from sciml.runtime.results import read_result
from sciml.training import save_weights

TINY = {"width": 4, "head": 8, "batch_size": 16, "ema_decay": 0.9, "test_digits": 6}
needs_data = pytest.mark.skipif(available_tier() == "none", reason="no data are fetched")


def blobs(count=40, size=8):
    """Squares at random places."""
    random = np.random.default_rng(0)
    x = np.zeros((count, 1, size, size), dtype=np.float32)
    for one, (row, column) in zip(x, random.integers(0, size - 3, (count, 2)), strict=True):
        one[0, row : row + 4, column : column + 4] = 1
    return torch.from_numpy(x)


def tiny(**changes):
    return DigitsConfig.model_validate({"schedule": matching_schedule((0.5, 0.2), 20, 1e-2, 100, 3e-2), **TINY, **changes})


def test_each_pass_shows_every_digit_once_and_steps_are_independent():
    x = torch.arange(40.0).reshape(40, 1, 1, 1)
    batches = digits.DigitBatches(x, 8, seed=1)
    passes = [torch.cat([batches.batch(5 * number + step) for step in range(5)]).flatten() for number in range(2)]
    for one in passes:
        assert torch.equal(one.sort().values, x.flatten())
    assert not torch.equal(*passes)
    assert torch.equal(digits.DigitBatches(x, 8, seed=1).batch(7), batches.batch(7))
    with pytest.raises(DataError, match="do not fill"):
        digits.DigitBatches(x, 41, seed=1)


def test_a_short_training_denoises_and_goes_through_the_schedule(tmp_path):
    config, x = tiny(), blobs()
    network = digits.build_network(config, 8)
    before = digits.denoising_errors(network, x, digits.SIGMA, 0)
    ended = digits.learn(network, x, config, tmp_path)
    after = digits.denoising_errors(network, x, digits.SIGMA, 0)
    assert ended.completed == 3
    assert after.denoised_rmse < 0.6 * before.denoised_rmse
    assert not network.potential.negative_weights()
    weights = digits.weights_at(network, x, 0.2, digits.SIGMA, 0)
    assert 0 < weights.mean_weight < 1 and 0 < weights.effective_share <= 1
    digits.joined_history(config.schedule, ended.histories, tmp_path / "history.csv")
    with (tmp_path / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["loss_kind"] == "l1" and rows[-1]["gamma"] == "0.2"
    assert int(rows[-1]["step"]) == 140 and all(row["mean_weight"] and row["effective_size"] for row in rows)


def test_network_is_the_published_one_at_another_size():
    network = digits.build_network(DigitsConfig(), 8)
    assert isinstance(network.config, PublishedPotential)
    assert network.potential.modulus == pytest.approx(0.02)
    assert (network.config.strides, network.config.beta) == ((1, 2, 1, 2), 10.0)
    assert digits.partners(4).tolist() == [3, 2, 1, 0]


@needs_data
def test_stage_writes_weights_that_load_and_tables(tmp_path):
    schedule = matching_schedule((0.5, 0.2), 10, 1e-2, 60, 1e-2)
    outputs = stage.run(
        tiny(schedule=schedule, data_tier="ci", noise_levels=(0.0, 0.2), blur_widths=(0.0, 0.8), mixing_shares=(0.0, 0.5, 1.0)),
        tmp_path,
    )
    assert {path.name for path in outputs} == {"digits.safetensors", "history.csv", "digits.json", "strips.safetensors"}
    tables = read_result(tmp_path / "digits.json", DigitNumbers)
    assert [len(path.median) for path in tables.prior.paths().values()] == [2, 2, 3]
    assert 0 <= tables.detection.auroc <= 1 and len(tables.training) == 3 and tables.training[-1].gamma == 0.2
    network = LearnedProximalNetwork.load(tmp_path / "digits.safetensors")
    assert network.default_sigma == pytest.approx(0.1)
    arrays, _ = load_tensors(tmp_path / "strips.safetensors")
    assert arrays["noise.images"].shape == (6, 2, 8, 8) and arrays["mixing.R"].shape == (3, 3)
    again = network.prior(torch.from_numpy(arrays["blur.images"][:, 0])[:, None])
    np.testing.assert_allclose(again, arrays["blur.R"][0], rtol=1e-5)
    assert not (tmp_path / "digits.safetensors.partial").exists()


def stand_in(folder, name, inputs):
    network = ImplicitNetwork(RegularizerConfig(windows=((3,),)))
    path = folder / f"{name}.safetensors"
    extra = {"network": network.describe()}
    save_weights(path, network, config={}, seed=0, inputs=inputs, source_digest="", cpu_minutes=0.0, extra=extra)
    return path


SMALL = PriorConfig(
    data_tier="ci",
    photographs=2,
    photo_size=32,
    noise_levels=(0.0, 0.2),
    blur_widths=(0.0, 1.0),
    mixing_shares=(0.0, 0.5, 1.0),
    slices=2,
    ct_size=64,
    fbp_views=(20,),
    covariance_pictures=1,
    covariance_size=16,
    directions=2,
    lanczos_steps=8,
    spacing=4,
)


@needs_data
def test_prior_stage_writes_what_it_documents(tmp_path):
    weights = [stand_in(tmp_path, name, {}) for name in ("photo", "ct")]
    prior.run(SMALL, weights[0], weights[1], tmp_path / "out")
    tables = read_result(tmp_path / "out" / "prior.json", PriorNumbers)
    groups = tables.detection.groups()
    assert tables.photographs.noise.median_rises_strictly and groups["abdomen"].absent
    assert 0 <= (groups["fbp_20"].auroc or 0) <= 1
    assert len(tables.covariance.directions.variance) == 2
    assert [row.factor for row in tables.wrong_sigma.rows] == [0.7, 1.0, 1.3]
    assert any("falls with blur" in reading for reading in tables.readings)
    arrays, _ = load_tensors(tmp_path / "out" / "pictures.safetensors")
    assert arrays["covariance.directions"].shape == (2, 16, 16) and arrays["strip.blur"].shape == (2, 2, 32, 32)
    assert read_record(tmp_path / "out").stage == "proximal.prior"


@needs_data
def test_prior_stage_refuses_weights_that_saw_test_pictures(tmp_path):
    with pytest.raises(DataError, match="trained on kodim23"):
        prior.run(SMALL, stand_in(tmp_path, "photo", {"kodim23": "0"}), stand_in(tmp_path, "ct", {}), tmp_path)


@pytest.mark.parametrize(
    ("plain", "texture", "says"),
    [(0.55, 0.9, "does not tell"), (0.95, 0.97, "texture here"), (0.8, 0.95, "no evidence"), (0.95, 0.6, "better than")],
)
def test_verdicts_are_honest_about_texture(plain, texture, says):
    assert says in prior.verdict(plain, texture)
