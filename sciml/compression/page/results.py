"""The artefacts of the study, read from its results folder: what is there, and None for what is not."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sciml.compression.settings.stages import PageConfig
from sciml.compression.settings.vectors import SCALAR
from sciml.compression.study.anchors import ANCHORS
from sciml.compression.study.bench import Bench, read_bench
from sciml.compression.study.curves import BdRateOverPictures, Curve, mean_curve, quality_at
from sciml.compression.study.inspection_results import InspectedRow, InspectionFile, VolumesAndFieldsFile
from sciml.compression.study.margins.records import CurvesFile
from sciml.compression.study.margins.statistics import Margins
from sciml.compression.study.quality import Metric
from sciml.compression.study.results import ExactFile, Structure
from sciml.runtime.errors import DataError
from sciml.runtime.files import load_tensors
from sciml.runtime.provenance import Record, read_record
from sciml.runtime.results import read_result

# the domain that the claims are about; the others have curves and tables
MAIN = "photo"
STAGES = ("fit", "train", "neural", "evaluate", "judge", "inspect", "compare_vectors", "apart")
LOSSLESS = "lossless"
OWN = ("nic", "nic-linear", "nic-ms-ssim")
NEURAL = "nic-neural"
ORDER = (*OWN, NEURAL, "photo", *ANCHORS)


@dataclass(frozen=True)
class Inspection:
    """What `inspect` wrote.

    Attributes:
        numbers: numbers of `inspect.json`.
        arrays: arrays of `maps.safetensors`.
        folder: folder with the pictures.
    """

    numbers: InspectionFile
    arrays: Mapping[str, np.ndarray]
    folder: Path

    @property
    def rows(self) -> list[InspectedRow]:
        """Pictures at qualities."""
        return self.numbers.rows

    @property
    def qualities(self) -> list[float]:
        """Qualities at which bits were counted, rising."""
        return sorted({row.quality for row in self.rows})

    @property
    def middle(self) -> float:
        """The quality that is shown."""
        return self.qualities[len(self.qualities) // 2]

    @property
    def views(self) -> list[str]:
        """Pictures that are shown."""
        return list(dict.fromkeys(row.picture for row in self.numbers.equal))

    def at(self, quality: float) -> list[InspectedRow]:
        """Return the rows of a quality."""
        return [row for row in self.rows if row.quality == quality]

    def picture(self, name: str) -> np.ndarray:
        """Return a picture of the stage, uint8."""
        from PIL import Image

        path = self.folder / "pictures" / f"{name}.png"
        try:
            with Image.open(path, formats=("PNG",)) as image:
                return np.array(image)
        except OSError as error:
            raise DataError(f"cannot read the picture {path}: {error}") from error


@dataclass(frozen=True)
class VectorResults:
    """What `compare-vectors` wrote.

    Attributes:
        bench: the scalar model and those with groups, on validation pictures.
        seed: seed of the bootstrap.
        structures: what the models are, by name.
    """

    bench: Bench
    seed: int
    structures: Mapping[str, Structure]

    @property
    def names(self) -> list[str]:
        """Models with groups."""
        return [name for name in self.bench.codecs if name != SCALAR]


@dataclass(frozen=True)
class VolumesAndFields:
    """What `volumes_and_fields` wrote.

    Attributes:
        numbers: numbers of `apart.json`.
        arrays: arrays of `apart.safetensors`: pictures over their range, spectra.
    """

    numbers: VolumesAndFieldsFile
    arrays: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class DomainResults:
    """Everything of one domain; None or empty where a stage has not run.

    Attributes:
        bench: what `evaluate` wrote.
        inspection: what `inspect` wrote, of pictures.
        volumes_and_fields: what the stage of this name wrote, of slices and fields.
        history: rows of the network's training.
        neural_history: rows of the neural model's training.
        vectors: the comparison of vectors with scalar symbols.
        margins: what `judge` measured on crops chosen by a rule, of photographs.
        records: provenance by stage.
    """

    name: str
    bench: Bench
    seed: int
    inspection: Inspection | None = None
    volumes_and_fields: VolumesAndFields | None = None
    history: Sequence[Mapping[str, str]] = ()
    neural_history: Sequence[Mapping[str, str]] = ()
    vectors: VectorResults | None = None
    margins: Margins | None = None
    records: Mapping[str, Record] = field(default_factory=dict)
    # asked for again and again
    _curves: dict[tuple[str, str], Curve] = field(default_factory=dict, repr=False, compare=False)
    _bd_rates: dict[tuple[str, str], dict[str, BdRateOverPictures]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def codecs(self) -> list[str]:
        """Codecs that ran, ours first."""
        return sorted(self.bench.codecs, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))

    @property
    def best(self) -> str | None:
        """Our codec that claims are about: with its network where there is one."""
        return next((name for name in OWN if name in self.bench.codecs), None)

    @property
    def names(self) -> list[str]:
        """Test pictures, in their order."""
        return list(dict.fromkeys(row.picture for row in self.bench.rows))

    @property
    def pictures(self) -> int:
        """Number of test pictures."""
        return len(self.names)

    def curve(self, codec: str, metric: Metric) -> Curve:
        """Return the curve of a codec's means over pictures; empty where it did not run."""
        key = (codec, metric.key)
        if key not in self._curves:
            self._curves[key] = mean_curve(self.bench.points(codec, metric), metric)
        return self._curves[key]

    def lead(self, codec: str, other: str, rate_bpp: float, metric: Metric) -> float | None:
        """Return how many dB a codec's mean curve lies above another's at a rate, None outside of either."""
        ours, theirs = (quality_at(self.curve(name, metric), rate_bpp) for name in (codec, other))
        return None if ours is None or theirs is None else ours - theirs

    def difference(self, codec: str, other: str, rate_bpp: float, metric: Metric) -> float | None:
        """Return the same in the metric's own unit."""
        ours, theirs = (quality_at(self.curve(name, metric), rate_bpp) for name in (codec, other))
        return None if ours is None or theirs is None else metric.value(ours) - metric.value(theirs)

    def bd_rates(self, anchor: str, metric: Metric) -> dict[str, BdRateOverPictures]:
        """Return the BD-rates against an anchor, empty where it did not run."""
        key = (anchor, metric.key)
        if key not in self._bd_rates:
            self._bd_rates[key] = self.bench.bd_rates(anchor, metric, self.seed) if anchor in self.bench.codecs else {}
        return self._bd_rates[key]


