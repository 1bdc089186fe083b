"""`sciml active-fluid`: suspensions of active rods, the kinetic theory and its coarse model."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from sciml.active_fluid.commands.infer import infer_command
from sciml.active_fluid.commands.study import evaluate_command, train_command
from sciml.active_fluid.commands.uses import check_run, growth_rates_command
from sciml.options import MODEL, Force, Gpu, Reads, Seed, Threads, add_report, command
from sciml.runtime.files import refuse_existing

app = typer.Typer(
    help="Active fluids: rods that stir the liquid they lie in. The kinetic theory is the truth, the coarse model needs "
    "a closure and is many times faster. Everything is dimensionless, on a periodic square.",
    no_args_is_help=True,
)

command(app, "growth-rates")(growth_rates_command)
command(app, "infer", {"--noise": "--noise-std"})(infer_command)
command(app, "train", resumes=True)(train_command)
command(app, "evaluate", {"--weights": "--model"}, resumes=True)(evaluate_command)
add_report(app, "active_fluid")

Alpha = Annotated[
    float,
    typer.Option(help="Active stress: negative for pushers (extensile, unstable), positive for pullers."),
]
Zeta = Annotated[float, typer.Option(help="Steric alignment; above 4 d_r the rods order by themselves.")]
Beta = Annotated[float, typer.Option(help="Shape factor times concentration.")]
Dt = Annotated[float, typer.Option("--d-t", help="Translational diffusion.")]
Dr = Annotated[float, typer.Option("--d-r", help="Rotational diffusion.")]
Length = Annotated[float, typer.Option(help="Side of the square.")]
Friction = Annotated[float | None, typer.Option(help="Drag of a substrate on the liquid, at least 0; none by default.")]


@command(app, "simulate", {"--model": "--equations", "--picture": "--picture-out"}, resumes=True)
def simulate_command(
    out: Annotated[Path, typer.Option(help="The run: a Zarr store, run.zarr, or NetCDF, run.nc. One that was stopped goes on.")],
    alpha: Alpha = -1.0,
    zeta: Zeta = 0.5,
    beta: Beta = 0.8,
    d_t: Dt = 0.05,
    d_r: Dr = 0.05,
    length: Length = 10.0,
    friction: Friction = None,
    shear: Annotated[float | None, typer.Option(help="Rate g of an imposed flow (g y, 0).")] = None,
    strain: Annotated[
        float | None, typer.Option(help="Rate e of an imposed flow (e x, -e y); the box stretches with it.")
    ] = None,
    stirring: Annotated[float | None, typer.Option(help="Largest speed of four cells that stir, one against the other.")] = None,
    stirring_period: Annotated[
        float | None, typer.Option("--stirring-period", help="Time of one to and fro of the stirring; steady by default.")
    ] = None,
    body_force: Annotated[
        float | None, typer.Option("--body-force", help="Size F of a force (F sin(2 pi y / L), 0) per area.")
    ] = None,
    equations: Annotated[str, typer.Option(help="kinetic (the truth) or coarse (with a closure).")] = "coarse",
    closure: Annotated[
        str | None,
        MODEL,
        typer.Option(help="Of the coarse model: bingham (default), quadratic, burg, neural, second or neural:NAME."),
    ] = None,
    points: Annotated[
        str, typer.Option(help="Points a side: even, at least 16; or auto: what the parameters, and then the run, ask for.")
    ] = "auto",
    modes: Annotated[str, typer.Option(help="Angular modes of the kinetic model, or auto: what zeta / d_r asks.")] = "auto",
    until: Annotated[float, typer.Option(help="Last time; a later one goes on from a finished run.")] = 20.0,
    save_every: Annotated[float, typer.Option("--save-every", help="Time between saved states.")] = 0.5,
    fields: Annotated[
        str | None, typer.Option(help="Fields that are saved, e.g. m1,vorticity; else also m2, velocity_x, velocity_y, strain.")
    ] = None,
    time_step: Annotated[float, typer.Option("--time-step", help="The longest step.")] = 0.0125,
    precision: Annotated[str, typer.Option(help="double or single.")] = "double",
    initial: Annotated[
        Path | None,
        Reads(check_run),
        typer.Option(
            help="Initial state: .npy of complex m1 or real D; .npz, NetCDF or Zarr of m1, D, D_xx and D_xy, or angle and order; "
            "a run, whose last time counts. Else random waves."
        ),
    ] = None,
    seed: Seed = 0,
    picture_out: Annotated[
        Path | None, typer.Option("--picture-out", help="PNG file: a few times, order of the rods above, vorticity below.")
    ] = None,
    threads: Threads = None,
    gpu: Gpu = 0,
    force: Force = False,
) -> None:
    """Simulate a suspension from random weak order, or from a given state.

    Ctrl-C keeps what is saved; the same command goes on, and ends with the same bytes as a run that was not stopped. A run that
    diverges, or that its points or modes do not resolve, stops, names what would do and keeps the last good state.

    Examples: sciml active-fluid simulate --alpha -1 --zeta 0.5 --out run.zarr --picture-out run.png;
    sciml active-fluid simulate --equations kinetic --alpha -2 --zeta 0.5 --until 10 --out truth.zarr;
    sciml active-fluid simulate --initial truth.zarr --alpha -2 --zeta 0.5 --closure quadratic --out on.zarr;
    sciml active-fluid simulate --shear 0.5 --friction 0.1 --alpha -2 --out sheared.zarr;
    sciml active-fluid simulate --points 512 --fields m1,vorticity --save-every 1 --out large.zarr;
    python -c "import xarray; print(xarray.open_zarr('run.zarr'))"
    """
    from sciml.stages import stage

    if out.suffix.lower() == ".nc":
        refuse_existing(out, force)
    for store in (out, out.with_name(f".{out.name}.zarr")):
        if force and (store / ".zgroup").is_file() | (store / "zarr.json").is_file():
            shutil.rmtree(store)
    with stage("active-fluid.simulate", out, threads, gpu):
        from sciml.active_fluid.fields.parameters import Parameters
        from sciml.active_fluid.solvers.simulation import forcing_of, simulate

        parameters = Parameters(alpha, zeta, beta, d_t, d_r, length, friction)
        line = simulate(
            parameters,
            out,
            model=equations,
            closure=closure,
            points=points,
            modes=modes,
            until=until,
            save_every=save_every,
            time_step=time_step,
            precision=precision,
            initial=initial,
            seed=seed,
            picture=picture_out,
            tell=_teller(),
            fields=fields,
            announce=_announce,
            forcing=forcing_of(length, shear, strain, stirring, stirring_period, body_force),
        )
    typer.echo(line)


def _announce(estimate: Any) -> None:
    """Print on standard error what a run will take."""
    mega = [count / 1e6 for count in (estimate.frame_bytes, estimate.frames * estimate.frame_bytes, estimate.carry_bytes)]
    print(
        f"{estimate.steps} steps, about {_duration(estimate.seconds)} of computing; {estimate.frames} times of {mega[0]:.3g} MB, "
        f"at most {mega[1]:.3g} MB in all, and {mega[2]:.3g} MB to go on from",
        file=sys.stderr,
        flush=True,
    )


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _teller() -> Any:
    """Return what tells of a saved time on standard error, with the time that is left by the saved times since the first."""
    begun = time.monotonic()
    told: list[tuple[float, int]] = []

    def tell(progress: Any) -> None:
        now = time.monotonic()
        told.append((now, progress.index))
        # the first of a run comes before its steps are compiled
        (since, first), left = told[min(1, len(told) - 1)], ""
        if progress.index > first:
            left = f", {_duration((now - since) / (progress.index - first) * (progress.last - progress.index))} left"
        print(
            f"{now - begun:7.1f} s  time {progress.time:8.4g}, {progress.index} of {progress.last} saved, "
            f"order {progress.order:.3f}, speed {progress.speed:.3f}{left}",
            file=sys.stderr,
            flush=True,
        )

    return tell
