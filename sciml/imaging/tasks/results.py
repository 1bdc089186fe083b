"""The artefacts of a studied task, read from its results folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sciml.imaging.tasks.catalogue import METHODS, TASKS, is_installed, methods_for
from sciml.imaging.tasks.records import Parameters, ScoreRow, Variant
from sciml.imaging.tasks.scores import inside
from sciml.runtime.errors import DataError
from sciml.runtime.files import load_tensors
from sciml.runtime.provenance import Record, read_record
from sciml.runtime.results import read_result


@dataclass(frozen=True)
class TaskResults:
    """The artefacts of one task, read from its folder.

    Attributes:
        task: registered name.
        variants: records of the measurement file, in order.
        metrics: rows of the evaluate stage.
        parameters: variant -> method -> tuned value and curve.
        seconds: "variant, method" -> seconds an image.
        records: provenance of all stages.
        folder: where the tensors lie.
    """

    task: str
    variants: Sequence[Variant]
    metrics: Sequence[ScoreRow]
    parameters: Parameters
    seconds: Mapping[str, float]
    records: Sequence[Record]
    folder: Path

    @classmethod
    def read(cls, folder: Path) -> TaskResults:
        """Read a task's folder; raises DataError where a stage's output is missing."""
        records = [read_record(folder / stage) for stage in ("measure", "tune", "solve", "evaluate")]
        metrics = read_result(folder / "evaluate" / "metrics.json", list[ScoreRow])
        _, metadata = load_tensors(folder / "measure" / "measurements.safetensors")
        variants = [Variant.model_validate(one) for one in metadata["variants"]]
        parameters = read_result(folder / "tune" / "parameters.json", Parameters)
        seconds = records[2].notes["seconds_per_image"]
        return cls(metrics[0].task, variants, metrics, parameters, seconds, records, folder)

    def pictures(self, index: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """Return truth, data and the reconstructions by method of one variant, as arrays (batch, channel, ...)."""
        measured, _ = load_tensors(self.folder / "measure" / "measurements.safetensors")
        solved, _ = load_tensors(self.folder / "solve" / "reconstructions.safetensors")
        found = {name: solved[f"{index}.{name}"] for name in methods_for(self.task) if f"{index}.{name}" in solved}
        size = next(iter(found.values())).shape[-2:]
        return inside(measured[f"{index}.test.truth"], size), measured[f"{index}.test.data"], found

    def row(self, variant: str, method: str) -> ScoreRow | None:
        """Return the scores of a method on a variant."""
        return next((row for row in self.metrics if (row.variant, row.method) == (variant, method)), None)

    def open_ended(self) -> list[str]:
        """Return the methods and variants whose tuned value has no worse one on both sides."""
        return [
            f"{METHODS[name].title} ({label})"
            for label, methods in self.parameters.items()
            for name, found in methods.items()
            if not found.bracketed
        ]


def read_results(folder: Path, tasks: Sequence[str]) -> list[TaskResults]:
    """Read the tasks of a run, in the order of the registry; what else lies in the folder is of other runs.

    Raises:
        DataError: one of them has not been evaluated.
    """
    for name in tasks:
        if not (folder / name / "evaluate" / "metrics.json").is_file():
            raise DataError(f"{folder / name} holds no evaluated task; run the study first: make demo")
    return [TaskResults.read(folder / name) for name in TASKS if name in tasks]


def volumes(cases: Sequence[str]) -> list[str]:
    """Return the data sets of cases such as `ct_cranium[27]`, each once."""
    return list(dict.fromkeys(case.partition("[")[0] for case in cases))


def absent(method: str) -> str:
    """Return why a method has no numbers."""
    return "not run" if is_installed(METHODS[method]) else "not installed"
