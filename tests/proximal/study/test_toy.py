"""Small potentials against autograd and convexity, a short training that gets closer, and the stage's files."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sciml.proximal.config import ToyConfig
from sciml.proximal.settings.structures import SmallPotential, matching_schedule
from sciml.proximal.stages import toy as stage
from sciml.proximal.study.analytic import Gaussian, Laplace
from sciml.proximal.study.posterior import ExactDenoiser, smoothed_mode
from sciml.proximal.study.results import ToyNumbers
from sciml.proximal.study.toy import Small, SobolPairs, learned_prior, relative_error, train_small
from sciml.runtime.files import load_tensors
from sciml.runtime.results import read_result


def small(dimension=1, widths=(64,), seed=0):
    return Small(SmallPotential(dimension=dimension, widths=widths), torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("dimension", "widths"), [(1, (16,)), (2, (8, 12)), (3, (6, 5, 4))])
def test_closed_gradient_is_that_of_the_potential(dimension, widths):
    potential = small(dimension, widths).double()
    y = torch.randn(20, dimension, generator=torch.Generator().manual_seed(1), dtype=torch.float64, requires_grad=True)
    (automatic,) = torch.autograd.grad(potential.value(y).sum(), y)
    torch.testing.assert_close(potential.gradient(y), automatic, atol=1e-12, rtol=1e-12)


def test_jacobian_is_symmetric_and_above_the_modulus():
    potential = small(2, (8, 12)).double()
    for y in torch.randn(5, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64):
        jacobian = torch.autograd.functional.jacobian(lambda y: potential.gradient(y[None])[0], y)
        torch.testing.assert_close(jacobian, jacobian.T, atol=1e-12, rtol=0)
        assert torch.linalg.eigvalsh(jacobian)[0] >= potential.modulus - 1e-10
    far = 1e6 * torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    slopes = potential.gradient(far).norm(dim=1) / 1e6
    assert (slopes <= potential.slope_at_infinity(()) + 1e-4).all()


def test_pairs_depend_on_the_step_alone_and_have_the_right_spread():
    one, two = (SobolPairs(Laplace(1.0), 0.5, 2048, seed=3) for _ in range(2))
    late = [part.clone() for part in one.batch(40)]
    for first, second in zip(late, two.batch(40), strict=True):
        assert torch.equal(first, second)
    y, x = two.batch(0)
    assert y.dtype == torch.float32
    assert float((y - x).var()) == pytest.approx(0.25, rel=0.02)
    assert float(x.var()) == pytest.approx(2, rel=0.02)


def test_a_short_training_comes_nearer_to_the_exact_answer(tmp_path):
    prior, y = Laplace(1.0), torch.linspace(-3, 3, 61, dtype=torch.float64)[:, None]
    exact = smoothed_mode(prior, y, 1.0, 0.5)
    potential = small()
    before = (learned_prior(potential, y)[0] - exact.denoised).abs().mean()
    plan = matching_schedule((0.5,), 150, 3e-3, 100, 1e-2)
    ended = train_small(potential, prior, 1.0, plan, folder=tmp_path, seed=0, batch_size=512, ema_decay=0.98)
    f, psi, values = learned_prior(potential, y)
    after = (f - exact.denoised).abs().mean()
    assert ended.reason == "all stages done"
    assert after < 0.2 * before
    assert after < 0.05
    torch.testing.assert_close(ExactDenoiser(f, psi).regularizer(y), values)
    # a finished schedule is read again, not trained again
    again = small()
    assert train_small(again, prior, 1.0, plan, folder=tmp_path, seed=0, batch_size=512, ema_decay=0.98).completed == 2
    assert torch.equal(learned_prior(again, y)[0], f)


@pytest.mark.slow
def test_gaussian_is_learned_within_one_percent(tmp_path):
    prior = Gaussian((0.3, -0.2), ((1.0, 0.6), (0.6, 0.5)))
    potential = small(2, (64, 64))
    plan = matching_schedule((0.4, 0.2, 0.1), 800, 3e-3, 600, 1e-2)
    train_small(potential, prior, 0.5, plan, folder=tmp_path, seed=0, ema_decay=0.998)
    y = SobolPairs(prior, 0.5, 4096, seed=9).batch(0)[0].double()
    assert relative_error(learned_prior(potential, y)[0], prior.prox(y, 0.5)) < 0.01


@pytest.mark.slow
def test_laplace_is_learned_at_the_smallest_gamma(tmp_path):
    prior, y = Laplace(1.0), torch.linspace(-3, 3, 121, dtype=torch.float64)[:, None]
    potential, config = small(seed=0), ToyConfig()
    train_small(potential, prior, 1.0, config.schedule, folder=tmp_path, seed=0, batch_size=4096, ema_decay=0.998)
    error = (learned_prior(potential, y)[0] - smoothed_mode(prior, y, 1.0, 0.1).denoised).abs()
    assert error.max() <= 0.05
    assert error.mean() <= 0.02


def test_stage_writes_curves_and_tables(tmp_path):
    short = matching_schedule((0.5, 0.3), 6, 3e-3, 6, 1e-2)
    config = ToyConfig(
        seeds=(0,),
        schedule=short,
        batch_size=256,
        published_schedule=short[:2],
        priors=("gaussian", "box"),
        priors_schedule=short[:2],
        priors_batch_size=256,
    )
    curves, tables = stage.run(config, tmp_path)
    arrays, metadata = load_tensors(curves)
    assert metadata["targets"] == ["l1", "gamma-0.5", "gamma-0.3", "mse", "map"]
    np.testing.assert_allclose(arrays["laplace.map.f"], np.sign(arrays["y"]) * np.maximum(abs(arrays["y"]) - 1, 0), atol=1e-12)
    np.testing.assert_allclose(arrays["laplace.map.R"], abs(arrays["laplace.map.f"]), atol=1e-12)
    for name in ("small.0.gamma-0.3", "small.0.mse", "published.0.gamma-0.5", "gamma-0.3"):
        assert {f"laplace.{name}.{part}" for part in ("f", "psi", "R")} <= set(arrays)
    results = read_result(tables, ToyNumbers)
    assert [row.target for row in results.laplace] == ["l1", "gamma-0.5", "gamma-0.3", "l1", "gamma-0.5", "mse"]
    assert {row.prior for row in results.priors} == {"gaussian", "box"}
    exact = {row.target: row for row in results.exact}
    assert exact["gamma-0.5"].own_max == 0
    assert exact["gamma-0.5"].prior_map_mean == pytest.approx(0.203, abs=3e-3)
    assert set(results.endings.values()) == {"all stages done"}
    assert (tmp_path / "provenance.json").is_file()
    assert not list(tmp_path.glob("*.partial"))
