"""Stage `fit-course`: all course models on training subjects, intervals calibrated with those of validation too, and tested."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from sciml.progression.cohorts.cohort import Cohort
from sciml.progression.courses.calibration import Calibrated
from sciml.progression.courses.fit import course_of, enough_to_calibrate, fit_courses
from sciml.progression.networks.model_files import write_courses
from sciml.progression.settings.models import FitCourseConfig
from sciml.progression.study.course_tables import tested_on_tables
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result
from sciml.runtime.seeds import Seeds
from sciml.runtime.sources import source_digest

log = logging.getLogger(__name__)


def run(config: FitCourseConfig, cohort: Path, output: Path) -> list[Path]:
    """Write `course.safetensors`; without the calibrated model where there are too few subjects for its intervals.

    Where the cohort is one of tables, whose laws of pace are known, `intervals.json` too: how they hold on test subjects.

    Args:
        config: kinds of models.
        cohort: folder of the cohort whose training subjects are learned from; it needs no images.
        output: output folder.
    """
    recorder = Recorder("progression.fit_course", config.model_dump(mode="json"), [cohort / "visits.csv"])
    people, begun = Cohort(cohort), time.process_time()
    courses = [course_of(visits) for visits in people.subjects("train").values()]
    others, kinds = [course_of(visits) for visits in people.subjects("validation").values()], list(config.kinds)
    if Calibrated.kind in kinds and not enough_to_calibrate(courses, others):
        log.warning("%s: too few subjects of two visits and more for intervals of 90 %%, no calibrated course", cohort)
        kinds.remove(Calibrated.kind)
    models = fit_courses(courses, kinds, config.rounds, others)
    weights = output / "course.safetensors"
    write_courses(
        weights,
        models,
        config=config,
        seed=0,
        inputs=people.digests([*people.select("train"), *(people.select("validation") if Calibrated.kind in kinds else ())]),
        source_digest=source_digest(__name__),
        # the seconds that it takes are in provenance.json, so that equal fits give equal bytes
        cpu_minutes=0.0,
    )
    recorder.notes = {
        "people": len(courses),
        "calibrated": Calibrated.kind in kinds,
        "cpu_seconds": round(time.process_time() - begun, 2),
    }
    written = [weights]
    if "groups" in people.about and Calibrated.kind in models:
        written.append(output / "intervals.json")
        write_result(written[1], tested_on_tables(models, people, Seeds(config.seed)))
        recorder.notes["cpu_seconds_with_intervals"] = round(time.process_time() - begun, 2)
    recorder.write(output / "provenance.json", written)
    return written
