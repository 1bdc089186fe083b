"""What a case is, what is asked of it, and what is answered."""

from __future__ import annotations

from typing import Literal

from sciml.runtime.results import Result

Sex = Literal["M", "F"]
Diagnosis = Literal["CN", "MCI", "AD"]


class Question(Result):
    """What is asked of a scan: volumes at a later time, and the truth where it is known.

    Attributes:
        diagnosis: assumed from the scan on.
        years: after the scan.
        truth_ml: volumes of the regions at that time, None where nobody knows them.
    """

    diagnosis: Diagnosis
    years: float
    truth_ml: list[float] | None


class Case(Result):
    """Who was scanned.

    Attributes:
        split: validation, to measure errors on, or test.
        affine: (4, 4), voxels (right, front, head) to mm.
        age_years, sex, diagnosis: at the scan.
        truth_ml: volumes of the regions at the scan, None where nobody knows them.
        questions: about later times.
        digest: SHA-256 of the true scan.
    """

    split: Literal["validation", "test"]
    affine: list[list[float]]
    age_years: float
    sex: Sex
    diagnosis: Diagnosis
    truth_ml: list[float] | None
    questions: list[Question]
    digest: str


class Answer(Result):
    """Volumes that are expected at one question's time, with 90 % intervals, in ml."""

    diagnosis: Diagnosis
    years: float
    volumes_ml: list[float]
    low_ml: list[float]
    high_ml: list[float]
