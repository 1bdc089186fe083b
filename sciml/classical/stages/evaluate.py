"""Stage `evaluate`: PSNR and SSIM of every reconstruction of every task, per case and with spread."""

from __future__ import annotations

from pathlib import Path

from sciml.classical.config import EvaluateConfig
from sciml.imaging.tasks.scores import write_scores


def run(config: EvaluateConfig, results: Path, output: Path) -> list[Path]:
    """Write `<task>/evaluate/metrics.json` of every task: a list of (variant, method) rows with every case's numbers.

    Args:
        config: the tasks.
        results: results folder of the study, in which measurements and reconstructions lie by task.
        output: the same folder, or another.

    Raises:
        DataError: a file is missing, or files do not belong together.
    """
    return [write_scores("imaging.evaluate", results / task, ("solve",), output / task / "evaluate") for task in config.tasks]
