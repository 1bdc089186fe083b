"""The implicit form: R is learned, f is solved for.

    f_sigma(y) = argmin_x 1/2 ||x - y||^2 + R_sigma(x)

R_sigma is rho-weakly convex with rho < 1 (`sciml.proximal.potentials.regularizer`), so the problem is (1 - rho)-strongly convex:
the minimiser is unique, and the distance to it is at most ||x - y + grad R(x)|| / (1 - rho). f is 1 / (1 - rho)-Lipschitz, its
Jacobian (I + Hess R)^-1 symmetric positive definite, R known in closed form on all images, and any weight below 1 / rho keeps
all of this.

Images with n times the network's channels share their groups, q = sum over them of M (t * t). Two are real and imaginary part, as
networks for MR were trained. More are colours, whose noise has n times the energy in a group: R_sigma then means
R_{sigma sqrt n}, which is for n equal images n times what it is for one.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sciml.imaging.priors import Certificate, per_image
from sciml.proximal.networks.network import Images, LearnedProximalNetwork, PriorValues, Sigma
from sciml.proximal.optimise.implicit_diff import conjugate_gradients
from sciml.proximal.optimise.lbfgs import dot
from sciml.proximal.optimise.minimize import Minimum, cosine_filter, minimize, typical_start
from sciml.proximal.potentials.regularizer import Conditioned, WeaklyConvexRegularizer, linear_weights
from sciml.proximal.settings.structures import RegularizerConfig
from sciml.runtime.errors import ConfigError, NumericalError
from sciml.runtime.settings import validated

COMPLEX = 2
STRETCH = "stretch_"


class ImplicitNetwork(LearnedProximalNetwork, form="implicit"):
    """A learned weakly convex regulariser with its proximal operator.

    Args:
        config: structure of R.
        sigma_range: noise levels of the training.
        default_sigma: noise level that is meant when none is given.
        tolerance: relative residual ||x - y + grad R(x)|| / ||x|| at which f counts as solved.
        iterations: largest number of gradients.
    """

    def __init__(
        self,
        config: RegularizerConfig,
        sigma_range: tuple[float, float] = (0.01, 0.3),
        default_sigma: float = 0.1,
        tolerance: float = 1e-4,
        iterations: int = 200,
    ) -> None:
        super().__init__()
        self.config, self.channels = config, config.channels
        self.sigma_range, self.default_sigma = sigma_range, default_sigma
        self.tolerance, self.iterations = tolerance, iterations
        self.regularizer = WeaklyConvexRegularizer(config)
        # reconstruction weighs R by a learned function of the noise level; 1 for denoising
        self.log_weight = nn.Parameter(torch.zeros(len(config.sigma_knots)))

    def at(self, sigma: Sigma | None, like: Images) -> Conditioned:
        """Return R at noise levels, in the type of the images; levels that are all equal are computed once."""
        levels, shared = self.levels(sigma, like), like.shape[1] // self.channels
        if shared > COMPLEX:
            levels = levels * math.sqrt(shared)
        if bool((levels == levels[0]).all()):
            levels = levels[:1]
        at = self.regularizer.at(levels)
        stretches = [buffer for name, buffer in self.named_buffers() if name.startswith(STRETCH)]
        return at.stretched(stretches) if stretches else at

    def stretched(self, stretches: Sequence[Float[Tensor, "batch group rows columns"]]) -> ImplicitNetwork:
        """Return a copy with other thresholds at each position, for images of one size; see `Conditioned.stretched`."""
        network = copy.deepcopy(self)
        for index, stretch in enumerate(stretches):
            network.register_buffer(f"{STRETCH}{index}", stretch, persistent=False)
        return network

    def learned_weight(self, sigma: Float[Tensor, " batch"]) -> Float[Tensor, " batch"]:
        """Return the weight of R_sigma in a reconstruction, learned through the solver (1 where it was not)."""
        return (linear_weights(sigma, self.config.sigma_knots) @ self.log_weight.to(sigma)).exp()

    @torch.no_grad()
    def forward(self, y: Images, sigma: Sigma | None = None) -> Images:
        """Return f_sigma(y); see the base class."""
        return self.solve(y, sigma).x

    @torch.no_grad()
    def solve(
        self,
        y: Images,
        sigma: Sigma | None = None,
        weight: Sigma = 1.0,
        start: Images | None = None,
        tolerance: float | None = None,
        iterations: int | None = None,
    ) -> Minimum:
        """Return argmin_x 1/2 ||x - y||^2 + weight R(x) with its objective curve and residual.

        Raises:
            ConfigError: weight x rho >= 1, so that the minimiser need not be unique.
            NumericalError: not solved within the iterations.
        """
        y = self.check_images(y)
        at, lam = self.at(sigma, y), per_image(weight, y)
        if bool((lam.flatten() * at.weak_convexity >= 1).any()):
            raise ConfigError(
                f"the weight {float(lam.max()):g} times the weak convexity {float(at.weak_convexity.max()):.4g} of this prior is "
                "1 or more: its prox need not be unique; take a smaller weight"
            )

        def objective(x: Images) -> tuple[Tensor, Images]:
            value, gradient = at.value_and_gradient(x)
            difference = x - y
            return 0.5 * dot(difference, difference).flatten() + lam.flatten() * value, difference + lam * gradient

        first, precondition = typical_start(at, lam, torch.ones_like(y[:1, :1]), y)
        found = minimize(
            objective,
            precondition,
            cosine_filter(1 / (1 + lam * at.upper_symbol((y.shape[-2], y.shape[-1])))),
            first if start is None else start,
            tolerance=self.tolerance if tolerance is None else tolerance,
            iterations=iterations or self.iterations,
            memory=5,
        )
        if not found.converged:
            worst = float((found.residual / found.x.square().sum((1, 2, 3)).sqrt().clamp(min=1e-12)).max())
            wanted = self.tolerance if tolerance is None else tolerance
            raise NumericalError(
                f"the prox has a relative residual of {worst:.1e} after {found.gradients} gradients, not {wanted:.1e}"
            )
        return found

    @torch.no_grad()
    def evaluate(self, y: Images, sigma: Sigma | None = None) -> tuple[Images, Float[Tensor, " batch"]]:
        """Return f(y) and R(f(y))."""
        x = self(y, sigma)
        return x, self.prior(x, sigma)

    @torch.no_grad()
    def prior_values(self, x: Images, sigma: Sigma | None = None) -> PriorValues:
        """Return R(x), known in closed form for every image."""
        value, gradient = self.prior_value_and_gradient(x, sigma)
        nothing = torch.zeros_like(value)
        return PriorValues(value, nothing.bool(), nothing, x + gradient)

    @torch.no_grad()
    def prior_gradient(self, x: Images, sigma: Sigma | None = None) -> Images:
        """Return the gradient of R."""
        x = self.check_images(x)
        return self.at(sigma, x).gradient(x)

    @torch.no_grad()
    def prior_value_and_gradient(self, x: Images, sigma: Sigma | None = None) -> tuple[Float[Tensor, " batch"], Images]:
        """Return R(x) and its gradient."""
        x = self.check_images(x)
        return self.at(sigma, x).value_and_gradient(x)

    @torch.no_grad()
    def prox(self, v: Images, weight: Sigma, sigma: Sigma | None = None) -> Images:
        """Return argmin_x 1/2 ||x - v||^2 + weight R(x)."""
        return self.solve(v, sigma, weight).x

    @torch.no_grad()
    def jacobian_product(self, y: Images, v: Images, sigma: Sigma | None = None) -> Images:
        """Return (I + Hess R(f(y)))^-1 v."""
        return self.resolvent(self(y, sigma), v, sigma)

    @torch.no_grad()
    def resolvent(self, x: Images, v: Images, sigma: Sigma | None = None, weight: Sigma = 1.0) -> Images:
        """Return (I + weight Hess R(x))^-1 v, the derivative of the prox of weight R where x is its value.

        By preconditioned conjugate gradients to the network's tolerance.

        Args:
            x: images, (batch, channel, height, width).
            v: directions, the same shape.
            sigma: noise level of R, one number or one an image.
            weight: one number or one an image.

        Raises:
            NumericalError: the system is not solved within the iterations.
        """
        at, lam = self.at(sigma, x), per_image(weight, x)
        hessian = at.hessian(x)
        precondition = cosine_filter(1 / (1 + lam * at.typical_symbol(x)))

        def product(p: Images) -> Images:
            return p + lam * hessian.product(p)

        result, count = torch.zeros_like(v), 25
        residual, size = v, dot(v, v).sqrt().max().clamp(min=1e-30)
        for _ in range(max(1, self.iterations // count)):
            result = result + conjugate_gradients(product, residual, precondition, count)[0]
            residual = v - product(result)
            if float(dot(residual, residual).sqrt().max() / size) <= self.tolerance:
                return result
        raise NumericalError(f"the Jacobian's system did not reach a relative residual of {self.tolerance:.1e}")

    @torch.no_grad()
    def certificate(self, sigma: Sigma | None = None) -> Certificate:
        """Return the bounds of R_sigma, which hold on all images of all sizes."""
        like = self.log_weight.new_zeros(1, self.channels, 1, 1)
        at = self.at(sigma, like)
        return Certificate(
            weak_convexity=float(at.weak_convexity.max()),
            smoothness=float(at.smoothness.max()),
            bounded_below=True,
            exact_prox=True,
            reason="differences of Charbonnier functions of filter responses, whose curvature is bounded in the cosine basis",
        )

    def describe(self) -> dict[str, Any]:
        """Return form, structure of R and noise levels."""
        return {
            "form": self.form,
            "regularizer": self.config.model_dump(mode="json"),
            "sigma_range": list(self.sigma_range),
            "default_sigma": self.default_sigma,
        }

    @staticmethod
    def from_description(description: Mapping[str, Any]) -> ImplicitNetwork:
        """Return the untrained network of `describe`."""
        try:
            low, high = (float(level) for level in description["sigma_range"])
            default = float(description["default_sigma"])
            settings = dict(description["regularizer"])
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"the description of an implicit network is incomplete: {type(error).__name__} {error}") from error
        settings = {key: _tuples(value) for key, value in settings.items()}
        return ImplicitNetwork(validated(RegularizerConfig, settings, "the network's description"), (low, high), default)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
