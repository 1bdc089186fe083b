"""What the fits say together: errors, coverage, forecasts, and which link moves the estimates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations as subsets

import numpy as np
from jaxtyping import Float

from sciml.report.goals import binomial_interval
from sciml.report.reportlets import Spread
from sciml.report.words import spread_over
from sciml.studies.budget import variance_shares
from sciml.studies.flow_from_images.config import ARCHIVES, SHARPENINGS
from sciml.studies.flow_from_images.study.results import PARAMETERS, Fit

LINKS = ("archive", "sharpening")


@dataclass(frozen=True)
class Coverage:
    """How many intervals hold the truth, with the exact 95 % binomial interval of their share (Clopper and Pearson 1934)."""

    held: int
    count: int

    @property
    def share(self) -> float | None:
        """Their share; None without intervals."""
        return self.held / self.count if self.count else None

    @property
    def interval(self) -> tuple[float, float]:
        """Ends of the interval of the share."""
        return binomial_interval(self.held, self.count) if self.count else (0.0, 1.0)


def chosen(rows: Iterable[Fit], combination: str, noise: str = "measured") -> list[Fit]:
    """Return the fits of a combination."""
    return [row for row in rows if row.combination == combination and row.noise == noise]


def errors(rows: Iterable[Fit], name: str) -> list[float]:
    """Return the sizes of the relative errors of a parameter, where the truth is known."""
    return [abs(error) for row in rows if (error := row.estimate(name).error) is not None]


def coverage(rows: Iterable[Fit], names: Sequence[str] = PARAMETERS) -> Coverage:
    """Return how many intervals of the parameters hold the truth."""
    found = [held for row in rows for name in names if (held := row.estimate(name).covered) is not None]
    return Coverage(sum(found), len(found))


def half_width(rows: Iterable[Fit], name: str) -> Spread | None:
    """Return half the width of the intervals over the size of the truth, where that is not known of the estimate, if not zero."""
    found = [row.estimate(name) for row in rows]
    sizes = [abs(one.value if one.truth is None else one.truth) for one in found]
    return spread_over((one.high - one.low) / 2 / size for one, size in zip(found, sizes, strict=True) if size)


def paired(rows: Sequence[Fit], ours: tuple[str, str], theirs: tuple[str, str]) -> list[tuple[Fit, Fit]]:
    """Return the fits of the same movies of two (combination, noise)."""
    other = {row.case: row for row in chosen(rows, *theirs)}
    return [(row, other[row.case]) for row in chosen(rows, *ours) if row.case in other]


def largest_grid(found: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return archives and sharpenings of the largest full grid among combinations ARCHIVE/SHARPENING.

    The true kernel is no choice that anybody has: it stays out.
    """
    have = set(found)
    best: tuple[list[str], list[str]] = ([], [])
    names = [name for name in SHARPENINGS if name != "exact"]
    for size in range(1, len(names) + 1):
        for some in subsets(names, size):
            archives = [archive for archive in ARCHIVES if all(f"{archive}/{one}" in have for one in some)]
            if len(archives) * size > len(best[0]) * len(best[1]):
                best = archives, list(some)
    return best


@dataclass(frozen=True)
class Budget:
    """Which link moves a parameter.

    Attributes:
        archives, sharpenings: levels of the grid.
        shares: of each case, by links.
        movement: of each case, standard deviation of the estimate over the grid, in units of the half-width of its interval.
    """

    archives: list[str]
    sharpenings: list[str]
    shares: list[dict[tuple[str, ...], float]]
    movement: list[float]

    def share(self, links: tuple[str, ...]) -> Spread | None:
        """Return the share of some links over the cases."""
        return spread_over(one[links] for one in self.shares)


def budget(rows: Sequence[Fit], name: str) -> Budget | None:
    """Return the budget of a parameter; None where no grid of two archives and two sharpenings is whole.

    Cases that a combination lost are left out.
    """
    archives, sharpenings = largest_grid({row.combination for row in rows})
    if min(len(archives), len(sharpenings)) < 2:
        return None
    by = {(row.combination, row.case): row.estimate(name) for row in rows if row.noise == "measured"}
    cases = list(dict.fromkeys(row.case for row in rows))
    grid = [[f"{archive}/{one}" for one in sharpenings] for archive in archives]
    whole = [case for case in cases if all((cell, case) in by for line in grid for cell in line)]
    shares, movement = [], []
    for case in whole:
        values = np.array([[by[cell, case].value for cell in line] for line in grid])
        halves = [(by[cell, case].high - by[cell, case].low) / 2 for line in grid for cell in line]
        shares.append(variance_shares(values, LINKS))
        movement.append(float(values.std() / np.mean(halves)))
    return Budget(archives, sharpenings, shares, movement) if whole else None


def forecasts(rows: Sequence[Fit]) -> tuple[list[float], Float[np.ndarray, "fits times"], Float[np.ndarray, "fits times"]]:
    """Return times, errors of the forecast and of persistence; empty where no truth is known."""
    known = [row for row in rows if row.forecast]
    if not known:
        return [], np.zeros((0, 0)), np.zeros((0, 0))
    return known[0].times, np.array([row.forecast for row in known]), np.array([row.persistence for row in known])
