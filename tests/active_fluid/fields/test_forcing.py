"""Imposed flow, body force and friction beside what theory gives in closed form."""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sciml.active_fluid import (
    BinghamClosure,
    Cells,
    CoarseSolver,
    Forcing,
    KineticSolver,
    Kolmogorov,
    Parameters,
    QuadraticClosure,
)
from sciml.active_fluid.fields import forcing as forcings
from sciml.active_fluid.fields.grid import Grid
from sciml.active_fluid.fields.precision import working
from sciml.active_fluid.solvers.guards import stable_bounds
from sciml.active_fluid.theory import dispersion
from sciml.active_fluid.theory.moments import Model
from sciml.active_fluid.theory.states import lifted
from sciml.active_fluid.theory.stepping import start, steps
from sciml.runtime.errors import ConfigError, ScimlError

POINTS, LENGTH = 16, 10.0
X = LENGTH * np.arange(POINTS) / POINTS
# rods that neither diffuse nor turn one another, nor stir
FREE = Parameters(0.0, 0.0, beta=0.0, d_t=0.05, d_r=1e-12)


def ends(solver, moments, until, times=None):
    with working():
        return np.asarray(solver.integrate(moments, until, times))


def riccati(z, rate: Forcing, time: float) -> complex:
    """Return <exp(2 i theta)> of rods in a shear or a strain: Jeffery's orbits of a wrapped Cauchy distribution.

    m_n = z^n solves the moment equations without diffusion, with dz/dt = i w z + e - e* z^2.
    """
    if rate.shear is None:
        # e real: z = tanh(e t) from rods in all directions
        return complex(np.tanh(np.arctanh(z) + rate.strain * time))
    # dz/dt = i g / 2 (1 - z)^2
    return complex(1 - 1 / (1 / (1 - z) + 0.5j * rate.shear * time))


@pytest.mark.parametrize("rate", [Forcing(shear=0.7), Forcing(strain=-0.4)])
@pytest.mark.parametrize("z", [pytest.param(0.0, marks=pytest.mark.slow), 0.3 * np.exp(0.8j)])
def test_the_mean_orientation_follows_the_orbits_of_jeffery(rate, z):
    if rate.shear is None:
        z = abs(z)
    everywhere = np.ones((POINTS, POINTS), complex)
    coarse = CoarseSolver(FREE, QuadraticClosure(), POINTS, 0.0125, forcing=rate)
    kinetic = KineticSolver(FREE, POINTS, 16, 0.0125, forcing=rate)
    exact = riccati(z, rate, 1.0)
    assert abs(exact - z) > 0.2
    for solver, moments in ((coarse, z * everywhere), (kinetic, np.stack([z**n * everywhere for n in range(1, 17)]))):
        found = ends(solver, moments, 1.0)
        first = found if found.ndim == 2 else found[0]
        np.testing.assert_allclose(first, exact, atol=3e-5)


def test_rods_in_a_strain_come_to_rest_aligned_as_bingham_has_it():
    # d_r against a strain: Psi ~ exp(e cos 2 theta / (2 d_r)), of which Bingham's closure is exact
    parameters, rate = Parameters(0.0, 0.0, beta=0.0, d_r=0.2), Forcing(strain=0.3)
    rest = lifted(np.array([[float(dispersion.order_of(np.array(0.3 / 0.4))[0]) + 0j]]), 8)[:, 0, 0]
    everywhere = np.ones((POINTS, POINTS))
    coarse = CoarseSolver(parameters, points=POINTS, time_step=0.05, forcing=rate)
    kinetic = KineticSolver(parameters, POINTS, 8, 0.05, forcing=rate)
    np.testing.assert_allclose(ends(coarse, rest[1] * everywhere, 1.0), rest[1].real, atol=1e-10)
    np.testing.assert_allclose(ends(kinetic, rest[1:, None, None] * everywhere, 1.0)[:3, 0, 0], rest[1:4], atol=1e-7)


