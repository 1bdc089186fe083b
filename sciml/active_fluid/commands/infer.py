"""`sciml active-fluid infer`: parameters from frames."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sciml.active_fluid.commands.uses import check_run
from sciml.options import MODEL, Reads

if TYPE_CHECKING:
    from sciml.active_fluid.inference.frames import Frames

# side of the square of a run that does not say it, in units of the theory
LENGTH = 10.0


def check_frames(path: Path) -> None:
    """Refuse what is no TIFF stack, no run and no file of fields."""
    if path.suffix.lower() in (".tif", ".tiff"):
        from sciml.formats.tiff import read_stack

        read_stack(path)
    else:
        check_run(path)


def infer_command(
    frames: Annotated[
        Path,
        Reads(check_frames),
        typer.Argument(
            help="A run (RUN.zarr); a Zarr store or NetCDF file of D_xx, D_xy, D_yy, of Q_xx, Q_xy, of m1, or of angle; a TIFF "
            "stack of director angles; or an .npz with `m1` (snapshots, n, n) and `times`, optionally `mask`."
        ),
    ],
    at: Annotated[
        list[float] | None, typer.Option(help="Time of a snapshot that is used; repeat. All of them by default.")
    ] = None,
    every: Annotated[int, typer.Option(min=1, help="Use every so many-th frame.")] = 1,
    pixel_size: Annotated[
        float | None, typer.Option("--pixel-size", help="Distance of neighbouring points, where the file does not say it.")
    ] = None,
    frame_interval: Annotated[
        float | None, typer.Option("--frame-interval", help="Time between frames, where the file does not say it.")
    ] = None,
    angles: Annotated[
        str | None,
        typer.Option(help="Unit of angles: radians (of floats), degrees, or levels (of whole numbers: b bits span half a turn)."),
    ] = None,
    clockwise: Annotated[bool, typer.Option("--clockwise", help="Angles go clockwise as one sees the picture.")] = False,
    order: Annotated[
        str | None, typer.Option(help="Order of angles: a number from 0 to 1, or a TIFF stack of the same size.")
    ] = None,
    mask: Annotated[
        Path | None, typer.Option(help="TIFF, PNG or NPY in the frames' layout: points that are not 0 are seen.")
    ] = None,
    points: Annotated[
        int | None, typer.Option(help="Points a side of the model; by default those of the frames, at most 64.")
    ] = None,
    closure: Annotated[str, MODEL, typer.Option(help="bingham, quadratic, neural or neural:NAME.")] = "neural",
    noise_std: Annotated[
        float | None, typer.Option("--noise-std", help="Root mean square of the complex noise of m1; estimated by default.")
    ] = None,
    beta: Annotated[float, typer.Option(help="Known: shape factor times concentration.")] = 0.8,
    d_t: Annotated[float, typer.Option("--d-t", help="Known: translational diffusion, in units of the data.")] = 0.05,
    d_r: Annotated[float, typer.Option("--d-r", help="Known: rotational diffusion, in units of the data.")] = 0.05,
    length: Annotated[
        float | None, typer.Option(help="Known: side of the square, where neither the file nor a pixel size says it.")
    ] = None,
    friction: Annotated[
        float | None, typer.Option(min=0, help="Known: drag of a substrate over the viscosity, one over a length squared.")
    ] = None,
    free_clock: Annotated[
        bool, typer.Option("--free-clock", help="Seek the scale of time too: d_r and d_t are known but for a common factor.")
    ] = False,
    gain_std: Annotated[
        float,
        typer.Option(
            "--gain-std",
            min=0,
            max=1,
            help="For pictures of a contrast that is known roughly: 0.2 where it is known within 20 %.",
        ),
    ] = 0.0,
    offset_std: Annotated[
        float,
        typer.Option("--offset-std", min=0, max=1, help="Size of an order that the instrument adds, the same in all frames."),
    ] = 0.0,
    out: Annotated[Path | None, typer.Option(help="JSON file of everything that was found.")] = None,
    picture_out: Annotated[
        Path | None, typer.Option("--picture-out", help="PNG file: data, fit and residual; intervals; misfit by frame and wave.")
    ] = None,
) -> None:
    """Infer activity and alignment, with 90 % intervals and a goodness of fit, from frames of the order of the rods.

    m1 = <exp(2 i theta)> is what the nematic tensor D holds: D_xx - D_yy + 2 i D_xy. The initial state is sought too, so that the
    noise of the first snapshot widens the intervals as it should. The error of the learned closure is part of the intervals. The
    theory's unit of time is 0.05 / d_r, that of length sqrt(d_t / d_r); alpha and zeta are printed in its units and per time of
    the data. A warning says when the model does not explain the frames.

    Examples: sciml active-fluid simulate --equations kinetic --points 32 --until 8 --save-every 1 --out truth.zarr;
    sciml active-fluid infer truth.zarr --at 4 --at 5 --at 6 --at 7 --at 8;
    sciml active-fluid infer angles.tif --angles degrees --order 0.6 --pixel-size 2.5 --frame-interval 4 --d-t 0.8 --d-r 0.01
    """
    from sciml.stages import stage

    with stage("active-fluid.infer", out or Path("infer")):
        # everything that is wrong with the data is said before JAX is loaded
        from sciml.active_fluid.inference.frames import check_span, fitted_grid, theory_units
        from sciml.runtime.errors import ConfigError
        from sciml.runtime.files import write_json

        if picture_out is not None and picture_out.suffix.lower() != ".png":
            raise ConfigError(f"{picture_out}: the picture is a .png file")
        units = theory_units(d_t, d_r)
        given = _frames(frames, at, pixel_size, frame_interval, angles, clockwise, order, mask, length)
        given = _thinned(given, every)
        check_span(given.times, units)
        given = fitted_grid(given, points) if frames.suffix != ".npz" else given

        from sciml.active_fluid.fields.parameters import Parameters
        from sciml.active_fluid.inference.infer import infer
        from sciml.active_fluid.solvers.simulation import closure_of

        drag = None if friction is None else friction * units.length**2
        known = Parameters(-1.0, 0.5, beta, length=(given.length or LENGTH) / units.length, friction=drag)
        found = infer(
            *(given.m1, given.times / units.time, closure_of(closure)),
            known=known,
            noise_std=noise_std,
            mask=given.mask,
            progress=_tell,
            free_clock=free_clock,
            gain_std=gain_std,
            offset_std=offset_std,
        )
        rates = found.in_units(units.time)
        if out is not None:
            side = {"time": units.time, "length": units.length}
            write_json(out, {**found.as_dict(), "theory_units": side, "per_time_of_the_data": rates})
        if picture_out is not None:
            from sciml.active_fluid.inference.picture import write_fit

            write_fit(found, given, units, picture_out)
    for name in ("alpha", "zeta"):
        low, high = getattr(found, f"{name}_interval")
        value, least, most = rates[name]
        beside = (
            "" if (units.time, free_clock) == (1, False) else f"; per time of the data {value:.5g}, {least:.5g} to {most:.5g}"
        )
        typer.echo(f"{name:5} {getattr(found, name):9.5f}   90 % interval {low:.5f} to {high:.5f}{beside}")
    if free_clock:
        value, least, most = rates["d_r"]
        typer.echo(f"d_r   {value:9.5g}   90 % interval {least:.5g} to {most:.5g}, per time of the data")
    typer.echo(f"noise {found.noise_std:9.5f}   misfit in units of it: {', '.join(f'{value:.2f}' for value in found.misfit)}")
    fit = found.goodness
    typer.echo(f"chi^2 {fit.chi_square:9.1f}   degrees of freedom {fit.degrees:.0f}, p = {fit.p_value:.2g}")
    for sentence in found.sentences:
        typer.echo(sentence)
    if fit.is_warning:
        print(f"warning: {fit.sentence}", file=sys.stderr)


def _tell(row: dict[str, Any]) -> None:
    print(
        f"{row['stage']}, step {row['iteration']}: alpha {row['alpha']:.5f}, zeta {row['zeta']:.5f}", file=sys.stderr, flush=True
    )


def _frames(
    path: Path,
    at: list[float] | None,
    pixel_size: float | None,
    frame_interval: float | None,
    angles: str | None,
    clockwise: bool,
    order: str | None,
    mask: Path | None,
    length: float | None,
) -> Frames:
    """Return the frames of a file of any kind, those at the given times where there are any."""
    from sciml.active_fluid.inference.frames import Frames, read_frames
    from sciml.runtime.errors import ConfigError

    if path.suffix == ".npz" or _is_run(path):
        given = {
            "--pixel-size": pixel_size,
            "--frame-interval": frame_interval,
            "--angles": angles,
            "--order": order,
            "--mask": mask,
        }
        if wrong := [name for name, value in given.items() if value is not None]:
            raise ConfigError(f"{path} says it itself: leave {wrong[0]} out")
        return _snapshots(path, at, length)
    found = read_frames(path, pixel_size, frame_interval, angles, clockwise, order, mask)
    if length is not None and found.length is not None and abs(length - found.length) > 1e-6 * length:
        raise ConfigError(f"--length {length:g}, but the points of {path} span {found.length:g}: leave the option out")
    places = _places(found.times, at, path)
    return Frames(found.m1[places], found.times[places], None if found.mask is None else found.mask[places], found.length)


def _is_run(path: Path) -> bool:
    """Return whether a path is a run of this package."""
    from sciml.active_fluid.solvers.layout import attributes_of
    from sciml.runtime.errors import DataError, FormatError

    try:
        attributes_of(path)
    except (DataError, FormatError):
        return False
    return True


def _thinned(frames: Frames, every: int) -> Frames:
    """Return every so many-th frame, at least two."""
    from sciml.runtime.errors import DataError

    if len(frames.m1[::every]) < 2:
        raise DataError(f"{len(frames.m1[::every])} of {len(frames.m1)} snapshots is left: at least 2 are needed to see a change")
    seen = frames.mask if frames.mask is None or frames.mask.ndim == 2 else frames.mask[::every]
    return frames._replace(m1=frames.m1[::every], times=frames.times[::every], mask=seen)


def _places(times: Any, at: list[float] | None, path: Path) -> Any:
    """Return the places of the given times."""
    import numpy as np

    from sciml.runtime.errors import DataError

    if not at:
        return slice(None)
    places = [int(np.argmin(np.abs(times - time))) for time in at]
    if missing := [time for time, place in zip(at, places, strict=True) if abs(times[place] - time) > 1e-6 * max(1.0, abs(time))]:
        raise DataError(
            f"{path} has no snapshot at time {missing[0]:g}: there are {', '.join(f'{time:g}' for time in times[:40])}"
        )
    return places


def _snapshots(path: Path, at: list[float] | None, length: float | None) -> Frames:
    """Return m1, times, mask and side of a run or of an .npz file."""
    import numpy as np

    from sciml.active_fluid.inference.frames import Frames
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
        if forced := [name for name in ("shear", "strain", "stream", "force") if name in data.attrs]:
            raise DataError(f"{path} was made with a {forced[0]}, which the model that is fitted does not have")
        fields, times = data["m1"].to_numpy(), data["time"].to_numpy()
        length = float(data.attrs["length"]) if length is None else length
    if at:
        places = _places(times, at, path)
        fields, times = fields[places], times[places]
        mask = mask[places] if mask is not None and mask.ndim == 3 else mask
    return Frames(fields, times, mask, length)
