"""`sciml active-fluid growth-rates|infer`: linear theory, and parameters from data."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from sciml.options import MODEL, Reads


def check_run(path: Path) -> None:
    """Refuse what is no run (a Zarr store) and no readable .npz or .npy file."""
    import zipfile

    from sciml.formats.fields import open_dataset
    from sciml.formats.npy import open_npy
    from sciml.runtime.errors import DataError

    if path.suffix == ".npy":
        open_npy(path)
    elif path.suffix != ".npz":
        open_dataset(path)
    elif not zipfile.is_zipfile(path):
        raise DataError(f"{path} is no .npz file, or it is damaged")


def growth_rates_command(
    alpha: Annotated[float, typer.Option(help="Active stress, negative for pushers.")] = -1.0,
    zeta: Annotated[float, typer.Option(help="Steric alignment.")] = 0.5,
    beta: Annotated[float, typer.Option(help="Shape factor times concentration.")] = 0.8,
    d_t: Annotated[float, typer.Option("--d-t", help="Translational diffusion.")] = 0.05,
    d_r: Annotated[float, typer.Option("--d-r", help="Rotational diffusion.")] = 0.05,
    length: Annotated[float, typer.Option(help="Side of the square.")] = 10.0,
    friction: Annotated[float | None, typer.Option(help="Drag of a substrate on the liquid, at least 0.")] = None,
    most: Annotated[int, typer.Option(min=0, max=200, help="Largest number of waves in the box.")] = 8,
    closure: Annotated[
        str, MODEL, typer.Option(help="kinetic, or the coarse model with bingham, quadratic, neural or neural:NAME.")
    ] = "kinetic",
    nematic: Annotated[
        bool, typer.Option("--nematic", help="Of waves on the aligned state, along and across it, instead.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="CSV file.")] = None,
) -> None:
    """Print growth rates of waves on the isotropic state: by the formula and by the programmed equations.

    The two are computed apart, by hand and by automatic differentiation: a wrong sign anywhere shows. The rates decide whether,
    how fast and at which wave a suspension becomes unstable, and are the same for the kinetic theory and for every closure.

    Examples: sciml active-fluid growth-rates --alpha -2; sciml active-fluid growth-rates --closure neural --out rates.csv;
    sciml active-fluid growth-rates --alpha -1 --zeta 0.5 --nematic
    """
    from sciml.stages import stage

    with stage("active-fluid.growth-rates", out or Path("growth-rates")):
        from sciml.active_fluid.fields.parameters import Parameters
        from sciml.active_fluid.solvers.simulation import closure_of
        from sciml.active_fluid.theory.dispersion import growth_rates, spectra
        from sciml.active_fluid.theory.dispersion import nematic as aligned

        parameters = Parameters(alpha, zeta, beta, d_t, d_r, length, friction)
        model = None if closure == "kinetic" else closure_of(closure)
        if nematic:
            modes = None if model is not None else 24
            waves = [(n, 0) for n in range(1, most + 1)] + [(0, n) for n in range(1, most + 1)]
            values = spectra(parameters, waves, aligned(parameters, modes), model)[:, 0]
            head = ["n_along", "n_across", "rate", "frequency"]
            rows = [[x, y, f"{v.real:.8f}", f"{v.imag:.8f}"] for (x, y), v in zip(waves, values, strict=True)]
        else:
            found = growth_rates(parameters, [(n, 0) for n in range(most + 1)], model)
            head = ["n", "k", "cross", "cross_operator", "parallel", "parallel_operator", "density", "density_operator"]
            rows = [[r.n_x, *(f"{getattr(r, name):.8f}" for name in head[1:])] for r in found]
        _print(head, rows, out)


def infer_command(
    run: Annotated[
        Path,
        Reads(check_run),
        typer.Argument(help="A run (RUN.zarr) or an .npz with `m1` (snapshots, n, n) and `times`, optionally `mask`."),
    ],
    at: Annotated[
        list[float] | None, typer.Option(help="Time of a snapshot that is used; repeat. All of them by default.")
    ] = None,
    closure: Annotated[str, MODEL, typer.Option(help="bingham, quadratic, neural or neural:NAME.")] = "neural",
    noise_std: Annotated[
        float | None, typer.Option("--noise-std", help="Root mean square of the complex noise of m1; estimated by default.")
    ] = None,
    beta: Annotated[float, typer.Option(help="Known: shape factor times concentration.")] = 0.8,
    d_t: Annotated[float, typer.Option("--d-t", help="Known: translational diffusion.")] = 0.05,
    d_r: Annotated[float, typer.Option("--d-r", help="Known: rotational diffusion.")] = 0.05,
    length: Annotated[float, typer.Option(help="Known: side of the square.")] = 10.0,
    out: Annotated[Path | None, typer.Option(help="JSON file of everything that was found.")] = None,
) -> None:
    """Infer activity and alignment, with 90 % intervals, from snapshots of the order of the rods.

    m1 = <exp(2 i theta)> is what the nematic tensor D holds: D_11 - D_22 + 2 i D_12. The initial state is sought too, so that the
    noise of the first snapshot widens the intervals as it should. The error of the learned closure is part of the intervals.

    Examples: sciml active-fluid simulate --equations kinetic --points 32 --until 8 --save-every 1 --out truth.zarr;
    sciml active-fluid infer truth.zarr --at 4 --at 5 --at 6 --at 7 --at 8
    """
    from sciml.stages import stage

    with stage("active-fluid.infer", out or Path("infer")):
        from sciml.active_fluid.fields.parameters import Parameters
        from sciml.active_fluid.inference.infer import infer
        from sciml.active_fluid.solvers.simulation import closure_of
        from sciml.runtime.files import write_json

        fields, times, mask = _snapshots(run, at)
        known = Parameters(-1.0, 0.5, beta, d_t, d_r, length)
        found = infer(fields, times, closure_of(closure), known=known, noise_std=noise_std, mask=mask, progress=_tell)
        if out is not None:
            write_json(out, found.as_dict())
    for name in ("alpha", "zeta"):
        low, high = getattr(found, f"{name}_interval")
        typer.echo(f"{name:5} {getattr(found, name):9.5f}   90 % interval {low:.5f} to {high:.5f}")
    typer.echo(f"noise {found.noise_std:9.5f}   misfit in units of it: {', '.join(f'{value:.2f}' for value in found.misfit)}")
    for sentence in found.sentences:
        typer.echo(sentence)


def _tell(row: dict[str, Any]) -> None:
    print(
        f"{row['stage']}, step {row['iteration']}: alpha {row['alpha']:.5f}, zeta {row['zeta']:.5f}", file=sys.stderr, flush=True
    )


def _snapshots(path: Path, at: list[float] | None) -> tuple[Any, Any, Any]:
    """Return m1, times and mask of a run or of an .npz file."""
    import numpy as np

    from sciml.runtime.errors import DataError

    mask = None
    if path.suffix == ".npz":
        try:
            with np.load(path, allow_pickle=False) as content:
                fields, times = content["m1"], content["times"]
                mask = content["mask"].astype(bool) if "mask" in content.files else None
        except (OSError, ValueError, KeyError) as error:
            raise DataError(f"cannot read m1 and times from {path}: {error}") from error
    else:
        from sciml.active_fluid.solvers.store import open_run

        data = open_run(path)
        fields, times = data["m1"].to_numpy(), data["time"].to_numpy()
    if at:
        places = [int(np.argmin(np.abs(times - time))) for time in at]
        if missing := [
            time for time, place in zip(at, places, strict=True) if abs(times[place] - time) > 1e-6 * max(1.0, abs(time))
        ]:
            raise DataError(
                f"{path} has no snapshot at time {missing[0]:g}: there are {', '.join(f'{time:g}' for time in times[:40])}"
            )
        fields, times = fields[places], times[places]
        mask = mask[places] if mask is not None and mask.ndim == 3 else mask
    return fields, times, mask


def _print(head: list[str], rows: list[list[Any]], out: Path | None) -> None:
    from sciml.runtime.files import write_text

    if out is not None:
        write_text(out, "\n".join(",".join(map(str, row)) for row in [head, *rows]) + "\n")
    widths = [max(len(str(row[column])) for row in [head, *rows]) for column in range(len(head))]
    for row in [head, *rows]:
        typer.echo("  ".join(str(cell).rjust(width) for cell, width in zip(row, widths, strict=True)))