@dataclass(frozen=True)
class StudyResults:
    """All domains by name, the main one first; what `compare_lossless` wrote, and the provenance of the model without loss."""

    domains: Mapping[str, DomainResults]
    lossless: ExactFile | None = None
    lossless_records: Sequence[Record] = ()

    @property
    def main(self) -> DomainResults:
        """The domain that the claims are about."""
        return next(iter(self.domains.values()))

    @property
    def records(self) -> list[Record]:
        """Provenance of all stages, in the order of the study."""
        return [record for domain in self.domains.values() for record in domain.records.values()] + list(self.lossless_records)


def volumes_and_fields_domains(study: StudyResults) -> list[DomainResults]:
    """Return the domains of slices and fields, whose bench has no codecs of 8 bits."""
    return [domain for name, domain in study.domains.items() if "jpeg" not in domain.bench.codecs and name != study.main.name]


def read_study(folder: Path, config: PageConfig) -> StudyResults:
    """Read what a run has written.

    Raises:
        DataError: no codec has been compared.
    """
    names = sorted(config.domains, key=lambda name: name != MAIN)
    found = {name: _domain(folder / name, name) for name in names if (folder / name / "evaluate" / "bench.json").is_file()}
    if not found:
        raise DataError(f"{folder} holds no comparison of codecs; run the study first: make demo FAMILY=compression")
    lossless = folder / LOSSLESS / "compare" / "lossless.json"
    records = [folder / LOSSLESS / stage for stage in ("fit", "compare")]
    return StudyResults(
        found,
        read_result(lossless, ExactFile) if lossless.is_file() else None,
        [read_record(one) for one in records if (one / "provenance.json").is_file()],
    )


def _domain(folder: Path, name: str) -> DomainResults:
    bench, seed = read_bench(folder / "evaluate" / "bench.json")
    return DomainResults(
        name,
        bench,
        seed,
        _inspection(folder / "inspect"),
        _volumes_and_fields(folder / "apart"),
        _history(folder / "train" / "history.csv"),
        _history(folder / "neural" / "history.csv"),
        _vectors(folder / "compare_vectors"),
        _margins(folder / "judge" / "curves.json"),
        {stage: read_record(folder / stage) for stage in STAGES if (folder / stage / "provenance.json").is_file()},
    )


def _vectors(folder: Path) -> VectorResults | None:
    if not (folder / "bench.json").is_file():
        return None
    return VectorResults(*read_bench(folder / "bench.json"), read_result(folder / "structures.json", dict[str, Structure]))


def _margins(path: Path) -> Margins | None:
    return Margins(read_result(path, CurvesFile)) if path.is_file() else None


def _inspection(folder: Path) -> Inspection | None:
    if not (folder / "inspect.json").is_file():
        return None
    return Inspection(read_result(folder / "inspect.json", InspectionFile), load_tensors(folder / "maps.safetensors")[0], folder)


def _volumes_and_fields(folder: Path) -> VolumesAndFields | None:
    if not (folder / "apart.json").is_file():
        return None
    return VolumesAndFields(
        read_result(folder / "apart.json", VolumesAndFieldsFile), load_tensors(folder / "apart.safetensors")[0]
    )


def _history(path: Path) -> list[Mapping[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
