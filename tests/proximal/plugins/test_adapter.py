"""A learned network inside deepinv's own optimisers."""

from __future__ import annotations

import pytest
import torch
from deepinv.optim import PGD
from deepinv.optim.data_fidelity import L2
from explicit_networks import CONVOLUTIONAL, random_network
from reconstruction_problems import Gaussian, Matrix, implicit, matrix, normal

from sciml.imaging.priors import at_noise
from sciml.proximal.plugins.deepinv import LearnedPrior
from sciml.proximal.plugins.imaging import NamedPrior
from sciml.proximal.reconstruction.operators import inspect_operator
from sciml.proximal.reconstruction.reconstruct import reconstruct
from sciml.proximal.reconstruction.scale import natural_scale
from sciml.runtime.errors import ConfigError

STEP = 0.4


def problem() -> tuple[torch.Tensor, Matrix]:
    physics = Matrix(matrix())
    return physics.A(0.5 + 0.2 * normal(2, 1, 8, 8, seed=5)) + 0.1 * normal(2, 1, 1, 40, seed=6), physics


def run(prior: LearnedPrior, y: torch.Tensor, physics: Matrix, weight: float, sigma: float, steps: int) -> torch.Tensor:
    solver = PGD(L2(), prior, lambda_reg=weight, stepsize=STEP, g_param=sigma, max_iter=steps, early_stop=False)
    with torch.no_grad():
        return solver(y, physics, init=physics.A_adjoint(y))


@pytest.mark.parametrize("make", [Gaussian, implicit])
def test_deepinv_takes_the_same_steps(make):
    y, physics = problem()
    network, sigma, noise = make(), 0.2, 0.1
    ours = reconstruct(
        y, physics, network, noise, solver="pgd", step=STEP, sigma=sigma, accelerate=False, iterations=7, tolerance=1e-12,
        start=physics.A_adjoint(y),
    )  # fmt: skip
    theirs = run(LearnedPrior(network), y, physics, float(ours.weight[0]), sigma, 7)
    torch.testing.assert_close(theirs, ours.image, rtol=0, atol=1e-8)


def test_the_tie_of_the_network_alone_is_enforced():
    y, physics = problem()
    prior = LearnedPrior(Gaussian(), exact=False)
    tied = reconstruct(
        y, physics, Gaussian(), 0.1, solver="pgd", step=STEP, accelerate=False, iterations=5, tolerance=1e-12,
        start=physics.A_adjoint(y),
    )  # fmt: skip
    theirs = run(prior, y, physics, 1 / STEP, float(tied.sigma[0]), 5)
    torch.testing.assert_close(theirs, tied.image, rtol=0, atol=1e-8)
    with pytest.raises(ConfigError, match="lambda_reg"):
        run(prior, y, physics, 1.0, 0.1, 2)


def test_value_and_gradient_are_those_of_the_network():
    network, x = Gaussian(), 0.5 + 0.2 * normal(3, 1, 8, 8)
    prior = LearnedPrior(network)
    torch.testing.assert_close(prior(x, 0.3), network.prior(x, 0.3))
    torch.testing.assert_close(prior.grad(x, torch.tensor([[0.3]])), network.prior_gradient(x, 0.3))
    step = 0.7 * torch.ones(3, 1, 1, 1, dtype=torch.float64)
    torch.testing.assert_close(prior.prox(x, 0.3, gamma=step), network.prox(x, 0.7, 0.3))


def test_the_types_of_image_and_network_may_differ():
    network = implicit().float()
    network.tolerance = 1e-6
    assert LearnedPrior(network).prox(normal(1, 1, 8, 8), 0.1).dtype == torch.float64


