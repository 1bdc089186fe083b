"""Newton's method finds y with f(y) = x to rounding, or says that x is outside the range of f."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from explicit_networks import CONVOLUTIONAL, PUBLISHED, SEEDED, SHAPES, dot, images, normal, random_network
from scipy.optimize import minimize

from sciml.proximal.optimise.inversion import inner, largest_curvature, newton
from sciml.proximal.settings.structures import DensePotential
from sciml.runtime.errors import NumericalError

every = pytest.mark.parametrize("name", SHAPES)
seeds = pytest.mark.parametrize("seed", range(3))


@pytest.mark.parametrize(("name", "seed"), SEEDED)
def test_round_trips(name, seed):
    config, shape = SHAPES[name]
    network, y, given = random_network(config, seed), images(shape, 2, seed), images(shape, 1, seed + 10)
    x = torch.cat([network(y), given])
    found = network.invert(x)
    point = found.point.reshape(x.shape)
    assert float((point[:2] - y).norm() / y.norm()) < 1e-10
    assert float((network(point) - x).norm() / x.norm()) < 1e-10
    assert bool(found.converged.all() and (found.residual < 1e-11).all())
    assert bool((found.iterations > 0).all() and (found.products >= found.iterations).all())


@every
def test_fenchel_value_equals_the_inverted_one(name):
    config, shape = SHAPES[name]
    network, y = random_network(config, 0), images(shape, 2)
    x, r = network.evaluate(y)
    prior = network.prior_values(x)
    torch.testing.assert_close(prior.value, r, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(prior.point, y, rtol=1e-8, atol=1e-9)
    assert not bool(prior.outside.any())


def test_agrees_with_lbfgs():
    network, x = random_network(CONVOLUTIONAL, 1), images((1, 6, 6))

    def objective(flat):
        y = torch.tensor(flat).reshape(x.shape)
        value = network.potential_values(y) - dot(x, y)
        return float(value), (network(y) - x).numpy().ravel()

    lbfgs = minimize(
        objective, x.numpy().ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 5000, "ftol": 0, "gtol": 1e-10}
    )
    assert np.abs(lbfgs.x - network.invert(x).point.numpy().ravel()).max() < 1e-7
    conjugate = float(-objective(lbfgs.x)[0])
    assert float(network.prior(x)) == pytest.approx(conjugate - 0.5 * float(dot(x, x)), rel=1e-9)


def test_each_image_of_a_batch_is_solved_on_its_own():
    network, x = random_network(PUBLISHED, 2), images((1, 7, 6), 3) * torch.tensor([1.0, 1e-3, 30.0]).reshape(-1, 1, 1, 1)
    together = network.invert(x)
    for i in range(3):
        alone = network.invert(x[[i]])
        torch.testing.assert_close(together.point[[i]], alone.point, rtol=1e-8, atol=1e-9)
        assert int(together.products[i]) == pytest.approx(int(alone.products[0]), rel=0.1)


def test_float32_images_are_inverted_in_float64():
    network = random_network(CONVOLUTIONAL).float()
    y = images((1, 8, 8)).float()
    x = network(y)
    found = network.invert(x)
    assert found.point.dtype == torch.float64 and float(found.residual) < 1e-11
    prior = network.prior_values(x)
    assert prior.value.dtype == torch.float32 and prior.point.dtype == torch.float32
    # the copy in float64 leaves the network in its own type
    assert next(network.parameters()).dtype == torch.float32


def sigmoid_network():
    """f(t) = 1 / (1 + exp(-10 t)), whose range is the open interval from 0 to 1."""
    network = random_network(DensePotential(width=1, hidden=0))
    with torch.no_grad():
        for tensor in network.potential.parameters():
            tensor.zero_()
        network.potential.get_parameter("first.weight").fill_(1.0)
        network.potential.get_parameter("path.0.raw").fill_(1.0)
    return network


def test_outside_the_range_is_found_out():
    network = sigmoid_network()
    x = torch.tensor([[0.5], [0.9999], [1.01], [-0.2], [1e-7]], dtype=torch.float64)
    prior = network.prior_values(x)
    assert prior.outside.tolist() == [False, False, True, True, False]
    assert bool(torch.isinf(prior.value[2:4]).all())
    torch.testing.assert_close(prior.residual[2:4], torch.tensor([0.01 / 1.01, 1.0], dtype=torch.float64), rtol=1e-2, atol=1e-3)
    # inside, f^-1 is the logit
    inside = x[[0, 1, 4]]
    torch.testing.assert_close(prior.point[[0, 1, 4]], torch.logit(inside) / 10, rtol=1e-7, atol=1e-9)
    with pytest.raises(NumericalError, match="image 2 is outside the range"):
        network.prior_gradient(x)
    # any positive weight of the prox has a solution, u = 5 here
    x = network.prox(torch.tensor([[3.0]], dtype=torch.float64), 0.5)
    assert 0.99 < float(x) <= 1


@seeds
def test_outside_the_range_of_an_image_network_without_modulus(seed):
    network = random_network(PUBLISHED.model_copy(update={"alpha": 0.0}), seed)
    inside = network(images((1, 7, 6), 1, seed))
    far = 50 * normal(1, 1, 7, 6, seed=seed)
    prior = network.prior_values(torch.cat([inside, far]))
    assert prior.outside.tolist() == [False, True]
    assert math.isinf(float(prior.value[1])) and float(prior.residual[1]) > 1e-3


def test_start_at_the_solution_needs_no_products():
    network, y = random_network(CONVOLUTIONAL), images((1, 6, 6))
    nothing = torch.zeros(1, dtype=torch.float64)
    sigma = torch.full((1,), 0.1, dtype=torch.float64)
    found = newton(network.potential, network(y), nothing, sigma, start=y)
    assert int(found.iterations) == int(found.products) == 0 and torch.equal(found.point, y)


def test_largest_curvature_is_the_largest_eigenvalue():
    network, y = random_network(CONVOLUTIONAL), images((1, 5, 5))
    sigma = torch.full((1,), 0.1, dtype=torch.float64)
    expansion = network.potential.expand(y, sigma)
    matrix = torch.stack([expansion.product(e.reshape(y.shape)).flatten() for e in torch.eye(25, dtype=torch.float64)])
    found = largest_curvature(expansion, torch.Generator().manual_seed(0), steps=400)
    assert float(found) == pytest.approx(float(torch.linalg.eigvalsh(matrix)[-1]), rel=1e-6)
    assert float(inner(y, y)) == pytest.approx(float(y.square().sum()))
