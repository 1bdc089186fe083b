"""The explicit form is a proximal operator for any weights: what must hold untrained, in float64."""

from __future__ import annotations

import math

import pytest
import torch
from explicit_networks import CONVOLUTIONAL, PATCHES, PUBLISHED, SEEDED, SHAPES, dot, images, jacobian, normal, random_network

from sciml.proximal.networks.explicit import ExplicitNetwork
from sciml.proximal.networks.forms import LearnedProximalNetwork
from sciml.proximal.potentials.convolutional import extend, extend_adjoint
from sciml.proximal.potentials.kinds import build_potential
from sciml.proximal.potentials.published import digits, photographs
from sciml.proximal.settings.structures import ConvolutionalPotential, DensePotential
from sciml.runtime.errors import ConfigError, DataError, NumericalError, ShapeError

every = pytest.mark.parametrize("name", SHAPES)
seeded = pytest.mark.parametrize(("name", "seed"), SEEDED)


def case(name: str, seed: int = 0, count: int = 1):
    config, shape = SHAPES[name]
    return random_network(config, seed), images(shape, count, seed)


def competitors(network, x: torch.Tensor, y: torch.Tensor, count: int = 250) -> tuple[torch.Tensor, torch.Tensor]:
    """Return f(u) and R(f(u)) for u at distances of 1e-3 to 3 from y."""
    scale = 10 ** torch.linspace(-3, 0.5, count, dtype=torch.float64).reshape(-1, *[1] * (y.ndim - 1))
    return network.evaluate(y + scale * normal(count, *y.shape[1:], seed=7))


@seeded
def test_jacobian_is_symmetric_and_at_least_the_modulus(name, seed):
    network, y = case(name, seed)
    matrix = jacobian(network.training_forward, y)
    assert float((matrix - matrix.T).norm() / matrix.norm()) < 1e-12
    lowest = float(torch.linalg.eigvalsh((matrix + matrix.T) / 2)[0])
    assert lowest >= network.potential.modulus - 1e-10
    # the public product is that matrix
    v = normal(*y.shape, seed=3)
    torch.testing.assert_close(network.jacobian_product(y, v).flatten(), matrix.detach() @ v.flatten(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ["convolutional", "deep", "colour", "volume"])
def test_closed_form_gradient_is_the_derivative_of_psi(name):
    network, y = case(name, 1, 2)
    sigma = torch.tensor([0.04, 0.2], dtype=torch.float64)
    y.requires_grad_()
    value = network.potential.value(y, sigma)
    (expected,) = torch.autograd.grad(value.sum(), y)
    both = network.potential.value_and_gradient(y, sigma)
    terms, gradient = network.potential.density_and_gradient(y.detach(), sigma)
    torch.testing.assert_close(both[0], value, rtol=0, atol=0)
    torch.testing.assert_close(terms.flatten(1).sum(1), value, rtol=1e-13, atol=0)
    for found in (both[1], gradient, network.potential.gradient(y, sigma)):
        torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-12)


@seeded
def test_far_pairs_are_strongly_monotone(name, seed):
    network, _ = case(name, seed)
    shape = SHAPES[name][1]
    a, b = 3 * normal(40, *shape, seed=1), 3 * normal(40, *shape, seed=2)
    bent = dot(network(a) - network(b), a - b)
    assert bool((bent >= network.potential.modulus * dot(a - b, a - b) - 1e-10).all())


@seeded
def test_no_competitor_beats_the_prox(name, seed):
    network, y = case(name, seed)
    x, r = network.evaluate(y)
    rivals, rival_r = competitors(network, x, y)
    margin = (dot(rivals - y, rivals - y) / 2 + rival_r) - (dot(x - y, x - y) / 2 + r)
    assert float(margin.min()) >= -1e-12
    assert float(margin.max()) > 1e-6


@every
def test_gradient_of_the_prior_is_its_finite_difference(name):
    network, y = case(name, 1)
    x, d = network(y) + 0.01 * normal(*y.shape, seed=5), normal(*y.shape, seed=6)
    d, step = d / d.norm(), 1e-4
    # fourth order central difference
    r = network.prior(torch.cat([x + k * step * d for k in (-2, -1, 1, 2)])).tolist()
    slope = (r[0] - 8 * r[1] + 8 * r[2] - r[3]) / (12 * step)
    gradient = network.prior_gradient(x)
    assert abs(slope - float(dot(gradient, d))) < 1e-5 * max(1e-2, float(gradient.norm()))


