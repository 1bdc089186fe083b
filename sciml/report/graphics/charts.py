"""Curves: a Vega-Lite specification for the screen and a drawing for paper."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sciml.report.graphics.drawing import Drawing, panels, plain
from sciml.report.graphics.palette import DASHES, TOKENS, Look, Palette
from sciml.report.reportlets import Curve
from sciml.runtime.errors import ScimlError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_ROWS = 5000
MOST_POINTS = 60
# of all labels of a legend's row, with room for their signs, in half of the page's width
LEGEND_CHARACTERS = 72


def plain_rows(curve: Curve) -> list[dict[str, Any]]:
    """Return the rows with Python numbers; what is not finite, or not positive on a log axis, becomes None.

    Raises:
        ScimlError: no rows, too many, or a column that a row lacks.
    """
    if not curve.rows or len(curve.rows) > MOST_ROWS:
        raise ScimlError(f"the curve {curve.title!r} has {len(curve.rows)} rows; give between 1 and {MOST_ROWS}")
    keys = [curve.x, curve.y, *([curve.series] if curve.series else [])]
    rows = []
    for row in curve.rows:
        missing = [key for key in keys if key not in row]
        if missing:
            raise ScimlError(f"a row of the curve {curve.title!r} lacks {missing}; it has {sorted(row)}")
        plain = {key: _plain(value) for key, value in row.items()}
        for key, is_log in ((curve.x, curve.log_x), (curve.y, curve.log_y)):
            if is_log and isinstance(plain[key], int | float) and plain[key] <= 0:
                plain[key] = None
        if curve.series:
            plain[curve.series] = str(plain[curve.series])
        rows.append(plain)
    return rows


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def spec(curve: Curve, palette: Palette | None = None) -> dict[str, Any]:
    """Return the Vega-Lite specification; all colours are tokens, for which the page puts those of its scheme.

    Args:
        curve: what is drawn.
        palette: of the page; a new one by default.
    """
    import altair as alt

    rows = plain_rows(curve)
    # Vega reads dots and brackets in a field's name as a path, so the data get names of their own
    names = {curve.x: "x", curve.y: "y"} | ({curve.series: "series"} if curve.series else {})
    data = [{short: row[key] for key, short in names.items()} for row in rows]
    # a rounded logarithmic axis may be twice as long as its data
    x_scale, y_scale = (
        alt.Scale(type="log", nice=False) if logarithmic else alt.Scale(zero=False, nice=True)
        for logarithmic in (curve.log_x, curve.log_y)
    )
    encodings: dict[str, Any] = {
        "x": alt.X("x", type="quantitative", title=curve.x_title, scale=x_scale),
        "y": alt.Y("y", type="quantitative", title=curve.y_title, scale=y_scale),
        "tooltip": [
            *([alt.Tooltip("series", type="nominal", title=curve.series)] if curve.series else []),
            alt.Tooltip("x", type="quantitative", title=curve.x_title, format=".5~g"),
            alt.Tooltip("y", type="quantitative", title=curve.y_title, format=".5~g"),
        ],
    }
    if curve.series:
        labels = list(dict.fromkeys(row["series"] for row in data))
        looks = _looks(labels, palette or Palette())
        columns = max(1, min(4, LEGEND_CHARACTERS // (max(map(len, labels)) + 6)))
        legend = alt.Legend(title=None, orient="top", symbolType="stroke", symbolStrokeWidth=3, columns=columns, labelLimit=420)
        picked = alt.selection_point(fields=["series"], bind="legend", name="picked")
        encodings["color"] = alt.Color(
            "series", type="nominal", scale=alt.Scale(domain=labels, range=[TOKENS[look.colour] for look in looks]), legend=legend
        )
        encodings["strokeDash"] = alt.StrokeDash(
            "series",
            type="nominal",
            scale=alt.Scale(domain=labels, range=[list(DASHES[look.dash] or (1, 0)) for look in looks]),
            legend=legend,
        )
        encodings["opacity"] = alt.condition(picked, alt.value(1.0), alt.value(0.12))
    most = max(len(members) for members in _by_series(rows, curve).values())
    point: Any = {"size": 36, "filled": True} if most <= MOST_POINTS else {"size": 60, "opacity": 0}
    colour = {} if curve.series else {"color": TOKENS[0]}
    chart = alt.Chart(alt.InlineData(values=data)).mark_line(point=point, strokeWidth=2, **colour).encode(**encodings)  # type: ignore[arg-type]
    if curve.series:
        chart = chart.add_params(picked)
    chart = chart.add_params(alt.selection_interval(bind="scales", name="zoomed", zoom="wheel![event.shiftKey]"))
    result = chart.properties(width="container", height=320).to_dict()
    # altair's own theme would fix a size and a white ground
    result.pop("config", None)
    return result


def _looks(labels: Sequence[str], palette: Palette) -> list[Look]:
    palette.bind(labels)
    return [palette[label] for label in labels]


def static_drawing(curve: Curve, palette: Palette | None = None) -> Drawing:
    """Return the curve as a drawing, for print and for pages without scripts; arguments as in `spec`."""
    groups = _by_series(plain_rows(curve), curve)
    looks = _looks(list(groups), palette or Palette())

    def draw(axes: Sequence[Axes], _: Figure) -> None:
        for look, (label, rows) in zip(looks, groups.items(), strict=True):
            points = [(row[curve.x], row[curve.y]) for row in rows if row[curve.x] is not None and row[curve.y] is not None]
            marker = look.dots["marker"] if len(points) <= MOST_POINTS else None
            # a dollar sign would start a formula
            axes[0].plot(
                *zip(*points, strict=True) if points else ((), ()), **look.line, marker=marker, ms=4, label=_literal(label)
            )
        plain(axes[0], _literal(curve.x_title), _literal(curve.y_title))
        axes[0].set_xscale("log" if curve.log_x else "linear")
        axes[0].set_yscale("log" if curve.log_y else "linear")
        if curve.series:
            axes[0].legend(frameon=False, fontsize=9)

    return panels(1, (7.2, 3.7), draw)


def _literal(text: str) -> str:
    return text.replace("$", r"\$")


def _by_series(rows: Sequence[dict[str, Any]], curve: Curve) -> Mapping[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row[curve.series] if curve.series else "", []).append(row)
    return groups
