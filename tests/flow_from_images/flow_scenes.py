"""A smooth order and a flow in closed form, and movies of them."""

from __future__ import annotations

import numpy as np

from sciml.studies.flow_from_images.microscope.camera import Microscope, rendered
from sciml.studies.flow_from_images.study.movies import FLOW_STEP, LENGTH, Case, Movie, origin_of, parts

SMALL = Microscope(pixels=96)


def order(seed: int, frames: int = 2, points: int = 32) -> np.ndarray:
    """Return m1 of a few long waves, (frames, points, points), at most 0.8."""
    generator = np.random.default_rng(seed)
    x = 2 * np.pi * np.arange(points) / points
    field = np.full((points, points), 1.5 * np.exp(2j * np.pi * generator.random()))
    for kx, ky in ((1, 0), (0, 1), (1, 1)):
        amplitude = generator.normal() + 1j * generator.normal()
        field = field + 0.6 * amplitude * np.cos(kx * x[:, None] + ky * x + 6 * generator.random())
    return np.repeat(0.8 * field[None] / np.abs(field).max(), frames, 0)


def case(role: str, m1: np.ndarray, **changes) -> Case:
    """Return a case of such a flow."""
    times = tuple(0.5 * number for number in range(len(m1)))
    given = {"role": role, "times": times, "length": LENGTH, "origin": origin_of(m1), "noise_std": SMALL.noise_std}
    return Case.model_validate({**given, "alpha": -2.0, "zeta": 0.5, **changes})


def flows(**roles: str) -> dict[str, Movie]:
    """Return flows at rest by name."""
    found = {}
    for seed, (name, role) in enumerate(roles.items()):
        m1 = order(seed)
        found[name] = Movie(case(role, m1), {"m1": parts(m1), "velocity": np.zeros((5, 2, 32, 32), np.float32)})
    return found


def movies(truths: dict[str, Movie], microscope: Microscope = SMALL) -> dict[str, Movie]:
    """Return what a microscope makes of flows."""
    return {
        name: Movie(
            flow.case,
            {"frames": rendered(flow.field("m1"), flow.arrays["velocity"], FLOW_STEP, LENGTH, microscope, seed)[0]},
        )
        for seed, (name, flow) in enumerate(truths.items())
    }
