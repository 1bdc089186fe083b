"""Frames of a laboratory, read and checked before any heavy library is loaded.

A director field has the angle theta of the rods and the order q, 0 to 1; of fields of D = <p p> the density is tr D:

    m1 = q exp(2 i theta),    m1 = (D_xx - D_yy + 2 i D_xy) / (D_xx + D_yy),    m1 = 2 (Q_xx + i Q_xy) with Q = D - 1 / 2

Pictures have rows from top to bottom; x runs along a row to the right and y upwards, so that

    m1(frame, x, y) = picture(frame, rows - 1 - y, x)

and angles go from the x axis counter-clockwise as one sees the picture.

The theory has no units. With a rotational diffusion d_r and a translational one d_t in the units of the data, its unit of time is
0.05 / d_r and its unit of length sqrt(d_t / d_r): then both diffusions are 0.05, as in the study, the times and the side of the
square are those of the data over these units, and alpha and zeta are rates, over the unit of time in the units of the data.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Complex, Float
from numpy.typing import NDArray

from sciml.formats.fields import open_dataset
from sciml.formats.tiff import read_stack
from sciml.runtime.errors import ConfigError, DataError, ShapeError

TIFF, DATASET = (".tif", ".tiff"), (".zarr", ".nc")
# both diffusions in the theory's units
DIFFUSION = 0.05
# largest part of the mean time between frames by which one may differ from it
MAX_UNEVEN = 1e-3
# longest span of the frames in the theory's time: a unit is mistaken beyond, and a flow forgets its start
MAX_SPAN = 100.0
MIN_SIDE, MAX_SIDE, MAX_FRAMES = 16, 64, 64
ANGLES = ("radians", "degrees", "levels")


class Frames(NamedTuple):
    """A sequence of fields of the order.

    Attributes:
        m1: complex, 0 where not seen.
        times: in the units of the data.
        mask: where m1 was seen, or None for everywhere.
        length: side of the square in the units of the data, or None where neither the file nor an option says it.
    """

    m1: Complex[np.ndarray, "frames n n"]
    times: Float[np.ndarray, " frames"]
    mask: Bool[np.ndarray, "frames n n"] | None
    length: float | None


class Units(NamedTuple):
    """The theory's units in those of the data."""

    time: float
    length: float


def theory_units(d_t: float, d_r: float) -> Units:
    """Return the units of time, 0.05 / d_r, and of length, sqrt(d_t / d_r), in those of the data.

    Raises:
        ConfigError: a diffusion is not above 0.
    """
    for name, value in (("d_t", d_t), ("d_r", d_r)):
        _positive(name, value)
    return Units(DIFFUSION / d_r, math.sqrt(d_t / d_r))


def read_frames(
    path: Path,
    pixel_size: float | None = None,
    frame_interval: float | None = None,
    angles: str | None = None,
    clockwise: bool = False,
    order: str | None = None,
    mask: Path | None = None,
) -> Frames:
    """Return the frames of a TIFF stack of director angles, or of a Zarr store or NetCDF file of fields.

    Args:
        path: `.tif` of angles, (frames, rows, columns); or `.zarr` or `.nc` with dimensions (time, x, y) and the variables
            `D_xx`, `D_xy`, `D_yy`; `Q_xx`, `Q_xy`; `m1`, or `m1_real` and `m1_imag`; or `angle` and perhaps `order`.
        pixel_size: distance of neighbouring points; needed where the file has no coordinate `x`.
        frame_interval: time between frames; needed where the file has no coordinate `time`.
        angles: radians (of floats by default), degrees, or levels (of whole numbers by default: of b bits, the value v is the
            angle pi v / 2^b).
        clockwise: whether angles go clockwise.
        order: a number from 0 to 1, or a TIFF stack of the size of the angles: floats, or whole numbers of b bits over 2^b - 1.
        mask: TIFF, PNG or NPY, in the layout of the frames: points that are not 0 are seen.

    Raises:
        ConfigError: an option is missing, or does not fit the file.
        DataError: fewer than two frames, or too many; values that are not finite where they are seen, no angles, no order; times
            that are not equally spaced.
        ShapeError: not square, or sizes that do not fit.
        FormatError: the file is damaged.
    """
    for name, value in (("pixel-size", pixel_size), ("frame-interval", frame_interval)):
        if value is not None:
            _positive(f"--{name}", value)
    picture = path.suffix.lower() in TIFF
    if picture:
        director = _angles(read_stack(path), angles, path)
        m1, times, spacing = _ordered(director, order, clockwise), None, None
    else:
        m1, times, spacing = _of_dataset(path, angles, order, clockwise)
    seen = None if mask is None else _mask(mask, m1.shape)
    if picture:
        m1 = m1[:, ::-1].transpose(0, 2, 1)
        seen = None if seen is None else seen[:, ::-1].transpose(0, 2, 1)
    if not 2 <= len(m1) <= MAX_FRAMES:
        raise DataError(f"{path} holds {len(m1)} frames: 2 to {MAX_FRAMES} are fitted together; choose some by --every or --at")
    hidden = ~np.isfinite(m1)
    if hidden.any() and (seen is None or (hidden & seen).any()):
        where = tuple(int(i) for i in np.argwhere(hidden if seen is None else hidden & seen)[0])
        raise DataError(f"{path} holds NaN at (frame, x, y) = {where}, which no mask hides: give --mask")
    times = _times(times, frame_interval, len(m1), path)
    spacing = _agreed(spacing, pixel_size, "pixel-size", "x", path, "the distance of neighbouring points")
    return Frames(np.where(hidden, 0, m1), times, seen, spacing * m1.shape[1])


