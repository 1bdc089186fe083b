"""Run random points of the shipped closure's box with the default grid and time step, and list what stops.

python benchmarks/active_fluid_box.py [--count 32] [--until 50] [--points 64] [--equations coarse] [--markdown]

* The rule: from `numpy.random.default_rng(0)`, for each point in turn, alpha is uniform in [-3, -1], zeta in [0.25, 1], and the
  seed of `random_state` a whole number below 2^31; the square's side is 10, all else the defaults.
* Coarse runs take the shipped closure, kinetic ones the modes of `sciml active-fluid simulate`. `--points auto` lets the grid be
  found.
* The tail is the amplitude of m1 in the outermost ring of wave numbers, the largest of the saved times; order and speed are the
  largest of them anywhere.
"""

from __future__ import annotations

import argparse
import os
import time

# one thread, before jax is loaded
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import numpy as np
from rich.console import Console
from rich.table import Table

from sciml.active_fluid import CoarseSolver, KineticSolver, NeuralClosure, Parameters, random_state
from sciml.active_fluid.solvers.causes import StoppedRun, outermost, rings
from sciml.active_fluid.solvers.simulation import RANDOM_POINTS, modes_of, points_of

SAVE_EVERY = 1.0


def places(count: int) -> list[tuple[Parameters, int]]:
    """Return parameters and seeds of initial states by the rule."""
    generator = np.random.default_rng(0)
    return [
        (Parameters(generator.uniform(-3, -1), generator.uniform(0.25, 1)), int(generator.integers(2**31))) for _ in range(count)
    ]


def row(parameters: Parameters, seed: int, options: argparse.Namespace) -> tuple[str, ...]:
    """Return the line of one run; the last cell says why it stopped."""
    side, begin, stopped = points_of(options.points), time.process_time(), ""
    if options.equations == "kinetic":
        solver = KineticSolver(parameters, side, modes_of("auto", parameters))
    else:
        solver = CoarseSolver(parameters, NeuralClosure.load(), side)
    try:
        run = solver.run(random_state(RANDOM_POINTS if side == "auto" else side, seed), options.until, SAVE_EVERY)
    except StoppedRun as error:
        run, stopped = error.partial, str(error)
    m1, points = run["m1"].to_numpy(), run.sizes["x"]
    power = np.abs(np.fft.fft2(m1) / points**2) ** 2
    tail = np.sqrt(power[:, rings(points) == outermost(points)].sum(1)).max()
    speed = np.hypot(run["velocity_x"].to_numpy(), run["velocity_y"].to_numpy()).max()
    numbers = (parameters.alpha, parameters.zeta, run.attrs["time_step"], np.abs(m1).max(), speed, tail)
    cells = [f"{number:.3g}" for number in numbers]
    seconds = time.process_time() - begin
    return (*cells[:2], str(seed), str(points), *cells[2:], f"{float(run['time'][-1]):g}", f"{seconds:.1f}", stopped)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=32)
    parser.add_argument("--until", type=float, default=50.0)
    parser.add_argument("--points", default="64", help="points a side, or auto")
    parser.add_argument("--equations", choices=("coarse", "kinetic"), default="coarse")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    head = ("alpha", "zeta", "seed", "points", "step", "order", "speed", "tail", "reached", "CPU s", "stopped")
    lines = [row(parameters, seed, options) for parameters, seed in places(options.count)]
    if options.markdown:
        print("\n".join(f"| {' | '.join(line)} |" for line in (head, ("--",) * len(head), *lines)))
    else:
        table = Table(*head)
        for line in lines:
            table.add_row(*line)
        Console().print(table)
    print(f"{sum(not line[-1] for line in lines)} of {len(lines)} came to their end")


if __name__ == "__main__":
    main()
