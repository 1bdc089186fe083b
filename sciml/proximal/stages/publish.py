"""Stage `publish`: finished networks into the package, each with its model card."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sciml.datasets import record
from sciml.datasets.splits import parse_entry
from sciml.proximal.networks.network_table import DOMAINS, TASKS
from sciml.proximal.study.prior_results import DigitNumbers
from sciml.runtime.errors import DataError
from sciml.runtime.results import read_result
from sciml.training.card import publish
from sciml.training.weight_files import read_weights_metadata

LIMITS = {
    "implicit": (
        "The bounds on R and the uniqueness of its prox hold for all images; how well it denoises was measured on pictures like "
        "those of its training only.",
    ),
    "guided": (
        "Its thresholds follow the picture and are fixed before the second of two solutions: every bound and certificate holds "
        "for that one, but as a function of the noisy picture it is no proximal operator of one R.",
    ),
    "frame": ("One evaluation, one shrinkage: textures finer than its windows are smoothed.",),
    "published": ("Images of the size and kind of its training only: R of anything else means nothing.",),
    "peer": ("No proximal operator by construction: no regulariser, no certificate; for comparison only.",),
}
TASK_LIMITS = {
    "denoise": "White Gaussian noise of a known level; JPEG artefacts and coloured noise are not what it was trained on.",
    "deblur": "Known blur of at most 19 pixels; an error of the kernel comes out as ripples.",
    "ct": "Parallel beam and the window of -1000 to 1000 HU; not for diagnosis.",
    "mri": "Trained on the averaged T1 anatomy of one group of volunteers, single coil, Cartesian rows; not for diagnosis.",
}


def run(weights: Sequence[Path], output: Path) -> list[Path]:
    """Copy each weight file into `output` and write its card `<name>.md` beside it.

    Args:
        weights: files of the `train` or `digits` stage; `history.csv` lies beside each.
        output: folder in which the package keeps its weights.

    Raises:
        DataError: a history is missing or empty.
    """
    written = []
    for source in weights:
        metadata, history = read_weights_metadata(source), source.with_name("history.csv")
        written += publish(
            source,
            output,
            source.stem,
            family="proximal",
            title=_title(metadata),
            licences={entry: record(parse_entry(entry)[0]).licence for entry in metadata["inputs"]},
            metrics=digit_rows(source.with_name("digits.json")) if source.stem == "digits" else validation_rows(history),
            limits=_limits(metadata),
        )
    return written


def _title(metadata: Mapping[str, Any]) -> str:
    config = metadata["config"]
    if "task" not in config:
        return "handwritten digits, denoising"
    return f"{DOMAINS[config['domain']]}, {TASKS[config['task']]}"


def _limits(metadata: Mapping[str, Any]) -> list[str]:
    network = metadata["extra"]["network"]
    kind = network["potential"]["kind"] if network["form"] == "explicit" else network["form"]
    return [*LIMITS.get(kind, ()), TASK_LIMITS[metadata["config"].get("task", "denoise")]]


def validation_rows(history: Path) -> list[dict[str, Any]]:
    """Return the last validation of a history as rows of a model card.

    Raises:
        DataError: there is no history, or no validation in it.
    """
    try:
        with history.open(newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise DataError(f"cannot read {history}: {error.strerror}; publish weights from the folder of their training") from error
    measured = [row for row in rows if any(value for key, value in row.items() if key.startswith("validation_"))]
    if not measured:
        raise DataError(f"{history} holds no validation")
    return [
        {
            "name": key.removeprefix("validation_").replace("_", " "),
            "value": f"{float(value):.3f}",
            "unit": "dB" if "psnr" in key else "1",
            "data": "validation crops",
            "n": f"step {measured[-1]['step']}",
        }
        for key, value in measured[-1].items()
        if key.startswith("validation_") and value
    ]


def digit_rows(numbers: Path) -> list[dict[str, Any]]:
    """Return the validation of the last stage of the study of digits as rows of a model card."""
    stages = read_result(numbers, DigitNumbers).training
    return [
        {
            "name": name.replace("_", " "),
            "value": f"{getattr(stages[-1], name):.4g}",
            "unit": unit,
            "data": "validation crops",
            "n": f"after {len(stages)} stages",
        }
        for name, unit in (("denoised_psnr", "dB"), ("denoised_rmse", "1"))
    ]
