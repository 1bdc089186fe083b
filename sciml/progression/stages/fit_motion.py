"""Stage `fit-motion`: how the motion beside the volumes goes on, from registered scans of the training people."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from sciml.progression.cohorts.cohort import Cohort
from sciml.progression.courses.fit import courses_from
from sciml.progression.forecasting.flow_model import FlowModel, write_flow_model
from sciml.progression.forecasting.forecast import imaged
from sciml.progression.forecasting.motion import features, fit_motion, registered_motion
from sciml.progression.networks.parts import read_part
from sciml.progression.settings.models import FitMotionConfig
from sciml.runtime.errors import DataError
from sciml.runtime.provenance import Recorder
from sciml.runtime.sources import source_digest

log = logging.getLogger(__name__)


def run(config: FitMotionConfig, cohort: Path, course: Path, output: Path) -> list[Path]:
    """Write `flow.safetensors`: the course models, and the motion model of `forecasting.motion`.

    Of each person three pairs of scans are registered: first and last, first and second, second and last.

    Args:
        config: how many people.
        cohort: folder of the cohort whose training people are learned from, with labels.
        course: models of `fit-course`.
        output: output folder.

    Raises:
        DataError: the cohort has no labels.
    """
    recorder = Recorder("progression.fit_motion", config.model_dump(mode="json"), [cohort / "visits.csv", course])
    people, begun = Cohort(cohort), time.process_time()
    if not people.has("labels"):
        raise DataError(f"{cohort} has no labels: a motion is found beside the flow to volumes, which moves regions")
    arrays, about = read_part(course, "course")
    chosen = [visits for visits in people.subjects("train").values() if len(visits) > 2][: config.subjects]
    motions = []
    for visits in chosen:
        first, second, last = (imaged(people, visits[number]) for number in (0, 1, -1))
        who = features(first.visit.age_years, first.visit.sex, first.visit.diagnosis)
        ways = (first, second), (second, last), (first, last)
        motions.append((who, *(registered_motion(*way, people.grid) for way in ways)))
        log.info("%s: %d of %d registered", first.visit.subject, len(motions), len(chosen))
    weights = output / "flow.safetensors"
    write_flow_model(
        weights,
        FlowModel(f"flow-{people.grid.name}", people.grid, courses_from(arrays), fit_motion(motions)),
        config=config,
        seed=0,
        inputs={**about["inputs"], **people.digests(visit for visits in chosen for visit in visits)},
        source_digest=source_digest(__name__),
        # in provenance.json, so that equal fits give equal bytes
        cpu_minutes=0.0,
    )
    recorder.notes = {"people": len(chosen), "cpu_seconds": round(time.process_time() - begun, 2)}
    recorder.write(output / "provenance.json", [weights])
    return [weights, output / "provenance.json"]