@every
def test_no_competitor_beats_the_prox_of_another_weight(name):
    network, v = case(name, 2)
    weights = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    x = network.prox(v.repeat(3, *[1] * (v.ndim - 1)), weights)
    prior = network.prior_values(x)
    cost = dot(x - v, x - v) / 2 + weights * prior.value
    rivals, rival_r = competitors(network, x, v, 250)
    for i, weight in enumerate(weights):
        assert float((dot(rivals - v, rivals - v) / 2 + weight * rival_r - cost[i]).min()) >= -1e-12
    # optimality: v - x = weight grad R(x)
    gradient = weights.reshape(-1, *[1] * (v.ndim - 1)) * (prior.point - x)
    torch.testing.assert_close(v - x, gradient, rtol=1e-7, atol=1e-9)


def test_weights_of_the_prox_agree_where_they_meet():
    network, v = case("convolutional", 0, 3)
    torch.testing.assert_close(network.prox(v, 1.0), network(v), rtol=0, atol=0)
    torch.testing.assert_close(network.prox(v, 0.0), v, rtol=0, atol=0)
    torch.testing.assert_close(network.prox(v, 1 - 1e-9), network(v), rtol=1e-6, atol=1e-7)
    mixed = network.prox(v, torch.tensor([0.0, 0.4, 1.0], dtype=torch.float64))
    torch.testing.assert_close(mixed[1:2], network.prox(v[1:2], 0.4), rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(mixed[0], v[0], rtol=0, atol=0)
    torch.testing.assert_close(mixed[2:], network(v[2:]), rtol=1e-9, atol=1e-10)


def test_weights_above_one_are_solved_or_refused_by_the_curvature():
    network = random_network(DensePotential(channels=1, width=8, hidden=1, alpha=0.05))
    line = torch.linspace(-3, 3, 400, dtype=torch.float64)[:, None]
    slopes = network.jacobian_product(line, torch.ones_like(line))
    limit = float(slopes.max() / (slopes.max() - 1)) if float(slopes.max()) > 1 else 3.0
    v = torch.tensor([[0.3]], dtype=torch.float64)
    weight = 1 + 0.5 * (limit - 1)
    x = network.prox(v, weight)
    rivals, r = network.evaluate(torch.linspace(-20, 20, 4001, dtype=torch.float64)[:, None])
    best = (rivals - v).square()[:, 0] / 2 + weight * r
    assert float((x - v).square() / 2 + weight * network.prior(x)) <= float(best.min()) + 1e-9
    steep = random_network(DensePotential(channels=1, width=8, hidden=1, alpha=1.0))
    with pytest.raises(NumericalError, match="largest slope"):
        steep.prox(v, 3.0)


@every
def test_evaluation_leaves_the_input_alone_and_keeps_no_graph(name):
    network, y = case(name, count=2)
    before = y.clone()
    x, r = network.evaluate(y)
    outputs = [network(y), x, r, network.jacobian_product(y, y), network.prior(x), network.prox(y, 0.7)]
    assert not y.requires_grad and y.grad is None and torch.equal(y, before)
    assert not any(o.requires_grad or o.grad_fn is not None for o in outputs)
    assert all(p.grad is None for p in network.parameters())
    leaf = y.clone().requires_grad_()
    network(leaf)
    assert leaf.grad is None and leaf.grad_fn is None
    network.training_forward(y).square().sum().backward()
    assert not y.requires_grad and y.grad is None
    assert any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in network.parameters())


@every
def test_parameter_gradients_of_training_are_right(name):
    network, y = case(name)
    v = normal(*y.shape, seed=9)
    dot(network.training_forward(y), v).sum().backward()
    step = 1e-5
    for tensor in list(network.parameters())[::2]:
        # constants of psi do not reach f
        if tensor.grad is None:
            continue
        # a step must not leave the allowed signs
        d = torch.where(tensor.detach().abs() > 10 * step, normal(*tensor.shape, seed=4), 0.0)
        ends = []
        for shift in (step, -2 * step):
            with torch.no_grad():
                tensor.add_(shift * d)
            ends.append(float(dot(network(y), v)))
        with torch.no_grad():
            tensor.add_(step * d)
        expected = (ends[0] - ends[1]) / (2 * step)
        assert float((tensor.grad * d).sum()) == pytest.approx(expected, rel=2e-4, abs=1e-7)


