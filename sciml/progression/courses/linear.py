"""Courses that are linear in time: nothing changes, population rates, a robust regression on the first visit.

All three predict the change of the logarithm of a volume,

    ln V(t) = ln V(t_A) + d(c_A, t - t_A),                                                       (1)

with d = 0, d = r_diagnosis (t - t_A), or a regression. The error of (1) on the training pairs gives the intervals: its variance
grows with the gap as a^2 + b^2 (t - t_A)^2, with a, b >= 0 by least squares, and its correlation over regions is kept.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
from scipy.optimize import nnls

from sciml.progression.courses.course import Course, CourseForecast, CourseModel, later, pairs

DIAGNOSES = ("CN", "MCI", "AD")
# Huber's constant: 95 % of the efficiency of least squares on Gaussian errors
HUBER = 1.345


class LogChangeModel(CourseModel):
    """Base of the models that predict a change of ln V.

    Args:
        regions: names of the volumes.
    """

    def __init__(self, regions: Sequence[str]) -> None:
        self.regions = tuple(regions)
        count = len(self.regions)
        # variances of ln V: at gap 0 and a squared year, and the correlation of the errors over regions
        self.variance = np.zeros((2, count))
        self.correlation = np.eye(count)

    @classmethod
    def fit(cls, people: Sequence[Course], regions: Sequence[str]) -> Self:
        """Return the model fitted to subjects of two visits and more.

        Args:
            people: courses with volumes in the order of `regions`.
            regions: names of the volumes.
        """
        model = cls(regions)
        found = pairs(people)
        model._learn(found)
        gaps = np.array([whole.ages[-1] - history.ages[-1] for history, whole in found])
        errors = np.stack([_log_ratio(h, w) - model.log_change(h, w.ages[-1:])[0] for h, w in found])
        features = np.stack([np.ones_like(gaps), gaps**2], axis=1)
        for region in range(len(model.regions)):
            known = np.isfinite(errors[:, region])
            model.variance[:, region] = nnls(features[known], errors[known, region] ** 2)[0]
        scaled = errors / np.sqrt(np.maximum(features @ model.variance, 1e-12))
        complete = scaled[np.isfinite(scaled).all(axis=1)]
        if len(complete) > 2 * len(model.regions):
            # shrunk a little towards independence, so that it stays positive definite
            model.correlation = 0.95 * np.corrcoef(complete.T).reshape(model.correlation.shape) + 0.05 * model.correlation
        return model

    @abstractmethod
    def _learn(self, found: Sequence[tuple[Course, Course]]) -> None:
        """Fit d to pairs of (history, the same subject one visit or more later)."""

    @abstractmethod
    def log_change(self, history: Course, ages: np.ndarray) -> np.ndarray:
        """Return d at the ages, shape (ages, regions)."""

    def _spread(self, history: Course, asked: np.ndarray) -> np.ndarray:
        gaps = asked - history.ages[-1]
        return np.sqrt(self.variance[0] + np.outer(gaps**2, self.variance[1]))

    def predict(self, history: Course, ages: Sequence[float] | np.ndarray) -> CourseForecast:
        """Return mean and standard deviation at ages after the last visit."""
        asked = later(history, ages)
        mean = history.volumes[-1] * np.exp(self.log_change(history, asked))
        return CourseForecast(asked, mean, mean * self._spread(history, asked))

    def sample(self, history: Course, ages: Sequence[float] | np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
        """Return joint draws; one subject's errors are the same number of standard deviations at all ages."""
        asked = later(history, ages)
        mean = history.volumes[-1] * np.exp(self.log_change(history, asked))
        draws = random.standard_normal((count, len(self.regions))) @ np.linalg.cholesky(self.correlation).T
        # at the last visit nothing is unknown: ratios to it have the whole spread
        spread = np.where((asked > history.ages[-1])[:, None], self._spread(history, asked), 0.0)
        return mean * np.exp(spread * draws[:, None, :])

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what the model learned, by name."""
        return {"variance": self.variance, "correlation": self.correlation}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], regions: Sequence[str]) -> Self:
        """Return the model that `arrays` described."""
        model = cls(regions)
        for name, value in arrays.items():
            setattr(model, name, np.asarray(value, dtype=float))
        return model


class NoChange(LogChangeModel):
    """d = 0: every volume stays as it was last measured."""

    kind = "no_change"

    def _learn(self, found: Sequence[tuple[Course, Course]]) -> None:
        pass

    def log_change(self, history: Course, ages: np.ndarray) -> np.ndarray:
        """Return zeros, shape (ages, regions)."""
        return np.zeros((len(ages), len(self.regions)))


class LinearPopulation(LogChangeModel):
    """d = r (t - t_A) with one rate r = d ln V / dt for each region and diagnosis.

    Attributes:
        rates: 1/year, shape (diagnoses, regions), in the order of `DIAGNOSES`.
    """

    kind = "linear_population"

    def __init__(self, regions: Sequence[str]) -> None:
        super().__init__(regions)
        self.rates = np.zeros((len(DIAGNOSES), len(self.regions)))

    def _learn(self, found: Sequence[tuple[Course, Course]]) -> None:
        # least squares through the origin: r = sum gap d / sum gap^2; a diagnosis that nobody has gets the rate of all
        gaps = np.array([whole.ages[-1] - history.ages[-1] for history, whole in found])[:, None]
        ratios = np.stack([_log_ratio(history, whole) for history, whole in found])
        # as known at the visit that is forecast from: a later one tells how it went
        labels = np.array([history.diagnosis for history, _ in found])
        for row, diagnosis in enumerate(DIAGNOSES):
            chosen = labels == diagnosis if np.any(labels == diagnosis) else np.ones(len(labels), dtype=bool)
            weights = np.where(np.isfinite(ratios[chosen]), gaps[chosen], 0.0)
            self.rates[row] = (weights * np.nan_to_num(ratios[chosen])).sum(0) / np.maximum((weights**2).sum(0), 1e-12)

    def log_change(self, history: Course, ages: np.ndarray) -> np.ndarray:
        """Return rate times gap, shape (ages, regions)."""
        return np.outer(ages - history.ages[-1], self.rates[DIAGNOSES.index(history.diagnosis)])

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what the model learned, by name."""
        return super().arrays() | {"rates": self.rates}


