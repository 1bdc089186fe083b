"""Diagnostics against fields whose numbers are known, and against sums written out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sciml.active_fluid.fields import defects, spectra
from sciml.active_fluid.solvers import diagnostics
from sciml.runtime.errors import DataError, ShapeError

REFERENCE = np.load(Path(__file__).parents[1] / "data" / "reference.npz")


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.standard_normal(shape) + 1j * generator.standard_normal(shape)


def test_order_speed_and_coherence_of_a_known_field():
    x = 2 * np.pi * np.arange(16) / 16
    m1 = 0.3 * np.exp(1j * x)[:, None] * np.ones(16)
    stack = np.stack([m1, m1 + 0.2, 0.5 * np.ones((16, 16))])
    assert np.allclose(diagnostics.coherence(stack), [0, 0.2, 0.5], atol=1e-15)
    assert diagnostics.mean_order(stack)[[0, 2]] == pytest.approx([0.3, 0.5])
    assert diagnostics.mean_order(stack, 2.0)[2] == pytest.approx(0.25)
    assert diagnostics.mean_speed(stack)[1] == pytest.approx(np.sqrt(0.3**2 + 0.2**2))


def test_histogram_against_numpy():
    values = np.random.default_rng(1).uniform(-0.1, 1.2, (3, 2, 16, 16))
    values[0, 0, 0, 0], values[0, 0, 0, 1] = 1.0, 0.0
    edges, share = diagnostics.histogram(values, 20)
    assert share.shape == (3, 2, 20)
    for place in np.ndindex(3, 2):
        assert np.array_equal(share[place] * 256, np.histogram(values[place], edges)[0])


def test_power_of_a_reference_run_balances_and_wrong_numbers_do_not():
    m1, m2, strain = (REFERENCE[f"traj_{name}"].astype(np.complex128) for name in ("m2", "m4", "eps"))
    sigma = diagnostics.stress(1.0, m1, m2, strain, -1.0, 0.5, 0.8)
    found = diagnostics.power(strain, sigma)
    # the file keeps strain and m2 in single precision
    assert np.all(found.imbalance < 1e-6)
    assert np.all(diagnostics.power(strain, diagnostics.stress(1.0, m1, m2, strain, -1.0, 0.5, 0.7)).imbalance > 5e-4)
    assert diagnostics.power(strain[:1] * 0, sigma[:1]).imbalance == 0
    assert np.all(diagnostics.least_slack(m1, m2) > 0)


def test_power_of_a_converged_flow_is_exact():
    import jax
    import jax.numpy as jnp

    from sciml.active_fluid.closures.closure import BinghamClosure
    from sciml.active_fluid.fields.grid import Grid
    from sciml.active_fluid.fields.parameters import Parameters
    from sciml.active_fluid.fields.precision import working
    from sciml.active_fluid.theory.moments import Model, flow_of
    from sciml.active_fluid.theory.states import random_state

    m1 = random_state(32, 3, 0.8, most=3)
    imbalances = []
    with working("double"):
        model = Model(Grid.of(32, 10.0), Parameters(-2.0, 0.7), BinghamClosure(), uniform=True, sweeps=1)
        for sweeps in (1, 3, 30):
            flow = jax.jit(lambda sweeps=sweeps: flow_of(model, jnp.asarray(m1)[None], None, sweeps))()
            strain = np.asarray(flow.strain)
            sigma = diagnostics.stress(1.0, m1, np.asarray(flow.m2), strain, -2.0, 0.7, 0.8)
            imbalances.append(float(diagnostics.power(strain, sigma).imbalance))
    assert imbalances[2] < 1e-12 < 1e-7 < imbalances[1] < imbalances[0]


def test_slack_and_tail():
    m1 = np.full((2, 16, 16), 0.6 + 0j)
    m2 = m1**2 + 0.5
    m2[1, 3, 4] = m1[1, 3, 4] ** 2 - 0.7j
    assert np.allclose(diagnostics.least_slack(m1, m2), [0.14, -0.06])
    assert np.allclose(diagnostics.least_slack(3 * m1, 3 * m2, 3.0), [0.14, -0.06])
    assert np.allclose(diagnostics.tail(m2, 2.0), [0.43, 0.43])


def test_field_error_and_first_time_above():
    truth = noise(4, 16, 16)
    found = truth * np.array([1.0, 1.05, 1.3, 1.2])[:, None, None]
    errors = diagnostics.field_error(found, truth)
    assert np.allclose(errors, [0, 0.05, 0.3, 0.2])
    times = np.array([0.0, 1.0, 3.0, 4.0])
    assert diagnostics.first_above(times, errors, 0.1) == pytest.approx(1 + 2 * 0.05 / 0.25)
    assert diagnostics.first_above(times, errors, 0.5) == 4
    assert diagnostics.first_above(times, errors + 1, 0.5) == 0
    assert diagnostics.first_above(times, np.array([0, 0.05, np.nan, np.nan]), 0.1) == 1
    with pytest.raises(ShapeError, match="equal grids"):
        diagnostics.field_error(found, truth[:3])
    with pytest.raises(DataError, match="increase"):
        diagnostics.first_above(times[::-1], errors, 0.1)
    with pytest.raises(ShapeError, match="one length"):
        diagnostics.first_above(times[:2], errors, 0.1)


def test_closure_errors_against_tensors_of_a_distribution():
    # moments of random positive distributions over 64 angles, and all tensors by sums over the angles
    generator = np.random.default_rng(5)
    theta = 2 * np.pi * np.arange(64) / 64
    weight = np.exp(0.6 * np.cos(2 * (theta - generator.uniform(0, 3, (16, 16, 1))))) + generator.uniform(0, 1, (16, 16, 64))
    weight = weight + np.roll(weight, 32, -1)
    weight /= weight.sum(-1, keepdims=True)
    m1, m2 = (np.sum(weight * np.exp(2j * n * theta), -1) for n in (1, 2))
    strain, zeta = 0.4 * noise(16, 16), 0.7
    p = np.stack([np.cos(theta), np.sin(theta)])
    tensor = np.moveaxis(np.array([[strain.real, strain.imag], [strain.imag, -strain.real]]), (0, 1), (-2, -1))
    second = np.einsum("xya,ia,ja->xyij", weight, p, p)
    fourth = np.einsum("xya,ia,ja,ka,la->xyijkl", weight, p, p, p, p)
    target = np.einsum("xyijkl,xykl->xyij", fourth, tensor + 2 * zeta * second)
    closed = m1**2
    error = np.conj(strain + zeta * m1) * (closed - m2) / 4
    wrong = np.stack([error.real, error.imag, -error.real])
    whole = np.stack([target[..., 0, 0], target[..., 0, 1], target[..., 1, 1]])
    expected = np.mean(wrong**2) / np.mean(whole**2)
    assert diagnostics.contracted_error(closed, m2, m1, strain, zeta) == pytest.approx(expected, rel=1e-12)
    h = np.conj(strain + zeta * m1)
    expected = np.linalg.norm(h * (closed - m2)) / np.linalg.norm(h * m2)
    assert diagnostics.closure_error(closed, m2, m1, strain, zeta) == pytest.approx(expected, rel=1e-12)


def test_bootstrap_covers_as_often_as_it_says():
    generator = np.random.default_rng(2)
    hits = 0
    for seed in range(300):
        sample = generator.normal(1.0, 2.0, (25, 3))
        found = diagnostics.bootstrap(sample, seed, draws=400)
        assert np.allclose(found.mean, sample.mean(0))
        assert np.all((found.low < found.mean) & (found.mean < found.high))
        hits += int(np.sum((found.low < 1) & (found.high > 1)))
    assert 0.83 < hits / 900 < 0.93
    one = diagnostics.bootstrap(np.ones((1, 4)), 0)
    assert np.array_equal(one.low, one.high)


def test_spectra_keep_the_mean_square_and_find_a_wave():
    field = noise(2, 3, 24, 24)
    k, power = spectra.spectrum(field, 10.0)
    assert power.shape == (2, 3, len(k))
    assert np.allclose(power.sum(-1), np.mean(np.abs(field) ** 2, axis=(-2, -1)), rtol=1e-13)
    assert np.allclose(spectra.energy_spectrum(field, 10.0).power, power / 2)
    x = 2 * np.pi * np.arange(24) / 24
    wave = np.exp(1j * (3 * x[:, None] - 4 * x[None, :]))
    assert np.allclose(spectra.spectrum(wave, 10.0).power, np.arange(len(k)) == 5)
    assert k[5] == pytest.approx(np.pi)
    with pytest.raises(ShapeError, match="square"):
        spectra.spectrum(field[..., :12], 10.0)


def test_correlation_against_all_pairs():
    x = np.arange(12)
    field = noise(12, 12) + 2 * np.exp(2j * np.pi * x / 12)[:, None]
    r, value, length = spectra.correlation(field, 6.0)
    sums, counts = np.zeros(20), np.zeros(20)
    for dx in range(-6, 6):
        for dy in range(-6, 6):
            shell = int(np.floor(np.hypot(dx, dy) + 0.5))
            sums[shell] += np.mean((np.conj(field) * np.roll(field, (-dx, -dy), (0, 1))).real)
            counts[shell] += 1
    assert np.allclose(value, (sums[:7] / counts[:7]) / np.mean(np.abs(field) ** 2), atol=1e-13)
    assert value[0] == pytest.approx(1)
    assert r[-1] == pytest.approx(3)
    after = int(np.argmax(value < np.exp(-1)))
    assert r[after - 1] < length < r[after]


def test_correlation_length_of_a_wave_and_of_a_constant():
    x = 2 * np.pi * np.arange(64) / 64
    both = np.stack([np.exp(1j * x)[:, None] * np.ones(64), np.ones((64, 64)) + 0j])
    found = spectra.correlation(both, 2 * np.pi)
    # over directions the cosine becomes J0, which is 1/e at 1.75
    assert found.length[0] == pytest.approx(1.75, abs=0.03)
    assert np.isinf(found.length[1])


def vortices(points: int, places: list[tuple[float, float, int]]) -> np.ndarray:
    """Return m1 with the phase turning once around each place, by its charge's sign; tanh cores."""
    x = np.arange(points) / points
    field = np.ones((points, points), np.complex128)
    for at_x, at_y, sign in places:
        # zeros of sin(pi (z - z0)), which is periodic up to its sign along x; along y the strip is wide enough here
        z = (x[:, None] - at_x) + 1j * (x[None, :] - at_y)
        turn = np.sin(np.pi * z)
        field = field * (turn if sign > 0 else np.conj(turn))
    return field / np.abs(field).max()


