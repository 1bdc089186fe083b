"""Stage `evaluate-courses`: how often the intervals of volumes hold, by visits, horizon, law of pace and region."""

from __future__ import annotations

import logging
import time
from collections import Counter
from pathlib import Path

import numpy as np

from sciml.progression.cohorts.cohort import Cohort
from sciml.progression.courses.course import Course, CourseModel
from sciml.progression.courses.fit import ByVisits, course_of, courses_from
from sciml.progression.settings.models import EvaluateCoursesConfig
from sciml.progression.simulation.tables import LAWS, MIXTURE
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
from sciml.progression.study.results import CourseIntervals, IntervalScore, ScoreRatio
from sciml.runtime.errors import DataError
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result
from sciml.runtime.seeds import Seeds
from sciml.training.weight_files import read_weight_file

log = logging.getLogger(__name__)
PUBLISHED = ("huber", "logistic_mixed")


def run(config: EvaluateCoursesConfig, tables: Path, course: Path, output: Path) -> list[Path]:
    """Write `intervals.json`.

    Exact volumes are forecast by the models of `course`; volumes with the error of a segmentation by the same kinds, fitted and
    calibrated anew to volumes with such errors.

    Args:
        config: the seed.
        tables: folder of `simulate-tables`.
        course: models of `fit-course`, learned from those tables.
        output: output folder.

    Raises:
        DataError: the tables hold no groups, or the models none that is calibrated.
    """
    recorder = Recorder("progression.evaluate_courses", config.model_dump(mode="json"), [tables / "visits.csv", course])
    begun, seeds = time.process_time(), Seeds(config.seed)
    cohort = Cohort(tables)
    groups = cohort.about.get("groups")
    models = courses_from(read_weight_file(course)[0])
    if groups is None or OURS not in models:
        raise DataError(f"{tables} must be of simulate-tables, and {course} have a {OURS} course: train on 9 subjects or more")
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
    result = CourseIntervals(
        scores=scores,
        ratios=ratios,
        subjects={name: len(people) for name, people in tested.items()},
        trained_on=len(known["train"]) + len(known["validation"]),
        unlike={name: _unlike(models[OURS], people) for name, people in tested.items()},
        measurement_percent={region: 100 * sd for region, sd in MEASUREMENT.items()},
    )
    write_result(output / "intervals.json", result)
    recorder.seeds = {"master": config.seed}
    laws = Counter(cohort.about["laws"][subject] for subject in cohort.subjects("test") if groups[subject] == MIXTURE)
    recorder.notes = {"laws": dict(laws), "cpu_seconds": round(time.process_time() - begun, 2)}
    recorder.write(output / "provenance.json", [output / "intervals.json"])
    return [output / "intervals.json"]


def _numbers(people: list[Course]) -> range:
    return range(1, min(4, *(len(one.ages) for one in people)))


def _unlike(model: CourseModel, people: list[Course]) -> dict[str, float]:
    said = {visits: [bool(model.unlike(one.until(visits))) for one in people] for visits in _numbers(people)}
    return {str(visits): float(np.mean(one)) for visits, one in said.items()}


def _compare(
    volumes: Volumes, compared: dict[str, CourseModel], people: dict[str, list[Course]], seeds: Seeds
) -> tuple[list[IntervalScore], list[ScoreRatio]]:
    scores, ratios = [], []
    for group in (MIXTURE, *LAWS):
        if group not in people:
            continue
        found: dict[str, dict[int, Outcomes]] = {}
        for name, model in compared.items():
            # the published form is slow: as trained, and on the law kept for tests
            if name == ByVisits.kind and group not in (MIXTURE, LAWS[-1]):
                continue
            random = np.random.default_rng(seeds("intervals", volumes, group, name))
            found[name] = {visits: outcomes(model, people[group], visits, random) for visits in _numbers(people[group])}
            for visits, one in found[name].items():
                scores += scores_of(name, volumes, group, visits, one, by_horizon=name == OURS)
        random = np.random.default_rng(seeds("ratio", volumes, group))
        for rival in (RIVAL, f"{RIVAL}_calibrated"):
            for visits in (0, *found[OURS]):
                ratios.append(ratio_of(volumes, group, visits, found[OURS], found[rival], rival, random))
    return scores, ratios
