"""Priors with exact answers: the prox against a search, smoothing against quadrature, the known errors of each loss."""

from __future__ import annotations

import math

import pytest
import torch

from sciml.proximal.study.analytic import Gaussian, Laplace
from sciml.proximal.study.analytic_nonconvex import StudentT, TwoGaussians
from sciml.proximal.study.analytic_shapes import ExponentialNorm, FinitePoints, UniformBox, UniformDisc, UniformL1Ball
from sciml.proximal.study.posterior import map_estimate, posterior_mean, posterior_median, smoothed_mode
from sciml.runtime.errors import ConfigError, ShapeError

PRIORS = {
    "gaussian": Gaussian((0.3, -0.2), ((1.0, 0.6), (0.6, 0.5))),
    "laplace": Laplace(0.7),
    "student": StudentT(1.0, 1.0),
    "student, several modes": StudentT(0.5, 0.2),
    "two gaussians": TwoGaussians(1.0, 0.2),
    "box": UniformBox(1.0),
    "l1 ball": UniformL1Ball(1.2),
    "disc": UniformDisc(0.9),
    "exponential": ExponentialNorm(0.5),
    "points": FinitePoints(((1.0, 0.0), (-0.5, 0.8), (-0.5, -0.8)), (0.5, 0.3, 0.2)),
}
every = pytest.mark.parametrize("prior", PRIORS.values(), ids=PRIORS.keys())


