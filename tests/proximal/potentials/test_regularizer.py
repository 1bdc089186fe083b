"""The weakly convex regulariser: derivatives, symmetry, and the bounds of its Hessian, which hold for any weights."""

from __future__ import annotations

import pytest
import torch
from implicit_networks import images, perturbed

from sciml.proximal.optimise.minimize import cosine_filter
from sciml.proximal.potentials import symmetric
from sciml.proximal.potentials.filters import INVERSES, SYMMETRIES, Closure, fourier_bank
from sciml.proximal.potentials.regularizer import Conditioned, WeaklyConvexRegularizer, linear_weights
from sciml.proximal.settings.structures import RegularizerConfig
from sciml.runtime.errors import ShapeError

STRUCTURES = {
    "one level": RegularizerConfig(windows=((5,),)),
    "two levels, two windows": RegularizerConfig(windows=((5, 3), (3,))),
    "colour": RegularizerConfig(channels=3, windows=((3,),)),
    "one noise level, tight": RegularizerConfig(windows=((3,), (3,)), sigma_knots=(0.1,), curvature=2.0, weak_convexity=0.5),
}


def levels(*sigma: float) -> torch.Tensor:
    return torch.tensor(sigma, dtype=torch.double)


@pytest.fixture(params=STRUCTURES)
def config(request: pytest.FixtureRequest) -> RegularizerConfig:
    return STRUCTURES[request.param]


