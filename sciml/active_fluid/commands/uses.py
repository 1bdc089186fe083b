"""`sciml active-fluid growth-rates`: linear theory; and the check of runs that commands read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sciml.options import MODEL


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
        str,
        MODEL,
        typer.Option(help="kinetic, or the coarse model with bingham, quadratic, burg, neural, second or neural:NAME."),
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


def _print(head: list[str], rows: list[list[Any]], out: Path | None) -> None:
    from sciml.runtime.files import write_text

    if out is not None:
        write_text(out, "\n".join(",".join(map(str, row)) for row in [head, *rows]) + "\n")
    widths = [max(len(str(row[column])) for row in [head, *rows]) for column in range(len(head))]
    for row in [head, *rows]:
        typer.echo("  ".join(str(cell).rjust(width) for cell, width in zip(row, widths, strict=True)))
