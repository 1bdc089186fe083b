"""Problems with known solutions for the tests of reconstruction."""

from __future__ import annotations

import torch
from deepinv.physics import LinearPhysics

from sciml.imaging.operators.physics import Noise
from sciml.imaging.priors import Certificate
from sciml.proximal.networks.implicit import ImplicitNetwork
from sciml.proximal.networks.network import LearnedProximalNetwork, PriorValues
from sciml.proximal.potentials import symmetric
from sciml.proximal.settings.structures import RegularizerConfig


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Matrix(LinearPhysics):
    """A given matrix on images of 8 x 8 (or another size) pixels, with its noise level."""

    def __init__(self, matrix: torch.Tensor, size: tuple[int, int] = (8, 8), noise: float = 0.1) -> None:
        super().__init__(img_size=(1, *size))
        self.matrix, self.size = matrix, size
        self.noise_level = Noise(noise)

    def A(self, x: torch.Tensor, **kwargs: object) -> torch.Tensor:
        return (x.flatten(1) @ self.matrix.T)[:, None, None]

    def A_adjoint(self, y: torch.Tensor, **kwargs: object) -> torch.Tensor:
        return (y.flatten(1) @ self.matrix).reshape(-1, 1, *self.size)


class WrongAdjoint(Matrix):
    """An adjoint that is wrong in one entry of a hundred."""

    def A_adjoint(self, y: torch.Tensor, **kwargs: object) -> torch.Tensor:
        return super().A_adjoint(y) * torch.where(torch.arange(8) == 3, 1.1, 1.0).to(y)


class Gaussian(LearnedProximalNetwork):
    """f of a Gaussian prior N(mu, Q^-1), in closed form: R_sigma(x) = sigma^2 / 2 <x - mu, Q (x - mu)>, Q in the cosine basis.

    weight (sigma_n / sigma)^2 R_sigma is weight sigma_n^2 / 2 <x - mu, Q (x - mu)> for every sigma, so every choice of sigma has
    the same minimiser, the posterior mean for noise of variance weight sigma_n^2.
    """

    form = "explicit"

    def __init__(self, size: tuple[int, int] = (8, 8), mean: float = 0.4, bounded: bool = True) -> None:
        super().__init__()
        self.channels, self.sigma_range, self.default_sigma = 1, (0.01, 1.0), 0.1
        rows, columns = (torch.arange(n, dtype=torch.float64) for n in size)
        self.symbol = 2 + rows[:, None].square() + columns.square()
        self.basis = tuple(symmetric.cosine_transform(n, torch.float64) for n in size)
        self.mean, self.bounded = mean, bounded

    def spectral(self, x: torch.Tensor, symbol: torch.Tensor) -> torch.Tensor:
        rows, columns = self.basis
        return rows.T @ (symbol * (rows @ x @ columns.T)) @ columns

    def precision(self) -> torch.Tensor:
        """Return Q as a matrix."""
        count = self.symbol.numel()
        eye = torch.eye(count, dtype=torch.float64).reshape(count, 1, *self.symbol.shape)
        return self.spectral(eye, self.symbol).reshape(count, count)

    def forward(self, y, sigma=None):
        return self.prox(y, 1.0, sigma)

    def prox(self, v, weight, sigma=None):
        multiple = (self.levels(sigma, v).square() * torch.as_tensor(weight)).reshape(-1, 1, 1, 1)
        return self.mean + self.spectral(v - self.mean, 1 / (1 + multiple * self.symbol))

    def prior_values(self, x, sigma=None):
        gradient = self.prior_gradient(x, sigma)
        value = 0.5 * ((x - self.mean) * gradient).sum((1, 2, 3))
        return PriorValues(value, value.isinf(), torch.zeros_like(value), x + gradient)

    def prior_gradient(self, x, sigma=None):
        return self.levels(sigma, x).square().reshape(-1, 1, 1, 1) * self.spectral(x - self.mean, self.symbol)

    def evaluate(self, y, sigma=None):
        x = self(y, sigma)
        return x, self.prior(x, sigma)

    def jacobian_product(self, y, v, sigma=None):
        return self.prox(v + self.mean, 1.0, sigma) - self.mean

    def certificate(self, sigma=None):
        return Certificate(0.0, 1.0, self.bounded, True, "a quadratic form" if self.bounded else "slope at infinity 3.49")

    def describe(self):
        return {}


def posterior_mean(physics: Matrix, network: Gaussian, y: torch.Tensor, noise: float) -> torch.Tensor:
    """Return (A^T A + sigma_n^2 Q)^-1 (A^T y + sigma_n^2 Q mu)."""
    precision, matrix = noise**2 * network.precision(), physics.matrix
    mean = torch.full((matrix.shape[1],), network.mean, dtype=torch.float64)
    right = y.flatten(1) @ matrix + precision @ mean
    return torch.linalg.solve(matrix.T @ matrix + precision, right.T).T.reshape(-1, 1, *physics.size)


def matrix(rows: int = 40, columns: int = 64, seed: int = 1) -> torch.Tensor:
    """Return a random matrix of norm about 1.5."""
    return normal(rows, columns, seed=seed) / 10


def implicit() -> ImplicitNetwork:
    """Return a network with filters 3 x 3 whose potentials are not convex, in float64."""
    network = ImplicitNetwork(RegularizerConfig(windows=((3,),))).double()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in network.regularizer.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    network.tolerance, network.iterations = 1e-11, 2000
    return network
