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

from sciml.progression.course import Course, CourseForecast, CourseModel, later, pairs

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
        """Return the model fitted to people of two visits and more.

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
        """Fit d to pairs of (history, the same person one visit or more later)."""

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
        """Return joint draws; one person's errors are the same number of standard deviations at all ages."""
        asked = later(history, ages)
        mean = history.volumes[-1] * np.exp(self.log_change(history, asked))
        draws = random.standard_normal((count, len(self.regions))) @ np.linalg.cholesky(self.correlation).T
        return mean * np.exp(self._spread(history, asked) * draws[:, None, :])

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
        labels = np.array([whole.diagnosis for _, whole in found])
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
    """d = (1, c_A, gap, gap c_A) . w by Huber's robust regression: the published model for a person with one visit.

    c_A is age / 100, sex, diagnosis in (0, 0.5, 1) and the logarithms of the volumes at A. The published form has no products
    gap x c_A, so that all people change at one rate; `products` adds them.

    Args:
        regions: names of the volumes.
        products: let the rate depend on c_A.
    """

    kind = "huber"
    products = True

    def __init__(self, regions: Sequence[str]) -> None:
        super().__init__(regions)
        size = self._size()
        self.weights = np.zeros((size, len(self.regions)))
        self.centre, self.width = np.zeros(3 + len(self.regions)), np.ones(3 + len(self.regions))

    def _size(self) -> int:
        plain = 3 + len(self.regions)
        return 2 + plain + (plain if self.products else 0)

    def _features(self, history: Course, ages: np.ndarray) -> np.ndarray:
        volumes = history.volumes[-1]
        at_start = np.array([history.ages[-1] / 100, history.sex, DIAGNOSES.index(history.diagnosis) / 2, *np.log(volumes)])
        at_start = (np.where(np.isfinite(at_start), at_start, self.centre) - self.centre) / self.width
        gaps = (ages - history.ages[-1])[:, None]
        parts = [np.ones_like(gaps), np.broadcast_to(at_start, (len(gaps), len(at_start))), gaps]
        return np.concatenate([*parts, gaps * at_start] if self.products else parts, axis=1)

    def _learn(self, found: Sequence[tuple[Course, Course]]) -> None:
        raw = np.array([[h.ages[-1] / 100, h.sex, DIAGNOSES.index(h.diagnosis) / 2, *np.log(h.volumes[-1])] for h, _ in found])
        self.centre, self.width = np.nanmean(raw, axis=0), np.maximum(np.nanstd(raw, axis=0), 1e-9)
        features = np.concatenate([self._features(history, whole.ages[-1:]) for history, whole in found])
        targets = np.stack([_log_ratio(history, whole) for history, whole in found])
        for region in range(len(self.regions)):
            known = np.isfinite(targets[:, region])
            self.weights[:, region] = huber_fit(features[known], targets[known, region])

    def log_change(self, history: Course, ages: np.ndarray) -> np.ndarray:
        """Return the regression at the ages, shape (ages, regions)."""
        return self._features(history, ages) @ self.weights

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what the model learned, by name."""
        return super().arrays() | {"weights": self.weights, "centre": self.centre, "width": self.width}


class PublishedHuber(HuberRegression):
    """The regression without products gap x c_A."""

    kind = "huber_published"
    products = False


def huber_fit(features: np.ndarray, targets: np.ndarray, ridge: float = 1e-3, rounds: int = 50) -> np.ndarray:
    """Return w that minimises sum rho((y - X w) / s) + ridge |w|^2 / 2 for Huber's rho, by reweighted least squares.

    s is 1.4826 times the median absolute residual of each round.

    Args:
        features: X, shape (samples, features).
        targets: y, shape (samples,).
        ridge: penalty in units of the mean squared feature.
        rounds: largest number of rounds; ends earlier when w stands still.
    """
    penalty = ridge * np.mean(features**2) * np.eye(features.shape[1])
    weights, solution = np.ones(len(targets)), np.zeros(features.shape[1])
    for _ in range(rounds):
        weighted = features * weights[:, None]
        updated = np.linalg.solve(features.T @ weighted + penalty, weighted.T @ targets)
        if np.allclose(updated, solution, rtol=1e-8, atol=1e-12):
            break
        solution = updated
        residual = np.abs(targets - features @ solution)
        limit = HUBER * max(1.4826 * float(np.median(residual)), 1e-12)
        weights = limit / np.maximum(residual, limit)
    return solution


def _log_ratio(history: Course, whole: Course) -> np.ndarray:
    return np.log(whole.volumes[-1] / history.volumes[-1])
