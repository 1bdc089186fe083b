"""Stage `cost`: CPU seconds a step of every model, in one process."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from sciml.active_fluid.closures.closure import AnyClosure, BinghamClosure, QuadraticClosure, kept
from sciml.active_fluid.closures.load import load_closure
from sciml.active_fluid.closures.second import SecondOrderClosure
from sciml.active_fluid.config import CostConfig
from sciml.active_fluid.fields.grid import Grid, transform
from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.fields.precision import Precision, working
from sciml.active_fluid.study.results import CUT, CostRow
from sciml.active_fluid.theory.moments import Model
from sciml.active_fluid.theory.states import lifted, random_state
from sciml.active_fluid.theory.stepping import start, steps
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result

STEPS = 40
PLACE = Parameters(alpha=-1.0, zeta=0.5)
# even modes at which closures have rivals, of the reference case, and as many as 256 angles carry below two thirds
MODES = {**{f"kinetic, {modes} even modes": modes for modes in (*CUT, 16)}, "kinetic, 42 even modes (256 angles)": 42}


def run(config: CostConfig, weights: Path, output: Path) -> list[Path]:
    """Write `cost.json`: seconds of a step and of compilation of each model, grid and precision.

    Args:
        config: grids and repeats.
        weights: weight file of the learned closure.
        output: folder of the artefacts.
    """
    recorder = Recorder("active_fluid.cost", config.model_dump(mode="json"), [weights])
    closures: dict[str, AnyClosure] = {
        "quadratic": QuadraticClosure(),
        "bingham": BinghamClosure(),
        "learned": load_closure(weights),
        # the time is that of any nine numbers
        "second": SecondOrderClosure.burg(),
    }
    rows: list[CostRow] = []
    for points in config.points:
        state = random_state(points, 0, amplitude=0.5)
        rows += [timed(name, None, lifted(state, modes)[1:], "double", config.repeats) for name, modes in MODES.items()]
        rows += [
            timed(
                f"coarse, {name}", closure, state[None] if kept(closure) == 1 else lifted(state, 2)[1:], precision, config.repeats
            )
            for name, closure in closures.items()
            for precision in ("double", "single")
        ]
    path = write_result(output / "cost.json", rows)
    recorder.write(output / "provenance.json", [path])
    return [path]


def timed(name: str, closure: AnyClosure | None, fields: np.ndarray, precision: Precision, repeats: int) -> CostRow:
    """Return the least CPU seconds of a step out of some repeats, of a GPU wall seconds, and the seconds of compilation.

    Args:
        name: solver and closure in words.
        closure: closure of the coarse model, None for the kinetic one.
        fields: moments from m_1 on, (moments, points, points); the density is 1.
        precision: double or single.
        repeats: number of timings, of forty steps each.
    """
    with working(precision) as real:
        place = jax.tree.map(lambda number: jnp.asarray(number, real), PLACE)
        model = Model(Grid.of(fields.shape[-1], place.length), place, closure, True, 1)
        begin = time.perf_counter()
        carry = jax.jit(lambda state: start(model, state, 0.0125))(transform(jnp.asarray(fields)))
        go: Callable = jax.jit(lambda carry: steps(model, carry, 0.0125, STEPS)).lower(carry).compile()
        compiling = time.perf_counter() - begin
        # the process idles while a GPU computes
        clock = time.process_time if jax.default_backend() == "cpu" else time.perf_counter
        seconds = []
        for _ in range(repeats):
            begin = clock()
            jax.block_until_ready(go(carry))
            seconds.append((clock() - begin) / STEPS)
    found = {"precision": precision, "seconds": min(seconds), "compile_seconds": round(compiling, 2)}
    return CostRow(model=name, points=fields.shape[-1], **found)
