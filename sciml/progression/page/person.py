"""The one real brain on the page: Colin27 as if he were old, what the model makes of him and how far he is from its subjects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sciml.progression.cohorts.grids import grid_of
from sciml.progression.cohorts.planes import axial, coronal
from sciml.progression.cohorts.regions import REGIONS, TITLES
from sciml.progression.config import PersonConfig
from sciml.progression.page.claims import AT_MOST, IDENTITY_POINTS, judged
from sciml.progression.page.results import Forecasts, settings_of
from sciml.progression.study.results import CodeScores, SubjectForecast, SubjectResult
from sciml.report.goals import Goal
from sciml.report.graphics.drawing import signed_picture
from sciml.report.reportlets import Claim, Column, Reportlet, Scrubber, Table, Value
from sciml.runtime.files import load_tensors
from sciml.runtime.results import read_result

CHANGE_LIMIT = 0.3
NOBODY_KNOWS = "He was young and healthy and nobody scanned him years later, so there is no truth: nothing is said about him."


def person_claims(results: Path) -> Iterator[Claim]:
    """Yield the claim about the real brain, `not run` where there is none."""
    path = results / "person" / "person.json"
    still = [row for row in read_result(path, SubjectResult).forecasts if row.years == 0] if path.is_file() else []
    ours = max((abs(value) for row in still for value in row.read_points if value is not None), default=None)
    text = "A real brain (Colin27), asked for the scan itself: largest change of a region that should be none, any diagnosis"
    yield judged(Goal(text, AT_MOST, "%", at_most=IDENTITY_POINTS), ours)


def person_reportlets(results: Path, tested: Forecasts | None) -> Iterator[Reportlet]:
    """Yield pictures and tables of the real brain, or a sentence where it was not run.

    Args:
        results: folder of the study.
        tested: forecasts of simulated subjects, beside whom he is put.
    """
    folder = results / "person"
    if not (folder / "person.json").is_file():
        return
    found = read_result(folder / "person.json", SubjectResult)
    rows = {(row.diagnosis, row.years): row for row in found.forecasts}
    last = found.forecasts[-1]
    yield _slices(found, load_tensors(folder / "person.safetensors")[0], last.diagnosis, last.years)
    yield _changes(found, rows, last.diagnosis, last.years)
    yield _courses(found, last.years)
    yield _images(found)
    yield _codes(found.autoencoder, tested)


def _slices(found: SubjectResult, images: Mapping[str, np.ndarray], diagnosis: str, years: float) -> Scrubber:
    scan, forecast, flow = (images[name] for name in ("scan", f"{diagnosis}_{years:g}", f"{diagnosis}_{years:g}_flow"))
    shown = {
        "scan": scan,
        f"forecast, {diagnosis}, {years:g} years later": forecast,
        "change forecast": signed_picture(forecast - scan, CHANGE_LIMIT),
        "change by the flow to the same volumes": signed_picture(flow - scan, CHANGE_LIMIT),
    }
    _, front, height = grid_of(found.grid).shape
    planes = [("coronal", coronal, round(front * share)) for share in (0.42, 0.5, 0.58)]
    planes += [("axial", axial, round(height * share)) for share in (0.35, 0.45, 0.55)]
    return Scrubber(
        "A real brain, on which nothing was trained",
        {title: [cut(volume, place) for _, cut, place in planes] for title, volume in shown.items()},
        [f"{plane}, slice {place}" for plane, _, place in planes],
        f"Colin27, one man's brain with its own folds, as if he were {found.age_years:g} and got {diagnosis}. {NOBODY_KNOWS} "
        f"Changes on one scale: orange darker, purple brighter, full colour at {CHANGE_LIMIT}; white matter has 0.8. The flow is "
        "the simulator's own on his labels. His right is on the left.",
        "slices of a real brain now and as forecast, with the change",
    )


def _changes(found: SubjectResult, rows: Mapping[tuple[str, float], SubjectForecast], diagnosis: str, years: float) -> Table:
    diagnoses = list(dict.fromkeys(name for name, _ in rows))
    table = []
    for index, region in enumerate(REGIONS):
        row: dict[str, Value] = {"region": TITLES[region], "volume": found.volumes_ml[index]}
        for name in diagnoses:
            one = rows[name, years]
            row |= {f"{name}_told": one.expected_points[index], f"{name}_read": one.read_points[index]}
        row |= {
            "still": rows[diagnoses[0], 0.0].read_points[index],
            "flow": rows[diagnosis, years].flow_points[index],
            "floor": found.floor_points["decoded"][index],
        }
        table.append(row)
    columns = [
        Column("region", "region"),
        Column("volume", "volume", "ml", None, 1),
        Column("still", "no years", "points", None, 2),
    ]
    for name in diagnoses:
        columns += [
            Column(f"{name}_told", f"{name}: expected", "points", None, 1),
            Column(f"{name}_read", "read", "points", None, 1),
        ]
    columns += [
        Column("flow", f"{diagnosis}: read off the flow", "points", None, 1),
        Column("floor", "floor", "points", None, 1),
    ]
    return Table(
        f"The real brain: changes over {years:g} years, region by region",
        columns,
        table,
        "Expected: what the model is given, mean rates of its simulated subjects by diagnosis. Read: off the forecast image, by "
        "the readout fitted to simulated subjects. The flow makes the expected change for certain, so what is read off it shows "
        "how well reading works on a real anatomy. Floor: the readout's own error on calibration subjects. Thalamus and outer "
        "fluid are not given to the model.",
        "Volumes lie on the MNI grid, which is larger than a brain. AAL was drawn on this brain; the other labels are three "
        "classes of his T1. " + NOBODY_KNOWS,
    )


def _courses(found: SubjectResult, years: float) -> Table:
    table: list[dict[str, Value]] = [{"region": TITLES[region]} for region in REGIONS]
    columns = [Column("region", "region")]
    for one in (one for one in found.forecasts if one.years == years):
        for key, title in (("expected_points", "mean rates"), ("usual_points", "course of this study")):
            name = f"{one.diagnosis}_{key}"
            columns.append(Column(name, f"{one.diagnosis}: {title}", "points", None, 1))
            for row, value in zip(table, getattr(one, key), strict=True):
                row[name] = value
    return Table(
        "The real brain: what two course models expect",
        columns,
        table,
        "The course that serves simulated subjects best reads the pace from all volumes together. One man's volumes differ from "
        "theirs in other ways than by age and disease, so its numbers are shown and not used.",
    )


def _images(found: SubjectResult) -> Table:
    table: list[dict[str, Value]] = []
    for one in found.forecasts:
        still = one.no_change_psnr_db
        gain = "no change is exact" if still is None else None if one.psnr_db is None else one.psnr_db - still
        table.append({"asked": f"{one.diagnosis}, {one.years:g} years", "ours": one.psnr_db,
                      "still": "exact" if still is None else still, "gain": gain})  # fmt: skip
    return Table(
        "The real brain: forecast images against the flow to the same volumes",
        [Column("asked", "asked for"), Column("ours", "PSNR of the forecast", "dB", None, 2),
         Column("still", "PSNR of no change", "dB", None, 2), Column("gain", "gain", "dB", None, 2)],
        table,
        "Inside the brain. The flow stands in for the truth that is not known.",
    )  # fmt: skip


def _codes(found: CodeScores, tested: Forecasts | None) -> Table:
    named = {"Colin27": found} | ({} if tested is None else {"simulated test subjects, mean": tested.metrics.autoencoder})
    return Table(
        "How far a real anatomy is from the training subjects",
        [Column("who", "image"), Column("ours", "PSNR decoded from the latent", "dB", None, 2),
         Column("cosines", "from as many cosines", "dB", None, 2), Column("numbers", "numbers kept")],
        [{"who": name, "ours": one.psnr_db, "cosines": one.cosines_psnr_db, "numbers": one.numbers}
         for name, one in named.items()],
        "Inside the brain. Cosines know nothing of brains: where the autoencoder is no better, it has learned its subjects and "
        "not anatomy. Residual decoding adds a change to the scan itself, so that what is lost here is not lost in a forecast.",
    )  # fmt: skip


def person_text(parameters: Mapping[str, Any]) -> str:
    """Return the methods paragraph of the stage `person`."""
    config = settings_of(PersonConfig, parameters)
    return (
        "One real brain, Colin27 [@holmes1998], was labelled by three classes of its T1 (Otsu) and the AAL atlas [@tzourio2002], "
        f"prepared as every user's image, and forecast as if {config.age_years:g} years old with "
        f"{', '.join(config.diagnoses)}, from volumes of the course model {config.course}."
    )
