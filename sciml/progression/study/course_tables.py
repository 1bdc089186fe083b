"""The courses on tables of many subjects: their intervals by law of pace and visits, exact volumes and measured ones."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

import numpy as np

from sciml.progression.cohorts.cohort import Cohort
from sciml.progression.courses.course import Course, CourseModel
from sciml.progression.courses.fit import ByVisits, course_of
from sciml.progression.simulation.tables import LAWS, MIXTURE
from sciml.progression.study.interval_results import CourseIntervals, IntervalScore, ScoreRatio
from sciml.progression.study.intervals import (
    MEASUREMENT,
    OURS,
    RIVAL,
    Outcomes,
    Volumes,
    calibrated_on,
    measured,
    outcomes,
    ratio_of,
    rivals,
    scores_of,
)
from sciml.runtime.seeds import Seeds

log = logging.getLogger(__name__)
PUBLISHED = ("huber", "logistic_mixed")
# the logistic course is slow: so many subjects of a group are asked of it
SLOW_SUBJECTS = 100
# what all is looked at under: laws as trained, and the law kept for tests
WHOLE = (MIXTURE, LAWS[-1])


def tested_on_tables(models: Mapping[str, CourseModel], cohort: Cohort, seeds: Seeds) -> CourseIntervals:
    """Return how the intervals of course models hold on the test subjects of tables.

    Exact volumes are forecast by the models as they are; volumes with the error of a segmentation by the same kinds, fitted and
    calibrated anew to volumes with such errors.

    Args:
        models: learned from the same tables, a calibrated one among them.
        cohort: of `simulate_tables`.
        seeds: of the run.
    """
    begun, groups = time.process_time(), cohort.about["groups"]
    known = {split: [course_of(one) for one in cohort.subjects(split).values()] for split in ("train", "validation")}
    tested: dict[str, list[Course]] = {}
    for subject, visits in cohort.subjects("test").items():
        tested.setdefault(groups[subject], []).append(course_of(visits))
    exact: dict[str, CourseModel] = {OURS: models[OURS]} | rivals(known["train"], known["validation"])
    if set(PUBLISHED) <= set(models):
        exact[ByVisits.kind] = ByVisits(*(models[kind] for kind in PUBLISHED))
    blurred = {name: measured(people, np.random.default_rng(seeds("measure", name))) for name, people in known.items()}
    noisy = {OURS: calibrated_on(blurred["train"], blurred["validation"])} | rivals(blurred["train"], blurred["validation"])
    noisy_tested = {name: measured(people, np.random.default_rng(seeds("measure", name))) for name, people in tested.items()}
    scores, ratios = [], []
    kinds: list[tuple[Volumes, dict[str, CourseModel], dict[str, list[Course]]]] = [
        ("exact", exact, tested),
        ("measured", noisy, noisy_tested),
    ]
    for volumes, compared, people in kinds:
        found = _compare(volumes, compared, people, seeds)
        scores += found[0]
        ratios += found[1]
        log.info("%s volumes: %.0f CPU s", volumes, time.process_time() - begun)
    return CourseIntervals(
        scores=scores,
        ratios=ratios,
        subjects={name: len(people) for name, people in tested.items()},
        trained_on=len(known["train"]) + len(known["validation"]),
        unlike={name: _unlike(models[OURS], tested[name]) for name in WHOLE},
        measurement_percent={region: 100 * sd for region, sd in MEASUREMENT.items()},
    )


def _unlike(model: CourseModel, people: list[Course]) -> dict[str, float]:
    said = {visits: [bool(model.unlike(one.until(visits))) for one in people] for visits in _numbers(people)}
    return {str(visits): float(np.mean(one)) for visits, one in said.items()}


def _compare(
    volumes: Volumes, compared: dict[str, CourseModel], people: dict[str, list[Course]], seeds: Seeds
) -> tuple[list[IntervalScore], list[ScoreRatio]]:
    scores, ratios = [], []
    for group in (MIXTURE, *LAWS):
        # volumes with errors: on the mixture and on the law kept for tests
        if group not in people or (volumes == "measured" and group not in WHOLE):
            continue
        found: dict[str, dict[int, Outcomes]] = {}
        # each law alone beside the rates only
        whole = group in WHOLE
        for name, model in compared.items():
            if not whole and name not in (OURS, RIVAL):
                continue
            random = np.random.default_rng(seeds("intervals", volumes, group, name))
            asked = people[group][: SLOW_SUBJECTS if name == ByVisits.kind else None]
            found[name] = {visits: outcomes(model, asked, visits, random) for visits in _numbers(people[group])}
            for visits, one in found[name].items():
                scores += scores_of(name, volumes, group, visits, one, by_horizon=name == OURS)
        random = np.random.default_rng(seeds("ratio", volumes, group))
        for rival in (RIVAL, f"{RIVAL}_calibrated")[: 1 + whole]:
            for visits in (0, *found[OURS]):
                ratios.append(ratio_of(volumes, group, visits, found[OURS], found[rival], rival, random))
    return scores, ratios


def _numbers(people: list[Course]) -> range:
    return range(1, min(4, *(len(one.ages) for one in people)))
