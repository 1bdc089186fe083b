"""The answer, the numbers of the first screen and the claims: all from the budget."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sciml.report.goals import UNKNOWN, Goal, judge
from sciml.report.reportlets import Claim
from sciml.report.study import Number
from sciml.report.words import counted, percent, sequence, with_interval
from sciml.studies.scan_to_forecast.config import by_hardness
from sciml.studies.scan_to_forecast.page.results import Study, hard_one
from sciml.studies.scan_to_forecast.study.budget import LINKS
from sciml.studies.scan_to_forecast.study.results import Coverage, Move

METHODS = {"zero-filled": "zero-filled", "tv": "total variation", "lpn": "learned reconstruction"}
OURS = "goal of this study"
ENOUGH_SUBJECTS = 8
MOST_DEVIATIONS, ARCHIVE_DEVIATIONS, LEAST_COVERAGE, ROUNDING_PERCENT = 1.0, 0.1, 0.8, 0.1


def of_chain(study: Study, acquisition: str, method: str, archive: str = "lossless") -> list[Move]:
    """Return by how much a whole chain moves each region and diagnosis of the head."""
    return study.moves(link="all", level=f"{acquisition}, {method}, {archive}")


def mean_deviations(moves: list[Move]) -> float:
    """Return the mean over regions and diagnoses, in standard deviations of the forecast."""
    return float(np.mean([one.deviations for one in moves]))


def answer(study: Study) -> str:
    """Return what a reader takes away, in one or two sentences."""
    if not study.budget.regions:
        return subjects_answer(study)
    acquisition, head = hard_one(study), study.head
    assert head is not None
    found = {method: of_chain(study, acquisition, method) for method in head.reconstructions}
    ranked = by_hardness(head)
    harder = ranked[: ranked.index(acquisition)]
    refused = f"No forecast came of the scans at {sequence(scan_words(one) for one in harder)}. " if harder else ""
    moved = {method: mean_deviations(moves) for method, moves in found.items() if moves}
    best = min(moved, key=moved.__getitem__)
    others = sequence(f"{value:.2f} by {METHODS[method]}" for method, value in moved.items() if method != best)
    worst = max(found[best], key=lambda one: one.deviations)
    most = f"{region_words(worst.region)}, {worst.deviations:.2f}"
    first = (
        f"{refused}At {scan_words(acquisition)} with {METHODS[best]} the forecast of {head.judged_years:g} years moves by "
        f"{moved[best]:.2f} of its own standard deviation (mean of six regions; {others}; most: {most})."
    )
    return f"{first} {shares_words(study)}"


def shares_words(study: Study) -> str:
    """Return which link explains how much of the variance over the grid."""
    shares = mean_shares(study)
    if not shares:
        return "No grid of chains ended in forecasts, so that there are no shares of the links."
    single = {link: shares[link] for link in LINKS}
    rest = 1 - sum(single.values())
    without = f" (without {sequence(study.budget.left_out)}: a chain was refused)" if study.budget.left_out else ""
    parts = sequence(f"{link} {percent(share, 0)}" for link, share in sorted(single.items(), key=lambda one: -one[1]))
    return f"Of the variance over all chains each link alone explains: {parts}; their interplay {percent(rest, 0)}{without}."


def mean_shares(study: Study) -> dict[str, float]:
    """Return the shares of the links, weighed by the variance of each region and diagnosis; empty without a grid."""
    rows = [one for one in study.budget.regions if one.shares]
    if len(rows) < len(study.budget.regions) or not rows:
        return {}
    weights = np.array([one.grid_percent**2 for one in rows])
    if not weights.sum():
        return {}
    return {name: float(np.average([one.shares[name] for one in rows], weights=weights)) for name in rows[0].shares}


def subjects_answer(study: Study) -> str:
    """Return how far the hardest scan of simulated subjects moves what is measured in them."""
    rows = [one for one in study.budget.subject_moves if one.link == "acquisition"]
    if not rows:
        return "No chain of this run ended in a forecast."
    worst = max(rows, key=lambda one: one.moved_percent)
    low, high = worst.low_percent, worst.high_percent
    interval = None if low is None or high is None else (low, high)
    return (
        f"In simulated subjects the scan {scan_words(worst.level)}, zero-filled, moves the measured "
        f"{region_words(worst.region)} by "
        f"{with_interval(worst.moved_percent, interval, '%', 1)} (root mean square), beside an "
        f"error of {worst.error_percent:.1f} % against the truth."
    )


def scan_words(acquisition: str) -> str:
    """Return the name of an acquisition in words: `8x-8-coils` is "8x, 8 coils"."""
    return acquisition.replace("-", ", ", 1).replace("-", " ")


def region_words(region: str) -> str:
    """Return the name of a region in words."""
    return region.replace("_", " ")


def hardest_coverage(study: Study, carried: bool) -> Coverage | None:
    """Return how often intervals hold on the subjects' hardest scan by the last method without loss."""
    if study.subjects is None:
        return None
    wanted = (list(study.subjects.acquisitions)[-1], study.subjects.reconstructions[-1], "lossless", carried)
    rows = [one for one in study.budget.coverage if (one.acquisition, one.method, one.archive, one.carried) == wanted]
    return rows[0] if rows else None


