"""Stage `simulate`: blurred photographs with kernels that are wrong in known ways, every set of the study."""

from __future__ import annotations

from pathlib import Path

from sciml.deblurring.config import SimulateConfig, SimulateSetConfig
from sciml.deblurring.study.blurring import simulate
from sciml.runtime.provenance import Recorder


def run(config: SimulateConfig, output: Path) -> list[Path]:
    """Write the pairs of every set into `<set>/simulate`; see `simulate_set`.

    Args:
        config: of all sets.
        output: results folder of the study.
    """
    return [path for name, one in config.sets.items() for path in simulate_set(one, output / name / "simulate")]


def simulate_set(config: SimulateSetConfig, output: Path) -> list[Path]:
    """Write `pairs.safetensors` and `provenance.json` of one set.

    Args:
        config: of the set.
        output: output folder.
    """
    recorder = Recorder("deblurring.simulate", config.model_dump(mode="json"))
    path = output / "pairs.safetensors"
    recorder.reads(simulate(config, config.photographs, config.seed, path, config.data_tier))
    recorder.notes = {"data": sorted(config.photographs)}
    recorder.write(output / "provenance.json", [path])
    return [path]
