"""Activity and alignment from noisy snapshots: estimates beside the truth, twins and kinetic data apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sciml.active_fluid.page.claims import KINETIC_ERROR, NAMES, TWIN_ERROR, errors, mean_error
from sciml.active_fluid.page.results import StudyResults
from sciml.active_fluid.study.recovery_results import KINETIC, TWIN, Experiment, RecoveryResult
from sciml.report.graphics.drawing import panels, plain
from sciml.report.graphics.palette import COLOURS
from sciml.report.reportlets import Column, Figure, Reportlet, Table, Value
from sciml.report.words import MINUS, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# colour, marker, goal in relative error
KINDS = {TWIN: (COLOURS[0], "o", TWIN_ERROR), KINETIC: (COLOURS[1], "s", KINETIC_ERROR)}
TITLES = {TWIN: "twins: data of the closed model", KINETIC: "data of the kinetic theory"}
SHORT = {TWIN: "twin", KINETIC: "kinetic"}
SYMBOLS = {"alpha": "\u03b1", "zeta": "\u03b6"}


def recovery_reportlets(study: StudyResults) -> Iterator[Reportlet]:
    """Yield plot and table, nothing where no experiments were made."""
    if study.recovery is None or not study.recovery.rows:
        return
    yield recovery_figure(study.recovery)
    yield recovery_table(study.recovery)


def recovery_figure(recovery: RecoveryResult) -> Figure:
    """Return estimates over the truth, and relative errors with their intervals one by one."""
    rows = [row for kind in KINDS for row in recovery.of(kind)]

    def draw(axes: Sequence[Axes], _: object) -> None:
        for place, name in enumerate(NAMES):
            _diagonal(axes[place], rows, name)
            _errors(axes[2 + place], rows, name)
        axes[0].legend(fontsize=8, frameon=False)

    biases = [
        f"{TITLES[kind]}: {', '.join(f'{SYMBOLS[n]} {percent(mean_error(mine, n), 2)}' for n in NAMES)}"
        for kind in KINDS
        if (mine := recovery.of(kind))
    ]
    return Figure(
        "Parameters from snapshots",
        panels(2, (9.6, 6.4), draw, rows=2),
        f"From five snapshots with {percent(recovery.noise, 0)} noise on {recovery.points}\u00b2 points, the search "
        "started anywhere in the box. Above: estimates over the truth. Below: errors one by one with 90 % intervals; dashed "
        "lines are the goals of each kind. Twins test the inference, and their intervals hold the noise alone; kinetic data test "
        "the closure too, whose error the intervals hold as it was on its training runs: thick bars are the noise's part. "
        f"Bias, the mean of signed errors: {'; '.join(biases)}.",
        f"estimates of activity and alignment of {len(rows)} experiments near the diagonal; bias {'; '.join(biases)}",
    )


def _diagonal(axis: Axes, rows: Sequence[Experiment], name: str) -> None:
    truths = [row.estimate(name).truth for row in rows]
    ends = [min(truths), max(truths)]
    margin = 0.08 * (ends[1] - ends[0]) or 0.05 * abs(ends[0])
    line = [ends[0] - margin, ends[1] + margin]
    axis.plot(line, line, color="#888888", linewidth=0.9)
    for kind, (colour, marker, _) in KINDS.items():
        mine = [row.estimate(name) for row in rows if row.data == kind]
        if mine:
            found = np.array([one.value for one in mine], dtype=float)
            look = {"color": colour, "label": TITLES[kind], "fillstyle": "none", "mew": 1.6}
            axis.plot([one.truth for one in mine], found, marker, **look)
    plain(axis, f"true {SYMBOLS[name]}", f"estimated {SYMBOLS[name]}", NAMES[name])


def _errors(axis: Axes, rows: Sequence[Experiment], name: str) -> None:
    for kind, (colour, marker, goal) in KINDS.items():
        places = [place for place, row in enumerate(rows) if row.data == kind]
        if not places:
            continue
        mine = [rows[place] for place in places]
        ends = [(one.truth, one.value, one.low, one.high) for one in (row.estimate(name) for row in mine)]
        truth, found, low, high = np.array(ends, dtype=float).T
        sizes = 100 * np.stack([found - low, high - found]) / np.abs(truth)
        look = {"fmt": marker, "color": colour, "markersize": 4, "elinewidth": 1.3, "capsize": 2}
        axis.errorbar(places, 100 * errors(mine, name), sizes, **look)
        halves = np.array([row.estimate(name).noise_half for row in mine], dtype=float)
        axis.errorbar(places, 100 * errors(mine, name), 100 * halves / np.abs(truth), fmt="none", color=colour, elinewidth=3.5)
        for sign in (-1, 1):
            axis.hlines(sign * 100 * goal, places[0] - 0.4, places[-1] + 0.4, colors=colour, linestyles="--", linewidth=1.0)
    axis.axhline(0, color="#888888", linewidth=0.9)
    axis.set_xticks([])
    plain(axis, "experiment", f"error of {SYMBOLS[name]} (%)")


def recovery_table(recovery: RecoveryResult) -> Table:
    """Return every experiment."""
    found: list[dict[str, Value]] = []
    for row in recovery.rows:
        start = f"{row.alpha_start:.2f}, {row.zeta_start:.2f}".replace("-", MINUS)
        line: dict[str, Value] = {"data": SHORT[row.data], "start": start}
        for name in NAMES:
            one = row.estimate(name)
            line |= {f"{name} truth": one.truth, f"{name} error": "no number" if one.error is None else 100 * one.error}
            line |= {f"{name} covered": "yes" if one.covered else "no"}
            line |= {f"{name} half": 100 * one.relative_half}
        line |= {"p": row.p_value, "noise": row.noise_ratio, "converged": "yes" if row.converged else "no"}
        found.append(line)
    columns = [Column("data", "data"), Column("start", "start (\u03b1, \u03b6)")]
    for name in NAMES:
        symbol = SYMBOLS[name]
        columns += [
            Column(f"{name} truth", f"true {symbol}", "", None, 3), Column(f"{name} error", f"error of {symbol}", "%", None, 2),
            Column(f"{name} half", "half-width", "%", None, 2), Column(f"{name} covered", "covered"),
        ]  # fmt: skip
    columns += [
        Column("p", "p", "", None, 3),
        Column("noise", "noise found / added", "", None, 2),
        Column("converged", "converged"),
    ]
    return Table(
        "Every inference",
        columns,
        found,
        "Covered: the 90 % interval holds the truth; its half-width is in percent of it. p: probability of so large a misfit "
        "from noise alone. A noise found well above the one added says that the model does not fit the data.",
    )
