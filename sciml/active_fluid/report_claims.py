"""The page's claims: each with our number, its goal, and whether it is met. First those about accuracy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sciml.active_fluid.report_claims_physics import physics_claims
from sciml.active_fluid.report_claims_uses import use_claims
from sciml.active_fluid.report_goals import (
    AT_LEAST,
    HELD_OUT_POINTS,
    HELD_OUT_SEEDS,
    LONGER,
    NEARLY_LONGER,
    NEARLY_OVER_BINGHAM,
    OVER_BINGHAM,
    OVER_ORDER,
    PEER,
    Status,
    met,
)
from sciml.active_fluid.report_results import BINGHAM, OFFLINE, ORDER, ROLLOUT, Point, Scores, StudyResults
from sciml.active_fluid.report_style import counted, listed, point_words, title_of
from sciml.report.reportlets import Claim


def claims(study: StudyResults) -> Iterator[Claim]:
    """Yield every claim of the page; `not run` where its data are absent."""
    yield from error_claims(study)
    yield from time_claims(study)
    yield from training_claims(study.scores)
    yield from physics_claims(study)
    yield from use_claims(study)


def enough(scores: Scores) -> bool:
    """Return whether there are as many held-out points and initial states as the goals ask."""
    return len(scores.points) >= HELD_OUT_POINTS and scores.runs_a_point >= HELD_OUT_SEEDS


def reduction(scores: Scores, closure: str, rival: str, point: Point | None = None, seed: int | None = None) -> float:
    """Return 1 - (mean closure error) / (that of a rival), the rival over all its trainings; NaN where one is missing."""
    ours, theirs = scores.mean(closure, "closure_error", point, seed), scores.mean(rival, "closure_error", point)
    return 1 - ours / theirs if theirs > 0 else np.nan


def lengthening(scores: Scores, closure: str, rival: str, point: Point | None = None, seed: int | None = None) -> float:
    """Return (mean time to the threshold) / (that of a rival); NaN where the rival's is 0."""
    ours, theirs = scores.mean(closure, "first_above", point, seed), scores.mean(rival, "first_above", point)
    return ours / theirs if theirs > 0 else np.nan


def passing(scores: Scores, *closures: str) -> int:
    """Return the number of rows of these closures whose field error passes the threshold."""
    return sum(row["passes"] for closure in closures for row in scores.of(closure))


def size_words(scores: Scores) -> str:
    """Return over what a mean goes."""
    return f"{counted(scores.runs, 'kinetic run')} at {counted(len(scores.points), 'held-out point')}"


def goal_words(scores: Scores) -> str:
    """Return what the goals ask where the run is smaller."""
    return "" if enough(scores) else f"; the goal asks {HELD_OUT_POINTS} points with {HELD_OUT_SEEDS} initial states each"


def error_claims(study: StudyResults) -> Iterator[Claim]:
    """Yield what the learned closure takes off the error of h* m2 of Bingham's and of the best function of the order alone."""
    scores, learned = study.scores, study.learned
    for rival, goal, partly in ((BINGHAM, OVER_BINGHAM, NEARLY_OVER_BINGHAM), (ORDER, OVER_ORDER, 0.0)):
        text = f"Error of h* m2 of the learned closure on kinetic fields: how far below that of {_rival(rival)}"
        if learned is None or not scores.of(rival):
            yield Claim(text, None, 100 * goal, AT_LEAST, "%")
            continue
        value = reduction(scores, learned, rival)
        each = [100 * reduction(scores, learned, rival, seed=seed) for seed in scores.seeds(learned)]
        worst = min(scores.points, key=lambda point: reduction(scores, learned, rival, point))
        said = (
            f"{text} ({title_of(learned)}; mean over {size_words(scores)}; by training seed {listed(each)} %; least at "
            f"{point_words(worst)}: {listed([100 * reduction(scores, learned, rival, worst)])} %"
            f"{goal_words(scores)})"
        )
        yield Claim(said, round(100 * value, 1), 100 * goal, AT_LEAST, "%", met(value, goal, partly, enough(scores)))


def time_claims(study: StudyResults) -> Iterator[Claim]:
    """Yield how much longer than Bingham's the learned closure stays below the threshold, on the mean and at the worst point."""
    scores, learned = study.scores, study.learned
    mark, last = f"{100 * scores.threshold:g} %", float(scores.times[-1])
    text = f"Time until the field error passes {mark}, learned closure over Bingham's"
    least = "The same ratio at the least favourable point, means over its runs: never below 1"
    if learned is None or not scores.of(BINGHAM):
        yield Claim(text, None, LONGER, AT_LEAST)
        yield Claim(least, None, 1.0, AT_LEAST)
        return
    count, all_rows = passing(scores, learned, BINGHAM), len(scores.of(learned)) + len(scores.of(BINGHAM))
    if not count:
        reason = f": no run of either passes it before the last time, {last:g}, so this run cannot tell"
        yield Claim(text + reason, None, LONGER, AT_LEAST)
        yield Claim(least + reason, None, 1.0, AT_LEAST)
        return
    value = lengthening(scores, learned, BINGHAM)
    each = [lengthening(scores, learned, BINGHAM, seed=seed) for seed in scores.seeds(learned)]
    capped = f"; {all_rows - count} of {all_rows} do not pass it and count as {last:g}" if count < all_rows else ""
    said = (
        f"{text} ({title_of(learned)}; mean over {size_words(scores)}; by training seed {listed(each)}{capped}"
        f"{goal_words(scores)})"
    )
    yield Claim(said, round(value, 3), LONGER, AT_LEAST, "", met(value, LONGER, NEARLY_LONGER, enough(scores)))
    ratios = {point: lengthening(scores, learned, BINGHAM, point) for point in scores.points}
    worst = min(ratios, key=lambda point: ratios[point])
    below = sum(ratio < 1 for ratio in ratios.values())
    said = f"{least} ({point_words(worst)}; below 1 at {below} of {len(ratios)} points)"
    yield Claim(said, round(ratios[worst], 3), 1.0, AT_LEAST, "", met(ratios[worst], 1.0, None, enough(scores)))


def training_claims(scores: Scores) -> Iterator[Claim]:
    """Yield what training through the solver changes against offline training alone, every seed listed; a result either way.

    Reproduced where each training through the solver is better than each offline one, partly where the mean is.
    """
    cases = (
        ("first_above", "time to the threshold", "longer", 1.0),
        ("closure_error", "error of h* m2", "smaller", -1.0),
    )
    for key, words, better, sign in cases:
        text = f"Training through the solver against offline training alone: {words} is {better}"
        if not scores.of(ROLLOUT) or not scores.of(OFFLINE):
            yield Claim(text, None, None, PEER)
            continue
        ours, theirs = ([scores.mean(name, key, seed=seed) for seed in scores.seeds(name)] for name in (ROLLOUT, OFFLINE))
        said = f"{text}; by seed: through the solver {listed(ours)}; offline alone {listed(theirs)}. Either sign is a result"
        if key == "first_above" and not passing(scores, ROLLOUT, OFFLINE):
            yield Claim(f"{said}; no run passes it, so this run cannot tell", None, None, PEER)
            continue
        mean, other = float(np.mean(ours)), float(np.mean(theirs))
        margin = min(sign * (a - b) for a in ours for b in theirs)
        status: Status = "reproduced" if margin > 0 else "partly" if sign * (mean - other) > 0 else "not"
        yield Claim(said, round(mean, 4), round(other, 4), f"offline alone, {PEER}", "", status)


def _rival(name: str) -> str:
    return "Bingham's" if name == BINGHAM else "the function of the order alone that is fitted to the same data"
