"""What the links of the chain write for the budget, and the budget for the page."""

from __future__ import annotations

from sciml.runtime.results import Result
from sciml.studies.scan_to_forecast.chain.records import Answer, Diagnosis


class Chain(Result):
    """One scan at the end of one chain.

    Attributes:
        case: who.
        method: of the reconstruction.
        archive: level of the archive; `none` for the true scan, which went through no link.
        bytes: size in the archive.
        bits_per_voxel: the same, for each voxel.
        psnr_db: against the true scan within the head; None where nothing differs.
        refused: why it could not be prepared, None where it could.
        volumes_ml: of the regions, measured.
        answers: forecasts, in the order of the questions.
    """

    case: str
    method: str
    archive: str
    bytes: int
    bits_per_voxel: float
    psnr_db: float | None
    refused: str | None
    volumes_ml: list[float]
    answers: list[Answer]


class Archived(Result):
    """A forecast image in the archive: against the image itself, and what is measured in it.

    Attributes:
        archive, bytes, psnr_db, refused: as of `Chain`.
        volumes_ml: of the regions, measured again in the decoded image.
    """

    archive: str
    bytes: int
    psnr_db: float | None
    refused: str | None
    volumes_ml: list[float]


class Chains(Result):
    """All that follows from one acquisition."""

    acquisition: str
    chains: list[Chain]
    archived: list[Archived]


class Move(Result):
    """How far one change of the chain moves a forecast from that of the reference.

    Attributes:
        link: what was changed, alone or together.
        level: to what.
        percent: 100 ln(volume / volume of the comparison).
        deviations: the same in standard deviations of the reference's own forecast.
    """

    link: str
    level: str
    region: str
    diagnosis: Diagnosis
    percent: float
    deviations: float


class RegionBudget(Result):
    """One region under one diagnosis: what the forecast says, and which link moves it how far.

    Attributes:
        reference_ml: forecast of the reference.
        deviation_percent: standard deviation of that forecast, by its interval.
        difference_percent: 100 ln(other diagnosis / this one), what the question is about.
        grid_percent: standard deviation of the forecast over the grid of links.
        shares: of that variance, by links; empty where every chain was refused.
    """

    region: str
    diagnosis: Diagnosis
    reference_ml: float
    deviation_percent: float
    difference_percent: float
    grid_percent: float
    shares: dict[str, float]


class Quality(Result):
    """The picture at the end of one chain: mean over the subjects of a group."""

    group: str
    acquisition: str
    method: str
    archive: str
    psnr_db: float | None
    bits_per_voxel: float
    refused: int
    subjects: int


class Coverage(Result):
    """How often 90 % intervals hold the true later volumes of test subjects, for one chain.

    Attributes:
        held, asked: numbers of intervals, over subjects, visits and regions.
        share, low, high: share held with its 95 % interval, bootstrap over subjects.
        width_percent: mean of 100 ln(high end / low end).
        carried: whether the chain's own error, measured on validation subjects, was added to the intervals.
    """

    acquisition: str
    method: str
    archive: str
    carried: bool
    held: int
    asked: int
    share: float
    low: float
    high: float
    width_percent: float


class SubjectMove(Result):
    """How far one change of the chain moves the measured volumes of subjects.

    Attributes:
        link, level: as of `Move`.
        region: which.
        error_percent: root mean square over test subjects of 100 ln(measured / truth).
        moved_percent: root mean square of 100 ln(measured / measured by the reference).
        low_percent, high_percent: 95 % interval of `moved_percent`, bootstrap over subjects; None of too few.
        rate_percent: root mean square of what it moves the forecast rate of change by, in % a year.
    """

    link: str
    level: str
    region: str
    error_percent: float
    moved_percent: float
    low_percent: float | None
    high_percent: float | None
    rate_percent: float


class Budget(Result):
    """The error budget of the study.

    Attributes:
        regions: one for each region and diagnosis of the head.
        moves: of the head.
        chains: number of chains of the head, the reference among them.
        refused: chains of any group that ended in no forecast, and why.
        left_out: levels of the head's links that the shares leave out, since a chain of them was refused.
        quality: of every chain.
        subject_moves, coverage: of the simulated subjects.
        archived: the forecast image of the reference.
        untouched_percent: largest 100 |ln| between the volumes of the reference and those of the scan that went through no link.
    """

    regions: list[RegionBudget]
    moves: list[Move]
    chains: int
    refused: list[str]
    left_out: list[str]
    quality: list[Quality]
    subject_moves: list[SubjectMove]
    coverage: list[Coverage]
    archived: list[Archived]
    untouched_percent: float | None
