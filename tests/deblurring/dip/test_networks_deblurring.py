"""Untrained networks: published sizes, any canvas, training mode for ever, seeds, and a residual that cannot die."""

from __future__ import annotations

import pytest
import torch

from sciml.deblurring.dip.networks import (
    IMAGE_WIDTHS,
    RESIDUAL_WIDTHS,
    ImageNetwork,
    OffsetNetwork,
    ResidualNetwork,
    SkipNetwork,
    Widths,
    network_input,
    reflect_to,
    shrink,
)
from sciml.runtime.errors import ConfigError, ShapeError

TINY = IMAGE_WIDTHS["tiny"]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("widths", "parameters"),
    [(IMAGE_WIDTHS["published"], 2_257_313), (IMAGE_WIDTHS["small"], 574_841), (RESIDUAL_WIDTHS["small"], 269_033)],
)
def test_parameter_counts_are_those_of_the_released_networks(widths, parameters):
    network = SkipNetwork(widths, 1, seeded(), inputs=1)
    assert sum(weights.numel() for weights in network.parameters()) == parameters


@pytest.mark.parametrize("size", [(32, 32), (37, 50), (9, 70), (3, 2), (1, 20)])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_canvas_and_colour(size, channels):
    generator = seeded()
    network = ImageNetwork(TINY, channels, generator)
    x = network(network_input(network.inputs, size, generator))
    assert x.shape == (1, channels, *size)
    assert bool(((x > 0) & (x < 1)).all())


def test_reflection_goes_back_and_forth_and_its_middle_is_the_image():
    x = torch.arange(3.0)[None, None, None].expand(1, 1, 2, 3)
    padded, (top, left) = reflect_to(x, (2, 10))
    assert padded[0, 0, 0].tolist() == [1, 2, 1, 0, 1, 2, 1, 0, 1, 2]
    assert padded[..., top : top + 2, left : left + 3].equal(x)
    assert reflect_to(x, (2, 3))[0] is x


def test_evaluation_mode_changes_nothing():
    generator = seeded()
    network = ImageNetwork(TINY, 1, generator)
    z = network_input(network.inputs, (24, 24), generator)
    for _ in range(3):
        before = network(z)
    assert network.eval()(z).equal(before)
    assert not list(network.buffers())


def test_seed_decides_weights_and_the_global_generator_is_left_alone():
    state = torch.get_rng_state()
    one, same, other = (ImageNetwork(TINY, 1, seeded(seed)).state_dict() for seed in (1, 1, 2))
    assert torch.get_rng_state().equal(state)
    assert all(one[name].equal(same[name]) for name in one)
    assert not one["last.weight"].equal(other["last.weight"])


def test_weights_follow_the_law_of_the_layers_they_replace():
    reference = torch.nn.Conv2d(64, 128, 3)
    weights = SkipNetwork(IMAGE_WIDTHS["small"], 1, seeded()).state_dict()["levels.4.down.0.0.weight"]
    assert weights.shape == reference.weight.shape
    assert float(weights.std()) == pytest.approx(float(reference.weight.detach().std()), rel=0.02)
    assert float(weights.abs().max()) <= 1 / (64 * 9) ** 0.5


def test_input_is_uniform_below_a_tenth():
    z = network_input(8, (64, 64), seeded())
    assert float(z.min()) >= 0 and float(z.max()) < 0.1
    assert float(z.mean()) == pytest.approx(0.05, abs=1e-3)


@pytest.mark.parametrize("threshold", [0.0, 0.5, 100.0])
def test_residual_starts_near_zero_and_is_alive_at_the_first_step(threshold):
    generator = seeded()
    network = ResidualNetwork(RESIDUAL_WIDTHS["small"], 1, generator, threshold=threshold)
    z = network_input(network.inputs, (40, 40), generator)
    residual = network(z)
    assert 0 < float(residual.detach().square().mean().sqrt()) < 0.02
    (residual - 1.0).square().mean().backward()
    for name, weights in network.named_parameters():
        # biases in front of a normalisation cancel, and have no gradient in any such network
        if name.startswith("last") or weights.ndim == 4:
            assert weights.grad is not None and float(weights.grad.norm()) > 0, name


def test_offset_starts_at_the_given_image_and_can_leave_it():
    generator = seeded()
    start = torch.rand(1, 1, 20, 24, generator=generator)
    network = OffsetNetwork(TINY, 1, generator, start)
    x = network(network_input(network.inputs, (20, 24), generator))
    assert float((x - start).detach().abs().max()) < 5e-3
    (x - 0.5).square().mean().backward()
    assert float(network.get_parameter("levels.0.down.0.0.weight").grad.norm()) > 0


def test_shrinkage_has_its_slope_everywhere():
    v = torch.linspace(-3, 3, 601, dtype=torch.float64, requires_grad=True)
    s = shrink(v, 1.0)
    (slope,) = torch.autograd.grad(s.sum(), v)
    inside = v.detach().abs() < 1
    assert torch.allclose(slope[inside], torch.full_like(slope[inside], 0.1))
    assert torch.allclose(slope[v.detach().abs() > 1.001], torch.tensor(1.0, dtype=torch.float64))
    assert torch.allclose(s.detach()[v.detach() > 1], v.detach()[v.detach() > 1] - 0.9)
    assert shrink(v, 0.0) is v


def test_gradient_of_the_network_by_finite_differences():
    generator = seeded()
    network = ImageNetwork(Widths((3, 4), 2), 1, generator, inputs=2).double()
    z = network_input(2, (7, 6), generator).double()
    probe = torch.randn(1, 1, 7, 6, generator=generator, dtype=torch.float64)
    weights = network.get_parameter("levels.0.down.0.0.weight")
    direction = torch.randn(weights.shape, generator=generator, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((network(z) * probe).sum(), weights)
    values = []
    for step in (1e-5, -1e-5):
        with torch.no_grad():
            weights += step * direction
            values.append(float((network(z) * probe).sum()))
            weights -= step * direction
    assert (values[0] - values[1]) / 2e-5 == pytest.approx(float((gradient * direction).sum()), rel=1e-5)


def test_what_is_refused():
    with pytest.raises(ConfigError, match="at least one level"):
        SkipNetwork(Widths((), 4), 1, seeded())
    with pytest.raises(ConfigError, match="one channel everywhere"):
        SkipNetwork(TINY, 0, seeded())
    with pytest.raises(ConfigError, match="threshold"):
        ResidualNetwork(TINY, 1, seeded(), threshold=-1.0)
    with pytest.raises(ShapeError, match="8 channels"):
        ImageNetwork(TINY, 1, seeded())(torch.zeros(2, 8, 32, 32))
