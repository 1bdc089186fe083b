"""How the steps of active fluids cost with the size, and beside other integrators, in one process on one thread.

python benchmarks/active_fluid_scale.py law [--points 32 64 128 256 512] [--modes 4 8 16 32] [--repeat 3] [--markdown]
python benchmarks/active_fluid_scale.py steppers [--points 64] [--modes 16] [--repeat 5] [--markdown]

* `law`: processor milliseconds a step of grids and numbers of moments, and the fit with least relative squares, of the kinetic
  theory and of the coarse model (M = 1, Bingham's closure), of

      t = ( a log2 N + c s^2 / (s^2 + S^2) ) N^2 (M + 1) + b

  for M moments, M + 1 since the flow takes as many transforms as one more. a is of the transforms; c of the memory, where the
  state's s MiB have left the processor's cache, which S is the size of, and which the fit finds from the kinetic theory. The
  error of the fit stands beside it. Grids above 256 points are timed at up to 16 moments. Memory is what the compiled step asks
  for beside its state, and the state.
* `steppers`: this package's SBDF2, jax-cfd's implicit-explicit Runge-Kutta schemes and exponential ones around the same
  right-hand side, the coarse step in NumPy, and jax-cfd's step of its own Navier-Stokes equation, which is another equation, for
  its cost alone. Error is that of m1 at time 2, relative L2, at equal steps; the truth is SBDF2 at two small steps, extrapolated.
  One-step schemes have no flow of the step before: each stage finds it from rest in 8 sweeps, which leave some 1e-9 of it.
  exponax is used where it is installed, else its second-order scheme is written out.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from active_fluid import DT, PARAMETERS, compiled, numpy_coarse, prepared, stepped, timed
from rich.console import Console
from rich.table import Table
from scipy.optimize import nnls

from sciml.active_fluid.closures.closure import BinghamClosure
from sciml.active_fluid.fields.grid import Grid
from sciml.active_fluid.theory.imex import SCHEMES, MomentEquation
from sciml.active_fluid.theory.moments import Model, linear, tendency
from sciml.active_fluid.theory.states import lifted, random_state
from sciml.active_fluid.theory.stepping import start, steps

COLD, LAST, STEPS = 8, 2.0, (0.2, 0.05, 0.0125)
# steps of the truth over the longest one
FINE = (128, 256)


class Law(NamedTuple):
    """A fit of t = (a log2 N + c s^2 / (s^2 + S^2)) N^2 (M + 1) + b.

    Attributes:
        a, c, b: milliseconds.
        cache: S, in MiB.
        errors: fit over measurement less 1, of each measurement.
    """

    a: float
    c: float
    b: float
    cache: float
    errors: np.ndarray


def fitted(points: np.ndarray, moments: np.ndarray, held: np.ndarray, ms: np.ndarray, cache: float | None = None) -> Law:
    """Return the law with the least sum of squared relative errors; a, b and c are at least 0.

    Args:
        points: N of each measurement.
        moments: M.
        held: MiB of the state.
        ms: milliseconds.
        cache: S where it is known.
    """
    work, best = points**2 * (moments + 1), None
    for size in np.geomspace(0.5, 500, 100) if cache is None else [cache]:
        parts = np.stack([work * np.log2(points), work * held**2 / (held**2 + size**2), np.ones(len(ms))], 1)
        (a, c, b), left = nnls(parts / ms[:, None], np.ones(len(ms)))
        if best is None or left < best[0]:
            best = left, Law(float(a), float(c), float(b), float(size), parts @ (a, c, b) / ms - 1)
    assert best is not None
    return best[1]


def law(options: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[str, ...]], list[str]]:
    """Return head and rows of the table, and a line for each fit."""
    body, lines, cache = [], [], None
    for title, closure, counts in (("kinetic", None, options.modes), ("coarse, Bingham", BinghamClosure(), [1])):
        places = [(side, count) for side in options.points for count in counts if side <= 256 or count <= 16]
        rows, held = [], []
        for side, count in places:
            rows.append(stepped(title, side, closure, count, options.repeat))
            held.append(sum(part.nbytes for part in jax.tree.leaves(prepared(side, closure, count)[1])) / 2**20)
            print(f"{title}, {side} points, {count} moments: {rows[-1].cpu_ms:.3g} ms", file=sys.stderr, flush=True)
        points, moments = np.array(places, float).T
        found = fitted(points, moments, np.array(held), np.array([row.cpu_ms for row in rows]), cache)
        cache = found.cache
        for (side, count), row, state, error in zip(places, rows, held, found.errors, strict=True):
            numbers = (row.cpu_ms, row.compile_s or 0.0, row.memory_mib or 0.0, state)
            body.append((title, str(side), str(count), *(f"{number:.3g}" for number in numbers), f"{100 * error:+.0f} %"))
        spread = 100 * float(np.sqrt(np.mean(found.errors**2)))
        lines.append(
            f"{title}: a = {found.a:.3g} ms, c = {found.c:.3g} ms, b = {found.b:.3g} ms, S = {cache:.3g} MiB; relative error "
            f"{spread:.0f} % root mean square, {100 * np.abs(found.errors).max():.0f} % at most"
        )
    return ("model", "points", "moments", "CPU ms", "compile s", "step MiB", "state MiB", "fit"), body, lines


def exponential(rates: Any, dt: float, right: Callable[[Any], Any]) -> dict[str, Callable[[Any], Any]]:
    """Return steps of exponential Runge-Kutta schemes by name: exponax's, or the second-order one written out."""
    try:
        from exponax.etdrk import ETDRK2, ETDRK4  # pyright: ignore[reportMissingImports]
    except ImportError:
        print("exponax is not installed: its second-order scheme is written out here (pip install exponax)")
        z = dt * rates
        whole, phi1 = jnp.exp(z), jnp.expm1(z) / z
        phi2 = (phi1 - 1) / z

        def second(held: Any) -> Any:
            # Cox and Matthews, J. Comput. Phys. 2002, equation 22
            now = right(held)
            middle = whole * held + dt * phi1 * now
            return middle + dt * phi2 * (right(middle) - now)

        return {"ETDRK2": second}
    return {kind.__name__ + ", exponax": kind(dt, rates, right).step_fourier for kind in (ETDRK2, ETDRK4)}


