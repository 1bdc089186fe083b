"""The size of a closure's error: kinetic fields that are wrong by known terms."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from sciml.active_fluid.closures.closure import BinghamClosure
from sciml.active_fluid.closures.discrepancy import Disturbed, ErrorSize, error_moments
from sciml.active_fluid.closures.neural import NeuralClosure
from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.learning.discrepancy import error_table
from sciml.active_fluid.solvers.trajectories import Trajectory
from sciml.active_fluid.theory.states import random_state
from sciml.runtime.errors import FormatError

PARAMETERS, KAPPA = Parameters(-2.0, 0.5), np.array([0.2, -0.1, 0.05])


def trajectory(order: float, left: float = 0.0) -> Trajectory:
    fields = [np.stack([random_state(16, seed + n, waves=4) for n in range(5)]) for seed in (0, 10)]
    fields = [field * order / np.sqrt(np.mean(np.abs(field) ** 2, (1, 2), keepdims=True)) for field in fields]
    vorticity = fields[1].real
    given = (jnp.ones(fields[0].shape), *map(jnp.asarray, (*fields, vorticity)), PARAMETERS)
    m2 = np.asarray(Disturbed(BinghamClosure(), jnp.asarray(KAPPA))(*given))
    m2 = m2 + left * np.random.default_rng(0).standard_normal(m2.shape)
    return Trajectory(PARAMETERS, 0, 0.5 * np.arange(5), fields[0], m2, 0 * m2, fields[1], vorticity, fields[0], 0.0)


def test_known_terms_are_found_by_length_and_order():
    table = error_table(BinghamClosure(), [trajectory(0.15), trajectory(0.5)])
    assert [(row.horizon, row.order, row.windows) for row in table] == [
        (1.0, 0.2, 3), (1.0, 0.6, 3), (2.0, 0.2, 1), (2.0, 0.6, 1)
    ]  # fmt: skip
    for row in table:
        assert np.allclose(np.reshape(row.moments, (3, 3)), np.outer(KAPPA, KAPPA), rtol=2e-2, atol=1e-4)
    # what the terms do not explain adds to them
    more = error_table(BinghamClosure(), [trajectory(0.15, 0.01)])
    assert np.all(np.diag(np.reshape(more[0].moments, (3, 3))) > KAPPA**2)


def test_the_nearest_length_and_the_order_choose_the_row():
    rows = [ErrorSize(h, q, 1, tuple(np.eye(3).ravel() * (h + q))) for h in (1.0, 4.0) for q in (0.2, 0.6)]
    for horizon, order, expected in ((1.5, 0.1, 1.2), (2.5, 0.3, 4.6), (100.0, 0.9, 4.6), (0.1, 0.2, 1.2)):
        assert error_moments(rows, horizon, order) == pytest.approx(np.eye(3) * expected)
    assert error_moments((), 1.0, 0.1) is None


def test_the_shipped_closure_brings_its_table_and_a_damaged_one_is_refused(tmp_path):
    shipped = NeuralClosure.load("default")
    assert {row.horizon for row in shipped.discrepancy} == {1.0, 2.0, 4.0, 8.0}
    again = NeuralClosure._checked(shipped.arrays(), shipped.notes(), tmp_path / "again.safetensors")
    assert again.discrepancy == shipped.discrepancy
    notes = shipped.notes()
    for wrong in ([{"horizon": 1.0}], [{**notes["discrepancy"][0], "moments": [1.0]}]):
        with pytest.raises(FormatError, match="size of its error"):
            NeuralClosure._checked(shipped.arrays(), {**notes, "discrepancy": wrong}, tmp_path / "wrong.safetensors")
