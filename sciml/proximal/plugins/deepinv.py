"""A learned proximal network as a prior of deepinv's own optimisers.

Those minimise h(x) + lambda R(x) and ask for prox_{gamma lambda R}, gamma being their step. A learned proximal network answers
with the exact prox of that multiple of R. The published use of such networks calls f whatever gamma and lambda are, which
minimises another function than the one printed; `LearnedPrior(..., exact=False)` allows the product 1 only, where f is right.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sciml.imaging.priors import per_image
from sciml.proximal.networks.network import LearnedProximalNetwork, Sigma
from sciml.proximal.optimise.minimize import Images
from sciml.proximal.reconstruction.reconstruct import in_type
from sciml.runtime.errors import ConfigError
from sciml.runtime.extras import explained

try:
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

    def fn(self, x: Images, sigma_denoiser: Sigma | None = None, *args: Any, **kwargs: Any) -> Tensor:
        """Return R(x) of each image; +inf outside the range of f."""
        return in_type(self.network, x).prior(x, _level(sigma_denoiser))

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
        return network(x, level) if tied else network.prox(x, multiple, level)


def _level(sigma: Sigma | None) -> Sigma | None:
    """Return the noise level as numbers; deepinv passes tensors of several shapes."""
    return sigma.reshape(-1) if isinstance(sigma, Tensor) else sigma
