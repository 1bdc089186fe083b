"""The page of the study, from its results alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sciml.report.reportlets import Check, Checks
from sciml.report.study import Number, StudyPage, Tab
from sciml.report.words import counted, minus, percent, spread_over
from sciml.studies.flow_from_images.config import TRUE_FRAMES, ReportConfig, every_combination
from sciml.studies.flow_from_images.page.claims import NEAR, claims
from sciml.studies.flow_from_images.page.data import StudyData, read_study, title_of
from sciml.studies.flow_from_images.page.methods import PARAGRAPHS
from sciml.studies.flow_from_images.page.pictures import scrubbers
from sciml.studies.flow_from_images.page.tables import (
    archive_table,
    budget_reportlets,
    coverage_words,
    estimate_table,
    forecast_curve,
    order_table,
    parameter_table,
)
from sciml.studies.flow_from_images.study.results import PARAMETERS
from sciml.studies.flow_from_images.study.scores import LINKS, budget, coverage, errors, forecasts

QUESTION = (
    "From blurred, noisy and archived microscope frames of an active fluid: how well are its activity and alignment found again, "
    "with which intervals, and which link of the chain costs most?"
)
READING = """A combination is an archive and a sharpening. Every one goes the whole way: frames, archive, sharpening, order of
the rods by the structure tensor, inference through the differentiable solver with the learned closure, forecast.

Scale, gain, offset and noise of the structure tensor are calibrated on movies of other flows, with microscopes of other
point-spread functions; the movies that are judged are never looked at before. An inference seeks gain and offset of its own
movie too, from their spread over these movies, and is told their measured error as its noise; \u201cguessed\u201d is 2 % of the
frames and neither. Intervals are of 90 %, widened until those of the calibrating movies hold; the share of them that holds the
truth comes with its exact binomial interval of 95 %, two parameters a movie, which are not independent.

