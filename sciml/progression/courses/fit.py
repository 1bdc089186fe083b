"""All course models by name: fit, keep in arrays, and forecasts that start at the volumes last measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sciml.progression.cohorts.cohort import Visit
from sciml.progression.cohorts.regions import REGIONS, SEX_CODES
from sciml.progression.courses.course import Course, CourseForecast, CourseModel, later
from sciml.progression.courses.linear import HuberRegression, LinearPopulation, NoChange, PublishedHuber
from sciml.progression.courses.logistic import LogisticMixed
from sciml.runtime.errors import ConfigError

KNOWN = "known"

KINDS: dict[str, type[NoChange | LinearPopulation | HuberRegression | PublishedHuber | LogisticMixed]] = {
    model.kind: model for model in (NoChange, LinearPopulation, HuberRegression, PublishedHuber, LogisticMixed)
}


class ByVisits(CourseModel):
    """One model for people with one visit, another for those with more: pace can only be seen over time.

    Args:
        single: for one visit.
        several: for two visits and more.
    """

    kind = "by_visits"

    def __init__(self, single: CourseModel, several: CourseModel) -> None:
        if single.regions != several.regions:
            raise ConfigError(f"course models know different regions: {single.regions} and {several.regions}")
        self.single, self.several, self.regions = single, several, single.regions

    def of(self, history: Course) -> CourseModel:
        """Return the model for this history."""
        return self.single if len(history.ages) == 1 else self.several

    def predict(self, history: Course, ages: Sequence[float] | np.ndarray) -> CourseForecast:
        """Return mean and standard deviation at ages after the last visit."""
        return self.of(history).predict(history, ages)

    def sample(self, history: Course, ages: Sequence[float] | np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
        """Return joint draws of the volumes in ml, shape (count, ages, regions)."""
        return self.of(history).sample(history, ages, count, random)

    def unlike(self, history: Course) -> str:
        """Say what the model for this history says."""
        return self.of(history).unlike(history)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return nothing: its parts keep what they learned."""
        return {}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], regions: Sequence[str]) -> ByVisits:
        """Refuse: it is made of its parts."""
        raise ConfigError("by_visits is made of the models huber and logistic_mixed, it has no arrays of its own")


def course_of(visits: Sequence[Visit], diagnosis: str | None = None) -> Course:
    """Return the course of one person.

    Args:
        visits: in order of age.
        diagnosis: another than that of the last visit, for a question of the kind "what if".
    """
    return Course(
        np.array([visit.age_years for visit in visits]),
        np.array([visit.volumes_ml for visit in visits]),
        int(SEX_CODES[visits[-1].sex]),
        diagnosis or visits[-1].diagnosis,
        tuple(visit.diagnosis for visit in visits),
    )


def fit_courses(people: Sequence[Course], kinds: Sequence[str], rounds: int = 300) -> dict[str, CourseModel]:
    """Return models of several kinds, fitted to the same people.

    Args:
        people: with the volumes of `REGIONS`.
        kinds: names in `KINDS`.
        rounds: largest number of iterations of the logistic model.
    """
    fitted: dict[str, CourseModel] = {}
    for kind in kinds:
        model = model_class(kind)
        fitted[kind] = model.fit(people, REGIONS, rounds) if model is LogisticMixed else model.fit(people, REGIONS)
    return fitted


def model_class(kind: str) -> type:
    """Return the class of a kind.

    Raises:
        ConfigError: there is no such kind.
    """
    if kind not in KINDS:
        raise ConfigError(f"no course model is called {kind!r}; there are {', '.join(KINDS)}")
    return KINDS[kind]


def course_arrays(models: Mapping[str, CourseModel]) -> dict[str, np.ndarray]:
    """Return the arrays of several models under their kinds, and which regions each knows."""
    arrays = {f"{kind}/{name}": value for kind, model in models.items() for name, value in model.arrays().items()}
    return arrays | {f"{kind}/{KNOWN}": np.array(_columns(model)) for kind, model in models.items()}


def courses_from(arrays: Mapping[str, np.ndarray]) -> dict[str, CourseModel]:
    """Return the models that `course_arrays` wrote."""
    parts: dict[str, dict[str, np.ndarray]] = {}
    for path, value in arrays.items():
        kind, _, name = path.partition("/")
        parts.setdefault(kind, {})[name] = value
    return {
        kind: model_class(kind).from_arrays(found, [REGIONS[column] for column in found.pop(KNOWN)])
        for kind, found in parts.items()
    }


def anchored(model: CourseModel, history: Course, ages: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return the forecast volumes in ml that start at the measured ones, shape (ages, regions).

    V(t) = V_A f(t) / f(t_A): the model says how much a volume changes, the last visit says how large it is. Where a volume was
    not measured the model's own is taken; a region that the model does not know stays as it was.

    Args:
        model: any.
        history: with the volumes of `REGIONS`.
        ages: at or after the last visit, in years.
    """
    asked = later(history, ages)
    curve = model.predict(_known(model, history), [history.ages[-1], *asked]).mean
    return _from_last(model, history, curve[None])[0]


def anchored_samples(
    model: CourseModel, history: Course, ages: Sequence[float] | np.ndarray, count: int, random: np.random.Generator
) -> np.ndarray:
    """Return joint draws of the volumes in ml that start at the measured ones, shape (count, ages, regions)."""
    asked = later(history, ages)
    return _from_last(model, history, model.sample(_known(model, history), [history.ages[-1], *asked], count, random))


def spread_around(mean: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Return draws around a mean, shape (samples, ages, regions): chains that are told them are told the mean on average.

    ln V^(j) = ln V + (ln d^(j) - mean of ln d) sqrt(m / (m - 1)); one draw is the mean itself.

    Args:
        mean: V, shape (ages, regions).
        draws: d, shape (samples, ages, regions).
    """
    count = len(draws)
    if count == 1:
        return mean[None]
    logs = np.log(draws)
    return mean * np.exp((logs - logs.mean(axis=0)) * np.sqrt(count / (count - 1)))


def _columns(model: CourseModel) -> list[int]:
    return [REGIONS.index(region) for region in model.regions]


def _known(model: CourseModel, history: Course) -> Course:
    """Return the course with the regions that the model knows."""
    return Course(history.ages, history.volumes[:, _columns(model)], history.sex, history.diagnosis, history.diagnoses)


def _from_last(model: CourseModel, history: Course, curves: np.ndarray) -> np.ndarray:
    columns, last = _columns(model), history.volumes[-1]
    volumes = np.broadcast_to(last, (*curves[:, 1:].shape[:2], len(last))).copy()
    ratio = np.where(np.isfinite(last[columns]), last[columns] / curves[:, :1], 1.0)
    volumes[..., columns] = ratio * curves[:, 1:]
    return volumes
