"""The logistic mixed-effects curve, and one subject's most probable effects.

Feature k of subject i at age t (disease course mapping, Schiratti et al. 2017, in its logistic form):

    y_ik(t) = 1 / (1 + g_k exp(-c_k (v_k e^{xi_i} (t - tau_i) + w_ik))),    c_k = (1 + g_k)^2 / g_k       (1)

g_k > 0: the value at t = tau is 1 / (1 + g_k); v_k > 0: the slope there, 1/year; tau_i ~ N(tau, s_tau^2): the subject's time;
xi_i ~ N(0, s_xi^2): the logarithm of the pace; w_i = A s_i, s_i ~ N(0, I): differences between regions that time does not
explain, with the columns of A orthogonal to v in the metric diag(c^2) of (1). Measurements carry Gaussian noise of sd sigma_k.

The effects are kept standardised, u_i = ((tau_i - tau) / s_tau, xi_i / s_xi, s_i) ~ N(0, I).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

ROUNDS = 30
TOLERANCE = 1e-7


@dataclass(frozen=True)
class CurveParameters:
    """The population's parameters, float64; names as in (1).

    Attributes:
        log_g: shape (features,).
        log_v: shape (features,), v in 1/year.
        tau: in years, a scalar.
        log_s_tau: a scalar, s_tau in years.
        log_s_xi: a scalar.
        mixing: any matrix of shape (features, sources); A is its part orthogonal to v.
        log_sigma: shape (features,).
    """

    log_g: Tensor
    log_v: Tensor
    tau: Tensor
    log_s_tau: Tensor
    log_s_xi: Tensor
    mixing: Tensor
    log_sigma: Tensor

    @property
    def sources(self) -> Tensor:
        """A of (1): `mixing` without its component along v in the metric diag(c^2)."""
        v, metric = self.log_v.exp(), self.steepness**2
        return self.mixing - v[:, None] * ((metric * v) @ self.mixing) / (metric * v * v).sum()

    @property
    def steepness(self) -> Tensor:
        """c of (1), shape (features,)."""
        g = self.log_g.exp()
        return (1 + g) ** 2 / g


def curves(parameters: CurveParameters, effects: Tensor, ages: Tensor) -> tuple[Tensor, Tensor]:
    """Return the values of (1) and their derivatives by the standardised effects.

    Args:
        parameters: of the population.
        effects: u, shape (subjects, 2 + sources).
        ages: in years, shape (subjects, visits).

    Returns:
        Values of shape (subjects, visits, features) and derivatives of shape (subjects, visits, features, 2 + sources).
    """
    s_tau, s_xi, sources, c = parameters.log_s_tau.exp(), parameters.log_s_xi.exp(), parameters.sources, parameters.steepness
    elapsed = (ages - parameters.tau - s_tau * effects[:, :1])[..., None]
    speed = parameters.log_v.exp() * (s_xi * effects[:, 1]).exp()[:, None, None]
    values = torch.sigmoid(-parameters.log_g + c * (speed * elapsed + (effects[:, 2:] @ sources.T)[:, None]))
    slope = values * (1 - values) * c
    by_time, by_pace = -slope * speed * s_tau, slope * speed * elapsed * s_xi
    return values, torch.cat([by_time[..., None], by_pace[..., None], slope[..., None] * sources], dim=-1)


def most_probable(
    parameters: CurveParameters, ages: Tensor, measured: Tensor, weight: Tensor, start: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return each subject's most probable effects, and the precision of their Gaussian approximation.

    Minimises E(u) = sum_k weight_k (y_k - f_k(u))^2 / 2 + |u|^2 / 2 by Gauss-Newton steps, each shortened until E falls.

    Args:
        parameters: of the population.
        ages: shape (subjects, visits).
        measured: shape (subjects, visits, features), any number where the weight is 0.
        weight: 1 / sigma^2, or 0 where nothing was measured; same shape.
        start: effects to start from, zeros by default.

    Returns:
        u of shape (subjects, effects) and H = J^T W J + I of shape (subjects, effects, effects).
    """
    size = 2 + parameters.mixing.shape[1]
    effects = torch.zeros(len(ages), size, dtype=ages.dtype) if start is None else start.clone()
    identity = torch.eye(size, dtype=ages.dtype)
    values, jacobian = curves(parameters, effects, ages)
    energy = energy_of(values, effects, measured, weight)
    for _ in range(ROUNDS):
        gradient, precision = slope_of(values, jacobian, effects, measured, weight, identity)
        step = torch.linalg.solve(precision, gradient)
        if float(step.abs().max()) < TOLERANCE:
            break
        length = torch.ones(len(ages), 1, dtype=ages.dtype)
        for _halving in range(12):
            tried = effects - length * step
            values, jacobian = curves(parameters, tried, ages)
            worse = energy_of(values, tried, measured, weight) > energy + 1e-12 * energy.abs()
            if not bool(worse.any()):
                break
            length = torch.where(worse[:, None], length / 2, length)
        effects, energy = tried, energy_of(values, tried, measured, weight)
    _, precision = slope_of(values, jacobian, effects, measured, weight, identity)
    return effects, precision


def energy_of(values: Tensor, effects: Tensor, measured: Tensor, weight: Tensor) -> Tensor:
    """Return E(u) for each subject."""
    return 0.5 * (weight * (measured - values).square()).sum((1, 2)) + 0.5 * effects.square().sum(1)


def slope_of(
    values: Tensor, jacobian: Tensor, effects: Tensor, measured: Tensor, weight: Tensor, identity: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the gradient of E by u and the Gauss-Newton precision, for each subject."""
    gradient = effects - torch.einsum("pvk,pvke->pe", weight * (measured - values), jacobian)
    return gradient, torch.einsum("pvk,pvke,pvkf->pef", weight, jacobian, jacobian) + identity
