"""Learning R through the reconstruction that it is used in.

    x* = argmin_x 1/2 ||A x - y||^2 + c^2 lambda(s) R_s(x),   s = sigma_n / c,   c = column norm of A

over random operators A of a task: bilevel learning with the implicit gradient of `sciml.proximal.optimise.implicit_diff`. A
denoiser never sees missing frequencies; a prior that was tuned so has learned what to fill in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sciml.proximal.learning.objectives import GAIN
from sciml.proximal.learning.random_physics import RandomProblem
from sciml.proximal.networks.guided import GuidedNetwork
from sciml.proximal.networks.implicit import ImplicitNetwork
from sciml.proximal.optimise.implicit_diff import conjugate_gradients
from sciml.proximal.optimise.minimize import Images, cosine_filter
from sciml.proximal.reconstruction.variational import Data, approach, descend
from sciml.proximal.settings.structures import SolverSchedule

# a mean squared error that no reconstruction falls below: keeps flat crops from deciding alone
FLOOR = 1e-5
COARSER = (16, 4)


def base_of(network: ImplicitNetwork | GuidedNetwork) -> ImplicitNetwork:
    """Return the network of the first solution."""
    return network.base if isinstance(network, GuidedNetwork) else network


def reconstruction_steps(
    network: ImplicitNetwork | GuidedNetwork, problem: RandomProblem, y: Tensor, sigma: Float[Tensor, " batch"], count: int
) -> tuple[Images, Any, Float[Tensor, "batch 1 1 1"], Any]:
    """Return x* after `count` gradients, R, its weight (both with the graph of their parameters) and the preconditioner.

    A quarter as many are spent on each of the coarser problems that lead to the first iterate; half as many on the solution from
    which a guide reads the thresholds.
    """
    seen, base = sigma / problem.column_norm, base_of(network)
    at = base.regularizer.at(seen)
    weight = (problem.column_norm**2 * base.learned_weight(seen))[:, None, None, None]
    data = Data(problem.physics, y, problem.spectrum, 1.0)  # all operators here have norm at most 1
    with torch.no_grad():
        start = approach(base, data, seen, weight.flatten(), problem.start(y), COARSER, count // 4)
        if isinstance(network, GuidedNetwork):
            start = descend(at, weight, data, start, smooth=False, tolerance=0.0, iterations=count // 2).x
    if isinstance(network, GuidedNetwork):
        at = at.stretched(network.thresholds(start, seen))
    with torch.no_grad():
        found = descend(at, weight, data, start, smooth=False, tolerance=0.0, iterations=count)
        precondition = cosine_filter(1 / (problem.spectrum + weight * at.typical_symbol(found.x)))
        return found.x, at, weight, precondition


def tuning_through_the_solver(
    problems: list[RandomProblem], schedule: SolverSchedule, loss: Literal["mse", "log-mse"] = "mse"
) -> Any:
    """Return the loss step of the tuning: one random operator a step, one noise level an image.

        mse:      mean over images of ||x* - x||^2 / pixels
        log-mse:  mean over images of log( ||x* - x||^2 / pixels + floor )

    The logarithm counts every image alike, so smooth crops and easy operators as much as edges and hard ones.
    """

    def loss_step(
        model: nn.Module, batch: Mapping[str, Any], generator: torch.Generator
    ) -> tuple[Float[Tensor, ""], dict[str, float | Tensor]]:
        assert isinstance(model, ImplicitNetwork | GuidedNetwork)
        problem = problems[int(torch.randint(len(problems), (1,), generator=generator, device=generator.device))]
        solver_steps, adjoint_steps = schedule.at(batch["done"])
        truth = problem.truth(batch["images"], generator)
        y, sigma = problem.measure(truth, generator)
        solution, at, weight, precondition = reconstruction_steps(model, problem, y, sigma, solver_steps)
        with torch.enable_grad():
            free = solution.clone().requires_grad_()
            errors = (problem.scored(free) - problem.scored(truth)).square().mean((1, 2, 3))
            error = GAIN * errors.mean() if loss == "mse" else (errors + FLOOR).log().mean()
            (slope,) = torch.autograd.grad(error, free)
        with torch.no_grad():
            hessian = at.hessian(solution)

            def product(v: Images) -> Images:
                return problem.physics.A_adjoint(problem.physics.A(v)) + weight * hessian.product(v)

            v, convex = conjugate_gradients(product, slope, precondition, adjoint_steps)
        # d loss = -<v, d(weight grad R)>; directional is linear in its second argument, so the weight may stand there
        surrogate = -at.directional(solution, v * weight)
        value = error.detach() + surrogate - surrogate.detach()
        psnr, factor = (-10 * errors.detach().log10()).mean(), base_of(model).log_weight.exp().mean()
        return value, {"psnr": psnr, "negative_curvature": (~convex).float().mean(), "weight": factor}

    return loss_step


def validate_tuning(problems: list[RandomProblem], crops: Images, solver_steps: int) -> Any:
    """Return the validation: mean PSNR over fixed operators at N and 3 N gradients, noise in the middle of its range."""

    def validate(model: nn.Module, generator: torch.Generator) -> dict[str, float]:
        assert isinstance(model, ImplicitNetwork | GuidedNetwork)
        found: dict[str, list[float]] = {}
        for index, problem in enumerate(problems[: len(crops)]):
            clean = crops[index :: len(problems)]
            truth = problem.truth(clean, generator)
            y, sigma = problem.measure(truth, generator, share=0.5)
            for count in (solver_steps, 3 * solver_steps):
                x = reconstruction_steps(model, problem, y, sigma, count)[0]
                error = (problem.scored(x) - problem.scored(truth)).square().mean((1, 2, 3))
                found.setdefault(f"psnr_{count}", []).extend((-10 * error.log10()).tolist())
        return {name: sum(values) / len(values) for name, values in found.items()}

    return validate
