"""Stage `evaluate`: PSNR and SSIM of the learned and the classical reconstructions of every task."""

from __future__ import annotations

from pathlib import Path

from sciml.imaging.tasks.scores import write_scores
from sciml.proximal.config import EvaluateConfig


def run(config: EvaluateConfig, results: Path, output: Path) -> list[Path]:
    """Write `<task>/evaluate/metrics.json` of every task, each with its provenance.

    Its rows of (variant, method) are those of the classical study; a network's method is its name.

    Args:
        config: the tasks.
        results: results folder of the study, in which measurements, classical and learned reconstructions lie by task.
        output: folder to write to; the results folder itself in the workflow.

    Raises:
        DataError: a file is missing, or files do not belong together.
    """
    solvers = ("solve", "restore")
    return [write_scores("proximal.evaluate", results / task, solvers, output / task / "evaluate") for task in config.tasks]
