"""All course models by name: fit, keep in arrays, and forecasts that start at the volumes last measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sciml.progression.cohorts.cohort import Visit
from sciml.progression.cohorts.regions import REGIONS, SEX_CODES
from sciml.progression.courses.calibration import FEWEST, Calibrated, calibrate
from sciml.progression.courses.course import Course, CourseForecast, CourseModel, later
from sciml.progression.courses.linear import HuberRegression, LinearPopulation, NoChange, PublishedHuber
from sciml.progression.courses.local_rates import LocalRates
from sciml.progression.courses.logistic import LogisticMixed
from sciml.runtime.errors import ConfigError

KNOWN = "known"

KINDS: dict[str, type[NoChange | LinearPopulation | HuberRegression | PublishedHuber | LogisticMixed | LocalRates]] = {
    model.kind: model for model in (NoChange, LinearPopulation, HuberRegression, PublishedHuber, LogisticMixed, LocalRates)
}
# what the calibrated model is made of: one visit, more
PARTS = (HuberRegression.kind, LocalRates.kind)


class ByVisits(CourseModel):
    """One model for subjects with one visit, another for those with more: pace can only be seen over time.

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

    @property
    def filters(self) -> bool:  # type: ignore[override]
        """Return whether the model for several visits does."""
        return self.several.filters

    @property
    def distance_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """What the distances of both are of."""
        return self.single.distance_names + self.several.distance_names

    def distances(self, history: Course) -> np.ndarray:
        """Return the distances of both: more visits make nobody like the others."""
        return np.concatenate([self.single.distances(history), self.several.distances(history)])

    def unlike(self, history: Course) -> str:
        """Say what either model says."""
        return "; ".join(dict.fromkeys(said for model in (self.single, self.several) if (said := model.unlike(history))))

    def arrays(self) -> dict[str, np.ndarray]:
        """Return nothing: its parts keep what they learned."""
        return {}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], regions: Sequence[str]) -> ByVisits:
        """Refuse: it is made of its parts."""
        raise ConfigError("by_visits is made of the models huber and logistic_mixed, it has no arrays of its own")


def course_of(visits: Sequence[Visit], diagnosis: str | None = None) -> Course:
    """Return the course of one subject.

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


def fit_courses(
    people: Sequence[Course], kinds: Sequence[str], rounds: int = 300, others: Sequence[Course] = ()
) -> dict[str, CourseModel]:
    """Return models of several kinds, fitted to the same subjects.

    Args:
        people: with the volumes of `REGIONS`.
        kinds: names in `KINDS`, and `calibrated`: huber for one visit, local_rates for more, with intervals that hold.
        rounds: largest number of iterations of the logistic model.
        others: subjects of whom only the calibration learns.

    Raises:
        DataError: too few subjects for a kind.
    """
    fitted: dict[str, CourseModel] = {}
    for kind in kinds:
        if kind == Calibrated.kind:
            fitted[kind] = calibrate(regression_or_rates, people, others)
            continue
        model = model_class(kind)
        fitted[kind] = model.fit(people, REGIONS, rounds) if model is LogisticMixed else model.fit(people, REGIONS)
    return fitted


def regression_or_rates(people: Sequence[Course]) -> ByVisits:
    """Return the model of the least error: Huber's regression for one visit, local rates for more."""
    return ByVisits(HuberRegression.fit(people, REGIONS), LocalRates.fit(people, REGIONS))


def enough_to_calibrate(people: Sequence[Course], others: Sequence[Course] = ()) -> bool:
    """Return whether there are subjects enough for intervals of 90 %."""
    return sum(len(person.ages) > 1 for person in (*people, *others)) >= FEWEST


def model_class(kind: str) -> type:
    """Return the class of a kind.

    Raises:
        ConfigError: there is no such kind.
    """
    if kind not in KINDS:
        raise ConfigError(f"no course model is called {kind!r}; there are {', '.join(KINDS)}")
    return KINDS[kind]


def course_arrays(models: Mapping[str, CourseModel]) -> dict[str, np.ndarray]:
    """Return the arrays of several models under their kinds, and which regions each knows.

    Raises:
        ConfigError: a calibrated model without the models that it is made of.
    """
    if Calibrated.kind in models and not set(PARTS) <= set(models):
        raise ConfigError(f"a calibrated course needs {' and '.join(PARTS)} beside it; there are {', '.join(models)}")
    arrays = {f"{kind}/{name}": value for kind, model in models.items() for name, value in model.arrays().items()}
    return arrays | {f"{kind}/{KNOWN}": np.array(_columns(model)) for kind, model in models.items()}


def courses_from(arrays: Mapping[str, np.ndarray]) -> dict[str, CourseModel]:
    """Return the models that `course_arrays` wrote."""
    parts: dict[str, dict[str, np.ndarray]] = {}
    for path, value in arrays.items():
        kind, _, name = path.partition("/")
        parts.setdefault(kind, {})[name] = value
    calibration = parts.pop(Calibrated.kind, None)
    models: dict[str, CourseModel] = {
        kind: model_class(kind).from_arrays(found, [REGIONS[column] for column in found.pop(KNOWN)])
        for kind, found in parts.items()
    }
    if calibration is not None:
        models[Calibrated.kind] = Calibrated.on(ByVisits(*(models[kind] for kind in PARTS)), calibration)
    return models


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


def anchored_interval(
    model: CourseModel, history: Course, ages: Sequence[float] | np.ndarray, level: float, draws: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return lower and upper ends of the central interval of this probability in ml, both (ages, regions).

    Those of the model where it is calibrated, else quantiles of draws.

    Args:
        model: any.
        history: with the volumes of `REGIONS`.
        ages: after the last visit, in years.
        level: of the interval.
        draws: of `anchored_samples`, (count, ages, regions).
    """
    if not isinstance(model, Calibrated):
        low, high = np.quantile(draws, [0.5 - level / 2, 0.5 + level / 2], axis=0)
        return low, high
    low, high = model.predict(_known(model, history), ages).interval(level)
    stays = np.broadcast_to(history.volumes[-1], (len(low), len(REGIONS)))
    ends = [stays.copy(), stays.copy()]
    for end, found in zip(ends, (low, high), strict=True):
        end[:, _columns(model)] = found
    return ends[0], ends[1]


def course_notes(model: CourseModel, history: Course) -> list[str]:
    """Return what the reader of a forecast must know of its volumes: a subject unlike all others, intervals not calibrated."""
    notes = [f"extrapolation: {unlike}"] if (unlike := model.unlike(history)) else []
    if not isinstance(model, Calibrated):
        notes.append(f"the intervals of volumes are not calibrated: they are those of the course model {model.kind}")
    return notes


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
