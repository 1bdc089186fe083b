"""Stage `evaluate`: PSNR and SSIM of the learned and the classical reconstructions of one task."""

from __future__ import annotations

from pathlib import Path

from sciml.imaging.tasks.scores import score
from sciml.proximal.config import ScoreConfig
from sciml.runtime.files import write_json
from sciml.runtime.provenance import Recorder


def run(config: ScoreConfig, measurements: Path, classical: Path, learned: Path, folder: Path) -> list[Path]:
    """Write `metrics.json`: rows of (variant, method), as the classical study has them; a network's method is its name.

    Args:
        config: the data range.
        measurements: file of the `measure` stage.
        classical: reconstructions of the classical methods.
        learned: reconstructions of the `restore` stage.
        folder: output folder.
    """
    recorder = Recorder("proximal.evaluate", config.model_dump(mode="json"), [measurements, classical, learned])
    path = folder / "metrics.json"
    write_json(path, score(measurements, [classical, learned], config.data_range))
    recorder.write(folder / "provenance.json", [path])
    return [path]
