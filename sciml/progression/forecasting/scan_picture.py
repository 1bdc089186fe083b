"""One picture of a forecast: planes of the scan, of the last age and of their difference, and the volumes over the years."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sciml.formats.nifti import Scan
from sciml.progression.cohorts.grids import GRIDS
from sciml.progression.cohorts.planes import turned_plane
from sciml.progression.cohorts.regions import REGIONS, TITLES
from sciml.progression.forecasting.scan_forecast import ScanForecast
from sciml.progression.scans.resampling import labels_on_grid, on_grid
from sciml.runtime.files import atomic_path

GRID = GRIDS["1.5mm"]
SHOWN = ("ventricle", "hippocampus", "grey_matter")
COLOURS = {"ventricle": "#56b4e9", "hippocampus": "#e69f00"}
# of the intensity of white matter
DIFFERENCE_LIMIT = 0.4


def scan_picture(path: Path, found: ScanForecast) -> None:
    """Write a PNG: upright, the subject's right on the left, in the space of the template.

    Args:
        path: of the picture.
        found: the scan and its forecast.
    """
    from matplotlib.figure import Figure

    ready, regions, ages = found.ready, found.regions, found.forecast.ages
    to_scan, affine = ready.placed.to_scan, ready.scan.affine
    before, after = (
        on_grid(Scan(np.asarray(array, np.float32), affine, path), GRID, to_scan)
        for array in (ready.scan.array, found.images[-1])
    )
    codes = [(REGIONS.index(region) + 1,) for region in COLOURS]
    outlines = labels_on_grid(regions.labels, codes, GRID, to_scan)
    brain = labels_on_grid(regions.labels, [tuple(range(1, len(REGIONS) + 1))], GRID, to_scan)[0]
    white = float(np.percentile(before[brain > 0.5], 80)) if (brain > 0.5).any() else 1.0
    places = [int(np.argmax(outlines[0].sum(axis=(0, 1)))), int(np.argmax(outlines[1].sum(axis=(0, 2)))), GRID.shape[0] // 2 + 8]
    figure = Figure(figsize=(11, 12), layout="constrained")
    figure.suptitle(f"{ready.scan.path.name}: {ages[-1]:g} years. A research forecast, not for clinical use.", fontsize=11)
    axes = figure.subplots(4, 3, gridspec_kw={"height_ratios": (1, 1, 1, 0.85)})
    titles = ("scan, outlines of its regions", f"forecast at {ages[-1]:g}, outlines of the scan", "forecast minus scan")
    for row, (axis, index) in enumerate(zip((2, 1, 0), places, strict=True)):
        planes = [turned_plane(np.take(volume, index, axis))[0] for volume in (before, after, after - before)]
        lines = [turned_plane(np.take(volume, index, axis))[0] for volume in (brain, *outlines)]
        for column, plane in enumerate(planes):
            view = axes[row, column]
            limits = (-DIFFERENCE_LIMIT * white, DIFFERENCE_LIMIT * white) if column == 2 else (0, 1.25 * white)
            shown = view.imshow(plane, cmap="RdBu_r" if column == 2 else "gray", vmin=limits[0], vmax=limits[1])
            view.set_axis_off()
            if row == 0:
                view.set_title(titles[column], fontsize=9)
            if column < 2:
                for line, colour in zip(
                    lines if column == 0 else lines[1:], ("#d55e00", *COLOURS.values())[column:], strict=True
                ):
                    if line.min() < 0.5 < line.max():
                        view.contour(line, [0.5], colors=colour, linewidths=0.7)
            if axis != 0:
                view.text(0.01, 0.5, "R", transform=view.transAxes, color="white" if column < 2 else "black", fontsize=9)
            if column == 2:
                figure.colorbar(shown, ax=view, shrink=0.7, label="in units of the scan")
    for view, region in zip(axes[3], SHOWN, strict=True):
        own = [row for row in found.rows if row["region"] == region]
        years = [row["age_years"] for row in own]
        view.fill_between(years, [row["low_ml"] for row in own], [row["high_ml"] for row in own], alpha=0.25, color="#0072b2")
        view.plot(years, [row["volume_ml"] for row in own], "o-", color="#0072b2", markersize=4)
        view.set_title(f"{TITLES[region]}, ml", fontsize=9)
        view.set_xlabel("age in years; band: 90 % interval", fontsize=8)
        view.tick_params(labelsize=8)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
