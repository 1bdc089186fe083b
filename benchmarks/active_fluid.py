"""Time the steps of active fluids: kinetic and coarse, closures, gradients, and the published form, in one process on one thread.

python benchmarks/active_fluid.py [--points 64 128 256] [--repeat 7] [--modes 16] [--large] [--markdown]

* kinetic, even modes: this package's kinetic solver, `--modes` complex fields.
* kinetic, 256 angles: the published form, the distribution itself on a full circle of angles, transforms in x, y and angle,
  two-thirds rule in all three, one sweep of the flow a step; written in NumPy, and in JAX with the same lines. Its tendency is
  compared with this package's moments before it is timed. Real transforms make it thriftier than complex ones would.
* coarse: this package's coarse solver with each closure, one sweep of the flow a step; the NumPy form is the same step line by
  line, with a spline for Bingham's map.
* Milliseconds are per step, but for whole runs, and the least of the repetitions; processor time counts, wall time is beside it.
  Compilation is apart. Memory is what the compiled program asks for beside its input and output.
* Gradients are of a loss of the last state with respect to the first state, alpha, zeta and the weights of a network, with all
  steps kept and with steps recomputed, from a given carry of the time stepper.
* Equal accuracy: whole runs from one weak random state on 64 points, at a mild point of the network's box (to t = 8) and a strong
  one (to t = 4, since fields there have nothing in common soon after), each judged by the relative L2 error of m1 at the end
  against a kinetic run of 32 even modes with half the study's step. The coarse model with a learned closure, of m2 or of m3,
  takes the largest step on a ladder of doublings that keeps its error within a tenth of the smallest step's; the kinetic solver
  the first pair of modes and step, by modes over step, whose error is at most the coarse model's. No guard is asked: the package
  stops kinetic runs whose last mode is above 1e-3. Both are then timed in turn.

`--large` adds 512 and 1024 points, and the 256 angles on 128 points.
"""

# ruff: noqa: E402

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

# one thread, before jax is loaded
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.interpolate import CubicSpline

from sciml.active_fluid.closures.bingham import ratio
from sciml.active_fluid.closures.closure import BinghamClosure, QuadraticClosure, coarse_moments
from sciml.active_fluid.closures.second import SecondOrderClosure
from sciml.active_fluid.fields.grid import Grid
from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.theory.moments import Model, flow_of, tendency
from sciml.active_fluid.theory.states import lifted, modes_needed, random_state
from sciml.active_fluid.theory.stepping import StepperState, start, steps
from sciml.runtime.errors import ScimlError

PARAMETERS = Parameters(alpha=-1.0, zeta=0.5)
# one sweep of the flow a step is what the solvers take at beta 0.8
ANGLES, SWEEPS, DT = 256, 1, 0.0125
# of the whole runs: points and last times, modes of the truth, and what is tried
MILD_AND_STRONG = ((PARAMETERS, 8.0), (Parameters(alpha=-2.75, zeta=0.9), 4.0))
TRUE_MODES = 32
FEW_MODES, LADDER = (2, 3, 4, 5, 6, 8, 12, 16), (0.0125, 0.025, 0.05, 0.1, 0.2)


@dataclass(frozen=True)
class Row:
    """One timed program, per step."""

    program: str
    points: int
    cpu_ms: float
    wall_ms: float
    compile_s: float | None = None
    memory_mib: float | None = None
    note: str = ""


def timed(run: Callable[[], Any], count: int, repeat: int) -> tuple[float, float]:
    """Return the least processor and wall milliseconds of one of `count` steps, after one run to warm up."""
    run()
    cpu, wall = [], []
    for _ in range(repeat):
        begin, clock = time.process_time(), time.perf_counter()
        run()
        cpu.append(time.process_time() - begin)
        wall.append(time.perf_counter() - clock)
    return 1e3 * min(cpu) / count, 1e3 * min(wall) / count


