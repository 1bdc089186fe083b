"""Who is simulated: a smooth diffeomorphic variant of the template, an age, a diagnosis, rates and visits.

A subject's anatomy at a place x is the template's at

    (1)  phi(x) = c + A (x + d(x) - c),    d = exp(u) - id,

with A a change of size along the axes, c the middle of the brain, and d the flow of a smooth velocity u for unit time by
squaring, d <- d + d o (id + d). u is drawn on the 4.5 mm grid whatever the grid of the study, so that the same seed is the same
subject on all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from scipy import ndimage

from sciml.progression.cohorts.grids import GRIDS
from sciml.progression.cohorts.regions import DIAGNOSES, TISSUES
from sciml.progression.config import AtrophyConfig, SimulationConfig
from sciml.progression.simulation.laws import Pace, draw_pace
from sciml.progression.simulation.sampling import sampled
from sciml.runtime.seeds import Seeds

WARP_GRID = GRIDS["4.5mm"]
# standard deviations of ln(size), of a whole head and of each axis alone; ln(size) of men above and of women below the mean
SIZE_SD, AXIS_SD, SEX_SHIFT = 0.03, 0.015, 0.02
# smooth shifts in mm: standard deviation, and width of the smoothing
WARPS_MM = ((5.2, 20.0), (1.4, 10.0))
# standard deviations of the logarithm of a region's own pace, and of the ventricles' volume at the first visit
REGION_SD, VENTRICLE_SD = 0.1, 0.13
# age of the template in years, from which subjects age before the first visit, and their rate there in parts of that of CN
TEMPLATE_AGE_YEARS, EARLY_SHARE = 58.0, 0.8
MIDDLE_MM = np.array([0.0, -18.0, 0.0])
SQUARINGS = 6
# calibration: the change of a region, in parts of what AD does within these years
CALIBRATION_SHARES = (-0.25, 1.5)
CALIBRATION_YEARS = 4.0


@dataclass(frozen=True)
class Subject:
    """One simulated subject.

    Attributes:
        name: of the subject.
        split: what the subject is used for.
        sex: `M` or `F`.
        diagnosis: at the first visit, `CN`, `MCI` or `AD`.
        diagnoses: at each visit.
        pace: factor of all rates.
        law: how the pace goes over time.
        ages_years: at the visits.
        early: change of ln V of each tissue from the template to the first visit, (tissues,).
        changes: change of ln V of each tissue from the first visit to each visit, (visits, tissues); the first row is 0.
        size: A of (1), (3,).
        shift_mm: d of (1) on `WARP_GRID`, (3, D, H, W).
    """

    name: str
    split: str
    sex: Literal["M", "F"]
    diagnosis: Literal["CN", "MCI", "AD"]
    diagnoses: tuple[Literal["CN", "MCI", "AD"], ...]
    pace: float
    law: Pace
    ages_years: tuple[float, ...]
    early: np.ndarray
    changes: np.ndarray
    size: np.ndarray
    shift_mm: np.ndarray

    @cached_property
    def _shift(self) -> np.ndarray:
        return np.ascontiguousarray(np.moveaxis(self.shift_mm, 0, -1))

    def in_template(self, places_mm: np.ndarray) -> np.ndarray:
        """Return phi of (1) at places (3, n) in mm."""
        indices = (places_mm - WARP_GRID.affine[:3, 3:]) / WARP_GRID.spacing_mm
        shift = sampled(self._shift, indices)
        middle = MIDDLE_MM[:, None]
        return middle + self.size[:, None] * (places_mm + shift - middle)


def subject_list(config: SimulationConfig) -> list[tuple[int, str, str]]:
    """Return (number within the split, name, split) of everybody in a cohort.

    The names, from which the seeds come, count within a split: a smaller cohort tests on the same subjects, never on those that
    a larger one trains on.
    """
    return [(number, f"{split}-{number:03d}", split) for split, count in config.subjects.items() for number in range(count)]


def draw_subject(
    config: SimulationConfig, number: int, name: str, split: str, seeds: Seeds, shift_mm: np.ndarray | None = None
) -> Subject:
    """Return a subject of the cohort; equal seeds give the same subject on every grid.

    Args:
        config: of the cohort.
        number: within the split; diagnoses take turns.
        name: of the subject.
        split: what the subject is used for.
        seeds: of the run.
        shift_mm: d of this name and seed where it was drawn before, as for the same subject with another law: it takes the time.
    """
    random = np.random.default_rng(seeds("person", name))
    people, atrophy = config.people, config.atrophy
    diagnosis = DIAGNOSES[number % len(DIAGNOSES)]
    sex = ("M", "F")[int(random.integers(2))]
    pace = float(np.exp(atrophy.pace_spread * random.normal()))
    factors = pace * np.exp(REGION_SD * random.normal(size=len(TISSUES)))
    gaps = random.uniform(*people.gaps_years, size=people.visits - 1)
    ages = random.uniform(*people.ages_years) + np.append(0.0, np.cumsum(gaps))
    law = Pace("constant", diagnosis)
    if not config.independent_rates:
        # a generator of its own: whatever the laws, ages and anatomies stay
        law = draw_pace(people.laws, diagnosis, float(ages[-1] - ages[0]), np.random.default_rng(seeds("law", name)))
    rates = {known: _rates(atrophy, known) for known in DIAGNOSES}
    # before the first visit: healthy ageing, and the disease so far
    early = EARLY_SHARE * (ages[0] - TEMPLATE_AGE_YEARS) * rates["CN"]
    early = early + (diagnosis != "CN") * atrophy.disease_years * factors * rates[diagnosis]
    early[TISSUES.index("ventricle")] += VENTRICLE_SD * random.normal()
    if config.independent_rates:
        shares = random.uniform(*CALIBRATION_SHARES, size=(people.visits, len(TISSUES)))
        changes = shares * CALIBRATION_YEARS * rates["AD"]
        changes[0] = 0
    else:
        changes = factors * law.changes(rates, ages - ages[0])
    diagnoses = tuple(law.diagnosis_at(float(age - ages[0])) for age in ages)
    size = SIZE_SD * random.normal() + AXIS_SD * random.normal(size=3)
    # (1) leads from the subject to the template: a large head is looked up with a small A
    size = np.exp(-size + (SEX_SHIFT if sex == "F" else -SEX_SHIFT))
    shift = _random_shift(random) if shift_mm is None else shift_mm
    seen = tuple(ages.tolist())
    return Subject(name, split, sex, diagnosis, diagnoses, pace, law, seen, early, changes, size, shift)  # type: ignore[arg-type]


def _rates(atrophy: AtrophyConfig, diagnosis: str) -> np.ndarray:
    return np.array([getattr(atrophy.rates[region], diagnosis) for region in TISSUES])


def _random_shift(random: np.random.Generator) -> np.ndarray:
    """Return d of (1) in mm, (3, D, H, W)."""
    velocity = np.zeros((3, *WARP_GRID.shape))
    for spread_mm, width_mm in WARPS_MM:
        field = random.normal(size=velocity.shape)
        width = width_mm / WARP_GRID.spacing_mm
        field = ndimage.gaussian_filter(field, (0, width, width, width), mode="reflect")
        velocity += spread_mm * field / field.std()
    shift = velocity / WARP_GRID.spacing_mm / 2**SQUARINGS
    places = np.indices(WARP_GRID.shape, dtype=np.float64)
    for _ in range(SQUARINGS):
        at = places + shift
        shift = shift + np.stack([ndimage.map_coordinates(axis, at, order=1, mode="nearest") for axis in shift])
    return shift * WARP_GRID.spacing_mm
