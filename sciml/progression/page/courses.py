"""Course models on the page: how well volumes are forecast without any image, by the visits given."""

from __future__ import annotations

from sciml.progression.cohorts.regions import TITLES as REGION_TITLES
from sciml.progression.page.results import MAIN, STILL, Forecasts, cells, title_of
from sciml.report.reportlets import Column, Table, Value

REGIONS_SHOWN = ("ventricle", "hippocampus")
VISITS = {"1 visit": "1", "2 visits and more": "2 +"}
RATES = "course_linear_population"


def course_table(found: Forecasts) -> Table:
    """Return the scores of changes of volumes by course models and by ours, by the visits given."""
    names = [STILL, *(name for name in found.methods if name.startswith("course_")), MAIN]
    rows = []
    for visits, words in VISITS.items():
        for name in names:
            scores = {region: found.change(name, region, visits) for region in REGIONS_SHOWN}
            if not any(scores.values()):
                continue
            row: dict[str, Value] = {"visits": words, "method": title_of(name)}
            for region, score in scores.items():
                row |= cells(region, score, "mean_error_points", "correlation", "skill")
                row["pairs"] = getattr(score, "n", None)
            rows.append(row)
    columns = [Column("visits", "visits known"), Column("method", "forecast"), Column("pairs", "pairs")]
    for region in REGIONS_SHOWN:
        columns += [
            Column(f"{region}_mean_error_points", f"{REGION_TITLES[region]}: error of the change", "points", "down", 2),
            Column(f"{region}_correlation", "correlation", "", "up", 2), Column(f"{region}_skill", "skill", "", "up", 2),
        ]  # fmt: skip
    return Table(
        "Volumes from volumes alone, by the number of visits",
        columns,
        rows,
        "Course models are given the measured volumes of the visits known and say the volumes at the later age; our "
        "forecasts are given those of the course model and are read off the image again. The errors of no change tell how "
        "much there was to forecast.",
        "Our images need not beat the course models on volumes: what they add is the image, and they add the error of the "
        "readout.",
        group="visits",
    )
