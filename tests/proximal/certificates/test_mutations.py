"""Every way to break a learned proximal network that we know of makes an invariant fail."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from explicit_networks import CONVOLUTIONAL, PATCHES, PUBLISHED, normal, random_network
from test_certificates import failures as failures_of
from test_certificates import shaken

from sciml.proximal.certificates import solvers
from sciml.proximal.certificates.certification import certify_network
from sciml.proximal.networks.explicit import ExplicitNetwork
from sciml.proximal.networks.implicit import ImplicitNetwork
from sciml.proximal.optimise.inversion import newton
from sciml.proximal.potentials import frame, published, regularizer
from sciml.proximal.potentials.convolutional import Convolutional
from sciml.proximal.potentials.filters import Closure
from sciml.proximal.potentials.published import Published
from sciml.proximal.potentials.regularizer import Conditioned
from sciml.proximal.settings.structures import ConvolutionalPotential, FramePotential, RegularizerConfig

IMPLICIT = RegularizerConfig(windows=((3,),))


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(solvers, "LONG_RUN", 40)


def failures(network, groups: str, size: int = 6) -> dict[str, str]:
    """Return what fails of some groups; the others find most mutations too, but spend long on inverting what has no inverse."""
    return failures_of(certify_network(network, size=size, groups=groups.split()))


def become(network, kind: type):
    """Return the network with the methods of a subclass."""
    network.__class__ = kind
    return network


def implicit(seed: int = 0) -> ImplicitNetwork:
    network = shaken(ImplicitNetwork(IMPLICIT), 0.5, seed)
    assert isinstance(network, ImplicitNetwork)
    return network.double()


# --- signs ---


@pytest.mark.parametrize("name", ["path.0.raw", "path.3.raw", "last.raw"])
def test_sign_flip_of_one_weight(name):
    network = random_network(PUBLISHED)
    with torch.no_grad():
        flat = network.potential.get_parameter(name).view(-1)
        place = int(flat.argmax())
        flat[place] *= -1
    assert f"potential.{name}" in failures(network, "I2c")["I2c"]


def test_large_sign_flip_is_seen_in_the_network_itself():
    network = random_network(PUBLISHED)
    with torch.no_grad():
        network.potential.get_parameter("last.raw").neg_()
    found = failures(network, "I1 I2c I3")
    assert {"I2", "I2b", "I2c"} <= set(found)
    assert "potential.last.raw" in found["I2"]


def test_sign_flip_behind_a_square(monkeypatch):
    # a parametrisation that lets the sign through
    monkeypatch.setattr("sciml.proximal.potentials.potential.NonNegative.forward", lambda self: self.raw * self.raw.abs())
    network = ExplicitNetwork(CONVOLUTIONAL).double()
    with torch.no_grad():
        for name, layer in network.potential.constrained().items():
            if name.startswith("mixing"):
                layer.raw.mul_(torch.where(normal(*layer.raw.shape) > 0, 3.0, -3.0))
    assert "I2" in failures(network, "I1")


# --- clipping ---


class ClippedExplicit(ExplicitNetwork):
    def forward(self, y, sigma=None):
        return super().forward(y, sigma).clamp(0, 1)

    def training_forward(self, y, sigma=None):
        return super().training_forward(y, sigma).clamp(0, 1)

    def evaluate(self, y, sigma=None):
        x = self(y, sigma)
        return x, super().evaluate(y, sigma)[1]


class ClippedImplicit(ImplicitNetwork):
    def forward(self, y, sigma=None):
        return super().forward(y, sigma).clamp(0, 1)

    def prox(self, v, weight, sigma=None):
        return super().prox(v, weight, sigma).clamp(0, 1)


def test_clipping_inside_the_explicit_prox():
    assert {"I1b", "I2", "I4", "I8"} <= set(failures(become(random_network(CONVOLUTIONAL), ClippedExplicit), "I1 I4 I8"))


def test_clipping_inside_the_implicit_prox():
    assert {"I1b", "I4", "I9b"} <= set(failures(become(implicit(), ClippedImplicit), "I1 I4 I9"))


# --- patches ---


def overlap(network, y, sigma, counted: bool):
    """Return overlapping patches' f without padding, their sum divided by the count of each pixel or by one constant."""
    size, stride = network.config.size, network.config.patch_stride
    total, hits = torch.zeros_like(y), torch.zeros_like(y)
    for i in range(0, y.shape[-2] - size[0] + 1, stride):
        for j in range(0, y.shape[-1] - size[1] + 1, stride):
            place = (..., slice(i, i + size[0]), slice(j, j + size[1]))
            point = y[place]
            if not point.requires_grad:
                point = point.detach().requires_grad_()
            with torch.enable_grad():
                (slope,) = torch.autograd.grad(network.potential._one(point).sum(), point, create_graph=True)
            placed = torch.zeros_like(y)
            placed[place] = slope
            total, hits[place] = total + placed, hits[place] + 1
    return total / hits if counted else total * stride**2 / (size[0] * size[1])