def compiled(program: Callable[..., Any], *inputs: Any) -> tuple[Callable[[], Any], float, float | None]:
    """Return a compiled program on its inputs, the processor seconds that this took, and MiB beside input and output."""
    begin = time.process_time()
    found = jax.jit(program).lower(*inputs).compile()
    took = time.process_time() - begin
    analysis = found.memory_analysis()
    memory = None if analysis is None else analysis.temp_size_in_bytes / 2**20
    return lambda: jax.block_until_ready(found(*inputs)), took, memory


def closures() -> dict[str, Any]:
    """Return the closures by name; the network where its module and weights are there."""
    found: dict[str, Any] = {
        "quadratic": QuadraticClosure(),
        "Bingham": BinghamClosure(),
        "second order": SecondOrderClosure.load(),
    }
    try:
        from sciml.active_fluid.closures.neural import NeuralClosure
    except ImportError:
        return found
    shipped = True
    try:
        network = NeuralClosure.load("default")
    except ScimlError:
        network, shipped = NeuralClosure.create(0), False
    return {**found, "neural" if shipped else "neural (untrained)": network}


def prepared(points: int, closure: Any, modes: int) -> tuple[Model, StepperState]:
    """Return a model and its carry after the first step of a strongly ordered state."""
    model = Model(Grid.of(points, PARAMETERS.length), PARAMETERS, closure, uniform=True, sweeps=SWEEPS)
    m1 = random_state(points, seed=0, amplitude=0.5)
    fields = coarse_moments(closure, jnp.asarray(m1)) if closure is not None else lifted(m1, modes)[1:]
    state = model.grid.keep * jnp.fft.fft2(fields)
    return model, jax.jit(lambda now: start(model, now, DT))(state)


