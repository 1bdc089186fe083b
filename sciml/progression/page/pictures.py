"""Forecasts in pictures: one subject through the slices, and the forecasts that went worst."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from sciml.progression.cohorts.cohort import Cohort, Visit
from sciml.progression.cohorts.planes import axial, coronal
from sciml.progression.cohorts.regions import REGIONS
from sciml.progression.cohorts.regions import TITLES as REGION_TITLES
from sciml.progression.page.results import MAIN, MOVED, Forecasts
from sciml.progression.page.style import DIAGNOSIS_TITLES, outlined
from sciml.progression.study.results import PairRow
from sciml.progression.study.scores import brain_psnr
from sciml.report.pictures import error_map
from sciml.report.reportlets import Column, Gallery, Reportlet, Scrubber, Table, Value

OUTLINED = ("ventricle", "hippocampus")
OUTLINES = "Outlines, the same in all: light blue the lateral ventricles and orange the hippocampus, as they truly are later."
ERROR_LIMIT, SPREAD_LIMIT = 0.2, 0.1
DRAWS = "draws"
WORST = 5


def forecast_pictures(found: Forecasts, cohort: Cohort) -> Iterator[Scrubber]:
    """Yield one subject's forecast through the slices, where images are there."""
    moved = found.images(MOVED)
    images = found.images(MAIN) if moved is None else moved
    if images is None:
        return
    ill = [index for index, pair in enumerate(found.pairs) if pair.diagnosis == "AD"] or list(range(len(found.pairs)))
    index = max(ill, key=lambda place: found.pairs[place].gap_years)
    pair = found.pairs[index]
    front, height = cohort.grid.shape[1], cohort.grid.shape[2]
    # the middle is shown first
    planes = [("axial", axial, round(height * share)) for share in (0.35, 0.45, 0.55)]
    planes += [("coronal", coronal, round(front * share)) for share in (0.42, 0.5, 0.58)]
    view = _View(cohort, pair, images[index].astype(float), found.spread(DRAWS, index) if moved is None else None)
    shown = [view.pictures(cut, place) for _, cut, place in planes]
    known = f"{pair.history} scan{'' if pair.history == 1 else 's'} known"
    spread = (
        f" The spread is the standard deviation over chains with drawn volumes, brightest {SPREAD_LIMIT} or more."
        if view.spread is not None
        else ""
    )
    yield Scrubber(
        f"{'A forecast' if moved is None else 'A scan, moved as forecast,'} over {pair.gap_years:.1f} years",
        {title: [pictures[title] for pictures in shown] for title in shown[0]},
        [f"{plane}, slice {place}" for plane, _, place in planes],
        f"{pair.subject}, {DIAGNOSIS_TITLES[pair.diagnosis]}, {known}: the longest gap of {_whom(pair)}, chosen by "
        f"nothing else. {OUTLINES if view.labels else ''} Errors against the follow-up without noise, all on one scale: "
        f"black none, brightest {ERROR_LIMIT} or more; white matter has 0.8.{spread} "
        "The subject's right side is on the left of the picture.",
        "slices of a brain now, later, forecast, errors and spread",
    )


def _whom(pair: PairRow) -> str:
    return f"test subjects with {DIAGNOSIS_TITLES['AD']}" if pair.diagnosis == "AD" else "test subjects"