@pytest.mark.parametrize("size", [(9, 12), (13, 11)], ids=["even", "odd"])
@pytest.mark.parametrize("copies", [1, 2], ids=["real", "pairs that share groups"])
def test_gradient_and_hessian_are_those_of_the_value(config: RegularizerConfig, size: tuple[int, int], copies: int):
    at = perturbed(config).at(levels(0.05, 0.2))
    x, v = images(copies * config.channels, size).requires_grad_(), images(copies * config.channels, size, scale=1).flip(0)
    value = at.value(x)
    (gradient,) = torch.autograd.grad(value.sum(), x, create_graph=True)
    both = at.value_and_gradient(x.detach())
    torch.testing.assert_close(both, (value, gradient), rtol=1e-11, atol=1e-13, check_layout=False)
    (second,) = torch.autograd.grad(gradient, x, v)
    torch.testing.assert_close(at.hessian(x.detach()).product(v), second, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(at.directional(x.detach(), v), (gradient * v).sum(), rtol=1e-10, atol=1e-12)


def dense(at: Conditioned, x: torch.Tensor) -> torch.Tensor:
    """Return the Hessian of R at one image as a matrix."""
    hessian = at.hessian(x)
    basis = torch.eye(x.numel(), dtype=x.dtype)
    return torch.stack([hessian.product(e.reshape(x.shape)).flatten() for e in basis])


@pytest.mark.parametrize("scale", [0.0, 0.02, 0.5], ids=["at 0", "small", "large"])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_hessian_lies_between_its_bounds(config: RegularizerConfig, scale: float, seed: int):
    at = perturbed(config, seed).at(levels(0.1))
    size = (8, 7)
    x = images(config.channels, size, 1, 1.0) * scale
    matrix = dense(at, x)
    torch.testing.assert_close(matrix, matrix.T, rtol=0, atol=1e-12)
    eigenvalues = torch.linalg.eigvalsh(matrix)
    assert float(at.weak_convexity) <= config.weak_convexity * (1 + 1e-12)
    assert float(at.smoothness) <= config.curvature * (1 + 1e-12)
    assert float(eigenvalues[0]) >= -float(at.weak_convexity) - 1e-12
    assert float(eigenvalues[-1]) <= float(at.smoothness) + 1e-12
    # D - Hess R in the cosine basis is positive semidefinite
    upper = cosine_filter(at.upper_symbol(size))
    above = torch.stack([upper(e.reshape(x.shape)).flatten() for e in torch.eye(x.numel(), dtype=torch.double)]) - matrix
    assert float(torch.linalg.eigvalsh(above)[0]) >= -1e-12


def test_the_convex_part_alone_reaches_the_upper_bound_at_zero():
    prior = perturbed(STRUCTURES["one level"])
    with torch.no_grad():
        for level in prior.levels:
            level.log_eta -= 40
    at = prior.at(levels(0.1))
    x = torch.zeros(1, 1, 10, 9, dtype=torch.double)
    upper = cosine_filter(at.upper_symbol((10, 9)))
    for e in torch.eye(90, dtype=torch.double)[::7].reshape(-1, 1, 1, 10, 9):
        torch.testing.assert_close(at.hessian(x).product(e), upper(e), rtol=1e-9, atol=1e-12)


def test_the_bound_covers_frequencies_between_those_of_any_image():
    at = perturbed(STRUCTURES["two levels, two windows"], 3).at(levels(0.1))
    fine = at.upper_symbol((700, 611))
    assert float(fine.max()) <= float(at.smoothness)


def test_mirrored_and_turned_images_are_alike(config: RegularizerConfig):
    at = perturbed(config).at(levels(0.05, 0.2))
    x = images(config.channels, (10, 10))
    value, gradient = at.value_and_gradient(x)
    for g in SYMMETRIES:
        moved = at.value_and_gradient(g(x))
        torch.testing.assert_close(moved, (value, g(gradient)), rtol=1e-10, atol=1e-13)


def test_constants_cost_nothing_and_nothing_costs_less(config: RegularizerConfig):
    at = perturbed(config).at(levels(0.05, 0.2))
    flat = torch.full((2, config.channels, 9, 8), 0.7, dtype=torch.double)
    assert float(at.value(flat).abs().max()) < 1e-20
    assert bool((at.value(images(config.channels, (9, 8), scale=3.0)) > 0).all())


def test_the_noise_level_scales_the_image():
    prior = perturbed(RegularizerConfig(windows=((3,),), sigma_knots=(0.1,)))
    x = images(1, (8, 8))
    # one knot: R_sigma(x) = s^2 R(x / s)
    torch.testing.assert_close(prior.at(levels(0.3)).value(x), 9 * prior.at(levels(0.1)).value(x / 3))


def test_noise_levels_are_interpolated_between_the_knots_and_each_image_has_its_own():
    prior = perturbed(STRUCTURES["one level"])
    shares = linear_weights(levels(0.001, 0.01, 0.02, 0.3, 1.0), prior.config.sigma_knots)
    torch.testing.assert_close(shares.sum(1), torch.ones(5, dtype=torch.double))
    torch.testing.assert_close(shares[[0, 1, 3, 4]], torch.eye(4, dtype=torch.double)[[0, 0, 3, 3]])
    x = images(1, (8, 9))
    together = prior.at(levels(0.02, 0.2)).value(x)
    torch.testing.assert_close(together, torch.cat([prior.at(levels(s)).value(x[i : i + 1]) for i, s in enumerate((0.02, 0.2))]))


def test_float32_loses_nothing_for_tiny_responses():
    prior = WeaklyConvexRegularizer(RegularizerConfig(windows=((3,),)))
    x = 1e-4 * torch.randn(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    single = prior.at(torch.tensor([0.1])).value(x)
    exact = WeaklyConvexRegularizer(RegularizerConfig(windows=((3,),))).double().at(levels(0.1)).value(x.double())
    torch.testing.assert_close(single.double(), exact, rtol=1e-5, atol=0)


@pytest.mark.parametrize("windows", [(3,), (7,), (5, 3)])
def test_banks_are_closed_and_averaging_is_a_projection(windows: tuple[int, ...]):
    bank = fourier_bank(windows)
    closure = Closure.of(bank)
    torch.testing.assert_close(closure.mean_filters(bank), bank - bank.mean((1, 2), keepdim=True), rtol=0, atol=1e-7)
    random = torch.randn(bank.shape, generator=torch.Generator().manual_seed(0))
    once = closure.mean_filters(random)
    torch.testing.assert_close(closure.mean_filters(once), once, rtol=1e-5, atol=1e-6)
    for g, place, sign in zip(SYMMETRIES, closure.filters, closure.signs, strict=True):
        torch.testing.assert_close(g(once), sign[:, None, None] * once[place], rtol=1e-5, atol=1e-6)
    mixing = closure.mean_mixing(torch.rand(len(bank) // 2, len(bank), generator=torch.Generator().manual_seed(1)))
    torch.testing.assert_close(closure.mean_mixing(mixing), mixing)


def test_inverses_undo_symmetries():
    w = torch.arange(9.0).reshape(1, 3, 3)
    for g, inverse in zip(SYMMETRIES, INVERSES, strict=True):
        torch.testing.assert_close(inverse(g(w)), w)
    assert len({tuple(g(w).flatten().tolist()) for g in SYMMETRIES}) == 8


@pytest.mark.parametrize("period", [8, 9, 14])
def test_extension_and_reduction_are_those_of_the_periodic_signal(period: int):
    count = symmetric.distinct(period)
    x = torch.randn(count, generator=torch.Generator().manual_seed(period), dtype=torch.double)
    full = torch.stack([x[min(p, period - 1 - p)] for p in range(period)])
    extended = symmetric.extension(period, 3, torch.double) @ x
    torch.testing.assert_close(extended, torch.stack([full[(p - 3) % period] for p in range(count + 6)]))
    weights = symmetric.multiplicity(period, torch.double)
    torch.testing.assert_close((weights * x.square()).sum(), full.square().sum() / 2)
    if period % 2 == 0:
        halved = symmetric.reduction(period, torch.double) @ x
        taps = zip((-1, 0, 1, 2), symmetric.BLUR, strict=True)
        blurred = sum(tap * full.roll(-offset) for offset, tap in taps)
        torch.testing.assert_close(halved, blurred[::2][: len(halved)])
    else:
        with pytest.raises(ShapeError, match="cannot be halved"):
            symmetric.reduction(period)


def test_the_gain_of_the_alias_is_bounded():
    w = torch.linspace(0, torch.pi, 1001, dtype=torch.double)
    b, alias = torch.cos(w / 2).abs() ** 3, torch.sin(w / 2).abs() ** 3
    exact = b * (b + alias)
    bound = symmetric.aliased_gain(w)
    assert bool((bound >= exact - 1e-15).all()) and float((bound - exact).max()) < 0.01


def test_images_that_do_not_fit_are_refused():
    at = WeaklyConvexRegularizer(RegularizerConfig(channels=3, windows=((7,),))).at(torch.tensor([0.1]))
    for shape in ((1, 2, 16, 16), (1, 3, 6, 16), (3, 16, 16)):
        with pytest.raises(ShapeError, match="takes images of shape"):
            at.value(torch.zeros(shape))


def test_no_product_meets_numbers_below_the_normal_ones():
    """Squares of what training has driven to 0 are denormal, with which processors multiply ten times as slowly."""
    network = WeaklyConvexRegularizer(RegularizerConfig())
    x = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    level = network.levels[-1]
    with torch.no_grad():
        level.mixing[:, ::3] = 1e-21
        found = network.at(torch.tensor([0.1]))
        tiny = found.banks[-1].mixing
        level.mixing[:, ::3] = 0.0
        wanted = network.at(torch.tensor([0.1]))
        assert not ((tiny > 0) & (tiny < torch.finfo(torch.float32).tiny)).any() and (tiny == 0).any() and (tiny > 0).any()
        assert all(torch.equal(*both) for both in zip(found.value_and_gradient(x), wanted.value_and_gradient(x), strict=True))
