"""The structure tensor on textures whose order is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from flow_scenes import SMALL, flows, movies

from sciml.runtime.errors import DataError
from sciml.studies.flow_from_images.directors.calibration import calibrated, relative_error, white_noise
from sciml.studies.flow_from_images.directors.tensor import seen_order
from sciml.studies.flow_from_images.microscope.camera import as_fields
from sciml.studies.flow_from_images.study.movies import GRID, on_grid


def noisy(generator: np.random.Generator, *shape: int) -> np.ndarray:
    """Return complex noise of root mean square 0.3."""
    return 0.3 / np.sqrt(2) * (generator.normal(size=shape) + 1j * generator.normal(size=shape))


def test_white_noise_is_found_whatever_is_hidden_and_noise_that_stays_counts_more():
    """Of n frames with the same error the sum has n times the power of that of independent ones."""
    generator = np.random.default_rng(0)
    found = {name: [] for name in ("white", "hidden", "same")}
    for _ in range(100):
        noise = noisy(generator, 4, GRID, GRID)
        every, seen = np.ones(noise.shape, bool), generator.random(noise.shape) < 0.8
        found["white"].append(white_noise(noise, every))
        found["hidden"].append(white_noise(noise, seen))
        found["same"].append(white_noise(np.repeat(noise[:1], 4, 0), every))
    sizes = {name: np.sqrt(np.mean(np.square(values), 0)) for name, values in found.items()}
    assert sizes["white"] == pytest.approx([0.3, 0.3], rel=0.03) and sizes["hidden"] == pytest.approx([0.3, 0.3], rel=0.03)
    assert sizes["same"] == pytest.approx([0.3, 0.6], rel=0.05)


def test_calibration_on_one_flow_reads_another():
    truths = flows(first="calibration", second="calibration", third="test")
    pictures = {name: as_fields(movie.arrays["frames"].astype(float)) for name, movie in movies(truths).items()}
    true = {name: on_grid(flow.field("m1")) for name, flow in truths.items()}
    chosen = ["first", "second"]
    calibration = calibrated([pictures[name] for name in chosen], [true[name] for name in chosen])
    found = calibration.order(pictures["third"], GRID)
    assert relative_error(found, true["third"]) < 0.45
    # the director is read better than the order
    turned = np.angle((found[0] * true["third"].conj())[found[1]]) / 2
    assert np.degrees(np.sqrt(np.mean(turned**2))) < 12
    # the gain is that of least squares: a factor of the pictures' light changes nothing
    again = calibrated([3 * pictures[name] for name in chosen], [true[name] for name in chosen])
    assert again.gain == pytest.approx(calibration.gain)
    # a movie that calibrates is judged by the others alone
    three = [*chosen, "third"]
    whole = calibrated([pictures[name] for name in three], [true[name] for name in three])
    left = whole.without(2)
    assert whole.width_px == calibration.width_px and left == calibration
    with pytest.raises(DataError, match="1 movies of known flows: a calibration needs at least 2"):
        calibration.without(0)


def test_the_spread_of_gains_and_offsets_is_that_of_the_movies():
    """Movies whose light has a contrast of their own; the gain of a texture goes with it."""
    truths = flows(**{str(number): "calibration" for number in range(6)})
    true = [on_grid(flow.field("m1")) for flow in truths.values()]
    contrasts = np.exp(0.3 * np.array([-1.0, 1.0, -1.0, 1.0, -1.0, 1.0]))
    spread = {}
    for name, factors in (("same", np.ones(6)), ("own", contrasts)):
        pictures = [
            as_fields(
                movies({"one": flow}, replace(SMALL, contrast=SMALL.contrast * factor))["one"].arrays["frames"].astype(float)
            )
            for factor, flow in zip(factors, truths.values(), strict=True)
        ]
        spread[name] = calibrated(pictures, true)
    assert spread["own"].gain_std > spread["same"].gain_std + 0.1
    assert 0 < spread["same"].offset_std < 0.3


def test_a_picture_without_texture_shows_nothing():
    noise = np.random.default_rng(1).poisson(400, (1, 96, 96)).astype(float)
    _, seen = seen_order(noise, 10.0, GRID)
    assert seen.mean() < 0.5
    with pytest.raises(DataError, match="0 movies of known flows: a calibration needs at least 2"):
        calibrated([], [])
