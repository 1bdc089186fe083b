"""The course of local rates: every subject's pace is a slowly changing Gaussian process around the population's rates.

With x_K = ln V_K, r_K(g) the population's yearly rate with diagnosis g, and m_K(s) how much faster region K changes than that,

    x_K(t) = x_K(0) + integral_0^t r_K(g(s)) (1 + m_K(s)) ds,      m_K(s) = common(s) + own_K(s),                        (1)

both parts Gaussian with the kernel  k(s, s') = a + b min(s, s') + c s s' + d delta(s - s')  of the years since the first visit:
a pace of one's own (a), one that wanders (b), rises or falls steadily (c), or differs from time to time (d). x_K(0) is unknown,
and a measurement adds noise of variance e_K^2. All is Gaussian: a forecast is the conditional mean and covariance given the
visits so far (Rasmussen and Williams 2006, section 2.2), the same as a Kalman filter of a local trend (Durbin and Koopman 2012)
would give, with any times, visits and gaps.

A visit whose diagnosis is another than the one before had the change at some time in between, all equally likely: rates are
the mean of both, and (r_K(g') - r_K(g)) gap has the variance 1/12 of its square.

The variances a, b, c, d of both parts and e_K^2 are a linear function of the covariances of the increments, and are fitted to
their products by non-negative least squares, reweighted by the variances that they give (a method of moments).

The skull keeps its content: where all regions were measured, the outer fluid takes what the changes of the others leave.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
from scipy.optimize import nnls

from sciml.progression.courses.course import Course, CourseForecast, CourseModel, later
from sciml.progression.courses.linear import DIAGNOSES, LinearPopulation

BALANCE = "csf"
# rounds of reweighting; standard deviation of ln V at the first visit (any large one); noise that is always granted
ROUNDS, DIFFUSE, LEAST_NOISE = 4, 10.0, 1e-4
# of a region's largest rate: a smaller one is no unit to measure deviations in
LEAST_RATE = 0.25
TERMS = 4


class LocalRates(CourseModel):
    """Gaussian local rates around those of the population.

    Args:
        regions: names of the volumes.

    Attributes:
        rates: r, 1/year, shape (diagnoses, regions), in the order of `DIAGNOSES`.
        common: a, b, c, d of the part that all regions share, shape (4,); in 1, 1/year, 1/year^2 and years.
        own: the same of each region's own part, shape (4, regions).
        noise: e^2, shape (regions,).
    """

    kind = "local_rates"
    filters = True
    distance_names = ("changes so far", "pace so far")

    def __init__(self, regions: Sequence[str]) -> None:
        self.regions = tuple(regions)
        count = len(self.regions)
        self.rates = np.zeros((len(DIAGNOSES), count))
        self.common, self.own, self.noise = np.zeros(TERMS), np.zeros((TERMS, count)), np.zeros(count)

    @classmethod
    def fit(cls, people: Sequence[Course], regions: Sequence[str]) -> Self:
        """Return the model fitted to subjects of two visits and more.

        Args:
            people: courses with volumes in the order of `regions`.
            regions: names of the volumes.

        Raises:
            DataError: nobody has two visits.
        """
        model = cls(regions)
        model.rates = LinearPopulation.fit(people, regions).rates
        parts = [model._products(person) for person in people if len(person.ages) > 1]
        features, products = (np.concatenate([part[index] for part in parts]) for index in (0, 1))
        known, weights = np.isfinite(products), np.ones(len(products))
        for _ in range(ROUNDS):
            found = _least_squares((features * weights[:, None])[known], (products * weights)[known])
            # var(z_i z_j) is near var(z_i) var(z_j)
            spreads = [np.sqrt(np.maximum(own @ found, 1e-6)) for _, _, own in parts]
            weights = np.concatenate([1 / np.outer(one, one)[np.triu_indices(len(one))] for one in spreads])
        count = len(model.regions)
        model.common, model.own = found[:TERMS], found[TERMS : TERMS * (1 + count)].reshape(TERMS, count)
        model.noise = found[TERMS * (1 + count) :]
        return model

    def _products(self, person: Course) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return what each product of two deviations z is made of, the products, and what each one's variance is made of."""
        count = len(self.regions)
        spans, units = self._spans(person), self._units(person)
        gaps = np.diff(spans, axis=1)
        deviations = (np.diff(np.log(person.volumes), axis=0) - gaps * self._means(person)) / (gaps * units)
        # the time of a change of diagnosis is one more unknown
        deviations[[one != other for one, other in zip(person.diagnoses, person.diagnoses[1:], strict=False)]] = np.nan
        kernels, steps = _kernels(spans, spans), len(spans)
        # of increments: each measurement is in two
        shared = 2 * np.eye(steps) - np.eye(steps, k=1) - np.eye(steps, k=-1)
        one, other = np.triu_indices(steps * count)
        (i, k), (j, m) = np.divmod(one, count), np.divmod(other, count)

        def made_of(i: np.ndarray, k: np.ndarray, j: np.ndarray, m: np.ndarray) -> np.ndarray:
            same, rows = k == m, np.arange(len(i))
            features = np.zeros((len(i), TERMS * (1 + count) + count))
            for term, kernel in enumerate(kernels):
                features[:, term] = kernel[i, j]
                features[rows, TERMS + term * count + k] = same * kernel[i, j]
            features[rows, TERMS * (1 + count) + k] = same * shared[i, j] / (gaps * units)[i, k] / (gaps * units)[j, m]
            return features

        flat = deviations.reshape(-1)
        features = made_of(i, k, j, m)
        return features, flat[one] * flat[other], features[one == other]

    def _spans(self, person: Course) -> np.ndarray:
        """Return begin and end of the times between visits in years from the first, shape (visits - 1, 2)."""
        years = person.ages - person.ages[0]
        return np.stack([years[:-1], years[1:]], axis=1)

    def _means(self, person: Course) -> np.ndarray:
        """Return r between visits, shape (visits - 1, regions)."""
        codes = [DIAGNOSES.index(name) for name in person.diagnoses]
        return (self.rates[codes[:-1]] + self.rates[codes[1:]]) / 2

    def _units(self, person: Course) -> np.ndarray:
        return self._unit(self._means(person))

    def _unit(self, rates: np.ndarray) -> np.ndarray:
        """Return rates as units of deviations: none is 0."""
        least = np.maximum(LEAST_RATE * np.abs(self.rates).max(axis=0), 1e-4)
        return np.where(rates < 0, -1.0, 1.0) * np.maximum(np.abs(rates), least)

    def _system(self, history: Course, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the means of x - x(0) and their covariance at all visits, then at the asked ages; no noise, x(0) diffuse.

        Shapes (visits + ages, regions) and (visits + ages, regions, visits + ages, regions).
        """
        last, count, visits = history.ages[-1] - history.ages[0], len(self.regions), len(history.ages)
        ahead = np.stack([np.full(len(asked), last), asked - history.ages[0]], axis=1)
        rate = self.rates[DIAGNOSES.index(history.diagnosis)]
        spans = np.concatenate([self._spans(history), ahead])
        gaps = np.diff(spans, axis=1)
        scales = gaps * np.concatenate([self._units(history), np.tile(self._unit(rate), (len(asked), 1))])
        kernels = np.stack(_kernels(spans, spans))
        covariance = np.einsum("t,tij->ij", self.common, kernels)[:, None, :, None] * np.ones((1, count, 1, count))
        index = np.arange(count)
        covariance[:, index, :, index] += np.einsum("tk,tij->kij", self.own, kernels)
        covariance = scales[:, :, None, None] * covariance * scales
        for step, (one, other) in enumerate(zip(history.diagnoses, history.diagnoses[1:], strict=False)):
            jump = (self.rates[DIAGNOSES.index(other)] - self.rates[DIAGNOSES.index(one)]) * gaps[step]
            covariance[step, :, step, :] += np.outer(jump, jump) / 12
        # from increments to levels: sums up to each visit, and from the last one on
        sums = np.zeros((visits + len(asked), len(spans)))
        sums[:visits, : visits - 1] = np.tri(visits, visits - 1, -1)
        sums[visits:, : visits - 1] = 1
        sums[visits:, visits - 1 :] = np.eye(len(asked))
        means = sums @ (gaps * np.concatenate([self._means(history), np.tile(rate, (len(asked), 1))]))
        levels = np.einsum("pi,ikjm,qj->pkqm", sums, covariance, sums)
        levels[:, index, :, index] += DIFFUSE**2
        return means, levels

    def _conditional(self, history: Course, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and covariance of ln V at the asked ages, shapes (ages, regions) and (ages * regions, ages * regions)."""
        visits, count = len(history.ages), len(self.regions)
        # the last visit itself is asked for too
        means, levels = self._system(history, np.append(history.ages[-1], asked))
        cut, size = visits * count, len(levels) * count
        levels = levels.reshape(size, size)
        measured = np.log(history.volumes)
        known = np.flatnonzero(np.isfinite(measured.reshape(-1)))
        # what was never measured stays near the first of its kind: anywhere, with the diffuse variance
        start = _middle(measured - means[:visits])
        gain = np.linalg.solve(self._noisy(levels, known, count), levels[known][:, cut:]).T
        off = (measured - means[:visits] - start).reshape(-1)[known]
        mean = means[visits:] + start + (gain @ off).reshape(-1, count)
        covariance = levels[cut:, cut:] - gain @ levels[known][:, cut:]
        return self._balanced(history, mean, 0.5 * (covariance + covariance.T))

    def _noisy(self, levels: np.ndarray, known: np.ndarray, count: int) -> np.ndarray:
        return levels[np.ix_(known, known)] + np.diag(self._noise()[known % count])

    def _noise(self) -> np.ndarray:
        return np.maximum(self.noise, LEAST_NOISE**2)

    def _balanced(self, history: Course, mean: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Leave the last visit, the first row, out; the outer fluid takes what the other regions leave after it.

        With A the last visit V = V_A + sum_K (V_KA - V_K), and V d ln V = V_A d ln V_A + sum_K (V_KA d ln V_KA - V_K d ln V_K).
        """
        regions, ages = len(self.regions), len(mean) - 1
        turn = np.zeros((ages, regions, ages + 1, regions))
        turn[np.arange(ages), :, np.arange(1, ages + 1), :] = np.eye(regions)
        volumes = np.exp(mean)
        if BALANCE in self.regions and np.isfinite(history.volumes[-1]).all():
            fluid = self.regions.index(BALANCE)
            others = np.arange(regions) != fluid
            left = volumes[0].sum() - volumes[1:, others].sum(axis=1)
            # a skull without fluid is none
            volumes[1:, fluid] = np.maximum(left, 0.05 * volumes[0, fluid])
            for age, row in enumerate(volumes[1:]):
                turn[age, fluid, 0] = volumes[0] / row[fluid]
                turn[age, fluid, age + 1] = np.where(others, -row / row[fluid], 0.0)
        turn = turn.reshape(ages * regions, -1)
        return np.log(volumes[1:]), turn @ covariance @ turn.T

    def predict(self, history: Course, ages: Sequence[float] | np.ndarray) -> CourseForecast:
        """Return mean and standard deviation of a new measurement at ages after the last visit."""
        asked = later(history, ages)
        mean, covariance = self._conditional(history, asked)
        sd = np.sqrt(np.maximum(np.diag(covariance).reshape(mean.shape), 0) + self._noise())
        return CourseForecast(asked, np.exp(mean), np.exp(mean) * sd)

    def sample(self, history: Course, ages: Sequence[float] | np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
        """Return joint draws of the volumes in ml, shape (count, ages, regions), without noise of the measurement."""
        asked = later(history, ages)
        mean, covariance = self._conditional(history, asked)
        values, vectors = np.linalg.eigh(covariance)
        draws = random.standard_normal((count, len(values))) * np.sqrt(np.maximum(values, 0)) @ vectors.T
        return np.exp(mean + draws.reshape(count, *mean.shape))

    def distances(self, history: Course) -> np.ndarray:
        """Return how unlikely the changes so far are, both near 1 and 0 for one visit, shape (2,).

        e being what a visit differs by from what the visits before it let expect, with covariance S: the root mean squares of
        the whitened e, and of its part that all regions share, w' S^-1 e / sqrt(w' S^-1 w), w the expected change.
        """
        visits, count = len(history.ages), len(self.regions)
        means, levels = self._system(history, history.ages[-1:])
        levels = levels.reshape(len(levels) * count, -1)[: visits * count, : visits * count]
        off = np.log(history.volumes) - means[:visits]
        known = np.isfinite(off)
        off = (off - _middle(off)).reshape(-1)
        covariance = levels + np.diag(np.tile(self._noise(), visits))
        expected = np.diff(self._spans(history), axis=1) * self._units(history)
        squares, steps, paces = 0.0, 0, [0.0][visits > 1 :]
        for visit in range(1, visits):
            # a region that was never seen before says nothing of change
            here = visit * count + np.flatnonzero(known[visit] & known[:visit].any(axis=0))
            before = np.flatnonzero(known[:visit].reshape(-1))
            gain = np.linalg.solve(covariance[np.ix_(before, before)], covariance[np.ix_(before, here)]).T
            error = off[here] - gain @ off[before]
            spread = covariance[np.ix_(here, here)] - gain @ covariance[np.ix_(before, here)]
            unit = expected[visit - 1][here - visit * count]
            solved = np.linalg.solve(spread, np.stack([error, unit], axis=1))
            squares, steps = squares + float(error @ solved[:, 0]), steps + len(here)
            paces.append(float(unit @ solved[:, 0]) ** 2 / max(float(unit @ solved[:, 1]), 1e-12) if len(here) else 0.0)
        return np.sqrt(np.array([squares / max(steps, 1), float(np.mean(paces))]))

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what the model learned, by name."""
        return {name: getattr(self, name) for name in ("rates", "common", "own", "noise")}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], regions: Sequence[str]) -> Self:
        """Return the model that `arrays` described."""
        model = cls(regions)
        for name, value in arrays.items():
            setattr(model, name, np.asarray(value, dtype=float))
        return model


