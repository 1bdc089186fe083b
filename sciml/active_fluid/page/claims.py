"""The page's claims: each with our number, its goal, and whether it is met.

First the goals, then claims about accuracy, about what must hold whatever the accuracy, and about what closures are for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from sciml.active_fluid.page.results import BINGHAM, OFFLINE, ORDER, ROLLOUT, Point, Row, Scores, StudyResults
from sciml.active_fluid.page.style import counted, listed, percent, point_words, thousands, title_of
from sciml.report.reportlets import Claim

Status = Literal["reproduced", "partly", "not"]
AT_LEAST, AT_MOST = "goal of this study, at least", "goal of this study, at most"
PEER = "measured in this run"

RATE_ERROR = 1e-4
OVER_BINGHAM, OVER_ORDER = 0.35, 0.05
NEARLY_OVER_BINGHAM = 0.25
LONGER, NEARLY_LONGER = 1.5, 1.3
HELD_OUT_POINTS, HELD_OUT_SEEDS = 6, 3
SAMPLES, SLACK = 1_000_000, -1e-12
# relative difference of automatic derivatives from finite differences
GRADIENT_ERROR = 1e-6
SIDE, UNTIL = 5, 200.0
# kinetic seconds a step over those of the coarse model
SPEED_UP = {("learned", 16): 2.0, ("learned", 42): 10.0, ("bingham", 16): 3.5, ("bingham", 42): 25.0}
SPEED_POINTS = 64
TWINS, TWIN_ERROR, COVERAGE, KINETIC_ERROR = 20, 0.02, 0.8, 0.05


def met(value: float, goal: float, partly: float | None = None, enough: bool = True) -> Status:
    """Return the status of a number that should reach a goal; NaN reaches none.

    Args:
        value: the number.
        goal: least value.
        partly: least value that is partly met.
        enough: whether the run is as large as the goal asks; a smaller one meets it partly at most.
    """
    if value >= goal:
        return "reproduced" if enough else "partly"
    return "partly" if partly is not None and value >= partly else "not"


def kept(value: float, limit: float, partly: float | None = None, enough: bool = True) -> Status:
    """Return the status of a number that should stay below a limit; as `met`."""
    return met(-value, -limit, None if partly is None else -partly, enough)


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


RATES = ("cross", "parallel")


def physics_claims(study: StudyResults) -> Iterator[Claim]:
    """Yield the claims; `not run` where a stage has not run."""
    yield from rate_claims(study)
    yield from realisable_claims(study)
    yield from bounded_claims(study)


def rate_error(row: Row, way: str) -> float:
    """Return the largest difference of a row's rates from the formula.

    Args:
        row: of `theory`.
        way: `operator`, the linearised right-hand side, or `in_run`, a run.
    """
    pairs = [(row[f"{name}_{way}"], row[name]) for name in RATES]
    if way == "operator" and row.get("density_operator") is not None:
        pairs.append((row["density_operator"], row["density"]))
    return float(np.max([np.nan if found is None else abs(found - exact) for found, exact in pairs]))


def worst_rates(rows: list[Row], way: str) -> tuple[float, Row]:
    """Return the largest difference of rows, NaN counting as the largest, and its row."""
    errors = [rate_error(row, way) for row in rows]
    place = int(np.argmax([np.inf if np.isnan(error) else error for error in errors]))
    return errors[place], rows[place]


def rate_claims(study: StudyResults) -> Iterator[Claim]:
    """Yield the largest error of a growth rate in runs, for the kinetic theory and for the closures."""
    for words, kinetic in (("Kinetic solver", True), ("Coarse solver with every closure", False)):
        text = f"{words}: growth rates of runs from weak waves against the dispersion relation, largest difference"
        rows = [row for row in study.rates if (row["model"] == "kinetic") == kinetic]
        if not rows:
            yield Claim(text, None, RATE_ERROR, AT_MOST, "1 / time")
            continue
        value, row = worst_rates(rows, "in_run")
        operator, _ = worst_rates(rows, "operator")
        models = list(dict.fromkeys(title_of(one["model"]) for one in rows))
        said = (
            f"{text} ({len(rows)} cases{'' if kinetic else ': ' + ', '.join(models)}; worst: "
            f"{'' if kinetic else title_of(row['model']) + ', '}{point_words((row['alpha'], row['zeta']))}, wave {row['n_x']}; "
            f"of the linearised equations {operator:.1e})"
        )
        yield Claim(said, float(f"{value:.3g}"), RATE_ERROR, AT_MOST, "1 / time", kept(value, RATE_ERROR))


def realisable_claims(study: StudyResults) -> Iterator[Claim]:
    """Yield the least slack of the learned closure on random inputs."""
    text = "Learned closure on random inputs: least slack of |m2 \u2212 m1\u00b2| \u2264 1 \u2212 |m1|\u00b2, 0 to rounding"
    if study.stability is None:
        yield Claim(text, None, SLACK, AT_LEAST)
        return
    samples, least = study.stability["samples"], study.stability["least_slack"]
    value = np.nan if least is None else float(least)
    few = "" if samples >= SAMPLES else f"; the goal asks {thousands(SAMPLES)}"
    said = f"{text} ({thousands(samples)} inputs, orders up to 1 \u2212 1e\u22129, flows up to 1e6{few})"
    yield Claim(said, float(f"{value:.3g}"), SLACK, AT_LEAST, "", met(value, SLACK, None, samples >= SAMPLES))


def bounded_claims(study: StudyResults) -> Iterator[Claim]:
    """Yield how many long runs over the box stayed bounded, of the learned closure."""
    text = "Learned closure: share of the long runs all over the box that stay bounded to the end"
    rows = [row for row in (study.stability or {"rows": []})["rows"] if row["closure"] == "learned"]
    if study.stability is None or not rows:
        yield Claim(text, None, 1.0, AT_LEAST)
        return
    until = study.stability["until"]
    good = [row for row in rows if is_bounded(row, until)]
    large = len(rows) >= SIDE**2 and until >= UNTIL
    short = "" if large else f"; the goal asks {SIDE} x {SIDE} points to t = {UNTIL:g}"
    largest = max((row.get("largest_order") or 0.0 for row in rows), default=0.0)
    said = f"{text} ({len(good)} of {len(rows)} to t = {until:g}, largest order {largest:.3f}{short})"
    share = len(good) / len(rows)
    status: Status = met(share, 1.0, None, large)
    yield Claim(said, round(share, 3), 1.0, AT_LEAST, "", status)


def is_bounded(row: Row, until: float) -> bool:
    """Return whether a long run came to its end with an order of at most 1."""
    order = row.get("largest_order")
    return not row["stopped"] and row["reached"] >= until - 1e-6 and order is not None and order <= 1


NAMES = {"alpha": "activity", "zeta": "alignment"}
KINETICS = {16: "16 even modes, which resolve the same case", 42: "256 angles (42 even modes below two thirds)"}


def use_claims(study: StudyResults) -> Iterator[Claim]:
    """Yield the claims; `not run` where a stage has not run."""
    yield from speed_claims(study.cost)
    yield from recovery_claims(study)


def speed_claims(rows: Sequence[Row]) -> Iterator[Claim]:
    """Yield kinetic seconds a step over those of the coarse model, all four ratios, in double precision."""
    points = speed_points(rows)
    for (closure, modes), goal in SPEED_UP.items():
        text = f"A coarse step with the {title_of(closure)} closure is faster than a kinetic step of {KINETICS[modes]}, times"
        value = None if points is None else speed_up(rows, closure, modes, points)
        if value is None:
            yield Claim(text, None, goal, AT_LEAST)
            continue
        other = "" if points == SPEED_POINTS else f"; the goal is for {SPEED_POINTS}\u00b2"
        said = f"{text} ({points}\u00b2, double precision, CPU time{other})"
        yield Claim(said, round(value, 2), goal, AT_LEAST, "", met(value, goal, 0.8 * goal, points == SPEED_POINTS))


def speed_points(rows: Sequence[Row]) -> int | None:
    """Return the side of the grid whose times are compared: 64 where it was timed, else the smallest."""
    sides = {row["points"] for row in rows}
    return None if not sides else SPEED_POINTS if SPEED_POINTS in sides else min(sides)


def seconds(rows: Sequence[Row], model: str, points: int, precision: str = "double") -> float | None:
    """Return the seconds a step of a model whose name begins so, None where it was not timed."""
    found = [r["seconds"] for r in rows if r["model"].startswith(model) and (r["points"], r["precision"]) == (points, precision)]
    return found[0] if found else None


def speed_up(rows: Sequence[Row], closure: str, modes: int, points: int) -> float | None:
    """Return kinetic over coarse seconds, None where one was not timed."""
    kinetic, coarse = seconds(rows, f"kinetic, {modes} ", points), seconds(rows, f"coarse, {closure}", points)
    return None if kinetic is None or not coarse else kinetic / coarse


def recovery_claims(study: StudyResults) -> Iterator[Claim]:
    """Yield how well activity and alignment are recovered, twins and kinetic data apart."""
    rows = [] if study.recovery is None else study.recovery["rows"]
    twins, kinetic = experiments(rows, "closed model"), experiments(rows, "kinetic")
    twin_text = "Twin experiments (data of the closed model itself): largest error of activity and of alignment"
    cover_text = "Twin experiments: share of the 90 % intervals that hold the truth, the lower of both parameters"
    kinetic_text = "Data of the kinetic theory: largest error of activity and of alignment"
    if twins:
        few = "" if len(twins) >= TWINS else f"; the goal asks {TWINS}"
        large = len(twins) >= TWINS
        said = f"{twin_text} ({_each(twins)}; {counted(len(twins), 'seed')}{few})"
        status = kept(worst_error(twins), TWIN_ERROR, None, large)
        if status == "not" and typical_error(twins) <= TWIN_ERROR:
            status = "partly"
        yield Claim(said, round(100 * worst_error(twins), 2), 100 * TWIN_ERROR, AT_MOST, "%", status)
        shares = {name: float(np.mean([row[f"{name}_covered"] for row in twins])) for name in NAMES}
        each = ", ".join(f"{NAMES[name]} {percent(share, 0)}" for name, share in shares.items())
        said = f"{cover_text} ({each}; {counted(len(twins), 'seed')}{few})"
        value = min(shares.values())
        yield Claim(said, round(100 * value, 1), 100 * COVERAGE, AT_LEAST, "%", met(value, COVERAGE, None, large))
    else:
        yield Claim(twin_text, None, 100 * TWIN_ERROR, AT_MOST, "%")
        yield Claim(cover_text, None, 100 * COVERAGE, AT_LEAST, "%")
    if kinetic:
        bias = ", ".join(f"{NAMES[name]} {percent(mean_error(kinetic, name), 2)}" for name in NAMES)
        number = counted(len(kinetic), "experiment")
        said = f"{kinetic_text} ({_each(kinetic)}; {number}; bias, the mean of the signed errors: {bias})"
        value = worst_error(kinetic)
        status = kept(value, KINETIC_ERROR)
        if status == "not" and typical_error(kinetic) <= KINETIC_ERROR:
            status = "partly"
        yield Claim(said, round(100 * value, 2), 100 * KINETIC_ERROR, AT_MOST, "%", status)
    else:
        yield Claim(kinetic_text, None, 100 * KINETIC_ERROR, AT_MOST, "%")


def experiments(rows: Sequence[Row], data: str) -> list[Row]:
    """Return the experiments with data of a kind: `closed model` or `kinetic`."""
    return [row for row in rows if row["data"] == data]


def errors(rows: Sequence[Row], name: str) -> np.ndarray:
    """Return the signed relative errors of a parameter; NaN where a search gave no number."""
    return np.array([row[f"{name}_error"] for row in rows], dtype=float)


def mean_error(rows: Sequence[Row], name: str) -> float:
    """Return the bias of a parameter."""
    return float(errors(rows, name).mean())


def worst_error(rows: Sequence[Row]) -> float:
    """Return the largest size of an error of either parameter."""
    return float(max(np.abs(errors(rows, name)).max() for name in NAMES))


def typical_error(rows: Sequence[Row]) -> float:
    """Return the larger of both parameters' median size of the error."""
    return float(max(np.median(np.abs(errors(rows, name))) for name in NAMES))


def _each(rows: Sequence[Row]) -> str:
    parts = []
    for name, words in NAMES.items():
        sizes = 100 * np.abs(errors(rows, name))
        parts.append(f"{words} {listed([float(sizes.max())], 2)} %, median {listed([float(np.median(sizes))], 2)} %")
    return "; ".join(parts)
