"""Solvers on arrays that lie over several devices: equal to one device, kept where they are, and gathered by none."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

# 4 devices of the host, of which 2 are used too; the devices are made when jax starts
PROGRAM = """
import json, sys
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
from sciml.active_fluid import CoarseSolver, Forcing, KineticSolver, Parameters, lifted, random_state
from sciml.active_fluid.solvers.functional import following
from sciml.runtime.errors import ConfigError

jax.config.update("jax_enable_x64", True)
parameters, m1 = Parameters(-2.0, 0.1), jnp.asarray(random_state(16, seed=0, amplitude=0.3, most=2))
kinetic, coarse = (kind(parameters, points=16, time_step=0.05) for kind in (KineticSolver, CoarseSolver))
kinetic = KineticSolver(parameters, points=16, modes=8, time_step=0.05)
cases = {
    "kinetic along x": (kinetic, jnp.asarray(lifted(m1, 8)[1:]), (None, "d"), 4),
    "kinetic along moments": (kinetic, jnp.asarray(lifted(m1, 8)[1:]), ("d",), 4),
    "coarse along x": (coarse, m1, ("d",), 2),
    "coarse along y": (coarse, m1[None], (None, None, "d"), 4),
}
solver, m, spec, count = cases[sys.argv[1]]
mesh = Mesh(jax.devices()[:count], "d")
spread = jax.device_put(m, NamedSharding(mesh, P(*spec)))
one, many = solver.integrate(m, 0.2, save_at=[0.1, 0.2]), solver.integrate(spread, 0.2, save_at=[0.1, 0.2])
kept = many.sharding.is_equivalent_to(NamedSharding(mesh, P(None, *spec)), many.ndim)
found = {"kept": kept, "apart": float(abs(one - np.asarray(many)).max())}
if sys.argv[2] == "quick":
    print(json.dumps(found))
    sys.exit()
state, alone = solver.step(solver.start(spread)), solver.step(solver.start(m))
seen, wanted = solver.observe(state), solver.observe(alone)
apart = [*(np.asarray(seen[key]) - wanted[key] for key in wanted)]
apart.append(solver.nonlinear(np.asarray(state.state)) - np.asarray(solver.nonlinear(state.state)))
with jax.sharding.use_abstract_mesh(state.state.sharding.mesh.abstract_mesh):
    program = following.lower(solver._case(state.state, True), state, jnp.asarray(0.05)).compile().compiled
found |= {
    "apart": max(found["apart"], *(float(abs(np.asarray(part)).max()) for part in apart)),
    "gathers": program.as_text().count(" all-gather("),
    "share": program.memory_analysis().argument_size_in_bytes / sum(part.nbytes for part in jax.tree.leaves(alone)),
    "moment share": state.state.addressable_shards[0].data.size / state.state.size,
}
energy = lambda m: jnp.mean(jnp.abs(solver.integrate(m, 0.1)) ** 2)
expected = np.asarray(jax.grad(energy)(m))
found["slopes"] = float(abs(np.asarray(jax.grad(energy)(spread)) - expected).max() / abs(expected).max())
name = "moment" if spec[0] == "d" and solver is kinetic else "x"
named = Mesh(jax.devices()[:count], name)
there = jax.device_put(m, NamedSharding(named, P(*(name if part else None for part in spec))))
with jax.set_mesh(named):
    compiled = jax.jit(jax.grad(energy))
    found["compiled"] = float(abs(np.asarray(compiled(there)) - expected).max() / abs(expected).max())
    found["compiled gathers"] = compiled.lower(there).compile().as_text().count(" all-gather(")
explicit = jax.device_put(m1, NamedSharding(jax.make_mesh((2,), ("x",)), P("x")))
squares = jax.device_put(m1, NamedSharding(Mesh(np.array(jax.devices()).reshape(2, 2), ("a", "b")), P("a", "b")))
for wrong, words in (
    (lambda: jax.jit(lambda m: coarse.integrate(m, 0.1))(explicit), "AxisType.Auto"),
    (lambda: coarse.integrate(squares, 0.1), "one axis"),
    (lambda: CoarseSolver(parameters, points=16, forcing=Forcing(shear=0.5)).integrate(spread, 0.1), "shear or strain"),
):
    try:
        wrong()
    except ConfigError as refusal:
        found[words] = words in str(refusal) and "\\n" not in str(refusal)
print(json.dumps(found))
"""


def reported(case: str, how: str) -> dict:
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=4"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, case, how],
        capture_output=True, text=True, check=False, env={**os.environ, "XLA_FLAGS": flags},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_two_devices_are_one():
    found = reported("coarse along x", "quick")
    assert found["apart"] < 1e-14 and found["kept"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "devices"), [("kinetic along x", 4), ("kinetic along moments", 4), ("coarse along x", 2), ("coarse along y", 4)]
)
def test_several_devices_keep_a_share_each_and_gather_nothing(case, devices):
    found = reported(case, "whole")
    assert found["apart"] < 1e-14 and found["kept"]
    assert found["gathers"] == found["compiled gathers"] == 0
    assert found["AxisType.Auto"] and found["one axis"] and found["shear or strain"]
    assert found["moment share"] == 1 / devices
    if case != "kinetic along moments":  # whose flow is on every device
        assert found["share"] < 1.01 / devices
    assert max(found["slopes"], found["compiled"]) < 1e-12
