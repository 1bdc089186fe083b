"""Forecasts on the page: tables of all ways, and changes region by region."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sciml.progression.cohorts.cohort import Cohort
from sciml.progression.cohorts.regions import CONDITIONED, DIAGNOSES, REGIONS
from sciml.progression.cohorts.regions import TITLES as REGION_TITLES
from sciml.progression.page.averaging import averaging_reportlets
from sciml.progression.page.courses import course_table
from sciml.progression.page.pictures import forecast_pictures, worst_forecasts
from sciml.progression.page.results import DENOISED, LONG, MAIN, STILL, Forecasts, cells, title_of
from sciml.progression.page.style import DIAGNOSIS_COLOURS
from sciml.progression.study.results import MeanScore
from sciml.report.graphics.drawing import SOFT, panels, plain
from sciml.report.reportlets import Column, Figure, Reportlet, Spread, Table, Value
from sciml.report.words import sequence

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAIN_REGIONS = ("ventricle", "hippocampus")
SCATTERED = ("ventricle", "hippocampus", "thalamus")
COMPARED = ("model", "baseline")
# baselines whose volumes are those of no change
UNCHANGED = (DENOISED, "autoencoder_only")
GROUPS = {"below 2 y": "up to 2 years", "2 to 4 y": "2 to 4 years", "4 y and more": "4 years and more"}


def forecast_reportlets(found: Forecasts, cohort: Cohort) -> Iterator[Reportlet]:
    """Yield everything about forecasts, in the order of the questions."""
    yield from forecast_pictures(found, cohort)
    yield _scatter(found)
    yield _image_table(found)
    yield _volume_table(found)
    yield _region_table(found)
    yield _diagnosis_table(found)
    yield _gap_table(found)
    yield course_table(found)
    yield _variant_table(found)
    yield from averaging_reportlets(found)
    yield from worst_forecasts(found, cohort)


def _image_table(found: Forecasts) -> Table:
    rows = []
    for name, entry in found.methods.items():
        if entry.kind not in COMPARED or entry.gain_db is None:
            continue
        row: dict[str, Value] = {"method": title_of(name)}
        row |= {score: spread_of(getattr(entry.images, score)) for score in ("psnr_db", "ssim")}
        row |= {score: getattr(entry.images, score).mean for score in ("whole_psnr_db", "whole_ssim", "whole_mse")}
        if name != STILL and (gain := found.gain(name, LONG)):
            row |= {"gain": gain.mean, "interval": f"{gain.low:.2f} to {gain.high:.2f}".replace("-", "\u2212")}
        rows.append(row)
    columns = [
        Column("method", "forecast"), Column("psnr_db", "PSNR", "dB", "up", 2), Column("ssim", "SSIM", "", "up", 3),
        Column("gain", "gain after 3 years and more", "dB", "up", 2), Column("interval", "95 % interval"),
        Column("whole_psnr_db", "whole volume: PSNR", "dB", "up", 2), Column("whole_ssim", "SSIM", "", "up", 3),
        Column("whole_mse", "squared error", "", "down", 5),
    ]  # fmt: skip
    return Table(
        "All ways to forecast: images",
        columns,
        rows,
        f"{found.metrics.pairs} pairs of visits of {found.metrics.people} test subjects. PSNR, SSIM and gain over no "
        "change: in the brain, against the follow-up without bias and noise. Whole volume, as published: against the "
        "follow-up as it was scanned, with the empty ground. SSIM with a Gaussian of 1.5 voxels in a window of 7 and a "
        "data range of 1.",
        "On simulated subjects the flow to expected volumes is the same physics as the truth, so it is an upper bound.",
    )


def _volume_table(found: Forecasts) -> Table:
    rows = []
    for name, entry in found.methods.items():
        if entry.kind not in COMPARED or name in UNCHANGED:
            continue
        row: dict[str, Value] = {"method": title_of(name)}
        for region in MAIN_REGIONS:
            row |= cells(region, found.change(name, region), "mean_error_points", "correlation", "skill")
            row[f"{region}_published"] = entry.brain_volume_error[region]
        rows.append(row)
    columns = [Column("method", "forecast")]
    for region in MAIN_REGIONS:
        columns += [
            Column(f"{region}_mean_error_points", f"{REGION_TITLES[region]}: error of the change", "points", "down", 2),
            Column(f"{region}_correlation", "correlation", "", "up", 2), Column(f"{region}_skill", "skill", "", "up", 2),
            Column(f"{region}_published", "volume", "% of brain", "down", 3),
        ]  # fmt: skip
    return Table(
        "All ways to forecast: changes of volumes",
        columns,
        rows,
        "The same pairs. Error and correlation are of the change of ln V; skill is 1 minus the error in parts of that of "
        "no change. The error of the volume in percent of the brain is the published measure: it hardly sees small regions.",
        "Course models forecast volumes and no image, so they have no error of the readout.",
    )


def _variant_table(found: Forecasts) -> Table:
    rows = []
    for name, entry in found.methods.items():
        if name != MAIN and entry.kind not in ("ablation", "ceiling"):
            continue
        row: dict[str, Value] = {"method": title_of(name), "psnr": spread_of(entry.images.psnr_db)}
        row["gain"] = getattr(found.gain(name, LONG), "mean", None)
        for region in MAIN_REGIONS:
            row |= cells(region, found.change(name, region), "correlation", "skill")
        rows.append(row)
    columns = [
        Column("method", "forecast"), Column("psnr", "PSNR in the brain", "dB", None, 2),
        Column("gain", "gain after 3 years and more", "dB", None, 2),
    ]  # fmt: skip
    for region in MAIN_REGIONS:
        columns += [
            Column(f"{region}_correlation", f"{REGION_TITLES[region]}: correlation", "", None, 2),
            Column(f"{region}_skill", "skill", "", None, 2),
        ]
    return Table(
        "Forecasts made in other ways, and what the truth itself would score",
        columns,
        rows,
        "The same pairs and scores. Rows below ours change how a forecast is made; the last ones "
        "are ceilings: they are given the follow-up, so what they miss is the loss of scanner, autoencoder and readout.",
    )


def spread_of(score: MeanScore | None) -> Spread | None:
    """Return a score over pairs as a cell of a table."""
    return None if score is None or score.mean is None else Spread(score.mean, score.sd, score.n)


def _region_table(found: Forecasts) -> Table:
    rows = []
    floor = found.metrics.readout_floor["decoded"]
    truth, ours = found.changes["truth"], found.changes[MAIN]
    for index, region in enumerate(REGIONS):
        score = cells(region, found.change(MAIN, region), "mean_error_points", "bias_points", "correlation", "slope")
        error, bias, correlation, slope = score.values()
        rows.append(
            {
                "region": REGION_TITLES[region],
                "told": "yes" if region in CONDITIONED else "no",
                "error": error,
                "nothing": getattr(found.change(STILL, region), "mean_error_points", None),
                "floor": floor[region].mean_error_points,
                "bias": bias,
                "correlation": correlation,
                "slope": slope,
                "direction": 100 * float((np.sign(truth[:, index]) == np.sign(ours[:, index])).mean()),
            }
        )
    columns = [
        Column("region", "region"), Column("told", "given to the model"),
        Column("error", "error of the change", "points", None, 2), Column("nothing", "of no change", "points", None, 2),
        Column("floor", "floor of the measurement", "points", None, 2), Column("bias", "bias", "points", None, 2),
        Column("correlation", "correlation", "", None, 2), Column("slope", "slope", "", None, 2),
        Column("direction", "right direction", "% of pairs", None, 0),
    ]  # fmt: skip
    return Table(
        "Changes region by region",
        columns,
        rows,
        "Of our forecasts, read off the images: what a change of each region would do to the image is fitted to the "
        "difference of two images near that region, and a ridge regression on calibration subjects makes a change of volume "
        "of it. A point is 1 % of ln V. Thalamus and outer fluid are not given to the model, to see what it does with what "
        "it is not given. The floor is the readout's own error on calibration subjects left out, in decoded scans; their "
        "regions change independently and more.",
        _below_floor([str(row["region"]) for row in rows if row["error"] < row["floor"]]),
    )


def _below_floor(regions: Sequence[str]) -> str:
    if not regions:
        return ""
    return (
        f"Below the floor: {sequence(regions)}. There the floor is an upper limit, since it is measured on larger changes; a "
        "difference between methods that is smaller than the floor is not resolved by the measurement."
    )


def _diagnosis_table(found: Forecasts) -> Table:
    names = [name for name in found.methods if name == MAIN or name.startswith("course_")]
    rows = []
    for name in names:
        row: dict[str, Value] = {"method": title_of(name)}
        for region in MAIN_REGIONS:
            for group in DIAGNOSES:
                row[f"{region}_{group}"] = getattr(found.change(name, region, group), "correlation", None)
        rows.append(row)
    columns = [Column("method", "forecast")]
    columns += [
        Column(f"{region}_{group}", f"{REGION_TITLES[region]}, {group}", "", "up", 2)
        for region in MAIN_REGIONS
        for group in DIAGNOSES
    ]
    return Table(
        "Correlation of forecast with true change within each diagnosis", columns, rows,
        "Over all subjects, a diagnosis alone explains much; within one, the years ahead still explain some: see the rates by "
        "diagnosis.",
    )  # fmt: skip


def _gap_table(found: Forecasts) -> Table:
    rows = [
        {"method": title_of(name), "kind": entry.kind, **{group: found.psnr(name, group) for group in GROUPS}}
        for name, entry in found.methods.items()
        if entry.gain_db is not None and entry.kind != "ablation"
    ]
    columns = [Column("method", "forecast"), *(Column(group, title, "dB", "up", 2) for group, title in GROUPS.items())]
    note = "Those that know the follow-up are ceilings and compared among themselves."
    return Table("PSNR in the brain by years ahead", columns, rows, "Mean over pairs.", note, "kind")


def _scatter(found: Forecasts) -> Figure:
    truth, ours = found.changes["truth"], found.changes[MAIN]
    diagnoses = np.array([pair.diagnosis for pair in found.pairs])

    def draw(axes: Sequence[Axes], _: Any) -> None:
        for one, region in zip(axes, SCATTERED, strict=True):
            index = REGIONS.index(region)
            for name, colour in DIAGNOSIS_COLOURS.items():
                who = diagnoses == name
                one.plot(
                    100 * truth[who, index], 100 * ours[who, index], "o", color=colour, markersize=3.5, label=name, alpha=0.8
                )
            low, high = (100 * float(limit) for limit in (truth[:, index].min(), truth[:, index].max()))
            one.plot([low, high], [low, high], color=SOFT, linewidth=1)
            plain(one, "true change (points)", "forecast (points)", REGION_TITLES[region])
        axes[0].legend(fontsize=8, frameon=False)

    return Figure(
        "Forecast and true changes",
        panels(len(SCATTERED), (9.6, 3.3), draw),
        "One point a pair of visits of a test subject; on the line, forecast and truth agree. The thalamus is not given to the "
        "model.",
        "three scatter diagrams of forecast over true change of a region, coloured by diagnosis, with the line of equality",
    )
