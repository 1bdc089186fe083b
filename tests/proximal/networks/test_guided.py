"""Thresholds that follow the picture: what a guide may not change, and that it is used, trained and kept as told."""

from __future__ import annotations

import pytest
import torch
from implicit_networks import perturbed

from sciml.imaging import task
from sciml.proximal import reconstruct
from sciml.proximal.certificates.certification import certify_network, passed
from sciml.proximal.learning.objectives import denoising_through_the_guide
from sciml.proximal.networks import guided
from sciml.proximal.networks.forms import LearnedProximalNetwork, load_denoiser
from sciml.proximal.networks.guided import GuidedNetwork
from sciml.proximal.networks.implicit import ImplicitNetwork
from sciml.proximal.potentials import filter_bank
from sciml.proximal.potentials.symmetric import cosine_transform
from sciml.proximal.settings.structures import GuideConfig, RegularizerConfig, SolverSchedule
from sciml.runtime.errors import ConfigError, ShapeError
from sciml.training import save_weights

CONFIG = RegularizerConfig(windows=((3,), (3,)), curvature=10.0)


def network(size: float = 1.0, seed: int = 0, tolerance: float = 1e-12, channels: int = 1) -> GuidedNetwork:
    """Return random weights in float64; `size` of the guide's last layer, 1 changes thresholds by factors of about 3."""
    config = CONFIG.model_copy(update={"channels": channels})
    base = ImplicitNetwork(config, tolerance=tolerance, iterations=2000).double()
    base.regularizer.load_state_dict(perturbed(config, seed).state_dict())
    made = GuidedNetwork(base, GuideConfig(width=6, depth=2), seed).double()
    with torch.no_grad():
        made.guide.last.weight.normal_(0, size, generator=torch.Generator().manual_seed(seed))
    return made


def pictures(rows: int, columns: int, count: int = 2, channels: int = 1) -> torch.Tensor:
    ramp = torch.linspace(0.1, 0.9, columns, dtype=torch.double).repeat(count, channels, rows, 1)
    return ramp + 0.1 * torch.randn(ramp.shape, generator=torch.Generator().manual_seed(2), dtype=torch.double)


@pytest.mark.parametrize(("size", "channels"), [(20.0, 1), (0.5, 3)])
def test_every_invariant_holds_whatever_the_guide_says(size: float, channels: int):
    found = certify_network(network(size, channels=channels), size=8)
    assert passed(found), [one for one in found if not one.passed]
    assert {"I1", "I3", "R1", "R2", "R3"} <= {one.id for one in found if one.comparison != "n/a"}


