"""The weights that come with the package: their cards, their size, what they were trained on, and that they do their job."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sciml.datasets.splits import check_weight_inputs
from sciml.proximal.certificates.certification import certify_network, load_unchecked
from sciml.proximal.networks.forms import LearnedProximalNetwork, load_denoiser
from sciml.proximal.networks.network_table import network_row, shipped_models
from sciml.proximal.networks.weight_files import STORE, shipped
from sciml.runtime.files import digest_file
from sciml.training import read_weights_metadata, weights_digest

EXPECTED = {
    "ct",
    "ct-explicit",
    "ct-guided",
    "digits",
    "mr-t1",
    "mr-t1-explicit",
    "peer-gradient-step",
    "peer-residual",
    "photo-colour",
    "photo-colour-guided",
    "photo-deblur",
    "photo-deblur-guided",
    "photo-grey",
    "photo-grey-explicit",
    "photo-grey-guided",
}
PEERS = {"peer-gradient-step", "peer-residual"}
GUIDED = {name for name in EXPECTED if name.endswith("-guided")}
TUNED = {"ct", "ct-guided", "mr-t1", "photo-deblur", "photo-deblur-guided"}
MEGABYTE = 1_000_000


def test_all_are_there_and_small():
    assert set(shipped()) == EXPECTED
    assert sum(path.stat().st_size for path in STORE.folder.iterdir()) < 10 * MEGABYTE


def test_the_cards_state_the_digests_of_the_weights():
    for path in STORE.folder.glob("*.safetensors"):
        card, metadata = path.with_suffix(".md").read_text(), read_weights_metadata(path)
        stated = [digest_file(path), weights_digest(path), *metadata["inputs"].values(), "## Limits", "validation crops"]
        assert metadata["inputs"] and [words for words in stated if words not in card] == [], path.name


def test_none_was_trained_on_test_data():
    for path in STORE.folder.glob("*.safetensors"):
        for experiment in ("proximal-photos", "proximal-ct", "proximal-mri", "proximal-digits"):
            check_weight_inputs(path, experiment)


def test_the_files_say_of_the_networks_what_they_are():
    for name in EXPECTED - PEERS:
        network, row = load_denoiser(name), network_row(name)
        built = (network.form, network.channels, network.sigma_range, sum(one.numel() for one in network.parameters()))
        assert (row.form, row.channels, row.sigma_range, row.parameters) == built, name
    for name in PEERS:
        assert network_row(name).parameters == sum(one.numel() for one in load_denoiser(name).parameters()), name
    assert {row.name for row in shipped_models()} == EXPECTED - PEERS


def test_each_takes_noise_out_of_a_smooth_image():
    for name in EXPECTED - {"digits"}:
        network = load_denoiser(name)
        clean = torch.linspace(0.2, 0.8, 48).repeat(1, network.channels, 48, 1)
        noisy = clean + 0.1 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
        before, after = ((x - clean).square().mean() for x in (noisy, network(noisy, 0.1)))
        # a prior that was tuned through a solver weighs R anew there, so that alone it denoises less
        assert float(after) < (0.7 if name in TUNED else 0.2) * float(before), name


def test_each_proximal_network_is_certified_bounded_below():
    for name in EXPECTED - PEERS - GUIDED:
        certificate = LearnedProximalNetwork.load(name).certificate()
        assert certificate.bounded_below and certificate.exact_prox, name
        assert certificate.weak_convexity is not None and certificate.weak_convexity <= 1, name


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(EXPECTED - PEERS))
def test_all_invariants_hold_for_each_proximal_network(name: str):
    found = certify_network(load_unchecked(name)[0])
    assert [one for one in found if not one.passed] == []
    assert {f"I{number}" for number in range(12)} <= {one.id for one in found}


def test_the_package_carries_nothing_else():
    allowed = {f"{name}{suffix}" for name in EXPECTED for suffix in (".safetensors", ".md")}
    assert {Path(path).name for path in STORE.folder.iterdir()} == allowed
