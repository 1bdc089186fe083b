"""Losses of the training: how far f, or a reconstruction, is from the clean picture.

    loss = mean over images of  (sigma / 0.1)^(-p) || f_sigma(x + sigma n) - x ||^2 / pixels

The mean squared error of a good denoiser falls about as sigma^1.3: with p = 1.3 every noise level counts alike.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sciml.proximal.networks.explicit import ExplicitNetwork
from sciml.proximal.networks.guided import GuidedNetwork
from sciml.proximal.networks.implicit import ImplicitNetwork
from sciml.proximal.optimise.implicit_diff import through_prox
from sciml.proximal.optimise.minimize import Linear, cosine_filter, fixed_steps, typical_start
from sciml.proximal.potentials.regularizer import Conditioned
from sciml.proximal.settings.structures import SolverSchedule
from sciml.training import RandomCrops
from sciml.training.processes import drawn

Images = Float[Tensor, "batch channel height width"]
SIGMA_POWER = 1.3
REFERENCE = 0.1
# keeps gradients near 1, where the norm at which they are clipped is easy to read
GAIN = 1e3
# gradients of the first solution, from which a guide reads the thresholds
FIRST_STEPS = 8


class NumberedCrops:
    """Random crops together with the share of the training that is done, for schedules."""

    def __init__(self, crops: RandomCrops, steps: int) -> None:
        self.crops, self.steps = crops, steps

    def batch(self, step: int) -> dict[str, Any]:
        """Return the crops of a step and `done` in [0, 1)."""
        return {"images": self.crops.batch(step), "done": step / self.steps}


def noise_levels(count: int, limits: tuple[float, float], generator: torch.Generator, like: Tensor) -> Float[Tensor, " batch"]:
    """Return noise levels, uniform in their logarithm."""
    low, high = (math.log(limit) for limit in limits)
    share = drawn(torch.rand, (count,), generator=generator, device=like.device, dtype=like.dtype)
    return torch.exp(low + (high - low) * share)


def weighted_error(x: Images, clean: Images, sigma: Float[Tensor, " batch"]) -> tuple[Float[Tensor, ""], Images]:
    """Return the loss without gain and its gradient in `x`."""
    weight = (sigma / REFERENCE).pow(-SIGMA_POWER)[:, None, None, None]
    difference = x - clean
    return (weight * difference.square()).mean(), 2 * weight * difference / difference.numel()


def _with_noise(
    clean: Images, limits: tuple[float, float], generator: torch.Generator
) -> tuple[Images, Images, Float[Tensor, " batch"]]:
    """Return clean images, the same with noise, and the level of each."""
    sigma = noise_levels(len(clean), limits, generator, clean)
    noise = drawn(torch.randn, clean.shape, generator=generator, device=clean.device)
    return clean, clean + sigma[:, None, None, None] * noise, sigma


def denoising_through_the_solver(sigma_range: tuple[float, float], schedule: SolverSchedule) -> Any:
    """Return the loss step of the implicit form: solve, then differentiate the solution by the implicit function theorem."""

    def loss_step(
        model: nn.Module, batch: Mapping[str, Any], generator: torch.Generator
    ) -> tuple[Float[Tensor, ""], dict[str, float | Tensor]]:
        assert isinstance(model, ImplicitNetwork)
        clean, noisy, sigma = _with_noise(batch["images"], sigma_range, generator)
        at = model.regularizer.at(sigma)
        solver_steps, adjoint_steps = schedule.at(batch["done"])
        with torch.no_grad():
            solution, precondition = _solved(at, noisy, None, solver_steps)
            error, slope = weighted_error(solution, clean, sigma)
        surrogate, residual = through_prox(at, solution, GAIN * slope, precondition, adjoint_steps)
        # the value of the loss with the gradient of the surrogate
        loss = GAIN * error + surrogate - surrogate.detach()
        return loss, {"adjoint_residual": residual, "curvature": at.smoothness.max(), "weak_convexity": at.weak_convexity.max()}

    return loss_step


def denoising_through_the_guide(sigma_range: tuple[float, float], schedule: SolverSchedule) -> Any:
    """Return the loss step of a guide: solve, read the thresholds off, solve again, differentiate the second solution."""

    def loss_step(
        model: nn.Module, batch: Mapping[str, Any], generator: torch.Generator
    ) -> tuple[Float[Tensor, ""], dict[str, float | Tensor]]:
        assert isinstance(model, GuidedNetwork)
        clean, noisy, sigma = _with_noise(batch["images"], sigma_range, generator)
        solver_steps, adjoint_steps = schedule.at(batch["done"])
        plain = model.base.regularizer.at(sigma)
        with torch.no_grad():
            first, _ = _solved(plain, noisy, None, FIRST_STEPS)
        at = plain.stretched(model.guide(first, noisy, sigma))
        with torch.no_grad():
            solution, precondition = _solved(at, noisy, first, solver_steps)
            error, slope = weighted_error(solution, clean, sigma)
        surrogate, residual = through_prox(at, solution, GAIN * slope, precondition, adjoint_steps)
        return GAIN * error + surrogate - surrogate.detach(), {"adjoint_residual": residual}

    return loss_step


def denoising_directly(sigma_range: tuple[float, float]) -> Any:
    """Return the loss step of networks that give f with a graph: the explicit form and the peers."""

    def loss_step(
        model: nn.Module, batch: Mapping[str, Any], generator: torch.Generator
    ) -> tuple[Float[Tensor, ""], dict[str, float | Tensor]]:
        clean, noisy, sigma = _with_noise(batch["images"], sigma_range, generator)
        # the explicit form keeps no graph in `forward`; the peers' forward is theirs
        forward = model.training_forward if isinstance(model, ExplicitNetwork) else model
        error, _ = weighted_error(forward(noisy, sigma), clean, sigma)
        return GAIN * error, {}

    return loss_step


def validate_denoising(crops: Images, sigmas: tuple[float, ...], solver_steps: int) -> Any:
    """Return the validation: mean PSNR at each noise level, at N and at 3 N gradients where f is solved for.

    A network whose N-step results beat its 3N-step ones has learned to steer an unfinished solver.
    """

    def validate(model: nn.Module, generator: torch.Generator) -> dict[str, float]:
        noise = torch.randn(crops.shape, generator=generator, device=crops.device)
        solved = isinstance(model, ImplicitNetwork | GuidedNetwork)
        counts = (solver_steps, 3 * solver_steps) if solved else (0,)
        found: dict[str, float] = {}
        for level in sigmas:
            noisy = crops + level * noise
            for count in counts:
                clean = torch.cat([_denoised(model, part, level, count) for part in noisy.split(5)])
                error = (clean.clamp(0, 1) - crops).square().mean((1, 2, 3))
                name = f"psnr_{level:g}" + (f"_{count}" if count else "")
                found[name] = float((-10 * error.log10()).mean())
        return found

    return validate


def _denoised(model: Any, noisy: Images, sigma: float, count: int) -> Images:
    if isinstance(model, GuidedNetwork):
        level = noisy.new_full((1,), sigma)
        plain = model.base.regularizer.at(level)
        first, _ = _solved(plain, noisy, None, 2 * FIRST_STEPS)
        return _solved(plain.stretched(model.guide(first, noisy, level)), noisy, first, count)[0]
    if isinstance(model, ImplicitNetwork):
        return _solved(model.regularizer.at(noisy.new_full((1,), sigma)), noisy, None, count)[0]
    return model(noisy, sigma)


def _solved(at: Conditioned, noisy: Images, start: Images | None, count: int) -> tuple[Images, Linear]:
    """Return the prox of R after `count` gradients, and the preconditioner; a given start is near the solution already."""
    if start is None:
        start, precondition = typical_start(at, 1.0, torch.ones_like(noisy[:1, :1]), noisy)
    else:
        precondition = cosine_filter(1 / (1 + at.typical_symbol(start)))
    return fixed_steps(lambda x: x - noisy + at.gradient(x), precondition, start, count), precondition
