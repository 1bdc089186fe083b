"""Trajectories: a forecast at every year from a subject's first visit, and whether its volumes move evenly and the right way.

Where a simulated subject's pace is constant, the true ln V is a straight line: its second difference is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Real

from sciml.progression.cohorts.cohort import Cohort, Split, Visit
from sciml.progression.cohorts.regions import REGIONS
from sciml.progression.forecasting.forecast import Forecaster, ImagedVisit
from sciml.progression.forecasting.pair_predictions import reconstructions
from sciml.progression.study.readout import ChangeReadout, neighbourhoods
from sciml.progression.study.results import TrajectoryScores
from sciml.progression.study.scores import smoothness

# of every simulated subject, with age
RISING = {region: region in ("ventricle", "csf") for region in REGIONS}


@dataclass(frozen=True)
class Trajectories:
    """Forecasts of several subjects at the same years ahead.

    Attributes:
        years: after the first visit, even steps.
        people: first visits.
        read: ln(V / V_A) read off the images, 0 at the start.
        told: the same of the volumes that the image model was told.
    """

    years: Real[np.ndarray, " ages"]
    people: tuple[Visit, ...]
    read: Float[np.ndarray, "subjects ages+1 regions"]
    told: Float[np.ndarray, "subjects ages+1 regions"]

    def scores(self) -> dict[str, TrajectoryScores]:
        """Return by region the mean |second difference| in points, read and told, and the share of steps in the right way."""
        steps = np.diff(self.read, axis=1)
        return {
            region: TrajectoryScores(
                second_difference_points=smoothness(self.read[..., column]),
                told_second_difference_points=smoothness(self.told[..., column]),
                right_direction=float(((steps[..., column] > 0) == RISING[region]).mean()),
            )
            for column, region in enumerate(REGIONS)
        }


def forecast_trajectories(
    forecaster: Forecaster, cohort: Cohort, split: Split, people: int, years: Sequence[float], readout: ChangeReadout, seed: int
) -> Trajectories:
    """Forecast the first subjects of a split from their first visits.

    Args:
        forecaster: the model and how it is used.
        cohort: with images and labels.
        split: whose subjects.
        people: how many at most; diagnoses take turns.
        years: after the first visit, even steps.
        readout: of decoded images.
        seed: of the chains.
    """
    first = tuple(visits[0] for visits in cohort.subjects(split).values())[:people]
    read, told = [], []
    for visit, place in zip(first, neighbourhoods(cohort, first), strict=True):
        image = cohort.image(visit)
        found = forecaster.forecast([ImagedVisit(visit, image[0])], [visit.age_years + year for year in years], seed=seed)
        residual = forecaster.config.decoding == "residual"
        before = image[None] if residual else reconstructions(forecaster.model, cohort, [visit], forecaster.device).numpy()
        changes = readout.change([place] * len(years), before.repeat(len(years), axis=0), found.images[:, None])
        start = np.zeros((1, len(REGIONS)))
        read.append(np.concatenate([start, changes]))
        told.append(np.concatenate([start, np.log(found.volumes_ml / np.asarray(visit.volumes_ml))]))
    return Trajectories(np.asarray(years, dtype=float), first, np.stack(read), np.stack(told))
