"""Intervals that hold: a course model whose spread is set by subjects that it has not seen (cross-conformal, Vovk 2015).

The standardised residual of a forecast y^ of a volume y, a gap of h years ahead, is

    z = (ln y - ln y^) / (s l(h) w),    l(h)^2 = 1 + b h^2,    w = max(1, largest of distance / usual distance),        (1)

with s the model's own standard deviation. y^ starts at the volume last measured, or, for a model that knows of errors of
measurement, where it believes that to be; l lets what the model leaves out grow with the horizon, b >= 0 by least squares on
squared residuals; w widens the interval of a subject that is unlike the others, by the distances that the model knows, up to
3 times.

Subjects of training are forecast by models fitted to the other folds, those of validation by the model fitted to all of training.
For one, two, three and more visits and each region, the quantiles of |z| over subjects, at (1 + 1/n) of their level as in
conformal prediction, replace those of a normal distribution: the interval of level q is ln y^ -+ Q(q) s l w. Draws keep their
joint distribution over ages and regions, and have their quantiles replaced in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from scipy.optimize import nnls

from sciml.progression.courses.course import Course, CourseForecast, CourseModel, later, normal_widths
from sciml.runtime.errors import DataError

FOLDS = 10
# one, two, three visits and more
CLASSES = 3
LEVELS = (0.25, 0.5, 0.6827, 0.8, 0.9, 0.95)
# a distance above that of this share of the subjects widens the interval
USUAL = 0.5
# how many times as wide as that of the others an interval is at most
WIDEST = 3.0
NORMALS = np.array([NormalDist().inv_cdf(0.5 + level / 2) for level in LEVELS])
# (1 + 1/n) 0.9 <= 1: below so many subjects no quantile of 90 % is known
FEWEST = 9


@dataclass(frozen=True)
class Residuals:
    """Forecasts of subjects that the model has not seen.

    Attributes:
        subjects: whose, shape (forecasts,).
        visits: known, less 1, at most `CLASSES` - 1, shape (forecasts,).
        gaps: in years, shape (forecasts,).
        scores: (ln y - ln y^) / s, shape (forecasts, regions); NaN where not measured.
        distances: that the model knows, shape (forecasts, kinds of distance).
    """

    subjects: np.ndarray
    visits: np.ndarray
    gaps: np.ndarray
    scores: np.ndarray
    distances: np.ndarray


class Calibrated(CourseModel):
    """Any course model with the quantiles of its residuals on other subjects.

    Args:
        model: the one that forecasts.
        growth: b of (1), 1/year^2.
        widths: Q at `LEVELS` by visits and region, shape (CLASSES, regions, levels).
        usual: distances that a share of 0.75 of the subjects is below, shape (CLASSES, kinds of distance).
        farthest: largest distances of the subjects, same shape.
    """

    kind = "calibrated"

    def __init__(self, model: CourseModel, growth: float, widths: np.ndarray, usual: np.ndarray, farthest: np.ndarray) -> None:
        self.model, self.regions, self.growth = model, model.regions, float(growth)
        self.widths, self.usual, self.farthest = (np.asarray(part, dtype=float) for part in (widths, usual, farthest))

    def predict(self, history: Course, ages: Sequence[float] | np.ndarray) -> CourseForecast:
        """Return mean, standard deviation and intervals of new measurements."""
        asked = later(history, ages)
        mean, spread, _ = started(self.model, history, asked)
        spread = spread * self._factor(history, asked)[:, None]
        table = self.widths[class_of(history)]

        def half(levels: np.ndarray) -> np.ndarray:
            normal = np.broadcast_to(normal_widths(levels)[:, None], (len(levels), len(self.regions)))
            return spread * _stretched(normal, table)[:, None]

        return CourseForecast(asked, mean, mean * half(np.array([LEVELS[2]]))[0], half)

    def sample(self, history: Course, ages: Sequence[float] | np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
        """Return joint draws of the volumes in ml, shape (count, ages, regions); at the last visit all are its start."""
        asked = later(history, ages)
        mean, spread, start = started(self.model, history, asked)
        draws = self.model.sample(history, [history.ages[-1], *asked], count, random)
        ahead = draws[:, 1:] if _starts_itself(self.model, history) else draws[:, 1:] / draws[:, :1] * start
        later_ones = (asked > history.ages[-1])[:, None]
        normal = np.where(later_ones, np.log(ahead / mean) / spread, 0.0)
        size = _stretched(np.abs(normal), self.widths[class_of(history)])
        return mean * np.exp(np.sign(normal) * size * spread * self._factor(history, asked)[:, None])

    def _factor(self, history: Course, asked: np.ndarray) -> np.ndarray:
        """Return l w of (1), shape (ages,)."""
        distances, usual = self.model.distances(history), self.usual[class_of(history)]
        return growth_at(self.growth, asked - history.ages[-1]) * wider(distances, usual)

    def distances(self, history: Course) -> np.ndarray:
        """Return those of the model inside."""
        return self.model.distances(history)

    def unlike(self, history: Course) -> str:
        """Say in which way a subject is farther from the training subjects than each of them."""
        found, farthest = self.model.distances(history), self.farthest[class_of(history)]
        said = [
            f"{name} {one:.1f} times as far from the training subjects as the farthest of them"
            for name, one in zip(self.model.distance_names, found / np.maximum(farthest, 1e-12), strict=True)
            if one > 1
        ]
        if not said:
            return ""
        return f"{' and '.join(said)}; intervals are {wider(found, self.usual[class_of(history)]):.1f} times as wide"

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what the calibration learned, by name; the model inside keeps what it learned."""
        return {
            "growth": np.array([self.growth]),
            "widths": self.widths,
            "usual": self.usual,
            "farthest": self.farthest,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], regions: Sequence[str]) -> Calibrated:
        """Refuse: it needs a model, see `on`."""
        raise DataError(f"a calibration of {len(regions)} regions needs the model that it was made for: `Calibrated.on`")

    @classmethod
    def on(cls, model: CourseModel, arrays: Mapping[str, np.ndarray]) -> Calibrated:
        """Return a model with the calibration that `arrays` described."""
        return cls(model, float(arrays["growth"][0]), arrays["widths"], arrays["usual"], arrays["farthest"])


