"""The implicit form: its solver, its prox against brute force, its certificate numbers and its errors."""

from __future__ import annotations

import math

import pytest
import torch
from implicit_networks import images, perturbed

from sciml.proximal.networks.forms import LearnedProximalNetwork
from sciml.proximal.networks.implicit import ImplicitNetwork
from sciml.proximal.optimise.lbfgs import Lbfgs
from sciml.proximal.optimise.minimize import minimize, norm
from sciml.proximal.settings.structures import RegularizerConfig
from sciml.runtime.errors import ConfigError, DataError, NumericalError, ShapeError
from sciml.training import save_weights

CONFIG = RegularizerConfig(windows=((5,), (3,)), curvature=30.0)


@pytest.fixture(scope="module")
def network() -> ImplicitNetwork:
    """Return a random network in float64 that solves to 1e-13."""
    made = ImplicitNetwork(CONFIG, tolerance=1e-12, iterations=600).double()
    made.regularizer.load_state_dict(perturbed(CONFIG, 2).state_dict())
    return made.eval()


def test_the_prox_is_stationary_and_no_competitor_is_better(network: ImplicitNetwork):
    y = images(1, (12, 11), 2, 0.4)
    found = network.solve(y, 0.2)
    at = network.at(0.2, y)
    assert float(norm(found.x - y + at.gradient(found.x)).max()) < 1e-11

    def objective(x: torch.Tensor) -> torch.Tensor:
        return 0.5 * (x - y).square().sum((1, 2, 3)) + at.value(x)

    best, generator = objective(found.x), torch.Generator().manual_seed(0)
    for scale in (1e-3, 1e-2, 0.1, 1.0, 3.0):
        for _ in range(20):
            shift = scale * torch.randn(y.shape, generator=generator, dtype=y.dtype)
            # (1 - rho) strong convexity of the objective
            gain = objective(found.x + shift) - best - 0.5 * (1 - float(at.weak_convexity)) * shift.square().sum((1, 2, 3))
            assert float(gain.min()) > -1e-12


def test_the_distance_to_the_prox_is_bounded_by_the_residual(network: ImplicitNetwork):
    y = images(1, (12, 12), 1, 0.4)
    exact, at = network(y, 0.2), network.at(0.2, y)
    for x in (y, exact + 0.01 * y, exact * 0.9):
        residual = norm(x - y + at.gradient(x))
        assert float(norm(x - exact)) <= float(residual) / (1 - float(at.weak_convexity))


def test_a_fixed_number_of_steps_needs_few_gradients():
    network = ImplicitNetwork(CONFIG)
    y = 0.5 + 0.2 * torch.randn(1, 1, 48, 48, generator=torch.Generator().manual_seed(0))
    found = network.solve(y, 0.1)
    assert found.converged and found.gradients <= 60
    values = torch.stack(found.objective)
    assert float(values[-1]) <= float(values.min()) * (1 + 1e-6)


def test_round_trip_weight_and_fenchel_identities(network: ImplicitNetwork):
    x = images(1, (10, 12), 2)
    values = network.prior_values(x, 0.1)
    # f(x + grad R(x)) = x
    torch.testing.assert_close(network(values.point, 0.1), x, rtol=0, atol=1e-11)
    torch.testing.assert_close(network.prior(x, 0.1), values.value)
    torch.testing.assert_close(x + network.prior_gradient(x, 0.1), values.point)
    # prox_{w R}: stationarity with the weight
    shrunk = network.prox(x, 0.5, 0.1)
    torch.testing.assert_close(shrunk + 0.5 * network.prior_gradient(shrunk, 0.1), x, rtol=0, atol=1e-10)
    assert not bool(values.outside.any())


def test_the_jacobian_is_that_of_f_symmetric_and_positive(network: ImplicitNetwork):
    y = images(1, (6, 5), 1, 0.4)
    basis = torch.eye(30, dtype=torch.double).reshape(30, 1, 1, 6, 5)
    jacobian = torch.stack([network.jacobian_product(y, e, 0.2).flatten() for e in basis])
    torch.testing.assert_close(jacobian, jacobian.T, rtol=0, atol=1e-9)
    eigenvalues = torch.linalg.eigvalsh(jacobian)
    certificate = network.certificate(0.2)
    assert certificate.weak_convexity is not None and certificate.smoothness is not None
    assert float(eigenvalues[0]) >= 1 / (1 + certificate.smoothness) - 1e-9
    assert float(eigenvalues[-1]) <= 1 / (1 - certificate.weak_convexity) + 1e-9
    v, h = torch.randn(1, 1, 6, 5, generator=torch.Generator().manual_seed(1), dtype=torch.double), 1e-5
    slope = (network(y + h * v, 0.2) - network(y - h * v, 0.2)) / (2 * h)
    torch.testing.assert_close(slope.flatten(), jacobian @ v.flatten(), rtol=1e-5, atol=1e-6)


def test_the_tensor_of_the_caller_is_left_alone_and_no_graph_is_kept():
    network = ImplicitNetwork(CONFIG)
    y = torch.rand(1, 1, 16, 16, requires_grad=True)
    before = y.detach().clone()
    x = network(y, 0.1)
    assert not x.requires_grad and y.requires_grad and y.grad is None and bool((y == before).all())


