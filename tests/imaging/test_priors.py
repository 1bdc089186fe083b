"""Every registered prior keeps the protocol; total variation and wavelets are compared with brute force."""

from __future__ import annotations

import math
import sys
from importlib.metadata import entry_points

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from imaging_problems import random
from scipy.optimize import minimize

from sciml.imaging.priors import Certificate, Prior, TotalVariation, gradient, gradient_adjoint, per_image, resolve
from sciml.imaging.solvers.wavelets import WaveletSparsity
from sciml.runtime.errors import ConfigError

EXACT = {
    "tv": lambda: TotalVariation(iterations=4000, tolerance=1e-13),
    "wavelet": lambda: WaveletSparsity(shifts=1),
    "haar": lambda: WaveletSparsity("haar", levels=2, shifts=1),
}
exact_priors = pytest.mark.parametrize("make", EXACT.values(), ids=EXACT)
registered = pytest.mark.parametrize("name", sorted(point.name for point in entry_points(group="sciml.priors")))


@registered
def test_registered_priors_keep_the_protocol(name):
    prior = resolve(name)
    assert isinstance(prior, Prior)
    certificate = prior.certificate()
    assert isinstance(certificate, Certificate) and certificate.reason
    x = random(2, 1, 16, 16, dtype=torch.float32)
    assert prior.prox(x, 0.1).shape == x.shape and prior.prox(x, 0.1).dtype == x.dtype
    assert prior.gradient(x).shape == x.shape
    assert prior.value(x).shape == (2,)
    torch.testing.assert_close(prior.prox(x, 0.0), x, rtol=1e-4, atol=1e-5)


@exact_priors
@pytest.mark.parametrize("weight", [0.01, 0.2, 3.0])
def test_no_competitor_beats_the_prox(make, weight):
    prior = make()
    v = random(1, 1, 16, 16)
    best = prior.prox(v, weight)

    def cost(x):
        return 0.5 * (x - v).square().sum((1, 2, 3)) + weight * prior.value(x)

    scale = 10 ** torch.linspace(-4, 0.5, 100, dtype=torch.float64).reshape(-1, 1, 1, 1)
    rivals = [best + scale * random(100, 1, 16, 16, seed=1), best + scale * (v - best), best - scale * prior.gradient(best)]
    for rival in rivals:
        assert bool((cost(rival) >= cost(best) - 1e-9).all())


@exact_priors
def test_the_prox_is_the_resolvent_of_the_subdifferential(make):
    # u = (v - prox v) / weight is a subgradient at p = prox v: R(z) >= R(p) + <u, z - p>, with equality for R 1-homogeneous
    prior, weight = make(), 0.3
    v = random(1, 1, 16, 16)
    p = prior.prox(v, weight)
    u = (v - p) / weight
    assert float((u * p).sum()) == pytest.approx(float(prior.value(p)), abs=1e-4)
    z = random(50, 1, 16, 16, seed=3) * 10 ** torch.linspace(-2, 1, 50, dtype=torch.float64).reshape(-1, 1, 1, 1)
    assert bool((prior.value(z) >= (u * z).sum((1, 2, 3)) - 1e-6).all())


@exact_priors
def test_the_gradient_is_a_subgradient(make):
    prior = make()
    x, z = random(20, 1, 16, 16), random(20, 1, 16, 16, seed=1)
    slope = (prior.gradient(x) * (z - x)).sum((1, 2, 3))
    assert bool((prior.value(z) >= prior.value(x) + slope - 1e-9).all())
    # where R is smooth it is the gradient: a central difference along z
    step = 1e-6
    difference = (prior.value(x + step * z) - prior.value(x - step * z)) / (2 * step)
    torch.testing.assert_close(difference, (prior.gradient(x) * z).sum((1, 2, 3)), rtol=1e-5, atol=1e-5)
    assert prior.gradient(torch.zeros(1, 1, 16, 16, dtype=torch.float64)).abs().max() == 0


@exact_priors
def test_one_weight_an_image_equals_one_at_a_time(make):
    prior = make()
    v, weights = random(3, 1, 16, 16), torch.tensor([0.0, 0.1, 1.0])
    together = prior.prox(v, weights)
    for index, weight in enumerate(weights.tolist()):
        torch.testing.assert_close(together[index : index + 1], prior.prox(v[index : index + 1], weight), rtol=0, atol=1e-5)