def test_defects_of_constructed_fields():
    points = 40
    # half-way between grid points, away from the edge along y, which these fields do not cross periodically
    field = vortices(
        points, [(10.5 / 40, 15.5 / 40, 1), (30.5 / 40, 15.5 / 40, -1), (20.5 / 40, 25.5 / 40, 1), (5.5 / 40, 25.5 / 40, -1)]
    )
    inner = defects.windings(field)[:, 5:35]
    assert np.count_nonzero(inner) == 4
    found = defects.defects(field, 20.0)
    inside = (found.y > 3) & (found.y < 17)
    listed = sorted(zip(found.x[inside], found.y[inside], found.charge[inside], strict=True))
    assert np.allclose(listed, [(2.75, 12.75, -0.5), (5.25, 7.75, 0.5), (10.25, 12.75, 0.5), (15.25, 7.75, -0.5)])


def test_the_sign_of_a_charge_is_that_of_the_director():
    # theta = phi / 2 around the middle is the +1/2 defect, theta = -phi / 2 the -1/2 defect
    x = np.arange(16) - 7.5
    phi = np.angle(x[:, None] + 1j * x[None, :])
    for sign in (1, -1):
        director = sign * phi / 2
        assert defects.windings(np.exp(2j * director))[7, 7] == sign


@pytest.mark.parametrize("shift", [(0, 0), (5, 11)])
def test_charges_on_the_torus_add_up_to_zero_and_move_with_the_field(shift):
    m1 = REFERENCE["traj_m2"]
    plus, minus = defects.counts(m1)
    assert plus.shape == (5,)
    assert np.array_equal(plus, minus)
    assert plus.max() > 0
    moved = defects.windings(np.roll(m1, shift, (-2, -1)))
    assert np.array_equal(moved, np.roll(defects.windings(m1), shift, (-2, -1)))
    # a reflection x to -x takes m1 to its conjugate, and charges stay charges
    mirrored = np.conj(m1[:, ::-1])
    assert np.array_equal(defects.counts(mirrored)[0], plus)
    assert np.array_equal(defects.counts(noise(6, 32, 32))[0], defects.counts(noise(6, 32, 32))[1])
