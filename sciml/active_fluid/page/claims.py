"""The page's claims: each with our number, its goal, and whether it is met.

First the goals, then claims about accuracy, about what must hold whatever the accuracy, and about what closures are for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from sciml.active_fluid.page.results import SPEED_POINTS, StudyResults, speed_points, speed_up
from sciml.active_fluid.page.style import point_words, title_of
from sciml.active_fluid.page.worth import worth_claims
from sciml.active_fluid.study.recovery_results import KINETIC, TWIN, Experiment
from sciml.active_fluid.study.results import BINGHAM, OFFLINE, ORDER, ROLLOUT, SECOND, CostRow, Point, RateRow, Scores
from sciml.active_fluid.study.stability_results import Stability
from sciml.report.goals import UNKNOWN, Goal, binomial_interval, judge
from sciml.report.reportlets import Claim
from sciml.report.words import counted, listed, percent, thousands

AT_LEAST, AT_MOST = "goal of this study, at least", "goal of this study, at most"
PEER = "measured in this run"

RATE_ERROR = 1e-4
OVER_BINGHAM, OVER_ORDER = 0.35, 0.05
LONGER = 1.5
HELD_OUT_POINTS, HELD_OUT_SEEDS = 6, 3
SAMPLES, SLACK = 1_000_000, -1e-12
# relative difference of automatic derivatives from finite differences
GRADIENT_ERROR = 1e-6
SIDE, UNTIL = 5, 200.0
# kinetic seconds a step over those of the coarse model
SPEED_UP = {("learned", 16): 2.0, ("learned", 42): 10.0, ("bingham", 16): 3.5, ("bingham", 42): 25.0}
TWINS, TRUTHS, TWIN_ERROR, COVERAGE, KINETIC_ERROR = 20, 20, 0.02, 0.8, 0.05


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
    return sum(row.passes for closure in closures for row in scores.of(closure))


def size_words(scores: Scores) -> str:
    """Return over what a mean goes."""
    return f"{counted(scores.runs, 'kinetic run')} at {counted(len(scores.points), 'held-out point')}"


def goal_words(scores: Scores) -> str:
    """Return what the goals ask where the run is smaller."""
    return "" if enough(scores) else f"; the goal asks {HELD_OUT_POINTS} points with {HELD_OUT_SEEDS} initial states each"


def error_claims(study: StudyResults) -> Iterator[Claim]:
    """Yield what the learned closure takes off the error of h* m2 of Bingham's and of the best function of the order alone."""
    scores, learned = study.scores, study.learned
    for rival, bar in ((BINGHAM, OVER_BINGHAM), (ORDER, OVER_ORDER)):
        text = f"Error of h* m2 of the learned closure on kinetic fields: how far below that of {_rival(rival)}"
        goal = Goal(text, AT_LEAST, "%", at_least=100 * bar)
        if learned is None or not scores.of(rival):
            yield judge(goal, None)
            continue
        value = 100 * reduction(scores, learned, rival)
        each = [100 * reduction(scores, learned, rival, seed=seed) for seed in scores.seeds(learned)]
        worst = min(scores.points, key=lambda point: reduction(scores, learned, rival, point))
        details = (
            f" ({title_of(learned)}; mean over {size_words(scores)}; by training seed {listed(each)} %; least at "
            f"{point_words(worst)}: {listed([100 * reduction(scores, learned, rival, worst)])} %"
            f"{goal_words(scores)})"
        )
        yield judge(goal, known(value, -np.inf), enough=enough(scores), details=details, shown=round(value, 1))


def known(value: float, worst: float) -> float:
    """Return a number that was measured; NaN, of a run that diverged, as the worst there is, so that it is missed."""
    return worst if np.isnan(value) else value


