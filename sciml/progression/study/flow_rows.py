"""Rows of the study's table for forecasts by motion: the volumes alone, and with what earlier scans say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sciml.progression.cohorts.cohort import Cohort
from sciml.progression.cohorts.regions import REGIONS
from sciml.progression.flow.volumes import warp
from sciml.progression.forecasting.flow_forecast import FlowForecaster
from sciml.progression.forecasting.forecast import imaged
from sciml.progression.forecasting.pair_predictions import Pair
from sciml.progression.forecasting.spread import held
from sciml.progression.settings.models import UsedCourse
from sciml.progression.study.evaluation import Truth, gains_by_group
from sciml.progression.study.results import FlowScores
from sciml.progression.study.scores import brain_psnr

TISSUES = slice(0, len(REGIONS) - 1)


def flow_forecasts(
    cohort: Cohort, pairs: Sequence[Pair], truth: Truth, flow: Path, course: UsedCourse, samples: int, random: np.random.Generator
) -> tuple[dict[str, np.ndarray], FlowScores]:
    """Return images of all pairs by method, (pairs, x, y, z), and the scores of the full one.

    `flow_volumes` moves to the course's volumes alone, `flow` goes on as earlier scans say too, `flow_draws` is the mean of its
    draws.

    Args:
        cohort: with labels.
        pairs: questions.
        truth: of them.
        flow: model of `fit-motion`.
        course: where the volumes come from.
        samples: draws of each.
        random: of the bootstrap.
    """
    plain = FlowForecaster.load(flow, course=course, samples=1, motion=False)
    full = FlowForecaster.load(flow, course=course, samples=samples)
    images: dict[str, list[np.ndarray]] = {"flow_volumes": [], "flow": [], "flow_draws": []}
    missed, least, squares, shares = [], [], [], []
    for pair, clean, brain in zip(pairs, truth.clean, truth.masks, strict=True):
        visits = [imaged(cohort, visit) for visit in pair.history]
        image, mask, ages = visits[-1].image, cohort.mask(pair.start)[0], [pair.followup.age_years]
        images["flow_volumes"].append(plain.forecast(visits, ages, grid=cohort.grid).images[0])
        found = full.forecast(visits, ages, grid=cohort.grid)
        draws = np.stack([warp(image, np.indices(mask.shape) + shift[0], mask) for shift in found.draw_shifts])
        images["flow"].append(found.images[0])
        images["flow_draws"].append(draws.mean(axis=0))
        missed.append(np.abs(found.moved_ml / found.asked_ml - 1)[..., TISSUES].max())
        least.append(found.least_determinant)
        error, deviation = (found.images[0] - clean)[brain], found.uncertainty[0][brain]
        variance = draws.var(axis=0, ddof=min(1, samples - 1))[brain]
        squares.append([np.mean(one) for one in (np.square(deviation), variance, np.square(error))])
        shares.append(held(error, deviation))
    stacked = {name: np.stack(list_of).astype(np.float32) for name, list_of in images.items()}
    psnr = {
        name: np.array([brain_psnr(*row) for row in zip(stacked[name], truth.clean, truth.masks, strict=True)])
        for name in ("flow_volumes", "flow")
    }
    gain = psnr["flow"] - psnr["flow_volumes"]
    spread, spread_of_draws, error = np.sqrt(np.mean(squares, axis=0)).tolist()
    scores = FlowScores(
        volume_error_percent=100 * float(max(missed)),
        least_determinant=float(min(least)),
        spread=spread,
        spread_of_draws=spread_of_draws,
        error=error,
        held=gains_by_group(np.array(shares), truth, random),
        gain_over_volumes_db=gains_by_group(gain, truth, random),
        lost=float((gain < 0).mean()),
    )
    return stacked, scores
