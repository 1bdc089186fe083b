"""Drawings of the page that no other reportlet makes: panels of functions, strips of images with R, groups of points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sciml.report.graphics.drawing import SOFT, Drawing, panels, plain
from sciml.report.graphics.palette import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def function_panels(
    y: np.ndarray, learned: Mapping[str, Mapping[str, np.ndarray]], exact: Mapping[str, Mapping[str, np.ndarray]]
) -> Drawing:
    """Return f, psi and R over the line: learned solid, exact dashed in the same colour, the MAP black.

    Args:
        y: grid, shape (point,).
        learned: target -> `f`, `psi`, `R`, what is known of them; R is drawn over f.
        exact: target -> `f`, `psi`, `R` of the exact minimisers, `map` among them.
    """

    def draw(axes: Sequence[Axes], figure: Figure) -> None:
        for one, key, title in zip(
            axes, ("f", "psi", "R"), ("denoiser f(y)", "potential psi(y)", "regulariser R(x), R(0) = 0"), strict=True
        ):
            plain(one, "x" if key == "R" else "y", "", title)
            for index, target in enumerate(learned):
                colour = COLOURS[index % len(COLOURS)]
                for group, style, width in ((exact, (0, (4, 2)), 1.2), (learned, "-", 1.8)):
                    values = group.get(target, {})
                    if key in values:
                        across = values["f"] if key == "R" else y
                        label = target.replace("-", " ") if group is learned else None
                        shown = values[key] - (0 if key != "psi" else np.interp(0.0, y, values[key]))
                        one.plot(across, shown, color=colour, linestyle=style, linewidth=width, label=label)
            if key in exact.get("map", {}):
                values = exact["map"]
                label = "MAP: soft threshold, |x|"
                shown = values[key] - (0 if key != "psi" else np.interp(0.0, y, values[key]))
                one.plot(values["f"] if key == "R" else y, shown, color="#000000", linewidth=1.2, linestyle=":", label=label)
        handles, labels = axes[0].get_legend_handles_labels()
        if labels:
            figure.legend(handles, labels, loc="outside lower center", ncols=min(7, len(labels)), frameon=False, fontsize=9)

    return panels(3, (11.5, 4.0), draw, dpi=120)


def strip_figure(
    strips: Sequence[tuple[str, np.ndarray, Sequence[float], Sequence[str]]], side: float = 1.3, dpi: int = 110
) -> Drawing:
    """Return rows of images with the level above and a number below each.

    Args:
        strips: name of the row, images (level, rows, columns), levels, and the text below each image.
        side: side of an image, in inches.
        dpi: pixels an inch.
    """
    columns = max(len(levels) for _, _, levels, _ in strips)

    def draw(axes: Sequence[Axes], figure: Figure) -> None:
        for one in axes:
            one.set_axis_off()
        for row, (name, images, levels, texts) in enumerate(strips):
            axes[row * columns].text(
                -0.08, 0.5, name, transform=axes[row * columns].transAxes, ha="right", va="center", fontsize=10, rotation=90
            )
            for column, (image, level, text) in enumerate(zip(images, levels, texts, strict=True)):
                one = axes[row * columns + column]
                one.imshow(np.clip(image, 0, 1), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
                one.set_title(f"{level:g}", fontsize=9, color=SOFT, pad=3)
                one.text(0.5, -0.04, text, transform=one.transAxes, ha="center", va="top", fontsize=9, weight="bold")
        figure.get_layout_engine().set(hspace=0.09)  # pyright: ignore

    return panels(columns, (side * columns + 0.3, (side + 0.5) * len(strips)), draw, len(strips), dpi)


def band_figure(paths: Sequence[tuple[str, Sequence[float], np.ndarray]], y_title: str) -> Drawing:
    """Return one panel a corruption: every picture a thin line, the median thick, the quartiles shaded.

    Args:
        paths: title of the x axis, levels, values (level, picture); what is not finite is left out.
        y_title: title of the y axis of the first panel.
    """

    def draw(axes: Sequence[Axes], figure: Figure) -> None:
        for index, (one, (name, levels, values)) in enumerate(zip(axes, paths, strict=True)):
            finite = np.where(np.isfinite(values), values, np.nan)
            low, median, high = np.nanquantile(finite, (0.25, 0.5, 0.75), axis=1)
            one.plot(levels, finite[:, :60], color="#999999", linewidth=0.5, alpha=0.45)
            one.fill_between(levels, low, high, color=COLOURS[0], alpha=0.25, linewidth=0)
            one.plot(levels, median, color=COLOURS[0], linewidth=2, marker="o", markersize=4)
            plain(one, name, "" if index else y_title)

    return panels(len(paths), (3.9 * len(paths), 3.3), draw, dpi=110)


def points_figure(groups: Mapping[str, np.ndarray], x_title: str, centre: float | None = None) -> Drawing:
    """Return one row of points a group with its histogram below; `centre` draws a dashed line."""
    everything = np.concatenate([values[np.isfinite(values)] for values in groups.values()])
    edges = np.histogram_bin_edges(everything, bins=24)

    def draw(axes: Sequence[Axes], figure: Figure) -> None:
        for index, (one, (name, values)) in enumerate(zip(axes, groups.items(), strict=True)):
            finite = values[np.isfinite(values)]
            one.hist(finite, edges.tolist(), color=COLOURS[index % len(COLOURS)], alpha=0.75)
            one.plot(finite, np.full(len(finite), -0.25), "|", color=COLOURS[index % len(COLOURS)], markersize=8)
            if centre is not None:
                one.axvline(centre, color="#000000", linestyle="--", linewidth=0.9)
            plain(one, x_title if index == len(axes) - 1 else "")
            one.set_ylabel(name, fontsize=9, rotation=0, ha="right", va="center")
            one.set_xlim(edges[0], edges[-1])
            if index < len(axes) - 1:
                one.set_xticklabels([])

    return panels(1, (7.6, 0.6 + 0.95 * len(groups)), draw, len(groups), dpi=110)


def heat(image: np.ndarray, limit: float) -> np.ndarray:
    """Return sizes on [0, limit] as RGB in the colours of the error maps."""
    from sciml.report.pictures import error_map

    return error_map(image, np.zeros_like(image), limit)
