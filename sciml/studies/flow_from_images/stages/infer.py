"""Stage `infer`: activity and alignment of every movie of one combination, and the flow beyond its last frame.

Movies that calibrate are fitted like those that are judged, each by what the others tell of the pictures, and say how far off the
intervals are.
"""

from __future__ import annotations

import logging
import math
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
from sciml.studies.flow_from_images.config import TRUE_FRAMES, InferConfig
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
from sciml.studies.flow_from_images.study.results import PARAMETERS, Estimate, Fit, FitResult, Noise, Orientation

log = logging.getLogger(__name__)
GUESS = 0.02
"""Noise over the root mean square of the frames that is guessed, and that the true frames get: of the family's own study."""
TIME_STEP = 0.05
MOST_WAVES = 100
"""Largest number of waves of the initial state that are sought."""
LEVEL, NORMAL_QUANTILE_95 = 0.9, 1.6449


def run(config: InferConfig, flows: Path, weights: Path, output: Path, order: Path | None = None) -> list[Path]:
    """Write `fits.json`, and `fields.safetensors`: m1 and vorticity of the fit that the page shows. Finished fits are kept.

    Args:
        config: the combination, by default the true frames.
        flows: flows.safetensors of `simulate`.
        weights: weight file of the closure.
        output: folder of the artefacts.
        order: order.safetensors of `orient` of the combination.

    Raises:
        DataError: the order is missing, or links do not belong together.
    """
    if (order is None) != (config.combination == TRUE_FRAMES):
        raise DataError(f"{config.combination}: give --order FILE for a combination, and for the true frames none")
    inputs = [flows, weights, *([order] if order else [])]
    recorder = Recorder("flow_from_images.infer", config.model_dump(mode="json"), inputs)
    truths, closure = read_movies(flows), NeuralClosure.load(weights)
    identity = [source_digest(__name__), config.model_dump(mode="json"), *map(digest_file, inputs)]
    found: dict[bool, list[Fit]] = {True: [], False: []}
    lost: dict[str, str] = {}
    shown: dict[str, Movie] = {}
    with Partial(output, identity) as partial:
        for name, movie, kind, noise in tasks(config, truths, order):
            key = f"{name} {kind}"
            part = partial.get(key)
            if part is None:
                try:
                    row, fields = fitted(config.combination, name, movie, truths.get(name), closure, kind, noise)
                    part = partial.put(key, fields, row.model_dump())
                    log.info("%s: alpha %.3f, zeta %.3f", key, row.alpha.value, row.zeta.value)
                except NumericalError as error:
                    lost[key] = str(error)
                    continue
            row = Fit.model_validate(part[1])
            found[movie.case.role == "calibration"].append(row)
            if kind == "measured" and name == shown_case(truths):
                fields = part[0] | {"vorticity": vorticity(row, Movie(movie.case, part[0]), closure)}
                shown[row.combination] = Movie(movie.case, fields)
        factors = {name: widening(found[True], name) for name in PARAMETERS}
        rows = [widened(row, factors) if row.noise == "measured" else row for row in found[False]]
        result = FitResult(rows=rows, calibration=found[True], factors=factors, lost=lost)
        paths = [write_result(output / "fits.json", result), write_movies(output / "fields.safetensors", shown)]
    recorder.write(output / "provenance.json", paths)
    return paths


def shown_case(truths: dict[str, Movie]) -> str:
    """Return the case whose fields the page shows: the first that is judged, else the user's."""
    return next((name for name, movie in truths.items() if movie.case.role == "test"), "own")


def tasks(config: InferConfig, truths: dict[str, Movie], order: Path | None) -> Iterator[tuple[str, Movie, str, Noise]]:
    """Yield case, movie, kind of noise, and the noise that the fit is told, of all fits."""
    if order is None:
        seeds = Seeds(config.seed)
        for name, flow in truths.items():
            if flow.case.role == "test":
                clean = on_grid(flow.field("m1")[: len(flow.case.times)])
                seen, level = with_noise(clean, GUESS, seeds("noise", name) % 2**31)
                movie = Movie(flow.case, {"m1": parts(seen), "seen": np.ones(seen.shape, np.uint8)})
                yield name, movie, "measured", Noise(noise_std=level)
        return
    movies = read_movies(order)
    check_chain(order, movies, truths)
    told = {one.case: one.noise for one in read_result(order.with_name("orientation.json"), Orientation).cases}
    for name, movie in movies.items():
        yield name, movie, "measured", told[name]
        if config.guessed and movie.case.role != "calibration":
            size = np.sqrt(np.mean(np.abs(movie.field("m1")[movie.seen]) ** 2))
            yield name, movie, "guessed", Noise(noise_std=GUESS * float(size))


def widening(calibration: list[Fit], name: str) -> float:
    """Return what intervals of a parameter are multiplied by so that they hold, at least 1.

    The score of a movie is the size of its error over the half-width of its interval. Of n of them the one of rank
    ceil(0.9 (n + 1)) is not passed by one movie more of the same kind with a probability of 90 % (split conformal prediction,
    Vovk 2015); of fewer than nine, for which there is no such rank, the largest is taken.
    """
    found = [fit.estimate(name) for fit in calibration]
    scores = sorted(2 * abs(one.value - one.truth) / (one.high - one.low) for one in found if one.truth is not None)
    rank = min(math.ceil(LEVEL * (len(scores) + 1)), len(scores))
    return max(1.0, scores[rank - 1]) if scores else 1.0


def widened(fit: Fit, factors: dict[str, float]) -> Fit:
    """Return a fit with intervals so many times as wide, about the same estimates."""
    changed = {}
    for name, factor in factors.items():
        one = fit.estimate(name)
        low, high = (one.value + factor * (end - one.value) for end in (one.low, one.high))
        changed[name] = one.model_copy(update={"low": low, "high": high})
    return fit.model_copy(update=changed)


def fitted(
    combination: str,
    name: str,
    movie: Movie,
    truth: Movie | None,
    closure: NeuralClosure,
    kind: str,
    noise: Noise,
) -> tuple[Fit, dict[str, np.ndarray]]:
    """Return the fit of one movie with its forecast, and the fields of both.

    Args:
        combination: where the movie came through.
        name: of the case.
        movie: m1 and where it was seen, on the grid.
        truth: the flow; None where nobody knows it.
        closure: of the model.
        kind: of noise, `measured` or `guessed`.
        noise: that the fit is told.

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
        noise_std=noise.noise_std,
        mask=None if seen.all() else seen,
        time_step=TIME_STEP,
        most_waves=MOST_WAVES,
        gain_std=noise.gain_std,
        offset_std=noise.offset_std,
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
        noise=kind,
        noise_std=noise.noise_std,
        gain=found.gain,
        **{key: estimate(found, key, truth, noise.alike) for key in PARAMETERS},
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