def _middle(values: np.ndarray) -> np.ndarray:
    """Return the mean of what is known of each region, 0 where nothing is; x(0) is near it, and may be anywhere."""
    known = np.isfinite(values)
    return np.where(known, values, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)


def _kernels(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the means of 1, min(s, s'), s s' and delta(s - s') over all pairs of spans (n, 2) and (m, 2), each (n, m).

    A span without length counts as its point, and shares nothing.
    """
    begins, ends = one[:, :1], one[:, 1:]
    starts, stops = other[:, 0], other[:, 1]
    middles = np.outer(one.mean(axis=1), other.mean(axis=1))
    lengths = (ends - begins) * (stops - starts)
    total = _least(ends, stops) - _least(begins, stops) - _least(ends, starts) + _least(begins, starts)
    points = np.minimum(one.mean(axis=1)[:, None], other.mean(axis=1))
    least = np.where(lengths > 0, total / np.where(lengths > 0, lengths, 1), points)
    shared = np.maximum(np.minimum(ends, stops) - np.maximum(begins, starts), 0.0)
    return np.ones_like(least), least, middles, shared / np.where(lengths > 0, lengths, 1)


def _least(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the integral of min(u, v) over u from 0 to `one` and v from 0 to `other`: p^2 q / 2 - p^3 / 6 with p the smaller."""
    small, large = np.minimum(one, other), np.maximum(one, other)
    return small**2 * large / 2 - small**3 / 6


def _least_squares(features: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return non-negative least squares by way of the triangular factor, each column in its own unit."""
    units = np.maximum(np.sqrt((features**2).sum(axis=0)), 1e-12)
    triangle = np.asarray(np.linalg.qr(np.column_stack([features / units, targets]), mode="r"))
    return nnls(triangle[:, :-1], triangle[:, -1])[0] / units
