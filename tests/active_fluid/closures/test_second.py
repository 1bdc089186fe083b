"""The closure of second order: the disc of m3 against distributions, Burg's in closed form, equivariance, its file."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sciml.active_fluid.closures.load import load_closure
from sciml.active_fluid.closures.second import NUMBERS, SecondOrderClosure, parts, third_slack
from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.fields.precision import working
from sciml.runtime.errors import FormatError
from sciml.training.weight_files import write_weight_file

PARAMETERS = Parameters(-1.5, 0.6)


def realisable(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return m1 and m2 of which both Verblunsky coefficients are anywhere in their discs, edges included."""
    generator = np.random.default_rng(seed)
    rho = (1 - 10 ** generator.uniform(-6, 0, (2, count))) * np.exp(2j * np.pi * generator.random((2, count)))
    return rho[0], rho[0] ** 2 + (1 - np.abs(rho[0]) ** 2) * rho[1]


def closed(numbers: np.ndarray, c, m1, m2) -> np.ndarray:
    with working("double"):
        above = jax.jit(lambda *given: SecondOrderClosure(jnp.asarray(numbers)).above(*given, PARAMETERS))
        return np.asarray(above(*map(jnp.asarray, (c, m1, m2))))


def test_moments_of_any_distribution_lie_in_the_disc():
    generator = np.random.default_rng(1)
    # weights of three to six directions each: a third moment is anywhere in its disc, at its edge for few directions
    angles, weights = generator.uniform(0, np.pi, (4000, 6)), generator.dirichlet(np.full(6, 0.3), 4000)
    weights[:1000, 3:] = 0
    weights /= weights.sum(1, keepdims=True)
    m = [np.sum(weights * np.exp(2j * n * angles), 1) for n in (1, 2, 3)]
    with working("double"):
        centre, radius, _ = (np.asarray(part) for part in parts(*map(jnp.asarray, m[:2])))
    apart = np.abs(m[2] - centre)
    inside = radius > 1e-7
    assert (apart <= radius + 1e-9)[inside].all()
    assert np.quantile(apart[inside] / radius[inside], 0.9) > 0.8  # the disc is no larger than it has to be


def test_burg_is_the_autoregressive_distribution():
    m1, m2 = (part * 0.9 for part in realisable(50, 2))
    found = closed(np.zeros(NUMBERS), 1.0, m1, m2)
    # Yule and Walker: sum_j a_j m_{k-j} = -m_k, and the density E / |1 + a_1 e^{i t} + a_2 e^{2 i t}|^2 / (2 pi), t = 2 theta
    t = 2 * np.pi * np.arange(4096) / 4096
    for one, two, three in zip(m1, m2, found, strict=True):
        a1, a2 = np.linalg.solve(np.array([[1, np.conj(one)], [one, 1]]), -np.array([one, two]))
        weight = 1 / np.abs(1 + np.conj(a1) * np.exp(1j * t) + np.conj(a2) * np.exp(2j * t)) ** 2
        moments = [np.sum(weight * np.exp(1j * n * t)) / weight.sum() for n in (1, 2, 3)]
        np.testing.assert_allclose(moments, [one, two, three], atol=1e-7)


@pytest.mark.parametrize("size", [1.0, 1e3])
def test_every_output_is_realisable_and_turns_with_the_rods(size):
    numbers = size * np.random.default_rng(3).standard_normal(NUMBERS)
    c = np.random.default_rng(4).uniform(0.5, 2, 20_000)
    m1, m2 = realisable(len(c), 5)
    m3 = closed(numbers, c, c * m1, c * m2)
    with working("double"):
        assert float(jnp.min(third_slack(jnp.asarray(m1), jnp.asarray(m2), jnp.asarray(m3 / c)))) > -1e-9
    turn = np.exp(0.7j)
    np.testing.assert_allclose(closed(numbers, c, c * m1 * turn, c * m2 * turn**2), m3 * turn**3, atol=1e-8 * size)
    np.testing.assert_allclose(closed(numbers, c, c * np.conj(m1), c * np.conj(m2)), np.conj(m3), atol=1e-12)
    assert closed(numbers, 1.0, np.ones(1, complex), np.ones(1, complex))[0] == pytest.approx(1)


def test_a_file_gives_the_closure_back_and_a_damaged_one_is_refused(tmp_path):
    closure = SecondOrderClosure(jnp.arange(9.0), "mine", (("alpha", -3.0, -1.0),))
    path, facts = tmp_path / "mine.safetensors", {"config": {}, "seed": 0, "inputs": {}, "source_digest": "0", "cpu_minutes": 0.0}
    write_weight_file(path, closure.arrays(), extra=closure.notes(), **facts)
    found = load_closure(path)
    assert isinstance(found, SecondOrderClosure) and found.box == closure.box and (found.numbers == closure.numbers).all()
    assert "alpha = -4 is outside -3 to -1" in found.outside(Parameters(-4.0, 0.5))[0]
    assert type(load_closure("default")).__name__ == "NeuralClosure"
    for arrays in ({"numbers": np.zeros(8, np.float32)}, {"numbers": np.full(9, np.nan, np.float32)}):
        write_weight_file(path, arrays, extra=closure.notes(), **facts)
        with pytest.raises(FormatError, match="mine"):
            load_closure(path)