def time_claims(study: StudyResults) -> Iterator[Claim]:
    """Yield how much longer than Bingham's the learned closure stays below the threshold, on the mean and at the worst point."""
    scores, learned = study.scores, study.learned
    mark, last = f"{100 * scores.threshold:g} %", float(scores.times[-1])
    mean = Goal(f"Time until the field error passes {mark}, learned closure over Bingham's", AT_LEAST, at_least=LONGER)
    least = Goal("The same ratio at the least favourable point, means over its runs: never below 1", AT_LEAST, at_least=1.0)
    count = 0 if learned is None else passing(scores, learned, BINGHAM)
    if learned is None or not scores.of(BINGHAM) or not count:
        ran = learned is not None and scores.of(BINGHAM)
        reason = f": no run of either passes it before the last time, {last:g}, so this run cannot tell" if ran else ""
        yield from (judge(goal, None, details=reason) for goal in (mean, least))
        return
    all_rows = len(scores.of(learned)) + len(scores.of(BINGHAM))
    value = lengthening(scores, learned, BINGHAM)
    each = [lengthening(scores, learned, BINGHAM, seed=seed) for seed in scores.seeds(learned)]
    capped = f"; {all_rows - count} of {all_rows} do not pass it and count as {last:g}" if count < all_rows else ""
    details = (
        f" ({title_of(learned)}; mean over {size_words(scores)}; by training seed {listed(each)}{capped}{goal_words(scores)})"
    )
    yield judge(mean, known(value, -np.inf), enough=enough(scores), details=details, shown=round(value, 3))
    ratios = {point: lengthening(scores, learned, BINGHAM, point) for point in scores.points}
    worst = min(ratios, key=lambda point: ratios[point])
    below = sum(ratio < 1 for ratio in ratios.values())
    details = f" ({point_words(worst)}; below 1 at {below} of {len(ratios)} points)"
    yield judge(least, known(ratios[worst], -np.inf), enough=enough(scores), details=details, shown=round(ratios[worst], 3))


def training_claims(scores: Scores) -> Iterator[Claim]:
    """Yield what training through the solver changes against offline training alone, every seed listed; a result either way.

    The interval goes over all pairs of seeds: one training a side decides nothing.
    """
    cases = (
        ("first_above", "time to the threshold", "longer", 1.0),
        ("closure_error", "error of h* m2", "smaller", -1.0),
    )
    for key, words, better, sign in cases:
        text = f"Training through the solver against offline training alone: {words} is {better}"
        if not scores.of(ROLLOUT) or not scores.of(OFFLINE):
            yield judge(Goal(text, PEER), None)
            continue
        ours, theirs = ([scores.mean(name, key, seed=seed) for seed in scores.seeds(name)] for name in (ROLLOUT, OFFLINE))
        said = f"{text}; by seed: through the solver {listed(ours)}; offline alone {listed(theirs)}. Either sign is a result"
        if key == "first_above" and not passing(scores, ROLLOUT, OFFLINE):
            yield judge(Goal(f"{said}; no run passes it, so this run cannot tell", PEER), None)
            continue
        mean, other = float(np.mean(ours)), float(np.mean(theirs))
        gains = [sign * (a - b) for a in ours for b in theirs]
        interval = (min(gains), max(gains)) if len(gains) > 1 else UNKNOWN
        goal = Goal(said, f"offline alone, {PEER}", at_least=0.0, strict=True, reference=round(other, 4))
        yield judge(goal, known(sign * (mean - other), -np.inf), interval, shown=round(mean, 4))


def _rival(name: str) -> str:
    return "Bingham's" if name == BINGHAM else "the function of the order alone that is fitted to the same data"


def physics_claims(study: StudyResults) -> Iterator[Claim]:
    """Yield the claims; `not run` where a stage has not run."""
    yield from rate_claims(study)
    yield from realisable_claims(study)
    yield from bounded_claims(study)


def worst_rate(rows: Sequence[RateRow], way: str = "run_error") -> RateRow:
    """Return the row with the largest difference from the formula, NaN counting as the largest.

    Args:
        rows: rows of `theory`.
        way: `operator_error` for the linearised right-hand side, `run_error` for runs.
    """
    return max(rows, key=lambda row: known(getattr(row, way), np.inf))


def rate_claims(study: StudyResults) -> Iterator[Claim]:
    """Yield the largest error of a growth rate in runs, for the kinetic theory and for the closures."""
    for words, kinetic in (("Kinetic solver", True), ("Coarse solver with every closure", False)):
        text = f"{words}: growth rates of runs from weak waves against the dispersion relation, largest difference"
        goal = Goal(text, AT_MOST, "1 / time", at_most=RATE_ERROR)
        rows = [row for row in study.rates if (row.model == "kinetic") == kinetic]
        if not rows:
            yield judge(goal, None)
            continue
        row, operator = worst_rate(rows), worst_rate(rows, "operator_error").operator_error
        models = list(dict.fromkeys(title_of(one.model) for one in rows))
        details = (
            f" ({len(rows)} cases{'' if kinetic else ': ' + ', '.join(models)}; worst: "
            f"{'' if kinetic else title_of(row.model) + ', '}{point_words(row.point)}, wave {row.n_x}; "
            f"of the linearised equations {operator:.1e})"
        )
        yield judge(goal, known(row.run_error, np.inf), details=details, shown=float(f"{row.run_error:.3g}"))


