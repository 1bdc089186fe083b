"""A small case that every test of the solvers shares, and programs that are compiled fast and once."""

from __future__ import annotations

import os
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sciml.active_fluid import CoarseSolver, KineticSolver, Parameters, random_state

POINTS, MODES = 16, 10
# on grids this small compilation is what takes the time: programs that run slower are compiled in a third of it. XLA reads the
# variable when the first array is made
FAST_COMPILATION = ("backend_optimization_level=0", "cpu_use_fusion_emitters=false", "cpu_parallel_codegen_split_count=1")
os.environ.setdefault("XLA_FLAGS", " ".join(f"--xla_{flag}" for flag in FAST_COMPILATION))


@pytest.fixture(scope="session", autouse=True)
def compiled_once(tmp_path_factory):
    """Keep compiled programs for the session: what a test jits anew is read back."""
    jax.config.update("jax_compilation_cache_dir", str(tmp_path_factory.mktemp("programs")))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


class Broken(eqx.Module):
    """m2 that no rods have, or none at all, where the order is above a bound."""

    bound: float
    value: complex

    def __call__(self, c, m1, strain, vorticity, parameters):
        return jnp.where(jnp.max(jnp.abs(m1)) > self.bound, self.value, m1 * m1 / c * 0.5)


@pytest.fixture
def broken() -> type[Broken]:
    return Broken


@pytest.fixture
def parameters() -> Parameters:
    return Parameters(alpha=-2.0, zeta=0.3)


@pytest.fixture
def kinetic(parameters) -> KineticSolver:
    return KineticSolver(parameters, points=POINTS, modes=MODES, time_step=0.05)


@pytest.fixture
def coarse(parameters) -> CoarseSolver:
    return CoarseSolver(parameters, points=POINTS, time_step=0.05)


@pytest.fixture(params=["kinetic", "coarse"])
def solver(request) -> KineticSolver | CoarseSolver:
    return request.getfixturevalue(request.param)


@pytest.fixture
def m1() -> np.ndarray:
    return random_state(POINTS, seed=3, amplitude=0.3, most=2)


@pytest.fixture(scope="session")
def reference() -> dict[str, np.ndarray]:
    with np.load(Path(__file__).parent / "data/reference.npz") as file:
        return dict(file)
