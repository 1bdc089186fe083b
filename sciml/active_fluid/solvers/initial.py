"""The forms in which a run's initial state may be given, read into moments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Complex

from sciml.active_fluid.solvers.guards import check_density, check_moments, check_trace
from sciml.active_fluid.theory.states import lifted, order_of_tensor, resampled
from sciml.runtime.errors import DataError, ShapeError

FORMS = (
    "complex m1 (n, n), real D (2, 2, n, n), moments (modes + 1, n, n) for the kinetic solver, "
    "or a mapping with m1, D, D_xx and D_xy, Q_xx and Q_xy, or angle and order, and perhaps density"
)
# what a mapping or a file may hold of each form, the first of which tell the form
VARIABLES = {
    "m1": (),
    "m1_real": ("m1_imag",),
    "D": (),
    "D_xx": ("D_xy", "D_yy"),
    "Q_xx": ("Q_xy",),
    "angle": ("order",),
}


def initial_moments(initial: Any, points: int, modes: int | None, closed: bool = False) -> Complex[np.ndarray, "moments n n"]:
    """Return moments m_0 = c, m_1, ... of an initial state.

    A state on another grid is resampled in Fourier space. For the kinetic solver a state of m1 alone is lifted to a Bingham
    distribution. Nothing is clamped.

    Args:
        initial: m1, complex (n, n), with density 1; D = <p p>, real (2, 2, n, n), whose trace is the density; moments,
            complex (modes + 1, n, n); or a mapping or Dataset with `m1`; `D`; `D_xx`, `D_xy` and `D_yy` where the density
            is not 1; `Q_xx` and `Q_xy` of Q = D / c - 1 / 2; `m1_real` and `m1_imag`; or `angle` of the director, in
            radians, and `order` from 0 to 1; and with `density` where it is not 1. Of a Dataset with a time the last one
            counts, and axes named x and y may have either order.
        points: points a side of the solver's grid.
        modes: angular modes of the kinetic solver; None for the coarse one, which takes m_0 and m_1.
        closed: whether a closure stands for the moments above.

    Raises:
        ShapeError: not a square grid, or none of these forms.
        DataError: no state of rods: not finite, tr D is not the density, |m1| above the density; the worst cell is named.
    """
    if isinstance(initial, Mapping) or hasattr(initial, "data_vars"):
        moments = _of_mapping(initial)
    else:
        moments = _of_array(np.asarray(initial), modes)
    moments = resampled(moments.astype(np.complex128), points)
    check_density(moments[0])
    check_moments(moments, closed)
    if modes is None:
        return moments[:2]
    if len(moments) == 2:
        moments = lifted(moments[1], modes, moments[0].real)
        check_moments(moments, closed)
    return moments


def _of_mapping(initial: Any) -> np.ndarray:
    names = [name for name in VARIABLES if name in initial]
    if len(names) != 1:
        held = ", ".join(map(str, initial)) or "nothing"
        raise ShapeError(
            f"an initial state with {held}: it needs one of m1, D, D_xx with D_xy, Q_xx with Q_xy, and angle with order"
        )
    form = names[0]
    _check_box(initial)
    given = {name: _last(initial[name]) for name in (form, *VARIABLES[form], "density") if name in initial}
    if missing := [name for name in VARIABLES[form] if name not in given and name != "D_yy"]:
        raise ShapeError(f"an initial state with {form} and without {missing[0]}: both are needed")
    if form == "D":
        density, m1 = _of_tensor(given["D"])
        if "density" in given:
            check_trace(density, np.broadcast_to(given["density"], density.shape))
        return np.stack([density, m1])
    first = _square(given[form], 2)
    parts = {name: _like(value, form, first, name) for name, value in given.items()}
    density = parts.get("density", np.ones(first.shape))
    if form == "angle":
        if parts["order"].min() < 0 or parts["order"].max() > 1 + 1e-9:
            raise DataError(f"order from {parts['order'].min():.3g} to {parts['order'].max():.3g}: expected 0 to 1")
        m1 = density * parts["order"] * np.exp(2j * first)
    elif form == "D_xx":
        across = parts.get("D_yy", density - first)
        if "density" in parts:
            check_trace(first + across, density)
        density, m1 = first + across, first - across + 2j * parts["D_xy"]
    elif form == "Q_xx":
        m1 = 2 * density * (first + 1j * parts["Q_xy"])
    else:
        m1 = first if form == "m1" else first + 1j * parts["m1_imag"]
    return np.stack([density, m1])


def _like(value: np.ndarray, form: str, first: np.ndarray, name: str) -> np.ndarray:
    if np.shape(value) not in ((), first.shape):
        raise ShapeError(f"{name} has the shape {np.shape(value)} and {form} {first.shape}: they have to agree")
    if not np.isfinite(value).all():
        raise DataError(f"{name} has values that are not finite")
    if name != "m1" and np.iscomplexobj(value):
        raise ShapeError(f"{name} is complex: real numbers are expected")
    return np.broadcast_to(value, first.shape)


def _check_box(initial: Any) -> None:
    """Refuse the state of a run whose box is no upright square at its last time."""
    settings = getattr(initial, "attrs", {})
    shear, strain = (float(settings.get(name, 0.0)) for name in ("shear", "strain"))
    if not (shear or strain) or "time" not in initial.coords:
        return
    time = float(np.atleast_1d(initial["time"].values)[-1])
    if strain:
        raise DataError(f"the initial state is of a box that a strain has stretched up to time {time:g}: no square")
    if abs(shear * time - round(shear * time)) > 1e-6:
        raise DataError(
            f"the initial state is of a box sheared by {shear * time:g} lengths: it is periodic on the square at multiples of "
            f"time {1 / abs(shear):g} alone"
        )


def _of_array(array: np.ndarray, modes: int | None) -> np.ndarray:
    if array.ndim == 4:
        return np.stack(_of_tensor(array))
    if array.ndim == 3:
        if modes is None:
            raise ShapeError(f"moments of the shape {array.shape} for the coarse solver: it takes m1 (n, n) or D (2, 2, n, n)")
        if len(array) != modes + 1:
            raise ShapeError(f"{len(array)} moments: a solver of {modes} modes takes {modes + 1}, from m_0 on")
        return _square(array, 3)
    m1 = _square(array, 2)
    return np.stack([np.ones_like(m1), m1])


def _of_tensor(tensor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if tensor.ndim != 4 or tensor.shape[:2] != (2, 2) or np.iscomplexobj(tensor):
        raise ShapeError(f"D of the shape {tensor.shape} and type {tensor.dtype}: expected real (2, 2, n, n)")
    _square(tensor, 4)
    apart = np.abs(tensor[0, 1] - tensor[1, 0])
    if apart.max() > 1e-6 * np.abs(tensor).max():
        cell = np.unravel_index(np.argmax(apart), apart.shape)
        raise DataError(f"D is not symmetric: D_12 and D_21 differ by {apart.max():.3g} at cell ({cell[0]}, {cell[1]})")
    return order_of_tensor(tensor.astype(np.float64))


def _square(array: np.ndarray, axes: int) -> np.ndarray:
    if array.ndim != axes or array.shape[-1] != array.shape[-2] or array.dtype.kind not in "fc":
        raise ShapeError(f"an initial state of the shape {array.shape} and type {array.dtype}: expected {FORMS}, on a square")
    if not np.isfinite(array).all():
        raise DataError("the initial state has values that are not finite")
    return array


def _last(values: Any) -> np.ndarray:
    dims = getattr(values, "dims", ())
    if "time" in dims:
        values = values.isel(time=-1)
    return np.asarray(values.transpose(..., "x", "y") if {"x", "y"} <= {*dims} else values)
