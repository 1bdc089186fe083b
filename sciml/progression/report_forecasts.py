"""Forecasts on the page: tables of all ways, changes region by region, pictures of a person, averaging."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sciml.progression.cohort import Cohort
from sciml.progression.regions import CONDITIONED, DIAGNOSES, REGIONS
from sciml.progression.regions import TITLES as REGION_TITLES
from sciml.progression.report_results import LONG, MAIN, STILL, Forecasts, title_of
from sciml.progression.report_style import DIAGNOSIS_COLOURS, DIAGNOSIS_TITLES, axial, coronal
from sciml.report.drawing import panels, plain
from sciml.report.pictures import error_map
from sciml.report.reportlets import Column, Curve, Figure, Reportlet, Scrubber, Spread, Table, Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAIN_REGIONS = ("ventricle", "hippocampus")
SCATTERED = ("ventricle", "hippocampus", "thalamus")
ERROR_LIMIT = 0.2
GROUPS = {"below 2 y": "up to 2 years", "2 to 4 y": "2 to 4 years", "4 y and more": "4 years and more"}


def forecast_reportlets(found: Forecasts, cohort: Cohort) -> Iterator[Reportlet]:
    """Yield everything about forecasts, in the order of the questions."""
    if (shown := _scrubber(found, cohort)) is not None:
        yield shown
    yield _scatter(found)
    yield _main_table(found)
    yield _region_table(found)
    yield _diagnosis_table(found)
    yield _gap_table(found)
    if (curve := _averaging_curve(found)) is not None:
        yield curve


def _main_table(found: Forecasts) -> Table:
    rows = []
    for name, entry in found.methods.items():
        row: dict[str, Value] = {"method": title_of(name), "kind": entry["kind"]}
        if entry["images"]:
            row["psnr"], row["ssim"] = (_spread(entry["images"][score]) for score in ("psnr_db", "ssim"))
            row["gain"] = entry["gain_db"].get(LONG, {}).get("mean")
        for region in MAIN_REGIONS:
            score = found.change(name, region) or {}
            row[f"{region}_correlation"], row[f"{region}_skill"] = score.get("correlation"), score.get("skill")
            row[f"{region}_published"] = entry["brain_volume_error"][region]
        rows.append(row)
    columns = [
        Column("method", "forecast"), Column("kind", "kind"), Column("psnr", "PSNR in the brain", "dB", "up", 2),
        Column("ssim", "SSIM in the brain", "", "up", 3), Column("gain", "gain after 3 years and more", "dB", "up", 2),
    ]  # fmt: skip
    for region in MAIN_REGIONS:
        title = REGION_TITLES[region]
        columns += [
            Column(f"{region}_correlation", f"{title}: correlation", "", "up", 2),
            Column(f"{region}_skill", "skill", "", "up", 2),
            Column(f"{region}_published", "error, of the brain", "%", "down", 3),
        ]
    return Table(
        "All ways to forecast, on the same pairs of test people",
        columns,
        rows,
        f"{found.metrics['pairs']} pairs of visits of {found.metrics['people']} people. PSNR and SSIM against the follow-up "
        "without "
        "bias and noise, inside the brain. Correlation and skill are of the change of ln V; skill is 1 minus the error in "
        "parts of "
        "that of no change. The error in percent of the brain is the published measure: it hardly sees small regions.",
        "Course models forecast volumes and no image; on simulated people the flow to expected volumes is the same physics as "
        "the "
        "truth, so nobody needs to beat it. Ceilings are told the follow-up.",
    )


def _spread(values: dict[str, Any]) -> Spread:
    return Spread(values["mean"], values["sd"], values["n"])


def _region_table(found: Forecasts) -> Table:
    rows = []
    floor = found.metrics["readout_floor"]["decoded"]
    for region in REGIONS:
        score, nothing = found.change(MAIN, region) or {}, found.change(STILL, region) or {}
        rows.append(
            {
                "region": REGION_TITLES[region],
                "told": "yes" if region in CONDITIONED else "no",
                "error": score.get("mean_error_points"),
                "nothing": nothing.get("mean_error_points"),
                "floor": floor[region]["mean_error_points"],
                "bias": score.get("bias_points"),
                "correlation": score.get("correlation"),
                "slope": score.get("slope"),
            }
        )
    columns = [
        Column("region", "region"), Column("told", "told to the model"),
        Column("error", "error of the change", "points", None, 2), Column("nothing", "of no change", "points", None, 2),
        Column("floor", "floor of the measurement", "points", None, 2), Column("bias", "bias", "points", None, 2),
        Column("correlation", "correlation", "", None, 2), Column("slope", "slope", "", None, 2),
    ]  # fmt: skip
    return Table(
        "Changes region by region",
        columns,
        rows,
        "Of our forecasts, read off the images by the linear readout. A point is 1 % of ln V. Thalamus and outer fluid are not "
        "told to "
        "the model, to see what it does with what it is not told. The floor is the readout's own error on calibration people.",
    )


def _diagnosis_table(found: Forecasts) -> Table:
    names = [name for name in found.methods if name == MAIN or name.startswith("course_")]
    rows = []
    for name in names:
        row: dict[str, Value] = {"method": title_of(name)}
        for region in MAIN_REGIONS:
            for group in DIAGNOSES:
                row[f"{region}_{group}"] = (found.change(name, region, group) or {}).get("correlation")
        rows.append(row)
    columns = [Column("method", "forecast")]
    columns += [
        Column(f"{region}_{group}", f"{REGION_TITLES[region]}, {group}", "", "up", 2)
        for region in MAIN_REGIONS
        for group in DIAGNOSES
    ]
    return Table(
        "Correlation of forecast with true change within each diagnosis", columns, rows,
        "Over everybody, a diagnosis alone explains much; within one it explains nothing.",
    )  # fmt: skip


def _gap_table(found: Forecasts) -> Table:
    rows = [
        {"method": title_of(name), **{group: found.psnr(name, group) for group in GROUPS}}
        for name, entry in found.methods.items()
        if entry["images"] and entry["kind"] != "ablation"
    ]
    columns = [Column("method", "forecast"), *(Column(group, title, "dB", "up", 2) for group, title in GROUPS.items())]
    return Table("PSNR in the brain by years ahead", columns, rows, "Mean over pairs.")


def _scatter(found: Forecasts) -> Figure:
    truth, ours = found.changes["truth"], found.changes[MAIN]
    diagnoses = np.array([pair["diagnosis"] for pair in found.pairs])

    def draw(axes: Sequence[Axes], _: Any) -> None:
        for one, region in zip(axes, SCATTERED, strict=True):
            index = REGIONS.index(region)
            for name, colour in DIAGNOSIS_COLOURS.items():
                who = diagnoses == name
                one.plot(
                    100 * truth[who, index], 100 * ours[who, index], "o", color=colour, markersize=3.5, label=name, alpha=0.8
                )
            low, high = (100 * float(limit) for limit in (truth[:, index].min(), truth[:, index].max()))
            one.plot([low, high], [low, high], color="#555555", linewidth=1)
            plain(one, "true change (points)", "forecast (points)", REGION_TITLES[region])
        axes[0].legend(fontsize=8, frameon=False)

    return Figure(
        "Forecast and true changes",
        panels(len(SCATTERED), (9.6, 3.3), draw),
        "One point a pair of visits of a test person; on the line, forecast and truth agree. The thalamus is not told to the "
        "model.",
        "three scatter diagrams of forecast over true change of a region, coloured by diagnosis, with the line of equality",
    )


def _scrubber(found: Forecasts, cohort: Cohort) -> Scrubber | None:
    images = found.images(MAIN)
    if images is None:
        return None
    ill = [index for index, pair in enumerate(found.pairs) if pair["diagnosis"] == "AD"] or list(range(len(found.pairs)))
    index = max(ill, key=lambda place: found.pairs[place]["gap_years"])
    pair = found.pairs[index]
    visits = cohort.subjects()[pair["subject"]]
    start, end = visits[pair["start"]], visits[pair["followup"]]
    first, truth, forecast = cohort.image(start)[0], cohort.truth(end)[0], images[index].astype(float)
    front, height = cohort.grid.shape[1], cohort.grid.shape[2]
    planes = [("coronal", coronal, round(front * share)) for share in (0.42, 0.5, 0.58)]
    planes += [("axial", axial, round(height * share)) for share in (0.35, 0.45, 0.55)]
    shown = {
        f"scan at {start.age_years:.0f}": (first, None),
        f"truth at {end.age_years:.0f}": (truth, None),
        "forecast": (forecast, None),
        "error of no change": (first, truth),
        "error of the forecast": (forecast, truth),
    }
    series = {
        title: [
            cut(image, place) if other is None else error_map(cut(image, place), cut(other, place), ERROR_LIMIT)
            for _, cut, place in planes
        ]
        for title, (image, other) in shown.items()
    }
    return Scrubber(
        f"A forecast over {pair['gap_years']:.1f} years",
        series,
        [f"{plane}, slice {place}" for plane, _, place in planes],
        f"{pair['subject']}, {DIAGNOSIS_TITLES[pair['diagnosis']]}, {pair['history']} "
        f"scan{'' if pair['history'] == 1 else 's'} known. Errors against the "
        "follow-up without "
        f"noise, all on one scale: black none, brightest {ERROR_LIMIT} or more; white matter has 0.8.",
        "slices of a brain now, later, forecast, and errors",
    )


def _averaging_curve(found: Forecasts) -> Curve | None:
    rows = []
    for name, entry in found.metrics["averaging"].items():
        if len(entry["chains"]) > 1 and name in (MAIN, "draws", "chains_16", "official"):
            rows += [
                {"chains": count, "error": error, "of": title_of(name)}
                for count, error in zip(entry["chains"], entry["latent_mse"], strict=True)
            ]
    if not rows:
        return None
    return Curve(
        "Averaging over chains", rows, "chains", "error", "of", "chains", "squared error of the latent",
        "The mean of the latents of m chains against the latent of the true follow-up: squared bias and a variance that falls as "
        "1 / m.",
        "squared error of the latent over the number of chains", log_x=True, log_y=True,
    )  # fmt: skip
