"""What the page reads from a results folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sciml.runtime.provenance import Record, read_record
from sciml.runtime.results import read_result
from sciml.studies.flow_from_images.study.movies import Movie, read_movies
from sciml.studies.flow_from_images.study.results import TRUE_FRAMES, ArchiveResult, Fit, FitResult, Orientation
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
        fits: of all combinations.
        orientations: by combination.
        archives: by name.
        results: the folder.
        records: provenance of the stages, one of each kind.
    """

    fits: FitResult
    orientations: dict[str, Orientation]
    archives: dict[str, ArchiveResult]
    results: Path
    records: list[Record]

    @property
    def combinations(self) -> list[str]:
        """All combinations, the true frames first where they were fitted."""
        return list(dict.fromkeys(row.combination for row in self.fits.rows))

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
        return chosen(self.fits.rows, combination, noise)

    @property
    def is_own(self) -> bool:
        """Whether the movie is the user's, whose truth nobody knows."""
        return coverage(self.fits.rows).count == 0

    def fields(self) -> dict[str, Movie]:
        """Return fitted and forecast fields of the shown case by combination."""
        return read_movies(self.results / "infer" / "fields.safetensors")

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


def read_study(results: Path) -> StudyData:
    """Return what lies in a results folder.

    Raises:
        DataError: the inference has not run.
    """
    fits = read_result(results / "infer" / "fits.json", FitResult)
    names = [name for name in dict.fromkeys(row.combination for row in fits.rows) if name != TRUE_FRAMES]
    archives = list(dict.fromkeys(name.partition("/")[0] for name in names))
    folders = ["simulate", "render", *(f"{one}/archive" for one in archives)]
    folders += [f"{name}/{stage}" for stage in ("sharpen", "orient") for name in names]
    records: dict[str, Record] = {}
    for folder in (*folders, "infer"):
        record = read_record(results / folder)
        records.setdefault(record.stage, record)
    return StudyData(
        fits,
        {name: read_result(results / name / "orient" / "orientation.json", Orientation) for name in names},
        {name: read_result(results / name / "archive" / "archive.json", ArchiveResult) for name in archives},
        results,
        list(records.values()),
    )
