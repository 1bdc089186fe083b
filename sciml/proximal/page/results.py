"""The artefacts of the study, read from its results folder: what is there, and None for what is not."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from sciml.imaging.tasks.catalogue import METHODS, TASKS
from sciml.imaging.tasks.results import TaskResults
from sciml.proximal.config import PageConfig
from sciml.proximal.study.prior_results import DigitNumbers, PriorNumbers
from sciml.proximal.study.results import GUIDED, Certificates, ColourNumbers, Run, ToyNumbers
from sciml.runtime.errors import DataError
from sciml.runtime.files import load_tensors
from sciml.runtime.provenance import Record, read_record
from sciml.runtime.results import read_result

Numbers = TypeVar("Numbers")


@dataclass(frozen=True)
class LearnedResults(TaskResults):
    """One task of the study: the classical artefacts, and those of the learned networks.

    Attributes:
        runs: rows of `runs.json`, one a variant and network.
        networks: names of the networks in the order of the settings; the first is the one meant for the task.
    """

    runs: Sequence[Run] = ()
    networks: Sequence[str] = ()

    @classmethod
    def read(cls, folder: Path) -> LearnedResults:
        """Read a task's folder; raises DataError where a stage's output is missing."""
        classical = TaskResults.read(folder)
        restored = read_record(folder / "restore")
        seconds = {**classical.seconds, **restored.notes["seconds_per_image"]}
        *first, last = classical.records
        return cls(
            task=classical.task,
            variants=classical.variants,
            metrics=classical.metrics,
            parameters=classical.parameters,
            seconds=seconds,
            records=[*first, restored, last],
            folder=folder,
            runs=read_result(folder / "restore" / "runs.json", list[Run]),
            networks=restored.config["networks"],
        )

    @property
    def own(self) -> str:
        """The network that the settings name first, which is the one meant for the task."""
        return self.networks[0]

    @property
    def plain(self) -> str:
        """The first network with one R for all pictures, which compares with the peers at equal size."""
        return next((name for name in self.networks if self.form(name) == "implicit"), self.own)

    @property
    def labels(self) -> list[str]:
        """Names of the variants, in order."""
        return [variant.label for variant in self.variants]

    def methods(self) -> list[str]:
        """Return the classical methods that ran, then the networks."""
        ran = {row.method for row in self.metrics}
        return [*(name for name in METHODS if name in ran), *(name for name in self.networks if name in ran)]

    def form(self, network: str) -> str:
        """Return `implicit`, `guided` (implicit, thresholds by picture), `explicit`, or `peer`, no proximal operator at all."""
        solvers = {row.solver for row in self.runs if row.network == network}
        if None in solvers or not solvers:
            return "peer"
        return "implicit" if solvers == {"variational"} else GUIDED if solvers == {GUIDED} else "explicit"

    def title(self, method: str) -> str:
        """Return the name of a method in tables; of a network its own name and its form."""
        if method not in self.networks:
            return METHODS[method].title
        form = self.form(method)
        return f"{method} (no prox)" if form == "peer" else f"{method} ({form})"

    def learned(self) -> list[str]:
        """Return the networks that are proximal operators."""
        return [name for name in self.networks if self.form(name) != "peer"]

    def runs_of(self, network: str) -> list[Run]:
        """Return the runs of a network, in the order of the variants."""
        return [row for row in self.runs if row.network == network]

    def find(self, **options: float) -> int | None:
        """Return the index of the first variant with these options, or None."""
        for index, variant in enumerate(self.variants):
            if all(abs(float(variant.options.get(key, np.inf)) - value) < 1e-9 for key, value in options.items()):
                return index
        return None

    def case_values(self, variant: str, method: str, metric: str = "psnr") -> list[float | None] | None:
        """Return a metric of each picture; an entry is None where the reconstruction is exact."""
        row = self.row(variant, method)
        return None if row is None else (row.psnr if metric == "psnr" else row.ssim).values

    def gains(self, method: str, rival: str, variants: Sequence[str] | None = None) -> list[float]:
        """Return PSNR of a method less that of another, picture by picture over variants; empty where one did not run."""
        found = []
        for label in self.labels if variants is None else variants:
            ours, theirs = self.case_values(label, method) or [], self.case_values(label, rival) or []
            found += [a - b for a, b in zip(ours, theirs, strict=False) if a is not None and b is not None]
        return found

    def images(self, index: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """Return truth, data and the reconstructions by title of one variant, classical methods first."""
        truth, data, classical = self.pictures(index)
        restored, _ = load_tensors(self.folder / "restore" / "reconstructions.safetensors")
        learned = {name: restored[f"{index}.{name}"] for name in self.networks if f"{index}.{name}" in restored}
        return truth, data, {self.title(name): batch for name, batch in {**classical, **learned}.items()}


@dataclass(frozen=True)
class Part(Generic[Numbers]):
    """Numbers and arrays of one stage with its provenance."""

    numbers: Numbers
    arrays: Mapping[str, np.ndarray]
    record: Record


@dataclass(frozen=True)
class Training:
    """One network that this run trained: rows of its history as numbers, and its provenance."""

    name: str
    rows: Sequence[Mapping[str, float]]
    record: Record


@dataclass(frozen=True)
class StudyResults:
    """Everything the page is made of; None where a stage has not run."""

    tasks: Sequence[LearnedResults]
    certificates: Part[Certificates] | None
    toy: Part[ToyNumbers] | None
    digits: Part[DigitNumbers] | None
    prior: Part[PriorNumbers] | None
    colour: Part[ColourNumbers] | None
    trainings: Sequence[Training]
    folder: Path

    def task(self, name: str) -> LearnedResults | None:
        """Return a task by name, or None."""
        return next((task for task in self.tasks if task.task == name), None)

    def records(self) -> Iterator[Record]:
        """Yield the provenance of every stage, trainings first."""
        yield from (training.record for training in self.trainings)
        for task in self.tasks:
            yield from task.records
        parts = (self.certificates, self.toy, self.digits, self.prior, self.colour)
        yield from (part.record for part in parts if part is not None)


def read_study(folder: Path, config: PageConfig) -> StudyResults:
    """Read what a run has written; what else lies in the folder is of other runs.

    Raises:
        DataError: a task of the run has not been evaluated.
    """
    for name in config.tasks:
        if not (folder / name / "evaluate" / "metrics.json").is_file():
            raise DataError(f"{folder / name} holds no evaluated task; run the study first: make demo")
    return StudyResults(
        tasks=[LearnedResults.read(folder / name) for name in TASKS if name in config.tasks],
        certificates=_part(folder / "certify" / "certificates.json", Certificates),
        toy=_part(folder / "toy" / "toy.json", ToyNumbers, "toy.safetensors"),
        digits=_part(folder / "digits" / "digits.json", DigitNumbers, "strips.safetensors"),
        prior=_part(folder / "prior" / "prior.json", PriorNumbers, "pictures.safetensors"),
        colour=_part(folder / "colour" / "colour.json", ColourNumbers, "pictures.safetensors"),
        trainings=[found for name in config.trained if (found := _training(folder / "train" / name)) is not None],
        folder=folder,
    )


def _part(path: Path, kind: type[Numbers], arrays: str | None = None) -> Part[Numbers] | None:
    """Return the artefacts of a stage, None where it has not finished."""
    if not path.is_file() or not path.with_name("provenance.json").is_file():
        return None
    tensors = load_tensors(path.with_name(arrays))[0] if arrays else {}
    return Part(read_result(path, kind), tensors, read_record(path.parent))


def _training(folder: Path) -> Training | None:
    if not (folder / "history.csv").is_file() or not (folder / "provenance.json").is_file():
        return None
    with (folder / "history.csv").open(newline="", encoding="utf-8") as file:
        rows = [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]
    return Training(folder.name, rows, read_record(folder))