@exact_priors
@pytest.mark.parametrize("weight", [-0.1, float("nan"), float("inf"), torch.tensor([0.1, 0.1, 0.1])])
def test_bad_weights_are_refused(make, weight):
    with pytest.raises(ConfigError, match="weight"):
        make().prox(random(2, 1, 16, 16), weight)


@exact_priors
def test_values_scale_and_channels_are_joint(make):
    prior = make()
    x = random(2, 1, 16, 16)
    torch.testing.assert_close(prior.value(-3 * x), 3 * prior.value(x))
    both = torch.cat([x, x], dim=1)
    torch.testing.assert_close(prior.value(both), math.sqrt(2) * prior.value(x))


def test_total_variation_by_hand():
    x = torch.tensor([[0.0, 3.0], [4.0, 3.0]], dtype=torch.float64)[None, None]
    # pixel (0, 0): down 4, right 3; (0, 1): down 0; (1, 0): right -1; (1, 1): none
    assert float(TotalVariation().value(x)) == 5 + 0 + 1 + 0
    expected = torch.tensor([[-3 / 5 - 4 / 5, 3 / 5], [4 / 5 + 1, -1]], dtype=torch.float64)
    torch.testing.assert_close(TotalVariation().gradient(x)[0, 0], expected)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 3), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_finite_differences_have_an_exact_adjoint(height, width, channels, seed):
    x, p = random(2, channels, height, width, seed=seed), random(2, 2, channels, height, width, seed=seed + 1)
    gap = (gradient(x) * p).sum() - (x * gradient_adjoint(p)).sum()
    assert abs(float(gap)) < 1e-12 * (1 + float(x.norm() * p.norm()))
    assert gradient(x).square().sum() <= 8 * x.square().sum() + 1e-12


