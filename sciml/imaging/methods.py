"""The registry of classical methods, each with the one parameter that is tuned, and the rule that tunes it.

Rule: every value of the method's grid is tried on validation data; the value of the best mean PSNR is refined once by a
parabola through it and its neighbours in the logarithm of the parameter. Test data is never touched.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from deepinv.physics import LinearPhysics
from torch import Tensor

from sciml.imaging import solvers
from sciml.imaging.metrics import psnr
from sciml.imaging.tasks import Task
from sciml.runtime.errors import ConfigError

WEIGHT_GRID = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True)
class Method:
    """A classical reconstruction method.

    Attributes:
        title: name in tables.
        tasks: names of the tasks that it applies to.
        solve: (y, physics, value of the parameter) -> images on the physics' grid.
        parameter: what the tuned number is; None when the method has none.
        grid: values tried on validation data, increasing and positive.
        citation: key in `references.bib`.
        package: an extra that must be importable; without it the row reads `not installed`.
    """

    title: str
    tasks: tuple[str, ...]
    solve: Callable[[Tensor, LinearPhysics, float], Tensor]
    parameter: str | None
    grid: tuple[float, ...]
    citation: str
    package: str | None = None


INVERSE = ("deblur", "ct-sparse", "ct-limited", "mri-cs", "inpaint")

METHODS: dict[str, Method] = {
    "zero-filled": Method(
        "zero-filled", ("mri-cs", "inpaint"), lambda y, p, _: solvers.zero_filled(y, p), None, (), "lustig2007"
    ),
    "fbp": Method("FBP (ramp)", ("ct-sparse", "ct-limited"), lambda y, p, _: solvers.fbp(y, p), None, (), "kak1988"),
    "fbp-hann": Method(
        "FBP (Hann)",
        ("ct-sparse", "ct-limited"),
        lambda y, p, value: solvers.fbp(y, p, min(value, 1.0), "hann"),
        "cutoff, fraction of Nyquist",
        (0.25, 0.35, 0.5, 0.7, 1.0),
        "kak1988",
    ),
    "wiener": Method(
        "Wiener", ("deblur",), solvers.wiener, "balance of the Laplacian penalty", (1e-3, 1e-2, 0.1, 1.0, 10.0), "wiener1949"
    ),
    "richardson-lucy": Method(
        "Richardson-Lucy", ("deblur",), solvers.richardson_lucy, "iterations", (4.0, 8.0, 16.0, 32.0, 64.0), "richardson1972"
    ),
    "nlm": Method(
        "non-local means", ("denoise",), solvers.non_local_means, "h / sigma", (0.5, 0.6, 0.75, 0.9, 1.1), "buades2005"
    ),
    "wavelet-l1": Method(
        "wavelet l1",
        ("denoise", *INVERSE),
        lambda y, p, value: solvers.wavelet_l1(y, p, value * solvers.noise_weight(y, p)),
        "weight / (sigma x column norm)",
        (0.5, 1.0, 2.0, 3.0),
        "donoho1995",
    ),
    "tv": Method(
        "total variation",
        ("denoise", *INVERSE),
        lambda y, p, value: solvers.tv(y, p, value * solvers.noise_weight(y, p)),
        "weight / (sigma x column norm)",
        WEIGHT_GRID,
        "rudin1992",
    ),
    "bm3d": Method("BM3D", ("denoise",), solvers.bm3d, "strength", (0.9, 1.0, 1.1), "dabov2007", "bm3d"),
}


def methods_for(task_name: str) -> list[str]:
    """Return the names of the methods that apply to a task, in table order."""
    return [name for name, method in METHODS.items() if task_name in method.tasks]


def chosen(task_name: str, names: tuple[str, ...] | None) -> list[str]:
    """Return the methods to run on a task: those named, or all that apply; extras that are not installed are left out.

    Raises:
        ConfigError: a named method is unknown or does not apply to the task.
    """
    applicable = methods_for(task_name)
    for name in names or ():
        if name not in applicable:
            raise ConfigError(f"method {name!r} does not apply to {task_name}; those that do: {', '.join(applicable)}")
    return [name for name in (names or applicable) if is_installed(METHODS[name])]


def is_installed(method: Method) -> bool:
    """Return whether the extra package of a method, if it needs one, can be imported."""
    return method.package is None or find_spec(method.package) is not None


@dataclass(frozen=True)
class Tuned:
    """A parameter chosen on validation data, with the whole curve that it was chosen from."""

    value: float
    curve: Mapping[float, float]


def mean_psnr(task: Task, estimate: Tensor, truth: Tensor) -> float:
    """Return the mean PSNR in dB of a batch, on what the task shows."""
    pairs = zip(task.picture(estimate).cpu().numpy(), task.picture(truth).cpu().numpy(), strict=True)
    return float(np.mean([psnr(a[0], b[0]) for a, b in pairs]))


def tune(method: Method, task: Task, y: Tensor, truth: Tensor) -> Tuned:
    """Return the parameter value that the rule above finds on validation measurements.

    Args:
        method: a method with a parameter.
        task: the task that made `y`.
        y: validation measurements.
        truth: the pictures they were made from.
    """

    def quality(value: float) -> float:
        return mean_psnr(task, method.solve(y, task.physics, value), truth)

    curve = {value: quality(value) for value in method.grid}
    refined = parabola_peak([math.log(value) for value in method.grid], list(curve.values()))
    if refined is not None:
        curve[math.exp(refined)] = quality(math.exp(refined))
    return Tuned(max(curve, key=lambda value: curve[value]), dict(sorted(curve.items())))


def parabola_peak(x: list[float], f: list[float]) -> float | None:
    """Return the peak of the parabola through the best point and its two neighbours; None at an end of the grid."""
    best = int(np.argmax(f))
    if not 0 < best < len(x) - 1:
        return None
    a, b, _ = np.polyfit(x[best - 1 : best + 2], f[best - 1 : best + 2], 2)
    return float(-b / (2 * a)) if a < 0 else None
