"""Losses that choose which proximal operator a network learns: proximal matching, absolute and squared error.

Fang, Buchanan and Sulam (ICLR 2024) train with

    L(theta; gamma) = E[1 - exp(-||f(y) - x||^2 / gamma_norm^2)],

whose minimiser is the MAP estimate as gamma_norm falls to 0. Here gamma is the root mean square PER PIXEL, gamma_norm =
gamma sqrt(n), so that it means the same in every dimension. At a fixed gamma the minimiser is the smoothed mode,
`sciml.proximal.study.posterior.smoothed_mode`; the squared error gives the posterior's mean, the absolute error its median.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from sciml.proximal.settings.structures import MatchingStage, check_gamma
from sciml.runtime.errors import ConfigError, NumericalError, ShapeError

log = logging.getLogger(__name__)

Scaling = Literal["none", "density", "residual"]
VANISHED = 1e-6


class VanishedWeights(NumericalError):
    """No example of a batch is near enough to its truth to teach anything at this gamma.

    Attributes:
        gamma: the width that is too small, RMSE per pixel.
        rmse: root mean square error of the batch, per pixel.
    """

    def __init__(self, gamma: float, rmse: float, last_good: float | None = None) -> None:
        self.gamma, self.rmse = gamma, rmse
        good = "; begin with an l1 or mse stage" if last_good is None else f"; last good gamma {last_good:g}"
        super().__init__(f"gamma {gamma:g} is too small for the current RMSE {rmse:.3g} per pixel{good}")


@dataclass(frozen=True)
class Matched:
    """A loss and what to watch.

    Attributes:
        loss: scalar with graph.
        rmse: root mean square error per pixel of the batch.
        mean_weight: mean of w = exp(-mse / gamma^2) over the batch; 1 for losses without weights.
        effective_size: (sum w)^2 / sum w^2, how many examples of the batch count.
    """

    loss: Float[Tensor, ""]
    rmse: Float[Tensor, ""]
    mean_weight: Float[Tensor, ""]
    effective_size: Float[Tensor, ""]

    def scalars(self) -> dict[str, Tensor]:
        """Return the values for a training history."""
        return {"rmse": self.rmse, "mean_weight": self.mean_weight, "effective_size": self.effective_size}


def mse_loss(f: Tensor, x: Tensor) -> Matched:
    """Return the mean squared error, whose minimiser is the posterior mean; shapes (batch, ...)."""
    _check(f, x)
    return _plain((f - x).square().mean(), f, x)


def l1_loss(f: Tensor, x: Tensor) -> Matched:
    """Return the mean absolute error, whose minimiser is the coordinatewise posterior median; shapes (batch, ...)."""
    _check(f, x)
    return _plain((f - x).abs().mean(), f, x)


def matching_loss(f: Tensor, x: Tensor, gamma: float, scaling: Scaling = "density") -> Matched:
    """Return the proximal matching loss.

        w_i = exp(-mse_i / gamma^2),   loss = scale mean_i (1 - w_i)
        d loss / d f_i = scale (2 / (gamma^2 n)) w_i (f_i - x_i) / batch

    Args:
        f: estimates, shape (batch, ...).
        x: truth, same shape.
        gamma: width, RMSE per pixel, at most 2.
        scaling: `none`: scale 1, the published loss. `density`: 1 / gamma, so that in one dimension the gradient tends to that of
            sqrt(pi) p(f | y) instead of to 0. `residual`: gamma^2, the gradient of the squared error weighted by w, for images.

    Raises:
        ConfigError: gamma is out of range.
        VanishedWeights: every weight is below 1e-6.
        ShapeError: shapes differ.
    """
    _check(f, x)
    try:
        check_gamma(gamma)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    mse = (f - x).square().flatten(1).mean(1)
    weights = torch.exp(-mse / gamma**2)
    seen = weights.detach()
    rmse = mse.detach().mean().sqrt()
    if float(seen.max()) < VANISHED:
        raise VanishedWeights(gamma, float(rmse))
    scale = {"none": 1.0, "density": 1 / gamma, "residual": gamma**2}[scaling]
    # -expm1 keeps the digits of 1 - w where w is nearly 1
    loss = scale * -torch.expm1(-mse / gamma**2).mean()
    return Matched(loss, rmse, seen.mean(), seen.sum().square() / seen.square().sum())


def stage_loss(stage: MatchingStage, f: Tensor, x: Tensor, scaling: Scaling = "density") -> Matched:
    """Return the loss of a stage of a schedule."""
    if stage.loss == "matching":
        assert stage.gamma is not None, "the settings model sees to it"
        return matching_loss(f, x, stage.gamma, scaling)
    return (mse_loss if stage.loss == "mse" else l1_loss)(f, x)


def gamma_per_pixel(norm_gamma: float, pixels: int) -> float:
    """Return gamma_norm / sqrt(n), the width per pixel of one given for the norm of a whole image; the log notes it.

    Args:
        norm_gamma: width on the norm of the whole image, for instance 0.08 * 28 in the published digit experiment.
        pixels: n, number of values of an image, all channels together.

    Raises:
        ConfigError: there are no pixels, or the result is no width per pixel either.
    """
    if pixels < 1:
        raise ConfigError(f"pixels is {pixels}, expected the number of values of an image")
    gamma = norm_gamma / math.sqrt(pixels)
    try:
        check_gamma(gamma)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    log.info("gamma %g on the norm of %d values is %g per pixel", norm_gamma, pixels, gamma)
    return gamma


def _check(f: Tensor, x: Tensor) -> None:
    if f.shape != x.shape or f.ndim < 2:
        raise ShapeError(f"estimates {tuple(f.shape)} and truth {tuple(x.shape)} must have one shape (batch, ...)")


def _plain(loss: Tensor, f: Tensor, x: Tensor) -> Matched:
    return Matched(loss, (f - x).detach().square().mean().sqrt(), loss.new_ones(()), loss.new_tensor(float(len(f))))
