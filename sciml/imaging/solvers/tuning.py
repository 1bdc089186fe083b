"""How the one parameter of a classical method is found.

Rule: from the middle of the method's grid the best neighbour by mean PSNR on validation data is followed until no neighbour is
better, beyond the ends of the grid where it must; the value found is refined once by a parabola through it and its neighbours in
the logarithm of the parameter. Test data is never touched.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from sciml.imaging.metrics import psnr
from sciml.imaging.operators.linear import LinearPhysics
from sciml.imaging.solvers import classical
from sciml.imaging.tasks.catalogue import METHODS, Method, chosen, is_installed, methods_for
from sciml.imaging.tasks.task import Task

__all__ = ["METHODS", "Method", "Tuned", "chosen", "is_installed", "mean_psnr", "methods_for", "parabola_peak", "solve", "tune"]


@dataclass(frozen=True)
class Tuned:
    """A parameter chosen on validation data, the curve it was chosen from, and whether lower and higher values were worse."""

    value: float
    curve: Mapping[float, float]
    bracketed: bool


def solve(method: Method, y: Tensor, physics: LinearPhysics, value: float) -> Tensor:
    """Return the reconstruction of a batch with this value of the method's parameter.

    Args:
        method: a member of `METHODS`.
        y: measurements.
        physics: what made them.
        value: of the parameter; without meaning where the method has none.
    """
    return method.solver(classical, y, physics, value)


def mean_psnr(task: Task, estimate: Tensor, truth: Tensor) -> float:
    """Return the mean PSNR in dB of a batch, on what the task shows."""
    pairs = zip(task.picture(estimate).cpu().numpy(), task.picture(truth).cpu().numpy(), strict=True)
    return float(np.mean([psnr(a[0], b[0], 1) for a, b in pairs]))


def tune(method: Method, task: Task, y: Tensor, truth: Tensor) -> Tuned:
    """Return the parameter value that the rule above finds on validation measurements.

    Args:
        method: a method with a parameter.
        task: the task that made `y`.
        y: validation measurements.
        truth: the pictures they were made from.
    """

    curve: dict[float, float] = {}

    def quality(value: float) -> float:
        if value not in curve:
            curve[value] = mean_psnr(task, solve(method, y, task.physics, value), truth)
        return curve[value]

    best = len(method.grid) // 2
    while True:
        rungs = {index: method.value_at(index) for index in (best, best - 1, best + 1)}
        near = {index: quality(value) for index, value in rungs.items() if value is not None}
        following = max(near, key=lambda index: near[index])
        if following == best:
            break
        best = following
    bracketed = len(near) == 3 or method.value_at(best) == method.highest
    ordered = sorted(value for value in rungs.values() if value is not None)
    refined = parabola_peak([math.log(value) for value in ordered], [curve[value] for value in ordered])
    if refined is not None:
        quality(math.exp(refined))
    return Tuned(max(curve, key=lambda value: curve[value]), dict(sorted(curve.items())), bracketed)


def parabola_peak(x: list[float], f: list[float]) -> float | None:
    """Return the peak of the parabola through the best point and its two neighbours; None at an end of the grid."""
    best = int(np.argmax(f))
    if not 0 < best < len(x) - 1:
        return None
    a, b, _ = np.polyfit(x[best - 1 : best + 2], f[best - 1 : best + 2], 2)
    return float(-b / (2 * a)) if a < 0 else None