def check_span(times: NDArray[np.float64], units: Units) -> None:
    """Refuse frames that span too long a time for one trajectory (ConfigError)."""
    span = float(np.ptp(times)) / units.time if times.size else 0.0
    if span > MAX_SPAN:
        raise ConfigError(
            f"the frames span {span:.4g} units of the theory's time, each {units.time:.4g} in theirs, and at most {MAX_SPAN:g} "
            "can be followed: check --frame-interval and --d-r, or take fewer frames"
        )


def fitted_grid(frames: Frames, points: int | None) -> Frames:
    """Return frames on a grid that the solver takes: even, 16 to 64 points a side by default, or as many as asked for.

    Without a mask frames are resampled in Fourier space; with one every so many-th point is taken, for hidden points have no
    Fourier transform.

    Args:
        frames: the frames.
        points: points a side.

    Raises:
        ShapeError: not square, or too small.
        ConfigError: a mask, and a number of points that does not divide the side.
    """
    rows, side = frames.m1.shape[1:]
    if rows != side:
        raise ShapeError(
            f"frames of {rows} x {side} points: the model lives on a square; cut a square of {min(rows, side)} points out of them"
        )
    wanted = points or min(side - side % 2, MAX_SIDE)
    if wanted == side:
        return frames
    if side < MIN_SIDE or wanted > side:
        raise ShapeError(f"frames of {side} points a side for {wanted}: at least {MIN_SIDE} are needed, and none are made up")
    if frames.mask is None:
        from sciml.active_fluid.theory.states import resampled

        return frames._replace(m1=resampled(frames.m1, wanted))
    every, rest = divmod(side, wanted)
    if rest:
        good = [side // n for n in range(1, side // MIN_SIDE + 1) if side % n == 0 and (side // n) % 2 == 0]
        remedy = f"give --points {', or '.join(map(str, good))}" if good else "cut them to a side that is a multiple of 16"
        raise ConfigError(f"masked frames of {side} points a side are not resampled to {wanted}: {remedy}")
    return frames._replace(m1=frames.m1[:, ::every, ::every], mask=frames.mask[:, ::every, ::every])


def _angles(stack: NDArray, unit: str | None, path: Path) -> NDArray[np.float64]:
    """Return angles in radians."""
    whole = stack.dtype.kind in "ui"
    unit = unit or ("levels" if whole else "radians")
    if unit not in ANGLES:
        raise ConfigError(f"angles in {unit!r}: they are in {', '.join(ANGLES)}")
    if unit == "levels":
        if stack.dtype.kind != "u":
            raise ConfigError(
                f"{path} holds {stack.dtype}: levels are of unsigned whole numbers; give --angles radians or degrees"
            )
        return stack * (math.pi / 2 ** (8 * stack.dtype.itemsize))
    largest = float(np.nanmax(np.abs(stack.astype(np.float64)), initial=0.0))
    if unit == "degrees":
        if not whole and 0 < largest <= 2 * math.pi + 0.01:
            raise DataError(f"{path}: no angle passes {largest:.3g} degrees, they look like radians: give --angles radians")
        return np.radians(stack.astype(np.float64))
    if whole:
        raise ConfigError(f"{path} holds whole numbers, which are no radians: give --angles degrees or levels")
    if largest > 2 * math.pi + 0.01:
        raise DataError(f"{path}: angles reach {largest:.4g}, they look like degrees: give --angles degrees")
    return stack.astype(np.float64)


def _ordered(director: NDArray[np.float64], order: str | None, clockwise: bool) -> NDArray[np.complex128]:
    """Return q exp(2 i theta)."""
    if order is None:
        raise ConfigError("director angles alone say nothing of the order: give --order, a number from 0 to 1 or a TIFF stack")
    try:
        size: Any = float(order)
    except ValueError:
        stack = read_stack(Path(order))
        if stack.shape != director.shape:
            raise ShapeError(f"{order} has shape {stack.shape}, the angles have {director.shape}") from None
        size = stack / (2.0 ** (8 * stack.dtype.itemsize) - 1) if stack.dtype.kind == "u" else stack.astype(np.float64)
    return _with_order(director, size, clockwise, f"--order {order}")


def _with_order(director: NDArray[np.float64], size: Any, clockwise: bool, where: str) -> NDArray[np.complex128]:
    if not 0 <= float(np.nanmin(size)) <= float(np.nanmax(size)) <= 1.5 or float(np.nanmax(size)) == 0:
        raise DataError(f"{where}: an order is from 0 to 1, this one from {np.nanmin(size):.4g} to {np.nanmax(size):.4g}")
    return size * np.exp((-2j if clockwise else 2j) * director)


def _of_dataset(
    path: Path, angles: str | None, order: str | None, clockwise: bool
) -> tuple[NDArray[np.complex128], NDArray[np.float64] | None, float | None]:
    """Return m1, times and the distance of points as a Zarr store or NetCDF file has them."""
    with open_dataset(path) as data:

        def field(name: str) -> NDArray:
            one = data[name]
            if one.ndim != 3:
                raise ShapeError(f"{path}: {name} has dimensions {', '.join(map(str, one.dims))}: (time, x, y) are expected")
            if {"time", "x", "y"} <= set(one.dims):
                one = one.transpose("time", "x", "y")
            return one.to_numpy()

        names = set(map(str, data.data_vars))
        if {"D_xx", "D_xy"} <= names:
            along, across = field("D_xx"), field("D_xy")
            other = field("D_yy") if "D_yy" in names else 1 - along
            m1 = (along - other + 2j * across) / (along + other)
        elif {"Q_xx", "Q_xy"} <= names:
            m1 = 2 * (field("Q_xx") + 1j * field("Q_xy"))
        elif {"m1_real", "m1_imag"} <= names:
            m1 = field("m1_real") + 1j * field("m1_imag")
        elif "m1" in names:
            m1 = field("m1")
        elif "angle" in names:
            director = _angles(field("angle"), angles, path)
            if "order" in names and order is None:
                m1 = _with_order(director, field("order"), clockwise, f"{path}, order")
            else:
                m1 = _ordered(director, order, clockwise)
        else:
            raise DataError(
                f"{path} has the variables {', '.join(sorted(names)) or 'none'}: D_xx, D_xy, D_yy, or Q_xx, Q_xy, or m1, or "
                "angle are read"
            )
        times = np.asarray(data["time"].values, np.float64) if "time" in data.coords else None
        x = np.asarray(data["x"].values, np.float64) if "x" in data.coords else None
    return m1.astype(np.complex128), times, None if x is None or len(x) < 2 else float(abs(x[-1] - x[0])) / (len(x) - 1)


def _mask(path: Path, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return where frames are seen, of their shape."""
    if path.suffix.lower() == ".npy":
        from sciml.formats.npy import open_npy

        values = np.asarray(open_npy(path))
    elif path.suffix.lower() in TIFF:
        values = read_stack(path)
        values = values[0] if len(values) == 1 else values
    else:
        from sciml.formats.read import read_image

        values = read_image(path).array
        values = values.max(-1) if values.ndim == 3 else values
    if values.shape not in (shape[1:], shape):
        raise ShapeError(f"mask {path} of shape {values.shape}: it has to be {shape[1:]} or {shape}")
    return np.broadcast_to(values != 0, shape)


def _times(times: NDArray[np.float64] | None, interval: float | None, number: int, path: Path) -> NDArray[np.float64]:
    if times is not None:
        gaps = np.diff(times)
        if not np.isfinite(times).all() or gaps.min() <= 0 or np.abs(gaps - gaps.mean()).max() > MAX_UNEVEN * gaps.mean():
            raise DataError(
                f"{path}: the frames are not equally spaced in time, {gaps.min():.4g} to {gaps.max():.4g} apart: sort them, or "
                "choose those that are"
            )
    gap = _agreed(
        None if times is None else float(gaps.mean()), interval, "frame-interval", "time", path, "the time between frames"
    )
    return (np.arange(number) * gap if times is None else times).astype(np.float64)


def _agreed(found: float | None, given: float | None, option: str, coordinate: str, path: Path, words: str) -> float:
    """Return a number that the file or an option says, which have to agree."""
    if found is None and given is None:
        raise ConfigError(f"{path} does not say {words}: give --{option}, in units of your own")
    if found is not None and given is not None and abs(found - given) > MAX_UNEVEN * abs(found):
        raise ConfigError(f"--{option} {given:g}, but the coordinate {coordinate} of {path} says {found:g}: leave the option out")
    return float(given if found is None else found)  # pyright: ignore[reportArgumentType]


def _positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ConfigError(f"{name} = {value:g}: it has to be a finite number above 0")