def stepped(name: str, points: int, closure: Any, modes: int, repeat: int) -> Row:
    """Return the row of a solver of this package."""
    model, carry = prepared(points, closure, modes)
    cost = points**2 * (1 if closure is not None else modes)
    count = max(1, min(100, 600_000 // cost))
    run, took, memory = compiled(lambda held: steps(model, held, DT, count), carry)
    return Row(name, points, *timed(run, count, repeat), took, memory)


def gradient(name: str, closure: Any, length: int, checkpoint: bool, repeat: int, forward: float) -> Row:
    """Return the row of value and gradient of a roll-out at 64 points."""
    model, carry = prepared(64, closure, 1)
    arrays, rest = eqx.partition(closure, eqx.is_inexact_array)

    def loss(inputs: tuple[Any, Any, Any, Any]) -> Any:
        state, alpha, zeta, weights = inputs
        parameters = eqx.tree_at(lambda p: (p.alpha, p.zeta), PARAMETERS, (alpha, zeta))
        rolled = model._replace(parameters=parameters, closure=eqx.combine(weights, rest))
        last = steps(rolled, carry._replace(state=state), DT, length, checkpoint).state
        return jnp.mean(jnp.abs(last - carry.state) ** 2)

    inputs = (carry.state, jnp.asarray(PARAMETERS.alpha), jnp.asarray(PARAMETERS.zeta), arrays)
    # of a real loss in a complex state: the conjugate convention does not matter for time
    run, took, memory = compiled(jax.value_and_grad(loss), inputs)
    cpu, wall = timed(run, length, repeat)
    title = f"value and gradient, {length} steps, {'recomputed' if checkpoint else 'all kept'}, {name}"
    return Row(title, 64, cpu, wall, took, memory, f"{cpu / forward:.2f} forward steps")


def numpy_coarse(points: int, repeat: int) -> Row:
    """Return the row of the coarse step with Bingham's closure in NumPy, line by line the package's."""
    model, carry = prepared(points, BinghamClosure(), 1)
    p, grid = PARAMETERS, jax.tree.map(np.asarray, model.grid)
    rates = -p.d_t * grid.k2 - 4 * p.d_r
    held = jax.tree.map(np.asarray, carry)
    first = held.state[0], held.before[0], held.slope_before[0], held.flow.strain, held.flow_before.strain
    kappa = grid.kx + 1j * grid.ky
    stream = grid.stream * grid.keep / (1 + p.beta / 8)
    advance = 1 / (3 - 2 * DT * rates)
    knots = np.linspace(0, 1, 4001)
    spline = CubicSpline(knots, np.asarray(ratio(jnp.asarray(knots))))

    def stream_of(sigma: np.ndarray) -> np.ndarray:
        psi = stream * np.fft.fft2(sigma)
        return (psi + np.conj(np.roll(psi[::-1, ::-1], 1, (0, 1)))) / 2

    def one(state: Any, before: Any, slope_before: Any, strain: Any, strain_before: Any) -> tuple[Any, ...]:
        m1 = np.fft.ifft2(state)
        m2 = m1 * m1 * spline(m1.real**2 + m1.imag**2)
        guess = 2 * strain - strain_before
        for sweep in range(SWEEPS):
            sigma = p.alpha * m1 / 2 + p.beta / 4 * (np.conj(guess + p.zeta * m1) * m2 - p.zeta * m1)
            psi = stream_of(sigma)
            if sweep < SWEEPS - 1:
                guess = np.fft.ifft2(grid.strain * psi)
        velocity, new, vorticity = np.fft.ifft2(kappa * psi), np.fft.ifft2(grid.strain * psi), np.fft.ifft2(grid.k2 * psi).real
        h = new + p.zeta * m1
        turned = np.fft.fft2(1j * vorticity * m1 + h - np.conj(h) * m2)
        flux_x, flux_y = np.fft.fft2(velocity.real * m1), np.fft.fft2(velocity.imag * m1)
        slope = grid.keep * (turned - 1j * grid.kx * flux_x - 1j * grid.ky * flux_y)
        after = (4 * state - before + 2 * DT * (2 * slope - slope_before)) * advance
        return after, state, slope, new, strain

    def run(count: int = 20) -> np.ndarray:
        now = first
        for _ in range(count):
            now = one(*now)
        return now[0]

    ours = np.asarray(jax.jit(lambda c: steps(model, c, DT, 20).state)(carry))[0]
    note = f"differs by {np.abs(run() - ours).max() / np.abs(ours).max():.0e}"
    return Row("coarse, Bingham, NumPy", points, *timed(run, 20, repeat), note=note)


class Published:
    """The published form: the distribution on all angles, in NumPy or in JAX.

    Args:
        points: a side.
        xp: numpy or jax.numpy.
    """

    def __init__(self, points: int, xp: ModuleType):
        p, self.xp = PARAMETERS, xp
        grid = jax.tree.map(np.asarray, Grid.of(points, float(p.length)))
        theta = 2 * np.pi * np.arange(ANGLES) / ANGLES
        orders = np.arange(ANGLES // 2 + 1)
        inner = np.where(orders == ANGLES // 2, 0, orders)
        as_array = lambda array: xp.asarray(array)  # noqa: E731
        self.kx, self.ky, self.n = as_array(grid.kx[..., None]), as_array(grid.ky[..., None]), as_array(inner)
        self.keep = as_array(grid.keep[..., None] * (orders < ANGLES / 3))
        self.rates = as_array(-p.d_t * grid.k2[..., None] - p.d_r * orders**2)
        self.stream, self.strain, self.k2 = as_array(grid.stream * grid.keep), as_array(grid.strain), as_array(grid.k2)
        self.kappa = as_array(grid.kx + 1j * grid.ky)
        self.cos, self.sin = as_array(np.cos(2 * theta)), as_array(np.sin(2 * theta))
        # from values on the angles to <cos 2 theta>, <sin 2 theta>, <cos 4 theta>, <sin 4 theta>
        waves = [np.cos(2 * theta), np.sin(2 * theta), np.cos(4 * theta), np.sin(4 * theta)]
        self.moments = as_array(np.stack(waves, 1) * 2 * np.pi / ANGLES)

    def tendency(self, state: Any, strain: Any) -> tuple[Any, Any]:
        """Return the explicit tendency of rfftn coefficients, and the strain, by one sweep from the strain of the step before."""
        xp, p = self.xp, PARAMETERS
        psi = xp.fft.irfftn(state, axes=(0, 1, 2))
        parts = psi @ self.moments
        m1, m2 = parts[..., 0] + 1j * parts[..., 1], parts[..., 2] + 1j * parts[..., 3]
        h = strain + p.zeta * m1
        sigma = p.alpha * m1 / 2 + p.beta / 4 * (strain - p.zeta * m1 + xp.conj(h) * m2)
        stream = self.stream * xp.fft.fft2(sigma)
        stream = (stream + xp.conj(xp.roll(stream[::-1, ::-1], 1, (0, 1)))) / 2
        velocity, strain = xp.fft.ifft2(self.kappa * stream), xp.fft.ifft2(self.strain * stream)
        vorticity = xp.fft.ifft2(self.k2 * stream).real
        h = (strain + p.zeta * m1)[..., None]
        # theta' = w / 2 + Im( h exp(-2 i theta) )
        turn = vorticity[..., None] / 2 + h.imag * self.cos - h.real * self.sin
        flux = 1j * self.kx * xp.fft.rfftn(velocity.real[..., None] * psi, axes=(0, 1, 2))
        flux = flux + 1j * self.ky * xp.fft.rfftn(velocity.imag[..., None] * psi, axes=(0, 1, 2))
        flux = flux + 1j * self.n * xp.fft.rfftn(turn * psi, axes=(0, 1, 2))
        return -self.keep * flux, strain

    def step(self, state: Any, before: Any, slope_before: Any, strain: Any) -> tuple[Any, Any, Any, Any]:
        """Return the carry after one more step."""
        slope, strain = self.tendency(state, strain)
        after = (4 * state - before + 2 * DT * (2 * slope - slope_before)) / (3 - 2 * DT * self.rates)
        return after, state, slope, strain

    def first(self, m1: np.ndarray, strain: np.ndarray) -> tuple[Any, Any, Any, Any]:
        """Return a carry of the Bingham distribution of m1: psi = sum of m_n* exp(2 i n theta) / (2 pi)."""
        points = len(m1)
        modes = (ANGLES - 1) // 6
        state = np.zeros((points, points, ANGLES // 2 + 1), np.complex128)
        state[..., : 2 * modes + 1 : 2] = np.moveaxis(np.conj(lifted(m1, modes)), 0, -1) * ANGLES / (2 * np.pi)
        state = np.fft.fft2(state, axes=(0, 1)) * np.asarray(self.keep)
        slope, _ = self.tendency(self.xp.asarray(state), self.xp.asarray(strain))
        return self.xp.asarray(state), self.xp.asarray(state), slope, self.xp.asarray(strain)


def disagreement(points: int, m1: np.ndarray) -> tuple[float, np.ndarray]:
    """Return how far the published form's tendency is from this package's with as many modes, and the converged strain."""
    modes = (ANGLES - 1) // 6
    model = Model(Grid.of(points, PARAMETERS.length), PARAMETERS, None, uniform=True, sweeps=SWEEPS)
    state = model.grid.keep * jnp.fft.fft2(lifted(m1, modes)[1:])
    strain = flow_of(model, jnp.fft.ifft2(state), None, 40).strain
    slope, _ = tendency(model, state, None, 40)
    program = Published(points, np)
    theirs, _ = program.tendency(program.first(m1, np.asarray(strain))[0], np.asarray(strain))
    # coefficient 2 n of psi is conj(m_n) ANGLES / (2 pi), transformed in x and y
    fields = np.conj(np.fft.ifft2(theirs[..., 2 : 2 * modes + 1 : 2], axes=(0, 1))) * 2 * np.pi / ANGLES
    ours = np.moveaxis(np.asarray(jnp.fft.ifft2(slope)), 0, -1)
    return float(np.abs(fields - ours).max() / np.abs(ours).max()), np.asarray(strain)


def published(points: int, repeat: int) -> list[Row]:
    """Return the rows of the published form."""
    m1 = random_state(points, seed=0, amplitude=0.5)
    difference, strain = disagreement(points, m1)
    note, count = f"tendency differs by {difference:.0e}", 2
    rows = []
    plain = Published(points, np)
    begin = plain.first(m1, strain)

    def run() -> Any:
        now = begin
        for _ in range(count):
            now = plain.step(*now)
        return now

    few = max(2, repeat // 2)
    rows.append(Row(f"kinetic, {ANGLES} angles, NumPy", points, *timed(run, count, few), note=note))
    program = Published(points, jnp)
    advance = lambda now: jax.lax.scan(lambda held, _: (program.step(*held), None), now, length=count)[0]  # noqa: E731
    again, took, memory = compiled(advance, program.first(m1, strain))
    rows.append(Row(f"kinetic, {ANGLES} angles, JAX", points, *timed(again, count, few), took, memory))
    return rows


def final(closure: Any, modes: int, dt: float, parameters: Parameters, until: float) -> tuple[np.ndarray, Callable[[], Any]]:
    """Return m1 at the end of a whole run, and the compiled run."""
    model = Model(Grid.of(64, parameters.length), parameters, closure, uniform=True, sweeps=SWEEPS)
    m1 = random_state(64, seed=0)
    state = model.grid.keep * jnp.fft.fft2(
        coarse_moments(closure, jnp.asarray(m1)) if closure is not None else lifted(m1, modes)[1:]
    )
    run, _, _ = compiled(lambda now: steps(model, start(model, now, dt), dt, round(until / dt) - 1).state[0], state)
    return np.asarray(jnp.fft.ifft2(run())), run


def equal_accuracy(name: str, closure: Any, repeat: int, parameters: Parameters, until: float) -> list[Row]:
    """Return the rows of the coarse run and of the cheapest kinetic run that is at least as accurate."""
    truth, _ = final(None, TRUE_MODES, DT / 2, parameters, until)
    error = lambda found: float(np.linalg.norm(found - truth) / np.linalg.norm(truth))  # noqa: E731
    coarse = {dt: final(closure, 1, dt, parameters, until) for dt in LADDER}
    allowed = 1.1 * error(coarse[LADDER[0]][0])
    longest = max(dt for dt in LADDER if error(coarse[dt][0]) <= allowed)
    goal = error(coarse[longest][0])
    kinetic, pairs = None, sorted(((modes, dt) for modes in FEW_MODES for dt in LADDER), key=lambda pair: pair[0] / pair[1])
    for modes, dt in pairs:
        found, run = final(None, modes, dt, parameters, until)
        # an error that is no number, of a run that diverged, is not below
        if error(found) <= goal:
            kinetic = (modes, dt, error(found), run)
            break
    cpu: dict[str, list[float]] = {"coarse": [], "kinetic": []}
    wall: dict[str, list[float]] = {"coarse": [], "kinetic": []}
    programs = {"coarse": coarse[longest][1], **({"kinetic": kinetic[3]} if kinetic else {})}
    for _ in range(repeat):
        for which, run in programs.items():
            one_cpu, one_wall = timed(run, 1, 1)
            cpu[which].append(one_cpu)
            wall[which].append(one_wall)
    title = f"alpha {parameters.alpha:g}, zeta {parameters.zeta:g}, to t = {until:g}: "
    rows = [
        Row(f"{title}coarse, {name}, step {longest:g}", 64, min(cpu["coarse"]), min(wall["coarse"]), note=f"error {goal:.2g}")
    ]
    if kinetic is not None:
        modes, dt, wrong, _ = kinetic
        note = f"error {wrong:.2g}; {min(cpu['kinetic']) / min(cpu['coarse']):.1f} times the coarse run"
        rows.append(Row(f"{title}kinetic, M = {modes}, step {dt:g}", 64, min(cpu["kinetic"]), min(wall["kinetic"]), note=note))
    return rows


def goals(rows: list[Row]) -> list[tuple[str, float, float]]:
    """Return (goal, measured ratio, most allowed) at 64 points, of processor time."""
    at = {row.program: row.cpu_ms for row in rows if row.points == 64}
    even = next((value for name, value in at.items() if name.startswith("kinetic, even")), None)
    full = at.get(f"kinetic, {ANGLES} angles, JAX")
    found = []
    for closure, of_even, of_full in (("neural", 1 / 2, 1 / 10), ("Bingham", 1 / 3.5, 1 / 25)):
        name = next((name for name in at if name.startswith(f"coarse, {closure}") and "NumPy" not in name), None)
        if name is None or even is None or full is None:
            continue
        found.append((f"{name}: kinetic with even modes", at[name] / even, of_even))
        found.append((f"{name}: kinetic, {ANGLES} angles", at[name] / full, of_full))
    if "coarse, Bingham, NumPy" in at:
        found.append(("coarse, Bingham: its NumPy form", at["coarse, Bingham"] / at["coarse, Bingham, NumPy"], 1 / 2))
    # of the two ways to keep steps the quicker one
    gradients: dict[str, float] = {}
    for name, value in at.items():
        if name.startswith("value and gradient"):
            title, length, _, closure = name.split(", ")
            goal = f"coarse, {closure}: a forward step, {title}, {length}"
            gradients[goal] = min(value / at[f"coarse, {closure}"], gradients.get(goal, np.inf))
    found.extend((goal, value, 5.0) for goal, value in gradients.items())
    return found


def measured(options: argparse.Namespace) -> list[Row]:
    """Return all rows."""
    rows = []
    sizes = [*options.points, *([512, 1024] if options.large else [])]
    for points in sizes:
        rows.append(stepped(f"kinetic, even modes, M = {options.modes}", points, None, options.modes, options.repeat))
        for name, closure in closures().items():
            rows.append(stepped(f"coarse, {name}", points, closure, 1, options.repeat))
    if 64 in sizes:
        rows.append(numpy_coarse(64, options.repeat))
        forward = {row.program.removeprefix("coarse, "): row.cpu_ms for row in rows if row.points == 64}
        for name, closure in closures().items():
            if name == "quadratic":
                continue
            for length, checkpoint in ((20, False), (20, True), (80, True)):
                rows.append(gradient(name, closure, length, checkpoint, options.repeat, forward[name]))
        for name in ("neural", "second order"):
            if (closure := closures().get(name)) is not None:
                for parameters, until in MILD_AND_STRONG:
                    rows.extend(equal_accuracy(name, closure, options.repeat, parameters, until))
    for points in (64, 128) if options.large else (64,):
        rows.extend(published(points, options.repeat))
    return rows


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, nargs="+", default=[64, 128, 256])
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--modes", type=int, default=16, help="of the kinetic solver")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    rows = measured(options)
    lines = [
        (
            row.program,
            str(row.points),
            f"{row.cpu_ms:.3g}",
            f"{row.wall_ms:.3g}",
            "" if row.compile_s is None else f"{row.compile_s:.2g}",
            "" if row.memory_mib is None else f"{row.memory_mib:.3g}",
            row.note,
        )
        for row in rows
    ]
    head = ("program", "points", "CPU ms", "wall ms", "compile s", "MiB", "note")
    aims = [(goal, f"{found:.3g}", f"{most:.3g}", "met" if found <= most else "MISSED") for goal, found, most in goals(rows)]
    for titles, body in ((head, lines), (("goal: cost over that of", "ratio", "at most", ""), aims)):
        if options.markdown:
            print("\n".join(f"| {' | '.join(line)} |" for line in (titles, ("--",) * len(titles), *body)), end="\n\n")
            continue
        table = Table(*titles)
        for line in body:
            table.add_row(*line)
        Console().print(table)
    needed = modes_needed(float(PARAMETERS.zeta), float(PARAMETERS.d_r))
    print(f"zeta = {PARAMETERS.zeta}, d_r = {PARAMETERS.d_r}: {needed} even modes resolve this case by the package's rule")


if __name__ == "__main__":
    main()
