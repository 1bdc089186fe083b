"""Inference of alpha and zeta: filter, Jacobian, elimination of the state, recovery, coverage, partial data, bad input."""

from __future__ import annotations

import json
from functools import cache

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from sciml.active_fluid.closures.closure import BinghamClosure
from sciml.active_fluid.closures.discrepancy import TERMS, Disturbed, ErrorSize
from sciml.active_fluid.closures.neural import NeuralClosure
from sciml.active_fluid.closures.second import SecondOrderClosure
from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.fields.precision import working
from sciml.active_fluid.inference.assimilation import Problem, Slopes, jacobian, normal_step, residuals
from sciml.active_fluid.inference.infer import _outside, infer
from sciml.active_fluid.inference.recovery import recovery, synthetic, with_noise
from sciml.active_fluid.inference.verdicts import sentences
from sciml.active_fluid.inference.wiener import filtered
from sciml.active_fluid.theory.states import random_state
from sciml.runtime.errors import ConfigError, DataError, NumericalError, ShapeError

POINTS = 16
TIMES = (3.0, 4.0, 5.0)
TRUTH = (-1.8, 0.6)
CLOSURE = BinghamClosure()


class Known(eqx.Module):
    """A closure whose error has a known size."""

    closure: BinghamClosure
    discrepancy: tuple[ErrorSize, ...] = eqx.field(static=True)

    def __call__(self, *arguments):
        return self.closure(*arguments)


@cache
def clean() -> np.ndarray:
    fields = synthetic(Parameters(*TRUTH), TIMES, CLOSURE, POINTS, seed=3, time_step=0.0125)
    fields.setflags(write=False)
    return fields


def found(data: np.ndarray, **options):
    return infer(data, TIMES, CLOSURE, time_step=0.0125, **options)


# the filter


def test_noise_and_spectrum_come_from_the_data():
    field = random_state(32, 5, amplitude=0.5)[None]
    data, size = with_noise(field, 0.05, 0)
    state = filtered(data, np.ones(data.shape), None)
    assert state.noise == pytest.approx(size, rel=0.05)
    error = np.fft.ifft2(state.amplitudes) * 32**2 - field
    # eight waves stand out of 350 modes: the filter leaves much less noise than truncation alone would
    assert np.sqrt(np.mean(np.abs(error) ** 2)) < 0.35 * size


def test_hidden_points_are_filled_in():
    field = random_state(32, 5, amplitude=0.5)[None]
    data, size = with_noise(field, 0.02, 0)
    seen = np.ones(data.shape)
    seen[:, 10:14, 5:9] = 0
    state = filtered(data * seen, seen, None)
    error = np.abs(np.fft.ifft2(state.amplitudes) * 32**2 - field)
    assert state.noise == pytest.approx(size, rel=0.15)
    assert error[seen == 0].max() < 0.1 * np.abs(field).max()


def test_filter_with_a_mask_of_ones_is_the_diagonal_one():
    data, _ = with_noise(random_state(16, 1)[None], 0.1, 1)
    full = filtered(data, np.ones(data.shape), 0.01)
    nearly = np.ones(data.shape)
    nearly[0, 0, 0] = 1 - 1e-9
    assert np.allclose(filtered(data, nearly, 0.01).amplitudes, full.amplitudes, atol=1e-9)


# the least squares


def test_jacobian_agrees_with_differences():
    data = np.array(clean())
    modes = np.array([[0, 1], [15, 2]])
    with working("double"):
        problem = Problem(CLOSURE, Parameters(-1.0, 0.5), jnp.asarray(data), jnp.ones(data.shape), jnp.ones(2))
        theta, amplitudes = np.array(TRUTH), np.fft.fft2(data[0]) / POINTS**2
        slopes = jacobian(problem, jnp.asarray(theta), jnp.asarray(amplitudes), modes, 8)
        rows = np.concatenate([slopes.theta, slopes.state])

        def look(t: np.ndarray, a: np.ndarray) -> np.ndarray:
            return np.asarray(residuals(problem, jnp.asarray(t), jnp.asarray(a), 8)[0]).reshape(-1).view(float)

        for row, (turn, wave) in enumerate(
            [((1, 0), None), ((0, 1), None), (None, (0, 1)), (None, (1, 1)), (None, (0, 1j)), (None, (1, 1j))]
        ):
            h = 1e-5
            change = np.zeros_like(amplitudes)
            if wave:
                change[tuple(modes[wave[0]])] = wave[1]
            step = np.array(turn or (0, 0))
            difference = (look(theta + h * step, amplitudes + h * change) - look(theta - h * step, amplitudes - h * change)) / (
                2 * h
            )
            assert np.linalg.norm(rows[row] - difference) < 1e-6 * np.linalg.norm(difference)


