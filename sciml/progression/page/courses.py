"""Course models on the page: forecasts of volumes without any image, how often their intervals hold, and at what width."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sciml.progression.cohorts.regions import REGIONS, TITLES
from sciml.progression.page.claims import AT_LEAST, AT_MOST, judged
from sciml.progression.page.results import MAIN, STILL, Forecasts, cells, title_of
from sciml.progression.study.interval_results import CourseIntervals, IntervalScore, ScoreRatio
from sciml.report.goals import Goal
from sciml.report.graphics.palette import COLOURS
from sciml.report.reportlets import Claim, Column, Figure, Reportlet, Table, Value
from sciml.report.study import Number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OURS, RIVAL, MIXTURE, UNSEEN = "calibrated", "linear_population", "mixture", "stepwise"
ALL, VISITS = "all", (1, 2, 3)
HELD, UNSEEN_HELD = (0.85, 0.95), 0.8
MODELS = {
    OURS: "ours",
    RIVAL: "rates by diagnosis",
    f"{RIVAL}_calibrated": "rates by diagnosis, calibrated",
    "no_change": "no change",
    "no_change_calibrated": "no change, calibrated",
    "by_visits": "published form: regression or logistic course",
}
GROUPS = {
    MIXTURE: "mixture, as trained", "constant": "constant", "accelerating": "accelerating", "decelerating": "decelerating",
    "converting": "converting", UNSEEN: "stepwise, never trained on",
}  # fmt: skip

REGIONS_SHOWN = ("ventricle", "hippocampus")
GIVEN = {"1 visit": "1", "2 visits and more": "2 +"}


def course_table(found: Forecasts) -> Table:
    """Return the scores of changes of volumes by course models and by ours, by the visits given."""
    names = [STILL, *(name for name in found.methods if name.startswith("course_")), MAIN]
    rows = []
    for visits, words in GIVEN.items():
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
            Column(f"{region}_mean_error_points", f"{TITLES[region]}: error of the change", "points", "down", 2),
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


def interval_reportlets(found: CourseIntervals | None) -> Iterator[Reportlet]:
    """Yield the picture and the tables of the intervals, nothing where they were not tested."""
    if found is not None:
        yield _picture(found)
        yield _models(found)
        yield _groups(found)


def interval_claims(found: CourseIntervals | None) -> Iterator[Claim]:
    """Yield the claims; `not run` where nothing was tested."""
    cells = [] if found is None else _cells(found)
    least, most = (None, None) if not cells else (min(cells, key=lambda one: one.held), max(cells, key=lambda one: one.held))
    for one, words, goal in (
        (least, "least", Goal("", AT_LEAST, "%", at_least=100 * HELD[0])),
        (most, "most", Goal("", AT_MOST, "%", at_most=100 * HELD[1])),
    ):
        text = f"90 % intervals of volumes, laws as trained: {words} that hold over 1, 2 and 3 visits and all regions"
        if one is not None:
            text += (
                f" ({TITLES[one.region]}, {_known(one.visits)}; {one.n} subjects, {100 * one.low:.0f} to {100 * one.high:.0f})"
            )
        # the bar is for the cells as they are found: the extreme of many has no interval of its own
        yield judged(Goal(text, goal.source, "%", at_least=goal.at_least, at_most=goal.at_most), one and 100 * one.held)
    for visits in VISITS:
        ratio = None if found is None else _ratio(found, visits)
        text = f"Interval score in parts of that of rates by diagnosis, laws as trained, {_known(visits)}"
        interval = None if ratio is None else (ratio.low, ratio.high)
        yield judged(Goal(text, AT_MOST, at_most=1.0), None if ratio is None else ratio.ratio, interval)
    for visits in VISITS:
        one = None if found is None else _held(found, UNSEEN, visits)
        text = f"90 % intervals that hold under the law of pace that nobody was trained on, all regions, {_known(visits)}"
        interval = None if one is None else (100 * one.low, 100 * one.high)
        yield judged(Goal(text, AT_LEAST, "%", at_least=100 * UNSEEN_HELD), one and 100 * one.held, interval)


def interval_numbers(found: CourseIntervals | None) -> Iterator[Number]:
    """Yield how often the intervals hold as trained and under the law that nobody was trained on, beside the rates."""
    if found is None:
        return
    for group, words in ((MIXTURE, "laws as trained"), (UNSEEN, "a law never trained on")):
        pairs = [(_held(found, group, visits), _held(found, group, visits, RIVAL)) for visits in VISITS]
        known = [(ours, rival) for ours, rival in pairs if ours is not None and rival is not None]
        if known:
            ours, rival = min(known, key=lambda pair: pair[0].held)
            yield Number(
                f"90 % intervals of volumes that hold, {words}: the least of 1, 2 and 3 visits",
                100 * ours.held, "%", (100 * ours.low, 100 * ours.high), MODELS[RIVAL], 100 * rival.held,
            )  # fmt: skip


def interval_sentence(found: CourseIntervals | None) -> str:
    """Return in one sentence how often the intervals hold, empty where they were not tested."""
    cells = [] if found is None else _cells(found)
    if found is None or not cells:
        return ""
    held = sorted(100 * one.held for one in cells)
    unseen = sorted(100 * one.held for visits in VISITS if (one := _held(found, UNSEEN, visits)) is not None)
    ratio = _ratio(found, 0)
    text = f"The 90 % intervals of volumes hold {held[0]:.0f} to {held[-1]:.0f} % over regions and 1 to 3 visits"
    if unseen:
        text += f", and {unseen[0]:.0f} to {unseen[-1]:.0f} % under a law of pace that nobody was trained on"
    if ratio is not None:
        text += f"; their score is {ratio.ratio:.2f} ({ratio.low:.2f} to {ratio.high:.2f}) of that of rates by diagnosis"
    return f"{text}."


def _cells(found: CourseIntervals) -> list[IntervalScore]:
    rows = found.of(model=OURS, volumes="exact", group=MIXTURE, horizon=ALL)
    return [one for one in rows if one.region != ALL]


def _held(found: CourseIntervals, group: str, visits: int, model: str = OURS, volumes: str = "exact") -> IntervalScore | None:
    rows = found.of(model=model, volumes=volumes, group=group, visits=visits, region=ALL, horizon=ALL)
    return rows[0] if rows else None


def _ratio(found: CourseIntervals, visits: int, volumes: str = "exact", group: str = MIXTURE) -> ScoreRatio | None:
    rows = [
        one for one in found.ratios
        if (one.rival, one.volumes, one.group, one.visits) == (RIVAL, volumes, group, visits)
    ]  # fmt: skip
    return rows[0] if rows else None


def _known(visits: int) -> str:
    return f"{visits} visit{'s' * (visits > 1)}"


def _picture(found: CourseIntervals) -> Figure:
    def bars(one: Axes, rows: Sequence[tuple[str, Sequence[IntervalScore]]], names: Sequence[str]) -> None:
        one.axhspan(100 * HELD[0], 100 * HELD[1], color="0.5", alpha=0.18, linewidth=0)
        one.axhline(90, color="0.5", linewidth=0.8)
        for place, (_, marks) in enumerate(rows):
            for cell in marks:
                number = names.index(_name(cell, names))
                x = place + (number - (len(names) - 1) / 2) * 0.2
                held = 100 * cell.held
                errors = [[held - 100 * cell.low], [100 * cell.high - held]]
                one.errorbar([x], [held], yerr=errors, fmt="o", markersize=4, color=COLOURS[number], linewidth=1.2)
        for number, name in enumerate(names):
            one.plot([], [], "o", markersize=4, color=COLOURS[number], label=name)
        one.set_xticks(range(len(rows)), [title for title, _ in rows], rotation=35, ha="right", fontsize=8)
        one.set_ylim(0, 102)
        one.set_ylabel("intervals that hold, %", fontsize=8)
        one.legend(fontsize=7, frameon=False, loc="lower left")
        for side in ("top", "right"):
            one.spines[side].set_visible(False)

    def draw(axes: Sequence[Axes], _: Any) -> None:
        ours = found.of(model=OURS, volumes="exact")
        visits = [_known(number) for number in VISITS]
        regions = [
            (TITLES[region], [one for one in ours if (one.group, one.horizon, one.region) == (MIXTURE, ALL, region)])
            for region in REGIONS
        ]
        laws = [
            (title.partition(",")[0], [one for one in ours if (one.group, one.horizon, one.region) == (group, ALL, ALL)])
            for group, title in GROUPS.items()
        ]
        horizons = dict.fromkeys(one.horizon for one in ours if one.horizon != ALL)
        years = [
            (name, [one for one in ours if (one.group, one.horizon, one.region) == (MIXTURE, name, ALL)]) for name in horizons
        ]
        for one, rows, title in zip(axes, (regions, laws, years), ("by region", "by law of pace", "by years ahead"), strict=True):
            bars(one, rows, visits)
            one.set_title(title, fontsize=9)

    from sciml.report.graphics.drawing import panels

    return Figure(
        "How often the 90 % intervals of volumes hold",
        panels(3, (11.5, 4.0), draw),
        f"Share of true volumes within the interval, by visits known, over {found.subjects.get(MIXTURE, 0)} test subjects a "
        "group, with exact 95 % binomial intervals over subjects; the band is the goal of 85 to 95 %. The courses learned from "
        f"{found.trained_on} other subjects of the mixture. By region and years ahead: subjects of the mixture. Nobody was "
        "trained on stepwise, a plateau and then a fast loss.",
        "three panels of points with bars: coverage by region, by law of pace and by years ahead, for one, two and three visits",
    )


def _name(cell: IntervalScore, names: Sequence[str]) -> str:
    return names[VISITS.index(cell.visits)]


def _models(found: CourseIntervals) -> Table:
    rows: list[dict[str, Value]] = []
    for volumes in ("exact", "measured"):
        for visits in VISITS:
            for model, title in MODELS.items():
                one = _held(found, MIXTURE, visits, model, volumes)
                unseen = _held(found, UNSEEN, visits, model, volumes)
                if one is None:
                    continue
                rows.append(
                    {
                        "group": f"{volumes}, {_known(visits)}", "model": title, "held": 100 * one.held,
                        "score": one.score_points, "crps": one.crps_points,
                        "unseen": None if unseen is None else 100 * unseen.held,
                        "unseen_score": None if unseen is None else unseen.score_points,
                        "unseen_crps": None if unseen is None else unseen.crps_points,
                    }
                )  # fmt: skip
    errors = ", ".join(f"{TITLES[region]} {value:g}" for region, value in found.measurement_percent.items())
    return Table(
        "Intervals of volumes beside those of the rivals",
        [
            Column("group", "volumes, visits known"), Column("model", "forecast"),
            Column("held", "90 % intervals that hold", "%", None, 0), Column("score", "interval score", "points", "down", 1),
            Column("crps", "CRPS", "points", "down", 2), Column("unseen", "hold under the law never trained on", "%", None, 0),
            Column("unseen_score", "interval score there", "points", "down", 1),
            Column("unseen_crps", "CRPS there", "points", "down", 2),
        ],
        rows,
        "Means over regions and subjects, in ln V; smaller scores are better, and reward intervals that are narrow and hold. "
        "No change and rates by diagnosis with intervals of their own, and calibrated by the same rule as ours.",
        "Exact volumes are those of the simulation. Measured ones have the error of a segmentation at every visit, and the "
        f"courses are fitted and tested with it: standard deviations in % ({errors}), of the order of what segmentations have, "
        "from memory and no study.",
        group="group",
    )  # fmt: skip


def _groups(found: CourseIntervals) -> Table:
    rows: list[dict[str, Value]] = []
    for group, title in GROUPS.items():
        for visits in VISITS:
            one, blurred = (_held(found, group, visits, OURS, volumes) for volumes in ("exact", "measured"))
            if one is None:
                continue
            ratio = _ratio(found, visits, "exact", group)
            rows.append(
                {
                    "law": title, "visits": str(visits), "n": one.n, "held": 100 * one.held, "low": 100 * one.low,
                    "high": 100 * one.high, "ratio": None if ratio is None else ratio.ratio,
                    "measured": blurred and 100 * blurred.held,
                    "unlike": 100 * found.unlike[group][str(visits)] if group in found.unlike else None,
                }
            )  # fmt: skip
    return Table(
        "Intervals of volumes by law of pace",
        [
            Column("law", "law of pace"), Column("visits", "visits known"), Column("n", "subjects"),
            Column("held", "hold", "%", None, 1), Column("low", "from", "%", None, 1), Column("high", "to", "%", None, 1),
            Column("ratio", "score in parts of rates by diagnosis", "", "down", 2),
            Column("measured", "hold, measured volumes", "%", None, 1),
            Column("unlike", "noted as unlike the training subjects", "%", None, 1),
        ],
        rows,
        "All regions. A law alone is a part of the mixture: intervals are right over the mixture, too wide where the pace is "
        "even and too narrow where it is not.",
        group="law",
    )  # fmt: skip
