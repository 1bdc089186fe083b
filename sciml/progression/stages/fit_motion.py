"""Stage `fit-motion`: how the motion beside the volumes goes on, and how far the forecasts that follow may be from the truth."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from sciml.progression.cohorts.cohort import Cohort
from sciml.progression.courses.fit import courses_from
from sciml.progression.forecasting.flow_forecast import FlowForecaster
from sciml.progression.forecasting.flow_model import FlowModel, write_flow_model
from sciml.progression.forecasting.forecast import imaged
from sciml.progression.forecasting.motion import features, fit_motion, registered_motion
from sciml.progression.forecasting.pair_predictions import Pair, pairs_of
from sciml.progression.forecasting.spread import Errors, fit_spread, terms_of
from sciml.progression.networks.parts import read_part
from sciml.progression.settings.models import FitMotionConfig, FlowForecastConfig
from sciml.runtime.errors import DataError
from sciml.runtime.provenance import Recorder
from sciml.runtime.sources import source_digest

log = logging.getLogger(__name__)
# draws of a validation subject's forecast, and of its voxels every so-manieth
DRAWS, EVERY = 4, 7


def run(config: FitMotionConfig, cohort: Path, course: Path, output: Path) -> list[Path]:
    """Write `flow.safetensors`: course models, the motion model of `forecasting.motion`, and the spread of `forecasting.spread`.

    Of each training subject three pairs of scans are registered: first and last, first and second, second and last. Of each
    validation subject later visits are forecast from the first one and from the first two.

    Args:
        config: how many subjects.
        cohort: folder of the cohort that is learned from, with labels.
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
    model = FlowModel(f"flow-{people.grid.name}", people.grid, courses_from(arrays), fit_motion(motions))
    held = questions(people, config.validation)
    if not held:
        log.warning("%s: no validation subjects of two visits: the uncertainty of images is not calibrated", cohort)
    write_flow_model(
        weights,
        replace(model, spread=fit_spread([errors_of(people, model, pair) for pair in held])) if held else model,
        config=config,
        seed=0,
        inputs={
            **about["inputs"],
            **people.digests(visit for visits in chosen for visit in visits),
            **people.digests(visit for pair in held for visit in (*pair.history, pair.followup)),
        },
        source_digest=source_digest(__name__),
        # in provenance.json, so that equal fits give equal bytes
        cpu_minutes=0.0,
    )
    recorder.notes = {"people": len(chosen), "cpu_seconds": round(time.process_time() - begun, 2)}
    recorder.write(output / "provenance.json", [weights])
    return [weights, output / "provenance.json"]


def questions(cohort: Cohort, count: int) -> list[Pair]:
    """Return pairs of visits of so many validation subjects: from the first and the second visit to the next and to the last."""
    found, subjects = pairs_of(cohort, "validation"), list(cohort.subjects("validation"))[:count]
    last = {pair.start.subject: pair.followup.number for pair in found}
    return [
        pair
        for pair in found
        if pair.start.subject in subjects
        and pair.start.number < 2
        and pair.followup.number in (pair.start.number + 1, last[pair.start.subject])
    ]


def errors_of(cohort: Cohort, model: FlowModel, pair: Pair) -> Errors:
    """Return the errors of the forecast of one pair, at every so-manieth voxel of the brain."""
    usual = {"huber", "logistic_mixed"} <= set(model.courses) or "calibrated" in model.courses
    config = FlowForecastConfig(samples=DRAWS, course="best" if usual else next(iter(model.courses)))  # type: ignore[arg-type]
    visits = [imaged(cohort, visit) for visit in pair.history]
    found = FlowForecaster(model, config).forecast(visits, [pair.followup.age_years])
    places = np.flatnonzero(cohort.mask(pair.followup)[0])[::EVERY]
    terms = terms_of(np.square(found.uncertainty[0]), found.images[0], pair.gap_years, cohort.grid.spacing_mm)
    errors = cohort.truth(pair.followup)[0] - found.images[0]
    log.info("%s: visit %d forecast from %d", pair.start.subject, pair.followup.number, pair.start.number)
    return Errors(len(visits) > 1, terms.reshape(-1, terms.shape[-1])[places], errors.reshape(-1)[places])
