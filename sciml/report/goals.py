"""Goals, and how a number is judged by one: the only rule, for every page.

Example:
    >>> goal = Goal("The filter gains over the noisy picture", "set before the run", "dB", at_least=6.0)
    >>> judge(goal, 7.5).status, judge(goal, 7.5, interval=(5.0, 10.0)).status, judge(goal, None).status
    ('met', 'not decided', 'not run')
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sciml.report.reportlets import Claim, Spread, Status, Value
from sciml.runtime.errors import ScimlError

# interval of the mean of one case
UNKNOWN = (-math.inf, math.inf)


@dataclass(frozen=True)
class Goal:
    """What a number should be, set before the run, or what a published paper says it is.

    Args:
        text: the claim, as a sentence.
        source: who set it: this project, or a paper, its table and page.
        unit: of the numbers.
        at_least: the bar, where larger is better.
        at_most: the bar, where smaller is better.
        within: a reference and the distance from it that still counts as equal.
        strict: whether `at_least` means above and `at_most` below, so that the bar itself is not enough.
        partly: a lower bar that a paper's claim states beside `at_least` or `at_most`.
        paper: whether this is a published paper's claim; else it is a goal of this project.
        reference: what the page shows in place of the bar.
    """

    text: str
    source: str
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None
    within: tuple[float, float] | None = None
    strict: bool = False
    partly: float | None = None
    paper: bool = False
    reference: Value = None

    def __post_init__(self) -> None:
        if sum(bar is not None for bar in (self.at_least, self.at_most, self.within)) > 1:
            raise ScimlError(f"a goal has one bar: at_least, at_most or within; given more for {self.text!r}")
        if self.within and self.strict:
            raise ScimlError(f"only at_least and at_most are strict; given within for {self.text!r}")
        if self.partly is not None and (not self.paper or self.within):
            raise ScimlError(f"only a paper's claim with at_least or at_most is reached partly; given for {self.text!r}")

    @property
    def bar(self) -> float | None:
        """The number to reach; None where it is not known, as that of a rival that did not run."""
        return self.within[0] if self.within else self.at_most if self.at_least is None else self.at_least

    def reaches(self, low: float, high: float, bar: float | None = None) -> bool | None:
        """Return whether all numbers from `low` to `high` reach a bar, by default the goal's; None where only some do."""
        bar = self.bar if bar is None else bar
        if bar is None:
            return False
        if self.strict:
            bar = math.nextafter(bar, math.inf if self.at_least is not None else -math.inf)
        margin = self.within[1] if self.within else math.inf
        least = bar if self.at_least is not None else bar - margin
        most = bar if self.at_most is not None else bar + margin
        return True if least <= low and high <= most else None if low <= most and least <= high else False


def judge(
    goal: Goal,
    value: Spread | float | None,
    interval: tuple[float, float] | None = None,
    enough: bool = True,
    details: str = "",
    shown: Value = None,
) -> Claim:
    """Return the claim that a number reaches a goal, with its verdict; the bar itself is enough for any goal that is not strict.

    Args:
        goal: what is wanted.
        value: our number or its mean, in the goal's unit; None or NaN where it was not measured.
        interval: of the same number, paired where it is a mean difference; one with a NaN counts as none. `UNKNOWN` where a mean
            of one case stands for many.
        enough: whether the run is as large as the goal asks.
        details: what the run adds to the goal's text.
        shown: what the page shows in place of the value.
    """
    number = value.mean if isinstance(value, Spread) else value
    known = number is not None and not math.isnan(number) and goal.bar is not None
    ours = None if not known else value if shown is None else shown
    reference = goal.bar if goal.reference is None else goal.reference
    status = _verdict(goal, float(number), interval, enough) if known and number is not None else "not run"
    # that of the number that was judged, which is not always the one that is shown
    known = known and shown is None and interval is not None
    bounds = interval if known and all(map(math.isfinite, interval or ())) else None
    return Claim(goal.text + details, ours, reference, goal.source, goal.unit, status, goal.paper, bounds)


def _verdict(goal: Goal, number: float, interval: tuple[float, float] | None, enough: bool) -> Status:
    reached = goal.reaches(number, number)
    if interval is not None and not any(math.isnan(end) for end in interval) and goal.reaches(*sorted(interval)) is None:
        return "not decided"
    if not goal.paper:
        return "missed" if not reached else "met" if enough else "met at demo size"
    if reached:
        return "reproduced" if enough else "not decided"
    return "partly" if goal.partly is not None and goal.reaches(number, number, goal.partly) else "not"


def binomial_interval(hits: int, number: int) -> tuple[float, float]:
    """Return the exact 95 % interval of a share (Clopper and Pearson 1934)."""
    from scipy import stats

    found = stats.binomtest(hits, number).proportion_ci(0.95)
    return float(found.low), float(found.high)


def summary(claims: Iterable[Mapping[str, Any]]) -> str:
    """Return in words how many claims were reproduced and goals met.

    Args:
        claims: of a page's `report.json`; those of older pages, which do not say whose they are, count as papers'.
    """
    kinds: dict[bool, list[str]] = {True: [], False: []}
    for claim in claims:
        kinds[bool(claim.get("paper", True))].append(str(claim["status"]))
    papers, goals = kinds[True], kinds[False]
    parts = [f"{papers.count('reproduced')} of {len(papers)} claims reproduced"] * bool(papers)
    parts += [f"{goals.count('met')} of {len(goals)} goals met"] * bool(goals)
    both = papers + goals
    return ", ".join(
        parts
        + [f"{both.count(word)} {word}" for word in ("partly", "met at demo size", "not decided", "not run") if word in both]
    )
