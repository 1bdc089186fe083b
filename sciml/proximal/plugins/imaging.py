"""Learned proximal networks under the name `lpn`: `sciml imaging solve ... --method prior:lpn:photo-grey`.

A solver that knows nothing of noise levels weighs a prior by w = sigma_n c, noise times column norm (`noise_weight` of
`sciml.imaging.solvers.classical`). With R_s the regulariser at the noise level s, R_s / s^2 is about minus the logarithm of one
prior, so

    R(x) = R_s(x) / s,     prox_{w R} = prox_{(w / s) R_s}

has the weight of Bayes' rule where w = s, and one that grows with the noise like that of total variation elsewhere. A solver that
knows sigma_n and c asks `NamedPrior.at_noise`, and gets what `sciml.proximal.reconstruct` takes for implicit networks.
"""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Float
from torch import Tensor

from sciml.imaging.priors import Certificate, per_image
from sciml.proximal.networks.network import Images, LearnedProximalNetwork
from sciml.proximal.reconstruction.reconstruct import in_type
from sciml.proximal.reconstruction.scale import learned_weights
from sciml.runtime.errors import ConfigError


class NamedPrior:
    """A learned proximal network at one noise level as `sciml.imaging.priors.Prior`.

    Args:
        network: learned proximal network of either form.
        sigma: noise level s of the regulariser, on the scale of the images; None for the network's own, which follows the data
            where these are known.
        name: name of the prior in messages.

    Raises:
        ConfigError: the noise level is not above 0.
    """

    def __init__(self, network: LearnedProximalNetwork, sigma: float | None = None, name: str = "lpn") -> None:
        if sigma is not None and not 0 < sigma < float("inf"):
            raise ConfigError(f"the noise level of the prior {name} is a number above 0, got {sigma:g}")
        self.network, self.name, self.follows = network, name, sigma is None
        self.sigma = network.default_sigma if sigma is None else sigma

    def at_noise(self, sigma: float, column_norm: float) -> tuple[NamedPrior, float]:
        """Return the prior at the noise level of the data and the weight of Bayes' rule; a level that was named stays.

            s = sigma / c within the levels of the training,     weight = (sigma / s)^2 learned(s) s

        and sigma c for a level that was named. See `sciml.imaging.priors.at_noise`.
        """
        if not self.follows:
            return self, sigma * column_norm
        low, high = self.network.sigma_range
        level = min(max(sigma / column_norm, low), high)
        learned = float(learned_weights(self.network, torch.tensor([level])).detach())
        return NamedPrior(self.network, level, self.name), sigma**2 / level * learned

    def __str__(self) -> str:
        """Return the name by which `sciml.imaging.priors.resolve` finds this prior at this level."""
        return f"lpn:{self.name}:{self.sigma:.3g}"

    def value(self, x: Images) -> Float[Tensor, " batch"]:
        """Return R_s(x) / s; +inf outside the range of f."""
        return in_type(self.network, x).prior(x, self.sigma) / self.sigma

    def gradient(self, x: Images) -> Images:
        """Return the gradient of R_s divided by s.

        Raises:
            NumericalError: an image is outside the range of f.
        """
        return in_type(self.network, x).prior_gradient(x, self.sigma) / self.sigma

    def value_and_gradient(self, x: Images) -> tuple[Float[Tensor, " batch"], Images]:
        """Return both, at the cost of one of them.

        Raises:
            NumericalError: an image is outside the range of f.
        """
        value, gradient = in_type(self.network, x).prior_value_and_gradient(x, self.sigma)
        return value / self.sigma, gradient / self.sigma

    def prox(self, v: Images, weight: float | Float[Tensor, " batch"]) -> Images:
        """Return argmin_x 1/2 ||x - v||^2 + weight R_s(x) / s.

        Raises:
            ConfigError: the weight is so large that the minimiser need not be unique; another noise level helps.
        """
        lam = per_image(weight, v).flatten()
        if bool((lam == 0).all()):
            return v.clone()
        largest = float(lam.max())
        if largest * (self.certificate().weak_convexity or 0.0) >= 1 and self.network.form == "implicit":
            raise ConfigError(
                f"the weight {largest:.3g} is too large for the prior {self.name} at noise level {self.sigma:g}, whose prox need "
                f"not be unique there; name a higher noise level: lpn:{self.name}:{1.1 * largest:.2g}"
            )
        return in_type(self.network, v).prox(v, lam / self.sigma, self.sigma)

    def certificate(self) -> Certificate:
        """Return what is proved of R_s / s: the bounds of R_s divided by s."""
        found = self.network.certificate(self.sigma)
        weak, smooth = (None if bound is None else bound / self.sigma for bound in (found.weak_convexity, found.smoothness))
        return dataclasses.replace(
            found, weak_convexity=weak, smoothness=smooth, reason=f"{found.reason}; at noise level {self.sigma:g}"
        )


def lpn(name: str = "photo-grey") -> NamedPrior:
    """Return the prior of a learned proximal network, the entry point `lpn` of `sciml.priors`.

    Args:
        name: shipped name or path of a weight file, with an optional noise level behind a colon, `photo-grey:0.05`; without one
            it follows the data where their noise is known, and is the network's own elsewhere, mostly 0.1.

    Raises:
        DataError, FormatError, ConfigError: there is no such network, or it cannot be used.

    Example:
        >>> from sciml.imaging.priors import resolve
        >>> prior = resolve("lpn:photo-grey")  # doctest: +SKIP
    """
    from sciml.proximal.networks.loading import load_network

    kind, _, last = name.rpartition(":")
    level = _number(last) if kind else None
    if level is None:
        kind = name
    network = load_network(kind)
    return NamedPrior(network, level, kind)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
