"""Stage `simulate`: a cohort whose truth is known."""

from __future__ import annotations

from pathlib import Path

from sciml.progression.cohorts.accuracy import Accuracy
from sciml.progression.config import SimulateConfig
from sciml.progression.simulation.cohort import simulate_cohort
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import read_result


def run(config: SimulateConfig, output: Path, workers: int = 1) -> list[Path]:
    """Write a cohort folder with `accuracy.csv` and `accuracy.json`; equal settings come from the cache.

    Args:
        config: of the cohort.
        output: folder of the cohort.
        workers: people that are simulated at a time.
    """
    recorder = Recorder("progression.simulate", config.model_dump(mode="json"))
    paths = simulate_cohort(config, output, workers)
    accuracy = read_result(output / "accuracy.json", Accuracy)
    recorder.seeds = {"master": config.seed}
    recorder.notes = {"subjects": accuracy.subjects, "visits": accuracy.visits}
    recorder.write(output / "provenance.json", [*paths, output / "subjects"])
    return paths
