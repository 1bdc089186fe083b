"""The rule that finds a parameter, and what applies to what."""

from __future__ import annotations

import inspect
import math
from dataclasses import replace

import pytest
import torch
from imaging_problems import blocks, generator

from sciml.imaging.solvers import tuning
from sciml.imaging.solvers.tuning import METHODS, chosen, mean_psnr, methods_for, parabola_peak, solve, tune
from sciml.imaging.tasks.catalogue import REACH, Method
from sciml.imaging.tasks.task import TASKS, task
from sciml.runtime.errors import ConfigError
from sciml.runtime.places import resource


@pytest.mark.parametrize(
    ("x", "f", "peak"),
    [
        ([0, 1, 2], [0, 1, 0], 1.0),
        ([0, 1, 2], [-4, -1, -2], 1.25),  # f = -(2x - 2.5)^2 / 2 + const
        ([-1, 0, 1, 2], [-2.25, -0.25, -0.25, -2.25], 0.5),
        ([0, 1, 3], [-1, 0, -4], 1.0),
        ([0, 1, 2], [0, 1, 2], None),
        ([0, 1, 2], [2, 1, 0], None),
        ([0, 1, 2], [1, 1, 1], None),
        ([0, 1], [0, 1], None),
        ([0], [0], None),
    ],
)
def test_the_peak_of_a_parabola_by_hand(x, f, peak):
    assert parabola_peak(x, f) == (None if peak is None else pytest.approx(peak))


def pretend(best: float, grid: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0, 4.0), highest: float = math.inf):
    """Return a method whose error grows with the distance of its parameter from `best`, and the values it was called with."""
    called: list[float] = []

    def solve(y, physics, value):
        called.append(value)
        return y + 0.01 * (1 + abs(math.log(value / best)))

    method = Method(
        "pretended", (), lambda s, y, physics, value: solve(y, physics, value), "distance", grid, "none", highest=highest
    )
    return method, called


@pytest.fixture
def flat():
    built = task("denoise", (16, 16), sigma=0.1)
    return built, torch.full((2, 1, 16, 16), 0.3)


@pytest.mark.parametrize("best", [0.05, 0.25, 0.5, 0.7, 1.0, 1.6, 4.0, 30.0])
def test_tuning_finds_the_best_value_also_beyond_the_grid_and_refines_it_once(flat, best):
    built, truth = flat
    method, called = pretend(best)
    tuned = tune(method, built, truth, truth)
    assert tuned.bracketed
    assert abs(math.log(tuned.value / best)) < 0.36
    assert set(called[:3]) == {0.5, 1.0, 2.0} and len(set(called)) == len(called)
    assert tuned.curve[tuned.value] == max(tuned.curve.values())
    assert list(tuned.curve) == sorted(tuned.curve) and set(tuned.curve) == set(called)


def test_tuning_says_when_nothing_worse_was_found_on_one_side(flat):
    built, truth = flat
    method, _ = pretend(1e9)
    tuned = tune(method, built, truth, truth)
    assert not tuned.bracketed and tuned.value == 4.0 * 2**REACH


def test_a_value_at_its_natural_limit_is_no_cut_off(flat):
    built, truth = flat
    method, _ = pretend(1e9, highest=4.0)
    tuned = tune(method, built, truth, truth)
    assert tuned.bracketed and tuned.value == 4.0


def test_rungs_go_on_at_the_ratio_of_the_ends():
    method = METHODS["fbp-hann"]
    assert [method.value_at(index) for index in (0, 4, 5)] == [0.25, 1.0, None]
    assert method.value_at(-1) == pytest.approx(0.25 * 0.25 / 0.35)
    assert METHODS["tv"].value_at(5) == 8.0 and METHODS["tv"].value_at(4 + REACH + 1) is None


def test_tuning_sees_nothing_but_what_it_is_given():
    assert list(inspect.signature(tune).parameters) == ["method", "task", "y", "truth"]
    source = inspect.getsource(tuning)
    for name in ("cases", "load_tensors", "read_json", "Measurements"):
        assert name not in source  # the rule reads no data by itself


def test_tuning_total_variation_finds_a_weight_inside_the_grid():
    built = task("denoise", (48, 48))
    truth = blocks(48, 48, 2)
    y = built.measure(truth, generator(0))
    tuned = tune(METHODS["tv"], built, y, truth)
    assert METHODS["tv"].grid[0] < tuned.value < METHODS["tv"].grid[-1]
    assert tuned.curve[tuned.value] == pytest.approx(mean_psnr(built, solve(METHODS["tv"], y, built.physics, tuned.value), truth))
    again = tune(METHODS["tv"], built, y, truth)
    assert again == tuned


def test_mean_psnr_by_hand(flat):
    built, truth = flat
    estimate = truth.clone()
    estimate[0] += 0.1
    estimate[1] += 0.01
    assert mean_psnr(built, estimate, truth) == pytest.approx(30.0, abs=1e-3)
    assert mean_psnr(built, truth + 5, torch.ones_like(truth)) == math.inf  # scored as shown: clipped to [0, 1]


def test_a_blur_is_scored_inside_the_picture_only():
    built = task("deblur", (16, 16), kernel_size=13)
    truth = torch.full((1, 1, *built.canvas), 0.5)
    estimate = truth.clone()
    estimate[..., :6, :] = 0
    assert mean_psnr(built, estimate, truth) == math.inf


@pytest.mark.parametrize("name", METHODS)
def test_the_registry_is_whole(name):
    method = METHODS[name]
    assert method.title and method.tasks and set(method.tasks) <= set(TASKS)
    assert (method.parameter is None) == (method.grid == ())
    assert list(method.grid) == sorted(set(method.grid)) and all(value > 0 for value in method.grid)
    assert f"{{{method.citation}," in resource("references.bib").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_a_start_and_total_variation(name):
    assert "tv" in methods_for(name) and len(methods_for(name)) >= 3


def test_chosen_methods():
    assert chosen("ct-sparse", ("tv", "fbp")) == ["tv", "fbp"]
    assert chosen("ct-sparse", None) == methods_for("ct-sparse")
    for wrong in ("wiener", "tvv"):
        with pytest.raises(ConfigError, match=f"'{wrong}' does not apply to ct-sparse; those that do: .*fbp"):
            chosen("ct-sparse", ("tv", wrong))


def test_extras_that_are_not_installed_are_left_out(monkeypatch):
    absent = replace(METHODS["bm3d"], package="a_package_that_is_not_there")
    monkeypatch.setitem(METHODS._all, "bm3d", absent)
    assert "bm3d" not in chosen("denoise", None)
    assert chosen("denoise", ("bm3d", "tv")) == ["tv"]
    monkeypatch.setitem(METHODS._all, "bm3d", replace(absent, package="json"))
    assert "bm3d" in chosen("denoise", None)
