"""The page of the study of active fluids, from its artefacts alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sciml.active_fluid.config import SETS, PageConfig
from sciml.active_fluid.page.checks import check_reportlets, gradient_reportlets, gradients
from sciml.active_fluid.page.claims import (
    HELD_OUT_POINTS,
    HELD_OUT_SEEDS,
    SPEED_UP,
    claims,
    enough,
    passing,
    size_words,
)
from sciml.active_fluid.page.closures import closure_reportlets
from sciml.active_fluid.page.cost import cost_reportlets
from sciml.active_fluid.page.fields import field_reportlets
from sciml.active_fluid.page.long_runs import long_reportlets
from sciml.active_fluid.page.methods import EQUATIONS, PARAGRAPHS
from sciml.active_fluid.page.recovery import recovery_reportlets
from sciml.active_fluid.page.results import StudyResults, read_study, speed_points, speed_up
from sciml.active_fluid.page.style import SERIES, title_of
from sciml.active_fluid.page.theory import moment_reportlets, theory_reportlets
from sciml.active_fluid.page.time import time_reportlets
from sciml.active_fluid.page.training import training_reportlets
from sciml.active_fluid.page.worth import worth_of, worth_reportlets, worth_sentence
from sciml.active_fluid.study.results import BINGHAM, BURG, FIXED, ORDER, SECOND, Scores
from sciml.report.study import Comparison, Number, StudyPage, Tab, absent, tier_of
from sciml.report.words import counted, with_interval
from sciml.runtime.errors import DataError
from sciml.runtime.results import read_result

QUESTION = (
    "Can a learned closure take the place of the kinetic theory of an active fluid: closer to it "
    "than the best analytic closure, never outside of what rods can do, and many times faster?"
)
# what the learned closure is compared with: those that are not learned, and the best function of the order alone
RIVALS = (*FIXED, ORDER)
READING = """The kinetic theory follows the distribution of the rods' directions at every place. The coarse model keeps its first
complex moment alone, m1 = <exp(2 i \u03b8)>: |m1| is the order, from 0 (no direction) to 1 (all parallel), and arg(m1) / 2
the angle of the director. It needs m2 = <exp(4 i \u03b8)>, and a **closure** is a rule for it. m2 acts through h* m2 alone, with
h = strain + \u03b6 m1.

- **quadratic**: m2 = m1\u00b2. **Bingham**: m2 of the distribution of largest entropy. Nothing is learned.
- **learned, of the order alone**: the best function of |m1|, the measure of what the flow adds.
- **learned, offline**: a function of order, strain, vorticity and alignment, fitted point by point.
- **learned, through the solver**: the same, then trained on what comes out of runs.
- **of second order**: the coarse model keeps m2 as well, and m3 is closed: by largest entropy (**Burg**, nothing learned), or
  **learned**, by nine numbers.

Everything is dimensionless. \u03b1 is the strength of the activity, negative for pushers; \u03b6 that of the alignment. Points of
the box and initial states on this page were never trained on; they stood in the settings before any training. A claim counts
as reproduced only where the run is as large as the goal asks; a smaller one meets it partly at most.

