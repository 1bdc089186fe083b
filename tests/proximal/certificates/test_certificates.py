"""Certificates of weights: correct networks pass whatever their weights, broken files are named, and repaired ones pass again."""

from __future__ import annotations

import json
import math

import pytest
import torch
from explicit_networks import PUBLISHED, SHAPES, random_network

from sciml.proximal.certificates import certification, solvers
from sciml.proximal.certificates.certification import as_rows, certify_file, certify_network, passed, repair_file
from sciml.proximal.certificates.subject import Invariant
from sciml.proximal.config import CertifyConfig
from sciml.proximal.networks.explicit import ExplicitNetwork
from sciml.proximal.networks.forms import LearnedProximalNetwork
from sciml.proximal.networks.implicit import ImplicitNetwork
from sciml.proximal.settings.structures import ConvolutionalPotential, DensePotential, FramePotential, RegularizerConfig
from sciml.proximal.stages import certify
from sciml.runtime.errors import ConfigError, DataError, ShapeError
from sciml.training import read_weights_metadata, save_weights

PARTS = {f"I{i}" for i in range(12)} | {"I1b", "I2b", "I2c", "I2d", "I4b", "I4c", "I8b", "I9b", "I11c"}
BOUNDS = {"R1", "R2", "R2b", "R3", "R3b", "R3c", "R4"}


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(solvers, "LONG_RUN", 60)


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(certification, "GROUPS", certification.GROUPS[:2])