def numbers(study: Study) -> Iterator[Number]:
    """Yield the numbers of the first screen."""
    if study.head is not None and study.budget.regions:
        acquisition = hard_one(study)
        zeros = of_chain(study, acquisition, "zero-filled")
        for method in study.head.reconstructions:
            moves = of_chain(study, acquisition, method)
            if method != "zero-filled" and moves:
                rival = ("zero-filled", mean_deviations(zeros)) if zeros else ("", None)
                yield Number(
                    f"{scan_words(acquisition)}, {METHODS[method]}: moves by", mean_deviations(moves), "std", None, *rival
                )
        archives = study.moves(link="archive")
        if archives:
            worst = max(archives, key=lambda one: one.deviations)
            yield Number(f"Archive alone, most: {worst.level}", worst.deviations, "std")
    plain, carried = hardest_coverage(study, False), hardest_coverage(study, True)
    if plain is not None and carried is not None:
        yield Number(
            "90 % intervals hold, chain's error carried",
            100 * carried.share,
            "%",
            (100 * carried.low, 100 * carried.high),
            "not carried",
            100 * plain.share,
        )


def claims(study: Study) -> Iterator[Claim]:
    """Yield each goal with its verdict."""
    budget = study.budget
    goal = Goal(
        "All of k-space without noise, zero-filled, archived without loss: volumes move by rounding alone, largest",
        OURS,
        "%",
        at_most=ROUNDING_PERCENT,
    )
    yield judge(goal, budget.untouched_percent)
    acquisition = hard_one(study)
    text = "Hardest scan of the head, learned reconstruction: forecasts move by less than their own standard deviation, mean"
    learned, zeros = (of_chain(study, acquisition, method) for method in ("lpn", "zero-filled"))
    yield _of_one_head(Goal(text, OURS, "std", at_most=MOST_DEVIATIONS), mean_deviations(learned) if learned else None)
    text = "The same against zero-filled: ratio of the moves, mean over regions and diagnoses"
    ratio = mean_deviations(learned) / mean_deviations(zeros) if learned and zeros else None
    yield _of_one_head(Goal(text, OURS, at_most=1.0, strict=True), ratio)
    archives = study.moves(link="archive")
    text = "Archive alone: forecasts move by less than a tenth of their own standard deviation, largest of all levels"
    largest = max((one.deviations for one in archives), default=None)
    yield _of_one_head(Goal(text, OURS, "std", at_most=ARCHIVE_DEVIATIONS), largest)
    found, subjects = hardest_coverage(study, True), study.subjects
    text = "Simulated subjects, undersampled: 90 % intervals with the chain's error hold the true later volumes"
    goal = Goal(text, OURS, at_least=LEAST_COVERAGE)
    if found is None or subjects is None:
        yield judge(goal, None)
    else:
        details = f", {found.held} of {found.asked} intervals of {counted(subjects.test, 'subject')}"
        yield judge(
            goal,
            found.share,
            (found.low, found.high),
            details=details,
            shown=round(found.share, 2),
            enough=subjects.test >= ENOUGH_SUBJECTS,
        )


def _of_one_head(goal: Goal, value: float | None) -> Claim:
    """Return the claim about a number of one case, which decides nothing."""
    return judge(goal, value, UNKNOWN, details=", one head" if value is not None else "", shown=value and round(value, 2))


def limits(study: Study) -> Iterator[str]:
    """Yield what the page does not show."""
    if study.head is not None:
        yield (
            "One head: its budget has no spread over subjects. Nobody knows its true volumes; moves are against its own scan "
            "without noise or gap."
        )
    yield (
        "k-space is simulated slice by slice from magnitudes, with a smooth phase: no motion, no distortion, no fat, known coil "
        "sensitivities."
    )
    yield "Regions are estimated by registration; where that is wrong on the full scan, it is wrong in all chains alike."
    if study.subjects is not None:
        yield f"Subjects are simulated. Intervals of {counted(study.subjects.test, 'test subject')} are as wide as so few allow."
