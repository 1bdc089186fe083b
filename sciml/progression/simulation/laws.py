"""Laws of pace: how fast a subject ages over time, with closed-form integrals.

The logarithm of the volume of region K changes from the first visit, at u = 0 years, by

    (1)  ln V_K(u) - ln V_K(0) = f_K integral_0^u r_K(g(s)) p(s) y(s) ds,

with f_K a factor of the subject and the region, r_K(g) the yearly rate with diagnosis g, y a factor of each year (no two years
are alike: mean 1, standard deviation of ln y 0.3), and p the law:

    constant       p = 1
    accelerating   p = exp(a s),   a from 0.05 to 0.2 a year: as fast again after 3.5 to 14 years
    decelerating   p = exp(-a s),  the same a
    converting     p = 1, and the diagnosis g goes from CN to MCI or from MCI to AD at a time between first and last visit
    stepwise       p = 1 before a time c, 0.5 from c to c + d, 1.75 from then on; c from 0.1 to 0.4 and d from 0.2 to 0.35 of
                   the time from first to last visit

`stepwise`, a plateau and then a fast loss, is of another shape than the others: two jumps, the second of 3.5 times, while no
other law changes its pace by more than 2.6 times over the whole of the usual follow-up. Nobody learns from it, it is kept for
tests. It begins as the others do, for a law whose first year differs is told by no single visit, and no interval could hold. The
sizes are choices, from no study.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sciml.progression.cohorts.regions import DIAGNOSES
from sciml.progression.config import Law

ACCELERATION = (0.05, 0.2)
PLATEAU, FAST = 0.5, 1.75
# of the time from first to last visit
ONSETS: dict[Law, tuple[float, float]] = {"converting": (0.0, 1.0), "stepwise": (0.1, 0.4)}
PLATEAUS = (0.2, 0.35)
YEAR_SD = 0.3


@dataclass(frozen=True)
class Pace:
    """The law of one subject; times are years from the first visit.

    Attributes:
        law: its name.
        acceleration: a of `accelerating` (above 0) and `decelerating` (below), 1/year; else 0.
        onset_years: when the diagnosis changes (`converting`) or the plateau begins (`stepwise`); else infinite.
        plateau_years: d of `stepwise`, else 0.
        years: y of each year from the first visit; the last one goes on.
        diagnosis: at the first visit.
    """

    law: Law
    diagnosis: str
    acceleration: float = 0.0
    onset_years: float = np.inf
    plateau_years: float = 0.0
    years: tuple[float, ...] = (1.0,)

    def diagnosis_at(self, years: float) -> str:
        """Return the diagnosis g."""
        later = self.law == "converting" and years >= self.onset_years
        return DIAGNOSES[DIAGNOSES.index(self.diagnosis) + later]

    def speed(self, years: float) -> float:
        """Return p y."""
        return self.years[min(int(years), len(self.years) - 1)] * self._speed(years)

    def _speed(self, years: float) -> float:
        if self.law == "stepwise":
            fast = years >= self.onset_years + self.plateau_years
            return FAST if fast else PLATEAU if years >= self.onset_years else 1.0
        return float(np.exp(self.acceleration * years))

    def aged(self, years: np.ndarray) -> np.ndarray:
        """Return the integral of p y from 0, in the shape of `years`."""
        ends = [*range(1, len(self.years)), np.inf]
        pieces = [
            factor * (self._aged(np.minimum(years, end)) - self._aged(np.minimum(years, begin)))
            for begin, (end, factor) in enumerate(zip(ends, self.years, strict=True))
        ]
        return np.sum(pieces, axis=0)

    def _aged(self, years: np.ndarray) -> np.ndarray:
        """Return the integral of p."""
        years = np.asarray(years, dtype=float)
        if self.law == "stepwise":
            before = np.minimum(years, self.onset_years)
            slow = np.clip(years - self.onset_years, 0.0, self.plateau_years)
            return before + PLATEAU * slow + FAST * (years - before - slow)
        # (exp(a u) - 1) / a
        return years if self.acceleration == 0 else np.expm1(self.acceleration * years) / self.acceleration

    def changes(self, rates: Mapping[str, np.ndarray], years: np.ndarray) -> np.ndarray:
        """Return the integral of (1) without f, shape (years, regions).

        Args:
            rates: r by diagnosis, each (regions,), 1/year.
            years: u, shape (years,).
        """
        total = self.aged(years)
        if self.law != "converting":
            return np.outer(total, rates[self.diagnosis])
        before = self.aged(np.minimum(years, self.onset_years))
        return np.outer(before, rates[self.diagnosis]) + np.outer(total - before, rates[self.diagnosis_at(self.onset_years)])


def draw_pace(shares: Mapping[Law, float], diagnosis: str, followed_years: float, random: np.random.Generator) -> Pace:
    """Return the law of a subject; who has AD cannot convert, and is constant instead.

    Args:
        shares: of the laws; what they sum to does not matter.
        diagnosis: at the first visit.
        followed_years: from the first visit to the last.
        random: of the subject, for nothing else.
    """
    names = sorted(shares)
    weights = np.array([shares[name] for name in names], dtype=float)
    law, (share, other) = names[int(random.choice(len(names), p=weights / weights.sum()))], random.uniform(size=2).tolist()
    years = tuple(np.exp(YEAR_SD * random.normal(size=int(followed_years) + 1) - YEAR_SD**2 / 2).tolist())
    if law == "converting" and diagnosis == DIAGNOSES[-1]:
        law = "constant"
    if law in ("accelerating", "decelerating"):
        size = _between(ACCELERATION, share)
        return Pace(law, diagnosis, size if law == "accelerating" else -size, years=years)
    if law in ONSETS:
        onset = followed_years * _between(ONSETS[law], share)
        return Pace(law, diagnosis, 0.0, onset, followed_years * _between(PLATEAUS, other) if law == "stepwise" else 0.0, years)
    return Pace(law, diagnosis, years=years)


def _between(ends: tuple[float, float], share: float) -> float:
    return ends[0] + share * (ends[1] - ends[0])
