"""The artefacts of the study, read from its results folder: what is there, and None for what is not."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from sciml.active_fluid.config import SETS, PageConfig
from sciml.runtime.errors import DataError, FormatError
from sciml.runtime.files import load_tensors, read_json

Row = Mapping[str, Any]
Point = tuple[float, float]
BINGHAM, ORDER, OFFLINE, ROLLOUT, SHIPPED = "bingham", "order", "offline", "rollout", "shipped"
FIXED = ("quadratic", BINGHAM)
KNOWN = (*FIXED, ORDER, OFFLINE, ROLLOUT, SHIPPED)
STAGES = ("theory", "evaluate", "stability", "recover", "cost")


@dataclass(frozen=True)
class Scores:
    """Every closure beside the kinetic theory.

    Attributes:
        times: of the saved states.
        threshold: field error whose first time is compared.
        rows: one a kinetic run, closure and training seed, as `evaluate` wrote them.
        moments: the fourth moment over the order (`sciml.active_fluid.study.fourth_moment`), empty where it was not computed.
    """

    times: Float[np.ndarray, " times"]
    threshold: float
    rows: Sequence[Row]
    moments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def closures(self) -> list[str]:
        """Names of the closures, from the simplest on."""
        names = list(dict.fromkeys(row["closure"] for row in self.rows))
        return sorted(names, key=lambda name: KNOWN.index(name) if name in KNOWN else len(KNOWN))

    @property
    def points(self) -> list[Point]:
        """Pairs of alpha and zeta, in their order."""
        return list(dict.fromkeys((row["alpha"], row["zeta"]) for row in self.rows))

    @property
    def runs(self) -> int:
        """Number of kinetic runs."""
        return len({row["place"] for row in self.rows})

    @property
    def runs_a_point(self) -> int:
        """Least number of initial states of a point."""
        return min(len({row["place"] for row in self.at(point)}) for point in self.points)

    def at(self, point: Point) -> list[Row]:
        """Return the rows of a point."""
        return [row for row in self.rows if (row["alpha"], row["zeta"]) == point]

    def of(self, closure: str, point: Point | None = None, seed: int | None = None) -> list[Row]:
        """Return the rows of a closure, of one point and one training where they are given."""
        return [
            row
            for row in self.rows
            if row["closure"] == closure
            and (point is None or (row["alpha"], row["zeta"]) == point)
            and (seed is None or row["seed"] == seed)
        ]

    def seeds(self, closure: str) -> list[int]:
        """Return the numbers of a closure's trainings; a closure that is not trained has the one 0."""
        return sorted({row["seed"] for row in self.of(closure)})

    def mean(self, closure: str, key: str, point: Point | None = None, seed: int | None = None) -> float:
        """Return the mean of a number over runs and trainings, NaN where one is missing or there are none."""
        values = np.array([row[key] for row in self.of(closure, point, seed)], dtype=float)
        return float(values.mean()) if values.size else np.nan

    def series(self, closure: str, key: str, part: int | None = None) -> Float[np.ndarray, "rows values"]:
        """Return lists of all rows of a closure, NaN where a run has diverged.

        Args:
            closure: its name.
            key: of the lists.
            part: of pairs of lists: 0 the run, 1 the truth.
        """
        lists = [row[key] if part is None else row[key][part] for row in self.of(closure)]
        return np.array(lists, dtype=float)


@dataclass(frozen=True)
class Fields:
    """A few frames of one kinetic run and of every closure beside it.

    Attributes:
        place: name of the run.
        times: of the frames.
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
    """Everything the page is made of; None or left out where a stage has not run.

    Attributes:
        scores: of `evaluate`.
        fields: its pictures.
        rates: rows of `theory`.
        stability, recovery: what those stages wrote.
        cost: rows of `cost`.
        histories: by closure, rows of its training.
        runs: by set, parameters, seed and slack of its kinetic runs.
        records: provenance of every stage, in the order of the study.
        chosen: closure that is to be published, by the settings.
    """

    scores: Scores
    fields: Fields | None
    rates: Sequence[Row]
    stability: Mapping[str, Any] | None
    recovery: Mapping[str, Any] | None
    cost: Sequence[Row]
    histories: Mapping[str, Sequence[Row]]
    runs: Mapping[str, Sequence[Row]]
    records: Sequence[Row]
    chosen: str

    @property
    def learned(self) -> str | None:
        """The learned closure that the claims are about: the shipped one, else the chosen one, else one that is there."""
        names = self.scores.closures
        trained = [name for name in names if name not in (*FIXED, ORDER)]
        return next((name for name in (SHIPPED, self.chosen, ROLLOUT, *trained) if name in names), None)

    def settings(self, stage: str) -> Mapping[str, Any]:
        """Return the settings that a stage ran with; empty where it has not run."""
        return next((record["config"] for record in self.records if record["stage"] == f"active_fluid.{stage}"), {})


def read_study(folder: Path, config: PageConfig) -> StudyResults:
    """Read what a run has written.

    Raises:
        DataError: no closure has been evaluated.
    """
    scores = _json(folder / "evaluate" / "scores.json")
    if not scores or not scores["rows"]:
        raise DataError(f"{folder} holds no evaluated closures; run the study first: make demo FAMILY=active_fluid")
    trained = [name for name in config.closures if (folder / "train" / name).is_dir()]
    parts = [*(f"{name}/generate" for name in SETS), *(f"train/{name}" for name in trained), *STAGES]
    records = [found for part in parts if (found := _json(folder / part / "provenance.json"))]
    histories = {name: _history(folder / "train" / name / "history.csv") for name in trained}
    runs = {name: _runs(folder / name / "generate" / "trajectories.safetensors") for name in SETS}
    return StudyResults(
        scores=Scores(np.array(scores["times"]), scores["threshold"], scores["rows"], scores.get("fourth_moment", {})),
        fields=_fields(folder / "evaluate" / "fields.safetensors"),
        rates=_json(folder / "theory" / "rates.json") or [],
        stability=_json(folder / "stability" / "stability.json"),
        recovery=_json(folder / "recover" / "recovery.json"),
        cost=_json(folder / "cost" / "cost.json") or [],
        histories={name: rows for name, rows in histories.items() if rows},
        runs={name: rows for name, rows in runs.items() if rows},
        records=records,
        chosen=config.chosen,
    )


def _json(path: Path) -> Any:
    return read_json(path) if path.is_file() else None


def _fields(path: Path) -> Fields | None:
    if not path.is_file():
        return None
    arrays, notes = load_tensors(path)
    return Fields(notes["place"], notes["times"], notes["length"], arrays) if arrays else None


def _history(path: Path) -> list[Row]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _runs(path: Path) -> list[Row]:
    """Return what stands beside the arrays of kinetic runs; the arrays, which are large, are not read."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        return []
    try:
        with safe_open(path, framework="np") as file:
            return json.loads((file.metadata() or {}).get("sciml", "{}")).get("trajectories", [])
    except (SafetensorError, ValueError, OSError) as error:
        raise FormatError(f"{path} is not a safetensors file: {error}") from error
