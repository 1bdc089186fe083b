"""Stage `acquire`: k-space of every slice of every case of a group, under one acquisition."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sciml.runtime.files import load_tensors, save_tensors
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import read_result
from sciml.runtime.seeds import Seeds
from sciml.studies.scan_to_forecast.chain.acquisition import acquire
from sciml.studies.scan_to_forecast.chain.records import Case
from sciml.studies.scan_to_forecast.config import AcquireConfig


def run(config: AcquireConfig, cases: Path, output: Path) -> list[Path]:
    """Write `kspace.safetensors`: of each case its samples; rows, sizes and noise levels in the metadata.

    Args:
        config: the acquisition.
        cases: folder of the `cases` stage.
        output: output folder.
    """
    recorder = Recorder("scan_to_forecast.acquire", config.model_dump(mode="json"), [cases / "cases.safetensors"])
    seeds, tensors, facts = Seeds(config.seed), {}, {}
    for name, volume in load_tensors(cases / "cases.safetensors")[0].items():
        found = acquire(volume, config.acquisition, seeds("acquire", name))
        tensors |= {f"{name}/samples": found.samples, f"{name}/rows": found.rows.astype(np.int64)}
        facts[name] = {"size": list(found.size), "noise_std": found.noise_std}
    scans = {name: case.digest for name, case in read_result(cases / "cases.json", dict[str, Case]).items()}
    save_tensors(output / "kspace.safetensors", tensors, {"scans": scans, "facts": facts})
    recorder.seeds = {"master": config.seed}
    recorder.write(output / "provenance.json", [output / "kspace.safetensors"])
    return [output / "kspace.safetensors", output / "provenance.json"]
