"""What the page reads from a results folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sciml.runtime.provenance import Record, read_record
from sciml.runtime.results import read_result
from sciml.studies.flow_from_images.config import TRUE_FRAMES
from sciml.studies.flow_from_images.study.movies import Movie, read_movies
from sciml.studies.flow_from_images.study.results import ArchiveResult, Fit, FitResult, Orientation
from sciml.studies.flow_from_images.study.scores import chosen, coverage

TITLES = {
    "none": "as blurred",
    "wiener": "Wiener",
    "tv": "total variation, nominal kernel",
    "corrected": "total variation, corrected kernel",
    "lpn": "learned proximal",
    "exact": "total variation, true kernel",
}


@dataclass(frozen=True)
class StudyData:
    """Everything that was measured.

    Attributes:
        rows: fits of all combinations, the true frames first.
        lost: movies that could not be fitted, with the reason.
        factors: of the intervals, by combination and parameter.
        orientations: by combination.
        archives: by name.
        results: the folder.
        records: provenance of the stages, one of each kind.
    """

    rows: list[Fit]
    lost: dict[str, str]
    factors: dict[str, dict[str, float]]
    orientations: dict[str, Orientation]
    archives: dict[str, ArchiveResult]
    results: Path
    records: list[Record]

    @property
    def combinations(self) -> list[str]:
        """All combinations, the true frames first where they were fitted."""
        return list(dict.fromkeys(row.combination for row in self.rows))

    @property
    def blurred(self) -> str:
        """The combination that nothing was done to, or the first there is."""
        pictures = [name for name in self.combinations if name != TRUE_FRAMES]
        return "lossless/none" if "lossless/none" in pictures else pictures[0]

    @property
    def corrected(self) -> str | None:
        """The family's default: lossless frames, corrected kernel."""
        return "lossless/corrected" if "lossless/corrected" in self.combinations else None

    def of(self, combination: str, noise: str = "measured") -> list[Fit]:
        """Return the fits of a combination."""
        return chosen(self.rows, combination, noise)

    @property
    def is_own(self) -> bool:
        """Whether the movie is the user's, whose truth nobody knows."""
        return coverage(self.rows).count == 0

    def fields(self) -> dict[str, Movie]:
        """Return fitted and forecast fields of the shown case by combination."""
        found = (read_movies(folder / "fields.safetensors") for folder in fit_folders(self.results, self.orientations).values())
        return {name: movie for movies in found for name, movie in movies.items()}

    def flows(self) -> dict[str, Movie]:
        """Return the flows."""
        return read_movies(self.results / "simulate" / "flows.safetensors")

    def frames(self, link: str) -> dict[str, Movie]:
        """Return the movies of a link, such as `render` or `lossless/tv/sharpen`."""
        return read_movies(self.results / link / "frames.safetensors")


def title_of(combination: str) -> str:
    """Return a combination in words."""
    archive, _, sharpening = combination.partition("/")
    return combination if not sharpening else f"{archive}, {TITLES[sharpening]}"


def fit_folders(results: Path, combinations: Iterable[str]) -> dict[str, Path]:
    """Return the folders of the inference by combination, that of the true frames first."""
    return {TRUE_FRAMES: results / "infer"} | {name: results / name / "infer" for name in combinations}


def read_study(results: Path, combinations: Sequence[str]) -> StudyData:
    """Return what lies in a results folder.

    Args:
        results: the folder.
        combinations: ARCHIVE/SHARPENING, in the order of the page.

    Raises:
        DataError: the inference has not run.
    """
    fits = {name: read_result(folder / "fits.json", FitResult) for name, folder in fit_folders(results, combinations).items()}
    names = list(combinations)
    archives = list(dict.fromkeys(name.partition("/")[0] for name in names))
    folders = ["simulate", "render", *(f"{one}/archive" for one in archives)]
    folders += [f"{name}/{stage}" for stage in ("sharpen", "orient") for name in names]
    records: dict[str, Record] = {}
    for folder in (*folders, "infer"):
        record = read_record(results / folder)
        records.setdefault(record.stage, record)
    return StudyData(
        [row for one in fits.values() for row in one.rows],
        {f"{name}, {key}": why for name, one in fits.items() for key, why in one.lost.items()},
        {name: one.factors for name, one in fits.items()},
        {name: read_result(results / name / "orient" / "orientation.json", Orientation) for name in names},
        {name: read_result(results / name / "archive" / "archive.json", ArchiveResult) for name in archives},
        results,
        list(records.values()),
    )
