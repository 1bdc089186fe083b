"""What every model of the course of regional volumes shares: a subject's visits, a forecast, its intervals, sampling.

A model is fitted to subjects with several visits and predicts the volumes of one subject at later ages. All models answer with
a mean, a standard deviation and joint samples, so that the image model can be driven by any of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from sciml.runtime.errors import DataError, ShapeError


@dataclass(frozen=True)
class Course:
    """The visits of one subject, in order of age.

    Attributes:
        ages: age at each visit in years, shape (visits,), rising.
        volumes: volumes in ml, shape (visits, regions); NaN where a region was not measured.
        sex: 0 male, 1 female.
        diagnosis: `CN`, `MCI` or `AD`: the last one known.
        diagnoses: at each visit; `diagnosis` at all of them where not given.
    """

    ages: np.ndarray
    volumes: np.ndarray
    sex: int
    diagnosis: str
    diagnoses: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        ages, volumes = np.asarray(self.ages, dtype=float), np.asarray(self.volumes, dtype=float)
        if ages.ndim != 1 or volumes.ndim != 2 or len(ages) != len(volumes) or len(ages) == 0:
            raise ShapeError(
                f"ages have shape {ages.shape} and volumes {volumes.shape}; expected (visits,) and (visits, regions)"
            )
        if np.any(np.diff(ages) <= 0):
            raise DataError(f"ages {ages.tolist()} do not rise; sort the visits and drop repeated ones")
        if np.any(volumes <= 0):
            raise DataError(f"a volume is {np.nanmin(volumes):g} ml, expected more than 0; mark a region not measured by NaN")
        diagnoses = tuple(self.diagnoses) or (self.diagnosis,) * len(ages)
        if len(diagnoses) != len(ages):
            raise ShapeError(f"{len(diagnoses)} diagnoses for {len(ages)} visits; expected one a visit, or none")
        object.__setattr__(self, "diagnoses", diagnoses)
        object.__setattr__(self, "ages", ages)
        object.__setattr__(self, "volumes", volumes)

    def until(self, visits: int) -> Course:
        """Return the first so many visits, with the diagnosis as it was then known."""
        known = self.diagnoses[:visits]
        diagnosis = self.diagnosis if visits >= len(self.ages) else known[-1]
        return Course(self.ages[:visits], self.volumes[:visits], self.sex, diagnosis, known)


@dataclass(frozen=True)
class CourseForecast:
    """Volumes at the asked ages.

    Attributes:
        ages: in years, shape (ages,).
        mean: in ml, shape (ages, regions).
        sd: standard deviation of a new measurement, in ml, same shape.
        half: levels (n,) -> half the widths of the central intervals of ln V, shape (n, ages, regions); without it intervals are
            normal in V.
    """

    ages: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    half: Callable[[np.ndarray], np.ndarray] | None = None

    def interval(self, level: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """Return lower and upper end of the central interval of this probability, in ml."""
        low, high = self.intervals(np.array([level]))
        return low[0], high[0]

    def intervals(self, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return lower and upper ends of the central intervals of probabilities (n,), in ml, shape (n, ages, regions)."""
        if self.half is not None:
            factor = np.exp(self.half(levels))
            return self.mean / factor, self.mean * factor
        half = normal_widths(levels)[:, None, None] * self.sd
        return np.maximum(self.mean - half, 0.0), self.mean + half


def normal_widths(levels: np.ndarray) -> np.ndarray:
    """Return half the widths of central intervals of a standard normal variable, in the shape of their probabilities (n,)."""
    return np.array([NormalDist().inv_cdf(0.5 + level / 2) for level in levels.tolist()])


class CourseModel(ABC):
    """Predicts regional volumes at later ages from the visits so far."""

    kind: str
    regions: tuple[str, ...]

    @abstractmethod
    def predict(self, history: Course, ages: Sequence[float] | np.ndarray) -> CourseForecast:
        """Return mean and standard deviation at ages after the last visit."""

    @abstractmethod
    def sample(self, history: Course, ages: Sequence[float] | np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
        """Return joint draws of the volumes in ml, shape (count, ages, regions), without noise of the measurement."""

    filters = False
    """Whether `predict` starts where the model believes the last visit was, and not at what was measured there."""

    distance_names: tuple[str, ...] = ()
    """What `distances` are of, in words."""

    def distances(self, history: Course) -> np.ndarray:
        """Return how far a subject is from the training subjects, in units of the model, shape (len(distance_names),)."""
        return np.zeros(len(self.distance_names))

    def unlike(self, history: Course) -> str:
        """Say how far a subject is from the training subjects, where that is too far for the model."""
        return ""

    @abstractmethod
    def arrays(self) -> dict[str, np.ndarray]:
        """Return what the model learned, by name."""

    @classmethod
    @abstractmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], regions: Sequence[str]) -> CourseModel:
        """Return the model that `arrays` described."""


def later(history: Course, ages: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return the asked ages as an array.

    Raises:
        DataError: one is before the last visit.
    """
    asked = np.asarray(ages, dtype=float).reshape(-1)
    if len(asked) == 0 or asked.min() < history.ages[-1]:
        raise DataError(f"asked for ages {asked.tolist()}, the last visit was at {history.ages[-1]:g}; ask for later ages")
    return asked


def pairs(people: Sequence[Course]) -> list[tuple[Course, Course]]:
    """Return every (history that ends at visit A, whole subject cut at B) with A before B, for subjects of two visits and more.

    Raises:
        DataError: nobody has two visits.
    """
    found = [
        (person.until(first + 1), person.until(second + 1))
        for person in people
        for first in range(len(person.ages))
        for second in range(first + 1, len(person.ages))
    ]
    if not found:
        raise DataError(f"none of {len(people)} subjects has two visits; a course needs at least two of somebody")
    return found
