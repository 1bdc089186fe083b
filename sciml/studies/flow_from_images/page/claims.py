"""Goals of the study, written before it was measured, and their verdicts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sciml.report.goals import UNKNOWN, Goal, judge
from sciml.report.reportlets import Claim, Spread
from sciml.report.words import spread_over
from sciml.studies.flow_from_images.config import TRUE_FRAMES
from sciml.studies.flow_from_images.page.data import StudyData
from sciml.studies.flow_from_images.study.results import PARAMETERS
from sciml.studies.flow_from_images.study.scores import coverage, errors, paired

GOAL = "goal of this study"
ENOUGH = 12
"""Movies that a goal asks for."""
TRUE_ERROR = {"alpha": 5.0, "zeta": 10.0}
"""Largest mean error in percent from true frames on the coarse grid."""
NEAR = 1.0
"""Time beyond the last frame at which forecasts are judged."""


def claims(data: StudyData) -> Iterator[Claim]:
    """Yield the goals with our numbers; none for a user's movie, whose truth nobody knows."""
    if data.is_own:
        return
    true, blurred = data.of(TRUE_FRAMES), data.of(data.blurred)
    for name, symbol in zip(PARAMETERS, ("activity", "alignment"), strict=True):
        goal = Goal(f"True frames: mean error of {symbol}", GOAL, "%", at_most=TRUE_ERROR[name])
        found = spread_over(100 * error for error in errors(true, name))
        yield judge(goal, found, _interval(found), enough=len(true) >= ENOUGH)
    held = coverage(blurred)
    low, high = held.interval
    yield judge(
        Goal("Blurred frames, measured noise: share of 90 % intervals that hold the truth", GOAL, "%", at_least=90),
        None if held.share is None else 100 * held.share,
        (100 * low, 100 * high),
        enough=len(blurred) >= ENOUGH,
    )
    gains = noise_gain(data)
    yield judge(
        Goal("The measured noise covers more often than the guessed one: share gained", GOAL, "%", at_least=0, strict=True),
        gains,
        _interval(gains),
        enough=len(blurred) >= ENOUGH,
    )
    for text, ours, theirs in (
        ("Correcting the kernel beats the nominal one: error of m1 taken off", "lossless/corrected", "lossless/tv"),
        ("Sharpening with the corrected kernel beats none: error of m1 taken off", "lossless/corrected", "lossless/none"),
        ("The true kernel beats the nominal one: error of m1 taken off", "lossless/exact", "lossless/tv"),
    ):
        gain = order_gain(data, ours, theirs)
        count = 0 if gain is None else gain.n
        yield judge(Goal(text, GOAL, "%", at_least=0, strict=True), gain, _interval(gain), enough=count >= ENOUGH)
    ahead = forecast_gain(data)
    yield judge(
        Goal(
            f"Blurred frames: the forecast beats persistence {NEAR:g} beyond the last frame, by",
            GOAL,
            "%",
            at_least=0,
            strict=True,
        ),
        ahead,
        _interval(ahead),
        enough=len(blurred) >= ENOUGH,
    )


def _interval(found: Spread | None) -> tuple[float, float] | None:
    return None if found is None else found.interval if found.n > 1 else UNKNOWN


def noise_gain(data: StudyData) -> Spread | None:
    """Return how much larger the share of intervals that hold the truth is with the measured noise, movie by movie, in %."""
    pairs = [pair for name in data.combinations for pair in paired(data.rows, (name, "measured"), (name, "guessed"))]
    by: dict[str, list[float]] = {}
    for ours, theirs in pairs:
        by.setdefault(ours.case, []).append(100 * ((coverage([ours]).share or 0) - (coverage([theirs]).share or 0)))
    return spread_over(float(np.mean(values)) for values in by.values())


def order_gain(data: StudyData, ours: str, theirs: str) -> Spread | None:
    """Return by how much one combination's error of m1 is below another's, movie by movie, in % of m1."""
    if ours not in data.orientations or theirs not in data.orientations:
        return None
    other = {one.case: one.error for one in data.orientations[theirs].cases}
    return spread_over(
        100 * (before - one.error)
        for one in data.orientations[ours].cases
        if one.role == "test" and one.error is not None and (before := other.get(one.case)) is not None
    )


def forecast_gain(data: StudyData) -> Spread | None:
    """Return by how much the forecast's error is below that of persistence, movie by movie, in % of m1."""
    found = [row for row in data.of(data.blurred) if row.forecast]
    return spread_over(
        100 * (row.persistence[place] - row.forecast[place])
        for row in found
        for place in [int(np.argmin(np.abs(np.array(row.times) - NEAR)))]
    )
