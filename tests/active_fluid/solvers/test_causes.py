"""Why a run stops, what would do, and grids that are found."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import pytest
import xarray as xr

from sciml.active_fluid import CoarseSolver, Forcing, KineticSolver, NeuralClosure, Parameters, points_for, random_state
from sciml.active_fluid.solvers import automatic
from sciml.active_fluid.solvers.causes import (
    MAX_TAIL,
    StoppedRun,
    Watch,
    asked,
    fault,
    fejer,
    outermost,
    remedy,
    rings,
)
from sciml.active_fluid.solvers.diagnostics import least_slack
from sciml.active_fluid.solvers.guards import Bounds
from sciml.active_fluid.solvers.simulation import points_of
from sciml.runtime.errors import ConfigError

STRONG = Parameters(alpha=-3.0, zeta=1.0)
GOOD = Watch(
    finite=True, density=1.0, order=0.9, slack=0.1, smooth=0.1, last=1e-6, tail=1e-3, inside=4e-3, speed=1.0, turning=2.0
)
BOUNDS = Bounds(2.0, 4.0)
# changes of a good step, whether a closure gives m2, what is wrong, its cause
FAULTS: list[tuple[dict[str, Any], bool, str | None, str]] = [
    ({}, False, None, ""),
    ({"finite": False}, True, "not finite", ""),
    # wiggles of truncation, and more than those
    ({"order": 1.001}, True, None, ""),
    ({"slack": -0.001}, False, None, ""),
    ({"order": 1.001, "smooth": -1e-4}, True, r"\|m1\|", "closure"),
    ({"order": 1.001, "tail": 1e-5}, True, r"\|m1\|", "closure"),
    ({"order": 1.02}, True, r"\|m1\|", "closure"),
    ({"order": 1.02}, False, r"\|m1\|", "time step"),
    # too few points, too long a step, too few modes
    ({"slack": -0.00026, "tail": 7e-3, "inside": 2e-2}, False, "realisability", "points"),
    ({"slack": -0.00026, "tail": 7e-3, "inside": 2e-2, "speed": 2.2}, False, "realisability", "points"),
    ({"slack": -0.00026, "tail": 7e-3, "inside": 6e-3, "speed": 2.2}, False, "realisability", "time step"),
    ({"slack": -0.00026, "tail": 7e-3, "inside": 6e-3}, False, "realisability", "points"),
    ({"slack": -0.02, "last": 5e-4}, False, "realisability", "modes"),
    ({"last": 2e-3, "tail": 2e-2, "inside": 4e-2}, False, "last mode", "modes"),
    ({"last": 2e-3, "turning": 5.0}, False, "last mode", "time step"),
    ({"density": -0.1, "tail": 7e-3, "inside": 2e-2}, True, "density", "points"),
    # a closure that leaves the theory by itself
    ({"slack": -0.001}, True, "realisability", "closure"),
    # a fast spot is carried while the spectrum falls
    ({"speed": 2.2}, True, None, ""),
    ({"speed": 2.2, "inside": 5e-4}, True, "a speed", "time step"),
    ({"speed": 2.6}, True, "a speed", "time step"),
]


@pytest.mark.parametrize(("changes", "closed", "words", "why"), FAULTS, ids=[str(row[:2]) for row in FAULTS])
def test_a_fault_names_its_cause(changes, closed, words, why):
    found = fault(GOOD._replace(**changes), BOUNDS, closed)
    if words is None:
        assert found is None
        return
    assert found is not None and found.cause == why and re.search(words, found.quantity)


def test_a_tail_alone_is_a_fault_where_the_grid_is_to_be_found():
    coarse = GOOD._replace(tail=1.2 * MAX_TAIL, inside=3 * MAX_TAIL)
    assert fault(coarse, BOUNDS, True) is None
    found = fault(coarse, BOUNDS, True, strict=True)
    assert found is not None and found.cause == "points" and "spatial tail" in found.quantity


def test_fejer_means_of_truncated_fields_are_realisable():
    # nearly aligned rods, with jumps of their angle: what the two-thirds rule keeps of them overshoots
    points, angles = 48, np.random.default_rng(0).uniform(0, np.pi, (4, 4))
    angle = np.kron(angles, np.ones((12, 12)))
    m1, m2 = 0.98 * np.exp(2j * angle), 0.93 * np.exp(4j * angle)
    assert least_slack(m1, m2) > 0
    fields = np.fft.fft2(np.stack([m1, m2]))
    cut = np.fft.ifft2(fields * (rings(points) <= outermost(points)))
    smooth = np.fft.ifft2(fields * fejer(points))
    assert np.abs(cut[0]).max() > 1.05 and least_slack(cut[0], cut[1]) < -0.05
    assert np.abs(smooth[0]).max() < 1 and least_slack(smooth[0], smooth[1]) > 0
    assert outermost(48) == 15 and outermost(64) == 21


@pytest.mark.parametrize(
    ("amplitudes", "expected"),
    [
        (3 * np.exp(-0.25 * np.arange(22)), 33),  # 3 exp(-n / 4) = 1e-3 at n = 32.02
        (3 * np.exp(-0.5 * np.arange(22)), 21),  # resolved
        (np.ones(22), 43),  # no decay: twice the numbers
        (np.exp(0.1 * np.arange(22)), 43),
    ],
)
def test_a_spectrum_is_extrapolated_to_the_tolerance(amplitudes, expected):
    assert asked(amplitudes, 1e-3) == expected


def spectrum_state(points: int, rate: float) -> np.ndarray:
    """Return the coefficients of one moment whose rings fall as exp(-rate n)."""
    ring = rings(points)
    cells = np.array([np.sum(ring == number) for number in range(points // 2 + 1)])
    return (np.exp(-rate * ring) / np.sqrt(cells[ring.astype(int)]))[None].astype(complex)


def test_the_advice_is_the_grid_of_the_spectrum_the_modes_of_the_moments_or_the_step_of_the_bounds():
    state = spectrum_state(64, 0.25)  # 1e-3 at the ring 27.6: 3 (28 + 1) points
    assert remedy("points", GOOD, state, STRONG, None, 0.0125) == ("give more points: 96", {"points": 96})
    words, changes = remedy("points", GOOD._replace(speed=3.0), state, STRONG, None, 0.0125)
    assert changes["points"] == 96 and 0.004 < changes["time_step"] < 0.0125
    assert words == f"give more points: 96, and a time step of {changes['time_step']:g} or less"
    uniform = np.zeros((12, 16, 16), complex)
    uniform[:, 0, 0] = np.exp(-0.5 * np.arange(12))  # 1e-4 at the 19th
    assert remedy("modes", GOOD, uniform, STRONG, 12, 0.01) == ("give more modes: 20", {"modes": 20})
    assert remedy("time step", GOOD, state, STRONG, None, 0.0125)[1] == {"time_step": 0.00625}
    assert remedy("closure", GOOD, state, STRONG, None, 0.0125) == ("give another closure", {})


@pytest.mark.parametrize(
    ("points", "length", "modes", "most", "words"),
    [
        (16, 2.5, 20, 1, r"points: \d+$"),  # a quarter of the square of 10 on 64 points
        pytest.param(64, 10.0, 24, 4, "points: 96$", marks=pytest.mark.slow),
    ],
)
def test_a_kinetic_run_that_lacks_points_says_so(points, length, modes, most, words):
    solver = KineticSolver(dataclasses.replace(STRONG, length=length), points, modes, time_step=0.00625)
    with pytest.raises(StoppedRun, match=f"realisability violated by .*; give more {words}") as caught:
        solver.run(random_state(points, 0, most=most), until=12.0, save_every=1.0)
    assert caught.value.cause == "points" and caught.value.remedy["points"] > points


def stopped(cause: str, **changes: Any) -> StoppedRun:
    return StoppedRun("stopped", 1, 0.1, "a tail", None, cause, changes)


def test_a_run_with_a_grid_to_be_found_begins_anew_with_what_stopped_it_asks_for(tmp_path):
    path, tried = tmp_path / "run.zarr", []
    ends = [stopped("points", points=128), stopped("time step", time_step=0.005), "the run"]

    def run(solver, chosen):
        assert not path.exists()
        tried.append((solver.points, solver.time_step, len(chosen)))
        path.mkdir()
        end = ends[len(tried) - 1]
        if isinstance(end, StoppedRun):
            raise end
        return end

    solver = CoarseSolver(STRONG, points="auto")
    assert automatic.settled(solver, run, path) == "the run"
    first = tried[0]
    assert first[0] == points_for(STRONG) == 96 and first[1] < 0.0125
    assert tried[1:] == [(128, first[1], 2), (128, 0.005, 3)]


def test_an_imposed_shear_asks_for_more_points():
    still = CoarseSolver(Parameters(-1.0, 0.5), points="auto")
    assert automatic.begun(still).points == 64
    assert automatic.begun(dataclasses.replace(still, forcing=Forcing(shear=2.0))).points == 96


def test_what_points_do_not_mend_stops_a_run_with_a_grid_to_be_found():
    def run(solver, chosen):
        raise stopped("modes", modes=40)

    with pytest.raises(StoppedRun):
        automatic.settled(KineticSolver(STRONG, points="auto", modes=24), run, None)


@pytest.mark.parametrize("call", ["integrate", "observe", "start", "step", "linear"])
def test_pure_functions_take_a_number_of_points(call):
    solver = CoarseSolver(Parameters(-1.0, 0.5), points="auto")
    state = random_state(16, 0)
    given = CoarseSolver(Parameters(-1.0, 0.5), points=16).start(state) if call == "step" else state[None]
    with pytest.raises(ConfigError, match=r"is for run.* give a number here, for example points_for\(parameters\)") as caught:
        getattr(solver, call)(given, *([1.0] if call == "integrate" else []))
    assert "\n" not in str(caught.value)


def test_a_found_grid_gives_the_run_of_that_grid_and_its_store_goes_on(tmp_path):
    parameters, start, path = Parameters(-1.0, 0.0), random_state(16, 0), tmp_path / "run.zarr"
    found = CoarseSolver(parameters, points="auto", time_step=0.05)
    whole = found.run(start, 0.4, 0.2)
    assert whole.attrs["points"] == points_for(parameters) == 32
    assert whole.attrs["points_chosen"] == ["32 points and a time step of 0.05, from the parameters"]
    given = CoarseSolver(parameters, points=32, time_step=0.05).run(start, 0.4, 0.2)
    assert given.attrs == {name: value for name, value in whole.attrs.items() if name != "points_chosen"}
    xr.testing.assert_equal(given, whole)
    found.run(start, 0.2, 0.2, store=path)
    xr.testing.assert_identical(found.run(start, 0.4, 0.2, store=path).load(), whole)
    # the grid of a store is kept, also one that was given
    other = tmp_path / "given.zarr"
    CoarseSolver(parameters, points=16, time_step=0.02).run(start, 0.2, 0.2, store=other)
    on = found.run(start, 0.4, 0.2, store=other)
    assert on.attrs["points"] == 16 and "points_chosen" not in on.attrs


@pytest.mark.slow
def test_a_grid_too_coarse_at_first_is_refined(monkeypatch, tmp_path):
    monkeypatch.setattr(automatic, "POINTS_A_CORE", 0.7)
    solver = KineticSolver(dataclasses.replace(STRONG, length=5.0), points="auto", modes=18)
    run = solver.run(random_state(32, 0, most=2), until=6.0, save_every=1.0, store=tmp_path / "run.zarr")
    chosen = run.attrs["points_chosen"]
    assert run.attrs["points"] > 32 and len(chosen) >= 2 and chosen[0].startswith("32 points")
    assert "a spatial tail" in chosen[1] and float(run["time"][-1]) == 6.0 and "invalid" not in run.attrs


# those of `benchmarks/active_fluid_box.py` with the fastest flow, the longest tail and the strongest alignment, and the corner
HARDEST = [
    (-2.966944728942942, 0.8599526794002044, 87989972),
    (-2.9328288493890713, 0.7972415848224581, 1841261663),
    (-2.232644891476233, 0.9979074518419082, 1728701087),
    (-3.0, 1.0, 2),
]


@pytest.mark.slow
@pytest.mark.parametrize(("alpha", "zeta", "seed"), HARDEST)
def test_the_default_grid_and_step_suffice_for_the_shipped_closure(alpha, zeta, seed):
    run = CoarseSolver(Parameters(alpha, zeta), NeuralClosure.load()).run(random_state(64, seed), until=50.0, save_every=5.0)
    assert float(run["time"][-1]) == 50.0 and np.abs(run["m1"].to_numpy()).max() < 1


def test_points_are_a_whole_number_or_auto():
    assert points_of("24") == 24 and points_of("auto") == "auto"
    with pytest.raises(ConfigError, match="points 'many': a whole number or auto"):
        points_of("many")