class CountedPatches(ExplicitNetwork):
    counted = True

    def forward(self, y, sigma=None):
        return overlap(self, y, sigma, self.counted).detach()

    def training_forward(self, y, sigma=None):
        return overlap(self, y, sigma, self.counted)


class UnpaddedPatches(CountedPatches):
    counted = False


@pytest.mark.parametrize("kind", [CountedPatches, UnpaddedPatches])
def test_patches_without_padding(kind):
    found = failures(become(random_network(PATCHES), kind), "I1 I4 I8")
    assert {"I1b", "I4", "I8"} <= set(found)
    # a count that differs between pixels is no gradient at all; one that is constant is that of a potential of smaller modulus
    assert ("I1" in found) is kind.counted
    if not kind.counted:
        assert "I2" in found


# --- activations ---


@pytest.mark.parametrize(
    ("activation", "gain"),
    [(lambda t, beta: F.relu6(t), 1.0), (lambda t, beta: F.gelu(t), 3.0), (lambda t, beta: torch.tanh(t), 1.0)],
    ids=["relu6", "gelu", "tanh"],
)
def test_activations_that_are_not_convex_and_nondecreasing(monkeypatch, activation, gain):
    network = random_network(PUBLISHED.model_copy(update={"alpha": 0.01}))
    with torch.no_grad():
        network.potential.get_parameter("first.weight").mul_(gain)
    assert failures(network, "I1") == {}
    monkeypatch.setattr(published, "softplus", activation)
    assert {"I2", "I2b"} & set(failures(network, "I1"))


# --- precision ---


class SingleForward(ExplicitNetwork):
    def forward(self, y, sigma=None):
        return super().forward(y.float(), sigma).to(y.dtype)


class SingleInversion(ExplicitNetwork):
    def invert(self, x, sigma=None):
        x = self.check_images(x).float()
        parts, levels = self._split(x, self.levels(sigma, x))
        return newton(self._in(torch.float32), parts, torch.zeros_like(levels), levels, tolerance=1e-6)


class SinglePrior(ImplicitNetwork):
    def prior_values(self, x, sigma=None):
        found = super().prior_values(x, sigma)
        return found if x.dtype == torch.float64 else replace(found, value=found.value.half().to(x.dtype))


def test_float32_inside_f():
    assert {"I1b", "I8"} <= set(failures(become(random_network(CONVOLUTIONAL), SingleForward), "I1 I8"))


def test_inversion_without_promotion_to_float64():
    assert "I4" in failures(become(random_network(PUBLISHED), SingleInversion), "I4")


def test_promotion_of_float32_images_lost():
    assert set(failures(become(implicit(), SinglePrior), "I4")) == {"I4c"}


# --- modulus ---


@pytest.mark.parametrize(("kind", "config"), [(Published, PUBLISHED), (Convolutional, CONVOLUTIONAL)])
@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_modulus_of_half_or_twice_what_it_is(monkeypatch, kind, config, factor):
    network = random_network(config)
    right = kind.modulus.fget(network.potential)
    monkeypatch.setattr(kind, "modulus", property(lambda self: factor * right))
    found = failures(network, "I1 I2c")
    assert ("I2d" if factor < 1 else "I2") in found
    if factor < 1:
        monkeypatch.setattr(kind, "slope_at_infinity", lambda self, size: factor * right)
        assert {"I2d", "I11b"} <= set(failures(network, "I2c I11"))