@every
def test_slope_at_infinity_is_respected(name):
    network, _ = case(name, 1)
    shape = SHAPES[name][1]
    slope = network.slope_at_infinity(shape[1:])
    assert slope < 1
    directions = torch.cat([normal(6, *shape, seed=3), torch.ones(1, *shape, dtype=torch.float64)])
    directions = directions / dot(directions, directions).sqrt().reshape(-1, *[1] * len(shape))
    for distance in (1e6, 1e8):
        ratio = dot(network(distance * directions), network(distance * directions)).sqrt() / distance
        assert float(ratio.max()) <= slope + 1e4 / distance
        curve = network.potential_values(distance * directions) / (distance**2 / 2)
        assert float(curve.max()) <= slope + 1e4 / distance
    # in the null space of a forward operator the iteration is x <- f(x): it must stay bounded
    x = 10 * normal(1, *shape, seed=8)
    for _ in range(200):
        previous, x = x, network(x)
    assert float((x - previous).abs().max()) < 0.05 * float(x.abs().max()) < 1e5


@pytest.mark.parametrize("signs", ["project", "softplus", "square"])
def test_modulus_is_twice_alpha(signs):
    config = PUBLISHED.model_copy(update={"alpha": 0.07, "signs": signs})
    network = ExplicitNetwork(config).double()
    with torch.no_grad():
        for tensor in network.potential.parameters():
            tensor.fill_(-800.0 if signs == "softplus" else 0.0)
    y, v = images((1, 7, 6)), normal(1, 1, 7, 6)
    torch.testing.assert_close(network.jacobian_product(y, v), 0.14 * v, rtol=1e-9, atol=1e-12)
    assert network.potential.modulus == pytest.approx(0.14)
    assert network.certificate().smoothness == pytest.approx(1 / 0.14 - 1)


@pytest.mark.parametrize(
    ("config", "count"),
    [(DensePotential(), 10_502), (digits(), 317_056), (photographs(channels=3), 7_235_713), (photographs(), 7_175_297)],
)
def test_published_parameter_counts(config, count):
    assert sum(tensor.numel() for tensor in build_potential(config).parameters()) == count


@pytest.mark.parametrize("size", [8, 20])
def test_digit_network_at_other_sizes(size):
    network = ExplicitNetwork(digits(size, width=4)).double()
    y = images((1, size, size), 2)
    assert network(y).shape == y.shape
    with pytest.raises(ShapeError, match="patch_stride"):
        network(images((1, size + 1, size)))


def test_softplus_stays_smooth_where_the_default_threshold_cuts():
    network = ExplicitNetwork(DensePotential(width=1, hidden=0)).double()
    with torch.no_grad():
        for tensor in network.potential.parameters():
            tensor.zero_()
        network.potential.get_parameter("first.weight").fill_(1.0)
        network.potential.get_parameter("path.0.raw").fill_(1.0)
    # f(t) = 1 / (1 + exp(-10 t)): at 10 t = 25 it is 1.4e-11 below 1
    below = 1 - float(network(torch.tensor([[2.5]], dtype=torch.float64)))
    assert below == pytest.approx(math.exp(-25), rel=1e-4)


def test_patches_cover_every_pixel_equally():
    network = random_network(PATCHES)
    with torch.no_grad():
        for tensor in network.potential.parameters():
            tensor.zero_()
    for size in ((7, 5), (4, 4), (3, 9)):
        y = images((1, *size))
        torch.testing.assert_close(network(y), 0.1 * y)


def test_averaging_patches_without_padding_is_no_prox():
    network = random_network(PATCHES)
    one = random_network(PATCHES.model_copy(update={"patch_stride": None}))
    one.load_state_dict(network.state_dict())

    def unpadded(y):
        total, hits = torch.zeros_like(y), torch.zeros_like(y)
        for i in range(0, 5, 2):
            for j in range(0, 5, 2):
                part = one.training_forward(y[..., i : i + 4, j : j + 4])
                pads = (j, 4 - j, i, 4 - i)
                total = total + torch.nn.functional.pad(part, pads)
                hits = hits + torch.nn.functional.pad(torch.ones_like(part), pads)
        return total / hits

    y = images((1, 8, 8))
    for f, symmetric in ((network.training_forward, True), (unpadded, False)):
        matrix = jacobian(f, y)
        asymmetry = float((matrix - matrix.T).norm() / matrix.norm())
        assert asymmetry < 1e-12 if symmetric else asymmetry > 1e-3


@pytest.mark.parametrize("shape", [(1, 1, 3, 3), (2, 1, 5, 17), (1, 2, 6, 4)])
def test_any_size_and_groups_of_channels(shape):
    network = random_network(CONVOLUTIONAL)
    y = images(shape[1:], shape[0])
    x, r = network.evaluate(y, 0.05)
    torch.testing.assert_close(network.prior(x, 0.05), r, rtol=1e-9, atol=1e-9)
    parts = [network.evaluate(y[:, [c]], 0.05) for c in range(shape[1])]
    torch.testing.assert_close(x, torch.cat([part for part, _ in parts], 1))
    torch.testing.assert_close(r, sum(value for _, value in parts))


