"""Laws of pace: how fast a subject ages over time, with closed-form integrals.

The logarithm of the volume of region K changes from the first visit, at u = 0 years, by

    (1)  ln V_K(u) - ln V_K(0) = f_K integral_0^u r_K(g(s)) p(s) ds,

with f_K a factor of the subject and the region, r_K(g) the yearly rate with diagnosis g, and p the law:

    constant       p = 1
    accelerating   p = exp(a s),   a from 0.05 to 0.2 a year: as fast again after 3.5 to 14 years
    decelerating   p = exp(-a s),  the same a
    converting     p = 1, and the diagnosis g goes from CN to MCI or from MCI to AD at a time between first and last visit
    stepwise       p = 0.25 before a time c, 2.25 from then on; c between a quarter and three quarters of the follow-up

`stepwise`, a plateau and then a fast loss, is no mild variant of the others: nobody learns from it, it is kept for tests. The
sizes are choices, from no study.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sciml.progression.cohorts.regions import DIAGNOSES
from sciml.progression.config import Law

ACCELERATION = (0.05, 0.2)
PLATEAU, FAST = 0.25, 2.25
# of the time from first to last visit
ONSETS = {"converting": (0.0, 1.0), "stepwise": (0.25, 0.75)}


@dataclass(frozen=True)
class Pace:
    """The law of one subject; times are years from the first visit.

    Attributes:
        law: its name.
        acceleration: a of `accelerating` (above 0) and `decelerating` (below), 1/year; else 0.
        onset_years: when the diagnosis changes (`converting`) or the plateau ends (`stepwise`); else infinite.
        diagnosis: at the first visit.
    """

    law: Law
    diagnosis: str
    acceleration: float = 0.0
    onset_years: float = np.inf

    def diagnosis_at(self, years: float) -> str:
        """Return the diagnosis g."""
        later = self.law == "converting" and years >= self.onset_years
        return DIAGNOSES[DIAGNOSES.index(self.diagnosis) + later]

    def speed(self, years: float) -> float:
        """Return p."""
        if self.law == "stepwise":
            return FAST if years >= self.onset_years else PLATEAU
        return float(np.exp(self.acceleration * years))

    def aged(self, years: np.ndarray) -> np.ndarray:
        """Return the integral of p from 0, in the shape of `years`."""
        years = np.asarray(years, dtype=float)
        if self.law == "stepwise":
            before = np.minimum(years, self.onset_years)
            return PLATEAU * before + FAST * (years - before)
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
    law, share = names[int(random.choice(len(names), p=weights / weights.sum()))], float(random.uniform())
    if law == "converting" and diagnosis == DIAGNOSES[-1]:
        law = "constant"
    if law in ("accelerating", "decelerating"):
        size = ACCELERATION[0] + share * (ACCELERATION[1] - ACCELERATION[0])
        return Pace(law, diagnosis, acceleration=size if law == "accelerating" else -size)
    if law in ONSETS:
        low, high = ONSETS[law]
        return Pace(law, diagnosis, onset_years=followed_years * (low + share * (high - low)))
    return Pace(law, diagnosis)