@pytest.mark.parametrize("rate", [pytest.param(Forcing(shear=0.6), marks=pytest.mark.slow), Forcing(shear=0.4, strain=-0.2)])
def test_a_density_wave_is_carried_and_diffuses_as_its_wave_vector_turns(rate):
    # dc_k/dt = -d_t |k(t)|^2 c_k with dk/dt = -A^T k, past the time at which the box stands upright again
    n_x, n_y, until = 1, 2, 2.0
    e, g = rate.strain or 0.0, rate.shear or 0.0
    k0, time = 2 * np.pi / LENGTH * np.array([n_x, n_y]), np.linspace(0, until, 4001)
    k_x = k0[0] * np.exp(-e * time)
    # dk_y/dt = -g k_x + e k_y
    k_y = k0[1] * np.exp(e * time) - g * k0[0] * (np.sinh(e * time) / e if e else time)
    factor = np.exp(-FREE.d_t * np.trapezoid(k_x**2 + k_y**2, time))
    wave = lambda a, b: 1 + 0.3 * np.cos(a * np.pi * 2 * X[:, None] / LENGTH + b * np.pi * 2 * X / LENGTH)  # noqa: E731
    solver = CoarseSolver(FREE, points=POINTS, time_step=0.02, forcing=rate)
    found = ends(solver, np.stack([wave(n_x, n_y), np.zeros((POINTS, POINTS))]), until)[0].real
    # in the laboratory, at the points of the stretched box
    x, y = np.exp(e * until) * X[:, None], np.exp(-e * until) * X
    exact = 1 + 0.3 * factor * np.cos(k_x[-1] * x + k_y[-1] * y)
    np.testing.assert_allclose(found, exact, atol=2e-5)


def kelvin(parameters: Parameters, g: float, wave: complex, k0: np.ndarray, until: float, count: int) -> complex:
    """Return the amplitude of a small wave of m1 on rods in a shear, closed quadratically, by Runge-Kutta steps of its own.

    m1 = z(t) + (b exp(i k . x) + d exp(-i k . x)), with k(t), all of the flow and the stress linearised by hand.
    """
    p, e0, w0 = parameters.as_dict(), 0.5j * g, -g

    def slope(t, s):
        z, b, d = s
        k_x, k_y = k0[0], k0[1] - g * t * k0[0]
        k2, kappa = k_x**2 + k_y**2, k_x + 1j * k_y
        h = e0 + p["zeta"] * z

        def stress(de, de_other, dm, dm_other):
            # of exp(i k x): variations of sigma = alpha m / 2 + beta / 4 (e - zeta m + h* m^2)
            dh_conj = np.conj(de_other + p["zeta"] * dm_other)
            return p["alpha"] / 2 * dm + p["beta"] / 4 * (de - p["zeta"] * dm + dh_conj * z**2 + np.conj(h) * 2 * z * dm)

        def strain(psi):
            return 0.5j * kappa**2 * psi, 0.5j * kappa**2 * np.conj(psi)

        # psi (k) from the real part of i kappa*^2 / k^4 sigma, at k and -k; linear in psi and its conjugate: solved as such
        def residual(psi):
            de, de_other = strain(psi)
            s_k, s_other = stress(de, de_other, b, d), stress(de_other, de, d, b)
            drive = 1j * np.conj(kappa) ** 2 / (k2 * (k2 + p.get("friction", 0.0)))
            return psi - (drive * s_k + np.conj(drive * s_other)) / 2

        r0 = residual(0.0)
        matrix = np.array([[(residual(u) - r0).real, (residual(u) - r0).imag] for u in (1.0, 1.0j)]).T
        psi = complex(*np.linalg.solve(matrix, [-r0.real, -r0.imag]))
        de, de_other = strain(psi)
        dw, dw_other = k2 * psi, k2 * np.conj(psi)

        def change(dm, dm_other, de, de_other, dw):
            dh, dh_conj = de + p["zeta"] * dm, np.conj(de_other + p["zeta"] * dm_other)
            turned = 1j * (w0 * dm + dw * z) + dh - dh_conj * z**2 - np.conj(h) * 2 * z * dm
            return turned - (4 * p["d_r"] + p["d_t"] * k2) * dm

        base = 1j * w0 * z + h - np.conj(h) * z**2 - 4 * p["d_r"] * z
        return np.array([base, change(b, d, de, de_other, dw), change(d, b, de_other, de, dw_other)])

    s, dt = np.array([0.1 + 0.2j, wave, 0.0]), until / count
    for i in range(count):
        t = i * dt
        k1 = slope(t, s)
        k2 = slope(t + dt / 2, s + dt / 2 * k1)
        k3 = slope(t + dt / 2, s + dt / 2 * k2)
        s = s + dt / 6 * (k1 + 2 * k2 + 2 * k3 + slope(t + dt, s + dt * k3))
    return s