def shaken(network: LearnedProximalNetwork, amount: float, seed: int = 0) -> LearnedProximalNetwork:
    """Return the network with all its free tensors shaken."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in network.parameters():
            tensor += amount * tensor.abs().mean().clamp(min=0.05) * torch.randn(tensor.shape, generator=generator)
    return network


def failures(found: list[Invariant]) -> dict[str, str]:
    return {one.id: f"{one.value} {one.comparison} {one.threshold} {one.note} {one.witness}" for one in found if not one.passed}


def save(network: LearnedProximalNetwork, path) -> None:
    save_weights(
        path,
        network,
        config={"name": "test"},
        seed=3,
        inputs={"data": "0" * 64},
        source_digest="f" * 64,
        cpu_minutes=1.5,
        extra={"network": network.describe(), "other": [1, 2]},
    )


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    "name", [name if name in ("published", "patches", "dense") else pytest.param(name, marks=pytest.mark.slow) for name in SHAPES]
)
def test_random_explicit_networks_pass(name):
    found = certify_network(random_network(SHAPES[name][0], 1), size=6)
    assert failures(found) == {}
    assert {one.id for one in found} == PARTS | {"I10", "I11b"}


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    ("windows", "channels", "seed"),
    [(((3,), (3,)), 1, 1), *[pytest.param(((3,),), n, n, marks=pytest.mark.slow) for n in (1, 2)]],
)
def test_random_implicit_networks_pass(windows, channels, seed):
    network = shaken(ImplicitNetwork(RegularizerConfig(windows=windows, channels=channels)), 0.5, seed)
    found = certify_network(network, size=6, sigma=0.05, seed=seed)
    assert failures(found) == {}
    assert {one.id for one in found} == PARTS | BOUNDS


@pytest.mark.usefixtures("short")
def test_random_frame_network_passes_and_one_with_boost_is_kept_from_reconstruction():
    found = certify_network(shaken(ExplicitNetwork(FramePotential(windows=((3,),))), 0.5), size=7)
    assert failures(found) == {}
    assert "R4" in {one.id for one in found}
    boosted = failures(certify_network(ExplicitNetwork(FramePotential(windows=((3,),), boost=True)), size=7))
    assert set(boosted) == {"I11", "I11c"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "network",
    [
        ImplicitNetwork(RegularizerConfig(windows=((7,), (7,)), curvature=60.0)),
        ExplicitNetwork(FramePotential()),
        ExplicitNetwork(ConvolutionalPotential()),
        ExplicitNetwork(DensePotential()),
    ],
    ids=["implicit", "frame", "convolutional", "dense"],
)
@pytest.mark.parametrize("seed", range(3))
def test_shipped_structures_pass(network, seed):
    assert failures(certify_network(network, seed=seed)) == {}


@pytest.mark.usefixtures("short")
def test_the_callers_network_is_left_alone():
    network = ImplicitNetwork(RegularizerConfig(windows=((3,),)))
    before = {key: value.clone() for key, value in network.state_dict().items()}
    first = certify_network(network, size=6, groups=["I4", "R1"])
    assert network.training and network.tolerance == 1e-4
    assert all(p.dtype == torch.float32 and p.requires_grad for p in network.parameters())
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    assert first == certify_network(network, size=6, groups=["I4", "R1"])


@pytest.mark.usefixtures("short")
def test_a_planted_negative_weight_is_the_witness():
    network = random_network(PUBLISHED)
    with torch.no_grad():
        network.potential.get_parameter("path.0.raw")[1, 0, 2, 1] = -0.75
    found = failures(certify_network(network, groups=["I2c"]))
    assert "weight potential.path.0.raw is -0.75 at [1, 0, 2, 1]" in found["I2c"]
    assert passed(certify_network(network, groups=["I8"]))


def test_weights_that_are_not_finite_end_the_certificate():
    network = random_network(PUBLISHED)
    with torch.no_grad():
        network.potential.get_parameter("first.weight")[1, 0, 2, 0] = math.inf
    (only,) = certify_network(network)
    assert (only.id, only.passed, only.value) == ("I0", False, 1.0)
    assert only.witness == "weight potential.first.weight is inf at [1, 0, 2, 0]"


def test_rows_are_json_and_name_what_is_not_finite():
    rows = as_rows(
        [Invariant("I1", "a", math.nan, 1.0, "<=", False, "b", "c"), Invariant("I2", "d", None, None, "n/a", True, "e")]
    )
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    assert rows[0]["value"] is None and rows[0]["note"] == "b; the value is nan"
    assert list(rows[1]) == ["id", "name", "value", "threshold", "comparison", "passed", "note", "witness"]


def test_wrong_settings_are_refused():
    network = random_network(PUBLISHED)
    with pytest.raises(ConfigError, match="2 pixels"):
        certify_network(network, size=1)
    with pytest.raises(ConfigError, match="above 0"):
        certify_network(network, sigma=-0.1)
    with pytest.raises(ConfigError, match="called I99; known: I1, "):
        certify_network(network, groups=["I1", "I99"])
    with pytest.raises(ShapeError, match="pixels a side"):
        certify_network(ImplicitNetwork(RegularizerConfig(windows=((3,),) * 8)), size=4)


@pytest.mark.usefixtures("few")
def test_repair_sets_negative_weights_to_zero_and_keeps_the_metadata(tmp_path):
    network = random_network(PUBLISHED).float()
    path, out = tmp_path / "broken.safetensors", tmp_path / "repaired.safetensors"
    with torch.no_grad():
        network.potential.get_parameter("path.1.raw")[2, 1, 0, :2] = -0.5
        network.potential.get_parameter("last.raw")[0, 3] = -0.1
    save(network, path)
    with pytest.raises(DataError, match="sciml proximal repair"):
        LearnedProximalNetwork.load(path)
    assert not all(row["passed"] for row in certify_file(path))
    rows = repair_file(path, out)
    assert all(row["passed"] for row in rows)
    loaded = LearnedProximalNetwork.load(out)
    expected = {key: value.clamp(min=0) if key.endswith("raw") else value for key, value in network.state_dict().items()}
    assert all(torch.equal(value, expected[key]) for key, value in loaded.state_dict().items())
    before, after = read_weights_metadata(path), read_weights_metadata(out)
    repaired = after["extra"].pop("repaired")
    assert repaired == {
        "negative_weights_set_to_zero": {"potential.path.1.raw": 2, "potential.last.raw": 1},
        "weights_digest_before": before["weights_digest"],
        "certified": True,
    }
    assert all(before.pop(name) != after.pop(name) for name in ("weights_digest", "metadata_digest"))
    assert before == after
    with pytest.raises(DataError, match="nothing to repair"):
        repair_file(out, tmp_path / "again.safetensors")


def test_only_networks_with_signs_are_repaired(tmp_path):
    save(ImplicitNetwork(RegularizerConfig(windows=((3,),))), tmp_path / "implicit.safetensors")
    with pytest.raises(ConfigError, match="implicit form"):
        repair_file(tmp_path / "implicit.safetensors", tmp_path / "out.safetensors")
    save_weights(
        tmp_path / "other.safetensors", torch.nn.Linear(1, 1), config={}, seed=0, inputs={}, source_digest="", cpu_minutes=0
    )
    with pytest.raises(ConfigError, match="no learned proximal network"):
        certify_file(tmp_path / "other.safetensors")
    with pytest.raises(ConfigError, match="no model no-such-network"):
        certify_file("no-such-network")


@pytest.mark.usefixtures("few")
def test_stage_writes_the_rows_of_each_network(tmp_path):
    save(random_network(PUBLISHED).float(), tmp_path / "one.safetensors")
    save(ImplicitNetwork(RegularizerConfig(windows=((3,),))), tmp_path / "two.safetensors")
    files = [tmp_path / "one.safetensors", tmp_path / "two.safetensors"]
    config = CertifyConfig(size=6)
    (written,) = certify.run(config, files, tmp_path / "out")
    tables = json.loads(written.read_text())
    assert list(tables) == ["one", "two"]
    assert all(row["passed"] for rows in tables.values() for row in rows)
    assert tables["two"] == certify_file(files[1], size=6)
    provenance = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert provenance["stage"] == "proximal.certify" and len(provenance["inputs"]) == 2
    for wrong in ([], [files[0], files[0]]):
        with pytest.raises(ConfigError, match="different names"):
            certify.run(config, wrong, tmp_path / "out")
