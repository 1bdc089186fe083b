"""Stage `simulate`: a cohort whose truth is known."""

from __future__ import annotations

from pathlib import Path

from sciml.progression.config import SimulateConfig
from sciml.progression.simulation.cohort import simulate_cohort
from sciml.runtime.files import read_json
from sciml.runtime.provenance import Recorder


def run(config: SimulateConfig, folder: Path, processes: int = 1) -> list[Path]:
    """Write a cohort folder with `accuracy.csv` and `accuracy.json`; equal settings come from the cache.

    Args:
        config: of the cohort.
        folder: output folder.
        processes: people that are simulated at a time.
    """
    recorder = Recorder("progression.simulate", config.model_dump(mode="json"))
    paths = simulate_cohort(config, folder, processes)
    accuracy = read_json(folder / "accuracy.json")
    recorder.seeds = {"master": config.seed}
    recorder.notes = {name: accuracy[name] for name in ("subjects", "visits")}
    recorder.write(folder / "provenance.json", [*paths, folder / "subjects"])
    return paths