def test_slope_at_infinity_above_one(monkeypatch):
    # free ridges: the gain outgrows the quadratic that was taken off
    original = Convolutional.value_and_gradient

    def steep(self, y, sigma):
        value, gradient = original(self, y, sigma)
        return value + 1.25 * y.square().flatten(1).sum(1), gradient + 2.5 * y

    monkeypatch.setattr(Convolutional, "value_and_gradient", steep)
    monkeypatch.setattr(Convolutional, "gradient", lambda self, y, sigma: steep(self, y, sigma)[1])
    found = failures(ExplicitNetwork(ConvolutionalPotential(window=3)), "I2c I11")
    assert {"I2d", "I11b", "I11c"} <= set(found)


# --- the implicit form and frames ---


@pytest.mark.parametrize("declared", [0.97, 2.0])
def test_concave_parts_beyond_their_bound(monkeypatch, declared):
    network = implicit()
    with torch.no_grad():
        for level in network.regularizer.levels:
            level.log_eta += 3.0  # pyright: ignore[reportOperatorIssue]
    assert failures(network, "I1 R1") == {}
    original, calls = regularizer.largest_symbol, []

    def understated(banks, coefficients):
        # the first of two calls is for eta
        calls.append(1)
        value = original(banks, coefficients)
        return value * 0.3 if len(calls) % 2 and declared == 0.97 else value

    monkeypatch.setattr(regularizer, "largest_symbol", understated)
    if declared == 2.0:
        network.config = network.regularizer.config = network.config.model_copy(update={"weak_convexity": declared})
    assert ("R2" if declared == 0.97 else "R2b") in failures(network, "R1")


def test_convex_parts_beyond_their_bound(monkeypatch):
    original = regularizer.largest_symbol
    network = implicit()
    monkeypatch.setattr(regularizer, "largest_symbol", lambda banks, coefficients: original(banks, coefficients) / 4)
    assert "R3b" in failures(network, "R1")


@pytest.mark.parametrize("form", ["implicit", "frame"])
def test_filters_that_are_not_closed_under_flips(monkeypatch, form):
    network = implicit() if form == "implicit" else shaken(ExplicitNetwork(FramePotential(windows=((3,),))), 0.5).double()
    assert failures(network, "R1") == {}
    monkeypatch.setattr(Closure, "mean_filters", lambda self, w: w - w.mean((-1, -2), keepdim=True))
    found = failures(network, "R1")
    assert "has no mirror image" in found["R4"]


@pytest.mark.parametrize("form", ["implicit", "frame"])
def test_wrong_factor_of_the_gradient(monkeypatch, form):
    original = Conditioned.value_and_gradient
    network = implicit() if form == "implicit" else shaken(ExplicitNetwork(FramePotential(windows=((3,),))), 0.5).double()

    def doubled(self, x, with_value=True):
        value, gradient = original(self, x, with_value)
        return value, 0.5 * gradient

    monkeypatch.setattr(Conditioned, "value_and_gradient", doubled)
    found = set(failures(network, "I4 R1" if form == "implicit" else "I3 I8"))
    assert {"I5", "R3c"} <= found if form == "implicit" else {"I8"} <= found


def test_wrong_hessian(monkeypatch):
    original = Conditioned.hessian

    def straight(self, x):
        hessian = original(self, x)
        # without the curvature of the potentials
        return regularizer.Hessian(self, [(t, slope, 0 * bend, p, s) for t, slope, bend, p, s in hessian.places])

    monkeypatch.setattr(Conditioned, "hessian", straight)
    assert {"I1b", "R3c"} <= set(failures(implicit(), "I1 R1"))


def test_gates_beyond_their_bound(monkeypatch):
    original = frame.largest_symbol
    network = shaken(ExplicitNetwork(FramePotential(windows=((3,),))), 0.5).double()
    monkeypatch.setattr(frame, "largest_symbol", lambda banks, coefficients: original(banks, coefficients) / 1.5)
    assert "I2" in failures(network, "I1")
