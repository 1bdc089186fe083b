"""Names and looks of the closures, the same on the whole page, and the numbers that its tables share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sciml.active_fluid.study.results import Point
from sciml.report.graphics.drawing import INK
from sciml.report.graphics.palette import Palette
from sciml.report.reportlets import Spread
from sciml.report.words import minus, spread_over

TITLES = {
    "kinetic": "kinetic theory",
    "quadratic": "quadratic",
    "bingham": "Bingham",
    "order": "learned, of the order alone",
    "offline": "learned, offline",
    "rollout": "learned, through the solver",
    "shipped": "learned, shipped",
    "burg": "second order, Burg",
    "second": "second order, learned",
    "learned": "learned",
}
# the closures in the order of the page's colours; the truth is drawn in the ink of the page
SERIES = tuple(
    TITLES[name] for name in ("rollout", "bingham", "offline", "order", "quadratic", "shipped", "learned", "second", "burg")
)
PALETTE = Palette(SERIES)


def title_of(name: str) -> str:
    """Return a closure's name as it is read."""
    return TITLES.get(name, name)


def colour_of(name: str) -> str:
    """Return a closure's colour."""
    return line_of(name)["color"]


def line_of(name: str) -> dict[str, Any]:
    """Return the line properties of a closure."""
    look = {"color": INK, "linestyle": "-"} if name == "kinetic" else PALETTE[title_of(name)].line
    return {**look, "linewidth": 1.9}


def marker_of(name: str) -> dict[str, Any]:
    """Return the properties of a closure's dots."""
    return {"color": INK, "marker": "*", "linestyle": "none"} if name == "kinetic" else PALETTE[title_of(name)].dots


def point_words(point: Point) -> str:
    """Return alpha and zeta as text."""
    return minus(f"\u03b1 {point[0]:g}, \u03b6 {point[1]:g}")


def spread_of(numbers: Sequence[float | None]) -> Spread | str:
    """Return mean and standard deviation; a text where one is missing or not finite."""
    found = np.array(numbers, dtype=float)
    return (spread_over(found) or "not run") if np.isfinite(found).all() else "diverged"
