"""The artefacts of the study, read from its results folder: what is there, and None for what is not."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import TypeAdapter

from sciml.active_fluid.config import SETS, PageConfig
from sciml.active_fluid.study.recovery_results import RecoveryResult
from sciml.active_fluid.study.results import (
    BURG,
    FIXED,
    ORDER,
    ROLLOUT,
    SECOND,
    SHIPPED,
    CostRow,
    HistoryRow,
    KineticRun,
    RateRow,
    Scores,
)
from sciml.active_fluid.study.stability_results import Stability
from sciml.runtime.errors import DataError, FormatError
from sciml.runtime.files import load_tensors
from sciml.runtime.provenance import Record, read_record
from sciml.runtime.results import read_result

# side of the grid whose times of a step are compared
SPEED_POINTS = 64
STAGES = ("theory", "evaluate", "stability", "recover", "cost")
Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Fields:
    """A few frames of one kinetic run and of every closure beside it.

    Attributes:
        place: name of the run.
        times: times of the frames.
        length: side of the square.
        arrays: `<closure>.m1` (frames, n, n, 2) and `<closure>.vorticity` (frames, n, n).
    """

    place: str
    times: Sequence[float]
    length: float
    arrays: Mapping[str, np.ndarray]

    def m1(self, name: str) -> np.ndarray:
        """Return the complex order of a closure, or of `kinetic`."""
        parts = self.arrays[f"{name}.m1"]
        return parts[..., 0] + 1j * parts[..., 1]

    def vorticity(self, name: str) -> np.ndarray:
        """Return the vorticity of a closure, or of `kinetic`."""
        return self.arrays[f"{name}.vorticity"]

    @property
    def names(self) -> list[str]:
        """What there are fields of."""
        return [name.removesuffix(".m1") for name in self.arrays if name.endswith(".m1")]


@dataclass(frozen=True)
class StudyResults:
    """Everything the page is made of; None or empty where a stage has not run.

    Attributes:
        scores: results of `evaluate`.
        fields: its pictures.
        rates: results of `theory`.
        stability, recovery, cost: results of those stages.
        histories: training histories by closure.
        runs: kinetic runs by set.
        records: provenance of every stage, in the order of the study.
        chosen: closure that is to be published, by the settings.
    """

    scores: Scores
    fields: Fields | None
    rates: Sequence[RateRow]
    stability: Stability | None
    recovery: RecoveryResult | None
    cost: Sequence[CostRow]
    histories: Mapping[str, Sequence[HistoryRow]]
    runs: Mapping[str, Sequence[KineticRun]]
    records: Sequence[Record]
    chosen: str

    @property
    def learned(self) -> str | None:
        """The learned closure that the claims are about: the shipped one, else the chosen one, else one that is there."""
        names = self.scores.closures
        trained = [name for name in names if name not in (*FIXED, ORDER, BURG, SECOND)]
        return next((name for name in (SHIPPED, self.chosen, ROLLOUT, *trained) if name in names), None)


def read_study(folder: Path, config: PageConfig) -> StudyResults:
    """Read what a run has written.

    Raises:
        DataError: no closure has been evaluated.
    """
    scores = _read(folder / "evaluate" / "scores.json", Scores)
    if scores is None or not scores.rows:
        raise DataError(f"{folder} holds no evaluated closures; run the study first: make demo FAMILY=active_fluid")
    trained = [name for name in config.closures if (folder / "train" / name).is_dir()]
    parts = [folder / part for part in (*(f"{name}/generate" for name in SETS), *(f"train/{name}" for name in trained), *STAGES)]
    histories = {name: _history(folder / "train" / name / "history.csv") for name in trained}
    runs = {name: _runs(folder / name / "generate" / "trajectories.safetensors") for name in SETS}
    return StudyResults(
        scores=scores,
        fields=_fields(folder / "evaluate" / "fields.safetensors"),
        rates=_read(folder / "theory" / "rates.json", list[RateRow]) or [],
        stability=_read(folder / "stability" / "stability.json", Stability),
        recovery=_read(folder / "recover" / "recovery.json", RecoveryResult),
        cost=_read(folder / "cost" / "cost.json", list[CostRow]) or [],
        histories={name: rows for name, rows in histories.items() if rows},
        runs={name: rows for name, rows in runs.items() if rows},
        records=[read_record(part) for part in parts if (part / "provenance.json").is_file()],
        chosen=config.chosen,
    )


def _read(path: Path, kind: type[Kind]) -> Kind | None:
    return read_result(path, kind) if path.is_file() else None


def _fields(path: Path) -> Fields | None:
    if not path.is_file():
        return None
    arrays, notes = load_tensors(path)
    return Fields(**notes, arrays=arrays) if arrays else None


def _history(path: Path) -> list[HistoryRow]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return TypeAdapter(list[HistoryRow]).validate_python(list(csv.DictReader(file)))


def _runs(path: Path) -> list[KineticRun]:
    """Return what stands beside the arrays of kinetic runs; the arrays, which are large, are not read."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        return []
    try:
        with safe_open(path, framework="np") as file:
            notes = json.loads((file.metadata() or {}).get("sciml", "{}"))
        return TypeAdapter(list[KineticRun]).validate_python(notes.get("trajectories", []))
    except (SafetensorError, ValueError, OSError) as error:
        raise FormatError(f"{path} is not a safetensors file of kinetic runs: {error}") from error


def speed_points(rows: Sequence[CostRow]) -> int | None:
    """Return the side of the grid whose times are compared: 64 where it was timed, else the smallest."""
    sides = {row.points for row in rows}
    return None if not sides else SPEED_POINTS if SPEED_POINTS in sides else min(sides)


def seconds(rows: Sequence[CostRow], model: str, points: int, precision: str = "double") -> float | None:
    """Return the seconds a step of a model whose name begins so, None where it was not timed."""
    found = [r.seconds for r in rows if r.model.startswith(model) and (r.points, r.precision) == (points, precision)]
    return found[0] if found else None


def speed_up(rows: Sequence[CostRow], closure: str, modes: int, points: int) -> float | None:
    """Return kinetic over coarse seconds, None where one was not timed."""
    kinetic, coarse = seconds(rows, f"kinetic, {modes} ", points), seconds(rows, f"coarse, {closure}", points)
    return None if kinetic is None or not coarse else kinetic / coarse
