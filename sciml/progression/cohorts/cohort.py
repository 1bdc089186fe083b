"""A cohort: subjects, their visits, images on one grid, labels and volumes; one folder, read lazily.

    cohort.json                    format, grid, regions, where the cohort comes from
    visits.csv                     one row a visit: subject, visit, split, age, sex, diagnosis, volume of each region in ml
    subjects/<subject>.safetensors arrays of one subject, first axis = visits in order of age:
        image   float16 (visits, *grid)            normalised, brain only, bias and noise included
        mask    uint8   (visits, *grid)            1 in the brain
        clean   float16 (visits, *grid)            simulated only: the same without bias and noise
        labels  uint8   (visits, regions, *grid)   where known: fraction of the voxel, 255 = all of it
        lesions uint8   (visits, *grid)            simulated only: fraction of the voxel in a lesion of the white matter
        shift   float16 (visits, 3, *grid)         simulated only: where what is at a voxel comes from, see `Cohort.shift`

Volumes come from the exact label sums, never from the rounded labels in the file. What is not known is an empty cell in the
table and NaN in Python.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sciml.progression.cohorts.grids import Grid, grid_of
from sciml.progression.cohorts.regions import DIAGNOSES, DIAGNOSIS_CODES, REGIONS, SEX_CODES
from sciml.runtime.errors import DataError, FormatError, ShapeError
from sciml.runtime.files import digest_bytes, digest_file, read_json, save_tensors, write_json, write_text

FORMAT = "sciml-cohort-1"
SPLITS = ("train", "validation", "test", "calibration")
COLUMNS = ("subject", "visit", "split", "age_years", "sex", "diagnosis", *(f"{name}_ml" for name in REGIONS))

Split = Literal["train", "validation", "test", "calibration"]
Array = Literal["image", "mask", "clean", "labels", "lesions", "shift"]


@dataclass(frozen=True)
class Visit:
    """One scan of one subject.

    Attributes:
        subject: who.
        number: 0 for the first visit of that subject, in order of age.
        split: what the subject is used for; all visits of a subject share it.
        age_years: at the scan.
        sex: `M` or `F`.
        diagnosis: `CN`, `MCI` or `AD`.
        volumes_ml: volume of every region in ml, in the order of `REGIONS`; NaN where unknown.
    """

    subject: str
    number: int
    split: Split
    age_years: float
    sex: Literal["M", "F"]
    diagnosis: Literal["CN", "MCI", "AD"]
    volumes_ml: tuple[float, ...] = field(default=(math.nan,) * len(REGIONS))

    @property
    def sex_code(self) -> float:
        """Return 0 for male, 1 for female."""
        return SEX_CODES[self.sex]

    @property
    def diagnosis_code(self) -> float:
        """Return 0 for CN, 0.5 for MCI, 1 for AD."""
        return DIAGNOSIS_CODES[self.diagnosis]

    def volume_ml(self, region: str) -> float:
        """Return the volume of one region in ml."""
        return self.volumes_ml[REGIONS.index(region)]


class Cohort:
    """A cohort on disk; tables are read at once, arrays when they are asked for.

    Args:
        folder: as `write_cohort` left it.

    Raises:
        DataError: the folder is no cohort.
        FormatError: its files contradict each other.

    Example:
        cohort = Cohort("results/ci/progression/cohort")
        for first, later in cohort.pairs("train"):
            x = cohort.image(first)             # float32 (1, *cohort.grid.shape)
            rate = np.log(later.volume_ml("hippocampus") / first.volume_ml("hippocampus"))
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        if not (self.folder / "cohort.json").is_file():
            raise DataError(
                f"{folder} is no cohort: cohort.json is missing; make one with `sciml progression simulate` or `prepare`"
            )
        header = read_json(self.folder / "cohort.json")
        if header.get("format") != FORMAT or header.get("regions") != list(REGIONS):
            raise FormatError(f"{folder}/cohort.json is of format {header.get('format')!r} with regions {header.get('regions')}")
        self.grid: Grid = grid_of(header["grid"])
        self.about: dict[str, Any] = header["about"]
        self.visits: tuple[Visit, ...] = tuple(_read_table(self.folder / "visits.csv"))
        check_visits(self.visits)

    @property
    def affine(self) -> np.ndarray:
        """Return the (4, 4) map from voxel indices of every image to millimetres in MNI space."""
        return self.grid.affine

    def subjects(self, split: Split | None = None) -> dict[str, tuple[Visit, ...]]:
        """Return the visits of each subject, in order of age; of one split where it is named."""
        found: dict[str, list[Visit]] = {}
        for visit in self.visits:
            if split in (None, visit.split):
                found.setdefault(visit.subject, []).append(visit)
        return {subject: tuple(visits) for subject, visits in found.items()}

    def select(self, split: Split) -> tuple[Visit, ...]:
        """Return all visits of a split."""
        return tuple(visit for visit in self.visits if visit.split == split)

    def pairs(self, split: Split) -> list[tuple[Visit, Visit]]:
        """Return every ordered pair (earlier, later) of visits of one subject, subject after subject."""
        return [
            (visits[i], visits[j])
            for visits in self.subjects(split).values()
            for i in range(len(visits))
            for j in range(i + 1, len(visits))
        ]

    def has(self, name: Array) -> bool:
        """Return whether the cohort holds `clean` images or `labels` beside the images."""
        return bool(self.visits) and name in self._keys(self.visits[0].subject)

    def image(self, visit: Visit) -> np.ndarray:
        """Return the image of a visit, float32 (1, *grid)."""
        return self._read(visit, "image").astype(np.float32)[None]

    def clean(self, visit: Visit) -> np.ndarray:
        """Return the image without bias and noise, float32 (1, *grid); simulated cohorts only."""
        return self._read(visit, "clean").astype(np.float32)[None]

    def truth(self, visit: Visit) -> np.ndarray:
        """Return what a forecast is compared with, float32 (1, *grid): the clean image where there is one, else the scan."""
        return self.clean(visit) if self.has("clean") else self.image(visit)

    def mask(self, visit: Visit) -> np.ndarray:
        """Return where the brain is, bool (1, *grid)."""
        return self._read(visit, "mask").astype(bool)[None]

    def labels(self, visit: Visit) -> np.ndarray:
        """Return the fraction of every voxel that each region fills, float32 (regions, *grid)."""
        return self._read(visit, "labels").astype(np.float32) / np.float32(255)

    def lesions(self, visit: Visit) -> np.ndarray:
        """Return the true fraction of every voxel that a lesion fills, float32 (1, *grid); simulated cohorts only."""
        return self._read(visit, "lesions").astype(np.float32)[None] / np.float32(255)

    def shift(self, visit: Visit) -> np.ndarray:
        """Return the true motion, simulated cohorts only: what is at voxel x was at x + shift(x) before all atrophy.

        That is the same anatomy for all visits of a subject, some years before the first one.

        Returns:
            Shape (3, *grid), float32, in voxels.
        """
        return self._read(visit, "shift").astype(np.float32)

    def images(self, visits: Iterable[Visit]) -> np.ndarray:
        """Return images of many visits, float32 (visits, 1, *grid)."""
        return np.stack([self.image(visit) for visit in visits])

    def volumes(self, visits: Iterable[Visit]) -> np.ndarray:
        """Return volumes in ml, float64 (visits, regions)."""
        return np.array([visit.volumes_ml for visit in visits], dtype=np.float64).reshape(-1, len(REGIONS))

    def digests(self, visits: Iterable[Visit]) -> dict[str, str]:
        """Return the SHA-256 of the file of each subject: what a model trained on them names as its inputs.

        In a cohort of tables, which has no such files, that of the subject's rows.
        """
        names = sorted({visit.subject for visit in visits})
        if self.about.get("kind") == "tables":
            people = self.subjects()
            return {name: digest_bytes(repr(people[name]).encode()) for name in names}
        return {name: digest_file(self._path(name)) for name in names}

    def _path(self, subject: str) -> Path:
        return self.folder / "subjects" / f"{subject}.safetensors"

    def _keys(self, subject: str) -> set[str]:
        with _open(self._path(subject)) as file:
            return set(file.keys())

    def _read(self, visit: Visit, name: Array) -> np.ndarray:
        path = self._path(visit.subject)
        with _open(path) as file:
            if name not in file.keys():  # noqa: SIM118
                raise DataError(f"{path} holds no {name}: this cohort has {', '.join(sorted(file.keys()))}")
            return file.get_slice(name)[visit.number]


