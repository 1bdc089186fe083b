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
    "or a mapping with m1 or D and perhaps density"
)


def initial_moments(initial: Any, points: int, modes: int | None) -> Complex[np.ndarray, "moments n n"]:
    """Return moments m_0 = c, m_1, ... of an initial state.

    A state on another grid is resampled in Fourier space. For the kinetic solver a state of m1 alone is lifted to a Bingham
    distribution. Nothing is clamped.

    Args:
        initial: m1, complex (n, n), with density 1; D = <p p>, real (2, 2, n, n), whose trace is the density; moments, complex
            (modes + 1, n, n); or a mapping or Dataset with `m1` or `D`, and `density` where it is not 1 (of a Dataset with a time
            the last one counts).
        points: points a side of the solver's grid.
        modes: angular modes of the kinetic solver; None for the coarse one, which takes m_0 and m_1.

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
    check_moments(moments)
    if modes is None:
        return moments[:2]
    if len(moments) == 2:
        moments = lifted(moments[1], modes, moments[0].real)
        check_moments(moments)
    return moments


def _of_mapping(initial: Any) -> np.ndarray:
    names = [name for name in ("m1", "D") if name in initial]
    if len(names) != 1:
        raise ShapeError(f"an initial state with {', '.join(map(str, initial)) or 'nothing'}: it needs one of m1 and D")
    given = {name: _last(initial[name]) for name in (*names, "density") if name in initial}
    if names == ["D"]:
        density, m1 = _of_tensor(given["D"])
        if "density" in given:
            check_trace(density, np.broadcast_to(given["density"], density.shape))
    else:
        m1 = _square(given["m1"], 2)
        density = given.get("density", np.ones(()))
        if np.shape(density) not in ((), m1.shape):
            raise ShapeError(f"density has the shape {np.shape(density)} and m1 {m1.shape}: they have to agree")
    return np.stack([np.broadcast_to(density, m1.shape), m1])


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
    return np.asarray(values.isel(time=-1) if "time" in getattr(values, "dims", ()) else values)
