"""Activity and alignment from noisy snapshots: estimates beside the truth, twins and kinetic data apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sciml.active_fluid.page.claims import KINETIC_ERROR, NAMES, TWIN_ERROR, experiments, mean_error
from sciml.active_fluid.page.results import Row, StudyResults
from sciml.active_fluid.page.style import BLUE, MINUS, RED, percent
from sciml.report.drawing import panels, plain
from sciml.report.reportlets import Column, Figure, Reportlet, Table, Text, Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# colour, marker, goal in relative error
KINDS = {"closed model": (BLUE, "o", TWIN_ERROR), "kinetic": (RED, "s", KINETIC_ERROR)}
TITLES = {"closed model": "twins: data of the closed model", "kinetic": "data of the kinetic theory"}
SHORT = {"closed model": "twin", "kinetic": "kinetic"}
SYMBOLS = {"alpha": "\u03b1", "zeta": "\u03b6"}


def recovery_reportlets(study: StudyResults) -> Iterator[Reportlet]:
    """Yield plot and table; sentences where experiments of a kind, or all, were not made."""
    rows = [] if study.recovery is None else study.recovery["rows"]
    if study.recovery is None or not rows:
        yield Text("Parameters from snapshots", "No parameters were inferred in this run.", "pictures")
        return
    for kind, words in TITLES.items():
        if not experiments(rows, kind):
            yield Text(
                "Parameters from snapshots", f"There are no experiments with {words.rpartition(': ')[2]} in this run.", "pictures"
            )
    yield recovery_figure(study.recovery)
    yield recovery_table(study.recovery)


def recovery_figure(recovery: Mapping[str, Any]) -> Figure:
    """Return estimates over the truth, and relative errors with their intervals one by one."""
    rows = [(kind, row) for kind in KINDS for row in experiments(recovery["rows"], kind)]

    def draw(axes: Sequence[Axes], _: object) -> None:
        for place, name in enumerate(NAMES):
            _diagonal(axes[place], rows, name)
            _errors(axes[2 + place], rows, name)
        axes[0].legend(fontsize=8, frameon=False)

    biases = [
        f"{TITLES[kind]}: {', '.join(f'{SYMBOLS[n]} {percent(mean_error(mine, n), 2)}' for n in NAMES)}"
        for kind in KINDS
        if (mine := experiments(recovery["rows"], kind))
    ]
    return Figure(
        "Parameters from snapshots",
        panels(2, (9.6, 6.4), draw, rows=2),
        f"From five snapshots with {percent(recovery['noise'], 0)} noise on {recovery['points']}\u00b2 points, the search "
        "started anywhere in the box. Above: estimates over the truth. Below: errors one by one with 90 % intervals; dashed "
        "lines are the goals of each kind. Twins test the inference, whose intervals have to cover; kinetic data test the "
        f"closure too, whose error no interval holds. Bias, the mean of signed errors: {'; '.join(biases)}.",
        f"estimates of activity and alignment of {len(rows)} experiments near the diagonal; bias {'; '.join(biases)}",
    )


def _diagonal(axis: Axes, rows: Sequence[tuple[str, Row]], name: str) -> None:
    truths = [row[f"{name}_truth"] for _, row in rows]
    ends = [min(truths), max(truths)]
    margin = 0.08 * (ends[1] - ends[0]) or 0.05 * abs(ends[0])
    line = [ends[0] - margin, ends[1] + margin]
    axis.plot(line, line, color="#888888", linewidth=0.9)
    for kind, (colour, marker, _) in KINDS.items():
        mine = [row for which, row in rows if which == kind]
        if mine:
            found = np.array([row[name] for row in mine], dtype=float)
            axis.plot(
                [row[f"{name}_truth"] for row in mine], found, marker, color=colour, label=TITLES[kind], fillstyle="none", mew=1.6
            )
    plain(axis, f"true {SYMBOLS[name]}", f"estimated {SYMBOLS[name]}", NAMES[name])


def _errors(axis: Axes, rows: Sequence[tuple[str, Row]], name: str) -> None:
    for kind, (colour, marker, goal) in KINDS.items():
        places = [place for place, (which, _) in enumerate(rows) if which == kind]
        if not places:
            continue
        mine = [rows[place][1] for place in places]
        scale = np.abs(np.array([row[f"{name}_truth"] for row in mine]))
        found, low, high = (np.array([row[f"{name}{end}"] for row in mine], dtype=float) for end in ("", "_low", "_high"))
        errors = 100 * np.array([row[f"{name}_error"] for row in mine], dtype=float)
        sizes = 100 * np.stack([found - low, high - found]) / scale
        axis.errorbar(places, errors, sizes, fmt=marker, color=colour, markersize=4, elinewidth=1.3, capsize=2)
        for sign in (-1, 1):
            axis.hlines(sign * 100 * goal, places[0] - 0.4, places[-1] + 0.4, colors=colour, linestyles="--", linewidth=1.0)
    axis.axhline(0, color="#888888", linewidth=0.9)
    axis.set_xticks([])
    plain(axis, "experiment", f"error of {SYMBOLS[name]} (%)")


def recovery_table(recovery: Mapping[str, Any]) -> Table:
    """Return every experiment."""
    found: list[dict[str, Value]] = []
    for row in recovery["rows"]:
        line: dict[str, Value] = {"data": SHORT[row["data"]]}
        line["start"] = f"{row['alpha_start']:.2f}, {row['zeta_start']:.2f}".replace("-", MINUS)
        for name in NAMES:
            error = row[f"{name}_error"]
            line |= {f"{name} truth": row[f"{name}_truth"], f"{name} error": "no number" if error is None else 100 * error}
            line[f"{name} covered"] = "yes" if row[f"{name}_covered"] else "no"
        line |= {"noise": row["noise_ratio"], "converged": "yes" if row["converged"] else "no"}
        found.append(line)
    columns = [Column("data", "data"), Column("start", "start (\u03b1, \u03b6)")]
    for name in NAMES:
        symbol = SYMBOLS[name]
        columns += [
            Column(f"{name} truth", f"true {symbol}", "", None, 3), Column(f"{name} error", f"error of {symbol}", "%", None, 2),
            Column(f"{name} covered", "covered"),
        ]  # fmt: skip
    columns += [Column("noise", "noise found / added", "", None, 2), Column("converged", "converged")]
    return Table(
        "Every inference",
        columns,
        found,
        "Covered: the 90 % interval holds the truth. A noise found well above the one added says that the model does not fit "
        "the data.",
    )
