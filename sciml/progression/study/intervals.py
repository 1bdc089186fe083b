"""Whether intervals of volumes hold: coverage, interval score and CRPS of course models on many subjects.

(1)  held = share of l <= y <= u for the central interval [l, u] of 90 %
(2)  interval score = (u - l) + 20 max(l - y, 0) + 20 max(y - u, 0)                      (Gneiting and Raftery 2007, eq. 43)
(3)  CRPS = 2 integral_0^1 (1{y <= q_p} - p) (q_p - y) dp, by the middles of 20 levels p   (the same, eq. 20)

y is ln V and all are means over a subject's later visits first, so that a subject counts once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import beta

from sciml.progression.cohorts.regions import REGIONS
from sciml.progression.courses.calibration import Calibrated, calibrate
from sciml.progression.courses.course import Course, CourseForecast, CourseModel, normal_widths
from sciml.progression.courses.fit import anchored_interval, anchored_samples, regression_or_rates
from sciml.progression.courses.linear import LinearPopulation, NoChange
from sciml.progression.study.interval_results import IntervalScore, ScoreRatio
from sciml.progression.study.scores import subject_interval

LEVEL = 0.9
MEASUREMENT = {
    "ventricle": 0.015, "hippocampus": 0.015, "amygdala": 0.03, "thalamus": 0.015, "grey_matter": 0.01, "white_matter": 0.01,
    "csf": 0.03,
}  # fmt: skip
"""Standard deviation of ln V of a volume measured on another scan: the order of what segmentations have, from memory."""
OURS, RIVAL = Calibrated.kind, LinearPopulation.kind
ALL, HORIZONS = "all", ((0.0, 2.0, "below 2 y"), (2.0, 4.0, "2 to 4 y"), (4.0, np.inf, "4 y and more"))
QUANTILES = 10
DRAWS = 200
Volumes = Literal["exact", "measured"]


@dataclass(frozen=True)
class Outcomes:
    """What a model said of every later visit of subjects of whom so many visits were known.

    Attributes:
        subjects: numbers, shape (forecasts,).
        gaps: years ahead, shape (forecasts,).
        held: (1) of each, shape (forecasts, regions).
        scores: (2) in points, same shape.
        crps: (3) in points, same shape.
    """

    subjects: np.ndarray
    gaps: np.ndarray
    held: np.ndarray
    scores: np.ndarray
    crps: np.ndarray

    def by_subject(self, values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Return means over each subject's chosen forecasts, shape (subjects, regions)."""
        _, places = np.unique(self.subjects[chosen], return_inverse=True)
        sums = np.zeros((places.max(initial=-1) + 1, values.shape[1]))
        np.add.at(sums, places, values[chosen])
        return sums / np.bincount(places)[:, None]


def rivals(people: Sequence[Course], others: Sequence[Course]) -> dict[str, CourseModel]:
    """Return rates by diagnosis and no change, each with its own intervals and calibrated as ours is.

    Args:
        people: of training.
        others: of validation.
    """

    def rates(some: Sequence[Course]) -> CourseModel:
        return LinearPopulation.fit(some, REGIONS)

    def still(some: Sequence[Course]) -> CourseModel:
        return NoChange.fit(some, REGIONS)

    return {
        RIVAL: rates(people),
        NoChange.kind: still(people),
        f"{RIVAL}_calibrated": calibrate(rates, people, others),
        f"{NoChange.kind}_calibrated": calibrate(still, people, others),
    }


def measured(people: Sequence[Course], random: np.random.Generator) -> list[Course]:
    """Return the same subjects as a segmentation would measure them: V exp(e n), n normal."""
    sd = np.array([MEASUREMENT[region] for region in REGIONS])
    return [
        Course(
            one.ages, one.volumes * np.exp(sd * random.standard_normal(one.volumes.shape)), one.sex, one.diagnosis, one.diagnoses
        )
        for one in people
    ]


def calibrated_on(people: Sequence[Course], others: Sequence[Course]) -> CourseModel:
    """Return the calibrated course fitted to other volumes of the subjects."""
    return calibrate(regression_or_rates, people, others)


def outcomes(model: CourseModel, people: Sequence[Course], visits: int, random: np.random.Generator) -> Outcomes:
    """Return what a model says of the later visits of subjects, from their first ones.

    Args:
        model: knows all of `REGIONS`.
        people: of more visits than those.
        visits: known.
        random: of the draws of a model without intervals of its own that start at the last visit.
    """
    rows = []
    for number, person in enumerate(people):
        history, asked = person.until(visits), person.ages[visits:]
        truth, found = np.log(person.volumes[visits:]), forecast_of(model, history, asked, random)
        low, high = (np.log(end) for end in found.interval(LEVEL))
        outside = np.maximum(low - truth, 0) + np.maximum(truth - high, 0)
        scores = 100 * (high - low + 2 / (1 - LEVEL) * outside)
        parts = (asked - history.ages[-1], outside == 0, scores, 100 * crps_of(found, truth))
        rows += [(number, *part) for part in zip(*parts, strict=True)]
    return Outcomes(*(np.array(column) for column in zip(*rows, strict=True)))


