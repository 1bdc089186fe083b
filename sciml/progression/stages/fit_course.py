"""Stage `fit-course`: all course models on the training people."""

from __future__ import annotations

import time
from pathlib import Path

from sciml.progression.cohorts.cohort import Cohort
from sciml.progression.courses.fit import course_of, fit_courses
from sciml.progression.networks.model_files import write_courses
from sciml.progression.settings.models import FitCourseConfig
from sciml.runtime.provenance import Recorder
from sciml.runtime.sources import source_digest


def run(config: FitCourseConfig, cohort: Path, output: Path) -> list[Path]:
    """Write `course.safetensors`.

    Args:
        config: kinds of models.
        cohort: folder of the cohort whose training people are learned from.
        output: output folder.
    """
    recorder = Recorder("progression.fit_course", config.model_dump(mode="json"), [cohort / "visits.csv"])
    people, begun = Cohort(cohort), time.process_time()
    courses = [course_of(visits) for visits in people.subjects("train").values()]
    models = fit_courses(courses, config.kinds, config.rounds)
    weights = output / "course.safetensors"
    write_courses(
        weights,
        models,
        config=config,
        seed=0,
        inputs=people.digests(people.select("train")),
        source_digest=source_digest(__name__),
        # the seconds that it takes are in provenance.json, so that equal fits give equal bytes
        cpu_minutes=0.0,
    )
    recorder.notes = {"people": len(courses), "cpu_seconds": round(time.process_time() - begun, 2)}
    recorder.write(output / "provenance.json", [weights])
    return [weights]
