"""The artefacts of the study, read from its results folder: what is there, and None for what is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from jaxtyping import Float

from sciml.deblurring.config import EXACT, PageConfig, SimulateSetConfig
from sciml.deblurring.settings.grid import DEFAULT, cells, parted
from sciml.deblurring.study.pairs import Problem, Truth, load_problems, load_truths
from sciml.deblurring.study.results import CalibrationResult, DipResult, PairScores, PhotoResult, TunedWeight
from sciml.imaging.operators.kernels import Kernel
from sciml.runtime.errors import DataError
from sciml.runtime.files import load_tensors
from sciml.runtime.provenance import Record, read_record
from sciml.runtime.results import read_result

Row = PairScores
Content = TypeVar("Content")
Image = Float[np.ndarray, "height width"]
# rms of (k - k^) * x in units of the noise; below it a turned kernel is the true one but for the interpolation: a disk, that is,
# which reaches 0.12, while other kernels begin at 0.18
SAME_KERNEL = 0.15
GIVEN, REFINED = "tv/none", "tv/kernel"
DEFAULT_MODEL = parted(DEFAULT)[1]


def kind(row: Row) -> str:
    """Return `exact`, `rotation`, `scale`, `bias` or another error's name, or `mix` of a pair.

    A turned kernel that is the same kernel, as a disk's is, counts as `exact`.
    """
    name = "mix" if "+" in row.error else row.error.partition(":")[0]
    return EXACT if name == "rotation" and row.kernels["none"].blur_rms < SAME_KERNEL else name


@dataclass(frozen=True)
class Pair:
    """Everything of one pair.

    Attributes:
        row: its scores.
        problem: what the solvers saw.
        truth: what they did not see.
        pictures: by cell, linear light.
        kernels: by error model.
        residuals: by error model, estimates of (k - k^) * x.
    """

    row: Row
    problem: Problem
    truth: Truth
    pictures: Mapping[str, Image]
    kernels: Mapping[str, Kernel]
    residuals: Mapping[str, Image]


@dataclass(frozen=True)
class SetResults:
    """One set of pairs.

    Attributes:
        name: of the set.
        settings: what `simulate` was told: boundary, noise, kernels, errors.
        rows: a row a pair, as `evaluate` wrote them.
        cells: their names, in the order of the grid.
        seconds: of a restoration by cell, the mean over photographs.
        records: provenance of its stages.
        folder: where it lies.
    """

    name: str
    settings: SimulateSetConfig
    rows: Sequence[Row]
    cells: Sequence[str]
    seconds: Mapping[str, float]
    records: Sequence[Record]
    folder: Path

    @property
    def errors(self) -> list[str]:
        """Names of the kernel errors, in their order."""
        return list(dict.fromkeys(row.error for row in self.rows))

    @property
    def kernels(self) -> list[str]:
        """Names of the true kernels, in their order."""
        return list(dict.fromkeys(row.kernel for row in self.rows))

    @property
    def photographs(self) -> list[str]:
        """Names of the photographs, in their order."""
        return list(dict.fromkeys(row.photograph for row in self.rows))

    def of(self, *kinds: str) -> list[Row]:
        """Return the pairs of these kinds."""
        return [row for row in self.rows if kind(row) in kinds]

    def scenes(self) -> list[Row]:
        """Return the pairs whose kernel was given without any error, one a photograph and kernel."""
        return [row for row in self.rows if row.error == EXACT]

    def number(self, row: Row) -> int:
        """Return the place of a pair among those of its photograph."""
        return [one for one in self.rows if one.photograph == row.photograph].index(row)

    def pair(self, row: Row) -> Pair:
        """Return everything of a pair."""
        photograph, number = row.photograph, self.number(row)
        pairs, folder = self.folder / "simulate" / "pairs.safetensors", self.folder / row.photograph
        restored, notes = load_tensors(folder / "restore" / "restored.safetensors")
        kernels, _ = load_tensors(folder / "correct" / "kernels.safetensors")
        mine = {name.partition(".")[2]: array for name, array in restored.items() if name.startswith(f"{number}.")}
        return Pair(
            row=row,
            problem=load_problems(pairs, photograph)[number],
            truth=load_truths(pairs, photograph)[number],
            pictures={name: mine[name] for name in notes["cells"]},
            kernels={name.partition(".")[2]: kernel for name, kernel in kernels.items() if name.startswith(f"{number}.")},
            residuals={name.removeprefix("residual."): found for name, found in mine.items() if name.startswith("residual.")},
        )

    def spread(self, row: Row) -> Image | None:
        """Return the map of spreads of a pair in display values, not calibrated; None where there is none."""
        path = self.folder / row.photograph / "spread" / "spreads.safetensors"
        return load_tensors(path)[0].get(str(self.number(row))) if path.is_file() else None


@dataclass(frozen=True)
class Extra(Generic[Content]):
    """Numbers and arrays of a stage beside the pairs, with its provenance."""

    numbers: Content
    arrays: Mapping[str, np.ndarray]
    records: Sequence[Record]


@dataclass(frozen=True)
class StudyResults:
    """Everything the page is made of; None or left out where a stage has not run."""

    sets: Mapping[str, SetResults]
    weights: Mapping[str, Mapping[str, TunedWeight]]
    calibration: Extra[CalibrationResult] | None
    dip: Extra[DipResult] | None
    photo: Extra[PhotoResult] | None
    tunings: Sequence[Record]

    @property
    def test(self) -> SetResults:
        """The set that decides."""
        return self.sets["test"]

    def records(self) -> Iterator[Record]:
        """Yield the provenance of every stage: the weights' choice between the two sets that decide."""
        first = [self.sets[name] for name in ("validation",) if name in self.sets]
        yield from (record for one in first for record in one.records)
        yield from self.tunings
        yield from (record for name, one in self.sets.items() if name != "validation" for record in one.records)
        for extra in (self.calibration, self.dip, self.photo):
            if extra is not None:
                yield from extra.records


