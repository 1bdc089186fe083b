"""What a step of the coarse model in three dimensions costs: processor milliseconds on one thread, and memory.

python benchmarks/active_fluid_3d.py [--points 32 64] [--repeat 3]

Memory is what the compiled step asks for beside its state, the state, and the most that the process had.
"""

from __future__ import annotations

import argparse
import resource

import jax
import jax.numpy as jnp
from active_fluid import compiled, timed
from rich.console import Console
from rich.table import Table

from sciml.active_fluid import CoarseSolver3D, Parameters, random_state_3d
from sciml.active_fluid.fields.precision import Precision, working

PRECISIONS: tuple[Precision, ...] = ("double", "single")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--points", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    table = Table(
        "points a side",
        "precision",
        "ms a step, processor",
        "ms, wall",
        "MiB of the step",
        "MiB of its state",
        "MiB of the process",
    )
    for points in arguments.points:
        for precision in PRECISIONS:
            with working(precision) as real:
                solver = CoarseSolver3D(Parameters(alpha=-2.0, zeta=0.6), points, precision=precision)
                state = solver.start(jnp.asarray(random_state_3d(points, seed=0, amplitude=0.3), real))
                run, _, asked = compiled(lambda solver, held: solver.step(held), solver, state)
                held = sum(part.nbytes for part in jax.tree.leaves(state)) / 2**20
                cost = timed(run, 1, arguments.repeat)
            most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
            memory = (f"{size:.0f}" for size in (asked or float("nan"), held, most))
            table.add_row(str(points), precision, *(f"{one:.3g}" for one in cost), *memory)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
