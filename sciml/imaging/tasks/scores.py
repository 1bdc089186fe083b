"""PSNR and SSIM of the reconstructions of a file of measurements, one row a variant and method."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sciml.imaging.metrics import psnr, spread
from sciml.imaging.similarity import ssim
from sciml.imaging.tasks.records import ScoreRow, Scores, Variant
from sciml.runtime.errors import DataError
from sciml.runtime.files import load_tensors
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result

# range of the pictures' values, for PSNR and SSIM
DATA_RANGE = 1.0
UNITS = {"psnr": {"unit": "dB", "direction": "up"}, "ssim": {"unit": "1", "direction": "up"}}


def write_scores(stage: str, task: Path, solvers: Sequence[str], output: Path) -> Path:
    """Write `metrics.json` of one task and its provenance; return its path.

    Args:
        stage: dotted name of the stage that does.
        task: results folder of the task.
        solvers: stages whose reconstructions are scored.
        output: folder of the scores.

    Raises:
        DataError: a file is missing, or they do not belong together.
    """
    files = [task / "measure" / "measurements.safetensors", *(task / name / "reconstructions.safetensors" for name in solvers)]
    recorder = Recorder(stage, {"data_range": DATA_RANGE}, files)
    path = output / "metrics.json"
    write_result(path, score(files[0], files[1:]))
    recorder.write(output / "provenance.json", [path])
    return path


def score(measurements: Path, reconstructions: Sequence[Path]) -> list[ScoreRow]:
    """Return the rows of `metrics.json` for one or more files of reconstructions of the same measurements.

    Raises:
        DataError: a file is missing, or they do not belong together.
    """
    truths, metadata = load_tensors(measurements)
    variants = [Variant.model_validate(one) for one in metadata["variants"]]
    rows = []
    for source in reconstructions:
        for key, batch in load_tensors(source)[0].items():
            index, _, method = key.partition(".")
            truth = truths.get(f"{index}.test.truth")
            if truth is None or len(truth) != len(batch):
                raise DataError(f"{source} was not made from {measurements} (its {key}): run the solve stage again")
            variant = variants[int(index)]
            truth = inside(truth, batch.shape[-2:])
            numbers = {
                name: [measure(a[0], b[0], DATA_RANGE) for a, b in zip(batch, truth, strict=True)]
                for name, measure in (("psnr", psnr), ("ssim", ssim))
            }
            metrics = {
                name: Scores.model_validate({**UNITS[name], **spread(values), "values": values})
                for name, values in numbers.items()
            }
            rows.append(
                ScoreRow(
                    task=variant.name,
                    variant=variant.label,
                    order=int(index),
                    method=method,
                    cases=variant.test.cases,
                    **metrics,
                )
            )
    return sorted(rows, key=lambda row: (row.order, row.method))


def inside(truth: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Return the central part of a canvas that a reconstruction covers."""
    top, left = ((a - b) // 2 for a, b in zip(truth.shape[-2:], size, strict=True))
    return truth[..., top : top + size[0], left : left + size[1]]
