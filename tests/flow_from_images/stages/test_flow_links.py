"""The links one by one, on movies of known flows: what they hand on, what they refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from flow_scenes import SMALL, flows, movies

from sciml.runtime.errors import ConfigError, DataError, ShapeError
from sciml.runtime.results import read_result
from sciml.runtime.settings import validated
from sciml.studies.flow_from_images.config import ArchiveConfig, Config, FrameStack, OrientConfig, RenderConfig, SharpenConfig
from sciml.studies.flow_from_images.directors.calibration import calibrated
from sciml.studies.flow_from_images.microscope.camera import Microscope, as_fields, as_pictures, point_spread, rendered
from sciml.studies.flow_from_images.sharpening.methods import sharpened
from sciml.studies.flow_from_images.stages import archive, orient, render, sharpen
from sciml.studies.flow_from_images.study.movies import Movie, check_chain, on_grid, read_movies, write_movies
from sciml.studies.flow_from_images.study.results import ArchiveResult, Orientation


@pytest.fixture
def truths() -> dict[str, Movie]:
    return flows(first="calibration", second="test", third="test", fourth="calibration", fifth="calibration")


def test_a_lossless_archive_gives_every_pixel_back_and_a_lossy_one_is_smaller(tmp_path, truths):
    path = write_movies(tmp_path / "frames.safetensors", movies(truths))
    sizes = {}
    for name in ("lossless", "low"):
        frames, result = archive.run(ArchiveConfig(archive=name), path, tmp_path / name)
        sizes[name] = read_result(result, ArchiveResult)
        same = [
            np.array_equal(movie.arrays["frames"], read_movies(path)[one].arrays["frames"])
            for one, movie in read_movies(frames).items()
        ]
        assert all(same) == (name == "lossless")
    assert sizes["lossless"].error_counts == 0 and sizes["low"].bits_a_pixel < 0.2 * sizes["lossless"].bits_a_pixel


def test_the_true_kernel_is_no_worse_than_a_wrong_one():
    """Kernels that differ by half from the nominal one, without any archive: the order is read at least as well."""
    blurry = Microscope(pixels=128, width=2.4, spread=0.0)
    truth = flows(first="test")["first"]
    frames, kernel = rendered(truth.field("m1"), truth.arrays["velocity"], 0.125, 10.0, blurry, 0)
    pictures = frames.astype(np.float32) / 4095
    error = {}
    for name in ("none", "tv", "exact"):
        sharp = sharpened(pictures, name, SMALL.noise_std, kernel if name == "exact" else None)
        error[name] = calibrated(2 * [as_fields(sharp.astype(float))], 2 * [on_grid(truth.field("m1"))]).error
    assert error["exact"] <= error["tv"] and error["exact"] < error["none"]


def test_shuffled_links_are_found(tmp_path, truths):
    """By the digest that every link hands on; and by the pictures, where a hand has changed the file too."""
    seen = movies(truths)
    flow_path = write_movies(tmp_path / "flows.safetensors", truths)
    other = {**seen, "second": replace(seen["third"], case=seen["third"].case)}
    with pytest.raises(DataError, match="case second shows another flow than the truth"):
        check_chain(Path("frames"), other, truths)
    forged = {**seen, "second": replace(seen["second"], arrays=seen["third"].arrays)}
    path = write_movies(tmp_path / "frames.safetensors", forged)
    with pytest.raises(DataError, match="the frames of case second show the flow of third"):
        orient.run(OrientConfig(), path, flow_path, tmp_path / "orient")
    path = write_movies(tmp_path / "whole.safetensors", seen)
    _, result = orient.run(OrientConfig(), path, flow_path, tmp_path / "orient")
    found = read_result(result, Orientation)
    assert [one.role for one in found.cases] == 3 * ["calibration"] + 2 * ["test"]
    # those that are judged are told by all movies that calibrate, each of these by the others
    told = [one.noise for one in found.cases]
    assert told[3] == told[4] == found.noise and len({one.gain_std for one in told}) == 4
    assert all(one.error is not None and one.error < 0.6 for one in found.cases)


def test_a_movie_of_ones_own_takes_the_place_of_the_simulated_ones(tmp_path, truths):
    frames = movies(truths)["second"].arrays["frames"]
    wide = np.pad(frames, ((0, 0), (3, 4), (8, 9)), mode="edge").astype(np.uint16) * 16
    path = tmp_path / "mine.tif"
    tifffile.imwrite(path, wide, photometric="minisblack")
    stack = FrameStack(path=path, pixel_size=10 / 96, frame_interval=10.0, d_r=0.0025, d_t=0.0025)
    movie = render.own_movie(path, stack)
    # the central square; in the theory's units a time of 0.05 / d_r and a length of sqrt(d_t / d_r)
    assert movie.arrays["frames"].shape == (2, 96, 96) and movie.case.times == pytest.approx((0, 0.5))
    assert movie.case.length == pytest.approx(10) and movie.case.alpha is None
    np.testing.assert_allclose(movie.arrays["frames"], frames, atol=1)
    flow_path = write_movies(tmp_path / "flows.safetensors", {name: truths[name] for name in ("first", "fourth", "fifth")})
    made = render.run(RenderConfig(pixels=96, stack=stack), flow_path, tmp_path / "render", path)
    assert list(read_movies(made[0])) == ["fifth", "first", "fourth", "own"]
    order_path, result = orient.run(OrientConfig(), *made[:1], flow_path, tmp_path / "orient")
    assert read_result(result, Orientation).cases[-1].error is None and read_movies(order_path)["own"].seen.mean() > 0.8
    with pytest.raises(DataError, match="nobody knows the true kernel of case own"):
        sharpen.run(SharpenConfig(sharpening="exact"), *made, tmp_path / "sharpen")


def test_a_stack_that_cannot_be_used_is_refused_in_a_line(tmp_path):
    path = tmp_path / "mine.tif"
    stack = FrameStack(path=path, pixel_size=1.0, frame_interval=1.0)
    tifffile.imwrite(path, np.zeros((3, 40, 90), np.uint16), photometric="minisblack")
    with pytest.raises(ShapeError, match="at least 64 a side"):
        render.own_movie(path, stack)
    tifffile.imwrite(path, np.zeros((1, 90, 90), np.float32), photometric="minisblack")
    with pytest.raises(DataError, match="1 frames of float32"):
        render.own_movie(path, stack)


def test_settings_name_what_is_wrong_and_leave_out_the_true_kernel_of_ones_own_movie():
    with pytest.raises(ConfigError, match="'best/tv' is no combination"):
        validated(Config, {"combinations": ["best/tv"]}, "mine.yaml")
    own = {"path": "mine.tif", "pixel_size": 1.0, "frame_interval": 1.0}
    config = validated(Config, {"combinations": ["lossless/none", "lossless/exact"], "frames": own}, "mine.yaml")
    assert config.run_combinations == ("lossless/none",)


def test_the_point_spread_function_is_known_only_roughly():
    widths = []
    for seed in range(200):
        kernel = as_pictures(point_spread(SMALL, np.random.default_rng(seed)))
        x = np.arange(len(kernel)) - len(kernel) // 2
        widths.append(np.sqrt((kernel.sum(1) * x**2).sum()))
    assert np.mean(widths) == pytest.approx(SMALL.width, rel=0.05) and 0.08 < np.std(np.log(widths)) < 0.2
