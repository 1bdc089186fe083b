"""Whole runs: what comes back, symmetry, convergence, the reference, and what is refused or stopped."""

from __future__ import annotations

import dataclasses
import logging
import warnings
from contextlib import contextmanager

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from sciml.active_fluid import BinghamClosure, CoarseSolver, KineticSolver, Parameters, QuadraticClosure, random_state
from sciml.active_fluid.solvers import running
from sciml.active_fluid.solvers.causes import StoppedRun
from sciml.active_fluid.solvers.guards import stable_bounds, stable_step
from sciml.active_fluid.solvers.running import digest_of
from sciml.active_fluid.theory.states import order_of_tensor, resampled, tensor_of_order
from sciml.runtime.errors import ConfigError, NumericalError, ShapeError


def test_a_run_is_a_dataset_with_units_and_settings(solver, m1):
    seen = []
    run = solver.run(m1, until=0.4, save_every=0.2, on_save=seen.append)
    assert dict(run.sizes) == {"time": 3, "x": 16, "y": 16}
    assert set(run.data_vars) == {"m1", "m2", "velocity_x", "velocity_y", "vorticity", "strain"}
    assert all("units" in run[name].attrs for name in run.variables)
    assert run["m1"].dtype == run["m2"].dtype == run["strain"].dtype == complex and run["vorticity"].dtype == float
    np.testing.assert_allclose(run["time"], [0, 0.2, 0.4])
    np.testing.assert_allclose(run["x"], np.arange(16) * 10 / 16)
    np.testing.assert_allclose(run["m1"][0], m1, atol=1e-15)
    assert run.attrs["alpha"] == -2 and run.attrs["time_step"] == 0.05 and run.attrs["precision"] == "double"
    assert [(progress.time, progress.index, progress.last) for progress in seen] == [(0, 0, 2), (0.2, 1, 2), (0.4, 2, 2)]
    assert seen[0].order == pytest.approx(np.sqrt(np.mean(np.abs(m1) ** 2)))


def test_the_saved_flow_belongs_to_the_saved_order(solver, m1):
    run = solver.run(m1, until=0.2, save_every=0.2).isel(time=-1)
    k = 2 * np.pi / 10 * np.fft.fftfreq(16, 1 / 16)
    u, v = np.fft.fft2(run["velocity_x"]), np.fft.fft2(run["velocity_y"])
    kx, ky = k[:, None], k[None, :]
    np.testing.assert_allclose(np.fft.ifft2(1j * (kx * u + ky * v)), 0, atol=1e-13)
    np.testing.assert_allclose(np.fft.ifft2(1j * (kx * v - ky * u)), run["vorticity"], atol=1e-13)
    np.testing.assert_allclose(np.fft.ifft2(1j * kx * u - 0.5 * (kx * v + ky * u)), run["strain"], atol=1e-13)
    p, m, e = solver.parameters, run["m1"].values, run["strain"].values
    sigma = p.alpha * m / 2 + p.beta / 4 * (e - p.zeta * m + np.conj(e + p.zeta * m) * run["m2"].values)
    spent = 2 * np.mean(np.abs(e) ** 2)
    assert abs(spent + np.mean(np.real(np.conj(e) * sigma))) < 1e-12 * spent


def test_the_time_step_is_lowered_to_fit_and_times_have_to(coarse, m1):
    solver = dataclasses.replace(coarse, time_step=0.07)
    assert solver.run(m1, until=0.2, save_every=0.2).attrs["time_step"] == pytest.approx(0.2 / 3)
    with pytest.raises(ConfigError, match="no whole number"):
        solver.run(m1, until=0.5, save_every=0.2)
    with pytest.raises(ConfigError, match="above 0"):
        solver.run(m1, until=0.0, save_every=0.2)


def turned(field: np.ndarray) -> np.ndarray:
    """Return a scalar field turned by 90 degrees about the origin: the value at (x, y) comes to (-y, x)."""
    index = np.arange(len(field))
    result = np.empty_like(field)
    result[(-index[None, :]) % len(field), index[:, None]] = field
    return result


def mirrored(field: np.ndarray) -> np.ndarray:
    return np.roll(field[:, ::-1], 1, 1)