def test_elimination_of_the_state_is_the_full_solution():
    generator = np.random.default_rng(0)
    slopes = generator.standard_normal((2 + 2 * 5, 60))
    parts = Slopes(slopes[:2], generator.standard_normal((TERMS, 60)), slopes[2:])
    residual = generator.standard_normal(30) + 1j * generator.standard_normal(30)
    chosen, ridge = generator.standard_normal(5) + 1j * generator.standard_normal(5), generator.uniform(0.5, 2, 5)
    got = normal_step(parts, residual, chosen, ridge)
    penalty = np.concatenate([np.zeros(2), ridge, ridge])
    matrix = slopes @ slopes.T + np.diag(penalty)
    right = slopes @ residual.view(float) + penalty * np.concatenate([np.zeros(2), chosen.real, chosen.imag])
    whole = -np.linalg.solve(matrix, right)
    assert np.allclose(got.theta, whole[:2])
    assert np.allclose(np.concatenate([got.amplitudes.real, got.amplitudes.imag]), whole[2:])
    # the marginal covariance is the corner of the full inverse
    assert np.allclose(np.linalg.inv(got.information), np.linalg.inv(matrix)[:2, :2])
    # data that a term of the closure's error has changed move the fit by (J J' + penalty)^-1 J times the change
    moved = np.linalg.solve(matrix, slopes @ parts.error.T)
    assert np.allclose(got.influence, moved[:2])
    assert np.allclose(got.left, parts.error - moved.T @ slopes)
    # a prior of theta is one more penalty
    theta, weights = generator.standard_normal(2), np.array([0.0, 3.0])
    penalty[:2] = weights
    right += penalty * np.concatenate([theta, np.zeros(10)])
    whole = -np.linalg.solve(slopes @ slopes.T + np.diag(penalty), right)
    assert np.allclose(normal_step(parts, residual, chosen, ridge, (theta, weights)).theta, whole[:2])


# recovery


@pytest.mark.parametrize("begin", [None, (-1.0, 1.0)])
def test_parameters_are_recovered_from_any_start(begin):
    data, size = with_noise(np.array(clean()), 0.02, 1)
    rows = []
    result = found(data, start=begin, progress=rows.append)
    assert result.converged
    assert abs(result.alpha / TRUTH[0] - 1) < 0.02
    assert abs(result.zeta / TRUTH[1] - 1) < 0.02
    spread = np.sqrt(np.diag(result.covariance))
    assert np.all(np.abs(np.array([result.alpha, result.zeta]) - TRUTH) < 4 * spread)
    assert result.noise_std == pytest.approx(size, rel=0.1)
    assert np.sqrt(np.mean(np.abs(result.fitted - clean()) ** 2)) < size
    assert tuple(rows) == result.history
    assert begin is None or result.start == begin
    assert json.loads(json.dumps(result.as_dict()))["alpha"] == result.alpha


def test_parts_of_the_fields_are_enough_and_widen_the_intervals():
    data, _ = with_noise(np.array(clean()), 0.02, 1)
    whole = found(data)
    mask = np.ones((POINTS, POINTS), bool)
    mask[4:9, 4:9] = False
    partial = found(np.where(mask, data, np.nan), mask=mask)
    thinner = infer(data, TIMES, CLOSURE, time_step=0.0125, mask=np.add.outer(np.arange(16), np.arange(16)) % 2 == 0)
    for result in (partial, thinner):
        assert abs(result.alpha / TRUTH[0] - 1) < 0.05
        assert abs(result.zeta / TRUTH[1] - 1) < 0.05
        assert np.all(np.diag(result.covariance) > np.diag(whole.covariance))


