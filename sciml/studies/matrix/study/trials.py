"""All trials of a job: every method of some rows on every case and seed, one after the other in this process."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sciml.datasets.manifest import local_path
from sciml.imaging.metrics import psnr
from sciml.imaging.operators.tomography import ParallelBeam
from sciml.imaging.similarity import ssim
from sciml.imaging.tasks.cases import cases
from sciml.imaging.tasks.task import Task
from sciml.runtime.checkpoints import Partial
from sciml.runtime.files import save_tensors
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result
from sciml.runtime.seeds import Seeds
from sciml.studies.matrix.config import TrialsConfig
from sciml.studies.matrix.settings.rows import ROWS
from sciml.studies.matrix.study.results import Trial, Trials, Tuning
from sciml.studies.matrix.trial.cases import TrueCase, true_cases
from sciml.studies.matrix.trial.contestant import Contestant
from sciml.studies.matrix.trial.cost import costed
from sciml.studies.matrix.trial.problems import Problem, measured, true_task

log = logging.getLogger(__name__)
# seconds from one line in the log to the next, within a method
TOLD_EVERY = 30
Entrants = Callable[[str, Sequence[Problem]], Iterable[Contestant]]


@dataclass
class _Job:
    """What a job has so far."""

    trials: list[Trial] = field(default_factory=list)
    tuned: list[Tuning] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    validation: dict[str, list[str]] = field(default_factory=dict)
    pictures: dict[str, np.ndarray] = field(default_factory=dict)


def run_trials(
    stage: str, config: TrialsConfig, entrants: Entrants, code: object, inputs: Sequence[Path], output: Path, tunes: bool = False
) -> list[Path]:
    """Write `trials.json` and `pictures.safetensors`: tensors `<row>/<method>` and `<row>/` (the truth) of a row's first trial.

    Trials that are finished are kept beside the folder until all are done, so an interrupted run goes on where it stopped.

    Args:
        stage: dotted name of the stage that does.
        config: rows, methods, cases and seeds.
        entrants: from the row and its validation problems to the methods of the job that take part.
        code: digests of the stage's code, as JSON values.
        inputs: weight files.
        output: output folder.
        tunes: whether a parameter is tuned, so that validation data are measured.
    """
    settings = config.model_dump(mode="json")
    recorder = Recorder(stage, settings, inputs)
    seeds, job, used = Seeds(config.seed), _Job(), set()
    with Partial(output, [code, settings, recorder.inputs]) as partial:
        for row in config.rows:
            first = true_task(ROWS[row], config.size, seeds("physics", row, 0))
            found = true_cases(first.experiment, config.cases, first.canvas, config.data_tier)
            validation = _validation(row, first, config, seeds) if tunes else []
            job.validation[row] = [problem.case.name for problem in validation]
            used |= {case.data for case in [*found, *(problem.case for problem in validation)]}
            # nothing in a parallel beam is random: its matrix is made once
            again = {seed: seeds("physics", row, seed) for seed in range(1, config.seeds)}
            fixed = isinstance(first.physics, ParallelBeam)
            tasks = [first, *(first if fixed else true_task(ROWS[row], config.size, one) for one in again.values())]
            problems = [one for seed, task in enumerate(tasks) for one in measured(row, found, task, seeds, seed)]
            job.pictures[f"{row}/"] = problems[0].truth[0, 0].numpy()
            for entrant in entrants(row, validation):
                _enter(entrant, problems, job, partial)
        outputs = [output / "trials.json", output / "pictures.safetensors"]
        result = Trials(group=config.group, validation=job.validation, tuned=job.tuned, reasons=job.reasons, trials=job.trials)
        write_result(outputs[0], result)
        save_tensors(outputs[1], job.pictures, {})
    recorder.reads(local_path(name) for name in sorted(used))
    # every other seed is derived from it by the names of row, role, seed and case
    recorder.seeds = {"master": config.seed}
    recorder.notes = {"data": sorted(used)}
    recorder.write(output / "provenance.json", outputs)
    return outputs


def _validation(row: str, first: Task, config: TrialsConfig, seeds: Seeds) -> list[Problem]:
    """Return the validation problems of a row, with an operator of their own."""
    found = cases(first.experiment, "validation", config.validation_images, first.canvas, config.data_tier)
    shown = [TrueCase(case.name, case.name.partition("[")[0], case.name.partition("[")[0], case.array) for case in found]
    fixed = isinstance(first.physics, ParallelBeam)
    task = first if fixed else true_task(ROWS[row], config.size, seeds("physics", row, "validation"))
    return list(measured(row, shown, task, seeds, 0, "validation"))


def _enter(entrant: Contestant, problems: Sequence[Problem], job: _Job, partial: Partial) -> None:
    """Run a method on the problems of a row."""
    row, told = problems[0].row, time.monotonic()
    for number, problem in enumerate(problems):
        key = f"{row}/{entrant.name}/{problem.case.name}/{problem.seed}"
        kept = partial.get(key)
        if kept is None:
            trial, shown, reason = _trial(entrant, problem)
            picture = {} if number else {"picture": shown[0, 0].numpy()}
            kept = partial.put(key, picture, {"trial": trial.model_dump(), "reason": reason})
        job.trials.append(Trial.model_validate(kept[1]["trial"]))
        job.reasons[entrant.name] = kept[1]["reason"]
        if not number:
            job.pictures[f"{row}/{entrant.name}"] = kept[0]["picture"]
        if time.monotonic() - told > TOLD_EVERY:
            told = time.monotonic()
            log.info("%s, %s: %d of %d", row, entrant.name, number + 1, len(problems))
    if entrant.value is not None:
        job.tuned.append(Tuning(row=row, method=entrant.name, parameter=entrant.parameter, value=entrant.value))
    log.info("%s, %s: %.2f s a case", row, entrant.name, float(np.mean([one.wall_s for one in job.trials[-len(problems) :]])))


@torch.no_grad()
def _trial(entrant: Contestant, problem: Problem) -> tuple[Trial, Tensor, str]:
    """Return one trial, the picture that was scored, and why the result is certified or not."""
    outcome, cost = costed(lambda: entrant.solve(problem))
    shown = problem.picture(outcome.image)
    ours, truth = shown[0, 0].numpy(), problem.truth[0, 0].numpy()
    quality = psnr(ours, truth, 1)
    trial = Trial(
        row=problem.row,
        method=entrant.name,
        case=problem.case.name,
        subject=problem.case.subject,
        seed=problem.seed,
        psnr_db=quality if math.isfinite(quality) else None,
        ssim=ssim(ours, truth),
        wall_s=cost.wall_s,
        cpu_s=cost.cpu_s,
        memory_mib=cost.memory_mib,
        certified=outcome.certified,
    )
    return trial, shown, outcome.reason
