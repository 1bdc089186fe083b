"""Grids and time steps that are found: from the parameters first, and then from what stops a run.

A run with `points="auto"` that lacks points, or whose time step is too long, begins anew with what its last spectrum asks for.
So it is to the bit the run that was given those numbers, and its saved times have one grid.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from sciml.active_fluid.fields.grid import MIN_POINTS
from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.solvers.causes import GRAIN, StoppedRun
from sciml.active_fluid.solvers.guards import Bounds, stable_bounds, stable_step
from sciml.active_fluid.solvers.layout import attributes_of

if TYPE_CHECKING:
    import xarray as xr

log = logging.getLogger(__name__)

AUTO: Literal["auto"] = "auto"
# points a width of a defect's core
POINTS_A_CORE = 1.35
# largest speed of a run over that of its longest wave where all rods are aligned: measured up to 1.4
FAST = 1.5
# beyond these a run that stops stays stopped
MAX_POINTS, MAX_BEGINNINGS = 1024, 12

Solver = TypeVar("Solver")


def alignment(parameters: Parameters) -> float:
    """Return h, the rate of alignment and strain together where all rods are aligned.

    It is also the growth rate of the isotropic state's waves, without the diffusions.
    """
    p = parameters.as_dict()
    return p["zeta"] + abs(p["beta"] * p["zeta"] - 2 * p["alpha"]) / (8 + p["beta"])


def points_for(parameters: Parameters, grain: int = GRAIN, imposed: float = 0.0) -> int:
    """Return the points a side that runs of these parameters are begun with.

    Waves below k = sqrt(h / d_t) grow, and defect cores have a width of about its inverse.

    Args:
        parameters: coefficients of the theory.
        grain: number of which the points are a multiple.
        imposed: rate of strain of an imposed flow, which adds to h.
    """
    h, p = alignment(parameters) + imposed, parameters.as_dict()
    cores = p["length"] * math.sqrt(h / p["d_t"])
    return max(2 * MIN_POINTS, grain * math.ceil(POINTS_A_CORE * cores / grain))


def turning_step(parameters: Parameters, modes: int, time_step: float) -> float:
    """Return a time step, the given one halved as often as it takes, in which M angular modes turn by no more than .6.

    They turn at up to 2 M h, which the explicit part of a step has to follow.
    """
    while 2 * modes * alignment(parameters) * time_step > 0.6:
        time_step /= 2
    return time_step


def begun(solver: Solver) -> Solver:
    """Return a solver with the points and the longest time step that its parameters ask for."""
    given: Any = solver
    p, modes = given.parameters, getattr(given, "modes", None)
    gradient = given.forcing if given.forcing is not None and given.forcing.moves else None
    imposed = 0.0 if gradient is None else abs(gradient.strain or 0.0) + abs(gradient.shear or 0.0) / 2
    points, step = points_for(p, imposed=imposed), given.time_step
    if modes is not None:
        step = turning_step(p, modes, step)
    # the longest wave k = 2 pi / L of full order drives u = |alpha| / (2 k) / (1 + beta / 8)
    fastest = FAST * abs(p.alpha) * p.length / (4 * math.pi) / (1 + p.beta / 8)
    if stable_bounds(p, points, 1, step).speed < fastest:
        step = stable_step(p, points, 1, Bounds(fastest, 0.0), step)
    return dataclasses.replace(given, points=points, time_step=step)


def settled(solver: Solver, run: Callable[[Solver, tuple[str, ...]], xr.Dataset], store: Path | str | None) -> xr.Dataset:
    """Return the run of a solver whose points are to be found.

    The grid of a store that exists is kept, and so is a store that was made with points that were given.

    Args:
        solver: a solver with `points="auto"`.
        run: the run of a solver with points, and the sentences of how they came about.
        store: folder of the run, or None.

    Raises:
        StoppedRun: another cause than points and time step, or no end of them.
    """
    given: Any = solver
    path = None if store is None else Path(store)
    if path is not None and path.exists():
        held = attributes_of(path)
        chosen = list(held.get("points_chosen", ()))
        now = dataclasses.replace(given, points=held["points"], time_step=min(given.time_step, held["time_step"]))
    else:
        now: Any = begun(given)
        chosen = [f"{now.points} points and a time step of {now.time_step:g}, from the parameters"]
    while True:
        try:
            return run(now, tuple(chosen))
        except StoppedRun as stopped:
            changes = {name: stopped.remedy[name] for name in ("points", "time_step") if name in stopped.remedy}
            if not chosen or not changes or len(chosen) >= MAX_BEGINNINGS or changes.get("points", 0) > MAX_POINTS:
                raise
            now = dataclasses.replace(now, **changes)
            chosen.append(f"{now.points} points and a time step of {now.time_step:g}, since the run before {stopped}")
            log.warning("%s", chosen[-1])
            if path is not None:
                shutil.rmtree(path)
