"""Stage `simulate`: the flows, by the kinetic theory."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from sciml.active_fluid import BinghamClosure, CoarseSolver, KineticSolver, Parameters, random_state
from sciml.runtime.errors import NumericalError
from sciml.runtime.provenance import Recorder
from sciml.runtime.seeds import Seeds
from sciml.studies.flow_from_images.config import Place, SimulateConfig
from sciml.studies.flow_from_images.study.movies import (
    FLOW_STEP,
    FRAME_GAP,
    HORIZON,
    LENGTH,
    Case,
    Movie,
    Role,
    origin_of,
    parts,
    write_movies,
)

log = logging.getLogger(__name__)
FIRST_ORDER = 0.4
"""Root mean square order from which a movie is taken: before, there is hardly a texture."""
LATEST = 20.0
MODES = 32
TIME_STEP = 0.025


def run(config: SimulateConfig, output: Path) -> list[Path]:
    """Write `flows.safetensors`: m1 at the frames and beyond, and the velocity between the frames, of every case.

    Args:
        config: the flows.
        output: folder of the artefacts.
    """
    recorder = Recorder("flow_from_images.simulate", config.model_dump(mode="json"))
    seeds = Seeds(config.seed)
    plan: dict[str, tuple[Role, Place]] = {
        f"calibration-{number}": ("calibration", place) for number, place in enumerate(config.calibration)
    }
    judged = [place for _ in range(config.seeds) for place in config.truths]
    plan |= {f"test-{number}": ("test", place) for number, place in enumerate(judged)}
    flows = {}
    for name, (role, (alpha, zeta)) in plan.items():
        flows[name] = flow(alpha, zeta, role, config.points, config.frames, seeds("flow", name) % 2**31)
        log.info("%s: alpha %g, zeta %g, first frame at %g", name, alpha, zeta, flows[name].case.times[0])
    path = write_movies(output / "flows.safetensors", flows)
    recorder.seeds = seeds.used
    recorder.write(output / "provenance.json", [path])
    return [path]


def first_time(parameters: Parameters, points: int, seed: int) -> float:
    """Return the first multiple of the time between frames at which Bingham's model has an order of 0.4.

    Raises:
        NumericalError: it never has.
    """
    times = np.arange(1, round(LATEST / FRAME_GAP) + 1) * FRAME_GAP
    solver = CoarseSolver(parameters, BinghamClosure(), points=points, time_step=0.05)
    m1 = np.asarray(solver.integrate(random_state(points, seed), LATEST, list(times)))
    order = np.sqrt(np.mean(np.abs(m1) ** 2, axis=(-2, -1))).ravel()
    if not (order >= FIRST_ORDER).any():
        raise NumericalError(f"{parameters.as_dict()} never has an order of {FIRST_ORDER}: take a stronger alignment or activity")
    return float(times[np.argmax(order >= FIRST_ORDER)])


def flow(alpha: float, zeta: float, role: Role, points: int, frames: int, seed: int) -> Movie:
    """Return one flow of the kinetic theory.

    Args:
        alpha: activity.
        zeta: alignment.
        role: what its movie is for.
        points: points a side.
        frames: frames of the movie.
        seed: of the initial state.
    """
    parameters = Parameters(alpha, zeta, length=LENGTH)
    begin = first_time(parameters, 32, seed)
    last = begin + (frames - 1) * FRAME_GAP
    solver = KineticSolver(parameters, points=points, modes=MODES, time_step=TIME_STEP)
    data = solver.run(random_state(points, seed), until=last + HORIZON, save_every=FLOW_STEP)
    every = round(FRAME_GAP / FLOW_STEP)
    start, stop = round(begin / FLOW_STEP), round(last / FLOW_STEP)
    m1 = data["m1"].to_numpy()[start::every]
    velocity = np.stack([data[f"velocity_{axis}"].to_numpy()[start : stop + 1] for axis in "xy"], 1)
    times = tuple(begin + FRAME_GAP * number for number in range(frames))
    case = Case(role=role, times=times, length=LENGTH, origin=origin_of(m1), noise_std=None, alpha=alpha, zeta=zeta)
    return Movie(case, {"m1": parts(m1), "velocity": velocity.astype(np.float32)})