def test_noise_level_conditions_each_image_on_its_own():
    network, y = case("convolutional", 0, 3)
    levels = torch.tensor([0.01, 0.05, 0.3], dtype=torch.float64)
    together = network(y, levels)
    for i, level in enumerate(levels):
        torch.testing.assert_close(together[[i]], network(y[[i]], float(level)), rtol=1e-12, atol=1e-13)
    assert float((together - network(y, 0.1)).abs().max()) > 1e-3
    # continuous in sigma, also at a knot
    near = network(y, 0.1 * (1 + 1e-7)) - network(y, 0.1 * (1 - 1e-7))
    assert float(near.abs().max()) < 1e-5
    with pytest.raises(ConfigError, match="above 0"):
        network(y, 0.0)


def test_start_of_the_convolutional_network_denoises_and_keeps_the_mean():
    network = ExplicitNetwork(ConvolutionalPotential())
    rows = torch.arange(40.0)
    clean = 0.5 + 0.3 * torch.sin(rows[:, None] / 6) * torch.cos(rows[None] / 9)
    clean = clean[None, None]
    for sigma in (0.02, 0.1, 0.3):
        noisy = clean + sigma * normal(1, 1, 40, 40).float()
        error = (network(noisy, sigma) - clean).square().mean().sqrt()
        assert float(error) < 0.45 * sigma
    flat = torch.full((1, 1, 12, 12), 0.8)
    torch.testing.assert_close(network(flat, 0.1), flat, rtol=0, atol=5e-3)


def test_start_is_a_tight_frame_up_to_the_border():
    potential = build_potential(ConvolutionalPotential(window=5)).double().requires_grad_(False)
    y = images((1, 6, 4))
    t = torch.nn.functional.conv2d(extend(y, 2, 2), potential.get_parameter("filters"))
    assert float(t.square().sum()) == pytest.approx(float(y.square().sum()), rel=1e-6)
    g = normal(1, 1, 10, 8)
    assert float(dot(extend(y, 2, 2), g)) == pytest.approx(float(dot(y, extend_adjoint(g, 2, 2))), rel=1e-12)


def test_negative_weights_are_refused_named_and_repaired():
    network = random_network(PUBLISHED)
    network.check_weights("here")
    with torch.no_grad():
        network.potential.get_parameter("path.1.raw")[2, 1, 0, 2] = -0.5
    with pytest.raises(DataError, match=r"here: weight potential.path.1.raw is -0.5 at \[2, 1, 0, 2\].*sciml proximal repair"):
        network.check_weights("here")
    with pytest.raises(DataError, match="repair"):
        network.certificate()
    assert network.repair_() == 1
    network.check_weights("here")
    with torch.no_grad():
        next(network.parameters()).fill_(math.nan)
    with pytest.raises(DataError, match="NaN"):
        network.check_weights("here")


@every
def test_description_builds_the_same_network(name):
    network, y = case(name)
    again = LearnedProximalNetwork.build(network.describe()).double()
    again.load_state_dict(network.state_dict())
    assert torch.equal(again(y), network(y))
    assert again.describe() == network.describe()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"potential": {"kind": "other"}}, "known: convolutional, dense"),
        ({"potential": {"kind": "dense", "breadth": 3}}, "unknown key"),
        ({"potential": {"kind": "convolutional", "window": 4}}, "odd"),
        ({"potential": {"kind": "convolutional", "sigma_knots": [0.1, 0.01]}}, "ascend"),
        ({"sigma_range": None}, "incomplete"),
    ],
)
def test_wrong_descriptions_are_refused(change, message):
    description = ExplicitNetwork(CONVOLUTIONAL).describe() | change
    with pytest.raises(ConfigError, match=message):
        LearnedProximalNetwork.build(description)


def test_wrong_images_are_refused():
    network = random_network(CONVOLUTIONAL)
    with pytest.raises(ShapeError, match="expected"):
        network(torch.zeros(3, 4))
    with pytest.raises(ShapeError, match="floats"):
        network(torch.zeros(1, 1, 8, 8, dtype=torch.long))
    bad = torch.zeros(1, 1, 8, 8)
    bad[0, 0, 2, 3] = math.inf
    with pytest.raises(DataError, match=r"\(0, 0, 2, 3\)"):
        network(bad)
    with pytest.raises(ShapeError, match="smaller"):
        ExplicitNetwork(ConvolutionalPotential(window=9))(torch.zeros(1, 1, 3, 20))
