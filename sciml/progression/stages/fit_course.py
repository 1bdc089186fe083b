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


def run(config: FitCourseConfig, cohort_folder: Path, folder: Path) -> list[Path]:
    """Write `course.safetensors`.

    Args:
        config: kinds of models.
        cohort_folder: cohort whose training people are learned from.
        folder: output folder.
    """
    recorder = Recorder("progression.fit_course", config.model_dump(mode="json"), [cohort_folder / "visits.csv"])
    cohort, begun = Cohort(cohort_folder), time.process_time()
    people = [course_of(visits) for visits in cohort.subjects("train").values()]
    models = fit_courses(people, config.kinds, config.rounds)
    weights = folder / "course.safetensors"
    write_courses(
        weights,
        models,
        config=config,
        seed=0,
        inputs=cohort.digests(cohort.select("train")),
        source_digest=source_digest(__name__),
        # the seconds that it takes are in provenance.json, so that equal fits give equal bytes
        cpu_minutes=0.0,
    )
    recorder.notes = {"people": len(people), "cpu_seconds": round(time.process_time() - begun, 2)}
    recorder.write(folder / "provenance.json", [weights])
    return [weights]
