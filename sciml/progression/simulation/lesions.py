"""White-matter lesions near the ventricles: dark on T1, growing with age and disease; a change that no motion explains.

A lesion b begins at an age t_b at a place m_b of the anatomy before all atrophy, and moves with the tissue. Of the white matter
at a place x it fills the share

    (1)  l_b(x, t) = (1 - tanh((|x - m_b| - rho_b (1 - exp(-(t - t_b) / 3))) / w)) / 2       (years, mm)

and makes it darker, the older the more: all together

    (2)  J = J_healthy (1 - p_wm (1 - prod_b (1 - D_b l_b))),    D_b = 0.15 + 0.3 (1 - exp(-(t - t_b) / 4)).

New ones come at the rate 1.2 exp((age - 70) / 10) a year, times 1, 1.4 and 1.9 for CN, MCI and AD and a factor of the subject
(standard deviation of its logarithm 0.5); m_b falls into white matter, e times less often for every 7 mm away from a ventricle.
The numbers are choices of the right order, from no study.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import KDTree

from sciml.progression.cohorts.regions import REGIONS
from sciml.progression.simulation.subjects import WARP_GRID, Subject
from sciml.runtime.seeds import Seeds

RATE_AT_70, RATE_YEARS = 1.2, 10.0
DIAGNOSIS_FACTORS = {"CN": 1.0, "MCI": 1.4, "AD": 1.9}
SUBJECT_SD = 0.5
RADIUS_MM, RADIUS_SD = 3.8, 0.35
GROWS_YEARS = 3.0
DARK_AT_FIRST, DARKER_BY, DARKENS_YEARS = 0.15, 0.3, 4.0
REACH_MM = 7.0
# where places are drawn from; around the ventricles
BOX_MM = np.array([[-55.0, 55.0], [-85.0, 55.0], [-25.0, 55.0]])
CANDIDATES = 20000
# in a calibration cohort no time passes: a follow-up is so many years older at most as far as lesions go
CALIBRATION_YEARS = 6.0
# a lesion ends where tanh in (1) has this argument
END = 3.0

Labels = Callable[[np.ndarray], np.ndarray]
"""Places (3, n) of the subject in mm -> shares (regions, n)."""


@dataclass(frozen=True)
class Lesions:
    """The lesions of a subject, those to come included.

    Attributes:
        middles_mm: m of (1), (lesions, 3).
        radii_mm: rho of (1), (lesions,).
        onsets_years: t_b of (1), ages, (lesions,).
        edge_mm: w of (1).
    """

    middles_mm: np.ndarray
    radii_mm: np.ndarray
    onsets_years: np.ndarray
    edge_mm: float

    def at(self, places_mm: np.ndarray, age_years: float) -> tuple[np.ndarray, np.ndarray]:
        """Return what share of the white matter lesions fill, and how much darker it is, at places (3, n) in mm, each (n,)."""
        healthy, bright = np.ones((2, places_mm.shape[1]))
        begun = age_years > self.onsets_years
        if begun.any():
            since = age_years - self.onsets_years[begun]
            radii = self.radii_mm[begun] * (1 - np.exp(-since / GROWS_YEARS))
            darker = DARK_AT_FIRST + DARKER_BY * (1 - np.exp(-since / DARKENS_YEARS))
            tree, middles = KDTree(places_mm.T), self.middles_mm[begun]
            near = tree.query_ball_point(middles, radii + END * self.edge_mm)
            for places, middle, radius, dark in zip(near, middles, radii, darker, strict=True):
                away = np.linalg.norm(places_mm[:, places].T - middle, axis=1)
                share = 0.5 * (1 - np.tanh((away - radius) / self.edge_mm))
                healthy[places] *= 1 - share
                bright[places] *= 1 - dark * share
        return 1 - healthy, 1 - bright


def draw_lesions(amount: float, subject: Subject, labels: Labels, voxel_mm: float, seeds: Seeds) -> Lesions | None:
    """Return a subject's lesions, or None where none are asked for; equal seeds give the same on every grid.

    Args:
        amount: factor of their number.
        subject: whose.
        labels: of the anatomy before all atrophy.
        voxel_mm: edge of a voxel of the study: no edge is sharper.
        seeds: of the run.
    """
    if not amount:
        return None
    random = np.random.default_rng(seeds("lesions", subject.name))
    last = subject.ages_years[-1] + CALIBRATION_YEARS
    expected = RATE_AT_70 * RATE_YEARS * np.exp((last - 70) / RATE_YEARS)
    expected *= amount * DIAGNOSIS_FACTORS[subject.diagnosis] * np.exp(SUBJECT_SD * random.normal())
    count = int(random.poisson(expected))
    # every candidate has its own numbers: who is taken on one grid and not on another changes nothing for the rest
    low, high = BOX_MM.T
    places = random.uniform(low, high, (CANDIDATES, 3))
    chance, age, size = random.uniform(size=CANDIDATES), random.uniform(size=CANDIDATES), random.normal(size=CANDIDATES)
    white = labels(places.T)[REGIONS.index("white_matter")]
    taken = np.flatnonzero(chance < white * np.exp(-_from_ventricles_mm(labels, places.T) / REACH_MM))[:count]
    # the rate grows exponentially, so the number up to an age does
    onsets = last + RATE_YEARS * np.log(age[taken])
    return Lesions(places[taken], RADIUS_MM * np.exp(RADIUS_SD * size[taken]), onsets, 1.0 + voxel_mm / 4)


def lesion_ages(subject: Subject, independent: bool, seeds: Seeds) -> np.ndarray:
    """Return the age of the lesions at each visit; a calibration cohort, in which no time passes, draws its own, (visits,)."""
    ages = np.array(subject.ages_years)
    if independent:
        random = np.random.default_rng(seeds("lesion ages", subject.name))
        ages[1:] = ages[0] + random.uniform(0, CALIBRATION_YEARS, size=len(ages) - 1)
    return ages


def _from_ventricles_mm(labels: Labels, places_mm: np.ndarray) -> np.ndarray:
    every = np.indices(WARP_GRID.shape, dtype=np.float64).reshape(3, -1) * WARP_GRID.spacing_mm + WARP_GRID.affine[:3, 3:]
    fluid = labels(every)[REGIONS.index("ventricle")].reshape(WARP_GRID.shape)
    away = WARP_GRID.spacing_mm * np.asarray(ndimage.distance_transform_edt(fluid < 0.5))
    indices = (places_mm - WARP_GRID.affine[:3, 3:]) / WARP_GRID.spacing_mm
    return ndimage.map_coordinates(away, indices, order=1, mode="nearest")
