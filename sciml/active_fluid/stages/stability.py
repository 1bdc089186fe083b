"""Stage `stability`: long runs all over the box, realisability on random inputs, and gradients by three ways."""

from __future__ import annotations

import logging
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from sciml.active_fluid.closures.closure import AnyClosure, BinghamClosure, Closure, kept, slack
from sciml.active_fluid.closures.load import load_first_order
from sciml.active_fluid.closures.second import SecondOrderClosure, third_slack
from sciml.active_fluid.config import StabilityConfig
from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.fields.precision import working
from sciml.active_fluid.inference.gradient_check import gradient_rows
from sciml.active_fluid.solvers.causes import StoppedRun
from sciml.active_fluid.solvers.solvers import CoarseSolver
from sciml.active_fluid.study.results import SECOND
from sciml.active_fluid.study.stability_results import Gradient, LongRun, Stability
from sciml.active_fluid.theory.states import random_state
from sciml.runtime.checkpoints import Partial
from sciml.runtime.files import digest_file
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result
from sciml.runtime.sources import source_digest

log = logging.getLogger(__name__)

# saved states of a long run
SAVES = 40
# times that a run is begun at most
TRIES = 4
# random inputs at once
CHUNK = 2**17
# place at which gradients are checked
GRADIENT_PARAMETERS = Parameters(alpha=-1.5, zeta=0.5)


def run(config: StabilityConfig, weights: Path, second: Path, output: Path) -> list[Path]:
    """Write `stability.json`: a row for each long run of the learned closures and of Bingham's, least slacks and gradients.

    Args:
        config: lattice over the box, last time, grid.
        weights: weight file of the learned closure; its box is the one that is covered.
        second: weight file of the learned closure of second order.
        output: folder of the artefacts.
    """
    recorder = Recorder("active_fluid.stability", config.model_dump(mode="json"), [weights, second])
    learned, higher = load_first_order(weights), SecondOrderClosure.load(second)
    box = {name: (low, high) for name, low, high in learned.box}
    identity = [source_digest(__name__), config.model_dump(mode="json"), digest_file(weights), digest_file(second)]
    rows = []
    with Partial(output, identity) as partial:
        for alpha in np.linspace(*box["alpha"], config.side):
            for zeta in np.linspace(*box["zeta"], config.side):
                for name, closure in (("bingham", BinghamClosure()), ("learned", learned), (SECOND, higher)):
                    key = f"{alpha} {zeta} {name}"
                    part = partial.get(key)
                    if part is None:
                        row = {"alpha": round(float(alpha), 4), "zeta": round(float(zeta), 4), "closure": name}
                        part = partial.put(key, {}, row | long_run(closure, float(alpha), float(zeta), config))
                        log.info("alpha %.2f, zeta %.2f, %s: %s", alpha, zeta, name, part[1]["stopped"] or "bounded")
                    rows.append(LongRun.model_validate(part[1]))
        least = least_slack(learned, config.samples, config.seed)
        third = least_third_slack(higher, config.samples, config.seed)
        gradients = tuple(
            Gradient(closure=name, **row)
            for name, closure in (("learned", learned), (SECOND, higher))
            for row in gradient_rows(closure, GRADIENT_PARAMETERS, config.seed % 2**31)
        )
        result = Stability(
            until=config.until, rows=rows, samples=config.samples, least_slack=least, least_third_slack=third, gradients=gradients
        )
        path = write_result(output / "stability.json", result)
    recorder.write(output / "provenance.json", [path])
    return [path]


def long_run(closure: AnyClosure, alpha: float, zeta: float, config: StabilityConfig) -> dict:
    """Return whether a long run stayed bounded, with its largest order and its late means.

    A run that a guard stops for its time step is made again with half of it. A model that keeps m2 has its spectrum too, which
    asks for more points than m1 alone: such a run is made again with as many.
    """
    stopped, found, time_step, points = "", None, config.time_step, config.points
    used = time_step, points
    for _ in range(TRIES):
        used = time_step, points
        solver = CoarseSolver(Parameters(alpha=alpha, zeta=zeta), closure, points, time_step)
        try:
            found = solver.run(random_state(config.points, config.seed % 2**31), config.until, config.until / SAVES)
            stopped = ""
            break
        except StoppedRun as error:
            stopped, found = str(error), error.partial
            if error.cause == "points" and kept(closure) > 1:
                points = error.remedy["points"]
            elif error.cause == "time step":
                time_step /= 2
            else:
                break
    if found is None:
        return {"stopped": stopped, "reached": 0.0, "time_step": used[0], "points": used[1]}
    order = np.abs(found["m1"].to_numpy())
    speed = np.sqrt(np.mean(found["velocity_x"].to_numpy() ** 2 + found["velocity_y"].to_numpy() ** 2, (1, 2)))
    late = len(order) // 2
    return {
        "stopped": stopped,
        "time_step": used[0],
        "points": used[1],
        "reached": float(found["time"][-1]),
        "largest_order": round(float(order.max()), 5),
        "late_order": round(float(order[late:].mean()), 5),
        "late_speed": round(float(speed[late:].mean()), 5),
    }


def least_slack(closure: Closure, samples: int, seed: int) -> float:
    """Return the least slack of a closure on random inputs: any order below 1, strain and vorticity of any size up to 1e6."""
    generator = np.random.default_rng(seed)
    least = np.inf
    with working("double"):
        measure = jax.jit(lambda m1, e, w, p: jnp.min(slack(jnp.ones(()), m1, closure(jnp.ones(()), m1, e, w, p))))
        for first in range(0, samples, CHUNK):
            count = min(CHUNK, samples - first)
            # orders fill the disc and crowd at its edge; sizes are log-uniform
            order = 1 - 10 ** generator.uniform(-9, 0, count)
            m1 = order * np.exp(2j * np.pi * generator.random(count))
            strain = 10 ** generator.uniform(-6, 6, count) * np.exp(2j * np.pi * generator.random(count))
            vorticity = 10 ** generator.uniform(-6, 6, count) * generator.choice([-1, 1], count)
            zeta = generator.uniform(0, 20, count)
            least = min(least, float(measure(m1, strain, vorticity, Parameters(jnp.asarray(-1.0), jnp.asarray(zeta)))))
    return least


def least_third_slack(closure: SecondOrderClosure, samples: int, seed: int) -> float:
    """Return the least eigenvalue of the Toeplitz matrix of 1, m1, m2, m3 over random m1 and m2 that rods may have."""
    generator = np.random.default_rng(seed)
    least = np.inf
    with working("double"):
        p = Parameters(jnp.asarray(-1.0), jnp.asarray(0.5))
        measure = jax.jit(lambda m1, m2: jnp.min(third_slack(m1, m2, closure.above(jnp.ones(()), m1, m2, p))))
        for first in range(0, samples, CHUNK):
            count = min(CHUNK, samples - first)
            # both Verblunsky coefficients fill their discs and crowd at the edges
            rho0, rho1 = (
                (1 - 10 ** generator.uniform(-6, 0, count)) * np.exp(2j * np.pi * generator.random(count)) for _ in range(2)
            )
            least = min(least, float(measure(rho0, rho0**2 + (1 - np.abs(rho0) ** 2) * rho1)))
    return least