@pytest.mark.parametrize("algorithm", ["PGD", "ADMM", "HQS", "DRS"])
@pytest.mark.parametrize("form", ["explicit", "implicit"])
def test_deepinvs_optimisers_and_unfolded_networks_run_with_it(algorithm, form):
    import deepinv

    torch.manual_seed(0)
    network = implicit() if form == "implicit" else random_network(CONVOLUTIONAL)
    x = 0.5 + 0.1 * normal(1, 1, 16, 16)
    physics = deepinv.physics.Blur(filter=torch.ones(1, 1, 3, 3, dtype=torch.float64) / 9, padding="circular")
    y, step = physics.A(x), 0.5
    settings = {"lambda_reg": 1 / step, "stepsize": step, "g_param": 0.1}
    made = {"PGD": deepinv.optim.PGD, "ADMM": deepinv.optim.ADMM, "HQS": deepinv.optim.HQS, "DRS": deepinv.optim.DRS}[algorithm]
    with torch.no_grad():
        found = made(L2(), network.as_prior(), max_iter=4, **settings)(y, physics)
    assert found.isfinite().all()
    unfolded = made(
        L2(),
        network.as_prior(),
        max_iter=2,
        unfold=True,
        trainable_params=["stepsize"],
        lambda_reg=1 / step,
        stepsize=step,
        g_param=0.1,
    )
    if form == "implicit":
        unfolded(y, physics).square().mean().backward()
        gradients = [p.grad for p in unfolded.parameters() if p.grad is not None]
        assert gradients
        assert all(bool(g.isfinite().all()) for g in gradients)


def test_gradients_pass_through_the_prox():
    network = implicit()
    network.tolerance = 1e-12
    prior, v = LearnedPrior(network), (0.5 + 0.1 * normal(2, 1, 8, 8)).requires_grad_()
    multiple = torch.tensor([0.4, 0.7], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, m: prior.prox(a, 0.1, gamma=m), (v, multiple), eps=1e-5, atol=1e-5, fast_mode=True)
    denoiser = network.as_denoiser()
    assert torch.autograd.gradcheck(lambda a: denoiser(a, 0.1), (v,), eps=1e-5, atol=1e-5, fast_mode=True)
    torch.testing.assert_close(denoiser(v.detach(), 0.1), network(v.detach(), 0.1))


def test_r_at_an_output_of_the_prox_is_remembered_and_no_other(monkeypatch):
    network = random_network(CONVOLUTIONAL)
    prior, v = network.as_prior(), 0.5 + 0.1 * normal(1, 1, 12, 12)
    x = prior.prox(v, 0.1, gamma=1.0)
    exact = network.prior(x, 0.1)
    asked = []
    monkeypatch.setattr(network, "invert", lambda *a, **k: asked.append(1) or type(network).invert(network, *a, **k))
    torch.testing.assert_close(prior.fn(x, 0.1), exact, rtol=1e-6, atol=1e-8)
    assert not asked
    # another level, another image: solved for
    prior.fn(x, 0.2)
    prior.fn(x + 1e-9, 0.1)
    assert len(asked) == 2


def test_a_named_prior_takes_the_level_and_weight_of_a_reconstruction():
    physics, noise = Matrix(matrix()), 0.1
    network, like = implicit(), torch.zeros(1, 1, 8, 8, dtype=torch.float64)
    facts = inspect_operator(physics, like)
    scale = natural_scale(network, facts, "variational", torch.tensor([noise]), None, None, None, None, like)
    prior, weight = at_noise(NamedPrior(network), noise, facts.column_norm)
    x = 0.5 + 0.2 * normal(1, 1, 8, 8, seed=3)
    torch.testing.assert_close(
        weight * prior.gradient(x), scale.weight * network.prior_gradient(x, scale.sigma), rtol=1e-5, atol=0
    )
    # a level that was named stays, with the weight of a prior that knows none
    named = NamedPrior(network, 0.05)
    assert at_noise(named, noise, 2.0) == (named, 0.2)
    # outside the training the nearest level, and still Bayes' rule
    prior, weight = at_noise(NamedPrior(network), 10.0, 1.0)
    high = network.sigma_range[1]
    assert prior.sigma == high
    assert weight == pytest.approx(100 / high * float(network.learned_weight(torch.tensor([high])).detach()), rel=1e-5)
