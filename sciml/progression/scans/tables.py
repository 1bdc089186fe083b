"""A user's cohort as a table: a CSV file, or a BIDS folder.

CSV columns: `subject`, `age` (years), `sex`, `diagnosis`, `image`; optional `segmentation`, `split`, `image_uid`. Paths are
relative to the file. BIDS: `sub-*/[ses-*/]anat/*_T1w.nii.gz` with `participants.tsv` and, for several sessions,
`sub-*_sessions.tsv`.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Literal

from sciml.progression.cohorts.cohort import SPLITS
from sciml.progression.cohorts.regions import DIAGNOSES
from sciml.runtime.errors import DataError, FormatError

Coding = Literal["standard", "brlp-cli"]
REQUIRED = ("subject", "age", "sex", "diagnosis", "image")
OPTIONAL = ("segmentation", "split", "image_uid")
SYNONYMS = {
    "subject_id": "subject", "participant_id": "subject", "age_years": "age", "dx": "diagnosis", "image_path": "image",
    "segm_path": "segmentation",
}  # fmt: skip
SEXES = {"m": "M", "male": "M", "0": "M", "0.0": "M", "f": "F", "female": "F", "1": "F", "1.0": "F"}
GROUPS = {"cn": "CN", "0": "CN", "0.0": "CN", "mci": "MCI", "0.5": "MCI", "ad": "AD", "1": "AD", "1.0": "AD"}
# of the published command line, which trains with other codes than it asks for
CLI_SEXES = {"1": "M", "2": "F"}
CLI_GROUPS = {"1": "CN", "2": "MCI", "3": "AD"}
AGES = (18.0, 100.0)
POSSIBLE_AGES = (0.0, 120.0)
FRACTION_LIMIT = 1.2
SEPARATORS = {";": "';'", "\t": "tabs", "|": "'|'", ",": "commas"}


@dataclass(frozen=True)
class Row:
    """One scan of a user's table.

    Attributes:
        where: file and line, for messages.
        subject: who.
        age_years: at the scan.
        sex: `M` or `F`.
        diagnosis: `CN`, `MCI` or `AD`.
        image: path of the image.
        segmentation: path of a label image on any grid.
        split: what the subject is used for, where the table says so.
        image_uid: the scan's own name, a session for instance.
    """

    where: str
    subject: str
    age_years: float
    sex: Literal["M", "F"]
    diagnosis: Literal["CN", "MCI", "AD"]
    image: Path
    segmentation: Path | None = None
    split: str | None = None
    image_uid: str = ""


def read_table(path: Path, coding: Coding = "standard", diagnosis: str | None = None) -> list[Row]:
    """Return the scans of a CSV file or of a BIDS folder, sorted by subject and age.

    Args:
        path: the file or the folder.
        coding: `brlp-cli` for sex 1/2 and diagnosis 1/2/3.
        diagnosis: for rows that have none.

    Raises:
        DataError: a row cannot be used; the message names file and line.
        FormatError: it is no such table.
    """
    records = list(_bids_records(path) if path.is_dir() else _csv_records(path))
    if not records:
        raise DataError(f"{path} holds no scan")
    ages = [_number(record.get("age"), where, "age") for where, record in records]
    if max(ages) <= FRACTION_LIMIT:
        raise DataError(f"{path}: all ages are between {min(ages):g} and {max(ages):g}: age must be in years")
    for (where, _), age in zip(records, ages, strict=True):
        if 0 <= age <= FRACTION_LIMIT:
            raise DataError(f"{where}: age {age:g} stands beside {max(ages):g} in other rows: give it in years, {100 * age:g}?")
    rows = [
        _row(where, record, age, path if path.is_dir() else path.parent, coding, diagnosis)
        for (where, record), age in zip(records, ages, strict=True)
    ]
    return _checked(rows)


def with_splits(rows: Sequence[Row], shares: tuple[float, float, float], order: Sequence[str]) -> list[Row]:
    """Return the rows with a split for every subject who has none.

    Every split with a share gets a subject, whatever the rounding. Subjects fewer than those splits are all test subjects: a
    forecast of theirs is still a forecast, and no model can be trained on them.

    Args:
        rows: of the table.
        shares: of train, validation and test.
        order: all subjects without a split, shuffled by the caller's generator.
    """
    counts = [round(share * len(order)) for share in shares[:2]]
    counts.append(len(order) - sum(counts))
    wanted = [index for index, share in enumerate(shares) if share > 0]
    if len(order) < len(wanted):
        counts = [0, 0, len(order)]
    else:
        for index in wanted:
            while counts[index] < 1:
                counts[counts.index(max(counts))] -= 1
                counts[index] += 1
    borders = (counts[0], counts[0] + counts[1])
    drawn = {
        subject: SPLITS[0] if place < borders[0] else SPLITS[1] if place < borders[1] else SPLITS[2]
        for place, subject in enumerate(order)
    }
    return [row if row.split else replace(row, split=drawn[row.subject]) for row in rows]


def warnings_of(rows: Sequence[Row]) -> list[str]:
    """Return what is unusual in a table without being wrong.

    A diagnosis that changes between visits is one of these: each visit keeps its own, and a forecast starts from the last.

    Args:
        rows: sorted by subject and age, as `read_table` returns them.
    """
    ages = [
        f"{row.where}: age {row.age_years:g} is outside {AGES[0]:g} to {AGES[1]:g} years"
        for row in rows
        if not AGES[0] <= row.age_years <= AGES[1]
    ]
    changes = [
        f"{after.where}: the diagnosis of {after.subject} changes from {before.diagnosis} at {before.age_years:g} to "
        f"{after.diagnosis} at {after.age_years:g}: each visit keeps its own, forecasts start from the last"
        for before, after in pairwise(rows)
        if before.subject == after.subject and before.diagnosis != after.diagnosis
    ]
    return ages + changes


def split_warnings(rows: Iterable[Row]) -> list[str]:
    """Say which splits of a cohort have nobody, so that what needs them is known to be impossible."""
    there = {row.split for row in rows}
    if absent := [split for split in ("train", "validation") if split not in there]:
        return [
            f"nobody is in {' and '.join(absent)}: forecasts can be made, a model cannot be trained; "
            "add subjects, or a column split"
        ]
    return []


def _csv_records(path: Path) -> list[tuple[str, dict[str, str]]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    delimiter = "\t" if path.suffix == ".tsv" else ","
    table = csv.DictReader(lines, delimiter=delimiter)
    names = [SYNONYMS.get(name.strip().lower(), name.strip().lower()) for name in table.fieldnames or ()]
    missing = [name for name in REQUIRED if name not in names and name != "diagnosis"]
    if missing and len(names) == 1:
        for other, called in SEPARATORS.items():
            if other in names[0]:
                raise FormatError(
                    f"{path} separates its columns by {called}: expected {'tabs' if delimiter != ',' else 'commas'}"
                )
    if missing:
        raise FormatError(
            f"{path} lacks the column {missing[0]}: expected {', '.join(REQUIRED)}, and may have {', '.join(OPTIONAL)}"
        )
    table.fieldnames = names
    return [
        (f"{path}, line {number}", {k: (v or "").strip() for k, v in row.items() if k}) for number, row in enumerate(table, 2)
    ]


def _bids_records(folder: Path) -> list[tuple[str, dict[str, str]]]:
    people = {row.get("participant_id", ""): row for row in _tsv(folder / "participants.tsv")}
    if not people:
        raise FormatError(f"{folder} is no BIDS folder: participants.tsv is missing or empty; give a CSV file or a BIDS folder")
    found = []
    images = sorted([*folder.glob("sub-*/anat/*_T1w.nii*"), *folder.glob("sub-*/ses-*/anat/*_T1w.nii*")])
    sessions_of = Counter(image.relative_to(folder).parts[0] for image in images)
    for image in images:
        subject = image.relative_to(folder).parts[0]
        session = next((part for part in image.relative_to(folder).parts if part.startswith("ses-")), "")
        if subject not in people:
            raise DataError(f"{folder}/participants.tsv has no row of {subject}, whose image {image.name} is there")
        table = folder / subject / f"{subject}_sessions.tsv"
        own, general = (
            {SYNONYMS.get(key, key): value for key, value in row.items() if value}
            for row in ({row.get("session_id", ""): row for row in _tsv(table)}.get(session, {}), people[subject])
        )
        # the age of a participant is that at one session, and nobody knows at which
        if session and sessions_of[subject] > 1 and not own.get("age"):
            raise DataError(
                f"{image}: {subject} has {sessions_of[subject]} scans and {session} has no age of its own: give it in "
                f"{table.relative_to(folder)} (columns session_id and age)"
            )
        record = {"age": "", **general, **own}
        found.append((str(image), record | {"image": str(image.relative_to(folder)), "image_uid": session}))
    return found


def _tsv(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    rows = csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines(), delimiter="\t")
    # BIDS writes n/a for what is missing
    return [{key.lower(): "" if value in (None, "n/a") else value.strip() for key, value in row.items() if key} for row in rows]


def _row(where: str, record: Mapping[str, str], age: float, root: Path, coding: Coding, diagnosis: str | None) -> Row:
    if not POSSIBLE_AGES[0] <= age <= POSSIBLE_AGES[1]:
        raise DataError(f"{where}: age {age:g} is not in years: expected {POSSIBLE_AGES[0]:g} to {POSSIBLE_AGES[1]:g}")
    if not record.get("subject") or not record.get("image"):
        raise DataError(f"{where}: subject and image must be given")
    sexes, groups = (SEXES, GROUPS) if coding == "standard" else (CLI_SEXES, CLI_GROUPS)
    given = record.get("diagnosis") or diagnosis or ""
    split = record.get("split") or None
    split = {"valid": "validation", "val": "validation"}.get(split or "", split)
    if split not in (None, *SPLITS):
        raise DataError(f"{where}: split {split!r} is unknown: expected {', '.join(SPLITS)}")
    return Row(
        where,
        record["subject"],
        age,
        _coded(record.get("sex", ""), sexes, where, "sex", coding),  # type: ignore[arg-type]
        _coded(given, groups, where, "diagnosis", coding),  # type: ignore[arg-type]
        root / record["image"],
        root / record["segmentation"] if record.get("segmentation") else None,
        split,
        record.get("image_uid", ""),
    )


def _coded(value: str, codes: Mapping[str, str], where: str, what: str, coding: Coding) -> str:
    if value.lower() in codes:
        return codes[value.lower()]
    if value in codes.values():
        return value
    if what == "diagnosis" and not value:
        raise DataError(f"{where}: diagnosis is missing; fill it in, or give one for all with --diagnosis {'|'.join(DIAGNOSES)}")
    hint = "; codes 1/2 and 1/2/3 need --coding brlp-cli" if coding == "standard" and value in ("2", "3") else ""
    raise DataError(f"{where}: {what} {value!r} is unknown: expected one of {', '.join(dict.fromkeys(codes))}{hint}")


def _number(value: str | None, where: str, what: str) -> float:
    try:
        return float(value or "")
    except ValueError as error:
        raise DataError(f"{where}: {what} {value!r} is not a number") from error


def _checked(rows: list[Row]) -> list[Row]:
    rows = sorted(rows, key=lambda row: (row.subject, row.age_years, row.image_uid))
    for before, after in pairwise(rows):
        if before.subject != after.subject:
            continue
        # ages rise in a course of volumes, so that a rate has a length of time
        if before.age_years == after.age_years:
            raise DataError(
                f"{after.where}: subject {after.subject} has two scans at age {after.age_years:g}, also {before.where}: "
                "give ages with decimals, or keep one of the two"
            )
        for name in ("sex", "split"):
            if getattr(before, name) != getattr(after, name):
                raise DataError(
                    f"{after.where}: subject {after.subject} has {name} {getattr(after, name)!r}, but "
                    f"{getattr(before, name)!r} in {before.where}: a subject has one"
                )
    return rows