class _View:
    """Pictures of one pair on any plane.

    Args:
        cohort: the subjects.
        pair: of the stage `predict`.
        forecast: its image, (x, y, z).
        spread: over the chains, or None.
    """

    def __init__(self, cohort: Cohort, pair: PairRow, forecast: np.ndarray, spread: np.ndarray | None = None) -> None:
        start, end = visits_of(cohort, pair)
        self.ages = start.age_years, end.age_years
        self.first, self.truth, self.forecast, self.spread = cohort.image(start)[0], cohort.truth(end)[0], forecast, spread
        labels = cohort.labels(end) if cohort.has("labels") else None
        self.labels = {} if labels is None else {region: labels[REGIONS.index(region)] for region in OUTLINED}

    def pictures(self, cut: Any, place: int) -> dict[str, np.ndarray]:
        """Return the pictures of a plane by title."""
        axis = {coronal: 1, axial: 2}[cut]

        def grey(image: np.ndarray) -> np.ndarray:
            return outlined(image.take(place, axis), {region: one.take(place, axis) for region, one in self.labels.items()})

        truth = cut(self.truth, place)
        found = {
            f"scan at {self.ages[0]:.1f}": grey(self.first),
            f"truth at {self.ages[1]:.1f}": grey(self.truth),
            "forecast": grey(self.forecast),
            "error of no change": error_map(cut(self.first, place), truth, ERROR_LIMIT),
            "error of the forecast": error_map(cut(self.forecast, place), truth, ERROR_LIMIT),
        }
        if self.spread is not None:
            shown = cut(self.spread, place)
            found["spread of the chains"] = error_map(shown, np.zeros_like(shown), SPREAD_LIMIT)
        return found


def visits_of(cohort: Cohort, pair: PairRow) -> tuple[Visit, Visit]:
    """Return the first and the later visit of a pair."""
    visits = cohort.subjects()[pair.subject]
    return visits[pair.start], visits[pair.followup]


def worst_forecasts(found: Forecasts, cohort: Cohort) -> Iterator[Reportlet]:
    """Yield the forecasts that gain least over no change, and a picture of the worst."""
    images = found.images(MAIN)
    if images is None:
        return
    psnr = np.array([_psnr(cohort, pair, image) for pair, image in zip(found.pairs, images, strict=True)])
    worst = np.argsort(psnr[:, 0] - psnr[:, 1])[:WORST].tolist()
    truth, ours = found.changes["truth"], found.changes[MAIN]
    rows = []
    for index in worst:
        pair = found.pairs[index]
        row: dict[str, Value] = {
            "person": pair.subject, "diagnosis": pair.diagnosis, "known": pair.history, "gap": pair.gap_years,
            "psnr": float(psnr[index, 0]), "gain": float(psnr[index, 0] - psnr[index, 1]),
        }  # fmt: skip
        for region in OUTLINED:
            column = REGIONS.index(region)
            row |= {f"{region}_true": 100 * float(truth[index, column]), f"{region}_ours": 100 * float(ours[index, column])}
        rows.append(row)
    columns = [
        Column("person", "person"), Column("diagnosis", "diagnosis"), Column("known", "scans known"),
        Column("gap", "ahead", "years", None, 1), Column("psnr", "PSNR in the brain", "dB", None, 2),
        Column("gain", "over no change", "dB", None, 2),
    ]  # fmt: skip
    for region in OUTLINED:
        columns += [
            Column(f"{region}_true", f"{REGION_TITLES[region]}: true change", "points", None, 1),
            Column(f"{region}_ours", "forecast", "points", None, 1),
        ]  # fmt: skip
    below = int((psnr[:, 0] < psnr[:, 1]).sum())
    yield Table(
        "The worst forecasts",
        columns,
        rows,
        f"Of {len(psnr)} pairs, those whose image gains least over no change; {below} of all lie below it. The brain is "
        "that of the follow-up, the reference is without bias and noise.",
    )
    pair = found.pairs[worst[0]]
    view = _View(cohort, pair, images[worst[0]].astype(float))
    place = round(0.5 * cohort.grid.shape[1])
    yield Gallery(
        "The worst forecast",
        view.pictures(coronal, place),
        f"{pair.subject}, {DIAGNOSIS_TITLES[pair.diagnosis]}, {pair.gap_years:.1f} years ahead, coronal slice {place}: "
        f"{psnr[worst[0], 0]:.2f} dB, no change {psnr[worst[0], 1]:.2f} dB. Colours and scale as above.",
        "coronal slice of the brain of the worst forecast",
    )


def _psnr(cohort: Cohort, pair: PairRow, image: np.ndarray) -> tuple[float, float]:
    """Return the PSNR in the brain of a forecast and of no change, in dB."""
    start, end = visits_of(cohort, pair)
    truth, mask = cohort.truth(end)[0], cohort.mask(end)[0]
    return brain_psnr(image.astype(np.float32), truth, mask), brain_psnr(cohort.image(start)[0], truth, mask)
