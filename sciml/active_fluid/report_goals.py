"""What the study wants to reach, and how a number is judged by it."""

from __future__ import annotations

from typing import Literal

Status = Literal["reproduced", "partly", "not"]
AT_LEAST, AT_MOST = "goal of this study, at least", "goal of this study, at most"
PEER = "measured in this run"

RATE_ERROR = 1e-4
OVER_BINGHAM, OVER_ORDER = 0.35, 0.05
NEARLY_OVER_BINGHAM = 0.25
LONGER, NEARLY_LONGER = 1.5, 1.3
HELD_OUT_POINTS, HELD_OUT_SEEDS = 6, 3
SAMPLES, SLACK = 1_000_000, -1e-12
# relative difference of automatic derivatives from finite differences
GRADIENT_ERROR = 1e-6
SIDE, UNTIL = 5, 200.0
# kinetic seconds a step over those of the coarse model
SPEED_UP = {("learned", 16): 2.0, ("learned", 42): 10.0, ("bingham", 16): 3.5, ("bingham", 42): 25.0}
SPEED_POINTS = 64
TWINS, TWIN_ERROR, COVERAGE, KINETIC_ERROR = 20, 0.02, 0.8, 0.05


def met(value: float, goal: float, partly: float | None = None, enough: bool = True) -> Status:
    """Return the status of a number that should reach a goal; NaN reaches none.

    Args:
        value: the number.
        goal: least value.
        partly: least value that is partly met.
        enough: whether the run is as large as the goal asks; a smaller one meets it partly at most.
    """
    if value >= goal:
        return "reproduced" if enough else "partly"
    return "partly" if partly is not None and value >= partly else "not"


def kept(value: float, limit: float, partly: float | None = None, enough: bool = True) -> Status:
    """Return the status of a number that should stay below a limit; as `met`."""
    return met(-value, -limit, None if partly is None else -partly, enough)