@pytest.mark.slow
def test_an_error_of_the_closure_moves_estimates_as_said_and_widens_the_intervals():
    kappa = np.array([0.03, -0.02, 0.02])
    wrong = Disturbed(CLOSURE, jnp.asarray(kappa))
    data = synthetic(Parameters(*TRUTH), TIMES, wrong, POINTS, seed=3, time_step=0.0125)
    with_table = Known(CLOSURE, (ErrorSize(2.0, 1.0, 1, tuple(np.outer(kappa, kappa).ravel().tolist())),))
    options = {"time_step": 0.0125, "noise_std": 1e-3, "start": TRUTH}
    right, moved = infer(np.array(clean()), TIMES, with_table, **options), infer(data, TIMES, with_table, **options)
    change = np.array([moved.alpha - right.alpha, moved.zeta - right.zeta])
    assert np.allclose(change, right.influence @ kappa, rtol=0.15, atol=2e-4)
    # the table is of this one error, which is one standard deviation then
    assert np.allclose(np.diag(right.covariance - right.noise_covariance), (right.influence @ kappa) ** 2)
    assert moved.alpha_interval[0] < TRUTH[0] < moved.alpha_interval[1]
    assert moved.goodness.p_value < 1e-3 and moved.goodness.verdict == "closure"


@pytest.mark.slow
def test_contrast_and_offset_of_pictures_are_found_with_the_parameters():
    gain, offset = 1.2, 0.03 - 0.05j
    data, size = with_noise(gain * np.array(clean()) + offset, 0.02, 1)
    blind = found(data, noise_std=size)
    result = found(data, noise_std=size, gain_std=0.25, offset_std=0.1)
    assert not blind.zeta_interval[0] < TRUTH[1] < blind.zeta_interval[1]
    assert abs(result.alpha / TRUTH[0] - 1) < 0.05 and abs(result.zeta / TRUTH[1] - 1) < 0.05
    assert abs(np.log(result.gain / gain)) < 3 * result.gain_std < 0.25
    assert abs(result.offset - offset) < 0.01
    assert np.sqrt(np.mean(np.abs(result.fitted - clean()) ** 2)) < size
    # what is not known widens the intervals
    plain = found(with_noise(np.array(clean()), 0.02, 1)[0], noise_std=size)
    assert np.all(np.diag(result.covariance) > np.diag(plain.covariance))
    assert result.covariance.shape == (2, 2) and result.influence.shape[0] == 2
    # a very narrow prior is a gain that is known
    sure = found(with_noise(np.array(clean()), 0.02, 1)[0], noise_std=size, gain_std=1e-6, offset_std=1e-6)
    assert np.allclose([sure.alpha, sure.zeta], [plain.alpha, plain.zeta], atol=1e-4)
    assert np.allclose(sure.covariance, plain.covariance, rtol=1e-3)


@pytest.mark.slow
def test_a_free_clock_is_found_with_the_parameters():
    data, _ = with_noise(np.array(clean()), 0.01, 1)
    result = infer(data, 1.5 * np.array(TIMES), CLOSURE, time_step=0.0125, start=(-1.9, 0.55), free_clock=True)
    low, high = result.clock_interval
    assert low < 1 / 1.5 < high < 1.1 * low
    assert abs(result.alpha / TRUTH[0] - 1) < 0.03 and abs(result.zeta / TRUTH[1] - 1) < 0.03


def test_weak_order_is_said_to_tell_little():
    # far below the noise: growth alone, and hardly that
    data, _ = with_noise(1e-3 * np.array(clean()), 5.0, 1)
    result = found(data)
    assert any("hardly constrain" in one for one in result.sentences)


def test_sentences_name_edges_combinations_and_errors_of_the_model():
    box, limits = ((-3.0, -1.0), (0.25, 1.0)), np.array([[-4.0, 0.0], [0.0, 1.375]])
    say = lambda theta, covariance: " ".join(  # noqa: E731
        sentences(np.array(theta), np.array(covariance), box, limits, "The model fits.", True, "")
    )
    small = np.eye(2) * 1e-6
    assert len(sentences(np.array((-2, 0.5)), small, box, limits, "The model fits.", True, "")) == 3
    assert "outside of the box" in say((-0.9, 0.5), small)
    assert "widen the box" in say((-4.0, 0.5), small)
    assert "over the edge" in say((-1.001, 0.5), small)
    assert "one combination" in say((-2, 0.5), [[1e-4, 0.99e-5], [0.99e-5, 1e-6]])