def _open(path: Path) -> Any:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise DataError(f"no such file: {path}; the cohort is incomplete, make it again")
    try:
        return safe_open(path, framework="np")
    except (SafetensorError, OSError) as error:
        raise FormatError(f"{path} is not a safetensors file: {error}") from error


def write_subject(
    folder: Path, subject: str, arrays: Mapping[str, np.ndarray], grid: Grid, notes: Mapping[str, Any] | None = None
) -> Path:
    """Write the arrays of one subject.

    Args:
        folder: of the cohort.
        subject: its name, also the file's.
        arrays: `image` (visits, *grid) and `mask`, and `clean` and `labels` (visits, regions, *grid) where known, as floats
            (`labels` and `lesions` are fractions in [0, 1]) and `shift` (visits, 3, *grid).
        grid: of the cohort.
        notes: JSON values kept in the file.

    Raises:
        ShapeError: an array is not on the grid.
    """
    stored = {}
    for name, array in arrays.items():
        if array.shape[-3:] != grid.shape or array.ndim != (5 if name in ("labels", "shift") else 4):
            raise ShapeError(f"{name} of {subject} has shape {array.shape}: expected (visits, ..., {grid.shape})")
        if name in ("image", "clean", "shift"):
            stored[name] = array.astype(np.float16)
        else:
            stored[name] = np.rint(array * 255).astype(np.uint8) if name in ("labels", "lesions") else array.astype(np.uint8)
    path = folder / "subjects" / f"{subject}.safetensors"
    save_tensors(path, stored, notes)
    return path


