"""Corruptions, AUROC and humps against definitions and known functions."""

from __future__ import annotations

import itertools
from typing import cast

import pytest
import torch
from scipy.ndimage import gaussian_filter

from sciml.proximal.networks.implicit import ImplicitNetwork
from sciml.proximal.networks.network import LearnedProximalNetwork, PriorValues
from sciml.proximal.settings.structures import RegularizerConfig
from sciml.proximal.study import landscape as land
from sciml.runtime.errors import ConfigError, ShapeError


class _Known:
    """R(x) = g(sum of x)."""

    def __init__(self, g):
        self.g = g

    def prior_values(self, x, sigma=None):
        value = self.g(x.flatten(1).sum(1))
        return PriorValues(value, value.isinf(), torch.zeros_like(value), x)


def known(g) -> LearnedProximalNetwork:
    return cast("LearnedProximalNetwork", _Known(g))


def pictures(count=6, size=16, seed=0):
    return torch.rand(count, 1, size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_wide_blur_is_that_of_scipy_and_keeps_the_mean():
    x = pictures(2, 40)
    for width in (1.5, 2.0, 3.0):
        found = land.blurred(x, width)
        reference = gaussian_filter(x.numpy(), (0, 0, width, width), mode="reflect", truncate=6)
        # integrating over pixels widens the Gaussian by the variance of a pixel, 1/12
        assert abs(found.numpy() - reference).max() < 0.02
        wider = gaussian_filter(x.numpy(), (0, 0, *[(width**2 + 1 / 12) ** 0.5] * 2), mode="reflect", truncate=6)
        assert abs(found.numpy() - wider).max() < 1e-3
        torch.testing.assert_close(found.mean((1, 2, 3)), x.mean((1, 2, 3)))


def test_narrow_blur_moves_little_and_each_width_moves_more():
    x = pictures(3, 12)
    assert torch.equal(land.blurred(x, 0), x)
    moved = [float((land.blurred(x, width, "zero") - x).norm()) for width in (0.1, 0.2, 0.4, 0.8)]
    assert all(0 < before < after for before, after in itertools.pairwise(moved))


def test_blur_with_zeros_beyond_is_that_of_a_padded_picture():
    x = pictures(1, 8)
    padded = torch.nn.functional.pad(x, (20,) * 4)
    torch.testing.assert_close(land.blurred(x, 1.0, "zero"), land.blurred(padded, 1.0)[..., 20:-20, 20:-20])


def test_noise_is_one_field_and_clipping_is_asked_for():
    x, field = pictures(), torch.randn(6, 1, 16, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    torch.testing.assert_close(land.noisy(x, field, 0.2) - x, 2 * (land.noisy(x, field, 0.1) - x))
    clipped = land.noisy(x, field, 0.5, clip=True)
    assert float(clipped.min()) == 0 and float(clipped.max()) == 1


def test_auroc_counts_pairs():
    clean, corrupt = torch.tensor([0.0, 1.0, 2.0]), torch.tensor([1.0, 3.0])
    pairs = [(c > k) + 0.5 * (c == k) for k in clean.tolist() for c in corrupt.tolist()]
    assert land.auroc(clean, corrupt) == pytest.approx(sum(pairs) / 6)
    assert land.auroc(corrupt, clean) == pytest.approx(1 - sum(pairs) / 6)
    assert land.auroc(clean, torch.tensor([torch.inf])) == 1
    with pytest.raises(ShapeError, match="two sets"):
        land.auroc(clean, torch.empty(0))
    with pytest.raises(ConfigError, match="NaN"):
        land.auroc(clean, torch.tensor([torch.nan]))


def test_quartiles_are_those_of_torch_and_bear_infinity():
    values = torch.rand(3, 8, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(land.quartiles(values), values.quantile(torch.tensor([0.25, 0.5, 0.75]), dim=1))
    assert land.quartiles(torch.tensor([[0.0, torch.inf, torch.inf]])).flatten().tolist()[1:] == [torch.inf, torch.inf]


def test_no_convex_function_has_a_hump():
    x = pictures()
    partner = x.flip(0)
    shares = (0.0, 0.25, 0.5, 0.75, 1.0)
    convex = land.along(known(lambda s: (s - 100).square()), shares, lambda t: land.mixed(x, partner, t))
    assert land.humps(convex).above_chord == 0
    concave = land.along(known(lambda s: -(s - 128).square()), shares, lambda t: land.mixed(x, partner, t))
    assert land.humps(concave).above_chord == 1
    with pytest.raises(ConfigError, match="shares"):
        land.humps(land.along(known(lambda s: s), (0.0, 1.0), lambda t: land.mixed(x, partner, t)))


def test_path_says_what_rises_and_what_is_outside():
    x = torch.ones(4, 1, 2, 2)
    path = land.along(known(lambda s: torch.where(s > 11, torch.inf, s)), (1.0, 2.0, 3.0), lambda t: t * x, per_pixel=True)
    assert path.values[:, 0].tolist() == [1.0, 2.0, torch.inf]
    table = path.table()
    assert table.median_rises_strictly and table.share_rising_throughout == 1
    assert table.share_outside == [0, 0, 1]
    with pytest.raises(ConfigError, match="ascend"):
        land.along(known(lambda s: s), (0.2, 0.1), lambda t: t * x)


def test_noise_raises_the_prior_of_a_network():
    network = ImplicitNetwork(RegularizerConfig(windows=((3,),))).eval()
    x = land.blurred(pictures(4, 24), 2.0).float()
    field = torch.randn(x.shape, generator=torch.Generator().manual_seed(3))
    path = land.along(network, (0.0, 0.1, 0.2), lambda level: land.noisy(x, field, level), 0.1)
    assert path.table().median_rises_strictly