def test_a_small_wave_in_a_shear_grows_as_its_own_equations_say():
    parameters, rate, n = Parameters(-2.0, 0.4, friction=0.3), 0.8, (1, 1)
    k0, until, size = 2 * np.pi / LENGTH * np.array(n), 1.5, 1e-7
    base, b, d = kelvin(parameters, rate, 1.0, k0, until, 200)
    wave = np.exp(2j * np.pi / LENGTH * (n[0] * X[:, None] + n[1] * X))
    solver = CoarseSolver(parameters, QuadraticClosure(), POINTS, 0.01, forcing=Forcing(shear=rate))
    found = ends(solver, 0.1 + 0.2j + size * wave, until)
    # k_y at the end; the run went on from another lattice at time 0.625
    turned = np.exp(1j * (k0[0] * X[:, None] + (k0[1] - rate * until * k0[0]) * X))
    np.testing.assert_allclose(found.mean(), base, atol=1e-4)
    np.testing.assert_allclose((found - found.mean()) / size, b * turned + d * np.conj(turned), atol=2e-4 * abs(b))
    assert abs(b - 1) > 0.5 and abs(d) > 0.05


@pytest.fixture(scope="module")
def order() -> np.ndarray:
    x = 2 * np.pi * X / LENGTH
    return 0.4 * np.cos(x[:, None] + 2 * x + 0.3) + 0.3j * np.sin(x[:, None] - x) + 0.1


def sheared(order, count, until=1.5, rate=0.6, sweeps=2):
    with working():
        parameters = jax.tree.map(jnp.asarray, Parameters(-2.0, 0.3, friction=0.1))
        model = Model(Grid.of(POINTS, LENGTH), parameters, BinghamClosure(), True, sweeps, Forcing(shear=jnp.asarray(rate)))
        dt = jnp.asarray(until / count)
        carry = jax.jit(lambda m: steps(model, start(model, m, dt), dt, count - 1))(jnp.fft.fft2(jnp.asarray(order))[None])
        tilt = model.forcing.frame(carry.clock.time, carry.clock.sheets).tilt
        return np.asarray(forcings.laboratory(jnp.fft.ifft2(carry.state[0]), tilt)), int(carry.clock.sheets)


@pytest.mark.slow
def test_steps_in_a_shear_are_of_second_order_and_the_lattice_does_not_show(order, monkeypatch):
    fine, sheets = sheared(order, 320)
    counts = np.array([20, 40, 80])
    errors = [np.abs(sheared(order, int(count))[0] - fine).max() for count in counts]
    assert sheets == 1
    assert 1.85 < -np.polyfit(np.log(counts), np.log(errors), 1)[0] < 2.2
    # a run that stays on its first lattice is the same but for waves that leave the grid
    monkeypatch.setattr(Forcing, "sheets", lambda self, time: jnp.zeros((), jnp.int32))
    tilted, sheets = sheared(order, 80)
    assert sheets == 0
    np.testing.assert_allclose(tilted, sheared(order, 80)[0], atol=2e-3)


def test_a_strain_along_the_other_axis_is_the_same_seen_from_there(order):
    along, across = (
        CoarseSolver(Parameters(-2.0, 0.3), points=POINTS, time_step=0.05, forcing=Forcing(strain=e)) for e in (0.3, -0.3)
    )
    # x and y exchanged: theta -> pi / 2 - theta, m1 -> -m1*
    seen = ends(across, -np.conj(order.T), 0.5)
    np.testing.assert_allclose(-np.conj(seen.T), ends(along, order, 0.5), atol=1e-12)
    left, right = (
        CoarseSolver(Parameters(-2.0, 0.3), points=POINTS, time_step=0.05, forcing=Forcing(shear=g)) for g in (0.5, -0.5)
    )
    mirrored = lambda field: np.conj(np.roll(field[:, ::-1], 1, 1))  # noqa: E731
    # y -> -y takes the row at y = 0 to itself, and the upright grid keeps its x there
    np.testing.assert_allclose(mirrored(ends(right, mirrored(order), 2.0)), ends(left, order, 2.0), atol=1e-12)