def calibrate(
    fit: Callable[[Sequence[Course]], CourseModel], people: Sequence[Course], others: Sequence[Course] = (), folds: int = FOLDS
) -> Calibrated:
    """Return a model fitted to subjects, calibrated on each of them by models fitted without them.

    Args:
        fit: returns a model of subjects.
        people: of training.
        others: subjects of whom only the calibration learns, as those of validation.
        folds: of training subjects; at most as many as there are.

    Raises:
        DataError: fewer than 9 subjects of two visits and more.
    """
    followed = [person for person in people if len(person.ages) > 1]
    further = [person for person in others if len(person.ages) > 1]
    if len(followed) + len(further) < FEWEST:
        raise DataError(
            f"{len(followed) + len(further)} subjects of two visits and more to calibrate by; 90 % intervals need {FEWEST}"
        )
    model, count = fit(people), min(folds, len(followed))
    found = [residuals_of(model, further, 0)] if further else []
    for fold in range(count):
        held = [person for number, person in enumerate(followed) if number % count == fold]
        rest = [person for number, person in enumerate(followed) if number % count != fold]
        found.append(residuals_of(fit(rest), held, len(people) * (fold + 1)))
    parts = (np.concatenate(parts) for parts in zip(*(vars(one).values() for one in found), strict=True))
    return calibrated_by(model, Residuals(*parts))


def residuals_of(model: CourseModel, people: Sequence[Course], first: int = 0) -> Residuals:
    """Return the residuals of every forecast of later visits from the visits up to each.

    Args:
        model: that has not seen the subjects.
        people: of two visits and more.
        first: number of the first of them.
    """
    rows = []
    for number, person in enumerate(people, start=first):
        for visits in range(1, len(person.ages)):
            history, asked = person.until(visits), person.ages[visits:]
            mean, spread, _ = started(model, history, asked)
            scores, distances = np.log(person.volumes[visits:] / mean) / spread, model.distances(history)
            rows += [
                (number, class_of(history), age - history.ages[-1], score, distances)
                for age, score in zip(asked, scores, strict=True)
            ]
    return Residuals(*(np.array(column) for column in zip(*rows, strict=True)))


