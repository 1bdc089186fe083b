"""The error of a closure as a random term of its own form, whose size kinetic runs tell.

Of a closure whose m2 misses that of the kinetic theory the error is written as

    m2 - m2_closure = c (1 - z) (kappa_1 a^2 + kappa_2 a e' + kappa_3 i w' a^2),    a = m1 / c,  z = |a|^2

the three terms that turn with the rods (`sciml.active_fluid.closures.neural`), with numbers kappa that are constant over a window
of time. They are unknown in a user's data, but their second moments < kappa kappa' > over windows of kinetic training runs are
not: a table of them by the length of a window and by its order says how far the closure may be trusted there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Complex, Float

from sciml.active_fluid.closures.closure import Closure, squared
from sciml.active_fluid.fields.grid import Field, scaled
from sciml.active_fluid.fields.parameters import Parameters
from sciml.runtime.errors import FormatError

TERMS = 3


class ErrorSize(NamedTuple):
    """How wrong a closure is over windows of time of one kind.

    Attributes:
        horizon: length of the windows, in units of the theory.
        order: largest root mean square of |m1| over a window and its places.
        windows: number of windows that the moments come from.
        moments: < kappa kappa' >, row by row.
    """

    horizon: float
    order: float
    windows: int
    moments: tuple[float, ...]


class Disturbed(eqx.Module):
    """A closure with an error.

    Attributes:
        closure: the closure.
        kappa: sizes of the three terms, (3,).
    """

    closure: Closure
    kappa: Array

    def __call__(self, c: Array, m1: Field, strain: Field, vorticity: Array, parameters: Parameters) -> Field:
        """Return m2."""
        error = jnp.tensordot(self.kappa, terms(c, m1, strain, vorticity, parameters), 1)
        return self.closure(c, m1, strain, vorticity, parameters) + error


def terms(c: Array, m1: Field, strain: Field, vorticity: Array, parameters: Parameters) -> Complex[Array, "terms ..."]:
    """Return c (1 - z) times a^2, a e' and i w' a^2; arguments as of a `Closure`."""
    rate = 1 / (4 * parameters.d_r)
    a, e, w = scaled(m1, 1 / c), scaled(strain, rate), vorticity * rate
    # strain and vorticity squashed, as the learned closure takes them
    e, w = scaled(e, 1 / jnp.sqrt(1 + squared(e))), w / jnp.sqrt(1 + w * w)
    twice = a * a
    return scaled(jnp.stack([twice, a * e, scaled(1j * twice, w)]), c * (1 - squared(a)))


def sizes_of(rows: Sequence[Mapping[str, Any]], path: Path) -> tuple[ErrorSize, ...]:
    """Return the table that a weight file holds.

    Args:
        rows: of the file, each with the names of `ErrorSize`.
        path: of the file, for the message.

    Raises:
        FormatError: rows of another form, or numbers that are not finite.
    """
    try:
        table = [
            ErrorSize(float(row["horizon"]), float(row["order"]), int(row["windows"]), tuple(map(float, row["moments"])))
            for row in rows
        ]
        good = all(len(row.moments) == TERMS**2 and np.isfinite([row.horizon, *row.moments]).all() for row in table)
    except (TypeError, ValueError, KeyError) as error:
        raise FormatError(f"{path}: the size of its error cannot be read") from error
    if not good or any(row.horizon <= 0 for row in table):
        raise FormatError(f"{path}: the size of its error has to be finite, over windows of a length above 0")
    return tuple(table)


def error_moments(table: Sequence[ErrorSize], horizon: float, order: float) -> Float[np.ndarray, "3 3"] | None:
    """Return < kappa kappa' > of windows of a length and an order, or None of an empty table.

    The nearest length of the table counts, by ratio, and of its rows the first whose order is not below; beyond, the last one.

    Args:
        table: rows of a closure.
        horizon: time between the first and the last snapshot, in units of the theory.
        order: root mean square of |m1| over the snapshots.
    """
    if not table:
        return None
    nearest = min({row.horizon for row in table}, key=lambda length: abs(np.log(length / max(horizon, 1e-9))))
    rows = sorted((row for row in table if row.horizon == nearest), key=lambda row: row.order)
    chosen = next((row for row in rows if order <= row.order), rows[-1])
    return np.array(chosen.moments).reshape(TERMS, TERMS)
