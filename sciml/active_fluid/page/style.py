"""Names and looks of the closures, the same on the whole page, and the numbers that its tables share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sciml.active_fluid.study.results import Point
from sciml.report.charts import COLOURS
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
    "learned": "learned",
}
BLUE, RED, GREEN, PINK, SKY, ORANGE, GREY = COLOURS[:7]
# in this order curves give their series Okabe and Ito's colours, so that figures and curves agree
COLOURED = ("rollout", "bingham", "offline", "order", "quadratic", "shipped")
# colour, dash, marker: black and full for the truth
STYLES: dict[str, tuple[str, tuple[float, ...], str]] = {
    "kinetic": ("#000000", (), "*"),
    "rollout": (BLUE, (), "o"),
    "bingham": (RED, (5, 2), "s"),
    "offline": (GREEN, (2, 1), "D"),
    "order": (PINK, (3, 1, 1, 1), "^"),
    "quadratic": (SKY, (1, 1), "P"),
    "shipped": (ORANGE, (8, 2), "v"),
    "learned": (BLUE, (), "o"),
}


def coloured(names: Sequence[str]) -> list[str]:
    """Return closures in the order in which curves have to list them."""
    return sorted(names, key=lambda name: COLOURED.index(name) if name in COLOURED else len(COLOURED))


def title_of(name: str) -> str:
    """Return a closure's name as it is read."""
    return TITLES.get(name, name)


def colour_of(name: str) -> str:
    """Return a closure's colour."""
    return STYLES.get(name, (GREY, (), "."))[0]


def line_of(name: str) -> dict[str, Any]:
    """Return the line properties of a closure."""
    colour, dash, _ = STYLES.get(name, (GREY, (6, 3), "."))
    return {"color": colour, "linestyle": (0, dash) if dash else "-", "linewidth": 1.9}


def marker_of(name: str) -> dict[str, Any]:
    """Return the properties of a closure's dots."""
    colour, _, marker = STYLES.get(name, (GREY, (), "."))
    return {"color": colour, "marker": marker, "linestyle": "none"}


def point_words(point: Point) -> str:
    """Return alpha and zeta as text."""
    return minus(f"\u03b1 {point[0]:g}, \u03b6 {point[1]:g}")


def spread_of(numbers: Sequence[float | None]) -> Spread | str:
    """Return mean and standard deviation; a text where one is missing or not finite."""
    found = np.array(numbers, dtype=float)
    return (spread_over(found) or "not run") if np.isfinite(found).all() else "diverged"