@pytest.mark.parametrize("friction", [None, 0.0, 0.4])
def test_isotropic_rods_answer_to_a_force_and_to_a_stirring(friction):
    # u = f / (k^2 (1 + beta / 8) + mu); a stirring is the flow of such a force without rods
    parameters, k2 = Parameters(-2.0, 0.5, friction=friction), (4 * np.pi / LENGTH) ** 2
    mu = friction or 0.0
    forced = CoarseSolver(parameters, points=POINTS, forcing=Forcing(force=Kolmogorov(0.7, waves=2)))
    stirred = CoarseSolver(parameters, points=POINTS, forcing=Forcing(stream=Cells(0.5, waves=1, period=3.0)))
    with working():
        found = forced.observe(np.zeros((POINTS, POINTS), complex))
        np.testing.assert_allclose(
            found["velocity_x"], 0.7 / (k2 * 1.1 + mu) * np.sin(4 * np.pi * X / LENGTH)[None] + 0 * X[:, None], atol=1e-12
        )
        np.testing.assert_allclose(found["velocity_y"], 0, atol=1e-12)
        found, k2 = stirred.observe(np.zeros((POINTS, POINTS), complex), time=0.4), 2 * (2 * np.pi / LENGTH) ** 2
        x = 2 * np.pi * X / LENGTH
        speed = 0.5 * np.cos(2 * np.pi * 0.4 / 3) * (k2 + mu) / (k2 * 1.1 + mu)
        np.testing.assert_allclose(found["velocity_x"], speed * np.sin(x)[:, None] * np.cos(x), atol=1e-12)
        np.testing.assert_allclose(found["velocity_y"], -speed * np.cos(x)[:, None] * np.sin(x), atol=1e-12)


def test_power_is_balanced_with_friction_and_force_and_a_mean_force_slips(order):
    parameters = Parameters(-2.0, 0.5, friction=0.3)
    push = lambda t, x, y: (0.2 + jnp.sin(2 * jnp.pi * y / LENGTH), jnp.cos(2 * jnp.pi * (x + y) / LENGTH))  # noqa: E731
    solver = CoarseSolver(parameters, QuadraticClosure(), POINTS, forcing=Forcing(force=push))
    with working():
        seen = {name: np.asarray(field) for name, field in solver.observe(order).items()}
        f_x, f_y = (np.asarray(part) for part in push(0, jnp.asarray(X[:, None]), jnp.asarray(X[None])))
    u, v, e, m = seen["velocity_x"], seen["velocity_y"], seen["strain"], seen["m1"]
    np.testing.assert_allclose([u.mean(), v.mean()], [0.2 / 0.3, 0], atol=1e-12)
    sigma = -2.0 * m / 2 + 0.8 / 4 * (e - 0.5 * m + np.conj(e + 0.5 * m) * m**2)
    # 2 <|e|^2> + mu <|u|^2> / 2 = <u . f> / 2 - <Re(e* sigma)>
    used = 2 * np.mean(np.abs(e) ** 2) + 0.3 / 2 * np.mean(u**2 + v**2)
    np.testing.assert_allclose(used, np.mean(u * f_x + v * f_y) / 2 - np.mean((np.conj(e) * sigma).real), rtol=1e-7)


@pytest.mark.parametrize("friction", [0.05, 2.0])
def test_friction_slows_the_growth_of_long_waves(friction):
    parameters, waves = Parameters(-2.0, 0.4, friction=friction), [(1, 0), (2, 1)]
    for row in dispersion.growth_rates(parameters, waves, BinghamClosure()):
        assert row.cross_operator == pytest.approx(row.cross, abs=1e-12)
        free = dispersion.analytic_rates(dataclasses.replace(parameters, friction=None), row.k)["cross"]
        assert row.cross < free - 0.01 and row.parallel_operator == pytest.approx(row.parallel, abs=1e-12)
    measured = dispersion.measured_rates(parameters, waves[:1], BinghamClosure())[0]
    k = 2 * np.pi / LENGTH
    exact = dispersion.analytic_rates(parameters, k)
    np.testing.assert_allclose(measured, [exact["cross"], exact["parallel"]], atol=1e-5)
    # the formula of the fastest wave
    k = np.linspace(1e-3, 3, 30001)
    fastest = k[np.argmax(dispersion.analytic_rates(parameters, k)["cross"])]
    formula = (np.sqrt(8 * friction * (0.8 * 0.4 + 4) / 0.05) - 8 * friction) / 8.8
    assert fastest**2 == pytest.approx(formula, abs=2e-3)


