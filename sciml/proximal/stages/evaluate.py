"""Stage `evaluate`: PSNR and SSIM of the learned and the classical reconstructions of one task."""

from __future__ import annotations

from pathlib import Path

from sciml.imaging.tasks.scores import score
from sciml.proximal.config import ScoreConfig
from sciml.runtime.files import write_json
from sciml.runtime.provenance import Recorder


def run(config: ScoreConfig, measurements: Path, classical: Path, learned: Path, output: Path) -> list[Path]:
    """Write `metrics.json`: rows of (variant, method), as the classical study has them; a network's method is its name.

    Args:
        config: the data range.
        measurements: file of the `measure` stage.
        classical: reconstructions of the classical methods.
        learned: reconstructions of the `restore` stage.
        output: output folder.
    """
    recorder = Recorder("proximal.evaluate", config.model_dump(mode="json"), [measurements, classical, learned])
    path = output / "metrics.json"
    write_json(path, score(measurements, [classical, learned], config.data_range))
    recorder.write(output / "provenance.json", [path])
    return [path]
