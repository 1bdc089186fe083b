"""The page of the study of active fluids, from its artefacts alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sciml.active_fluid.config import SETS, PageConfig
from sciml.active_fluid.page.checks import check_reportlets, gradient_reportlets, gradients
from sciml.active_fluid.page.claims import HELD_OUT_POINTS, HELD_OUT_SEEDS, claims, enough
from sciml.active_fluid.page.closures import closure_reportlets
from sciml.active_fluid.page.cost import cost_reportlets
from sciml.active_fluid.page.fields import field_reportlets
from sciml.active_fluid.page.long_runs import long_reportlets
from sciml.active_fluid.page.methods import EQUATIONS
from sciml.active_fluid.page.moments import moment_reportlets
from sciml.active_fluid.page.recovery import recovery_reportlets
from sciml.active_fluid.page.results import StudyResults, read_study
from sciml.active_fluid.page.style import title_of
from sciml.active_fluid.page.theory import theory_reportlets
from sciml.active_fluid.page.time import time_reportlets
from sciml.active_fluid.page.training import training_reportlets
from sciml.report.reportlets import Limits, Methods, Provenance, Reportlet, Text, Verdict

READING = """The kinetic theory follows the distribution of the rods' directions at every place. The coarse model keeps its first
complex moment alone, m1 = <exp(2 i \u03b8)>: |m1| is the order, from 0 (no direction) to 1 (all parallel), and arg(m1) / 2
the angle of the director. It needs m2 = <exp(4 i \u03b8)>, and a **closure** is a rule for it. m2 acts through h* m2 alone, with
h = strain + \u03b6 m1.

- **quadratic**: m2 = m1\u00b2. **Bingham**: m2 of the distribution of largest entropy. Nothing is learned.
- **learned, of the order alone**: the best function of |m1|, the measure of what the flow adds.
- **learned, offline**: a function of order, strain, vorticity and alignment, fitted point by point.
- **learned, through the solver**: the same, then trained on what comes out of runs.

Everything is dimensionless. \u03b1 is the strength of the activity, negative for pushers; \u03b6 that of the alignment. Points of
the box and initial states on this page were never trained on; they stood in the settings before any training. A claim counts
as reproduced only where the run is as large as the goal asks; a smaller one meets it partly at most.

**The reference column holds goals of this project or peers measured in the same run, not numbers of the paper**: its tables
could not be read, and nothing is quoted from memory."""


def reportlets(config: PageConfig, results: Path) -> list[Reportlet]:
    """Return everything that the page shows; a part whose stage has not run is a sentence, and is named under the limits.

    Args:
        config: tier and closures of the run.
        results: results folder of the study.

    Raises:
        DataError: no closure has been evaluated.
    """
    study = read_study(results, config)
    items: list[Reportlet] = [Verdict(list(claims(study))), Text("How to read this page", READING)]
    items += parts(study)
    stages = [{"stage": record.stage, "parameters": record.config} for record in study.records]
    items.append(Methods([{"stage": EQUATIONS, "parameters": {}}, *stages]))
    items.append(Provenance([record.model_dump() for record in study.records]))
    items.append(Limits(list(limits(study, config))))
    return items


def parts(study: StudyResults) -> Iterator[Reportlet]:
    """Yield what the stages have made, in the order of the questions."""
    yield from field_reportlets(study)
    yield from theory_reportlets(study)
    yield from gradient_reportlets(study)
    yield from moment_reportlets(study)
    yield from closure_reportlets(study)
    yield from time_reportlets(study)
    yield from long_reportlets(study)
    yield from cost_reportlets(study)
    yield from recovery_reportlets(study)
    yield from training_reportlets(study)
    yield from check_reportlets(study)


def missing(study: StudyResults, config: PageConfig) -> list[str]:
    """Return what the run lacks."""
    stages: dict[str, Any] = {
        "growth rates": study.rates,
        "long runs and random inputs": study.stability,
        "parameters from snapshots": study.recovery and study.recovery.rows,
        "times of a step": study.cost,
        "pictures of the fields": study.fields,
        "gradients by three ways": gradients(study),
        "the fourth moment over the order": study.scores.fourth_moment,
    }
    return [
        *(f"the closure {title_of(name)}" for name in config.closures if not study.scores.of(name)),
        *(f"the kinetic runs of the set {name}" for name in SETS if name not in study.runs),
        *(name for name, part in stages.items() if not part),
    ]


def limits(study: StudyResults, config: PageConfig) -> Iterator[str]:
    """Yield what the page does not show and where it differs from the paper, as sentences."""
    if absent := missing(study, config):
        yield f"Not run, and therefore not shown: {', '.join(absent)}."
    scores = study.scores
    seeds = {name: len(scores.seeds(name)) for name in scores.closures if name not in ("quadratic", "bingham")}
    single = [title_of(name) for name, count in seeds.items() if count == 1]
    if single:
        yield f"One training alone: {', '.join(single)}. Differences between these closures may be chance."
    if not enough(scores):
        yield (
            f"The means are over {scores.runs} runs at {len(scores.points)} points; the goals ask at least {HELD_OUT_POINTS} "
            f"points with {HELD_OUT_SEEDS} initial states each."
        )
    if study.learned is not None and study.learned != "shipped":
        yield f"The learned closure of the claims is {title_of(study.learned)}, trained in this run."
    yield (
        "The paper's error tables, speed-ups and training costs could not be read, so no number of it stands here. What is "
        "compared are closures on the same runs, with the same solver, steps and precision."
    )
    yield (
        "The paper's released code predicts the coefficients of tensors from invariants without the vorticity, trained "
        "offline; ours is one complex number, realisable by its form, and sees vorticity and alignment. Its kinetic solver "
        "takes the whole circle of angles; ours the even modes alone, which is the same for rods that do not swim."
    )
    yield (
        "Trained and judged inside one box of activity and alignment, with \u03b2 = 0.8, d_t = d_r = 0.05, density 1 and a "
        "square of side 10. Elsewhere a closure extrapolates, and a run with it warns."
    )
    yield "Two dimensions, rods that do not swim, constant density, periodic box; no walls."
    yield "A closure sees one place and one time: what depends on the history of the flow stays an error, whatever is learned."
    yield "Runs of one point differ in their initial state alone: their errors are alike, and \u00b1 is no standard error."
