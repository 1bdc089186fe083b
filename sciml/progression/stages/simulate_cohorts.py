"""Stage `simulate-cohorts`: the subjects of the study, those that calibrate its measurements, and tables without images."""

from __future__ import annotations

from pathlib import Path

from sciml.progression.cohorts.accuracy import Accuracy
from sciml.progression.config import SimulateCohortsConfig, SimulateConfig
from sciml.progression.simulation.cohort import simulate_cohort
from sciml.progression.simulation.tables import simulate_tables
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import read_result


def run(config: SimulateCohortsConfig, output: Path, workers: int = 1) -> list[Path]:
    """Write what `simulate_one` writes, into a folder for each cohort, and `cohort.json` and `visits.csv` of the tables.

    Args:
        config: settings of each cohort, and of the tables.
        output: results folder of the study.
        workers: subjects that are simulated at a time.
    """
    recorder = Recorder("progression.simulate_tables", config.tables.model_dump(mode="json"))
    written = simulate_tables(config.tables, output / "tables", workers)
    recorder.seeds = {"master": config.tables.seed}
    recorder.write(output / "tables" / "provenance.json", written)
    return [*written, *(path for name, cohort in config.cohorts.items() for path in simulate_one(cohort, output / name, workers))]


def simulate_one(config: SimulateConfig, output: Path, workers: int = 1) -> list[Path]:
    """Write a cohort folder with `accuracy.csv` and `accuracy.json`; equal settings come from the cache.

    Args:
        config: of the cohort.
        output: folder of the cohort.
        workers: subjects that are simulated at a time.
    """
    recorder = Recorder("progression.simulate", config.model_dump(mode="json"))
    paths = simulate_cohort(config, output, workers)
    accuracy = read_result(output / "accuracy.json", Accuracy)
    recorder.seeds = {"master": config.seed}
    recorder.notes = {"subjects": accuracy.subjects, "visits": accuracy.visits}
    recorder.write(output / "provenance.json", [*paths, output / "subjects"])
    return paths
