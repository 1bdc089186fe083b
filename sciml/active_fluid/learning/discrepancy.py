"""The size of a closure's error over windows of kinetic training runs (`sciml.active_fluid.closures.discrepancy`).

Of every window of the saved times, in each run, with h = e + zeta m1 and the terms b_i,

    kappa = argmin  sum over places and times of  |h|^2 | m2 - m2_closure - sum_i kappa_i b_i |^2
          = argmin  E - 2 b'kappa + kappa'N kappa

What the terms leave of the error, which lies in the history of the flow, has an effect too: its energy is spread evenly over the
three terms. The table holds the mean of

    kappa kappa' + (E - b'kappa) / 3  N^-1

over the windows of a length and of a range of orders, each run with the same say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from sciml.active_fluid.closures.closure import Closure, squared
from sciml.active_fluid.closures.discrepancy import TERMS, ErrorSize, terms
from sciml.active_fluid.solvers.trajectories import Trajectory

# lengths of the windows, in units of the theory, and upper ends of the ranges of order
HORIZONS = (1.0, 2.0, 4.0, 8.0)
ORDERS = (0.1, 0.2, 0.4, 0.6, 1.0)
# part of the mean square of the terms that is added to their Gram matrix
RIDGE = 1e-6


def error_table(closure: Closure, trajectories: Sequence[Trajectory]) -> tuple[ErrorSize, ...]:
    """Return the table of a closure; ranges that no window falls into are left out.

    Args:
        closure: closure that is judged.
        trajectories: kinetic runs that it was trained on, at equal times.
    """
    found: dict[tuple[float, float], list[tuple[int, np.ndarray]]] = defaultdict(list)
    for one in trajectories:
        grams, sides, energies, powers = _sums(closure, one)
        step = float(one.times[1] - one.times[0])
        kappas: dict[tuple[float, float], list[np.ndarray]] = defaultdict(list)
        for horizon in HORIZONS:
            length = round(horizon / step) + 1
            for first in range(len(one.times) - length + 1):
                window = slice(first, first + length)
                gram, order = grams[window].sum(0), float(np.sqrt(powers[window].mean()))
                ridge = RIDGE * np.trace(gram) / TERMS + 1e-300
                inverse = np.linalg.inv(gram + ridge * np.eye(TERMS))
                side = sides[window].sum(0)
                kappa = inverse @ side
                left = max(float(energies[window].sum() - side @ kappa), 0.0)
                upper = next((edge for edge in ORDERS if order <= edge), ORDERS[-1])
                kappas[horizon, upper].append(np.outer(kappa, kappa) + left / TERMS * inverse)
        for key, products in kappas.items():
            found[key].append((len(products), np.mean(products, 0)))
    return tuple(
        ErrorSize(
            *key, sum(n for n, _ in found[key]), tuple(float(f"{v:.4g}") for v in np.mean([m for _, m in found[key]], 0).flat)
        )
        for key in sorted(found)
    )


def _sums(closure: Closure, one: Trajectory) -> tuple[np.ndarray, ...]:
    """Return, at each time, the terms' Gram matrix, their products with the error, its energy, and the mean square of |m1|."""
    grams, sides, energies = [], [], []
    for m1, m2, strain, vorticity in zip(one.m1, one.m2, one.strain, one.vorticity, strict=True):
        fields = (jnp.ones(m1.shape), jnp.asarray(m1), jnp.asarray(strain), jnp.asarray(vorticity), one.parameters)
        size = np.sqrt(np.asarray(squared(fields[2] + one.parameters.zeta * fields[1]))).ravel()
        rows = (np.asarray(terms(*fields)).reshape(TERMS, -1) * size).astype(np.complex128).view(np.float64)
        error = (np.asarray(m2 - closure(*fields)).ravel() * size).astype(np.complex128).view(np.float64)
        grams.append(rows @ rows.T)
        sides.append(rows @ error)
        energies.append(error @ error)
    return np.array(grams), np.array(sides), np.array(energies), np.mean(np.abs(one.m1) ** 2, (1, 2))