def test_complex_images_share_their_groups():
    network = ImplicitNetwork(CONFIG).double()
    y = images(2, (12, 12), 1, 0.4)
    turn = 0.7
    turned = torch.cat(
        [math.cos(turn) * y[:, :1] - math.sin(turn) * y[:, 1:], math.sin(turn) * y[:, :1] + math.cos(turn) * y[:, 1:]], 1
    )
    # a global phase changes nothing
    torch.testing.assert_close(network.prior(turned, 0.1), network.prior(y, 0.1))


def test_weights_that_lose_uniqueness_and_bad_input_are_refused(network: ImplicitNetwork):
    y = images(1, (12, 12))
    with pytest.raises(ConfigError, match="1 or more"):
        network.prox(y, 1.5)
    with pytest.raises(ConfigError, match="sigma is one number above 0"):
        network(y, -0.1)
    with pytest.raises(ConfigError, match="one an image"):
        network(y, torch.tensor([0.1, 0.1, 0.1]))
    with pytest.raises(DataError, match=r"\(1, 0, 3, 4\)"):
        network(
            y.index_put((torch.tensor(1), torch.tensor(0), torch.tensor(3), torch.tensor(4)), torch.tensor(math.nan).double())
        )
    with pytest.raises(ShapeError, match="expected"):
        network(y[0])
    with pytest.raises(ShapeError, match="real floats"):
        network(y.long())
    with pytest.raises(NumericalError, match="relative residual"):
        network.solve(y, 0.1, iterations=2)


def test_a_weight_file_gives_the_same_network_back(tmp_path):
    network = ImplicitNetwork(CONFIG, (0.02, 0.2), 0.05)
    path = tmp_path / "net.safetensors"
    facts = {"config": {}, "seed": 0, "inputs": {}, "source_digest": "x", "cpu_minutes": 0.0}
    save_weights(path, network, **facts, extra={"network": network.describe()})
    again = LearnedProximalNetwork.load(path)
    y = torch.rand(1, 1, 16, 16)
    torch.testing.assert_close(again(y), network(y), rtol=0, atol=0)
    assert again.sigma_range == (0.02, 0.2) and again.default_sigma == 0.05
    save_weights(path, network, **facts)
    with pytest.raises(ConfigError, match=r"extra\.network"):
        LearnedProximalNetwork.load(path)
    with pytest.raises(ConfigError, match="there is no model nonsense: shipped are"):
        LearnedProximalNetwork.load("nonsense")
    with torch.no_grad():
        network.log_weight[0] = math.nan
    save_weights(path, network, **facts, extra={"network": network.describe()})
    with pytest.raises(DataError, match="log_weight"):
        LearnedProximalNetwork.load(path)


def test_lbfgs_solve_a_quadratic_and_skip_negative_curvature():
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(9, 9, generator=generator, dtype=torch.double)
    matrix = root @ root.T + torch.eye(9, dtype=torch.double)
    lbfgs = Lbfgs(lambda g: g, pairs=9)
    x = torch.zeros(1, 1, 3, 3, dtype=torch.double)

    def gradient(x: torch.Tensor) -> torch.Tensor:
        return (matrix @ x.flatten()).reshape(x.shape) - 1

    for _ in range(60):
        step = -lbfgs.direction(gradient(x))
        lbfgs.add(step, gradient(x + step) - gradient(x))
        x = x + step
    torch.testing.assert_close(x.flatten(), torch.linalg.solve(matrix, torch.ones(9, dtype=torch.double)))
    lbfgs = Lbfgs(lambda g: 2 * g)
    lbfgs.add(torch.ones(1, 1, 3, 3), -torch.ones(1, 1, 3, 3))
    torch.testing.assert_close(lbfgs.direction(torch.ones(1, 1, 3, 3)), 2 * torch.ones(1, 1, 3, 3))


def test_a_wrong_preconditioner_only_costs_safe_steps():
    """A preconditioner far too long makes every step fail; the safe one still ends at the minimum, F never rising."""
    target = images(1, (4, 4), 1)

    def objective(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        # a function of curvature up to 1 that is flat far away
        d = x - target
        return (1 + d.square()).sqrt().sum((1, 2, 3)), d / (1 + d.square()).sqrt()

    found = minimize(objective, lambda g: 1e3 * g, lambda g: g, target + 2, tolerance=1e-9, iterations=200)
    assert found.converged and found.safe_steps > 0
    values = torch.stack(found.objective)
    assert float((values[1:] - values[:-1]).max()) <= 1e-12
    torch.testing.assert_close(found.x, target, rtol=0, atol=1e-7)


def test_an_objective_that_is_not_finite_is_an_error():
    with pytest.raises(NumericalError, match="not finite"):
        minimize(
            lambda x: (x.sum((1, 2, 3)) * math.nan, x),
            lambda g: g,
            lambda g: g,
            torch.ones(1, 1, 2, 2),
            tolerance=1,
            iterations=3,
        )


def test_colours_of_a_grey_network_are_worth_as_much_as_grey_images():
    network = ImplicitNetwork(CONFIG).double()
    grey = images(1, (12, 12), 1, 0.4)
    colour = grey.expand(-1, 3, -1, -1)
    torch.testing.assert_close(network.prior(colour, 0.1), 3 * network.prior(grey, 0.1))
    torch.testing.assert_close(network(colour, 0.1), network(grey, 0.1).expand(-1, 3, -1, -1), rtol=0, atol=1e-4)