class HuberRegression(LogChangeModel):
    """d = (r + r_diagnosis + c_A . w) (t - t_A) by Huber's robust regression: a rate of one's own from one visit.

    c_A is age / 100, sex and the logarithms of the volumes at A, standardised over the training subjects. Whoever is farther from
    their mean than each of them, by Mahalanobis' distance, counts as the nearest point that is not: an anatomy whose volumes fit
    together in another way than theirs would else get the wildest rates.

    Attributes:
        precision: inverse covariance of c_A over the training subjects.
        reach: largest distance of one of them.
    """

    kind = "huber"
    distance_names = ("age, sex and volumes",)
    ridge = 1e-4
    # r is not shrunk
    free = 1

    def __init__(self, regions: Sequence[str]) -> None:
        super().__init__(regions)
        self.centre = self.width = self.weights = self.precision = np.zeros(0)
        self.reach = np.zeros(())

    def _at_start(self, history: Course) -> np.ndarray:
        return np.array([history.ages[-1] / 100, history.sex, *np.log(history.volumes[-1])])

    def _standardised(self, history: Course) -> np.ndarray:
        """Return c_A; what is unknown is as in the mean of the training subjects."""
        at_start = self._at_start(history)
        return (np.where(np.isfinite(at_start), at_start, self.centre) - self.centre) / self.width

    def distance(self, history: Course) -> float:
        """Return Mahalanobis' distance of c_A from the mean of the training subjects."""
        standardised = self._standardised(history)
        return float(np.sqrt(standardised @ self.precision @ standardised))

    def distances(self, history: Course) -> np.ndarray:
        """Return `distance`, shape (1,)."""
        return np.array([self.distance(history)])

    def unlike(self, history: Course) -> str:
        """Say how far a subject is from the training subjects, where that is farther than each of them."""
        distance, reach = self.distance(history), float(self.reach)
        if distance <= reach:
            return ""
        return (
            f"age, sex and volumes fit together in another way than those of the training subjects (distance {distance:.1f}, "
            f"theirs at most {reach:.1f}); their rates are those of the nearest such subject"
        )

    def _features(self, history: Course, ages: np.ndarray) -> np.ndarray:
        # ten times, so that what a diagnosis adds is hardly shrunk
        groups = 10 * np.array([history.diagnosis == name for name in DIAGNOSES], dtype=float)
        near = min(1.0, float(self.reach) / max(self.distance(history), 1e-12))
        return np.outer(ages - history.ages[-1], np.concatenate([[1.0], groups, near * self._standardised(history)]))

    def _learn(self, found: Sequence[tuple[Course, Course]]) -> None:
        raw = np.array([self._at_start(history) for history, _ in found])
        self.centre, self.width = np.nanmean(raw, axis=0), np.maximum(np.nanstd(raw, axis=0), 1e-9)
        standardised = np.stack([self._standardised(history) for history, _ in found])
        # a little of the identity, for columns that hardly vary
        covariance = np.cov(standardised.T, bias=True) + 1e-6 * np.eye(len(self.centre))
        self.precision = np.linalg.inv(covariance)
        self.reach = np.asarray(max(self.distance(history) for history, _ in found))
        features = np.concatenate([self._features(history, whole.ages[-1:]) for history, whole in found])
        targets = np.stack([_log_ratio(history, whole) for history, whole in found])
        known = np.isfinite(targets)
        fits = [
            huber_fit(features[rows], values[rows], self.ridge, self.free)
            for rows, values in zip(known.T, targets.T, strict=True)
        ]
        self.weights = np.stack(fits, axis=1)

    def log_change(self, history: Course, ages: np.ndarray) -> np.ndarray:
        """Return the regression at the ages, shape (ages, regions)."""
        return self._features(history, ages) @ self.weights

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what the model learned, by name."""
        names = ("weights", "centre", "width", "precision", "reach")
        return super().arrays() | {name: getattr(self, name) for name in names}


class PublishedHuber(HuberRegression):
    """d = (1, t - t_A, c_A) . w, as published: with the diagnosis, coded 0, 0.5, 1, in c_A, and one rate for everybody."""

    kind = "huber_published"
    ridge = 1e-5
    free = 2

    def unlike(self, history: Course) -> str:
        """Return nothing: the published form takes everybody as they are."""
        return ""

    def _at_start(self, history: Course) -> np.ndarray:
        return np.array([*super()._at_start(history), DIAGNOSES.index(history.diagnosis) / 2])

    def _features(self, history: Course, ages: np.ndarray) -> np.ndarray:
        gaps = (ages - history.ages[-1])[:, None]
        at_start = np.broadcast_to(self._standardised(history), (len(gaps), len(self.centre)))
        return np.concatenate([np.ones_like(gaps), gaps, at_start], axis=1)


def huber_fit(features: np.ndarray, targets: np.ndarray, ridge: float, free: int, rounds: int = 50) -> np.ndarray:
    """Return w that minimises mean rho((y - X w) / s) s^2 + ridge x |w|^2 / 2 for Huber's rho, by reweighted least squares.

    s is 1.4826 times the median absolute residual of each round, x the mean square of the features that are shrunk.

    Args:
        features: X, shape (samples, features).
        targets: y, shape (samples,).
        ridge: how much w is shrunk.
        free: leading features that are not.
        rounds: largest number of rounds; ends earlier when w stands still.
    """
    shrunk = np.arange(features.shape[1]) >= free
    penalty = ridge * np.mean(features[:, shrunk] ** 2) * len(targets) * np.diag(shrunk.astype(float))
    weights, solution = np.ones(len(targets)), np.zeros(features.shape[1])
    for _ in range(rounds):
        weighted = features * weights[:, None]
        updated = np.linalg.lstsq(features.T @ weighted + penalty, weighted.T @ targets, rcond=None)[0]
        if np.allclose(updated, solution, rtol=1e-8, atol=1e-12):
            break
        solution = updated
        residual = np.abs(targets - features @ solution)
        limit = HUBER * max(1.4826 * float(np.median(residual)), 1e-12)
        weights = limit / np.maximum(residual, limit)
    return solution


def _log_ratio(history: Course, whole: Course) -> np.ndarray:
    return np.log(whole.volumes[-1] / history.volumes[-1])
