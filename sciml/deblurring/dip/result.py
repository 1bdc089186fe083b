"""What a fit of untrained networks gives back, while it runs and at its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from sciml.deblurring.dip.networks import reflect_to
from sciml.deblurring.dip.objective import Canvas, Objective, Picture
from sciml.deblurring.dip.state import FitState
from sciml.imaging.operators.kernels import Kernel

Curves = dict[str, list[tuple[int, float]]]


@dataclass(frozen=True)
class Snapshot:
    """What a caller sees of a running fit: copies, which it may keep or change.

    Attributes:
        iteration: steps after the warm start.
        image: running mean, cropped to the picture.
        canvas: the same with the margin around it.
        residual: running mean of R, or None.
        kernel: k_hat + dk.
        terms: the terms of the objective, with `misfit` and `held_out` in sigma.
    """

    iteration: int
    image: Picture
    canvas: Canvas
    residual: Picture | None
    kernel: Kernel
    terms: dict[str, float]


@dataclass(frozen=True)
class Untrained:
    """The result of a fit.

    Attributes:
        image: estimate of the picture, (1, channel, height, width), pixels in [0, 1].
        canvas: the same with the margin of half a kernel around it that the blur has seen.
        residual: R, what the wrong kernel left in y; None where the mode has none.
        artefact: h, the part that is sparse in the cosine domain; None where the mode has none.
        kernel: k_hat + dk; the given kernel where it is not learned.
        iterations: steps done after the warm start.
        chosen: the step whose running mean this is.
        reason: why it stopped, in words.
        share: of the networks' change that was taken; 1 without a warm start to mix them with, 0 where it fell back.
        network: canvas image of the networks alone at the chosen iteration.
        network_residual: their R there, or None.
        fell_back: whether this is the warm start (or, without one, the blurred picture) because the fit failed.
        curves: by name, (iteration, value): the terms of the objective, and what each stop rule watched, in sigma.
        would_stop: by rule, the iteration that it alone would have returned; None where it would not have stopped.
    """

    image: Picture
    canvas: Canvas
    residual: Picture | None
    artefact: Picture | None
    kernel: Kernel
    iterations: int
    chosen: int
    reason: str
    share: float
    network: Canvas
    network_residual: Picture | None
    fell_back: bool
    curves: Curves = field(repr=False)
    would_stop: dict[str, int | None]


def result_of(state: FitState, objective: Objective, means: Mapping[str, Tensor], reason: str, share: float = 1.0) -> Untrained:
    """Return the result whose arrays are `means`: the running means of the chosen iteration, or their mixture with the start."""
    return _result(state, objective, means, state.rule.chosen, reason, share, fell_back=False)


def fallen_back(state: FitState, objective: Objective, start: Canvas | None, why: str) -> Untrained:
    """Return the warm start as the result; without a usable one, the blurred picture reflected onto the canvas."""
    if start is not None and bool(start.isfinite().all()):
        canvas, what = start.detach().clone(), "the warm start"
    else:
        canvas, what = reflect_to(objective.y, objective.blur.canvas)[0], "the blurred picture"
    return _result(state, objective, {"image": canvas}, 0, f"fell back to {what}: {why}", 0.0, fell_back=True)


def kernel_of(objective: Objective, means: Mapping[str, Tensor]) -> Kernel:
    """Return k_hat + dk as a float64 array."""
    kernel = objective.kernel + means["correction"] if "correction" in means else objective.kernel
    return np.array(kernel.detach().cpu().double().numpy())


def _result(
    state: FitState, objective: Objective, means: Mapping[str, Tensor], chosen: int, reason: str, share: float, fell_back: bool
) -> Untrained:
    curves: Curves = state.rule.curves()
    for iteration, row in state.losses:
        for name, value in row.items():
            curves.setdefault(name, []).append((iteration, value))
    return Untrained(
        image=objective.blur.crop(means["image"]).clone(),
        canvas=means["image"],
        residual=means.get("residual"),
        artefact=means.get("artefact"),
        kernel=kernel_of(objective, means),
        iterations=max(0, state.iterations),
        chosen=chosen,
        reason=reason,
        share=share,
        network=state.best.get("image", means["image"]),
        network_residual=state.best.get("residual"),
        fell_back=fell_back,
        curves=curves,
        would_stop=state.rule.would_stop(),
    )
