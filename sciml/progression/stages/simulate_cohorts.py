"""Stage `simulate-cohorts`: the subjects of the study, those that calibrate its measurements, and tables without images."""

from __future__ import annotations

from pathlib import Path

from sciml.progression.config import SimulateCohortsConfig
from sciml.progression.simulation.tables import simulate_tables
from sciml.progression.stages import simulate
from sciml.runtime.provenance import Recorder


def run(config: SimulateCohortsConfig, output: Path, workers: int = 1) -> list[Path]:
    """Write what the stage `simulate` writes, into a folder for each cohort, and `cohort.json` and `visits.csv` of the tables.

    Args:
        config: settings of each cohort, and of the tables.
        output: results folder of the study.
        workers: subjects that are simulated at a time.
    """
    recorder = Recorder("progression.simulate_tables", config.tables.model_dump(mode="json"))
    written = simulate_tables(config.tables, output / "tables")
    recorder.seeds = {"master": config.tables.seed}
    recorder.write(output / "tables" / "provenance.json", written)
    return [*written, *(path for name, cohort in config.cohorts.items() for path in simulate.run(cohort, output / name, workers))]
