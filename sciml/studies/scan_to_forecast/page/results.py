"""The artefacts of a run as the page reads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from sciml.runtime.errors import DataError
from sciml.runtime.files import load_tensors
from sciml.runtime.provenance import Record, read_record
from sciml.runtime.results import read_result
from sciml.studies.scan_to_forecast.config import REFERENCE, EvaluateConfig, HeadConfig, SubjectsConfig, by_hardness
from sciml.studies.scan_to_forecast.study.results import Budget, Move

STAGES = ("kspace", "reconstruct", "archive", "forecast")


@dataclass(frozen=True)
class Study:
    """What a run has found.

    Attributes:
        folder: results of the study.
        budget: of all chains.
        config: the links as they ran.
    """

    folder: Path
    budget: Budget
    config: EvaluateConfig

    @property
    def head(self) -> HeadConfig | None:
        """Return the head's links, None where no head was scanned."""
        return self.config.head

    @property
    def subjects(self) -> SubjectsConfig | None:
        """Return the subjects' links, None where none were scanned."""
        return self.config.subjects

    def slices(self, group: str, acquisition: str, method: str) -> dict[str, np.ndarray]:
        """Return axial slices by archive and case, (slices, rows, columns) from 0 to 1."""
        path = self.folder / group / acquisition / "forecast" / "slices.safetensors"
        if not path.is_file():
            return {}
        found, whose = load_tensors(path)[0], f"{method}/"
        return {name.removeprefix(whose): one.astype(np.float32) / 255 for name, one in found.items() if name.startswith(whose)}

    def moves(self, **wanted: str) -> list[Move]:
        """Return the moves of the head whose fields have these values."""
        return [one for one in self.budget.moves if all(getattr(one, name) == value for name, value in wanted.items())]

    @cached_property
    def records(self) -> list[Record]:
        """Return the provenance of every job, links in the order of the chain."""
        found = [*sorted(self.folder.glob("*/cases"))]
        found += [path for stage in STAGES for path in sorted(self.folder.glob(f"*/**/{stage}"))]
        return [read_record(path) for path in (*found, self.folder / "budget") if (path / "provenance.json").is_file()]

    def cpu_seconds(self) -> Iterator[tuple[str, str, str, float]]:
        """Yield group, acquisition, method and the mean processor time of a reconstructed volume."""
        for path in sorted(self.folder.glob("*/*/*/reconstruct")):
            seconds = read_record(path).notes["cpu_seconds"].values()
            group, acquisition, method = path.parts[-4:-1]
            yield group, acquisition, method, float(np.mean(list(seconds)))


def read_study(folder: Path) -> Study:
    """Return the study of a results folder.

    Raises:
        DataError: its budget has not been made.
    """
    if not (folder / "budget" / "budget.json").is_file():
        raise DataError(f"{folder} has no budget: run the study first, `make demo FAMILY=scan_to_forecast`")
    config = EvaluateConfig.model_validate(read_record(folder / "budget").config)
    return Study(folder, read_result(folder / "budget" / "budget.json", Budget), config)


def hard_one(study: Study) -> str:
    """Return the acquisition with the fewest samples, of the head, else of the subjects; of those that led to a forecast."""
    links = study.head or study.subjects
    if links is None:
        return REFERENCE
    ended = {one.level.partition(", ")[0] for one in study.moves(link="all")}
    ranked = by_hardness(links)
    return next((name for name in ranked if name in ended), ranked[0])
