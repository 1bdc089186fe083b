"""Linear theory: formulas, the programmed right-hand side by automatic differentiation, and runs, against each other."""

from __future__ import annotations

from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from sciml.active_fluid.closures.closure import BinghamClosure, squared
from sciml.active_fluid.fields.grid import Grid
from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.fields.precision import working
from sciml.active_fluid.theory import dispersion
from sciml.active_fluid.theory.moments import Model, linear, tendency
from sciml.runtime.errors import ConfigError, NumericalError

REFERENCE = np.load(Path(__file__).parents[1] / "data" / "reference.npz")


class Driven(eqx.Module):
    """A closure that uses strain and vorticity, equivariant and of second order as a learned one is."""

    def __call__(self, c, m1, strain, vorticity, parameters):
        room = 1 - squared(m1)
        return m1 * m1 + room * (0.3 * m1 * strain + 0.1j * vorticity * m1 * m1) / (1 + parameters.zeta)


class Broken(eqx.Module):
    """A closure of first order, which no distribution has."""

    def __call__(self, c, m1, strain, vorticity, parameters):
        return 0.2 * strain + 1.0


MODELS = {"kinetic": None, "bingham": BinghamClosure(), "driven": Driven()}


def cases() -> dict[tuple, list[tuple[tuple[int, int], bool, float]]]:
    """Return the reference cases by their parameters: (wave, cross or not, rate)."""
    found: dict[tuple, list] = {}
    for alpha, beta, zeta, d_t, d_r, n_x, n_y, length, cross, exact, _ in REFERENCE["growth"]:
        found.setdefault((alpha, zeta, beta, d_t, d_r, length), []).append(((int(n_x), int(n_y)), bool(cross), exact))
    return found


@pytest.mark.parametrize("name", MODELS)
def test_reference_rates_of_operator_and_runs(name):
    count = 0
    for numbers, rows in cases().items():
        parameters = Parameters(*numbers)
        waves = sorted({wave for wave, _, _ in rows})
        by_wave = {(rate.n_x, rate.n_y): rate for rate in dispersion.growth_rates(parameters, waves, MODELS[name])}
        measured = dict(zip(waves, dispersion.measured_rates(parameters, waves, MODELS[name], 2, counts=(25, 75)), strict=True))
        for wave, cross, exact in rows:
            rate = by_wave[wave]
            analytic, found = (rate.cross, rate.cross_operator) if cross else (rate.parallel, rate.parallel_operator)
            assert abs(analytic - exact) < 1e-8, (numbers, wave)
            assert abs(found - analytic) < 1e-10, (numbers, wave)
            assert abs(rate.density_operator - rate.density) < 1e-10
            assert abs(measured[wave][0 if cross else 1] - exact) < 1e-4, (numbers, wave)
            count += 1
    assert count == 48


def test_oblique_waves_and_other_boxes():
    parameters = Parameters(alpha=1.3, zeta=0.7, beta=2.5, d_t=0.02, d_r=0.11, length=7.0)
    rows = dispersion.growth_rates(parameters, [(0, 0), (3, 1), (-2, 5), (0, 7)], modes=3)
    for row in rows:
        assert np.allclose(row[3:6], row[6:9], atol=1e-10)
    assert rows[0].cross == rows[0].parallel == pytest.approx(0.7 - 0.44)
    assert rows[1].k == pytest.approx(2 * np.pi * np.sqrt(10) / 7)


def test_the_sign_of_alpha_and_the_whole_spectrum_are_seen():
    pusher, puller = (dispersion.growth_rates(Parameters(alpha, 0.0), [(1, 0)])[0] for alpha in (-2.0, 2.0))
    assert pusher.cross_operator - puller.cross_operator == pytest.approx(8 / 8.8, abs=1e-12)
    # all eigenvalues on the isotropic state: cross, parallel, density, and the damping 4 n^2 d_r of the higher moments twice
    parameters, k2 = Parameters(-2.0, 0.4), (2 * np.pi / 10) ** 2
    found = dispersion.spectra(parameters, [(1, 0)], dispersion.isotropic(3))[0]
    row = dispersion.growth_rates(parameters, [(1, 0)])[0]
    damped = [-0.05 * k2 - 0.2 * n**2 for n in (2, 2, 3, 3)]
    assert np.allclose(found.imag, 0)
    assert np.allclose(found.real, sorted([row.cross, row.parallel, row.density, *damped], reverse=True), atol=1e-10)