def forecast_of(model: CourseModel, history: Course, asked: np.ndarray, random: np.random.Generator) -> CourseForecast:
    """Return a forecast with the intervals that a user would be given.

    A calibrated and a linear model have their own; the logistic one starts at the last visit by its draws.
    """
    if isinstance(model, Calibrated | LinearPopulation | NoChange):
        return model.predict(history, asked)
    draws = np.log(anchored_samples(model, history, asked, DRAWS, random))
    mean, sd = draws.mean(axis=0), np.maximum(draws.std(axis=0), 1e-9)
    low, high = (np.log(end) for end in anchored_interval(model, history, asked, LEVEL, np.exp(draws)))
    half = (high - low) / 2
    return CourseForecast(
        asked,
        np.exp((low + high) / 2),
        np.exp(mean) * sd,
        lambda levels: half * (normal_widths(levels) / normal_widths(np.array([LEVEL])))[:, None, None],
    )


def crps_of(found: CourseForecast, truth: np.ndarray) -> np.ndarray:
    """Return (3) of ln V, in its shape."""
    levels, total = (np.arange(QUANTILES) + 0.5) / QUANTILES, np.zeros(truth.shape)
    for side, ends in zip((-1, 1), found.intervals(levels), strict=True):
        shares = ((1 + side * levels) / 2)[:, None, None]
        over = np.log(np.maximum(ends, 1e-12)) - truth
        total += 2 * np.where(over > 0, (1 - shares) * over, -shares * over).sum(axis=0)
    return total / (2 * QUANTILES)


def scores_of(
    model: str, volumes: Volumes, group: str, visits: int, found: Outcomes, by_horizon: bool
) -> Iterator[IntervalScore]:
    """Yield the scores of every region and of all together, over all later visits and, where asked for, by the years ahead."""
    parts = [(ALL, np.ones(len(found.gaps), dtype=bool))]
    if by_horizon:
        parts += [(name, (found.gaps >= low) & (found.gaps < high)) for low, high, name in HORIZONS]
    for horizon, chosen in parts:
        if not chosen.any():
            continue
        held, scores, crps = (found.by_subject(values, chosen) for values in (found.held.astype(float), found.scores, found.crps))
        for column, region in enumerate((*REGIONS, ALL)):
            place = slice(None) if region == ALL else slice(column, column + 1)
            share, count = float(held[:, place].mean()), len(held)
            low, high = binomial(share * count, count)
            yield IntervalScore(
                model=model, volumes=volumes, group=group, visits=visits, region=region, horizon=horizon, n=count, held=share,
                low=low, high=high, score_points=float(scores[:, place].mean()), crps_points=float(crps[:, place].mean()),
            )  # fmt: skip


def binomial(held: float, count: int) -> tuple[float, float]:
    """Return the exact 95 % interval of a share (Clopper and Pearson 1934); means over visits count as fractions of a subject."""
    low = float(beta.ppf(0.025, held, count - held + 1)) if held > 0 else 0.0
    high = float(beta.ppf(0.975, held + 1, count - held)) if held < count else 1.0
    return low, high


def ratio_of(
    volumes: Volumes, group: str, visits: int, ours: Mapping[int, Outcomes], rival: Mapping[int, Outcomes], name: str,
    random: np.random.Generator,
) -> ScoreRatio:  # fmt: skip
    """Return the mean over regions of our mean interval score over a rival's, with a bootstrap over subjects.

    Args:
        volumes: exact or measured.
        group: laws of pace.
        visits: known, 0 for all numbers together.
        ours: by visits.
        rival: the same.
        name: of the rival.
        random: of the bootstrap.
    """
    numbers = sorted(ours) if visits == 0 else [visits]
    tables = []
    for number in numbers:
        for found in (ours[number], rival[number]):
            tables.append(found.by_subject(found.scores, np.ones(len(found.gaps), dtype=bool)))
    columns = np.concatenate(tables, axis=1)

    def ratio(drawn: np.ndarray) -> float:
        means = drawn.mean(axis=0).reshape(len(numbers), 2, len(REGIONS))
        return float((means[:, 0] / means[:, 1]).mean())

    low, high = subject_interval(columns, [str(row) for row in range(len(columns))], random, ratio)
    return ScoreRatio(rival=name, volumes=volumes, group=group, visits=visits, ratio=ratio(columns), low=low, high=high)
