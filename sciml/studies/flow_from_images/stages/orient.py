"""Stage `orient`: the order of the rods from the frames of one combination, calibrated on movies of other flows."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result
from sciml.studies.flow_from_images.config import OrientConfig
from sciml.studies.flow_from_images.directors.calibration import Calibration, calibrated, relative_error
from sciml.studies.flow_from_images.microscope.camera import as_fields
from sciml.studies.flow_from_images.study.movies import (
    GRID,
    Movie,
    check_chain,
    check_pictures,
    on_grid,
    parts,
    read_movies,
    write_movies,
)
from sciml.studies.flow_from_images.study.results import Noise, Orientation, OrientationCase


def run(config: OrientConfig, frames: Path, flows: Path, output: Path) -> list[Path]:
    """Write `order.safetensors`, m1 and where it was seen, and `orientation.json`, calibration and errors.

    Args:
        config: empty.
        frames: frames.safetensors of `sharpen`.
        flows: flows.safetensors of `simulate`, for the calibration and the errors.
        output: folder of the artefacts.
    """
    recorder = Recorder("flow_from_images.orient", config.model_dump(mode="json"), [frames, flows])
    movies, truths = read_movies(frames), read_movies(flows)
    check_chain(frames, movies, truths)
    pictures = {name: as_fields(movie.arrays["frames"].astype(np.float64)) for name, movie in movies.items()}
    true = {name: on_grid(flow.field("m1")[: len(flow.case.times)]) for name, flow in truths.items()}
    chosen = [name for name, movie in movies.items() if movie.case.role == "calibration"]
    calibration = calibrated([pictures[name] for name in chosen], [true[name] for name in chosen])
    found, cases = {}, []
    for name, movie in movies.items():
        own = calibration.without(chosen.index(name)) if name in chosen else calibration
        order, seen = own.order(pictures[name], GRID)
        error = angle = None
        if name in true:
            check_pictures(name, order, truths)
            error = relative_error((order, seen), true[name])
            # half the phase between both, in degrees
            angle = float(np.degrees(np.sqrt(np.mean(np.angle((order * true[name].conj())[seen]) ** 2)) / 2))
        found[name] = Movie(movie.case, {"m1": parts(order), "seen": seen.astype(np.uint8)})
        hidden = float(1 - seen.mean())
        cases.append(
            OrientationCase(case=name, role=movie.case.role, error=error, angle_deg=angle, hidden=hidden, noise=noise_of(own))
        )
    result = Orientation(
        width_px=calibration.width_px,
        gain=calibration.gain,
        noise=noise_of(calibration),
        error=calibration.error,
        cases=cases,
    )
    paths = [write_movies(output / "order.safetensors", found), write_result(output / "orientation.json", result)]
    recorder.write(output / "provenance.json", paths)
    return paths


def noise_of(calibration: Calibration) -> Noise:
    """Return what a calibration tells an inference."""
    return Noise(**{name: getattr(calibration, name) for name in Noise.model_fields})