def test_the_tv_prox_solves_the_dual_problem():
    """A row is a 1-D problem whose dual, min |v - D^T p|^2 over |p_i| <= weight, is solved by bounded quasi-Newton."""
    v, weight = np.random.default_rng(0).normal(size=20).cumsum(), 0.7

    def dual(p):
        residual = v + np.diff(p, prepend=0, append=0)
        return 0.5 * (residual**2).sum(), residual[:-1] - residual[1:]

    p = minimize(dual, np.zeros(19), jac=True, bounds=[(-weight, weight)] * 19, method="L-BFGS-B", tol=1e-14).x
    expected = v + np.diff(p, prepend=0, append=0)
    for shape in ((1, 20), (20, 1)):
        found = EXACT["tv"]().prox(torch.from_numpy(v).reshape(1, 1, *shape), weight).numpy().ravel()
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_tv_prox_of_a_step_by_hand():
    # two flat halves of n = 4 pixels with jump 1: each moves by weight / n towards the other, until they meet
    v = torch.tensor([0.0] * 4 + [1.0] * 4, dtype=torch.float64).reshape(1, 1, 1, 8)
    prior = EXACT["tv"]()
    torch.testing.assert_close(
        prior.prox(v, 0.4).flatten()[[0, 7]], torch.tensor([0.1, 0.9], dtype=torch.float64), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(prior.prox(v, 9.0), torch.full_like(v, 0.5), atol=1e-5, rtol=0)


def test_the_tv_prox_keeps_the_mean_and_reaches_its_gap():
    v = random(3, 1, 24, 17)
    prior = TotalVariation(iterations=3000, tolerance=1e-8)
    x, p = prior.warm_prox(v, 0.5, None)
    torch.testing.assert_close(x.mean((1, 2, 3)), v.mean((1, 2, 3)))
    assert p.square().sum((0, 2)).sqrt().max() <= 0.5 + 1e-12
    gap = 0.5 * prior.value(x) - (p * gradient(x)).sum((0, 2, 3, 4))
    assert bool((gap >= -1e-10).all()) and bool((gap <= 1.01e-8 * v.square().sum((1, 2, 3))).all())
    again, _ = prior.warm_prox(v, 0.5, p, iterations=10)
    torch.testing.assert_close(again, x, rtol=0, atol=1e-3)


def test_wavelets_are_orthonormal_where_the_size_fits():
    prior = WaveletSparsity(shifts=1)
    x = random(1, 1, 32, 48)
    # an orthonormal transform: the energy of the coefficients is that of the picture, and weight 0 returns it
    coefficients = prior._details(x.numpy())
    energy = (coefficients[0] ** 2).sum() + sum((band**2).sum() for level in coefficients[1:] for band in level)
    assert energy == pytest.approx(float(x.square().sum()))
    torch.testing.assert_close(prior.prox(x, 0.0), x, rtol=0, atol=1e-12)


def test_wavelet_details_of_a_constant_vanish():
    x = torch.full((1, 1, 48, 32), 0.7, dtype=torch.float64)
    assert float(WaveletSparsity().value(x)) < 1e-8
    torch.testing.assert_close(WaveletSparsity().prox(x, 5.0), x)


@pytest.mark.parametrize("size", [(15, 16), (17, 33), (30, 45), (16, 31)])
@pytest.mark.parametrize("shifts", [1, 4])
def test_wavelets_take_any_size(size, shifts):
    prior = WaveletSparsity(shifts=shifts)
    x = random(2, 1, *size)
    torch.testing.assert_close(prior.prox(x, 0.0), x, rtol=0, atol=1e-12)
    assert prior.prox(x, 0.5).shape == x.shape == prior.gradient(x).shape
    assert float(prior.prox(x, 0.5).square().mean()) < float(x.square().mean())


def test_only_one_shift_claims_an_exact_prox():
    assert WaveletSparsity(shifts=1).certificate().exact_prox
    assert not WaveletSparsity(shifts=4).certificate().exact_prox


def test_shift_averaging_denoises_better():
    clean = torch.zeros(1, 1, 64, 64, dtype=torch.float64)
    clean[..., 13:40, 22:51] = 1
    noisy = clean + 0.2 * random(*clean.shape)
    errors = [(WaveletSparsity("haar", shifts=shifts).prox(noisy, 0.5) - clean).square().mean() for shifts in (1, 8)]
    assert errors[1] < 0.9 * errors[0]


def test_one_weight_or_one_an_image():
    like = torch.zeros(3, 1, 4, 4)
    assert per_image(0.5, like).flatten().tolist() == [0.5] * 3
    assert per_image(torch.tensor([1.0, 2.0, 3.0]), like).shape == (3, 1, 1, 1)


def test_resolve_finds_total_variation():
    assert isinstance(resolve("tv"), TotalVariation)


@pytest.mark.parametrize("name", ["lpm", "lpm:photo", ""])
def test_resolve_lists_what_is_installed(name):
    with pytest.raises(ConfigError, match=r"installed: .*\btv\b"):
        resolve(name)


def test_a_plugin_of_another_package_resolves(tmp_path, monkeypatch):
    package = tmp_path / "somebodys_prior-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: somebodys-prior\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[sciml.priors]\nhalf = somebodys_prior:make\n")
    (tmp_path / "somebodys_prior.py").write_text(
        "from sciml.imaging.priors import TotalVariation\n"
        "def make(text='none'):\n    prior = TotalVariation()\n    prior.text = text\n    return prior\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert resolve("half").text == "none"
    assert resolve("half:photo:grey").text == "photo:grey"
    sys.modules.pop("somebodys_prior", None)


def test_what_stands_after_a_priors_name_is_checked(monkeypatch):
    class Point:
        def __init__(self, name, make):
            self.name, self.make = name, make

        def load(self):
            return self.make

    def scaled(strength: str | float = 1.0) -> float:
        return float(strength)

    points = [Point("scaled", scaled), Point("needy", lambda name: name), Point("plain", lambda: 7), Point("tv", TotalVariation)]
    monkeypatch.setattr("sciml.imaging.plugins.entry_points", lambda group: points)
    assert (resolve("scaled:4"), resolve("scaled"), resolve("needy:a:b"), resolve("plain")) == (4, 1, "a:b", 7)
    for name in ("tv:3", "plain:x"):
        with pytest.raises(ConfigError, match="takes nothing after its name"):
            resolve(name)
    for name in ("scaled:much", "needy"):
        with pytest.raises(ConfigError, match="no prior can be made of"):
            resolve(name)
