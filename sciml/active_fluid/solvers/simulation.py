"""The command's run: texts read into a solver and an initial state, and a picture of the result."""

from __future__ import annotations

import math
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sciml.active_fluid.closures.closure import BinghamClosure, QuadraticClosure
from sciml.active_fluid.fields.forcing import Cells, Forcing, Kolmogorov
from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.solvers.automatic import AUTO
from sciml.active_fluid.solvers.initial import VARIABLES
from sciml.active_fluid.solvers.layout import FORMAT
from sciml.active_fluid.solvers.netcdf import write_netcdf
from sciml.active_fluid.solvers.running import Estimate, Progress
from sciml.active_fluid.solvers.solvers import CoarseSolver, KineticSolver
from sciml.active_fluid.solvers.store import open_run
from sciml.active_fluid.theory.states import AMPLE_TOLERANCE, modes_needed, random_state
from sciml.formats.fields import open_dataset
from sciml.runtime.errors import ConfigError, DataError

MIN_AUTOMATIC_MODES = 16
# grid of the random state that a run with a grid to be found begins with: its few long waves are on every grid the same
RANDOM_POINTS = 64


def simulate(
    parameters: Parameters,
    out: Path,
    *,
    model: str,
    closure: str | None,
    points: str,
    modes: str,
    until: float,
    save_every: float,
    time_step: float,
    precision: Any,
    initial: Path | None,
    seed: int,
    picture: Path | None,
    tell: Callable[[Progress], None],
    fields: str | None = None,
    announce: Callable[[Estimate], None] | None = None,
    forcing: Forcing | None = None,
) -> str:
    """Run what `sciml active-fluid simulate` orders, and return a line about the result.

    A NetCDF file, RUN.nc, is written at the end; till then the run is the store .RUN.nc.zarr beside it, which goes on.

    Raises:
        ConfigError: a word is not one of the allowed.
        ScimlError: as `KineticSolver.run`.
    """
    if picture is not None and picture.suffix.lower() != ".png":
        raise ConfigError(f"{picture}: the picture is a .png file")
    chosen = [] if fields is None else [name.strip() for name in fields.split(",")]
    if picture is not None and chosen and not {"m1", "vorticity"} <= {*chosen}:
        raise ConfigError(f"--fields {fields}: the picture shows m1 and vorticity, which have to be among them")
    file = out.suffix.lower() == ".nc"
    store = out.with_name(f".{out.name}.zarr") if file else out
    side = points_of(points)
    state = random_state(RANDOM_POINTS if side == AUTO else side, seed) if initial is None else read_state(initial)
    solver: KineticSolver | CoarseSolver
    if model == "kinetic":
        if closure is not None:
            raise ConfigError("the kinetic model has no closure: leave --closure out, or give --equations coarse")
        solver = KineticSolver(parameters, side, modes_of(modes, parameters, forcing), time_step, precision, forcing=forcing)
    elif model == "coarse":
        solver = CoarseSolver(parameters, closure_of(closure or "bingham"), side, time_step, precision, forcing=forcing)
    else:
        raise ConfigError(f"no model is called {model!r}: it is kinetic or coarse")
    run = solver.run(state, until, save_every, store, tell, chosen, announce)
    if picture is not None:
        from sciml.active_fluid.solvers.picture import write_strip

        write_strip(run, picture)
    last = run.isel(time=-1)
    line = f"{out}: {run.sizes['time']} times to {float(last['time']):g}"
    if "m1" in last:
        order = np.abs(last["m1"].values) / (last["density"].values if "density" in last else 1.0)
        line += f", mean order {order.mean():.4f} at the last"
    if file:
        write_netcdf(run, out)
        shutil.rmtree(store)
    if found := run.attrs.get("points_chosen"):
        line += f"\nauto: {found[-1]}"
    return line


def points_of(text: str) -> int | Literal["auto"]:
    """Return the points a side that a text says, or `auto`."""
    if text == AUTO:
        return AUTO
    try:
        return int(text)
    except ValueError as error:
        raise ConfigError(f"points {text!r}: a whole number or auto is expected") from error


def modes_of(text: str, parameters: Parameters, forcing: Forcing | None = None) -> int:
    """Return the number of modes that a text says; `auto` is ample for the alignment, and at least 16.

    A uniform gradient of the strain |e| aligns the rods as zeta = |e| would that are all parallel.
    """
    if text == "auto":
        rates = (0.0, 0.0) if forcing is None else (float(forcing.strain or 0.0), float(forcing.shear or 0.0) / 2)
        aligning = float(parameters.zeta) + math.hypot(*rates)
        return max(MIN_AUTOMATIC_MODES, modes_needed(aligning, float(parameters.d_r), AMPLE_TOLERANCE))
    try:
        return int(text)
    except ValueError as error:
        raise ConfigError(f"modes {text!r}: a whole number or auto is expected") from error


def closure_of(text: str) -> Any:
    """Return the closure of a name: bingham, quadratic, burg, neural, second, or neural:NAME of any weights."""
    kind, _, name = text.partition(":")
    if kind == "neural":
        from sciml.active_fluid.closures.load import load_closure

        return load_closure(name or "default")
    if text in ("second", "burg"):
        from sciml.active_fluid.closures.second import SecondOrderClosure

        return SecondOrderClosure.burg() if text == "burg" else SecondOrderClosure.load()
    if text == "bingham":
        return BinghamClosure()
    if text == "quadratic":
        return QuadraticClosure()
    raise ConfigError(f"no closure is called {text!r}: it is bingham, quadratic, burg, neural, second or neural:NAME")


def forcing_of(
    length: float,
    shear: float | None = None,
    strain: float | None = None,
    stirring: float | None = None,
    stirring_period: float | None = None,
    force: float | None = None,
) -> Forcing | None:
    """Return what the command's numbers say: a uniform gradient, cells of a largest speed, a sinusoidal force; None for none.

    Raises:
        ConfigError: they do not go together.
    """
    if stirring_period is not None and (stirring is None or stirring_period <= 0):
        raise ConfigError(f"--stirring-period {stirring_period:g}: it is above 0, and goes with --stirring SPEED")
    if all(number is None for number in (shear, strain, stirring, force)):
        return None
    stream = None if stirring is None else Cells(stirring, length, period=stirring_period)
    return Forcing(shear, strain, stream, None if force is None else Kolmogorov(force, length))


def read_state(path: Path) -> Any:
    """Return an initial state from a .npy or .npz file, from NetCDF or Zarr, or the last time of a run (RUN.zarr, RUN.nc).

    Raises:
        DataError: the file is missing, damaged or of another kind.
    """
    names = [name for form, others in VARIABLES.items() for name in (form, *others)] + ["density"]
    if path.is_dir() or path.suffix.lower() == ".nc":
        with open_dataset(path) as data:
            if data.attrs.get("format") != FORMAT:
                if not (found := [name for name in names if name in data]):
                    raise DataError(f"{path} holds {', '.join(map(str, data.data_vars)) or 'nothing'}: no m1, D, D_xx or angle")
                return data[found].load()
        run = open_run(path)
        return run[[name for name in ("m1", "density") if name in run]].isel(time=-1).load()
    if path.suffix not in (".npy", ".npz"):
        raise DataError(
            f"{path}: an initial state is .npy (complex m1 or real D), .npz, NetCDF or Zarr (of m1, D, D_xx and D_xy, or angle "
            "and order), or a run such as run.zarr"
        )
    try:
        held = np.load(path, allow_pickle=False)
        return held if path.suffix == ".npy" else {name: held[name] for name in held.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"cannot read {path}: {' '.join(str(error).split())}") from error
