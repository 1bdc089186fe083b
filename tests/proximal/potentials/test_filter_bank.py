"""Bands: R and its gradient are the same however many rows and images are computed at a time."""

from __future__ import annotations

import pytest
import torch

from sciml.proximal.networks.implicit import ImplicitNetwork
from sciml.proximal.potentials import filter_bank
from sciml.proximal.settings.structures import RegularizerConfig


def network(windows: tuple[tuple[int, ...], ...], channels: int = 1) -> ImplicitNetwork:
    made = ImplicitNetwork(RegularizerConfig(windows=windows, channels=channels)).double().requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    for parameter in made.parameters():
        parameter += 0.1 * parameter.abs().mean() * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return made


@pytest.mark.parametrize(
    ("windows", "channels", "shape"),
    [
        (((7,),), 1, (2, 1, 31, 50)),
        (((7,), (7,)), 1, (2, 1, 31, 23)),
        (((7,), (7,)), 1, (2, 2, 21, 33)),
        (((3,), (3,), (3,)), 3, (2, 3, 34, 26)),
    ],
    ids=str,
)
@pytest.mark.parametrize("at_once", [1, 3000, 60000])
def test_bands_change_nothing(monkeypatch, windows, channels, shape, at_once):
    x = torch.rand(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    at = network(windows, channels).at(torch.tensor([0.05, 0.2]), x)
    with torch.no_grad():
        monkeypatch.setattr(filter_bank, "AT_ONCE", 10**9)
        value, gradient = at.value_and_gradient(x)
        monkeypatch.setattr(filter_bank, "AT_ONCE", at_once)
        bands = list(filter_bank._bands(x, 48))
        found, slope = at.value_and_gradient(x)
    assert len(bands) > 1 or at_once == 60000
    assert torch.allclose(found, value, rtol=1e-13) and (slope - gradient).abs().max() < 1e-13
    # R of its own, and by automatic differentiation
    assert torch.allclose(at.value(x), value, rtol=1e-13)
    free = x.clone().requires_grad_()
    (derivative,) = torch.autograd.grad(at.value(free).sum(), free)
    assert (derivative - gradient).abs().max() < 1e-12


@pytest.mark.parametrize("shape", [(5, 1, 8, 8), (1, 1, 64, 8), (3, 1, 7, 9)])
def test_bands_cover_every_row_of_every_image_once(monkeypatch, shape):
    monkeypatch.setattr(filter_bank, "AT_ONCE", 48 * 130)
    seen = torch.zeros(shape[0], shape[2])
    with torch.no_grad():
        for images, top, bottom in filter_bank._bands(torch.zeros(shape), 48):
            assert (images.stop - images.start) * (bottom - top) * shape[3] * 48 <= max(48 * 130, 48 * shape[3])
            seen[images, top:bottom] += 1
    assert bool((seen == 1).all())
