"""What is certain of a reconstruction: the conditions of its convergence theorem, each checked in numbers.

* variational: F never rises and Hess F <= ||A||^2 + weight L, so the iterates approach critical points of F; F is analytic, hence
  they converge to one (Absil, Mahony and Andrews, SIAM J. Optim. 2005, for descent steps; our steps meet its conditions).
* pgd, 0 < step < 1 / ||A||^2: critical point of F (Fang, Buchanan and Sulam, ICLR 2024, theorem on proximal gradients).
* admm, rho > ||A||^2: critical point of F (the same, theorem on ADMM).

The certificate of one run is about that run: what was observed (monotone, residual) is stated next to what is proved.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from sciml.imaging.priors import Certificate
from sciml.proximal.networks.network import LearnedProximalNetwork
from sciml.proximal.reconstruction.problem import PerImage, Problem, Trace, size_of


@dataclass(frozen=True)
class ConvergenceCertificate:
    """Whether convergence of one run is certain.

    Attributes:
        certified: whether all conditions hold.
        reason: one sentence: what is certain, or which conditions fail.
        numbers: the numbers behind it, JSON values.
    """

    certified: bool
    reason: str
    numbers: dict[str, float | bool | None] = field(default_factory=dict)


def prior_certificate(network: LearnedProximalNetwork, levels: PerImage) -> Certificate:
    """Return what is proved of R at all of these noise levels."""
    found = [network.certificate(float(level)) for level in levels.unique()]
    weak = [one.weak_convexity for one in found]
    smooth = [one.smoothness for one in found]
    return Certificate(
        weak_convexity=None if None in weak else max(w for w in weak if w is not None),
        smoothness=None if None in smooth else max(s for s in smooth if s is not None),
        bounded_below=all(one.bounded_below for one in found),
        exact_prox=all(one.exact_prox for one in found),
        reason=found[0].reason,
    )


def length_condition(solver: str, length: PerImage, norm_squared: float) -> str:
    """Return in words what a step or penalty breaks, empty if nothing; nothing is known of a nonlinear A."""
    if solver == "pgd" and float(length.max()) * norm_squared >= 1:
        return f"the step {float(length.max()):.4g} is not below 1 / ||A||^2 = {1 / norm_squared:.4g}"
    if solver == "admm" and float(length.min()) <= norm_squared:
        return f"the penalty {float(length.min()):.4g} is not above ||A||^2 = {norm_squared:.4g}"
    return ""


def certify(problem: Problem, solver: str, trace: Trace, length: PerImage) -> ConvergenceCertificate:
    """Return the certificate of a run."""
    prior, facts = prior_certificate(problem.network, problem.sigma), problem.facts
    weight = float(problem.weight.max())
    sequence = trace.lagrangian if solver == "admm" else trace.objective
    rise, allowed = _rise(sequence)
    if solver == "admm" and trace.changes:
        # what the linear system leaves, times the way that was gone
        left = problem.inner_tolerance * length * size_of(trace.image) * torch.stack(trace.changes).amax(0)
        allowed += float(left.max())
    if solver != "variational" and problem.network.form == "implicit":
        allowed += _unfinished(problem, trace, solver, length, prior)
    relative = float((trace.residual / size_of(trace.image).clamp(min=1e-12)).max())
    convex = prior.weak_convexity is not None and weight * prior.weak_convexity <= facts.smallest_squared
    numbers: dict[str, float | bool | None] = {
        "norm_squared": facts.norm_squared,
        "column_norm": facts.column_norm,
        "adjoint_gap": facts.adjoint_gap,
        "weight": weight,
        "weak_convexity": prior.weak_convexity,
        "smoothness": prior.smoothness,
        "length": None if solver == "variational" else float(length.max() if solver == "pgd" else length.min()),
        "largest_rise": rise,
        "allowed_rise": allowed,
        "residual": float(trace.residual.max()),
        "relative_residual": relative,
        "threshold": problem.threshold,
        "convex": convex,
    }
    bend = facts.smallest_squared - weight * (prior.weak_convexity or 0.0)
    if convex and bend > 0:
        # F is strongly convex: ||x - x*|| <= ||grad F|| / bend
        numbers["distance_bound"] = float(trace.residual.max()) / bend
    failed = []
    if not facts.linear:
        failed.append("the physics is nonlinear")
    elif broken := length_condition(solver, length, facts.norm_squared):
        failed.append(broken)
    if not prior.bounded_below:
        failed.append(f"the prior is not bounded below ({prior.reason})")
    if not prior.exact_prox or prior.smoothness is None:
        failed.append(f"the prior is not known to be smooth with an exact prox ({prior.reason})")
    if not rise <= allowed:
        failed.append(f"{'the augmented Lagrangian' if solver == 'admm' else 'F'} rose by {rise:.1e}")
    if not trace.converged:
        failed.append(f"the relative residual is {relative:.1e} after {len(trace.changes)} steps, not {problem.threshold:.1e}")
    if failed:
        return ConvergenceCertificate(False, "not certain: " + "; ".join(failed), numbers)
    kind = "the global minimiser" if convex else "a critical point"
    return ConvergenceCertificate(
        True, f"{kind} of F to a relative residual of {relative:.1e}; no step raised its objective", numbers
    )


def _rise(sequence: list[PerImage]) -> tuple[float, float]:
    """Return the largest rise of a sequence, and what rounding accounts for."""
    if len(sequence) < 2:
        return 0.0, 0.0
    values = torch.stack(sequence)
    rise = float((values[1:] - values[:-1]).max())
    return rise, 16 * torch.finfo(values.dtype).eps * float(values.abs().max())


def _unfinished(problem: Problem, trace: Trace, solver: str, length: PerImage, prior: Certificate) -> float:
    """Return by how much a prox that is solved to a relative residual may miss the least value of its objective.

    A prox 1/2 ||x - v||^2 + w R(x) left at a gradient e misses by at most ||e||^2 / (2 (1 - w rho)); F counts it 1 / step times.
    """
    multiple = problem.weight * length if solver == "pgd" else problem.weight / length
    scale = 1 / length if solver == "pgd" else length
    convexity = (1 - multiple * (prior.weak_convexity or 0.0)).clamp(min=1e-12)
    left = problem.prox_tolerance * size_of(trace.image)
    return float((scale * left.square() / (2 * convexity)).max())
