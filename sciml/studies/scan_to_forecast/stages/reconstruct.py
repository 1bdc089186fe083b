"""Stage `reconstruct`: one method on the k-space of every case of a group."""

from __future__ import annotations

import time
from pathlib import Path

from sciml.runtime.files import load_tensors, save_tensors
from sciml.runtime.provenance import Recorder
from sciml.studies.scan_to_forecast.chain.acquisition import Measured
from sciml.studies.scan_to_forecast.chain.reconstruction import reconstruct_volume
from sciml.studies.scan_to_forecast.config import ReconstructConfig


def run(config: ReconstructConfig, kspace: Path, network: Path, output: Path) -> list[Path]:
    """Write `volumes.safetensors`, magnitudes by case; processor seconds for each stand in the provenance.

    Args:
        config: the method.
        kspace: kspace.safetensors of the `acquire` stage.
        network: weight file of the learned method.
        output: output folder.
    """
    recorder = Recorder("scan_to_forecast.reconstruct", config.model_dump(mode="json"), [kspace, network])
    tensors, metadata = load_tensors(kspace)
    volumes, seconds = {}, {}
    for name, facts in metadata["facts"].items():
        size = (int(facts["size"][0]), int(facts["size"][1]))
        measured = Measured(tensors[f"{name}/samples"], tensors[f"{name}/rows"], size, float(facts["noise_std"]))
        begun = time.process_time()
        volumes[name] = reconstruct_volume(measured, config.method, network)
        seconds[name] = round(time.process_time() - begun, 1)
    save_tensors(output / "volumes.safetensors", volumes, {"scans": metadata["scans"], "method": config.method})
    recorder.notes = {"cpu_seconds": seconds}
    recorder.write(output / "provenance.json", [output / "volumes.safetensors"])
    return [output / "volumes.safetensors", output / "provenance.json"]
