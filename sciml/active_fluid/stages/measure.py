"""Stage `measure`: growth rates, then seconds a step, in one process."""

from __future__ import annotations

from pathlib import Path

from sciml.active_fluid.config import MeasureConfig
from sciml.active_fluid.stages import cost, theory


def run(config: MeasureConfig, weights: Path, output: Path) -> list[Path]:
    """Write `theory` and `cost`, each as the stage of that name does.

    Args:
        config: settings of both.
        weights: weight file of the learned closure.
        output: results folder of the study.
    """
    return [*theory.run(config.theory, weights, output / "theory"), *cost.run(config.cost, weights, output / "cost")]
