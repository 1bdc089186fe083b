"""Stage `simulate`: blurred photographs with kernels that are wrong in known ways."""

from __future__ import annotations

from pathlib import Path

from sciml.deblurring.config import SimulateConfig
from sciml.deblurring.study.pairs import simulate
from sciml.runtime.provenance import Recorder


def run(config: SimulateConfig, output: Path) -> list[Path]:
    """Write `pairs.safetensors` and `provenance.json`.

    Args:
        config: of one set of pairs.
        output: output folder.
    """
    recorder = Recorder("deblurring.simulate", config.model_dump(mode="json"))
    path = output / "pairs.safetensors"
    recorder.reads(simulate(config, config.photographs, config.seed, path, config.data_tier))
    recorder.notes = {"data": sorted(config.photographs)}
    recorder.write(output / "provenance.json", [path])
    return [path]