def realisable_claims(study: StudyResults) -> Iterator[Claim]:
    """Yield the least slack of the learned closures on random inputs."""
    found = study.stability
    text = "Learned closure on random inputs: least slack of |m2 \u2212 m1\u00b2| \u2264 1 \u2212 |m1|\u00b2, 0 to rounding"
    # NaN of a closure that gave no number
    least = None if found is None else np.nan if found.least_slack is None else found.least_slack
    yield _slack_claim(found, text, least, "orders up to 1 \u2212 1e\u22129, flows up to 1e6")
    text = "Learned closure of second order on random inputs: least eigenvalue of the matrix of 1, m1, m2, m3, 0 to rounding"
    yield _slack_claim(found, text, found and found.least_third_slack, "all m1 and m2 that rods may have")


def _slack_claim(found: Stability | None, text: str, least: float | None, inputs: str) -> Claim:
    goal = Goal(text, AT_LEAST, at_least=SLACK)
    if found is None or least is None:
        return judge(goal, None)
    samples, value = found.samples, least
    few = "" if samples >= SAMPLES else f"; the goal asks {thousands(SAMPLES)}"
    details = f" ({thousands(samples)} inputs, {inputs}{few})"
    return judge(goal, known(value, -np.inf), enough=samples >= SAMPLES, details=details, shown=float(f"{value:.3g}"))


def bounded_claims(study: StudyResults) -> Iterator[Claim]:
    """Yield how many long runs over the box stayed bounded, of both learned closures."""
    yield _bounded_claim(study, "learned", "Learned closure")
    yield _bounded_claim(study, SECOND, "Learned closure of second order")


def _bounded_claim(study: StudyResults, closure: str, who: str) -> Claim:
    goal = Goal(f"{who}: share of the long runs all over the box that stay bounded to the end", AT_LEAST, at_least=1.0)
    rows = study.stability.of(closure) if study.stability else []
    if study.stability is None or not rows:
        return judge(goal, None)
    until, good = study.stability.until, study.stability.bounded(closure)
    large = len(rows) >= SIDE**2 and until >= UNTIL
    short = "" if large else f"; the goal asks {SIDE} x {SIDE} points to t = {UNTIL:g}"
    largest = max(row.largest_order or 0.0 for row in rows)
    details = f" ({good} of {len(rows)} to t = {until:g}, largest order {largest:.3f}{short})"
    share = good / len(rows)
    return judge(goal, share, enough=large, details=details, shown=round(share, 3))


NAMES = {"alpha": "activity", "zeta": "alignment"}
KINETICS = {16: "16 even modes, which resolve the same case", 42: "256 angles (42 even modes below two thirds)"}


def use_claims(study: StudyResults) -> Iterator[Claim]:
    """Yield the claims; `not run` where a stage has not run."""
    yield from worth_claims(study)
    yield from speed_claims(study.cost)
    yield from recovery_claims(study)


def speed_claims(rows: Sequence[CostRow]) -> Iterator[Claim]:
    """Yield kinetic seconds a step over those of the coarse model, all four ratios, in double precision."""
    points = speed_points(rows)
    for (closure, modes), bar in SPEED_UP.items():
        text = f"A coarse step with the {title_of(closure)} closure is faster than a kinetic step of {KINETICS[modes]}, times"
        value = None if points is None else speed_up(rows, closure, modes, points)
        other = "" if points == SPEED_POINTS else f"; the goal is for {SPEED_POINTS}\u00b2"
        details, shown = "", None
        if value is not None:
            details, shown = f" ({points}\u00b2, double precision, CPU time{other})", round(value, 2)
        yield judge(Goal(text, AT_LEAST, at_least=bar), value, enough=points == SPEED_POINTS, details=details, shown=shown)


