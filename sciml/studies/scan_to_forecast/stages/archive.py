"""Stage `archive`: reconstructed volumes through every level of the archive and back."""

from __future__ import annotations

from pathlib import Path

from sciml.runtime.files import load_tensors, save_tensors
from sciml.runtime.provenance import Recorder
from sciml.studies.scan_to_forecast.chain.archive import stored
from sciml.studies.scan_to_forecast.config import ArchiveConfig


def run(config: ArchiveConfig, volumes: Path, codec: Path, output: Path) -> list[Path]:
    """Write `decoded.safetensors`: volumes by archive and case, sizes in bytes in the metadata.

    Args:
        config: the archives.
        volumes: volumes.safetensors of the `reconstruct` stage.
        codec: model file of the codec.
        output: output folder.
    """
    recorder = Recorder("scan_to_forecast.archive", config.model_dump(mode="json"), [volumes, codec])
    tensors, metadata = load_tensors(volumes)
    decoded, sizes = {}, {}
    for archive in config.archives:
        for name, volume in tensors.items():
            decoded[f"{archive}/{name}"], sizes[f"{archive}/{name}"] = stored(volume, archive, codec)
    save_tensors(output / "decoded.safetensors", decoded, {**metadata, "bytes": sizes})
    recorder.write(output / "provenance.json", [output / "decoded.safetensors"])
    return [output / "decoded.safetensors", output / "provenance.json"]
