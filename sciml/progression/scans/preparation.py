"""From a user's table to a cohort: every image read, placed, examined and measured; what cannot be used is refused by name."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from sciml.formats.nifti import Scan, read_scan
from sciml.progression.cohorts.cohort import Visit, write_cohort, write_subject
from sciml.progression.cohorts.grids import GRIDS, Grid
from sciml.progression.scans.examination import Finding, Placed, examine, place
from sciml.progression.scans.reference import mni_reference
from sciml.progression.scans.registration import register_affine
from sciml.progression.scans.segmentation import NOT_MEASURED, Codes, label_shares, measured_volumes, run_synthseg, unknown_codes
from sciml.progression.scans.tables import Row
from sciml.runtime.errors import DataError, ScimlError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reading:
    """How images are read.

    Attributes:
        register: `affine` maps every image to the template; `none` takes its place as it is.
        allow_skull: go on where the skull seems to be there.
        volume: which of several volumes in a file.
    """

    register: Literal["none", "affine"] = "none"
    allow_skull: bool = False
    volume: int | None = None


@dataclass(frozen=True)
class Examined:
    """An image on the grid with what is unusual about it."""

    scan: Scan
    placed: Placed
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Return what forbids its use."""
        return tuple(finding for finding in self.findings if finding.level == "error")


def examine_image(path: Path, grid: Grid, reading: Reading) -> Examined:
    """Read an image, put it on the grid and examine it.

    Raises:
        DataError: it cannot be read as a brain at all.
    """
    scan = read_scan(path, reading.volume)
    to_scan = register_affine(scan, mni_reference(GRIDS["4.5mm"])) if reading.register == "affine" else None
    placed = place(scan, grid, to_scan)
    found = examine(scan, placed, grid, mni_reference(grid))
    if reading.allow_skull:
        found = [Finding("warning", one.code, one.text) if one.code == "skull" else one for one in found]
    return Examined(scan, placed, tuple(found))


def prepare_cohort(
    rows: Sequence[Row], folder: Path, grid: Grid, reading: Reading, codes: Codes, synthseg: bool, source: str
) -> list[str]:
    """Write a cohort of a user's images; return the warnings.

    Args:
        rows: of the table, each with a split.
        folder: of the cohort.
        grid: of the cohort.
        reading: how images are read.
        codes: of the label images.
        synthseg: segment what has no label image.
        source: where the table comes from, for the record.

    Raises:
        DataError: an image cannot be used, or one image stands for two subjects.
        NumericalError: an image cannot be registered.
    """
    warnings = check_leaks(rows)
    visits: list[Visit] = []
    subjects: dict[str, list[Row]] = {}
    for row in rows:
        subjects.setdefault(row.subject, []).append(row)
    names = {file_name(subject): subject for subject in subjects}
    if len(names) < len(subjects):
        alike = next(subject for subject in subjects if names[file_name(subject)] != subject)
        raise DataError(f"subjects {alike!r} and {names[file_name(alike)]!r} have the same name in a file: rename one")
    for subject, own in subjects.items():
        name = file_name(subject)
        arrays: dict[str, list[np.ndarray]] = {"image": [], "mask": []}
        for number, row in enumerate(own):
            try:
                examined = examine_image(row.image, grid, reading)
            except ScimlError as error:
                raise type(error)(f"{row.where}: {error}") from error
            if examined.errors:
                raise DataError(f"{row.where}: {row.image.name}: {examined.errors[0].text}")
            warnings += [f"{row.where}: {row.image.name}: {finding.text}" for finding in examined.findings]
            arrays["image"].append(examined.placed.image)
            arrays["mask"].append(examined.placed.mask)
            volumes, labels = _measure(row, examined, folder, grid, codes, synthseg, warnings)
            if labels is not None:
                arrays.setdefault("labels", []).append(labels)
            visits.append(Visit(name, number, row.split, row.age_years, row.sex, row.diagnosis, volumes))  # type: ignore[arg-type]
        if len(arrays.get("labels", own)) != len(own):
            raise DataError(f"subject {subject} has label images for some scans only: give them for all, or for none")
        write_subject(folder, name, {key: np.stack(items) for key, items in arrays.items()}, grid)
        log.info("%s: %d scans", subject, len(own))
    write_cohort(folder, grid, visits, {"kind": "prepared", "source": source, "register": reading.register})
    return warnings


def check_leaks(rows: Sequence[Row]) -> list[str]:
    """Refuse an image that stands for two subjects; return warnings of images that stand twice for one.

    Images are alike where their voxels are, however the file is compressed, whatever its numbers are stored as, and however its
    axes are turned.

    Raises:
        DataError: with both rows, and with the splits where they differ; or a file is missing or cannot be read, with its row.
    """
    for row in rows:
        for path in (row.image, row.segmentation):
            if path is not None and not path.exists():
                raise DataError(f"{row.where}: no such file: {path}")
    seen: dict[str, Row] = {}
    warnings = []
    for row in rows:
        before = seen.setdefault(voxel_digest(_named(row, row.image)), row)
        if before is row:
            continue
        if before.subject != row.subject:
            raise DataError(
                f"{row.where}: the image of {row.subject} ({row.split}) is voxel for voxel that of {before.subject} "
                f"({before.split}) in {before.where}: one image cannot be two subjects"
            )
        warnings.append(f"{row.where}: the image is voxel for voxel that of {before.where}")
    return warnings


def _named(row: Row, path: Path, whole_numbers: bool = False) -> Scan:
    try:
        return read_scan(path, whole_numbers=whole_numbers)
    except ScimlError as error:
        raise type(error)(f"{row.where}: {error}") from error


def voxel_digest(scan: Scan) -> str:
    """Return the SHA-256 of the shape and the values of a scan, its axes turned to the right, to the front and to the head."""
    import nibabel

    turn = nibabel.orientations.io_orientation(scan.affine)
    array = np.ascontiguousarray(nibabel.orientations.apply_orientation(scan.array, turn), dtype="<f4")
    return hashlib.sha256(str(array.shape).encode() + array.tobytes()).hexdigest()


def _measure(
    row: Row, examined: Examined, folder: Path, grid: Grid, codes: Codes, synthseg: bool, warnings: list[str]
) -> tuple[tuple[float, ...], np.ndarray | None]:
    if row.segmentation is not None:
        labels = _named(row, row.segmentation, whole_numbers=True)
    elif synthseg:
        labels = run_synthseg(
            row.image, folder / "segmentations" / f"{file_name(row.subject)}-{row.age_years:g}{row.image_uid}.nii.gz"
        )
    else:
        return NOT_MEASURED, None
    if strange := unknown_codes(labels, codes):
        warnings.append(
            f"{row.where}: {labels.path.name} has codes that belong to no region: {', '.join(map(str, strange[:20]))}"
        )
    shares = label_shares(labels, codes, grid, examined.placed.to_scan)
    # of the brain as it lies on the grid: a registration changes its size
    size = abs(float(np.linalg.det(examined.placed.to_scan[:3, :3])))
    return tuple(volume / size for volume in measured_volumes(labels, codes)), shares


def file_name(subject: str) -> str:
    """Return a subject's name as it may stand in a file name."""
    cleaned = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in subject)
    if not cleaned.strip("._"):
        raise DataError(f"subject {subject!r} has no letter or digit in its name")
    return cleaned
