"""Tiles give what the whole image gives, up to rounding."""

from __future__ import annotations

import pytest
import torch
from explicit_networks import COLOUR, CONVOLUTIONAL, PUBLISHED, VOLUME, images, normal, random_network

from sciml.proximal.potentials.tiling import tiles
from sciml.proximal.settings.structures import ConvolutionalPotential
from sciml.runtime.errors import ConfigError

WIDE = ConvolutionalPotential(window=5, layers=3, mixing_window=3)


@pytest.mark.parametrize(
    ("config", "shape", "tile"),
    [
        (CONVOLUTIONAL, (2, 1, 23, 17), 6),
        (CONVOLUTIONAL, (1, 2, 9, 30), 4),
        (WIDE, (1, 1, 31, 26), 7),
        (COLOUR, (1, 3, 8, 11), 1),
        (VOLUME, (1, 1, 7, 9, 8), 3),
    ],
)
def test_tiles_equal_the_whole(config, shape, tile):
    network = random_network(config)
    y, v = images(shape[1:], shape[0]), normal(*shape, seed=2)
    whole = [network(y), *network.evaluate(y), network.potential_values(y), network.jacobian_product(y, v)]
    network.tile = tile
    parts = [network(y), *network.evaluate(y), network.potential_values(y), network.jacobian_product(y, v)]
    for a, b in zip(whole, parts, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)
    assert not y.requires_grad and not parts[0].requires_grad


def test_a_smaller_halo_would_not_do():
    network = random_network(WIDE)
    y = images((1, 40, 12))
    reach = 2 * network.potential.radius
    changed = y.clone()
    changed[..., 10, :] += 1
    rows = (network(changed) - network(y)).abs().amax((0, 1, 3)).nonzero().flatten().tolist()
    assert rows == list(range(10 - reach, 10 + reach + 1))


def test_tiles_partition_the_image():
    hits = torch.zeros(13, 9)
    for whole, core, inside in tiles((13, 9), 4, 3):
        hits[core] += 1
        assert torch.zeros(13, 9)[whole][inside].shape == hits[core].shape
    assert bool((hits == 1).all())


def test_tiles_are_refused_where_they_are_not_exact():
    network = random_network(PUBLISHED)
    network.tile = 4
    with pytest.raises(ConfigError, match="no sum over positions"):
        network(images((1, 7, 6)))
    network = random_network(CONVOLUTIONAL)
    network.tile = 0
    with pytest.raises(ConfigError, match="at least 1"):
        network(images((1, 9, 10)))
