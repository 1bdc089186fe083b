"""The unconstrained peers: shapes, sizes, noise levels, and what kind of field each one is."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sciml.proximal.networks.peers import PEERS, GradientStepDenoiser, ResidualDenoiser, build_peer, matched
from sciml.proximal.settings.structures import PeerConfig
from sciml.runtime.errors import ConfigError, ShapeError


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def small(kind: str, channels: int = 1) -> ResidualDenoiser:
    config = PeerConfig.model_validate({"kind": kind, "channels": channels, "width": 4, "depth": 3})
    peer = build_peer(config, seed=3).double()
    with torch.no_grad():
        peer.layers[-1].weight.mul_(50)  # pyright: ignore[reportCallIssue, reportArgumentType]
    return peer


def count(config: PeerConfig) -> int:
    return sum(parameter.numel() for parameter in build_peer(config).parameters())


def jacobian(peer: ResidualDenoiser, y: Tensor) -> Tensor:
    columns = []
    point = y.clone().requires_grad_()
    out = peer(point, 0.1).flatten()
    for i in range(out.numel()):
        columns.append(torch.autograd.grad(out[i], point, retain_graph=True)[0].flatten())
    return torch.stack(columns)


@pytest.mark.parametrize("kind", PEERS)
@pytest.mark.parametrize(("channels", "size"), [(1, (9, 14)), (3, (5, 5)), (2, (1, 7))])
def test_shapes_and_noise_levels(kind: str, channels: int, size: tuple[int, int]) -> None:
    peer, y = small(kind, channels), noise(2, channels, *size)
    x = peer(y, torch.tensor([0.05, 0.2], dtype=torch.double))
    assert x.shape == y.shape and not y.requires_grad
    alone = peer(y[1:], 0.2)
    assert float((x[1:] - alone).abs().max().detach()) < 1e-13
    assert float((peer(y[1:], 0.05) - alone).abs().max().detach()) > 1e-4


@pytest.mark.parametrize("kind", PEERS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("wanted", [2_000, 7_776, 60_000])
def test_matched_sizes(kind: str, channels: int, wanted: int) -> None:
    config = matched(wanted, kind, channels)
    got = count(config)
    assert abs(got - wanted) / wanted < 0.2
    for width in (config.width - 1, config.width + 1):
        other = count(config.model_copy(update={"width": width}))
        assert abs(other - wanted) >= abs(got - wanted)


def test_gradient_step_is_a_gradient_and_the_residual_network_is_not() -> None:
    y = noise(1, 1, 6, 5)
    J = jacobian(small("gradient_step"), y)
    assert float((J - J.T).norm() / J.norm()) < 1e-12
    J = jacobian(small("residual"), y)
    assert float((J - J.T).norm() / J.norm()) > 1e-2


def test_gradient_step_descends_its_potential() -> None:
    peer, y, d = small("gradient_step"), noise(1, 1, 7, 8), noise(1, 1, 7, 8, seed=1)
    assert isinstance(peer, GradientStepDenoiser)
    with torch.no_grad():
        slope = (peer.potential(y + 1e-5 * d, 0.1) - peer.potential(y - 1e-5 * d, 0.1)) / 2e-5
        assert float(((y - peer(y, 0.1)) * d).sum()) == pytest.approx(float(slope), rel=1e-6)


@pytest.mark.parametrize("kind", PEERS)
def test_training_reaches_every_weight(kind: str) -> None:
    peer, y = small(kind), noise(2, 1, 8, 8)
    peer(y, 0.1).square().sum().backward()
    assert all(p.grad is not None and float(p.grad.abs().max()) > 0 for p in peer.parameters())
    with torch.no_grad():
        assert not peer(y, 0.1).requires_grad


def test_equal_seeds_give_equal_weights() -> None:
    a, b, c = (build_peer(PeerConfig(), seed).state_dict() for seed in (1, 1, 2))
    assert all(bool((a[key] == b[key]).all()) for key in a)
    assert not all(bool((a[key] == c[key]).all()) for key in a)


def test_bad_input() -> None:
    peer = small("residual")
    with pytest.raises(ShapeError, match="expected"):
        peer(noise(1, 2, 8, 8), 0.1)
    with pytest.raises(ConfigError, match="sigma"):
        peer(noise(1, 1, 8, 8), 0.0)
    with pytest.raises(ConfigError, match="at least"):
        matched(10)
    with pytest.raises(ConfigError, match="no peer"):
        matched(1000, "wavelet")
