"""Our steps against those of jax-cfd on the same equations."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sciml.active_fluid.closures.closure import BinghamClosure
from sciml.active_fluid.fields.grid import Grid
from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.fields.precision import working
from sciml.active_fluid.theory import imex
from sciml.active_fluid.theory.moments import Model
from sciml.active_fluid.theory.states import lifted, random_state
from sciml.active_fluid.theory.stepping import start, steps
from sciml.runtime.errors import ConfigError

POINTS, UNTIL = 16, 0.8
M1 = random_state(POINTS, 1, amplitude=0.5, most=2)


def setting(name: str) -> tuple[Model, np.ndarray]:
    """Return a model and Fourier coefficients to start from."""
    with working("double"):
        grid = Grid.of(POINTS, 10.0)
        if name == "coarse":
            return Model(grid, Parameters(-2.0, 0.7), BinghamClosure(), True, 3), np.fft.fft2(M1[None]) * np.asarray(grid.keep)
        # a density that varies, so that its moment is part of the state
        density = 1 + 0.2 * np.cos(2 * np.pi * np.arange(POINTS) / POINTS)[:, None]
        state = np.fft.fft2(lifted(M1, 5) * density)
        return Model(grid, Parameters(-2.0, 0.5), None, False, 3), state * np.asarray(grid.keep)


def ours(model: Model, state: np.ndarray, count: int) -> np.ndarray:
    """Return the state after SBDF2 steps up to UNTIL."""
    dt = UNTIL / count
    with working("double"):
        advance = jax.jit(lambda held: steps(model, start(model, held, dt), dt, count - 1).state)
        return np.asarray(advance(jnp.asarray(state)))


@pytest.mark.parametrize("name", ["coarse", "kinetic"])
def test_our_steps_converge_to_those_of_jax_cfd_at_second_order(name):
    model, state = setting(name)
    fine = imex.integrate(model, state, UNTIL / 320, 320)
    assert fine.dtype == np.complex128
    counts = np.array([20, 40, 80])
    errors = [np.linalg.norm(ours(model, state, count) - fine) / np.linalg.norm(fine) for count in counts]
    order = -np.polyfit(np.log(counts), np.log(errors), 1)[0]
    assert 1.85 < order < 2.2, errors
    assert errors[-1] < 2e-4
    # what is compared has moved by far more
    assert np.linalg.norm(state - fine) / np.linalg.norm(fine) > 0.05


def test_the_schemes_of_jax_cfd_agree_and_the_diffusions_are_implicit():
    model, state = setting("coarse")
    fine = imex.integrate(model, state, UNTIL / 320, 320)
    error = [np.linalg.norm(imex.integrate(model, state, UNTIL / n, n, "imex_rk_sil3") - fine) for n in (10, 20)]
    assert error[0] / error[1] > 3.3
    with working("double"):
        equation = imex.MomentEquation(model, 1)
        solved = equation.implicit_solve(jnp.asarray(state), 0.3)
        assert np.allclose(solved - 0.3 * equation.implicit_terms(solved), state, atol=1e-11)
        assert not np.allclose(solved, state, rtol=1e-2)
    with pytest.raises(ConfigError, match="imex_rk_sil3"):
        imex.integrate(model, state, 0.1, 1, "rk45")  # type: ignore[arg-type]


@pytest.mark.parametrize("points", [16, 48])
def test_wave_numbers_agree_with_jax_cfd_and_its_filter_is_ours_but_for_one_row(points):
    from jax_cfd.base import grids
    from jax_cfd.spectral.utils import brick_wall_filter_2d

    theirs = grids.Grid((points, points), domain=((0, 10), (0, 10)))
    kx, ky = (2 * np.pi * np.asarray(axis) for axis in theirs.rfft_mesh())
    with working("double"):
        grid = Grid.of(points, 10.0)
    inner, half = points // 2, points // 2 + 1
    assert np.allclose(kx[:inner, 0], grid.kx[:inner, 0], rtol=1e-6)
    assert np.allclose(ky[0, :inner], grid.ky[0, :inner], rtol=1e-6)
    ours, wall = np.asarray(grid.keep)[:, :half], np.asarray(brick_wall_filter_2d(theirs))
    rows = np.flatnonzero(np.any(ours != wall, axis=1))
    signed = np.where(rows > inner, rows - points, rows)
    most = int(np.abs(np.fft.fftfreq(points, 1 / points))[np.asarray(grid.keep)[:, 0] > 0].max())
    # ours keeps -most ... most; theirs one row less above, one more below, or both
    assert set(signed) <= {most, -most - 1}
    assert len(signed) >= 1
    # ours is even, so that real fields stay real
    mirrored = np.roll(np.asarray(grid.keep)[::-1, ::-1], 1, (0, 1))
    assert np.array_equal(mirrored, grid.keep)
