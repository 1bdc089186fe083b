"""The frame potential keeps its promises for arbitrary weights: convexity, modulus, slope at infinity, closed-form gradient."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from sciml.proximal.potentials.frame import Frame
from sciml.proximal.potentials.kinds import build_potential, parse_potential
from sciml.proximal.settings.structures import FramePotential
from sciml.runtime.errors import ConfigError, ShapeError

# channels, windows, boost, size: odd, rectangular, colour, several windows a level
CASES = [
    (1, ((7,), (5,)), False, (9, 8)),
    (1, ((5, 3),), False, (8, 9)),
    (3, ((3,), (3,)), False, (7, 6)),
    (1, ((5,), (3,)), True, (7, 6)),
    (2, ((3,),), True, (6, 8)),
]
SIGMA = torch.tensor([0.05], dtype=torch.double)
every_case = pytest.mark.parametrize(("channels", "windows", "boost", "size"), CASES)


def frame(channels: int, windows: tuple[tuple[int, ...], ...], boost: bool, seed: int = 0, **settings: float) -> Frame:
    """Return a frame potential with weights far from its start."""
    psi = Frame(FramePotential.model_validate({"channels": channels, "windows": windows, "boost": boost, **settings})).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in psi.parameters():
            p.add_(torch.randn(p.shape, generator=generator, dtype=p.dtype) * (0.4 * p.abs().mean() + 0.05))
    return psi


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def points(channels: int, size: tuple[int, int]) -> Iterator[Tensor]:
    """Yield images where the gates are open, half open and closed; at the first the bound of the Hessian is met."""
    for amplitude in (0.0, 0.05, 0.5):
        yield 0.5 + amplitude * noise(1, channels, *size)


def jacobian(psi: Frame, y: Tensor, sigma: Tensor = SIGMA) -> Tensor:
    """Return J by one backward pass through as many copies of the image as it has values."""
    copies = y.expand(y.numel(), *y.shape[1:]).clone().requires_grad_()
    directions = torch.eye(y.numel(), dtype=y.dtype).reshape(copies.shape)
    return torch.autograd.grad(psi.gradient(copies, sigma.expand(len(copies))), copies, directions)[0].flatten(1)


@every_case
def test_jacobian_is_symmetric_and_at_least_the_modulus(channels, windows, boost, size) -> None:
    psi = frame(channels, windows, boost)
    for y in points(channels, size):
        J = jacobian(psi, y)
        assert float((J - J.T).norm() / J.norm()) < 1e-12
        assert float(torch.linalg.eigvalsh(J)[0]) >= psi.modulus - 1e-10


def test_bound_of_the_hessian_is_nearly_met() -> None:
    """On a constant image every gate is wide open: the smallest slope must be close to m, or noise would be left over."""
    psi = frame(1, ((3,),), False, modulus=0.05)
    smallest = torch.linalg.eigvalsh(jacobian(psi, torch.full((1, 1, 12, 12), 0.3, dtype=torch.double)))[0]
    assert 0.05 <= float(smallest) < 0.07


@every_case
def test_gradient_is_the_derivative_of_the_value(channels, windows, boost, size) -> None:
    psi, sigma = frame(channels, windows, boost), torch.tensor([0.02, 0.2], dtype=torch.double)
    for amplitude in (0.02, 0.2, 5.0):
        y = (0.5 + amplitude * noise(2, channels, *size)).requires_grad_()
        (expected,) = torch.autograd.grad(psi.value(y, sigma).sum(), y)
        assert float((psi.gradient(y.detach(), sigma) - expected).detach().abs().max()) < 1e-12 * max(1, amplitude)


@every_case
def test_slope_at_infinity_bounds_the_potential(channels, windows, boost, size) -> None:
    """psi(y) <= c/2 ||y - 1/2||^2 + <1/2, y> + const, tested with the constant image as origin, along many directions."""
    psi = frame(channels, windows, boost)
    c = psi.slope_at_infinity(size)
    assert (c >= 1) is boost
    center = torch.full((1, channels, *size), 0.5, dtype=torch.double)
    for length in (0.01, 0.3, 10.0, 1e4):
        v = length * noise(5, channels, *size)
        value, x = psi.value_and_gradient(center + v, SIGMA.expand(5))
        grown = value - psi.value(center, SIGMA) - (0.5 * v).sum((1, 2, 3))
        assert bool((grown <= 0.5 * c * v.square().sum((1, 2, 3)) * (1 + 1e-9)).all())
    if not boost:
        # far out f is the identity but for eps
        assert float((x - center - c * v).detach().abs().max()) < 1e-4 * float(v.abs().max())


def test_regulariser_is_not_below_its_envelope() -> None:
    """R(f(y)) = <y, f> - ||f||^2 / 2 - psi(y) is >= 0 and grows: the infimum of R is at a constant image of mid grey."""
    psi = frame(1, ((5,), (5,)), False)
    for y in points(1, (12, 9)):
        with torch.no_grad():
            value, x = psi.value_and_gradient(y, SIGMA)
        prior = (y * x).sum() - 0.5 * x.square().sum() - value
        assert float(prior) >= 0.5 * (1 - psi.config.slope) * float((x - 0.5).square().sum()) - 1e-9


@torch.no_grad()
def test_prox_beats_competitors() -> None:
    psi = frame(1, ((5,), (3,)), False)
    y = 0.5 + 0.1 * noise(1, 1, 10, 9)

    def objective(u: Tensor) -> Tensor:
        value, x = psi.value_and_gradient(u, SIGMA)
        return 0.5 * (y - x).square().sum() + (u * x).sum() - 0.5 * x.square().sum() - value.sum()

    best = objective(y)
    margins = [float(objective(y + s * noise(*y.shape, seed=k)) - best) for k in range(5) for s in (1e-3, 0.03, 0.3, 3.0)]
    assert min(margins) >= -1e-12


def test_means_pass_and_symmetries_commute() -> None:
    psi = frame(1, ((5,), (3,)), False)
    y = 0.4 + 0.2 * noise(1, 1, 12, 12)
    x = psi.gradient(y, SIGMA)
    # the mean is moved towards mid grey by eps alone
    assert float(x.mean() - 0.5) == pytest.approx(psi.config.slope * float(y.mean() - 0.5), abs=1e-12)
    for change in (lambda z: z.flip(-1), lambda z: z.flip(-2), lambda z: z.transpose(-1, -2)):
        assert float((psi.gradient(change(y), SIGMA) - change(x)).abs().max()) < 1e-12


def test_noise_levels_scale_the_gates() -> None:
    """Where the learned gates do not depend on sigma, f_sigma(y) - 1/2 = s (f_{sigma/s}(1/2 + (y - 1/2)/s) - 1/2)."""
    psi = Frame(FramePotential()).double()
    v = 0.1 * noise(1, 1, 9, 14)
    base = psi.gradient(0.5 + v, torch.tensor([0.1], dtype=torch.double)) - 0.5
    half = psi.gradient(0.5 + v / 2, torch.tensor([0.05], dtype=torch.double)) - 0.5
    assert float((half - base / 2).abs().max()) < 1e-13


def test_every_image_has_its_own_noise_level() -> None:
    psi, sigma = frame(1, ((5,), (5,)), False), torch.tensor([0.004, 0.017, 0.1, 0.9], dtype=torch.double)
    y = 0.5 + 0.1 * noise(4, 1, 9, 8)
    together = psi.gradient(y, sigma)
    for i in range(4):
        alone = psi.gradient(y[i : i + 1], sigma[i : i + 1])
        assert float((together[i] - alone[0]).abs().max()) < 1e-13
    assert float((psi.gradient(y[:1], sigma[:1]) - psi.gradient(y[:1], sigma[1:2])).abs().max()) > 1e-4


def test_untrained_network_denoises_and_every_weight_learns() -> None:
    psi = Frame(FramePotential())
    generator = torch.Generator().manual_seed(0)
    ramp = torch.linspace(0, 1, 24)[:, None].expand(24, 24) + (torch.arange(24) > 11) * 0.5
    y = ramp[None, None] + 0.1 * torch.randn(1, 1, 24, 24, generator=generator)
    error = (psi.gradient(y, torch.tensor([0.1])) - ramp).square().mean()
    assert float(error.detach()) < 0.5 * 0.1**2
    psi = Frame(FramePotential(boost=True))
    (psi.gradient(y, torch.tensor([0.1])) - ramp).square().mean().backward()
    for name, p in psi.named_parameters():
        assert p.grad is not None and float(p.grad.abs().max()) > 0, name


def test_it_is_registered_and_refuses_what_it_cannot_do() -> None:
    psi = build_potential(parse_potential({"kind": "frame", "windows": ((3,),)}))
    assert isinstance(psi, Frame)
    with pytest.raises(ShapeError, match="at least 7 x 7"):
        Frame(FramePotential()).gradient(torch.zeros(1, 1, 6, 9), torch.tensor([0.1]))
    with pytest.raises(ConfigError, match="odd"):
        Frame(FramePotential(windows=((4,),)))
    with pytest.raises(ConfigError, match="below the slope"):
        Frame(FramePotential(modulus=0.9, slope=0.5))
