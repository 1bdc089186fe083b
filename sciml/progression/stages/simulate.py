"""Stage `simulate`: a cohort whose truth is known."""

from __future__ import annotations

from pathlib import Path

from sciml.progression.config import SimulateConfig
from sciml.progression.simulation.cohort import simulate_cohort
from sciml.runtime.files import read_json
from sciml.runtime.provenance import Recorder


def run(config: SimulateConfig, output: Path, workers: int = 1) -> list[Path]:
    """Write a cohort folder with `accuracy.csv` and `accuracy.json`; equal settings come from the cache.

    Args:
        config: of the cohort.
        output: folder of the cohort.
        workers: people that are simulated at a time.
    """
    recorder = Recorder("progression.simulate", config.model_dump(mode="json"))
    paths = simulate_cohort(config, output, workers)
    accuracy = read_json(output / "accuracy.json")
    recorder.seeds = {"master": config.seed}
    recorder.notes = {name: accuracy[name] for name in ("subjects", "visits")}
    recorder.write(output / "provenance.json", [*paths, output / "subjects"])
    return paths