\u201cTotal variation, true kernel\u201d is an oracle that nobody has. True frames are the flow itself with the family's own 2 %
of noise, on the same grid."""


def study_page(config: ReportConfig, results: Path) -> StudyPage:
    """Return the page of the study.

    Args:
        config: tier of the run.
        results: results folder of the study.

    Raises:
        DataError: the inference has not run.
    """
    data = read_study(results, config.combinations)
    pictures = list(scrubbers(data))
    tabs = {
        "Parameters": [parameter_table(data), *budget_reportlets(data)],
        "Forecast": list(forecast_curve(data)),
        "Order from pictures": [order_table(data)],
        "Archives": [archive_table(data)],
        "Every fit": [estimate_table(data)],
    }
    return StudyPage(
        "flow_from_images",
        "From microscope frames to the physics",
        QUESTION,
        config.tier,
        answer(data),
        picture=pictures[0] if pictures else None,
        numbers=list(numbers(data)),
        claims=list(claims(data)),
        tabs=[Tab(title, items) for title, items in tabs.items() if items],
        checks=[Checks(list(checks(data)))],
        reading=READING,
        records=data.records,
        paragraphs=PARAGRAPHS,
        engine="jax",
        limits=list(limits(data)),
        banner="Frames are simulated." if not data.is_own else "A movie of the user's; its truth is not known.",
        data_tier=config.data_tier,
        topic="study",
    )


def answer(data: StudyData) -> str:
    """Return what blurred frames cost, what carrying the noise is worth, and which link moves the estimate."""
    best = data.corrected or data.blurred
    fits = data.of(best)
    if data.is_own:
        ends = {name: fits[0].estimate(name) for name in PARAMETERS}
        said = " and ".join(f"{name} is {one.value:.2f} ({one.low:.2f} to {one.high:.2f})" for name, one in ends.items())
        return f"In your movie {minus(said)}, with 90 % intervals, by frames that are {title_of(best)}; the truth is not known."

    def off(name: str, rows: list[Any]) -> str:
        found = spread_over(errors(rows, name))
        return "not measured" if found is None else percent(found.mean, 0)

    true = data.of(TRUE_FRAMES)
    head = (
        f"From frames ({title_of(best)}) activity is off by {off('alpha', fits)} and alignment by {off('zeta', fits)} on "
        f"{counted(len(fits), 'movie')} ({off('alpha', true)} and {off('zeta', true)} from the true frames); "
        f"{coverage_words(coverage(fits))} of the 90 % intervals hold the truth with the measured noise"
    )
    guessed = coverage(data.of(best, "guessed"))
    head += f", {coverage_words(guessed)} with a guessed one." if guessed.count else "."
    found = budget(data.rows, "alpha")
    if found is None:
        return head
    shares = {name: share.mean for name in LINKS if (share := found.share((name,)))}
    most, moved = max(shares, key=lambda name: shares[name]), spread_over(found.movement)
    size = "" if moved is None else f"; both move it by {moved.mean:.1f} times the half-width of its interval"
    return f"{head} Of the links the {most} moves activity most ({percent(shares[most], 0)} of the variance){size}."


def numbers(data: StudyData) -> Iterator[Number]:
    """Yield errors and coverage beside those of the true frames, and the forecast beside persistence."""
    best = data.corrected or data.blurred
    fits, true = data.of(best), data.of(TRUE_FRAMES)
    if data.is_own:
        for name, text in zip(PARAMETERS, ("Activity", "Alignment"), strict=True):
            one = fits[0].estimate(name)
            # of a normal distribution: the page shows 95 %, fits hold 90 %
            half = (one.high - one.low) / 2 * 1.960 / 1.645
            yield Number(text, one.value, "", (one.value - half, one.value + half))
        return
    for name, text in zip(PARAMETERS, ("activity", "alignment"), strict=True):
        found, other = (spread_over(100 * e for e in errors(rows, name)) for rows in (fits, true))
        if found is not None:
            yield Number(f"Error of {text}, {title_of(best)}", found.mean, "%", found.interval, TRUE_FRAMES, other and other.mean)
    held = coverage(fits)
    if held.share is not None:
        low, high = held.interval
        guessed = coverage(data.of(best, "guessed")).share
        rival = "" if guessed is None else "with a guessed noise"
        value = None if guessed is None else 100 * guessed
        yield Number("90 % intervals that hold the truth", 100 * held.share, "%", (100 * low, 100 * high), rival, value)
    times, ahead, stay = forecasts(fits)
    if times:
        place = int(np.argmin(np.abs(np.array(times) - NEAR)))
        mean = spread_over(100 * ahead[:, place])
        if mean is not None:
            text = f"Error of the forecast, {NEAR:g} beyond the last frame"
            yield Number(text, mean.mean, "%", mean.interval, "persistence", 100 * float(stay[:, place].mean()))
    orientation = data.orientations[best]
    found = spread_over(100 * one.error for one in orientation.cases if one.role == "test" and one.error is not None)
    if found is not None:
        yield Number("Error of the order from pictures", found.mean, "%", found.interval)


def checks(data: StudyData) -> Iterator[Check]:
    """Yield what has to hold whatever the numbers say."""
    if "lossless" in data.archives:
        error = data.archives["lossless"].error_counts
        yield Check("lossless archive: error in counts", error, 0, error == 0, "", "every pixel of every frame comes back")
    lost = len(data.lost)
    yield Check("movies that could not be fitted", lost, 0, lost == 0, "", "no start of the search led to a minimum")
    stray = sum(not row.converged for row in data.rows if row.noise == "measured")
    yield Check("searches that ended before a minimum", stray, 0, stray == 0, "", "with the measured noise")


def limits(data: StudyData) -> Iterator[str]:
    """Yield the study's limits as sentences."""
    yield (
        "The texture is a model: line integral convolution with a contrast that grows with the order. The gain of the structure "
        "tensor is calibrated on it, so that a movie with another texture has another scale of the order."
    )
    yield "The texture is carried along, so errors of frames are alike in time; one factor widens the intervals for it."
    yield "The order is read on 16 points a side, which leaves out the flow's smallest waves; true frames are cut alike."
    yield "The square is periodic; of a movie from a larger flow the family's goodness of fit warns."
    yield "Known to every step: diffusions, shape factor, time between frames. The camera's noise is known, its blur roughly."
    if data.is_own:
        yield "Nobody knows the truth of this movie: no error and no coverage is shown, and intervals hold what was calibrated."


def settings_of(results: Path) -> ReportConfig:
    """Return the settings of the page of a results folder."""
    from sciml.report.study import tier_of
    from sciml.runtime.settings import DATA_OF

    tier = tier_of(results)
    found = tuple(name for name in every_combination() if (results / name / "infer" / "fits.json").exists())
    return ReportConfig(tier=tier, data_tier=DATA_OF[tier], combinations=found)
