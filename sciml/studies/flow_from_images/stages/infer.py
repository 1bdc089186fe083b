"""Stage `infer`: activity and alignment of every movie of every combination, and the flow beyond its last frame.

One job for all: the programs of the solver are compiled once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sciml.active_fluid import CoarseSolver, Inference, NeuralClosure, Parameters, infer, with_noise
from sciml.runtime.checkpoints import Partial
from sciml.runtime.errors import DataError, NumericalError
from sciml.runtime.files import digest_file
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import read_result, write_result
from sciml.runtime.seeds import Seeds
from sciml.runtime.sources import source_digest
from sciml.studies.flow_from_images.config import InferConfig
from sciml.studies.flow_from_images.study.movies import (
    FRAME_GAP,
    GRID,
    HORIZON,
    Movie,
    check_chain,
    on_grid,
    parts,
    read_movies,
    write_movies,
)
from sciml.studies.flow_from_images.study.results import PARAMETERS, TRUE_FRAMES, Estimate, Fit, FitResult, Orientation

log = logging.getLogger(__name__)
GUESS = 0.02
"""Noise over the root mean square of the frames that is guessed, and that the true frames get: of the family's own study."""
TIME_STEP = 0.05
MOST_WAVES = 100
"""Largest number of waves of the initial state that are sought."""
NORMAL_QUANTILE_95 = 1.6449
Task = tuple[str, str, Movie, str, float, float]


def run(config: InferConfig, flows: Path, order: dict[str, list[Path]], weights: Path, output: Path) -> list[Path]:
    """Write `fits.json`, and `fields.safetensors`: m1 and vorticity of the fits that the page shows. Finished fits are kept.

    Args:
        config: the combinations.
        flows: flows.safetensors of `simulate`.
        order: order.safetensors of `orient` by combination.
        weights: weight file of the closure.
        output: folder of the artefacts.

    Raises:
        DataError: a combination is missing, or links do not belong together.
    """
    if missing := [name for name in config.combinations if name not in order]:
        raise DataError(f"no order.safetensors was given for {', '.join(missing)}: give --order {missing[0]}=FILE")
    files = {name: order[name][0] for name in config.combinations}
    recorder = Recorder("flow_from_images.infer", config.model_dump(mode="json"), [flows, weights, *files.values()])
    truths, closure = read_movies(flows), NeuralClosure.load(weights)
    identity = [source_digest(__name__), config.model_dump(mode="json"), *map(digest_file, (flows, weights, *files.values()))]
    rows: list[Fit] = []
    lost: dict[str, str] = {}
    shown: dict[str, Movie] = {}
    with Partial(output, identity) as partial:
        for combination, name, movie, noise, level, alike in tasks(config, truths, files):
            key = f"{combination} {name} {noise}"
            part = partial.get(key)
            if part is None:
                try:
                    row, fields = fitted(combination, name, movie, truths.get(name), closure, noise, level, alike)
                    part = partial.put(key, fields, row.model_dump())
                    log.info("%s: alpha %.3f, zeta %.3f", key, row.alpha.value, row.zeta.value)
                except NumericalError as error:
                    lost[key] = str(error)
                    continue
            rows.append(Fit.model_validate(part[1]))
            if noise == "measured" and name == shown_case(truths):
                shown[combination] = Movie(
                    movie.case, part[0] | {"vorticity": vorticity(rows[-1], Movie(movie.case, part[0]), closure)}
                )
        result = FitResult(rows=rows, lost=lost)
        paths = [write_result(output / "fits.json", result), write_movies(output / "fields.safetensors", shown)]
    recorder.write(output / "provenance.json", paths)
    return paths


def shown_case(truths: dict[str, Movie]) -> str:
    """Return the case whose fields the page shows: the first that is judged, else the user's."""
    return next((name for name, movie in truths.items() if movie.case.role == "test"), "own")