def steppers(options: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[str, ...]], list[str]]:
    """Return head and rows of the table."""
    body: list[tuple[str, ...]] = []
    points = options.points[0]
    m1 = random_state(points, seed=0, amplitude=0.5)
    for title, closure, fields in (
        ("coarse, Bingham", BinghamClosure(), m1[None]),
        ("kinetic", None, lifted(m1, options.modes[0])[1:]),
    ):
        model = Model(Grid.of(points, PARAMETERS.length), PARAMETERS, closure, uniform=True, sweeps=1)
        first = model.grid.keep * jnp.fft.fft2(fields)
        rates = linear(model, len(first))
        right = lambda held, model=model: tendency(model, held, None, COLD)[0]  # noqa: E731

        def ours(held: Any, dt: float, count: int, model: Model = model) -> Any:
            return steps(model, start(model, held, dt), dt, count - 1).state

        coarser, finer = (
            np.asarray(compiled(lambda held, n=n: ours(held, STEPS[0] / n, round(LAST / STEPS[0] * n)), first)[0]()[0])
            for n in FINE
        )
        truth = finer + (finer - coarser) / 3
        for dt in STEPS:
            count = round(LAST / dt)
            equation = MomentEquation(model, len(first), COLD)
            programs: dict[str, Callable[[Any], Any]] = {"SBDF2": lambda held, dt=dt, count=count: ours(held, dt, count)}
            one = {f"{name}, jax-cfd": scheme(equation, dt) for name, scheme in SCHEMES.items()} | exponential(rates, dt, right)
            for name, step in one.items():
                programs[name] = lambda held, step=step, count=count: jax.lax.scan(
                    lambda now, _: (step(now), None), held, length=count
                )[0]
            for name, program in programs.items():
                run, _, _ = compiled(program, first)
                error = np.linalg.norm(np.asarray(run()[0]) - truth) / np.linalg.norm(truth)
                cpu, wall = timed(run, count, options.repeat)
                body.append((title, name, f"{dt:g}", f"{cpu:.3g}", f"{wall:.3g}", f"{cpu * count:.3g}", f"{error:.2g}"))
    row = numpy_coarse(points, options.repeat)
    body.append(("coarse, Bingham", f"SBDF2, NumPy ({row.note})", f"{DT:g}", f"{row.cpu_ms:.3g}", f"{row.wall_ms:.3g}", "", ""))
    times = (f"{ms:.3g}" for ms in navier_stokes(points, options.repeat))
    body.append(("Navier-Stokes", "crank_nicolson_rk4, jax-cfd", "", *times, "", ""))
    return ("equation", "integrator", "step", "CPU ms a step", "wall ms", "CPU ms to 2", "error at 2"), body, []


def navier_stokes(points: int, repeat: int) -> tuple[float, float]:
    """Return processor and wall milliseconds of a step of jax-cfd's own equation, of one real field."""
    from jax_cfd.base import grids
    from jax_cfd.spectral import equations, time_stepping

    length, count = float(PARAMETERS.length), 50
    grid = grids.Grid((points, points), domain=((0, length), (0, length)))
    step = time_stepping.crank_nicolson_rk4(equations.NavierStokes2D(float(PARAMETERS.d_t), grid), DT)
    first = jnp.fft.rfftn(jnp.asarray(np.real(random_state(points, seed=0))))
    run, _, _ = compiled(lambda held: jax.lax.scan(lambda now, _: (step(now), None), held, length=count)[0], first)
    return timed(run, count, repeat)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("law", "steppers"))
    parser.add_argument("--points", type=int, nargs="+", help="sides of the grids")
    parser.add_argument("--modes", type=int, nargs="+", help="of the kinetic theory")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    options.points = options.points or ([32, 64, 128, 256, 512] if options.what == "law" else [64])
    options.modes = options.modes or ([4, 8, 16, 32] if options.what == "law" else [16])
    jax.config.update("jax_enable_x64", True)
    head, body, lines = (law if options.what == "law" else steppers)(options)
    if options.markdown:
        print("\n".join(f"| {' | '.join(line)} |" for line in (head, ("--",) * len(head), *body)), end="\n\n")
    else:
        table = Table(*head)
        for line in body:
            table.add_row(*line)
        Console().print(table)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
