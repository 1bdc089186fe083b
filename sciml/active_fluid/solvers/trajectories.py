"""Kinetic trajectories: the truth that closures are trained on and judged by."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Complex, Float

from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.solvers.automatic import points_for, turning_step
from sciml.active_fluid.theory.states import modes_needed, random_state
from sciml.runtime.errors import FormatError
from sciml.runtime.files import load_tensors, save_tensors

KIND = "sciml kinetic trajectories 2"
FIELDS = ("m1", "m2", "m3", "strain", "vorticity", "velocity")


class Trajectory(NamedTuple):
    """A kinetic run at equal times, density 1, single precision.

    Attributes:
        parameters: coefficients of the theory.
        seed: seed of its initial state.
        times: from 0.
        m1, m2, m3, strain, velocity: complex fields.
        vorticity: real field.
        slack: least distance to what no distribution has (`sciml.active_fluid.closures.closure.slack`).
    """

    parameters: Parameters
    seed: int
    times: Float[np.ndarray, " times"]
    m1: Complex[np.ndarray, "times n n"]
    m2: Complex[np.ndarray, "times n n"]
    m3: Complex[np.ndarray, "times n n"]
    strain: Complex[np.ndarray, "times n n"]
    vorticity: Float[np.ndarray, "times n n"]
    velocity: Complex[np.ndarray, "times n n"]
    slack: float

    @property
    def name(self) -> str:
        """Return a name by parameters and seed."""
        return f"alpha {self.parameters.alpha:g}, zeta {self.parameters.zeta:g}, seed {self.seed}"


class Resolution(NamedTuple):
    """Points a side, angular modes and time step of a kinetic run."""

    points: int
    modes: int
    time_step: float


def resolution(parameters: Parameters) -> Resolution:
    """Return what a kinetic run of the study is made with: grids in steps of 32 points, and a quarter more modes than needed."""
    modes = max(16, 8 * math.ceil(1.25 * modes_needed(float(parameters.zeta), float(parameters.d_r)) / 8))
    return Resolution(points_for(parameters, 32), modes, turning_step(parameters, modes, 0.0125))


def kinetic_trajectory(
    parameters: Parameters, seed: int, until: float, save_every: float, wanted: Resolution | None = None
) -> Trajectory:
    """Return a kinetic run from random weak order.

    Args:
        parameters: coefficients of the theory.
        seed: seed of the initial state.
        until: last time.
        save_every: time between saved states.
        wanted: points, modes and time step; by default what the parameters need.

    Raises:
        NumericalError: the run is not resolved: its last mode passes 1e-3 or its moments are no distribution's.
    """
    from sciml.active_fluid.solvers.diagnostics import least_slack
    from sciml.active_fluid.solvers.solvers import KineticSolver

    points, modes, time_step = wanted or resolution(parameters)
    solver = KineticSolver(parameters, points, modes, time_step)
    saved = ("m1", "m2", "m3", "strain", "vorticity", "velocity_x", "velocity_y")
    run = solver.run(random_state(points, seed), until, save_every, fields=saved)
    m1, m2 = (run[name].to_numpy() for name in ("m1", "m2"))
    least = float(least_slack(m1, m2).min())
    fields = {
        "m1": m1.astype(np.complex64),
        "m2": m2.astype(np.complex64),
        "m3": run["m3"].to_numpy().astype(np.complex64),
        "strain": run["strain"].to_numpy().astype(np.complex64),
        "vorticity": run["vorticity"].to_numpy().astype(np.float32),
        "velocity": (run["velocity_x"].to_numpy() + 1j * run["velocity_y"].to_numpy()).astype(np.complex64),
    }
    return Trajectory(parameters, seed, run["time"].to_numpy(), **fields, slack=least)


def packed(one: Trajectory) -> dict[str, np.ndarray]:
    """Return the arrays of a trajectory as files hold them: complex fields get a last axis of real and imaginary part."""
    fields = {name: getattr(one, name) for name in FIELDS}
    parted = {name: f if name == "vorticity" else np.stack([f.real, f.imag], -1) for name, f in fields.items()}
    return {**parted, "times": np.asarray(one.times)}


def unpacked(arrays: Mapping[str, np.ndarray], parameters: Parameters, seed: int, slack: float) -> Trajectory:
    """Return the trajectory of packed arrays."""
    fields = {name: arrays[name] for name in FIELDS}
    joined = {name: f if name == "vorticity" else f[..., 0] + 1j * f[..., 1] for name, f in fields.items()}
    return Trajectory(parameters, seed, arrays["times"], **joined, slack=slack)


def save_trajectories(path: Path, trajectories: list[Trajectory]) -> None:
    """Write trajectories to one safetensors file."""
    arrays = {f"{number}.{name}": array for number, one in enumerate(trajectories) for name, array in packed(one).items()}
    rows = [{"parameters": one.parameters.as_dict(), "seed": one.seed, "slack": one.slack} for one in trajectories]
    save_tensors(path, arrays, {"kind": KIND, "trajectories": rows})


def load_trajectories(path: Path) -> list[Trajectory]:
    """Return the trajectories of a file.

    Raises:
        DataError: it is missing.
        FormatError: it is damaged or holds no trajectories.
    """
    arrays, notes = load_tensors(path)
    rows: list[dict[str, Any]] = notes.get("trajectories", [])
    names = (*FIELDS, "times")
    if notes.get("kind") != KIND or set(arrays) != {f"{n}.{name}" for n in range(len(rows)) for name in names}:
        raise FormatError(f"{path} holds no kinetic trajectories: it is no file of the generate stage")
    return [
        unpacked({name: arrays[f"{n}.{name}"] for name in names}, Parameters(**row["parameters"]), row["seed"], row["slack"])
        for n, row in enumerate(rows)
    ]
