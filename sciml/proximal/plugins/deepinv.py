"""A learned proximal network in deepinv: as a prior of its optimisers and unfolded networks, and as a denoiser.

The optimisers minimise h(x) + lambda R(x) and ask for prox_{gamma lambda R}, gamma being their step. A learned proximal network
answers with the exact prox of that multiple of R. The published use of such networks calls f whatever gamma and lambda are, which
minimises another function than the one printed; `LearnedPrior(..., exact=False)` allows the product 1 only, where f is right.

At an output of the prox R is known without inversion: x = f(u) with u = x + (v - x) / (gamma lambda), and R(f(u)) is free. The
prior remembers it, so that a cost printed in every iteration costs next to nothing in the explicit form either.

Gradients pass through the prox by the implicit function theorem, so that unfolded networks learn their steps and weights:

    x = prox_{m R}(v):    dx/dv = (I + m Hess R(x))^-1,    dx/dm = -(I + m Hess R(x))^-1 grad R(x),    grad R(x) = (v - x) / m
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sciml.imaging.priors import per_image
from sciml.proximal.networks.implicit import ImplicitNetwork
from sciml.proximal.networks.network import LearnedProximalNetwork, Sigma
from sciml.proximal.optimise.minimize import Images
from sciml.proximal.reconstruction.reconstruct import in_type
from sciml.runtime.errors import ConfigError
from sciml.runtime.extras import explained

try:
    from deepinv.models import Denoiser
    from deepinv.optim import Prior
except ModuleNotFoundError as absent:
    raise explained(absent, "deepinv") from None


class LearnedPrior(Prior):
    """R of a learned proximal network as `deepinv.optim.Prior`, with its value: deepinv then knows the cost.

    Args:
        network: learned proximal network of either form.
        exact: solve for prox_{gamma lambda R} at any product; otherwise a product other than 1 is refused, since f alone is
            prox_R. The implicit form is always exact.

    Example:
        >>> from deepinv.optim import PGD
        >>> from deepinv.optim.data_fidelity import L2
        >>> from sciml.proximal.settings.structures import RegularizerConfig
        >>> from sciml.proximal.networks.implicit import ImplicitNetwork
        >>> prior = LearnedPrior(ImplicitNetwork(RegularizerConfig()))
        >>> solver = PGD(L2(), prior, lambda_reg=0.5, stepsize=0.9, g_param=0.1)
    """

    def __init__(self, network: LearnedProximalNetwork, exact: bool = True) -> None:
        super().__init__()
        self.network, self.exact = network, exact
        self.explicit_prior = True
        self._known: tuple[Images, Tensor, Tensor] | None = None

    def fn(self, x: Images, sigma_denoiser: Sigma | None = None, *args: Any, **kwargs: Any) -> Tensor:
        """Return R(x) of each image; +inf outside the range of f."""
        network, level = in_type(self.network, x), _level(sigma_denoiser)
        if self._known is not None and self._known[0].shape == x.shape and torch.equal(self._known[0], x.detach()):
            known, levels, value = self._known
            if torch.equal(levels, network.levels(level, known)):
                return value
        return network.prior(x, level)

    def grad(self, x: Images, sigma_denoiser: Sigma | None = None, *args: Any, **kwargs: Any) -> Images:
        """Return the gradient of R.

        Raises:
            NumericalError: an image is outside the range of f.
        """
        return in_type(self.network, x).prior_gradient(x, _level(sigma_denoiser))

    def prox(
        self, x: Images, sigma_denoiser: Sigma | None = None, *args: Any, gamma: float | Tensor = 1.0, **kwargs: Any
    ) -> Images:
        """Return prox_{gamma R}(x); deepinv passes its step times its `lambda_reg` as `gamma`.

        Raises:
            ConfigError: `gamma` is not 1, and f alone was asked for; or it is so large that the prox need not be unique.
        """
        network, level = in_type(self.network, x), _level(sigma_denoiser)
        multiple = per_image(torch.as_tensor(gamma, dtype=x.dtype, device=x.device), x).flatten()
        tied = bool(((multiple - 1).abs() <= 1e-6).all())
        if network.form == "explicit" and not self.exact and not tied:
            raise ConfigError(
                f"f is the prox of R itself, but step x lambda_reg is {float(multiple[0]):.6g}: take lambda_reg = 1 / step, or "
                "exact=True for the prox of any multiple of R"
            )
        found: Images = _Prox.apply(x, multiple, network, level, tied)  # pyright: ignore[reportAssignmentType]
        if network.form == "explicit":
            self._remember(network, x, multiple, level, found.detach())
        return found

    @torch.no_grad()
    def _remember(self, network: LearnedProximalNetwork, v: Images, multiple: Tensor, level: Sigma | None, x: Images) -> None:
        # R at x = f(u), u = x + (v - x) / multiple
        value = network.evaluate(x + (v - x) / multiple.reshape(-1, 1, 1, 1), level)[1]
        self._known = x, network.levels(level, x), value


class LearnedDenoiser(Denoiser):
    """f of a learned proximal network as `deepinv.models.Denoiser`, for whatever in deepinv takes a denoiser.

    Args:
        network: learned proximal network of either form.

    Example:
        >>> import torch
        >>> from sciml.proximal.settings.structures import RegularizerConfig
        >>> from sciml.proximal.networks.implicit import ImplicitNetwork
        >>> denoiser = LearnedDenoiser(ImplicitNetwork(RegularizerConfig()))
        >>> denoiser(torch.rand(1, 1, 16, 16), 0.1).shape
        torch.Size([1, 1, 16, 16])
    """

    def __init__(self, network: LearnedProximalNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Images, sigma: Sigma | None = None, **kwargs: Any) -> Images:
        """Return f_sigma(x).

        Args:
            x: noisy images with values about [0, 1], (batch, channel, height, width).
            sigma: standard deviation of the noise, one number or one an image.
            kwargs: not used.
        """
        one = torch.ones(len(x), dtype=x.dtype, device=x.device)
        return _Prox.apply(x, one, in_type(self.network, x), _level(sigma), True)  # pyright: ignore[reportReturnType]


class _Prox(torch.autograd.Function):
    """prox_{multiple R}(v) with its derivatives by v and by the multiple."""

    @staticmethod
    def forward(
        ctx: Any, v: Images, multiple: Tensor, network: LearnedProximalNetwork, level: Sigma | None, tied: bool
    ) -> Images:
        x = network(v, level) if tied else network.prox(v, multiple, level)
        ctx.save_for_backward(v, multiple, x)
        ctx.network, ctx.level, ctx.tied = network, level, tied
        return x

    @staticmethod
    def backward(ctx: Any, *grad: Images) -> tuple[Images, Tensor, None, None, None]:
        v, multiple, x = ctx.saved_tensors
        if isinstance(ctx.network, ImplicitNetwork):
            through = ctx.network.resolvent(x, grad[0], ctx.level, multiple)
        elif ctx.tied:
            through = ctx.network.jacobian_product(v, grad[0], ctx.level)
        else:
            raise ConfigError(
                "gradients through the explicit form are known where step x lambda_reg is 1; take an implicit network"
            )
        slope = (v - x) / multiple.reshape(-1, 1, 1, 1)
        return through, -(through * slope).flatten(1).sum(1), None, None, None


def _level(sigma: Sigma | None) -> Sigma | None:
    """Return the noise level as numbers; deepinv passes tensors of several shapes."""
    return sigma.reshape(-1) if isinstance(sigma, Tensor) else sigma
