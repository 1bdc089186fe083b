"""Forecasts year by year on the page: whether a subject's volumes move evenly and the right way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sciml.progression.cohorts.regions import REGIONS
from sciml.progression.cohorts.regions import TITLES as REGION_TITLES
from sciml.progression.page.results import Forecasts
from sciml.progression.page.style import DIAGNOSIS_COLOURS
from sciml.progression.study.results import YearlyScores
from sciml.report.graphics.drawing import panels, plain
from sciml.report.reportlets import Column, Figure, Reportlet, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DRAWN = ("ventricle", "hippocampus", "thalamus")


def trajectory_reportlets(found: Forecasts) -> Iterator[Reportlet]:
    """Yield lines and scores of forecasts year by year, nothing where none were made."""
    if (scores := found.metrics.trajectories) is not None:
        yield _lines(scores, found.changes["trajectories"], found.changes["trajectories_told"])
        yield _table(scores)


def _lines(scores: YearlyScores, read: np.ndarray, told: np.ndarray) -> Figure:
    years = [0, *scores.years]

    def draw(axes: Sequence[Axes], _: Any) -> None:
        for one, region in zip(axes, DRAWN, strict=True):
            index = REGIONS.index(region)
            named: set[str] = set()
            for row, diagnosis in enumerate(scores.diagnoses):
                label = None if diagnosis in named else diagnosis
                named.add(diagnosis)
                colour = DIAGNOSIS_COLOURS[diagnosis]
                one.plot(years, 100 * read[row, :, index], color=colour, linewidth=1.4, label=label)
                one.plot(years, 100 * told[row, :, index], ":", color=colour, linewidth=1)
            plain(one, "years ahead", "change (points)", REGION_TITLES[region])
        axes[0].legend(fontsize=8, frameon=False)

    return Figure(
        "Forecasts year by year",
        panels(len(DRAWN), (9.6, 3.3), draw),
        "From the first visit of each subject alone. Lines: read off the forecast images. Dotted: what the course model says, "
        "and the image model is told; the thalamus is not told. One subject's ages share the noise of the chains. True changes "
        "of simulated subjects are smooth, and straight lines where the pace is constant.",
        "three panels of forecast change over years ahead, a line a subject, coloured by diagnosis, with dotted lines of the "
        "volumes told",
    )


def _table(scores: YearlyScores) -> Table:
    columns = [
        Column("region", "region"), Column("read", "second difference, read", "points", None, 2),
        Column("told", "told", "points", None, 2), Column("direction", "steps in the right direction", "%", None, 0),
    ]  # fmt: skip
    rows = [
        {
            "region": REGION_TITLES[region],
            "read": score.second_difference_points,
            "told": score.told_second_difference_points,
            "direction": 100 * score.right_direction,
        }
        for region, score in scores.regions.items()
    ]
    return Table(
        "How even forecasts are year by year",
        columns,
        rows,
        f"{len(scores.diagnoses)} test subjects, {len(scores.years)} years. Mean size of the second difference of the change, "
        "0 in truth where the pace is constant. With age ventricles and outer fluid grow and all else shrinks.",
    )