def read_study(folder: Path, config: PageConfig) -> StudyResults:
    """Read what a run has written.

    Raises:
        DataError: the test pairs have not been evaluated.
    """
    sets = {name: found for name in config.sets if (found := _set(folder / name)) is not None}
    if "test" not in sets:
        raise DataError(f"{folder} holds no evaluated test pairs; run the study first: make demo")
    tuned = [path for path in sorted((folder / "tune").glob("*")) if (path / "provenance.json").is_file()]
    tunings = [read_record(path) for path in tuned]
    return StudyResults(
        sets=sets,
        weights={record.config["prior"]: _weights(path) for record, path in zip(tunings, tuned, strict=True)},
        calibration=_extra(folder / "calibrate", CalibrationResult, "calibration.json"),
        dip=read_dip(folder / "dip"),
        photo=_extra(folder / "photo", PhotoResult, "photo.json", "pictures.safetensors"),
        tunings=tunings,
    )


def _weights(folder: Path) -> dict[str, TunedWeight]:
    return read_result(folder / "weights.json", dict[str, TunedWeight])


def _set(folder: Path) -> SetResults | None:
    if not (folder / "evaluate" / "provenance.json").is_file():
        return None
    rows = read_result(folder / "evaluate" / "scores.json", list[PairScores])
    photographs = list(dict.fromkeys(row.photograph for row in rows))
    simulated, evaluated = (read_record(folder / stage) for stage in ("simulate", "evaluate"))
    parts = [(photo, stage) for stage in ("correct", "restore", "spread") for photo in photographs]
    written = [(photo, stage) for photo, stage in parts if (folder / photo / stage / "provenance.json").is_file()]
    found = {(photo, stage): read_record(folder / photo / stage) for photo, stage in written}
    restored = [found[photo, "restore"] for photo in photographs]
    times = [record.notes["seconds_per_image"] for record in restored]
    return SetResults(
        name=folder.name,
        settings=SimulateSetConfig.model_validate(simulated.config),
        rows=rows,
        # the scores lie in the order of the alphabet
        cells=cells(restored[0].config["priors"], restored[0].config["cells"]),
        seconds={name: float(np.mean([time[name] for time in times])) for name in times[0]},
        records=[simulated, *found.values(), evaluated],
        folder=folder,
    )


def read_dip(folder: Path) -> Extra[DipResult] | None:
    """Return the fits of untrained networks of all photographs as one, None where there are none."""
    read = (_extra(path, DipResult, "runs.json", "pictures.safetensors") for path in sorted(folder.glob("*")))
    found = [part for part in read if part is not None]
    if not found:
        return None
    numbers = DipResult(
        runs=[run for part in found for run in part.numbers.runs],
        seeds=[one for part in found for one in part.numbers.seeds],
        curves={pair: curves for part in found for pair, curves in part.numbers.curves.items()},
        baselines={pair: psnr for part in found for pair, psnr in part.numbers.baselines.items()},
    )
    arrays = {name: array for part in found for name, array in part.arrays.items()}
    return Extra(numbers, arrays, [record for part in found for record in part.records])


def _extra(folder: Path, kind: type[Content], numbers: str, arrays: str | None = None) -> Extra[Content] | None:
    """Return the artefacts of a stage, None where it has not finished."""
    if not (folder / numbers).is_file() or not (folder / "provenance.json").is_file():
        return None
    tensors = load_tensors(folder / arrays)[0] if arrays and (folder / arrays).is_file() else {}
    return Extra(read_result(folder / numbers, kind), tensors, [read_record(folder)])
