"""Stage `evaluate`: PSNR and SSIM of every reconstruction, per case and with spread."""

from __future__ import annotations

from pathlib import Path

from sciml.classical.config import EvaluateConfig
from sciml.imaging.tasks.scores import score
from sciml.runtime.files import write_json
from sciml.runtime.provenance import Recorder


def run(config: EvaluateConfig, measurements: Path, reconstructions: Path, output: Path) -> list[Path]:
    """Write `metrics.json`: a list of (variant, method) rows with every case's numbers, mean, spread and n.

    Args:
        config: the data range.
        measurements: file of the `measure` stage.
        reconstructions: file of the `solve` stage.
        output: output folder.

    Raises:
        DataError: a file is missing, or the two do not belong together.
    """
    recorder = Recorder("imaging.evaluate", config.model_dump(mode="json"), [measurements, reconstructions])
    path = output / "metrics.json"
    write_json(path, score(measurements, [reconstructions], config.data_range))
    recorder.write(output / "provenance.json", [path])
    return [path]
