"""Posterior covariance against the exact one: full Jacobians, a Gaussian, and estimators without bias."""

from __future__ import annotations

import pytest
import torch

from sciml.proximal.networks.explicit import ExplicitNetwork
from sciml.proximal.networks.implicit import ImplicitNetwork
from sciml.proximal.potentials.published import digits
from sciml.proximal.settings.structures import RegularizerConfig
from sciml.proximal.study import uncertainty as u
from sciml.runtime.errors import ConfigError, ShapeError


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def networks():
    implicit = ImplicitNetwork(RegularizerConfig(windows=((5,),)), tolerance=1e-11, iterations=2000).double().eval()
    explicit = ExplicitNetwork(digits(8, 6, head=8), seed=3).double().eval()
    with torch.no_grad():
        for parameter in explicit.parameters():
            parameter.add_(0.2 * torch.rand(parameter.shape, generator=generator(1), dtype=torch.float64))
    return {"implicit": implicit, "explicit": explicit}


def exact_jacobian(network, y):
    """Columns by central differences of f, independent of any Jacobian code."""
    columns, step = [], 1e-4
    for unit in torch.eye(y.numel(), dtype=y.dtype).reshape(-1, *y.shape[1:]).split(16):
        plus, minus = network(y + step * unit, 0.1), network(y - step * unit, 0.1)
        columns.append(((plus - minus) / (2 * step)).flatten(1))
    return torch.cat(columns).T


@pytest.fixture(scope="module", params=["implicit", "explicit"])
def case(request):
    network, size = networks()[request.param], 6 if request.param == "implicit" else 8
    y = torch.rand(1, 1, size, size, generator=generator(2), dtype=torch.float64)
    return u.linearise(network, y, 0.1, tolerance=1e-10), exact_jacobian(network, y), network, y


def test_linearised_network_is_f_and_its_jacobian(case):
    at, jacobian, network, y = case
    v = torch.randn(5, *y.shape[1:], generator=generator(3), dtype=torch.float64)
    torch.testing.assert_close(at.image, network(y, 0.1))
    torch.testing.assert_close(at.product(v).flatten(1), v.flatten(1) @ jacobian.T, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(at.product(v[:1]), network.jacobian_product(y, v[:1], 0.1), atol=1e-7, rtol=1e-7)


def test_lanczos_finds_the_widest_directions(case):
    at, jacobian, _, _ = case
    values, vectors = torch.linalg.eigh((jacobian + jacobian.T) / 2)
    found = u.leading_directions(at, 4, at.image.numel(), generator(4))
    torch.testing.assert_close(found.variance, 0.01 * values.flip(0)[:4], atol=1e-7, rtol=1e-5)
    flat = found.image.flatten(1)
    torch.testing.assert_close(flat @ flat.T, torch.eye(4, dtype=torch.float64), atol=1e-8, rtol=0)
    assert float(found.residual.max()) < 1e-4
    gap = float(values[-1] - values[-2])
    assert gap > 1e-3
    assert float((flat[0] @ vectors[:, -1]).abs()) > 1 - 1e-6


def test_every_pixel_is_in_one_grid():
    for channels, spacing in ((1, 3), (2, 4), (1, 20)):
        masks = u.grids(torch.zeros(1, channels, 9, 7), spacing)
        assert torch.equal(masks.sum(0), torch.ones(channels, 9, 7))


def test_variance_has_no_bias_and_sparse_grids_pay(case):
    at, jacobian, _, _ = case
    exact = 0.01 * jacobian.diag().reshape(at.image.shape)
    # a spacing of the whole image takes every pixel by itself
    torch.testing.assert_close(u.pixel_variance(at, 8, generator(5)), exact, atol=1e-7, rtol=1e-5)
    plain = u.pixel_variance(at, 1, generator(6), repeats=16)
    sparse = u.pixel_variance(at, 4, generator(6))
    assert float((sparse - exact).norm()) < float((plain - exact).norm())
    many = torch.stack([u.pixel_variance(at, 2, generator(seed)) for seed in range(30)])
    standard_error = many.std(0) / 30**0.5 + 1e-9
    assert float(((many.mean(0) - exact) / standard_error).square().mean()) < 2


def test_calibration_of_errors_that_follow_the_variance():
    variance = 0.01 * torch.rand(200_000, generator=generator(7), dtype=torch.float64)
    error = variance.sqrt() * torch.randn(200_000, generator=generator(8), dtype=torch.float64)
    found = u.calibrate(variance, error)
    assert found.ratio == pytest.approx(1, abs=0.02)
    assert found.coverage_95 == pytest.approx(0.95, abs=0.003)
    assert found.correlation == pytest.approx(found.ceiling, abs=0.01)
    for group in found.bins:
        assert group.observed == pytest.approx(group.predicted, rel=0.06)
    assert u.calibrate(variance, 2 * error).ratio == pytest.approx(4, abs=0.08)
    shuffled = error[torch.randperm(200_000, generator=generator(9))]
    assert abs(u.calibrate(variance, shuffled).rank_correlation) < 0.01


def test_bad_requests_are_refused(case):
    at, _, network, y = case
    with pytest.raises(ShapeError, match="one image"):
        u.linearise(network, torch.cat([y, y]))
    with pytest.raises(ConfigError, match="Lanczos"):
        u.leading_directions(at, 5, 3, generator())
    with pytest.raises(ConfigError, match="spacing"):
        u.pixel_variance(at, 0, generator())
    with pytest.raises(ShapeError, match="agree"):
        u.calibrate(torch.ones(20), torch.ones(21))
