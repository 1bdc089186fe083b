"""What volumes do not tell: where within its regions a subject's brain changes.

Where a region K changes by R_K (of ln V) in a period, a place in it changes by R_K + g_K plus what keeps its volume (`atrophy`),

    (1)  g_K(x, t) = s s_K R_K f_K(x, t),   f_K = 2.5 tanh((sum_j D_Kj (e_j + h_j) F_j(phi(x)) + o_K(x, t)) / 2.5)

f > 0 is where more happens. It is the sum of

* population directions F_j: smooth functions of place in the template, frontal to occipital, temporal, medial temporal, parietal,
  and the odd one from left to right. D_Kj says in which regions a direction acts. Their coefficients have a part e_j that
  follows from age, sex, diagnosis, the shape of the head and the pace, which a model can learn, and a random part h_j of the
  subject, which earlier scans show;
* the subject's own smooth field o, a stationary process in time: from one period to the next, T years later,

    (2)  o' = rho o + sqrt(1 - rho^2) n,   rho = exp(-T / 6 years),

  with n new: earlier scans show rho o, nobody knows n before. In the cortex o has a finer part too: thinning apart from volume.

All of it acts before the first visit as well, so that the first scan shows a part. Periods are
numbered: 0 before the first visit, k from visit k - 1 to visit k.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import ndimage

from sciml.progression.cohorts.regions import DIAGNOSIS_CODES, TISSUES
from sciml.progression.config import SimulationConfig
from sciml.progression.simulation.sampling import sampled
from sciml.progression.simulation.subjects import AXIS_SD, MIDDLE_MM, WARP_GRID, Subject
from sciml.runtime.seeds import Seeds

DIRECTIONS = ("frontal", "temporal", "medial_temporal", "parietal", "right")
# s_K of (1), in the order of TISSUES
STRENGTHS = np.array([1.3, 1.0, 1.0, 0.7, 3.4, 3.4])
# in the period before the first visit, in parts of later ones
EARLY_SHARE = 0.5
# D of (1): the cortex and what lies under it know all directions; small regions have a left and a right
ACTS = np.array([[1, 1, 1, 1, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1]], float)
LARGEST = 2.5
# standard deviations of h, and of o: the smooth part, and the finer one of the cortex
RANDOM_SD = np.array([0.24, 0.24, 0.24, 0.24, 0.4])
OWN_SD, FINE_SD = 0.5, 0.75
# widths of the smoothing that makes o
OWN_MM, FINE_MM = 18.0, 9.0
LASTS_YEARS = 6.0
MIDDLE_AGE_YEARS, AGE_SD_YEARS = 71.0, 6.5

Part = Literal["all", "lasting", "expected"]
"""Of a pattern: all of it; without what is new after the first visit; what follows from age, sex, diagnosis, shape and pace."""


def directions(places_mm: np.ndarray) -> np.ndarray:
    """Return F_j at places (3, n) of the template in mm, (directions, n)."""
    x, y, z = places_mm - MIDDLE_MM[:, None]
    medial = np.exp(-((np.abs(x) - 26) ** 2 + y**2 + (z + 14) ** 2) / (2 * 22**2))
    parietal = np.exp(-((np.abs(x) - 15) ** 2 + (y + 42) ** 2 + (z - 38) ** 2) / (2 * 30**2))
    return np.stack([np.tanh(y / 35), np.tanh((4 - z) / 25), 2 * medial - 0.5, 2 * parietal - 0.5, np.tanh(x / 20)])


def expected_coefficients(subject: Subject) -> np.ndarray:
    """Return e of (1), what age, sex, diagnosis, the head's shape and the pace say of a subject's pattern, (directions,)."""
    age = (subject.ages_years[0] - MIDDLE_AGE_YEARS) / AGE_SD_YEARS
    ill, sex = DIAGNOSIS_CODES[subject.diagnosis], 1.0 if subject.sex == "M" else -1.0
    shape = float(np.log(subject.size[0] / subject.size[1])) / (np.sqrt(2) * AXIS_SD)
    fast = float(np.tanh(2 * np.log(subject.pace)))
    return np.array(
        [
            0.56 * age + 0.42 * shape + 0.28 * (0.5 - ill),
            0.7 * (ill - 0.5),
            0.84 * (ill - 0.3),
            0.56 * (ill - 0.5) - 0.42 * ill * age + 0.42 * fast,
            0.28 * sex,
        ]
    )


@dataclass(frozen=True)
class SubjectPattern:
    """The pattern of a subject.

    Attributes:
        strength: s of (1).
        expected: e of (1), (directions,).
        random: h of (1), (directions,).
        own: o of (1) in each period, the smooth part and the finer one of the cortex, (periods, 2, *`WARP_GRID`).
        lasting: what the first scan's o says of each period, rho of (2) from there, (periods,).
    """

    strength: float
    expected: np.ndarray
    random: np.ndarray
    own: np.ndarray
    lasting: np.ndarray

    def local(self, subject: Subject, places_mm: np.ndarray, period: int, part: Part = "all") -> np.ndarray:
        """Return s s_K f_K of (1): local over regional change, minus 1, at places (3, n) of the subject in mm, (tissues, n).

        Args:
            subject: whose pattern this is.
            places_mm: in the anatomy before all atrophy.
            period: of time.
            part: of the pattern.
        """
        coefficients = self.expected if part == "expected" else self.expected + self.random
        found = (ACTS * coefficients) @ directions(subject.in_template(places_mm))
        if part != "expected":
            own = self.own[period] if part == "all" else self.lasting[period] * self.own[0]
            indices = (places_mm - WARP_GRID.affine[:3, 3:]) / WARP_GRID.spacing_mm
            smooth, fine = (ndimage.map_coordinates(field, indices, order=1, mode="nearest") for field in own)
            found += smooth
            found[TISSUES.index("grey_matter")] += fine
        strengths = self.strength * (1 if period else EARLY_SHARE) * STRENGTHS
        return strengths[:, None] * LARGEST * np.tanh(found / LARGEST)

    def on_grid(
        self,
        subject: Subject,
        places_mm: np.ndarray,
        shape: tuple[int, ...],
        changes: np.ndarray,
        period: int,
        part: Part = "all",
    ) -> Callable[[np.ndarray], np.ndarray]:
        """Return g of (1) as a function of voxels, as `Atrophy.advance` takes it.

        Args:
            subject: whose pattern this is.
            places_mm: of all voxels, (3, n).
            shape: of the grid.
            changes: R of (1), change of ln V of each tissue in the period, (tissues,).
            period: of time.
            part: of the pattern.
        """
        fields = np.ascontiguousarray((changes[:, None] * self.local(subject, places_mm, period, part)).T).reshape(*shape, -1)
        return lambda voxels: sampled(fields, voxels)


def draw_pattern(config: SimulationConfig, subject: Subject, seeds: Seeds) -> SubjectPattern | None:
    """Return a subject's pattern, or None where the settings have none; equal seeds give the same on every grid.

    Args:
        config: of the cohort.
        subject: whose.
        seeds: of the run.
    """
    if not config.pattern:
        return None
    random = np.random.default_rng(seeds("pattern", subject.name))
    extra = RANDOM_SD * random.normal(size=len(DIRECTIONS))
    first = _own_field(random)
    own, lasting = [first], [1.0]
    # in a calibration cohort no time passes between visits, and each is a follow-up of its own
    years = np.full(len(subject.ages_years) - 1, LASTS_YEARS) if config.independent_rates else np.diff(subject.ages_years)
    for gap in years:
        kept = float(np.exp(-gap / LASTS_YEARS))
        own.append(kept * own[-1] + np.sqrt(1 - kept**2) * _own_field(random))
        lasting.append(kept * lasting[-1])
    return SubjectPattern(config.pattern, expected_coefficients(subject), extra, np.stack(own), np.array(lasting))


def _own_field(random: np.random.Generator) -> np.ndarray:
    """Return a new o, (2, *`WARP_GRID`)."""
    fields = []
    for spread, width_mm in ((OWN_SD, OWN_MM), (FINE_SD, FINE_MM)):
        width = width_mm / WARP_GRID.spacing_mm
        field = ndimage.gaussian_filter(random.normal(size=WARP_GRID.shape), width, mode="reflect")
        fields.append(spread * field / field.std())
    return np.stack(fields)