def recovery_claims(study: StudyResults) -> Iterator[Claim]:
    """Yield how well activity and alignment are recovered, twins and kinetic data apart."""
    twins, kinetic = (study.recovery.of(data) if study.recovery else [] for data in (TWIN, KINETIC))
    text = "Twin experiments (data of the closed model itself): largest error of activity and of alignment"
    error = Goal(text, AT_MOST, "%", at_most=100 * TWIN_ERROR)
    text = "Twin experiments: share of the 90 % intervals that hold the truth, the lower of both parameters"
    cover = Goal(text, AT_LEAST, "%", at_least=100 * COVERAGE)
    text = "Data of the kinetic theory: largest error of activity and of alignment"
    bias = Goal(text, AT_MOST, "%", at_most=100 * KINETIC_ERROR)
    text = "Data of the kinetic theory: share of the 90 % intervals that hold the truth, the lower of both parameters"
    cover_kinetic = Goal(text, AT_LEAST, "%", at_least=100 * COVERAGE)
    if twins:
        large = len(twins) >= TWINS
        count = f"{counted(len(twins), 'seed')}{'' if large else f'; the goal asks {TWINS}'}"
        yield _error_claim(error, twins, f" ({_each(twins)}; {count})", large)
        shares = {name: coverage(twins, name) for name in NAMES}
        each = ", ".join(f"{NAMES[name]} {percent(share, 0)}" for name, share in shares.items())
        value = 100 * min(shares.values())
        yield judge(cover, value, enough=large, details=f" ({each}; {count})", shown=round(value, 1))
    else:
        yield from (judge(goal, None) for goal in (error, cover))
    if kinetic:
        signed = ", ".join(f"{NAMES[name]} {percent(mean_error(kinetic, name), 2)}" for name in NAMES)
        number = counted(len(kinetic), "experiment")
        yield _error_claim(bias, kinetic, f" ({_each(kinetic)}; {number}; bias, the mean of the signed errors: {signed})")
        shares = {name: coverage(kinetic, name) for name in NAMES}
        value = 100 * min(shares.values())
        large = len(kinetic) >= TRUTHS
        words = "; ".join(_interval_words(kinetic, name) for name in NAMES)
        count = f"{number}{'' if large else f'; the goal asks {TRUTHS}'}"
        # a few experiments decide nothing: the interval of the lower share does
        hits = min(sum(row.estimate(name).covered for row in kinetic) for name in NAMES)
        low, high = binomial_interval(hits, len(kinetic))
        ends = None if large else (100 * low, 100 * high)
        yield judge(cover_kinetic, value, ends, enough=large, details=f" ({words}; {count})", shown=round(value, 1))
    else:
        yield from (judge(goal, None) for goal in (bias, cover_kinetic))


def _interval_words(rows: Sequence[Experiment], name: str) -> str:
    """Return the share of intervals that hold a parameter, its binomial interval, that of the noise alone, and the width."""
    found = [row.estimate(name) for row in rows]
    hits = sum(one.covered for one in found)
    low, high = binomial_interval(hits, len(found))
    alone = [one.covered_by_noise for one in found if one.covered_by_noise is not None]
    beside = f", of the noise alone {percent(float(np.mean(alone)), 0)}" if alone else ""
    half = float(np.median([one.relative_half for one in found]))
    return (
        f"{NAMES[name]} {hits} of {len(found)}, 95 % between {percent(low, 0)} and {percent(high, 0)}{beside}, "
        f"median half-width {percent(half, 1)} of the value"
    )


def _error_claim(goal: Goal, rows: Sequence[Experiment], details: str, large: bool = True) -> Claim:
    value = 100 * worst_error(rows)
    return judge(goal, known(value, np.inf), enough=large, details=details, shown=round(value, 2))


def coverage(rows: Sequence[Experiment], name: str) -> float:
    """Return the share of experiments whose interval of a parameter holds the truth."""
    return float(np.mean([row.estimate(name).covered for row in rows]))


def errors(rows: Sequence[Experiment], name: str) -> np.ndarray:
    """Return the signed relative errors of a parameter; NaN where a search gave no number."""
    return np.array([row.estimate(name).error for row in rows], dtype=float)


def mean_error(rows: Sequence[Experiment], name: str) -> float:
    """Return the bias of a parameter."""
    return float(errors(rows, name).mean())


def worst_error(rows: Sequence[Experiment]) -> float:
    """Return the largest size of an error of either parameter."""
    return float(max(np.abs(errors(rows, name)).max() for name in NAMES))


def _each(rows: Sequence[Experiment]) -> str:
    parts = []
    for name, words in NAMES.items():
        sizes = 100 * np.abs(errors(rows, name))
        parts.append(f"{words} {listed([float(sizes.max())], '.2g')} %, median {listed([float(np.median(sizes))], '.2g')} %")
    return "; ".join(parts)
