"""What the stage `fit-course` writes as JSON of tables, and the page reads: whether intervals of volumes hold."""

from __future__ import annotations

from typing import Literal

from sciml.runtime.results import Result


class IntervalScore(Result):
    """How often 90 % intervals of volumes hold, over subjects; every subject counts once, with the mean over its later visits.

    Attributes:
        model: that forecasts.
        volumes: `exact`, or `measured` with the error of a segmentation.
        group: laws of pace: `mixture` as in training, or one law alone.
        visits: known.
        region: name, or `all`.
        horizon: `all`, or the years ahead.
        n: subjects.
        held: share of the true (`measured`: newly measured) volumes within the interval.
        low: lower end of the exact 95 % binomial interval over subjects (Clopper and Pearson).
        high: upper end.
        score_points: mean interval score of ln V, points: width + 20 times what the truth lies outside by.
        crps_points: mean continuous ranked probability score of ln V, points.
    """

    model: str
    volumes: Literal["exact", "measured"]
    group: str
    visits: int
    region: str
    horizon: str
    n: int
    held: float
    low: float
    high: float
    score_points: float
    crps_points: float


class ScoreRatio(Result):
    """The interval score of the calibrated courses in parts of a rival's, paired over subjects.

    Attributes:
        rival: whose.
        volumes: `exact` or `measured`.
        group: laws of pace.
        visits: known; 0 for one, two and three together.
        ratio: mean over regions of the ratio of mean scores.
        low: lower end of the 95 % interval, a bootstrap over subjects.
        high: upper end.
    """

    rival: str
    volumes: Literal["exact", "measured"]
    group: str
    visits: int
    ratio: float
    low: float
    high: float


class CourseIntervals(Result):
    """`intervals.json` of the stage `fit-course` on tables.

    Attributes:
        scores: of every model, group, number of visits, region and horizon that was looked at.
        ratios: of interval scores.
        subjects: by group.
        trained_on: subjects that the courses learned from.
        unlike: share of subjects for whom the forecast notes that they are unlike the training subjects, by group and visits.
        measurement_percent: error of a measured volume by region, standard deviation.
    """

    scores: list[IntervalScore]
    ratios: list[ScoreRatio]
    subjects: dict[str, int]
    trained_on: int
    unlike: dict[str, dict[str, float]]
    measurement_percent: dict[str, float]

    def of(self, **wanted: object) -> list[IntervalScore]:
        """Return the scores whose fields are as named, in their order."""
        return [one for one in self.scores if all(getattr(one, name) == value for name, value in wanted.items())]