def tasks(config: InferConfig, truths: dict[str, Movie], files: dict[str, Path]) -> Iterator[Task]:
    """Yield combination, case, movie, kind of noise, its level, and how alike errors of frames are, of all fits."""
    seeds = Seeds(config.seed)
    for name, flow in truths.items():
        if flow.case.role == "test":
            clean = on_grid(flow.field("m1")[: len(flow.case.times)])
            seen, level = with_noise(clean, GUESS, seeds("noise", name) % 2**31)
            yield (
                TRUE_FRAMES,
                name,
                Movie(flow.case, {"m1": parts(seen), "seen": np.ones(seen.shape, np.uint8)}),
                "measured",
                level,
                1.0,
            )
    for combination, path in files.items():
        movies = read_movies(path)
        check_chain(path, movies, truths)
        calibration = read_result(path.with_name("orientation.json"), Orientation)
        for name, movie in movies.items():
            if movie.case.role == "calibration":
                continue
            yield combination, name, movie, "measured", calibration.noise_std, calibration.alike
            if combination in config.guessed:
                m1, seen = movie.field("m1"), movie.seen
                yield combination, name, movie, "guessed", GUESS * float(np.sqrt(np.mean(np.abs(m1[seen]) ** 2))), 1.0


def fitted(
    combination: str,
    name: str,
    movie: Movie,
    truth: Movie | None,
    closure: NeuralClosure,
    noise: str,
    level: float,
    alike: float = 1.0,
) -> tuple[Fit, dict[str, np.ndarray]]:
    """Return the fit of one movie with its forecast, and the fields of both.

    Args:
        combination: where the movie came through.
        name: of the case.
        movie: m1 and where it was seen, on the grid.
        truth: the flow; None where nobody knows it.
        closure: of the model.
        noise: kind of noise.
        level: noise that the fit is told.
        alike: what the part of the intervals that comes from noise is multiplied by.

    Raises:
        NumericalError: no fit was found.
    """
    m1, seen, case = movie.field("m1"), movie.seen, movie.case
    known = Parameters(-1.0, 0.5, length=case.length)
    whole = np.abs(m1)
    # gain and speckle carry a strong order beyond 1, which no rods have
    m1 = np.where(whole > 1, m1 / np.maximum(whole, 1), m1)
    found = infer(
        m1,
        np.array(case.times) - case.times[0],
        closure,
        known=known,
        noise_std=level,
        mask=None if seen.all() else seen,
        time_step=TIME_STEP,
        most_waves=MOST_WAVES,
    )
    times = [FRAME_GAP * (number + 1) for number in range(round(HORIZON / FRAME_GAP))]
    solver = CoarseSolver(Parameters(found.alpha, found.zeta, length=case.length), closure, points=GRID, time_step=TIME_STEP)
    ahead = np.asarray(solver.integrate(found.fitted[-1], times[-1], times)).reshape(len(times), GRID, GRID)
    held = np.broadcast_to(found.fitted[-1], ahead.shape)
    errors: tuple[list[float], list[float]] = ([], [])
    if truth is not None:
        later = on_grid(truth.field("m1")[len(case.times) :])
        errors = (relative(ahead, later), relative(held, later))
    row = Fit(
        combination=combination,
        case=name,
        noise=noise,
        noise_std=level,
        **{key: estimate(found, key, truth, alike) for key in PARAMETERS},
        converged=found.converged,
        p_value=found.goodness.p_value,
        verdict=found.goodness.verdict,
        times=times,
        forecast=errors[0],
        persistence=errors[1],
    )
    return row, {"m1": parts(np.concatenate([found.fitted, ahead]))}


def vorticity(row: Fit, movie: Movie, closure: NeuralClosure) -> np.ndarray:
    """Return the vorticity of the fitted and forecast fields, (times, x, y)."""
    parameters = Parameters(row.alpha.value, row.zeta.value, length=movie.case.length)
    solver = CoarseSolver(parameters, closure, points=GRID, time_step=TIME_STEP)
    return np.stack([np.asarray(solver.observe(one[None])["vorticity"]) for one in movie.field("m1")]).astype(np.float32)


def estimate(found: Inference, name: str, truth: Movie | None, alike: float) -> Estimate:
    """Return one parameter of a fit, its 90 % interval with the noise's part for errors of frames that are alike."""
    place = PARAMETERS.index(name)
    noise, whole = found.noise_covariance[place, place], found.covariance[place, place]
    # f^2 of the noise's part, and the closure's error as it is
    half = NORMAL_QUANTILE_95 * float(np.sqrt(alike**2 * noise + whole - noise))
    value = getattr(found, name)
    return Estimate(value=value, low=value - half, high=value + half, truth=truth and getattr(truth.case, name))


def relative(found: np.ndarray, truth: np.ndarray) -> list[float]:
    """Return the relative root mean square error of every frame."""
    return [float(np.linalg.norm(a - b) / np.linalg.norm(b)) for a, b in zip(found, truth, strict=True)]