def write_cohort(folder: Path, grid: Grid, visits: Sequence[Visit], about: Mapping[str, Any]) -> list[Path]:
    """Write the tables of a cohort whose subjects are written, checked as they will be read.

    Args:
        folder: of the cohort.
        grid: of all images.
        visits: all of them, sorted by subject and age.
        about: where the cohort comes from, JSON values.

    Raises:
        DataError: a subject is in two splits, or its visits are not in order.
    """
    check_visits(visits)
    rows = io.StringIO()
    table = csv.writer(rows, lineterminator="\n")
    table.writerow(COLUMNS)
    for visit in visits:
        volumes = ["" if math.isnan(volume) else f"{volume:.6f}" for volume in visit.volumes_ml]
        table.writerow([visit.subject, visit.number, visit.split, f"{visit.age_years:.4f}", visit.sex, visit.diagnosis, *volumes])
    write_text(folder / "visits.csv", rows.getvalue())
    header = {"format": FORMAT, "grid": grid.name, "regions": list(REGIONS), "about": dict(about)}
    write_json(folder / "cohort.json", header)
    return [folder / "cohort.json", folder / "visits.csv"]


def check_visits(visits: Sequence[Visit]) -> None:
    """Refuse a table in which a subject is in two splits, has two sexes, or visits out of order.

    Raises:
        DataError: with the subject's name.
    """
    seen: dict[str, Visit] = {}
    for visit in visits:
        last = seen.get(visit.subject)
        if visit.number != (0 if last is None else last.number + 1):
            raise DataError(f"subject {visit.subject}: visit {visit.number} is out of order; number them 0, 1, ... by age")
        if last is not None:
            if last.split != visit.split:
                raise DataError(
                    f"subject {visit.subject} is in two splits, {last.split} and {visit.split}: a subject belongs to one"
                )
            if last.sex != visit.sex:
                raise DataError(f"subject {visit.subject} is {last.sex} at one visit and {visit.sex} at another")
            if visit.age_years < last.age_years:
                raise DataError(f"subject {visit.subject}: visits are not in order of age")
            # those who calibrate measurements change in no time
            if visit.age_years == last.age_years and visit.split != "calibration":
                raise DataError(
                    f"subject {visit.subject} has two visits at age {visit.age_years:g}: a course needs rising ages; "
                    "give ages with decimals, or keep one of the two"
                )
        seen[visit.subject] = visit


def _read_table(path: Path) -> Iterator[Visit]:
    rows: list[dict[str, Any]]
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    for number, row in enumerate(rows, start=2):
        try:
            if row["split"] not in SPLITS or row["diagnosis"] not in DIAGNOSES or row["sex"] not in SEX_CODES:
                raise ValueError(f"split {row['split']!r}, sex {row['sex']!r}, diagnosis {row['diagnosis']!r}")
            volumes = tuple(float(row[f"{name}_ml"] or math.nan) for name in REGIONS)
            yield Visit(
                row["subject"], int(row["visit"]), row["split"], float(row["age_years"]),
                row["sex"], row["diagnosis"], volumes,
            )  # fmt: skip
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(f"{path}, line {number}: not a row of a cohort's table: {error}") from error
