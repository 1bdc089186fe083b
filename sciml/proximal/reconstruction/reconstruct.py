"""Reconstruct an image from linear measurements with a learned proximal network, and say what is certain of the result.

    minimise  F(x) = 1/2 ||A x - y||^2 + weight (sigma_n / sigma)^2 R_sigma(x)

For a network that knows the noise, R_sigma / sigma^2 is minus the logarithm of one prior, so `weight` 1 is Bayes' rule for
data noise sigma_n (times what the network learned for reconstructions). Two choices of sigma:

* implicit form: sigma = sigma_n / c, c the root mean square column norm of A. That is the noise seen by a pixel: the data
  term is about c^2 times that of denoising with noise sigma. With A = I the reconstruction is the denoiser.
* explicit form: the one for which the prox of the solver is the network itself, (weight sigma_n^2 / sigma^2) step = 1; with
  another sigma the prox is solved for, which is exact as well and slower.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import torch
from torch import Tensor

from sciml.imaging.operators.linear import LinearPhysics, Physics
from sciml.imaging.solvers.classical import first_guess
from sciml.proximal.networks.guided import FIRST_TOLERANCE, GuidedNetwork
from sciml.proximal.networks.network import LearnedProximalNetwork, Sigma
from sciml.proximal.optimise.minimize import Images
from sciml.proximal.reconstruction.convergence import ConvergenceCertificate, certify
from sciml.proximal.reconstruction.operators import OperatorFacts, inspect_operator
from sciml.proximal.reconstruction.problem import OnIteration, PerImage, Problem, Trace
from sciml.proximal.reconstruction.scale import natural_scale, noise_levels
from sciml.proximal.reconstruction.splitting import alternating_directions, proximal_gradients
from sciml.proximal.reconstruction.units import DataRange, Units, as_one
from sciml.proximal.reconstruction.variational import guarded, variational
from sciml.runtime.errors import ConfigError, DataError, ShapeError

Network = TypeVar("Network", LearnedProximalNetwork, GuidedNetwork)
SOLVERS = ("auto", "variational", "pgd", "admm")
LARGE = 20.0
# where nothing is said, a run ends at its tolerance, or where it makes no progress; these only end what would never stop
ITERATIONS = {"variational": 10_000, "pgd": 5_000, "admm": 2_000}


@dataclass(frozen=True)
class Reconstruction:
    """A reconstruction, how it came about and what is certain of it.

    Attributes:
        image: the reconstruction on the grid of the physics, not clipped.
        objective: F of each image, for every accepted iterate.
        lagrangian: augmented Lagrangian of each image and iteration; ADMM only.
        steps: step length (for ADMM the penalty) of each image and iteration; empty for quasi-Newton steps.
        changes: ||dx|| of each image and iteration.
        residual: ||grad F|| at `image`.
        iterations: number of accepted steps.
        gradients: number of gradients of the data term.
        safe_steps: how often the safeguard replaced a step.
        converged: whether the residual met the tolerance.
        weight: what multiplies R_sigma in F, each image.
        sigma: noise level of R_sigma, each image.
        noise_std: standard deviation of the noise in y, each image.
        operator_norm: upper estimate of ||A||.
        solver: variational, pgd or admm.
        network: the network whose R is in F; of one with a guide, that with its thresholds fixed.
        certificate: whether convergence is certified, why, and the numbers behind it.
    """

    image: Images
    objective: list[PerImage]
    lagrangian: list[PerImage]
    steps: list[PerImage]
    changes: list[PerImage]
    residual: PerImage
    iterations: int
    gradients: int
    safe_steps: int
    converged: bool
    weight: PerImage
    sigma: PerImage
    noise_std: PerImage
    operator_norm: float
    solver: str
    network: LearnedProximalNetwork = field(repr=False)
    certificate: ConvergenceCertificate = field(repr=False)


def reconstruct(
    y: Tensor | Sequence[Tensor],
    physics: Physics,
    network: LearnedProximalNetwork | GuidedNetwork,
    noise_std: Sigma | None = None,
    *,
    weight: Sigma | None = None,
    sigma: Sigma | None = None,
    solver: str = "auto",
    step: float | None = None,
    penalty: float | None = None,
    accelerate: bool = True,
    start: Images | None = None,
    iterations: int | None = None,
    tolerance: float = 3e-4,
    allow_uncertified: bool = False,
    facts: OperatorFacts | None = None,
    data_range: DataRange = 1.0,
    on_iteration: OnIteration | None = None,
) -> Reconstruction:
    """Return a critical point of F, with its certificate.

    The result does not depend on the scale of A, y and the noise: all are solved for with an operator of norm about 1.

    Args:
        y: measurement, shape (batch, ...), as the physics makes it; several tensors for a stack of physics.
        physics: any deepinv physics; a nonlinear one with the solver pgd and a `step`, without certificate.
        network: learned proximal network, of either form. One with a guide reconstructs twice: the second F has the thresholds
            that are read off the first solution, fixed, and is what the result tells of; its gradients are those of both.
        noise_std: standard deviation of the noise in an entry of y, one number or one an image; None: that of the physics.
        weight: multiple of the natural weight of the prior, one number or one an image; 1 by default.
        sigma: noise level of R; None: see the module.
        solver: `variational` (implicit form), `pgd`, `admm`, or `auto`: variational for the implicit form and pgd for the
            explicit.
        step: step length of pgd, below 1 / ||A||^2; None: 0.98 / ||A||^2.
        penalty: rho of ADMM, above ||A||^2; None: 1.05 ||A||^2.
        accelerate: momentum in pgd, dropped wherever it would raise F.
        start: first iterate; None: the reconstruction with total variation (variational), otherwise filtered back-projection,
            edge extension or A^T y times the number that fits y best, after the physics.
        iterations: largest number of gradients (variational) or steps; None: until the tolerance is met or nothing moves any
            more. A variational run that comes to a halt above its tolerance goes on by guarded proximal gradients.
        tolerance: stop at ||grad F|| <= tolerance c^2 ||x||, the relative residual in units of denoising.
        allow_uncertified: run with a step or penalty on the wrong side of ||A||^2; the certificate then says so.
        facts: what `inspect_operator` returned, to measure an operator once for many reconstructions.
        data_range: value of the picture that is 1 for the prior, such as 255, or the two values that are 0 and 1; `noise_std`
            stays in the units of y, `sigma` is on the prior's scale from 0 to 1.
        on_iteration: called with the number of iterations, the iterate and F of each image, both as the solver sees them: a
            picture on [0, 1] and an operator of norm about 1. With a guide the numbers go on through both solutions.

    Raises:
        ConfigError: a setting is out of its range, the adjoint is wrong, or a step breaks its condition.
        ShapeError, DataError: y is no measurement of this physics, or holds NaN.
        NumericalError: the iterates diverged.

    Example:
        >>> from sciml.imaging import task
        >>> from sciml.proximal.settings.structures import RegularizerConfig
        >>> from sciml.proximal.networks.implicit import ImplicitNetwork
        >>> blur = task("deblur", size=(32, 32))
        >>> y = blur.measure(torch.rand(1, 1, *blur.canvas), torch.Generator().manual_seed(0))
        >>> reconstruct(y, blur.physics, ImplicitNetwork(RegularizerConfig())).certificate.certified
        True
    """
    guided = network if isinstance(network, GuidedNetwork) else None
    network = network.base if isinstance(network, GuidedNetwork) else network
    chosen = _solver(solver, network, physics)
    _check_settings(tolerance, iterations, step, penalty)
    one, made_by = as_one(y, physics)
    _check_measurement(one)
    with torch.no_grad():
        like = _start(one, made_by, guided or network, start)
        network = in_type(network, like)
        facts = facts or inspect_operator(made_by, like)
        units = Units.of(facts, data_range)
        x = units.inside(like)
        if start is None and x is not like:
            x = _start(units.of_unit_pictures(one, made_by, like), made_by, network, None)
        noise = noise_levels(one, made_by, like, noise_std)
        scale = natural_scale(network, facts, chosen, noise / units.width, weight, sigma, step, penalty, like)
        scale.check(allow_uncertified)
        square = units.scale**2
        unit = 1 / square if chosen == "admm" else square
        length = scale.length * unit
        threshold = tolerance * scale.column_norm**2 / square
        # grad F counts what a prox leaves 1 / step times; the floors are what the inner solvers reach in this floating type
        share = float(length.min()) if chosen == "pgd" else 1 / float(length.max())
        problem = Problem(
            y=units.of_unit_pictures(one, made_by, like) / units.scale,
            physics=units.physics(made_by),
            network=network,
            sigma=scale.sigma,
            weight=scale.weight / square,
            facts=units.facts(facts),
            threshold=threshold,
            prox_tolerance=max(0.1 * threshold * share, 20 * torch.finfo(like.dtype).eps),
            inner_tolerance=max(min(0.05 * threshold, 1e-6), 8 * torch.finfo(like.dtype).eps),
        )
        _warn_large(x)

        def solved(problem: Problem, x: Images, smooth: bool, before: int = 0) -> Trace:
            def watch(count: int, x: Images, value: Tensor) -> None:
                if on_iteration is not None:
                    on_iteration(before + count, x, value)

            limit = ITERATIONS[chosen] if iterations is None else iterations
            if chosen == "pgd":
                return proximal_gradients(problem, x, length, limit, accelerate, watch)
            if chosen == "admm":
                return alternating_directions(problem, x, length, limit, on_iteration=watch)
            trace = variational(problem, x, limit, smooth, watch)
            return trace if trace.converged or iterations is not None else guarded(problem, trace, watch)

        if guided is None:
            trace = solved(problem, x, start is None)
        else:
            rough = max(tolerance, FIRST_TOLERANCE) * scale.column_norm**2 / square
            first = solved(replace(problem, threshold=rough), x, start is None)
            problem = replace(problem, network=in_type(guided, like).fixed(first.image, scale.sigma))
            trace = solved(problem, first.image, False, first.gradients)
            trace = replace(trace, gradients=first.gradients + trace.gradients)
        whole = replace(problem, weight=scale.weight, facts=facts, threshold=threshold * square)
        trace = units.of_operator(trace, 1 / unit)
        certificate = units.certificate(certify(whole, chosen, trace, scale.length))
    return _result(replace(whole, weight=whole.weight * units.width**2), units.of_picture(trace), chosen, noise, certificate)


def _result(problem: Problem, trace: Trace, solver: str, noise: PerImage, certificate: ConvergenceCertificate) -> Reconstruction:
    return Reconstruction(
        image=trace.image,
        objective=trace.objective,
        lagrangian=trace.lagrangian,
        steps=trace.steps,
        changes=trace.changes,
        residual=trace.residual,
        iterations=len(trace.changes),
        gradients=trace.gradients,
        safe_steps=trace.safe_steps,
        converged=trace.converged,
        weight=problem.weight,
        sigma=problem.sigma,
        noise_std=noise,
        operator_norm=math.sqrt(problem.facts.norm_squared),
        solver=solver,
        network=problem.network,
        certificate=certificate,
    )


def in_type(network: Network, like: Tensor) -> Network:
    """Return the network with weights of the type and place of `like`; a copy where they have others."""
    parameter = next(network.parameters(), None)
    if parameter is None or (parameter.dtype == like.dtype and parameter.device == like.device):
        return network
    return copy.deepcopy(network).to(like.device, like.dtype)


def _solver(solver: str, network: LearnedProximalNetwork, physics: Physics) -> str:
    if solver not in SOLVERS:
        raise ConfigError(f"the solver is one of {', '.join(SOLVERS)}, got {solver!r}")
    linear = isinstance(physics, LinearPhysics)
    if solver == "auto":
        solver = "variational" if network.form == "implicit" and linear else "pgd"
    if solver == "variational" and network.form != "implicit":
        raise ConfigError("the solver variational needs R itself, the implicit form; take pgd or admm for the explicit form")
    if solver != "pgd" and not linear:
        raise ConfigError(f"{type(physics).__name__} is nonlinear: only the solver pgd takes it, without certificate")
    return solver


def _check_settings(tolerance: float, iterations: int | None, step: float | None, penalty: float | None) -> None:
    for name, value in (("tolerance", tolerance), ("step", step), ("penalty", penalty)):
        if value is not None and not (value > 0 and math.isfinite(value)):
            raise ConfigError(f"the {name} is a number above 0, got {value}")
    if iterations is not None and iterations < 1:
        raise ConfigError(f"a reconstruction takes at least one iteration, got {iterations}")


def _check_measurement(y: Tensor) -> None:
    if not isinstance(y, Tensor) or y.numel() == 0:
        raise ShapeError(f"the measurement is one tensor that is not empty, got {type(y).__name__}")
    if not y.dtype.is_floating_point:
        raise ShapeError(f"the measurement is {y.dtype}, expected real floats (complex data as two channels)")
    if not bool(y.isfinite().all()):
        position = tuple((~y.isfinite()).nonzero()[0].tolist())
        raise DataError(f"the measurement holds {float(y[position])} at index {position}")


def _start(y: Tensor, physics: Physics, network: LearnedProximalNetwork | GuidedNetwork, start: Images | None) -> Images:
    if start is None and not isinstance(physics, LinearPhysics):
        raise ConfigError(f"{type(physics).__name__} is nonlinear: give a start")
    try:
        x = first_guess(y, physics) if start is None and isinstance(physics, LinearPhysics) else start
        if not isinstance(x, Tensor):
            raise ShapeError(f"the start is an image, got {type(x).__name__}")
        made = physics.A(x)
    except (RuntimeError, ValueError, IndexError) as error:
        raise ShapeError(f"y of shape {tuple(y.shape)} does not fit {type(physics).__name__}: {error}") from error
    if not isinstance(made, Tensor) or made.shape != y.shape:
        got = tuple(made.shape) if isinstance(made, Tensor) else type(made).__name__
        raise ShapeError(f"y has shape {tuple(y.shape)}, but {type(physics).__name__} makes {got} of the start {tuple(x.shape)}")
    return network.check_images(x, "the start of the reconstruction").contiguous()


def _warn_large(x: Images) -> None:
    if float(x.abs().max()) > LARGE:
        warnings.warn(
            f"the first guess has values up to {float(x.abs().max()):.3g}, but the prior was trained on images on [0, 1]: say "
            "which value is 1 with data_range (255 for 8 bits), or scale the data",
            stacklevel=3,
        )