@pytest.mark.slow
def test_rates_amplitudes_and_friction_have_gradients_and_map(order):
    def energy(theta, kind):
        parameters = Parameters(-2.0, 0.3, friction=theta[0])
        forcing = {
            "gradient": Forcing(shear=theta[1], strain=theta[2]),
            "periodic": Forcing(stream=Cells(theta[1], period=2.0), force=Kolmogorov(theta[2])),
        }[kind]
        solver = CoarseSolver(parameters, QuadraticClosure(), POINTS, 0.1, sweeps=1, forcing=forcing)
        return jnp.mean(jnp.abs(solver.integrate(order, 0.5) - order) ** 2)

    with working():
        theta, h = jnp.array([0.2, 0.5, 0.1]), 1e-4
        for kind in ("gradient", "periodic"):
            of = jax.jit(lambda theta, kind=kind: energy(theta, kind))
            slopes = jax.jit(jax.grad(lambda theta, kind=kind: energy(theta, kind)))(theta)
            finite = [(of(theta.at[i].add(h)) - of(theta.at[i].add(-h))) / (2 * h) for i in range(3)]
            assert np.abs(finite).min() > 1e-5
            np.testing.assert_allclose(slopes, finite, rtol=1e-5)
        np.testing.assert_allclose(jax.vmap(of)(jnp.stack([theta, 2 * theta])), [of(theta), of(2 * theta)], rtol=1e-10)


@pytest.mark.slow
def test_a_forced_run_saves_the_whole_flow_and_goes_on_to_the_same_bytes(order, tmp_path):
    solver = CoarseSolver(Parameters(-2.0, 0.3, friction=0.1), points=POINTS, time_step=0.05, forcing=Forcing(shear=0.9))
    whole = solver.run(order, 1.2, 0.4, tmp_path / "whole.zarr")
    solver.run(order, 0.8, 0.4, tmp_path / "on.zarr")
    on = solver.run(order, 1.2, 0.4, tmp_path / "on.zarr")
    np.testing.assert_array_equal(on["m1"].values, whole["m1"].values)
    np.testing.assert_allclose(whole["m1"].values[-1], ends(solver, order, 1.2, [0.4, 1.2])[-1], atol=1e-14)
    assert whole.attrs["shear"] == 0.9 and whole.attrs["friction"] == 0.1
    # u of the shear is g y, beside a flow whose mean is 0
    np.testing.assert_allclose(whole["velocity_x"].mean("x").values.mean(1), 0.9 * X.mean(), atol=1e-12)
    np.testing.assert_allclose(whole["vorticity"].mean(("x", "y")), -0.9, atol=1e-12)
    with pytest.raises(ConfigError, match=r"shear = 0.9, not 0.8"):
        eqx.tree_at(lambda one: one.forcing.shear, solver, 0.8).run(order, 1.2, 0.4, tmp_path / "on.zarr")
    stirred = [
        dataclasses.replace(solver, forcing=Forcing(stream=lambda t, x, y, a=a: a * jnp.sin(2 * jnp.pi * x / LENGTH)))
        for a in (1, 2)
    ]
    stirred[0].run(order, 0.1, 0.1, tmp_path / "stirred.zarr")
    with pytest.raises(ConfigError, match="stream_digest"):
        stirred[1].run(order, 0.1, 0.1, tmp_path / "stirred.zarr")


def test_a_strain_lowers_the_bound_on_the_speed_as_it_makes_waves_shorter(order):
    def bound(until):
        solver = CoarseSolver(Parameters(-6.0, 0.3), points=32, time_step=0.2, forcing=Forcing(strain=0.3))
        with pytest.raises(ScimlError, match="a speed of") as refusal:
            solver.run(order, until, 1.0)
        return float(str(refusal.value).split("above ")[1].split(";")[0]), refusal.value.step

    # the bound is that of the time at which it is passed, however long the run was to be
    assert bound(2.0) == bound(1.0)
    free = stable_bounds(Parameters(-6.0, 0.3), 32, 1, 0.2).speed
    assert bound(1.0)[0] == pytest.approx(stable_bounds(Parameters(-6.0, 0.3), 32, 1, 0.2, np.exp(0.3)).speed, rel=2e-3)
    assert bound(1.0)[0] < 0.98 * free


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: Forcing(shear=float("nan")), "finite"),
        (lambda: Forcing(shear=1.0, force=Kolmogorov(1.0)), "one or the other"),
        (lambda: Forcing(strain=0.5).check(32, 10.0, 2.0), r"32 points last to time 1.39"),
        (lambda: Forcing(stream=lambda t, x, y: x).check(16, 10.0, 1.0), "not periodic"),
        (lambda: Forcing(force=lambda t, x, y: x).check(16, 10.0, 1.0), "f_x and f_y"),
        (lambda: Forcing(stream=lambda t, x, y: jnp.sin(x) / 0).check(16, 10.0, 1.0), "not finite"),
        (lambda: Parameters(-1.0, 0.5, friction=-0.1), "friction = -0.1"),
    ],
)
def test_what_no_run_can_carry_is_refused_in_a_line(call, match):
    with pytest.raises(ConfigError, match=match) as refusal:
        call()
    assert "\n" not in str(refusal.value)