**The reference column holds goals of this project or peers measured in the same run, not numbers of the paper**: its tables
could not be read, and nothing is quoted from memory."""


def study_page(config: PageConfig, results: Path) -> StudyPage:
    """Return the page of the study; a part whose stage has not run is left out and named under the limits.

    Args:
        config: tier and closures of the run.
        results: results folder of the study.

    Raises:
        DataError: no closure has been evaluated.
    """
    study = read_study(results, config)
    picture, *closures = [*field_reportlets(study), *closure_reportlets(study)]
    tabs = {
        "Closures": closures,
        "Runs over time": [*time_reportlets(study), *long_reportlets(study)],
        "Theory": [*theory_reportlets(study), *moment_reportlets(study), *gradient_reportlets(study)],
        "Speed": [*worth_reportlets(study), *cost_reportlets(study)],
        "Parameters": list(recovery_reportlets(study)),
        "Training": list(training_reportlets(study)),
    }
    return StudyPage(
        "active_fluid",
        "Active fluids: a learned closure",
        QUESTION,
        config.tier,
        answer(study),
        picture=picture,
        numbers=list(numbers(study)),
        claims=list(claims(study)),
        tabs=[Tab(title, items) for title, items in tabs.items() if items],
        checks=list(check_reportlets(study)),
        reading=READING,
        records=study.records,
        paragraphs=PARAGRAPHS,
        engine="jax",
        stages=[(EQUATIONS, {})],
        limits=list(limits(study)),
        missing=missing(study, config),
        banner=banner(config),
        topic="Active fluids",
        series=SERIES,
    )


def settings_of(results: Path) -> PageConfig:
    """Return the settings of the page of a results folder, by what lies there.

    Raises:
        DataError: no closure has been evaluated there.
    """
    scores = results / "evaluate" / "scores.json"
    if not scores.is_file():
        raise DataError(
            f"{results} holds no evaluated closures: give the results folder of the study, such as results/cpu/active_fluid"
        )
    closures = tuple(name for name in read_result(scores, Scores).closures if name not in (*FIXED, BURG))
    return PageConfig(tier=tier_of(results), closures=closures, chosen="offline" if "offline" in closures else "")


def banner(config: PageConfig) -> str:
    """Return what is simulated, and whose closure the claims are about where it was not trained in the run."""
    words = "Everything is simulated: the kinetic theory is the truth."
    if "shipped" not in config.closures:
        return words
    return f"{words} The learned closure of the claims is the shipped one; the others were trained in this run."


def compared(study: StudyResults, key: str, text: str, larger: bool, digits: int) -> Comparison | None:
    """Return the learned closure beside the strongest of its rivals, run by run; means over the trainings of each."""
    scores, learned = study.scores, study.learned
    places = list(dict.fromkeys(row.place for row in scores.rows))
    cases = {}
    for closure in (*RIVALS, *([learned] if learned else [])):
        rows = {place: [getattr(row, key) for row in scores.of(closure) if row.place == place] for place in places}
        if all(found and None not in found for found in rows.values()):
            cases[title_of(closure)] = [sum(found) / len(found) for found in rows.values()]
    return Comparison.of(text, cases, title_of(learned), "", larger, digits) if learned else None


def speeds(study: StudyResults) -> dict[int, float]:
    """Return how many times faster a step with the learned closure is than a kinetic one, by the kinetic theory's modes."""
    points = speed_points(study.cost)
    found = {modes: speed_up(study.cost, "learned", modes, points) for _, modes in SPEED_UP} if points is not None else {}
    return {modes: value for modes, value in found.items() if value is not None}


def answer(study: StudyResults) -> str:
    """Return what closures are worth beside few modes, and how near and how long that of m2 is beside its strongest rival."""
    parts = []
    error = compared(study, "closure_error", "error of h* m2", False, 4)
    if error is not None and error.gain is not None and error.rival_value is not None:
        share = 100 * error.lead / error.rival_value.mean
        low, high = (100 * end / error.rival_value.mean for end in error.gain.interval)
        less = with_interval(-share, (-high, -low), "%", 0, sign=True)
        parts.append(f"its closure error is {less} beside the best rival's ({error.rival})")
    time = compared(study, "first_above", "time", True, 2)
    if time is not None and time.rival_value is not None and study.learned is not None:
        mark, last = f"{100 * study.scores.threshold:g} %", f"t = {study.scores.times[-1]:g}"
        if passing(study.scores, study.learned, *RIVALS):
            until = f"until t = {time.value.mean:.2f}, {time.rival} until {time.rival_value.mean:.2f}"
            parts.append(f"it stays within {mark} {until}")
        else:
            parts.append(f"no closure errs by {mark} before {last}")
    if study.learned is None or not parts:
        return "No learned closure was compared with a rival in this run."
    beside = [worth_of(study, closure) for closure in dict.fromkeys((SECOND, study.learned))]
    sentences = [worth_sentence(one) for one in beside if one is not None]
    sentences.append(f"Of the closures of m2, {title_of(study.learned)!r}, {size_words(study.scores)}: {' and '.join(parts)}.")
    return " ".join(sentences)


def numbers(study: StudyResults) -> Iterator[Number]:
    """Yield error and time beside the strongest rival, the speed, and the long runs that stay bounded."""
    error = compared(study, "closure_error", "Closure error, relative error of h* m2", False, 4)
    time = compared(study, "first_above", f"Time within {100 * study.scores.threshold:g} % of the kinetic theory", True, 2)
    yield from (one.number(one.text) for one in (error, time) if one is not None)
    for modes, value in sorted(speeds(study).items()):
        bingham = speed_up(study.cost, BINGHAM, modes, speed_points(study.cost) or 0)
        yield Number(f"Faster than a kinetic step of {modes} modes", value, "times", None, title_of(BINGHAM), bingham)
    second = worth_of(study, SECOND)
    if second is not None:
        text = f"Error of the kinetic theory of {second.modes} modes over that of the closure {title_of(SECOND)!r}"
        yield Number(text, second.factor, "times", second.interval)
    stability = study.stability
    if stability is not None and (count := len(stability.of("learned"))):
        bounded = f"{stability.bounded('learned')} of {counted(count, 'run')}"
        yield Number(f"Long runs bounded to t = {stability.until:g}", bounded)


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
        *absent(stages),
    ]


def limits(study: StudyResults) -> Iterator[str]:
    """Yield what the page does not show and where it differs from the paper, as sentences."""
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
