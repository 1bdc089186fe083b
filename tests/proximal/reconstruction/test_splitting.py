"""Proximal gradients and ADMM: what never rises, what is refused, and that both find the same minimiser."""

from __future__ import annotations

import pytest
import torch
from explicit_networks import CONVOLUTIONAL, random_network
from reconstruction_problems import Gaussian, Matrix, implicit, matrix, normal, posterior_mean

from sciml.proximal.networks.explicit import ExplicitNetwork
from sciml.proximal.reconstruction.reconstruct import reconstruct
from sciml.runtime.errors import ConfigError

NOISE = 0.1
NETWORKS = {
    "gaussian": Gaussian,
    "convolutional": lambda: ExplicitNetwork(CONVOLUTIONAL, seed=1).double(),
    "implicit": implicit,
}


def problem() -> tuple[torch.Tensor, Matrix]:
    physics = Matrix(matrix())
    truth = 0.5 + 0.2 * normal(2, 1, 8, 8, seed=5)
    return physics.A(truth) + NOISE * normal(2, 1, 1, 40, seed=6), physics


@pytest.mark.parametrize("accelerate", [False, True])
@pytest.mark.parametrize("share", [0.5, 0.99])
@pytest.mark.parametrize("name", NETWORKS)
def test_proximal_gradients_lower_f_by_the_stated_amount(name, share, accelerate):
    y, physics = problem()
    norm = float(torch.linalg.matrix_norm(physics.matrix, 2)) ** 2
    network = NETWORKS[name]()
    result = reconstruct(
        y, physics, network, solver="pgd", step=share / (norm * 1.03), accelerate=accelerate, iterations=25, tolerance=1e-8
    )
    values, changes = torch.stack(result.objective), torch.stack(result.changes)[1:]
    step = result.steps[0]
    fall = values[:-1] - values[1:]
    # momentum is held to the inequality with the solver's upper estimate of ||A||^2
    bound = result.operator_norm**2 if accelerate else norm
    assert float((fall - (0.5 / step - bound / 2) * changes.square()).min()) > -1e-10
    assert float((-fall).max()) < 1e-12


@pytest.mark.parametrize("share", [1.05, 2.1])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_augmented_lagrangian_never_rises_and_bounds_f(name, share):
    y, physics = problem()
    norm = float(torch.linalg.matrix_norm(physics.matrix, 2)) ** 2
    result = reconstruct(y, physics, NETWORKS[name](), solver="admm", penalty=share * 1.025 * norm, iterations=25, tolerance=1e-9)
    values = torch.stack(result.lagrangian)
    assert float((values[1:] - values[:-1]).max()) < 1e-11
    assert float((torch.stack(result.objective) - values).max()) < 1e-10


def test_a_small_penalty_and_a_long_step_are_refused_or_flagged():
    y, physics = problem()
    network = Gaussian()
    norm = float(torch.linalg.matrix_norm(physics.matrix, 2)) ** 2
    for setting in ({"solver": "pgd", "step": 2.5 / norm}, {"solver": "admm", "penalty": 0.1 * norm}):
        with pytest.raises(ConfigError, match=r"\|\|A\|\|\^2"):
            reconstruct(y, physics, network, **setting)
    flagged = reconstruct(y, physics, network, solver="admm", penalty=0.1 * norm, allow_uncertified=True)
    assert not flagged.certificate.certified
    assert "penalty" in flagged.certificate.reason
    long = reconstruct(y, physics, network, solver="pgd", step=2.5 / norm, iterations=3, allow_uncertified=True, accelerate=False)
    assert not long.certificate.certified
    assert "step" in long.certificate.reason


@pytest.mark.parametrize("sigma", [None, 0.05])
@pytest.mark.parametrize("weight", [1.0, 0.3])
@pytest.mark.parametrize("solver", ["pgd", "admm"])
def test_a_gaussian_prior_gives_the_posterior_mean_whatever_the_level(solver, weight, sigma):
    y, physics = problem()
    network = Gaussian()
    result = reconstruct(y, physics, network, NOISE, solver=solver, weight=weight, sigma=sigma, tolerance=1e-6, iterations=4000)
    exact = posterior_mean(physics, network, y, NOISE * weight**0.5)
    assert result.certificate.certified, result.certificate.reason
    torch.testing.assert_close(result.image, exact, rtol=0, atol=1e-4)
    residual = physics.A(exact) - y
    tied = torch.as_tensor(result.weight).reshape(-1)
    value = 0.5 * residual.square().flatten(1).sum(1) + tied * network.prior(exact, result.sigma)
    torch.testing.assert_close(result.objective[-1], value, rtol=1e-7, atol=1e-9)


def test_momentum_saves_steps():
    y, physics = problem()
    plain, fast = (
        reconstruct(y, physics, Gaussian(), solver="pgd", accelerate=accelerate, tolerance=1e-7, iterations=4000)
        for accelerate in (False, True)
    )
    assert plain.converged
    assert fast.gradients < 0.6 * plain.gradients


def test_all_solvers_agree_on_the_implicit_form():
    y, physics = problem()
    network = implicit()
    found = [
        reconstruct(y, physics, network, NOISE, solver=solver, weight=2.0, tolerance=1e-5, iterations=1000)
        for solver in ("variational", "pgd", "admm")
    ]
    assert all(one.certificate.certified for one in found), [one.certificate.reason for one in found]
    for other in found[1:]:
        torch.testing.assert_close(other.image, found[0].image, rtol=0, atol=1e-3)
        torch.testing.assert_close(other.objective[-1], found[0].objective[-1], rtol=1e-7, atol=1e-9)


def test_the_exact_prox_of_a_random_network_lowers_the_same_f():
    y, physics = problem()
    network = random_network(CONVOLUTIONAL)
    result = reconstruct(y, physics, network, NOISE, sigma=0.2, solver="pgd", iterations=10, tolerance=1e-12)
    values = torch.stack(result.objective)
    assert float((values[1:] - values[:-1]).max()) < 1e-10
    residual = physics.A(result.image) - y
    expected = 0.5 * residual.square().flatten(1).sum(1) + result.weight * network.prior(result.image, 0.2)
    torch.testing.assert_close(values[-1], expected, rtol=1e-8, atol=1e-8)
