"""Which way a kernel's file lies cannot be known from the file; what each way explains of the photograph can be compared."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sciml.deblurring.correction.kernel_step import LARGEST_FIT, busiest, evidence_of
from sciml.deblurring.kernels.canonical import Canonical
from sciml.deblurring.solvers.image import TV_STEPS, natural_weight
from sciml.deblurring.solvers.tv import Canvas, total_variation
from sciml.imaging.operators.kernels import Kernel
from sciml.runtime.errors import ConfigError

Place = tuple[float, float]
ORIENTATIONS: dict[str, tuple[Callable[[Kernel], Kernel], Callable[[float, float], Place]]] = {
    "given": (lambda kernel: kernel, lambda down, right: (down, right)),
    "left-right": (lambda kernel: kernel[:, ::-1], lambda down, right: (down, -right)),
    "up-down": (lambda kernel: kernel[::-1], lambda down, right: (-down, right)),
    "turned-180": (lambda kernel: kernel[::-1, ::-1], lambda down, right: (-down, -right)),
    "transposed": (lambda kernel: kernel.T, lambda down, right: (right, down)),
    "transposed-180": (lambda kernel: kernel[::-1, ::-1].T, lambda down, right: (-right, -down)),
    "turned-90": (lambda kernel: np.rot90(kernel), lambda down, right: (-right, down)),
    "turned-270": (lambda kernel: np.rot90(kernel, 3), lambda down, right: (right, -down)),
}
"""The eight ways in which a square lies, and where a displacement goes; turns are counter-clockwise.

A kernel stored for correlation instead of convolution is `turned-180`.
"""

ALIKE = 1e-3
CLEAR = 0.02


@dataclass(frozen=True)
class Fit:
    """How one orientation of the kernel explains the photograph.

    Attributes:
        name: of `ORIENTATIONS`.
        misfit: root mean square of what total variation leaves of the photograph, in units of the noise.
        held_out: mean square error at pixels left out of the restoration, relative to that of the given kernel.
        like: an earlier orientation with the same kernel, or an empty text.
    """

    name: str
    misfit: float
    held_out: float
    like: str = ""


def oriented(kernel: Kernel, name: str) -> Kernel:
    """Return the kernel in one of the eight orientations.

    Raises:
        ConfigError: an unknown name.
    """
    if name not in ORIENTATIONS:
        raise ConfigError(f"there is no orientation {name!r}: known are {', '.join(ORIENTATIONS)}")
    return np.ascontiguousarray(ORIENTATIONS[name][0](kernel))


def turned(given: Canonical, name: str) -> Canonical:
    """Return what the kernel's array would have given in another orientation."""
    if name == "given":
        return given
    kernel, shift = oriented(given.kernel, name), ORIENTATIONS[name][1](*given.shift)
    return Canonical(kernel, shift, (*given.notes, f"The kernel was put into another orientation, as asked: {name}."))


def compare_orientations(
    y: Float[Tensor, "1 1 height width"],
    kernel: Kernel,
    sigma: float,
    mask: Float[Tensor, "height width"] | None = None,
    seed: int = 0,
) -> list[Fit]:
    """Return how well the kernel explains the photograph in each orientation, in the order of `ORIENTATIONS`.

    Args:
        y: luminance, linear light; of a large picture the part with the strongest edges is taken.
        kernel: canonical.
        sigma: standard deviation of the noise of y.
        mask: 1 where pixels are trusted.
        seed: of the held-out pixels.

    Raises:
        DataError: too few pixels to judge by.
    """
    part = busiest(y, mask, max(LARGEST_FIT, 8 * kernel.shape[0]))
    y, mask = y[(..., *part)], None if mask is None else mask[part]
    weight = natural_weight(kernel, sigma)
    evidence = evidence_of(y, sigma, mask, seed)
    distinct: dict[str, Kernel] = {}
    like: dict[str, str] = {}
    for name in ORIENTATIONS:
        turned = oriented(kernel, name)
        same = [other for other, known in distinct.items() if np.abs(known - turned).max() <= ALIKE * kernel.max()]
        if same:
            like[name] = same[0]
        else:
            distinct[name] = turned
    values = evidence(list(distinct.values()))
    solution = total_variation(Canvas.of(y, np.stack(list(distinct.values())), mask), weight, TV_STEPS)
    trusted = float(y.numel() if mask is None else torch.count_nonzero(mask))
    fits: dict[str, Fit] = {}
    for index, name in enumerate(distinct):
        misfit = math.sqrt(float(solution.misfit[index]) / trusted) / sigma
        fits[name] = Fit(name, misfit, math.exp(float(values[index] - values[0])))
    return [
        fits[name] if name in fits else Fit(name, fits[like[name]].misfit, fits[like[name]].held_out, like[name])
        for name in ORIENTATIONS
    ]


def table(fits: list[Fit]) -> list[str]:
    """Return the comparison as lines: a head, one line an orientation, and the verdict."""
    lines = [f"{'orientation':16}{'misfit / noise':>15}{'held-out error':>16}"]
    for fit in fits:
        same = f"  (same as {fit.like})" if fit.like else ""
        lines.append(f"{fit.name:16}{fit.misfit:15.2f}{fit.held_out:16.3f}{same}")
    return [*lines, verdict(fits)]


def verdict(fits: list[Fit]) -> str:
    """Return in one sentence what the comparison says."""
    best = min(fits, key=lambda fit: (fit.held_out, bool(fit.like)))
    gain = 1 - best.held_out
    if gain < CLEAR:
        return "No other orientation predicts held-out pixels clearly better than the kernel as given."
    return (
        f"The kernel {best.name} predicts held-out pixels {gain:.0%} better than as given; nothing was switched: "
        f"say --orientation {best.name} if your kernel may lie that way."
    )
