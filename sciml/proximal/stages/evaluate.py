"""Stage `evaluate`: PSNR and SSIM of the learned and the classical reconstructions of every task."""

from __future__ import annotations

from pathlib import Path

from sciml.imaging.tasks.scores import score
from sciml.proximal.config import EvaluateConfig
from sciml.runtime.files import write_json
from sciml.runtime.provenance import Recorder

# range of the pictures' values, for PSNR and SSIM
DATA_RANGE = 1.0


def run(config: EvaluateConfig, results: Path, output: Path) -> list[Path]:
    """Write `<task>/evaluate/metrics.json` of every task, each with its provenance.

    Its rows of (variant, method) are those of the classical study; a network's method is its name.

    Args:
        config: the tasks.
        results: results folder of the study, in which measurements, classical and learned reconstructions lie by task.
        output: the same folder, or another.

    Raises:
        DataError: a file is missing, or files do not belong together.
    """
    written = []
    for task in config.tasks:
        folder, path = results / task, output / task / "evaluate" / "metrics.json"
        files = [folder / "measure" / "measurements.safetensors"]
        files += [folder / stage / "reconstructions.safetensors" for stage in ("solve", "restore")]
        recorder = Recorder("proximal.evaluate", {"data_range": DATA_RANGE}, files)
        write_json(path, score(files[0], files[1:], DATA_RANGE))
        recorder.write(path.with_name("provenance.json"), [path])
        written.append(path)
    return written
