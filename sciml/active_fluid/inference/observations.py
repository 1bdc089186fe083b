"""Snapshots as a user gives them: checked, and laid on the model's grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Complex, Float
from numpy.typing import NDArray

from sciml.active_fluid.fields.grid import check_points
from sciml.runtime.errors import ConfigError, DataError, ShapeError

# largest |m1| of a snapshot: noise may carry an order near 1 beyond it, but hardly by more
MAX_ORDER = 1.5


def checked(
    snapshots: Complex[np.ndarray, "snapshots n n"],
    times: Sequence[float] | NDArray[np.float64],
    mask: Bool[np.ndarray, ...] | None,
    points: int | None,
    start: tuple[float, float] | None,
    box: tuple[tuple[float, float], tuple[float, float]],
    noise_std: float | None,
    time_step: float,
) -> tuple[Complex[np.ndarray, "s p p"], Float[np.ndarray, "s p p"], Float[np.ndarray, " s"]]:
    """Return the fields on the model's grid, 0 where not seen, where they were seen, and the times.

    Raises:
        ConfigError, ShapeError, DataError: see `sciml.active_fluid.inference.infer.infer`.
    """
    data, moments = np.asarray(snapshots), np.asarray(times, np.float64)
    if data.ndim != 3 or data.shape[1] != data.shape[2]:
        raise ShapeError(f"snapshots of shape {data.shape}: m1 has to be (snapshots, n, n) on a square grid")
    if len(data) < 2:
        raise DataError(f"{len(data)} snapshot: at least 2 are needed to see a change")
    if moments.shape != (len(data),):
        raise ShapeError(f"times of shape {moments.shape} for {len(data)} snapshots: give one time each")
    if not np.all(np.isfinite(moments)) or not np.all(np.diff(moments) > 0):
        raise DataError("the times do not increase: sort the snapshots by time and drop doubles")
    number = data.shape[1]
    seen = np.ones(data.shape, bool)
    if mask is not None:
        mask = np.asarray(mask)
        if mask.shape not in ((number, number), data.shape):
            raise ShapeError(f"mask of shape {mask.shape}: it has to be {(number, number)} or {data.shape}")
        seen = np.broadcast_to(mask.astype(bool), data.shape)
    for j, one in enumerate(seen):
        if not one.any():
            raise DataError(f"the mask hides all of snapshot {j}: leave the snapshot out, or show some points of it")
    shown = np.where(seen, data, 0)
    if not np.isfinite(shown).all():
        raise DataError("snapshots hold NaN or infinity at points that the mask shows: hide these points")
    largest = float(np.abs(shown).max())
    if largest == 0:
        raise DataError("m1 is 0 wherever it was seen: the isotropic state stays as it is and tells nothing of alpha and zeta")
    if largest > MAX_ORDER:
        raise DataError(f"|m1| reaches {largest:.3g}: it is at most 1 but for noise; divide by the density, and give m1, not D")
    side = number if points is None else points
    check_points(side)
    every, rest = divmod(side, number)
    if rest or every < 1:
        raise ConfigError(f"{side} points for snapshots of {number} a side: give a multiple of {number}")
    _check_numbers(start, box, noise_std, time_step)
    fields, where = np.zeros((len(data), side, side), np.complex128), np.zeros((len(data), side, side))
    fields[:, ::every, ::every], where[:, ::every, ::every] = shown, seen
    return fields, where, moments


def _check_numbers(start, box, noise_std: float | None, time_step: float) -> None:
    for (low, high), name in zip(box, ("alpha", "zeta"), strict=True):
        if not (np.isfinite([low, high]).all() and low < high and (name == "alpha" or low >= 0)):
            raise ConfigError(
                f"box of {name} from {low} to {high}: it has to rise{'' if name == 'alpha' else ' from 0 or above'}"
            )
    if start is not None:
        for value, (low, high), name in zip(start, box, ("alpha", "zeta"), strict=True):
            if not low <= value <= high:
                raise ConfigError(f"start at {name} = {value}: it has to lie in the box, {low} to {high}")
    if noise_std is not None and not (np.isfinite(noise_std) and noise_std > 0):
        raise ConfigError(f"noise_std = {noise_std}: it has to be above 0, or left out to be estimated")
    if not (np.isfinite(time_step) and 0 < time_step <= 0.2):
        raise ConfigError(f"time_step = {time_step}: it has to be above 0 and at most 0.2")