def calibrated_by(model: CourseModel, found: Residuals) -> Calibrated:
    """Return a model with the quantiles of residuals; a number of visits that nobody had is calibrated as the one below."""
    kinds = found.distances.shape[1]
    widths, usual, farthest = np.ones((CLASSES, len(model.regions), len(LEVELS))), np.zeros((CLASSES, kinds)), None
    farthest = np.zeros((CLASSES, kinds))
    growth = _growth(found)
    scores = np.abs(found.scores) / growth_at(growth, found.gaps)[:, None]
    for visits in range(CLASSES):
        rows = np.flatnonzero(found.visits == visits)
        if not len(rows):
            widths[visits], usual[visits], farthest[visits] = widths[visits - 1], usual[visits - 1], farthest[visits - 1]
            continue
        # a subject counts once, however many later visits it has
        _, whose, times = np.unique(found.subjects[rows], return_inverse=True, return_counts=True)
        shares = 1.0 / times[whose]
        usual[visits] = [_quantiles(column, shares, np.array([USUAL]))[0] for column in found.distances[rows].T]
        farthest[visits] = found.distances[rows].max(axis=0)
        wide = np.array([wider(one, usual[visits]) for one in found.distances[rows]])
        levels = np.minimum(np.array(LEVELS) * (1 + 1 / len(times)), 1.0)
        for region, column in enumerate((scores[rows] / wide[:, None]).T):
            known = np.isfinite(column)
            if known.any():
                widths[visits, region] = _quantiles(column[known], shares[known], levels)
    return Calibrated(model, growth, np.maximum(widths, 1e-3), usual, farthest)


def class_of(history: Course) -> int:
    """Return the number of visits less 1, at most `CLASSES` - 1."""
    return min(len(history.ages), CLASSES) - 1


def growth_at(growth: float, gaps: np.ndarray) -> np.ndarray:
    """Return l of (1) at gaps in years."""
    return np.sqrt(1 + growth * np.square(gaps))


def wider(distances: np.ndarray, usual: np.ndarray) -> float:
    """Return w of (1)."""
    return min(float(np.max(distances / np.maximum(usual, 1e-12), initial=1.0)), WIDEST)


def started(model: CourseModel, history: Course, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the forecast, the standard deviation of ln V, both (ages, regions), and what it starts at, (regions,)."""
    found = model.predict(history, [history.ages[-1], *asked])
    start = history.volumes[-1]
    # where nothing was measured, or the model sees through what was, its own
    start = found.mean[0] if _starts_itself(model, history) else np.where(np.isfinite(start), start, found.mean[0])
    return start / found.mean[0] * found.mean[1:], np.maximum(found.sd[1:] / found.mean[1:], 1e-9), start


def _starts_itself(model: CourseModel, history: Course) -> bool:
    return model.filters and len(history.ages) > 1


def _growth(found: Residuals) -> float:
    """Return b: squared residuals, in parts of their mean with as many visits, over 1 and the squared gap."""
    squares = np.nanmean(found.scores**2, axis=1)
    means = np.array([np.nanmedian(squares[found.visits == visits]) for visits in found.visits])
    # few wild residuals must not decide
    ratio = np.minimum(squares / np.maximum(means, 1e-12), 10.0)
    known = np.isfinite(ratio)
    features = np.stack([np.ones(known.sum()), found.gaps[known] ** 2], axis=1)
    one, slope = nnls(features, ratio[known])[0]
    return float(slope / max(one, 0.2))


def _quantiles(values: np.ndarray, shares: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return the smallest values below or at which lies the level's part of all shares."""
    order = np.argsort(values)
    part = np.cumsum(shares[order])
    places = np.searchsorted(part, levels * part[-1] - 1e-9)
    return values[order][np.minimum(places, len(values) - 1)]


def _stretched(normal: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Return what stands in place of sizes of a standard normal variable, (..., regions); beyond the last level in proportion.

    Args:
        normal: |g|, shape (..., regions).
        table: Q at `LEVELS`, shape (regions, levels).
    """
    found = np.empty_like(normal, dtype=float)
    for region, row in enumerate(np.maximum.accumulate(table, axis=1)):
        inner = np.interp(normal[..., region], [0.0, *NORMALS], [0.0, *row])
        found[..., region] = np.where(normal[..., region] > NORMALS[-1], row[-1] / NORMALS[-1] * normal[..., region], inner)
    return found