def noisy(prior, sigma, count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = prior.sample(torch.rand(count, prior.uniforms, generator=generator, dtype=torch.float64))
    return (x + sigma * torch.randn(x.shape, generator=generator, dtype=torch.float64)).clamp(-5, 5)


def line(low, high, count):
    return torch.linspace(low, high, count, dtype=torch.float64)[:, None]


@every
def test_no_point_of_a_grid_beats_the_prox(prior):
    sigma = 0.6
    y = noisy(prior, sigma, 24)
    if isinstance(prior, FinitePoints):
        grid = prior.points
    elif prior.dimension == 1:
        grid = line(-6, 6, 24001)
    else:
        axis = torch.linspace(-6, 6, 301, dtype=torch.float64)
        grid = torch.cartesian_prod(axis, axis)
    best = prior.prox(y, sigma)
    found = 0.5 * (best - y).square().sum(1) + prior.regularizer(best, sigma)
    rivals = 0.5 * (grid[None] - y[:, None]).square().sum(2) + prior.regularizer(grid, sigma)
    lowest = rivals.min(1)
    assert (found <= lowest.values + 1e-10).all()
    spacing = 12 / 24000 if prior.dimension == 1 else 12 / 300 * math.sqrt(2)
    assert (lowest.values - found < 60 * spacing).all()


@every
def test_smoothing_in_closed_form_agrees_with_quadrature(prior):
    y = noisy(prior, 0.5, 12, seed=1)
    for s in (0.5, 0.15):
        closed, summed = prior.moments(y, s), prior.quadrature_moments(y, s)
        for name in ("log_marginal", "mean", "covariance"):
            torch.testing.assert_close(getattr(closed, name), getattr(summed, name), atol=1e-9, rtol=1e-9)


@every
def test_the_potential_of_the_smoothed_mode_has_it_as_gradient(prior):
    sigma, gamma, h = 0.5, 0.2, 1e-5
    y = noisy(prior, sigma, 10, seed=2)
    found = smoothed_mode(prior, y, sigma, gamma)
    for axis in range(prior.dimension):
        step = h * torch.eye(prior.dimension, dtype=torch.float64)[axis]
        ends = [smoothed_mode(prior, y + sign * step, sigma, gamma).potential for sign in (1, -1)]
        torch.testing.assert_close((ends[0] - ends[1]) / (2 * h), found.denoised[:, axis], atol=1e-7, rtol=1e-7)


@every
def test_the_smoothed_mode_goes_from_the_mean_to_the_map(prior):
    sigma = 0.5
    y = noisy(prior, sigma, 10, seed=3)
    wide = smoothed_mode(prior, y, sigma, 300.0)
    torch.testing.assert_close(wide.denoised, posterior_mean(prior, y, sigma).denoised, atol=1e-5, rtol=1e-5)
    if isinstance(prior, (FinitePoints, TwoGaussians)):
        return  # jumps move with gamma
    narrow = smoothed_mode(prior, y, sigma, 0.02)
    assert (narrow.denoised - prior.prox(y, sigma)).abs().max() < 0.1


@pytest.mark.parametrize("name", ["laplace", "two gaussians"])
def test_no_point_beats_the_smoothed_mode(name):
    prior, sigma, gamma = PRIORS[name], 0.5, 0.2
    y, z = noisy(prior, sigma, 6, seed=4), line(-4, 4, 4001)
    x, log_weights = prior.nodes(0.05, -9.0, 9.0)
    posterior = (log_weights - (y - x.T).square() / (2 * sigma**2)).softmax(1)
    # the expected loss itself, E[1 - exp(-(z - x)^2 / gamma^2) | y]
    expected = 1 - posterior @ torch.exp(-(x - z.T).square() / gamma**2)
    found = smoothed_mode(prior, y, sigma, gamma).denoised
    own = 1 - (posterior * torch.exp(-(found - x.T).square() / gamma**2)).sum(1)
    assert (own <= expected.min(1).values + 1e-10).all()
    assert ((found[:, 0] - z[expected.argmin(1), 0]).abs() < 0.003).all()


def test_errors_of_the_exact_minimisers_for_the_laplace_prior():
    prior, y = Laplace(1.0), line(-4, 4, 161)
    soft = prior.prox(y, 1.0)
    torch.testing.assert_close(soft, y.sign() * (y.abs() - 1).clamp(min=0))
    answers = {"mse": posterior_mean(prior, y, 1.0).denoised, "l1": posterior_median(prior, y, 1.0)}
    answers |= {gamma: smoothed_mode(prior, y, 1.0, gamma).denoised for gamma in (0.5, 0.4, 0.3, 0.2, 0.1, 0.05)}
    expected = {
        "mse": (0.5032, 0.1609),
        "l1": (0.4290, 0.1227),
        0.5: (0.3105, 0.0614),
        0.4: (0.2770, 0.0508),
        0.3: (0.2350, 0.0393),
        0.2: (0.1815, 0.0269),
        0.1: (0.1110, 0.0138),
        0.05: (0.0650, 0.0070),
    }
    for name, (largest, mean) in expected.items():
        error = (answers[name] - soft).abs()
        assert float(error.max()) == pytest.approx(largest, abs=3e-4), name
        assert float(error.mean()) == pytest.approx(mean, abs=1.5e-4), name


def test_the_median_of_the_laplace_posterior():
    # bisection on the distribution function in closed form gives 0.42875435 at y = 1
    found = posterior_median(Laplace(1.0), torch.ones(1, 1, dtype=torch.float64), 1.0)
    assert float(found) == pytest.approx(0.42875435, abs=1e-5)


@pytest.mark.parametrize(("gamma", "largest", "mean"), [(0.1, 0.055, 0.048), (0.2, 0.108, 0.093), (0.5, 0.247, 0.203)])
def test_the_regulariser_of_the_smoothed_mode_tends_to_the_absolute_value(gamma, largest, mean):
    y = line(-3.5, 3.5, 701)
    exact = smoothed_mode(Laplace(1.0), y, 1.0, gamma)
    values = exact.regularizer(y)
    gap = (values - values[350] - exact.denoised[:, 0].abs()).abs()
    assert float(gap.max()) == pytest.approx(largest, abs=1e-3)
    assert float(gap.mean()) == pytest.approx(mean, abs=1e-3)


def test_the_regulariser_of_the_map_is_the_negative_log_density():
    y = line(-3, 3, 61)
    exact = map_estimate(Laplace(2.0), y, 1.5)
    torch.testing.assert_close(exact.regularizer(y), 1.5**2 / 2 * exact.denoised[:, 0].abs())


def test_gaussian_mean_median_and_map_agree():
    prior, y = Gaussian((0.5,), ((0.49,),)), line(-2, 2, 9)
    linear = 0.5 + 0.49 / (0.49 + 0.25) * (y - 0.5)
    for answer in (prior.prox(y, 0.5), smoothed_mode(prior, y, 0.5, 0.3).denoised, posterior_median(prior, y, 0.5)):
        torch.testing.assert_close(answer, linear, atol=1e-4, rtol=1e-4)


def test_slope_of_the_mean_between_two_gaussians_and_the_jump_of_the_map():
    prior, h = TwoGaussians(1.0, 0.2), 1e-4
    mean = posterior_mean(prior, torch.tensor([[-h], [h]], dtype=torch.float64), 0.5).denoised
    slope = float((mean[1] - mean[0]) / (2 * h))
    assert slope == pytest.approx((0.04 + 0.25 / 0.29) / 0.29, rel=1e-5)
    ends = prior.prox(torch.tensor([[-1e-6], [1e-6]], dtype=torch.float64), 0.5)[:, 0]
    assert ends[1] - ends[0] > 1.5


def test_student_prox_has_slope_four_thirds():
    y = line(-6, 6, 12001)
    x = StudentT(1.0, 1.0).prox(y, 1.0)
    slope = (x[1:] - x[:-1]) / (y[1:] - y[:-1])
    assert float(slope.max()) == pytest.approx(4 / 3, abs=1e-3)


@every
def test_samples_have_the_moments_of_the_density(prior):
    if isinstance(prior, StudentT):
        u = torch.rand(40000, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        # the quartiles of Cauchy's distribution are at -1 and 1
        if prior.freedom == 1:
            assert float((prior.sample(u).abs() < 1).double().mean()) == pytest.approx(0.5, abs=0.01)
        return
    engine = torch.quasirandom.SobolEngine(prior.uniforms, scramble=True, seed=3)
    x = prior.sample(engine.draw(1 << 14, dtype=torch.float64).clamp(1e-9, 1 - 1e-9))
    points, log_weights = prior.nodes(0.2, -20.0 if prior.dimension == 1 else -9.0, 20.0 if prior.dimension == 1 else 9.0)
    weights = log_weights.exp()
    assert float(weights.sum()) == pytest.approx(1, abs=1e-6)
    torch.testing.assert_close(x.mean(0), weights @ points, atol=0.01, rtol=0)
    torch.testing.assert_close(x.square().mean(0), weights @ points.square(), atol=0.02, rtol=0.01)


def test_median_of_points_is_one_of_them():
    prior = FinitePoints(((0.0,), (1.0,), (3.0,)), (0.2, 0.2, 0.6))
    assert float(posterior_median(prior, torch.tensor([[2.9]], dtype=torch.float64), 0.5)) == 3.0


def test_wrong_parameters_and_shapes_are_refused():
    with pytest.raises(ConfigError, match="b is -1"):
        Laplace(-1.0)
    with pytest.raises(ConfigError, match="positive definite"):
        Gaussian((0.0, 0.0), ((1.0, 2.0), (2.0, 1.0)))
    with pytest.raises(ConfigError, match="weight above 0"):
        FinitePoints(((0.0,),), (0.0,))
    with pytest.raises(ShapeError, match="expected \\(batch, 2\\)"):
        smoothed_mode(UniformDisc(), torch.zeros(3, 1, dtype=torch.float64), 0.5, 0.1)
