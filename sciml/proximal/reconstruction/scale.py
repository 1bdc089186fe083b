"""Which noise level and weight of R belong to the noise of a measurement, and which step goes with them.

    F(x) = 1/2 ||A x - y||^2 + weight_F R_sigma(x),     weight_F = weight (sigma_n / sigma)^2

is Bayes' rule at weight 1, R_sigma / sigma^2 being minus the logarithm of the prior. A proximal step of length eta takes the
prox of eta weight_F R; ADMM with penalty rho that of weight_F / rho R.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from sciml.imaging.operators.linear import LinearPhysics, Physics
from sciml.imaging.operators.physics import noise_of
from sciml.imaging.priors import per_image
from sciml.proximal.networks.network import LearnedProximalNetwork, Sigma
from sciml.proximal.optimise.minimize import Images
from sciml.proximal.reconstruction.convergence import length_condition, prior_certificate
from sciml.proximal.reconstruction.operators import OperatorFacts
from sciml.proximal.reconstruction.problem import PerImage
from sciml.runtime.errors import ConfigError

FAR = 2.0
BELOW, ABOVE = 0.98, 1.05
# of the prox weight at which its problem stops to be convex
SHARE = 0.95


@dataclass(frozen=True)
class Scale:
    """What a solver is run with.

    Attributes:
        solver: variational, pgd or admm.
        sigma: noise level of R, one an image.
        weight: multiple of R in F, one an image.
        length: step of pgd, penalty of ADMM, one an image.
        column_norm: c.
        norm_squared: upper estimate of ||A||^2; NaN for a nonlinear A.
    """

    solver: str
    sigma: PerImage
    weight: PerImage
    length: PerImage
    column_norm: float
    norm_squared: float

    def check(self, allow_uncertified: bool) -> None:
        """Refuse a step or penalty on the wrong side of ||A||^2, unless an uncertified run is allowed.

        Raises:
            ConfigError: names the number and the bound.
        """
        broken = length_condition(self.solver, self.length, self.norm_squared)
        if broken and not allow_uncertified:
            raise ConfigError(f"{broken}, so convergence is not certain; change it, or allow an uncertified run")


def noise_levels(y: Tensor, physics: Physics, like: Images, noise_std: Sigma | None) -> PerImage:
    """Return sigma_n of each image: as given, or as the physics says.

    Raises:
        ConfigError: negative, not finite, or not one number or one an image.
    """
    if noise_std is None:
        if not isinstance(physics, LinearPhysics):
            raise ConfigError(f"{type(physics).__name__} is nonlinear: give noise_std")
        return noise_of(physics).sigma(y, physics).to(like)
    noise = torch.as_tensor(noise_std, dtype=like.dtype, device=like.device).reshape(-1)
    if noise.numel() not in (1, len(like)) or not bool((noise >= 0).all() and noise.isfinite().all()):
        raise ConfigError(f"noise_std is one number of at least 0, or one an image ({len(like)}), got {noise.tolist()}")
    return noise.expand(len(like))


def natural_scale(
    network: LearnedProximalNetwork,
    facts: OperatorFacts,
    solver: str,
    noise: PerImage,
    weight: Sigma | None,
    sigma: Sigma | None,
    step: float | None,
    penalty: float | None,
    like: Images,
) -> Scale:
    """Return noise level, weight and length of a run.

    implicit:  sigma = sigma_n / c,  weight_F = weight c^2 learned(sigma)
    explicit:  sigma = sigma_n sqrt(weight eta)  or  sigma_n sqrt(weight / rho),  so that the prox is that of R itself, the
        network

    A given sigma leaves weight_F = weight (sigma_n / sigma)^2 learned(sigma), and the prox of that multiple of R is solved
    for. Where no step is given, it is short enough for that prox to be unique.

    Raises:
        ConfigError: a weight or noise level is not above 0, or a nonlinear A comes without step.
    """
    multiplier = per_image(1.0 if weight is None else weight, like).flatten()
    if not bool((multiplier > 0).all()):
        raise ConfigError(f"the weight is a number above 0, or one an image, got {multiplier.tolist()}")
    # a nonlinear A has no column norm: taken as for denoising
    column = facts.column_norm if facts.linear else 1.0
    length = _length(solver, facts, step, penalty, like)
    silent = bool((noise == 0).any())
    if silent:
        warnings.warn(
            "noise_std is 0, for which Bayes' rule gives the prior no weight: it is used at the network's lowest noise level "
            "with the weight of denoising; give sigma (--prior-sigma) and weight to choose",
            stacklevel=3,
        )
    if silent or sigma is not None:
        levels = network.levels(network.sigma_range[0] if sigma is None else sigma, like)
        bayes = torch.full_like(levels, column**2) if silent else (noise / levels).square()
        total = multiplier * bayes * learned_weights(network, levels)
    elif network.form == "implicit" or solver == "variational":
        levels = network.levels(noise / column, like)
        total = multiplier * column**2 * learned_weights(network, levels)
    else:
        total = 1 / length if solver == "pgd" else length
        levels = network.levels(noise * (multiplier / total).sqrt(), like)
    _warn(network, levels)
    if step is None and penalty is None:
        largest = (
            1.0 if network.form == "explicit" else SHARE / max(prior_certificate(network, levels).weak_convexity or 0.0, 1e-12)
        )
        if solver == "pgd":
            length = torch.minimum(length, largest / total)
        elif solver == "admm":
            length = torch.maximum(length, total / largest)
    return Scale(solver, levels, total, length, column, facts.norm_squared)


def _length(solver: str, facts: OperatorFacts, step: float | None, penalty: float | None, like: Images) -> PerImage:
    if solver == "pgd":
        if step is None and not facts.linear:
            raise ConfigError("a nonlinear physics has no norm: give a step")
        return like.new_full((len(like),), BELOW / facts.norm_squared if step is None else step)
    if solver == "admm":
        return like.new_full((len(like),), ABOVE * facts.norm_squared if penalty is None else penalty)
    return like.new_ones(len(like))


def learned_weights(network: LearnedProximalNetwork, levels: PerImage) -> PerImage:
    """Return what a network learned to multiply the weight of Bayes' rule by, at noise levels; 1 where it learned nothing."""
    learned = getattr(network, "learned_weight", None)
    return torch.ones_like(levels) if learned is None else learned(levels)


def _warn(network: LearnedProximalNetwork, levels: PerImage) -> None:
    low, high = network.sigma_range
    if bool((levels < low / FAR).any() or (levels > high * FAR).any()):
        worst = float(levels.min()) if float(levels.min()) < low / FAR else float(levels.max())
        warnings.warn(
            f"the prior is used at noise level {worst:.3g}, far from its training at {low:g} to {high:g}: it is scaled there, "
            "which is exact, but nothing was learned; give sigma (--prior-sigma) to choose another level",
            stacklevel=4,
        )