@pytest.mark.parametrize(("shape", "channels"), [((14, 11), 1), ((9, 16), 1), ((11, 10), 3)])
def test_bands_derivatives_and_sizes(monkeypatch, shape: tuple[int, int], channels: int):
    y = pictures(*shape, channels=channels)
    at = network(channels=channels).fixed(y, 0.1).at(torch.tensor([0.05, 0.2]), y)
    assert [bank.stretch.shape[-2:] for bank in at.banks if bank.stretch is not None] == [shape, tuple(-(-n // 2) for n in shape)]
    with torch.no_grad():
        value, gradient = at.value_and_gradient(y)
        monkeypatch.setattr(filter_bank, "AT_ONCE", 300)
        found, slope = at.value_and_gradient(y)
    assert torch.allclose(found, value, rtol=1e-13) and (slope - gradient).abs().max() < 1e-13
    free = y.clone().requires_grad_()
    (derivative,) = torch.autograd.grad(at.value(free).sum(), free, create_graph=True)
    assert (derivative - gradient).abs().max() < 1e-12
    v = torch.randn(y.shape, generator=torch.Generator().manual_seed(3), dtype=torch.double)
    (bent,) = torch.autograd.grad((derivative * v).sum(), free)
    assert (at.hessian(y).product(v) - bent).abs().max() < 1e-10


def test_the_guide_is_the_same_in_bands_and_leaves_an_untrained_network_alone(monkeypatch):
    made, y = network(), pictures(23, 18)
    with torch.no_grad():
        whole = made.guide(y, y, torch.tensor([0.1], dtype=torch.double))
        monkeypatch.setattr(guided, "AT_ONCE", 20)
        bands = made.guide(y, y, torch.tensor([0.1], dtype=torch.double))
    assert all(torch.allclose(a, b, rtol=1e-10) for a, b in zip(whole, bands, strict=True))
    plain = GuidedNetwork(made.base, GuideConfig(width=6, depth=2)).double()
    assert (plain(y, 0.1) - made.base(y, 0.1)).abs().max() < 1e-10
    assert (made(y, 0.1) - made.base(y, 0.1)).abs().max() > 1e-3


def test_taken_to_colours_it_is_itself_on_each_combination_of_the_channels():
    made = network(0.3)
    colour, turn = made.of_channels(3), cosine_transform(3, torch.double)
    with torch.no_grad():
        for level in colour.base.regularizer.levels:
            # what one combination tells of another is the only thing that is new
            of_one = torch.kron(torch.eye(3, dtype=torch.double), torch.ones(level.pairs, level.count, dtype=torch.double))
            level.mixing.mul_(of_one)
    parts = pictures(12, 10, count=3) - torch.tensor([0.0, 0.5, 0.5])[:, None, None, None]
    x = torch.einsum("cd,cghw->gdhw", turn, parts)
    sigma = torch.tensor([0.1], dtype=torch.double)
    alone = made.base.regularizer.at(sigma).value(parts).sum()
    assert float(colour.base.regularizer.at(sigma).value(x)) == pytest.approx(float(alone), rel=1e-10)
    # the guide sees the mean times the root of the number of channels; thresholds of the differences move half as far
    grey = torch.full((1, 3, 12, 10), 0.5, dtype=torch.double) + 0.2 * (pictures(12, 10, 1) - 0.5)
    scaled = 0.5 + 3**0.5 * (grey[:, :1] - 0.5)
    for ours, theirs in zip(colour.guide(grey, grey, sigma), made.guide(scaled, scaled, sigma), strict=True):
        assert torch.allclose(ours, torch.cat([theirs, theirs.sqrt(), theirs.sqrt()], 1), rtol=1e-9)


def test_of_complex_images_it_sees_magnitudes():
    made, x, angle = network(), pictures(12, 10, 1, channels=2), torch.tensor(0.7)
    turn = torch.tensor([[angle.cos(), -angle.sin()], [angle.sin(), angle.cos()]], dtype=torch.double)
    turned = torch.einsum("cd,bdhw->bchw", turn, x)
    for ours, theirs in zip(made.fixed(turned, 0.1).buffers(), made.fixed(x, 0.1).buffers(), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-6)
    assert (made(turned, 0.1) - torch.einsum("cd,bdhw->bchw", turn, made(x, 0.1))).abs().max() < 1e-2


def test_beyond_its_noise_levels_it_sees_less_contrast():
    """R_sigma(x) = s^2 R(x / s) beyond the last knot, and the thresholds of a picture follow that rule."""
    made, y = network(), pictures(12, 12)
    high = made.sigma_range[1]
    far, near = made.fixed(y, 2 * high), made.fixed(0.5 + 0.5 * (y - 0.5), high)
    for (name, a), (_, b) in zip(far.named_buffers(), near.named_buffers(), strict=True):
        assert torch.allclose(a, b, rtol=1e-9), name


def test_a_reconstruction_is_certified_for_the_thresholds_it_ended_with():
    made = network(tolerance=1e-8)
    y, physics = pictures(16, 16), task("denoise", size=(16, 16), sigma=0.1).physics
    counts: list[int] = []
    found = reconstruct(y, physics, made, 0.1, tolerance=1e-7, on_iteration=lambda count, *_: counts.append(count))
    assert counts == sorted(counts) and found.gradients == counts[-1]
    assert found.certificate.certified and found.converged
    assert (found.image - made(y, 0.1)).abs().max() < 1e-2  # the first solutions are rough
    assert isinstance(found.network, ImplicitNetwork)
    independent = 0.5 * (found.image - y).square().sum((1, 2, 3)) + found.weight * found.network.prior(found.image, found.sigma)
    assert torch.allclose(found.objective[-1], independent, rtol=1e-9)
    again = reconstruct(y, physics, found.network, 0.1, tolerance=1e-7)
    assert (again.image - found.image).abs().max() < 1e-5
    # a picture in other units has the same thresholds
    scaled = reconstruct(255 * y, physics, made, 25.5, tolerance=1e-7, data_range=255)
    assert (scaled.image / 255 - found.image).abs().max() < 1e-4


def test_the_gradient_of_the_training_is_that_of_the_converged_loss():
    made = network(0.3)
    step = denoising_through_the_guide((0.1, 0.1), SolverSchedule(solver_steps=(150,), adjoint_steps=(80,), begins=(0.0,)))
    batch = {"images": pictures(12, 12), "done": 0.0}
    assert {name for name, one in made.named_parameters() if one.requires_grad} == {
        f"guide.{name}" for name, _ in made.guide.named_parameters()
    }

    def loss() -> torch.Tensor:
        return step(made, batch, torch.Generator().manual_seed(3))[0]

    loss().backward()
    for name, parameter in made.guide.named_parameters():
        assert parameter.grad is not None, name
        slope, values = float(parameter.grad.norm()), []
        direction = parameter.grad / slope
        for sign in (1, -1):
            with torch.no_grad():
                parameter += sign * 1e-4 * direction
                values.append(float(loss()))
                parameter -= sign * 1e-4 * direction
        assert (values[0] - values[1]) / 2e-4 == pytest.approx(slope, rel=1e-3), name


def test_a_weight_file_gives_the_same_network_back(tmp_path):
    made, y = network(), pictures(12, 12).float()
    path = tmp_path / "mine.safetensors"
    made = made.float()
    made.base.tolerance, made.base.iterations = 1e-4, 200
    extra = {"network": made.describe()}
    save_weights(path, made, config={}, seed=0, inputs={}, source_digest="", cpu_minutes=0.0, extra=extra)
    assert torch.equal(load_denoiser(path)(y, 0.1), made(y, 0.1))
    with pytest.raises(ConfigError, match="no proximal operator of one R"):
        LearnedProximalNetwork.load(path)


def test_what_does_not_fit_is_refused():
    made, y = network(), pictures(12, 12)
    fixed = made.fixed(y, 0.1)
    with pytest.raises(ShapeError, match="fixed for 2 images of"):
        fixed(pictures(12, 14), 0.1)
    with pytest.raises(ShapeError, match="fixed for 2 images of"):
        fixed(pictures(12, 12, count=3), 0.1)
    assert len(made.fixed(y[:1], 0.1)(y, 0.1)) == 2
    with pytest.raises(ShapeError, match="1 channel"):
        made(pictures(12, 12, channels=3), 0.1)
    with pytest.raises(ShapeError, match="1 channel"):
        reconstruct(pictures(16, 16, channels=3), task("denoise", size=(16, 16)).physics, made, 0.1)
    with pytest.raises(ShapeError, match="reads 3 channel"):
        network(channels=3)(pictures(12, 12, channels=9), 0.1)
    with pytest.raises(ConfigError, match="a network of 2 levels"):
        GuidedNetwork(ImplicitNetwork(RegularizerConfig()), GuideConfig())
    with pytest.raises(ConfigError, match="lacks its base"):
        GuidedNetwork.from_description({"form": "guided", "guide": {}})
