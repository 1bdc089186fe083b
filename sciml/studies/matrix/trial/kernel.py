"""The methods of `sciml.deblurring` that take the kernel as only roughly known, at their defaults."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import torch

from sciml.deblurring import DipConfig, deblur
from sciml.imaging.operators.convolution import ValidBlur
from sciml.studies.matrix.settings.rows import LEARNED_CORRECTED, RESIDUAL, TV_CORRECTED
from sciml.studies.matrix.trial.contestant import Contestant, Outcome
from sciml.studies.matrix.trial.problems import Problem

UNPROVED = "picture and kernel are found together, of which nothing is proved"


def contestants(iterations: int, weights: Path) -> Iterator[Contestant]:
    """Yield the methods.

    Args:
        iterations: most steps of the deep residual prior.
        weights: file of the network behind the learned prior.
    """
    ways: dict[str, dict[str, Any]] = {
        TV_CORRECTED: {"prior": "tv", "error": "warp"},
        LEARNED_CORRECTED: {"prior": f"lpn:{weights}", "error": "warp"},
        RESIDUAL: {"prior": "dip", "error": "residual", "dip": DipConfig(iterations=iterations)},
    }
    for name, way in ways.items():

        def run(problem: Problem, way=way) -> Outcome:
            blur = cast(ValidBlur, problem.told.physics)
            noise = float(problem.told.options["sigma"])
            kernel = blur.kernel.numpy().reshape(blur.kernel.shape[-2:])
            found = deblur(problem.data[0, 0].numpy(), kernel, noise_std=noise, seed=problem.draw, **way)
            return Outcome(torch.from_numpy(found.image)[None, None].float(), False, UNPROVED)

        yield Contestant(name, run)