def test_runs_turn_mirror_and_shift_with_their_start(solver, m1):
    plain, *others = (
        solver.run(start, until=1.0, save_every=1.0)["m1"].values[-1]
        for start in (m1, -turned(m1), np.conj(mirrored(m1)), np.roll(m1, (3, 5), (0, 1)))
    )
    assert np.abs(plain - m1).max() > 0.05
    for found, wanted in zip(others, (-turned(plain), np.conj(mirrored(plain)), np.roll(plain, (3, 5), (0, 1))), strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_more_points_converge_faster_than_any_power():
    parameters, grids = Parameters(alpha=-1.0, zeta=0.3, d_t=0.2), (16, 24, 32)
    start = random_state(48, 3, amplitude=0.2, most=2)
    exact, *others = (
        CoarseSolver(parameters, points=points, time_step=0.05).run(start, 1.0, 1.0)["m1"].values[-1] for points in (48, *grids)
    )
    errors = [np.abs(found - resampled(exact, len(found))).max() for found in others]
    orders = -np.diff(np.log(errors)) / np.diff(np.log(grids))
    assert orders[0] > 4 and orders[1] > 1.5 * orders[0]
    assert errors[-1] < 1e-6


def test_the_reference_run_is_met(reference):
    names = dict(zip(reference["traj_params_names"], reference["traj_params"], strict=True))
    parameters = Parameters(names["alpha"], names["zeta"], names["beta"], names["d_T"], names["d_R"], names["L"])
    solver = KineticSolver(parameters, points=64, modes=16, time_step=0.0125)
    run = solver.run(reference["traj_m2"][0], until=4.0, save_every=2.0)
    for index in (1, 2):
        for name, wanted in (("m1", "traj_m2"), ("m2", "traj_m4"), ("strain", "traj_eps"), ("vorticity", "traj_omega")):
            exact = reference[wanted][index]
            assert np.linalg.norm(run[name][index] - exact) < 1e-4 * np.linalg.norm(exact)


# the nearer zeta to 4 d_r = 0.2, the longer it takes
@pytest.mark.parametrize(("zeta", "order", "modes", "until"), [(0.25, 0.5897079878, 12, 300.0), (1.0, 0.9455421864, 24, 50.0)])
def test_rods_of_one_direction_reach_the_order_of_the_theory(zeta, order, modes, until):
    # q = I1 / I0 (zeta q / (2 d_r)), for which Bingham's closure is exact; a small square keeps waves away
    parameters = Parameters(alpha=-1.0, zeta=zeta, length=1.0)
    start = np.full((16, 16), 0.7 * np.exp(0.6j))
    for solver in (KineticSolver(parameters, 16, modes, 0.05), CoarseSolver(parameters, points=16, time_step=0.05)):
        found = solver.run(start, until, until)["m1"].values[-1]
        np.testing.assert_allclose(found, order * np.exp(0.6j), atol=2e-9)


def test_single_precision_is_single_and_agrees(solver, m1):
    double = solver.run(m1, until=1.0, save_every=1.0)
    single = dataclasses.replace(solver, precision="single").run(m1, until=1.0, save_every=1.0)
    assert single["m1"].dtype == np.complex64 and single["vorticity"].dtype == np.float32
    error = np.abs(single["m1"] - double["m1"]).max()
    assert 0 < error < 3e-6


@pytest.mark.parametrize("switch", [False, True])
def test_jax_s_global_switch_stays_as_it_was(coarse, m1, switch):
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", switch)
    try:
        seen = []
        run = coarse.run(m1, until=0.2, save_every=0.2, on_save=lambda _: seen.append(jax.config.jax_enable_x64))
        single = dataclasses.replace(coarse, precision="single").run(m1, until=0.2, save_every=0.2)
        assert jax.config.jax_enable_x64 is switch and seen == [switch] * 2
        assert jnp.asarray(1.0).dtype == (jnp.float64 if switch else jnp.float32)
    finally:
        jax.config.update("jax_enable_x64", before)
    assert run["m1"].dtype == complex and single["m1"].dtype == np.complex64


def test_double_precision_that_comes_out_single_is_no_success(coarse, m1, monkeypatch):
    @contextmanager
    def broken(precision="double"):
        yield jnp.dtype(jnp.float64)

    monkeypatch.setattr(running, "working", broken)
    with warnings.catch_warnings(), pytest.raises(NumericalError, match="came out as complex64 where double"):
        warnings.simplefilter("ignore")
        coarse.run(m1, until=0.2, save_every=0.2)


class Narrow(eqx.Module):
    """A closure that rounds to single precision."""

    def __call__(self, c, m1, strain, vorticity, parameters):
        return (m1 * m1 / c).astype(jnp.complex64)


def test_a_closure_that_computes_in_single_precision_is_found(coarse, m1):
    with pytest.raises(NumericalError, match="m2 came out as complex64 where double"):
        dataclasses.replace(coarse, closure=Narrow()).run(m1, until=0.2, save_every=0.2)


def test_a_density_that_varies_is_kept_with_its_trace(solver, m1):
    density = 1 + 0.2 * np.cos(2 * np.pi * np.arange(16) / 16)[:, None] * np.ones(16)
    run = solver.run({"D": tensor_of_order(m1 * density, density)}, until=2.0, save_every=1.0)
    c, m = run["density"].values, run["m1"].values
    np.testing.assert_allclose(c.mean((1, 2)), 1, rtol=1e-13)
    assert 0.01 < np.abs(c[-1] - c[0]).max() < 0.2
    trace, back = order_of_tensor(np.moveaxis(tensor_of_order(m, c), 2, 2)[:, :, -1])
    np.testing.assert_allclose(trace, c[-1], rtol=1e-15)
    np.testing.assert_allclose(back, m[-1], atol=1e-15)


REFUSED = [
    (lambda: CoarseSolver(Parameters(-1, 0.5), points=15), "even number"),
    (lambda: CoarseSolver(Parameters(-1, 0.5), points=8), "at least 16"),
    (lambda: KineticSolver(Parameters(-1, 1.0), modes=16), "zeta / d_r = 20 needs at least 18"),
    (lambda: KineticSolver(Parameters(-1, 17.0), modes=32), "needs at least 71"),
    (lambda: CoarseSolver(Parameters(-1, 0.5), time_step=0.0), "time step 0.0"),
    (lambda: CoarseSolver(Parameters(-1, 0.5), precision="half"), "double or single"),  # pyright: ignore[reportArgumentType]
    (lambda: CoarseSolver(Parameters(-1, 0.5), sweeps=0), "0 sweeps"),
]


@pytest.mark.parametrize(("build", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_settings_that_cannot_do_are_refused_before_a_run(build, words):
    with pytest.raises(ConfigError, match=words):
        build()


def test_an_initial_state_on_no_square_is_refused(coarse):
    with pytest.raises(ShapeError, match="square"):
        coarse.run(np.zeros((16, 20), complex), 1.0, 1.0)


@pytest.mark.parametrize(("value", "words"), [(float("nan"), "not finite"), (3.0, "realisability violated")])
def test_a_run_that_leaves_its_range_stops_with_the_last_good_step(coarse, m1, broken, value, words):
    solver = dataclasses.replace(coarse, closure=broken(0.55, value + 0j))
    start = m1 * (0.5 / np.abs(m1).max())
    with pytest.raises(StoppedRun, match=words) as caught:
        solver.run(start, until=20.0, save_every=1.0)
    stopped = caught.value
    assert isinstance(stopped, NumericalError) and "\n" not in str(stopped)
    assert f"step {stopped.step}, time {stopped.time:.6g}" in str(stopped) and stopped.time == pytest.approx(stopped.step * 0.05)
    times = stopped.partial["time"].values
    assert np.isfinite(stopped.partial["m1"]).all()
    assert times[-1] == pytest.approx(stopped.time - 0.05)
    largest = np.abs(stopped.partial["m1"].values).max((1, 2))
    assert (largest < 0.56).all() and largest[-1] > 0.54
    assert stopped.partial.attrs["invalid"] == str(stopped)


def test_too_few_modes_for_the_flow_stop_a_run():
    solver = KineticSolver(Parameters(alpha=-40.0, zeta=0.0), points=16, modes=8, time_step=0.002)
    with pytest.raises(StoppedRun, match=r"last mode of .* more modes"):
        solver.run(random_state(16, 0, amplitude=0.3, most=2), until=5.0, save_every=0.1)


def test_a_flow_too_fast_for_the_step_names_one_that_would_do(m1):
    parameters = Parameters(alpha=-2.0, zeta=0.3, d_t=1e-4)
    start = m1 * (0.8 / np.abs(m1).max())
    with pytest.raises(StoppedRun, match=r"a speed of .* give a time step of .* or less") as caught:
        CoarseSolver(parameters, points=16, time_step=0.2).run(start, until=2.0, save_every=1.0)
    step = float(str(caught.value).split("time step of ")[1].split()[0])
    CoarseSolver(parameters, points=16, time_step=step).run(start, until=0.4, save_every=0.2)


@pytest.mark.parametrize("d_t", [1e-3, 0.05])
def test_the_bound_on_the_speed_is_that_of_the_scheme(d_t):
    # a wave that is carried along, by the scheme itself, grows above the bound and not below
    parameters, points, dt = Parameters(alpha=-1.0, zeta=0.5, d_t=d_t), 64, 0.02
    bound = stable_bounds(parameters, points, 1, dt).speed
    largest = {}
    for factor in (0.99, 1.02):
        grown = []
        for k in 2 * np.pi / 10 * np.geomspace(1, np.sqrt(2) * points / 3, 60):
            before, now = 1.0 + 0j, 1.0 + 0j
            for _ in range(20000):
                slope = -1j * factor * bound * k
                after = (4 * now - before + 2 * dt * slope * (2 * now - before)) / (3 + 2 * dt * d_t * k**2)
                before, now = now, after
                if not 1e-30 < abs(now) < 1e6:
                    break
            grown.append(abs(now))
        largest[factor] = max(grown)
    assert largest[0.99] < 2 and largest[1.02] > 2
    wanted = stable_bounds(parameters, points, 16, dt)._replace(speed=3 * bound)
    less = stable_bounds(parameters, points, 16, stable_step(parameters, points, 16, wanted, dt))
    assert less.speed > wanted.speed and less.turning > wanted.turning


def test_whole_numbers_as_parameters_are_numbers(m1):
    runs = [CoarseSolver(p, points=16, time_step=0.05).run(m1, 0.2, 0.2) for p in (Parameters(-3, 1), Parameters(-3.0, 1.0))]
    xr.testing.assert_identical(*runs)


class Boxed(eqx.Module):
    """A closure with a range."""

    def __call__(self, c, m1, strain, vorticity, parameters):
        return BinghamClosure()(c, m1, strain, vorticity, parameters)

    def outside(self, parameters: Parameters) -> list[str]:
        return [f"alpha = {parameters.alpha} lies outside"] if parameters.alpha < -1.5 else []


def test_a_closure_warns_outside_its_range(coarse, m1):
    with pytest.warns(UserWarning, match=r"alpha = -2\.0 lies outside"):
        run = dataclasses.replace(coarse, closure=Boxed()).run(m1, 0.2, 0.2)
    assert run.attrs["warnings"] == ["alpha = -2.0 lies outside"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CoarseSolver(Parameters(-1.0, 0.3), Boxed(), 16, 0.05).run(m1, 0.2, 0.2)


def test_another_number_of_the_theory_does_not_compile_again(coarse, m1):
    coarse.run(m1, 0.2, 0.2)
    with jax.log_compiles(), warnings.catch_warnings():
        logged = []
        handler = logging.Handler()
        handler.emit = logged.append  # pyright: ignore[reportAttributeAccessIssue]
        logger = logging.getLogger("jax")
        logger.addHandler(handler)
        try:
            CoarseSolver(Parameters(-1.1, 0.4, 0.7, 0.06, 0.07, 9.0), points=16, time_step=0.03).run(m1, 0.3, 0.1)
            # what is compiled is lowered first, also where the program is read back
            quiet = [record.getMessage() for record in logged if "MLIR module conversion" in record.getMessage()]
            logged.clear()
            CoarseSolver(Parameters(-1.1, 0.4), QuadraticClosure(), points=16, sweeps=5).run(m1, 0.1, 0.1)
            loud = [record.getMessage() for record in logged if "MLIR module conversion" in record.getMessage()]
        finally:
            logger.removeHandler(handler)
    assert not quiet, quiet
    assert loud


def test_closures_are_told_apart_by_their_numbers(broken):
    one, other = broken(0.5, 1.0), broken(0.6, 1.0)
    assert digest_of(one) == digest_of(broken(0.5, 1.0)) != digest_of(other)
    assert digest_of(BinghamClosure()) != digest_of(QuadraticClosure())
    network = eqx.nn.MLP(2, 2, 4, 1, key=jax.random.key(0))
    assert digest_of(network) == digest_of(eqx.nn.MLP(2, 2, 4, 1, key=jax.random.key(0)))
    assert digest_of(network) != digest_of(eqx.nn.MLP(2, 2, 4, 1, key=jax.random.key(1)))
