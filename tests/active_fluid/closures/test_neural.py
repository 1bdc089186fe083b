"""The learned closure: equivariant and realisable whatever its weights, written and read whole."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sciml.active_fluid.closures.closure import BinghamClosure, slack
from sciml.active_fluid.closures.neural import FORM, STORE, NeuralClosure, count
from sciml.active_fluid.config import Config
from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.fields.precision import working
from sciml.active_fluid.solvers.solvers import CoarseSolver
from sciml.active_fluid.stages.publish import limits_of
from sciml.active_fluid.stages.stability import least_slack
from sciml.active_fluid.theory.states import random_state
from sciml.runtime.errors import ConfigError, FormatError
from sciml.runtime.files import digest_file, save_tensors
from sciml.training.weight_files import read_weights_metadata, weights_digest, write_weight_file

PLACE = Parameters(alpha=-2.0, zeta=0.6)


def wild(seed: int = 0, inputs: int = 6) -> NeuralClosure:
    """Return a closure whose weights are large and random."""
    closure = NeuralClosure.create(seed, 8, 2, inputs)
    generator = np.random.default_rng(seed)
    big = tuple(jnp.asarray(3 * generator.standard_normal(m.shape), jnp.float32) for m in closure.matrices)
    return NeuralClosure(big, closure.offsets, inputs=inputs)


def inputs(count: int = 400, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    disc = np.sqrt(generator.random(count)) * np.exp(2j * np.pi * generator.random(count))
    strain = generator.standard_normal(count) + 1j * generator.standard_normal(count)
    return 0.999 * disc, strain, generator.standard_normal(count)


@eqx.filter_jit
def compiled(closure, *given):
    return closure(*given)


def call(closure, m1, strain, vorticity, place=PLACE, c=1.0):
    with working():
        return np.asarray(compiled(closure, jnp.asarray(c), jnp.asarray(m1), jnp.asarray(strain), jnp.asarray(vorticity), place))


@pytest.mark.parametrize("angle", [0.3, 1.1, 2.9])
def test_a_turn_of_all_turns_m2_twice_as_far(angle):
    m1, strain, vorticity = inputs()
    turn = np.exp(2j * angle)
    expected = turn**2 * call(wild(), m1, strain, vorticity)
    np.testing.assert_allclose(call(wild(), turn * m1, turn * strain, vorticity), expected, rtol=0, atol=1e-13)


def test_a_reflection_conjugates_m2():
    m1, strain, vorticity = inputs()
    mirrored = call(wild(), m1.conj(), strain.conj(), -vorticity)
    np.testing.assert_allclose(mirrored, call(wild(), m1, strain, vorticity).conj(), rtol=0, atol=1e-13)
    # and the vorticity does matter: without its sign the phase of m2 could not follow
    assert np.abs(call(wild(), m1, strain, -vorticity) - call(wild(), m1, strain, vorticity)).max() > 1e-2


def test_density_scales_moments():
    m1, strain, vorticity = inputs()
    # zeta c is what the network sees
    half = Parameters(alpha=-2.0, zeta=0.3)
    expected = 2 * call(wild(), m1, strain, vorticity)
    np.testing.assert_allclose(call(wild(), 2 * m1, strain, vorticity, half, 2.0), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_weights_leave_what_a_distribution_can_have(seed):
    assert least_slack(wild(seed), 50_000, seed) >= -1e-12


def test_the_measure_of_realisability_sees_what_is_not():
    def too_far(c, m1, strain, vorticity, parameters):
        return 1.5 * m1 * m1

    assert least_slack(too_far, 2000, 0) < -0.1


def test_without_output_weights_it_is_binghams():
    closure = NeuralClosure.create(0)
    zero = NeuralClosure((*closure.matrices[:-1], 0 * closure.matrices[-1]), closure.offsets)
    m1, strain, vorticity = inputs()
    np.testing.assert_allclose(
        call(zero, m1, strain, vorticity), call(BinghamClosure(), m1, strain, vorticity), rtol=0, atol=1e-11
    )


def test_gradients_are_finite_without_order_and_with_all_of_it():
    def loss(parts, strain):
        with_order = parts[0] + 1j * parts[1]
        return jnp.sum(jnp.abs(wild()(jnp.ones(()), with_order, strain, strain.real, PLACE) - 0.3) ** 2)

    with working():
        slope = jax.jit(jax.grad(loss))
        for order in (0.0, 1.0):
            parts = jnp.array([[order], [0.0]])
            assert np.isfinite(np.asarray(slope(parts, jnp.array([0.3 + 0.2j])))).all()


def test_with_one_input_only_the_order_counts():
    m1, strain, vorticity = inputs()
    closure = wild(inputs=1)
    np.testing.assert_array_equal(call(closure, m1, strain, vorticity), call(closure, m1, 5 * strain, -vorticity))
    with working():
        assert float(jnp.min(slack(jnp.ones(()), jnp.asarray(m1), jnp.asarray(call(closure, m1, strain, vorticity))))) >= -1e-12


def saved(path, closure, **changes):
    notes = {**closure.notes(), **changes}
    write_weight_file(path, closure.arrays(), config={}, seed=0, inputs={}, source_digest="", cpu_minutes=0.0, extra=notes)
    return path


def test_it_is_written_and_read_to_the_bit(tmp_path):
    closure = NeuralClosure.create(3, 8, 2)
    boxed = NeuralClosure(closure.matrices, closure.offsets, "mine", (("alpha", -3.0, -1.0),))
    found = NeuralClosure.load(saved(tmp_path / "mine.safetensors", boxed))
    assert found.name == "mine" and found.box == boxed.box and count(found) == count(boxed)
    m1, strain, vorticity = inputs()
    np.testing.assert_array_equal(call(found, m1, strain, vorticity), call(boxed, m1, strain, vorticity))
    assert found.outside(PLACE) == []
    assert "alpha = -4 is outside -3 to -1" in found.outside(Parameters(alpha=-4.0, zeta=0.5))[0]


BOX = {"alpha": (-3.0, -1.0), "zeta": (0.25, 1.0), "beta": (0.8, 0.8), "d_t": (0.05, 0.05), "d_r": (0.05, 0.05)}
OUTSIDE = [
    (Parameters(-2.0, 0.5), []),
    (Parameters(-2.0, 0.5, length=30.0), []),
    (Parameters(-2.0, 0.5, beta=1.6), ["beta = 1.6 is outside 0.8, where the closure 'default' was trained"]),
    (Parameters(-2.0, 0.5, d_t=0.1), ["d_t = 0.1 is outside 0.05, where"]),
    # in other units of time: the same run twice as fast, and another
    (Parameters(-4.0, 1.0, d_t=0.1, d_r=0.1), []),
    (Parameters(-1.5, 0.8, d_r=0.1), [
        "alpha = -1.5, or -0.75 in units of time in which d_r is 0.05, is outside -3 to -1",
        "d_t = 0.05, or 0.025 in units of time in which d_r is 0.05, is outside 0.05",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("parameters", "sentences"), OUTSIDE)
def test_the_shipped_closure_knows_its_box_in_all_parameters(parameters, sentences):
    found = NeuralClosure.load().outside(parameters)
    assert len(found) == len(sentences) and all(one.startswith(words) for one, words in zip(found, sentences, strict=True))


def test_files_that_name_activity_and_alignment_alone_are_of_the_first_trainings(tmp_path):
    old = {"alpha": [-3.0, -1.0], "zeta": [0.25, 1.0]}
    found = NeuralClosure.load(saved(tmp_path / "old.safetensors", NeuralClosure.create(3, 8, 2), box=old))
    assert {name: (low, high) for name, low, high in found.box} == BOX


def test_a_run_with_all_rates_doubled_is_the_same_run_twice_as_fast():
    m1, closure = random_state(16, 0, amplitude=0.5), NeuralClosure.load()
    slow = CoarseSolver(Parameters(-2.0, 0.5), closure, 16, 0.05)
    fast = CoarseSolver(Parameters(-4.0, 1.0, d_t=0.1, d_r=0.1), closure, 16, 0.025)
    with working():
        np.testing.assert_allclose(slow.integrate(m1, 1.0), fast.integrate(m1, 0.5), rtol=0, atol=1e-12)


def test_other_files_are_refused_in_one_line(tmp_path):
    closure = NeuralClosure.create(3, 8, 2)
    with pytest.raises(ConfigError, match="there is no model none: shipped are default"):
        NeuralClosure.load("none")
    with pytest.raises(FormatError, match="holds no neural closure"):
        NeuralClosure.load(saved(tmp_path / "a.safetensors", closure, form="something else"))
    with pytest.raises(FormatError, match="do not fit one another"):
        NeuralClosure.load(saved(tmp_path / "b.safetensors", closure, inputs=3))
    with pytest.raises(FormatError, match="box"):
        NeuralClosure.load(saved(tmp_path / "c.safetensors", closure, box={"alpha": 1}))
    broken = NeuralClosure((*closure.matrices[:-1], closure.matrices[-1] * np.nan), closure.offsets)
    with pytest.raises(FormatError, match="not finite"):
        NeuralClosure.load(saved(tmp_path / "d.safetensors", broken))
    save_tensors(tmp_path / "e.safetensors", closure.arrays(), {"kind": "x", "form": FORM})
    with pytest.raises(FormatError, match="not a weight file"):
        NeuralClosure.load(tmp_path / "e.safetensors")


def test_the_shipped_closure_is_what_its_card_says():
    path = STORE.folder / "default.safetensors"
    card = path.with_suffix(".md").read_text()
    assert digest_file(path) in card and weights_digest(path) in card and path.stat().st_size < 100_000
    closure = NeuralClosure.load()
    assert {name: (low, high) for name, low, high in closure.box} == BOX
    assert read_weights_metadata(path)["extra"]["box"].keys() == BOX.keys()
    assert limits_of(BOX)[0] in card
    # it was trained on points of the box that the test does not have
    assert not {(p.alpha, p.zeta) for p in Config().test} & {(p.alpha, p.zeta) for p in Config().train}
    assert least_slack(closure, 50_000, 0) >= -1e-12