@pytest.mark.slow
def test_intervals_cover_and_errors_are_small_in_twin_experiments():
    rows = recovery(CLOSURE, range(8))
    assert len(rows) == 8
    for name in ("alpha", "zeta"):
        assert max(abs(row[f"{name}_error"]) for row in rows) < 0.02
        # 90 % of 8: fewer than 5 have a probability of 0.5 %
        assert sum(row[f"{name}_covered"] for row in rows) >= 5


@pytest.mark.slow
def test_coarse_sampling_and_two_snapshots():
    for row in recovery(CLOSURE, [0], every=2) + recovery(CLOSURE, [0], times=(5.0, 6.5)):
        assert abs(row["alpha_error"]) < 0.02
        assert abs(row["zeta_error"]) < 0.02


@pytest.mark.slow
def test_kinetic_data_bias_the_estimates_little_while_order_is_weak():
    early = (0.5, 1.0, 1.5, 2.0, 2.5)
    (row,) = recovery(CLOSURE, [0], kinetic=True, truths=[(-1.0, 0.5)], times=early)
    assert abs(row["alpha_error"]) < 0.05
    assert abs(row["zeta_error"]) < 0.05
    assert row["noise_ratio"] < 1.1
    # the Bingham closure has too small a second moment while order grows fast: the misfit tells, and zeta comes out too small
    (later,) = recovery(CLOSURE, [0], kinetic=True, truths=[(-1.0, 0.5)])
    assert later["verdict"] == "model"
    assert later["noise_ratio"] > 1.25
    assert -0.15 < later["zeta_error"] < row["zeta_error"]


# bad input


GOOD = np.full((3, 16, 16), 0.1 + 0j)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"snapshots": GOOD[:1], "times": [0.0]}, DataError, "at least 2"),
        ({"snapshots": GOOD[:, :, :12]}, ShapeError, "square"),
        ({"snapshots": GOOD[0]}, ShapeError, "square"),
        ({"times": [0.0, 1.0]}, ShapeError, "one time each"),
        ({"times": [0.0, 1.0, 1.0]}, DataError, "increase"),
        ({"times": [0.0, np.nan, 1.0]}, DataError, "increase"),
        ({"snapshots": GOOD * np.nan}, DataError, "NaN"),
        ({"snapshots": GOOD + 2.0}, DataError, "at most 1"),
        ({"snapshots": 0 * GOOD}, DataError, "isotropic"),
        ({"mask": np.zeros((16, 16), bool)}, DataError, "hides all"),
        ({"mask": np.ones((8, 8), bool)}, ShapeError, "mask"),
        ({"points": 24}, ConfigError, "multiple"),
        ({"snapshots": GOOD[:, :8, :8]}, ConfigError, "even number"),
        ({"start": (-5.0, 0.5)}, ConfigError, "start at alpha"),
        ({"box": ((-1.0, -3.0), (0.25, 1.0))}, ConfigError, "box of alpha"),
        ({"noise_std": 0.0}, ConfigError, "noise_std"),
        ({"time_step": -1.0}, ConfigError, "time_step"),
        ({"closure": SecondOrderClosure.burg()}, ConfigError, "a closure of m2"),
    ],
)
def test_bad_input_is_one_line(change, error, words):
    arguments = {"snapshots": GOOD, "times": [0.0, 1.0, 2.0], "closure": CLOSURE} | change
    with pytest.raises(error, match=words) as caught:
        infer(**arguments)
    assert "\n" not in str(caught.value)


def test_what_a_closure_says_of_known_coefficients_is_told():
    closure = NeuralClosure.load("default")
    assert _outside(closure, Parameters(-1.0, 0.5), np.array([-2.0, 0.5])) == []
    (one,) = _outside(closure, Parameters(-1.0, 0.5, beta=1.6), np.array([-9.0, 0.5]))
    assert one.startswith("beta = 1.6 is outside")


def test_bad_studies_are_refused():
    with pytest.raises(ConfigError, match="divide"):
        recovery(CLOSURE, [0], every=3)
    with pytest.raises(ConfigError, match="whole multiples"):
        synthetic(Parameters(*TRUTH), [1.0, 0.5], CLOSURE, POINTS)
    with pytest.raises(NumericalError, match="kinetic modes"):
        synthetic(Parameters(*TRUTH), [4.0], None, POINTS, modes=3)
