"""Tiles: R and its gradient of a large image are those of the whole image, whatever its size and levels."""

from __future__ import annotations

import pytest
import torch

from sciml.proximal.blocks import in_tiles, spans
from sciml.proximal.implicit import ImplicitNetwork
from sciml.proximal.structures import RegularizerConfig


def network(windows: tuple[tuple[int, ...], ...]) -> ImplicitNetwork:
    made = ImplicitNetwork(RegularizerConfig(windows=windows)).double().requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    for parameter in made.parameters():
        parameter += 0.1 * parameter.abs().mean() * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return made


@pytest.mark.parametrize(
    ("windows", "size"),
    [(((7,),), (61, 50)), (((7,), (7,)), (61, 83)), (((3,), (3,), (3,)), (66, 98))],
    ids=str,
)
def test_tiles_change_nothing(windows, size):
    made = network(windows)
    x = torch.rand(2, 1, *size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    at = made.at(torch.tensor([0.05, 0.2]), x)
    value, gradient = at.value_and_gradient(x)
    tiled = in_tiles(at, 16)
    assert max(size) > 16 + 2 * tiled.halo, "the test must use more than one tile"
    found, slope = tiled.value_and_gradient(x)
    assert torch.allclose(found, value, rtol=1e-13) and (slope - gradient).abs().max() < 1e-13
    assert torch.equal(tiled.value(x), found)


def test_the_prox_of_a_large_image_is_the_same():
    made = network(((3,), (3,)))
    y = torch.rand(1, 1, 50, 40, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    whole = made.solve(y, 0.1, tolerance=1e-8)
    made.tile = 16
    assert (made.solve(y, 0.1, tolerance=1e-8).x - whole.x).abs().max() < 1e-7


@pytest.mark.parametrize(("length", "grid"), [(1, 1), (17, 1), (100, 4), (33, 2)])
def test_parts_cover_an_axis_once(length, grid):
    parts = list(spans(length, 16, 8, grid))
    assert [at for _, _, begin, end in parts for at in range(begin, end)] == list(range(length))
    assert all(first % grid == 0 and begin % grid == 0 for first, _, begin, _ in parts)