def test_a_closure_of_first_order_is_refused():
    with pytest.raises(NumericalError, match="second order"):
        dispersion.growth_rates(Parameters(-2.0, 0.4), [(2, 1)], Broken())


@pytest.mark.parametrize(("zeta", "order"), [(0.25, 0.5897079878), (0.5, 0.8768234221), (1.0, 0.9455421864)])
def test_the_aligned_state_rests_and_turns_freely(zeta, order):
    parameters = Parameters(-1.0, zeta)
    base = dispersion.nematic(parameters, 40, direction=0.3)
    assert abs(base[1]) == pytest.approx(order, abs=1e-9)
    lam = zeta * order / 0.1
    assert abs(base[2]) == pytest.approx(special.ive(2, lam) / special.ive(0, lam), abs=1e-8)
    # its homogeneous perturbations: density and direction are free, all others decay
    rates = dispersion.spectra(parameters, [(0, 0)], base)[0].real
    assert np.allclose(rates[:2], 0, atol=1e-9)
    assert np.all(rates[2:] < -1e-3)


def test_the_closed_aligned_state_bends_as_the_kinetic_one_nearly():
    # extensile rods: unstable for waves along the rods (bend) and not across (splay), at any activity on an infinite box
    parameters = Parameters(-2.0, 0.5)
    waves = [(1, 0), (0, 1)]
    kinetic = dispersion.spectra(parameters, waves, dispersion.nematic(parameters, 24))[:, 0].real
    closed = dispersion.spectra(parameters, waves, dispersion.nematic(parameters), BinghamClosure())[:, 0].real
    assert kinetic[0] > 0.1 > kinetic[1]
    assert np.allclose(closed, kinetic, rtol=0.3, atol=0.02)


def test_the_aligned_operator_by_finite_differences():
    parameters = Parameters(-2.0, 0.5)
    base = dispersion.nematic(parameters, direction=0.4)
    matrix = dispersion.operators(parameters, [(2, 1)], base, BinghamClosure())[0]
    assert matrix.shape == (4, 4)
    x = 2 * np.pi * np.arange(16) / 16
    wave = np.cos(2 * x[:, None] + x[None, :])
    with working("double"):
        model = Model(Grid.of(16, 10.0), parameters, BinghamClosure(), uniform=False, sweeps=30)
        change = jax.jit(lambda state: tendency(model, state, None)[0] + linear(model, 2) * state)
        for column in range(4):
            ends = []
            for step in (1e-5, -1e-5):
                fields = base[:, None, None] * np.ones((16, 16))
                fields[column % 2] += step * (1j if column >= 2 else 1) * wave
                after = np.fft.ifft2(np.asarray(change(jnp.asarray(np.fft.fft2(fields)))))
                amplitude = 2 * np.mean(after * wave, axis=(-2, -1))
                ends.append(np.concatenate([amplitude.real, amplitude.imag]))
            # a density has no imaginary part, whose column is what the program makes of one
            if column != 2:
                assert np.allclose((ends[0] - ends[1]) / 2e-5, matrix[:, column], atol=1e-7)


def test_bad_requests_are_refused():
    with pytest.raises(ConfigError, match="4 d_r"):
        dispersion.nematic(Parameters(-1.0, 0.2))
    with pytest.raises(ConfigError, match="moments"):
        dispersion.operators(Parameters(-1.0, 0.2), [(1, 0)], dispersion.isotropic(3), BinghamClosure())
