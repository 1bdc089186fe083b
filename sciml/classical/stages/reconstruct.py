"""Stage `reconstruct`: one task from its pictures to the reconstructions, `measure`, `tune` and `solve` in one process."""

from __future__ import annotations

from pathlib import Path

from sciml.classical.stages import measure, solve, tune
from sciml.imaging.tasks.studies import ReconstructConfig


def run(config: ReconstructConfig, output: Path, device: str = "cpu") -> list[Path]:
    """Write what the three stages write, into folders of these names; a run that was killed goes on where it stopped.

    Args:
        config: settings of the three.
        output: folder of the task.
        device: `cpu` or `cuda`.
    """
    (measurements,) = measure.run(config.measure, output / "measure")
    with tune.parameters_of(config.tune, measurements, output / "tune", device) as parameters:
        return [measurements, parameters, *solve.run(config.solve, measurements, parameters, output / "solve", device)]
