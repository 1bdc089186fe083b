"""Stage `simulate-cohorts`: the subjects of the study and those that calibrate its measurements, one cohort after the other."""

from __future__ import annotations

from pathlib import Path

from sciml.progression.config import SimulateCohortsConfig
from sciml.progression.stages import simulate


def run(config: SimulateCohortsConfig, output: Path, workers: int = 1) -> list[Path]:
    """Write what the stage `simulate` writes, into a folder for each cohort.

    Args:
        config: settings of each cohort.
        output: results folder of the study.
        workers: subjects that are simulated at a time.
    """
    return [path for name, cohort in config.cohorts.items() for path in simulate.run(cohort, output / name, workers)]
