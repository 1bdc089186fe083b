"""The fourth moment over the order, f4(q): what a closure says at rest, and what the kinetic theory and closures have in a flow.

With density 1, q = |m1| and m2 turned into the frame of the director,

    f4 = Re( m2 m1*^2 ) / q^2

Bingham's closure has one value for each order, I2 / I0 of the lambda whose I1 / I0 is q (Bingham, Ann. Stat. 1974). The kinetic
theory has many, since m2 depends on the flow and on its past: how wide they are is what no function of the order can give.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Complex, Float

from sciml.active_fluid.closures.bingham import lambda_of, order_of, ratio
from sciml.active_fluid.closures.closure import Closure
from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.fields.precision import working
from sciml.active_fluid.solvers.trajectories import Trajectory
from sciml.active_fluid.study.results import FourthMoment

# orders of the curves; the ends, where f4 is 0 and 1 for every distribution, are left out
ORDERS = np.round(np.linspace(0.02, 0.98, 49), 3)
EDGES = np.round(np.linspace(0, 1, 26), 3)
QUANTILES = (0.05, 0.5, 0.95)
# points along both axes from one place that counts to the next: neighbours are alike
STRIDE = 4
# least number of places of a bin that is shown
MIN_COUNT = 100
# alignment of the curves at rest
ZETA = 0.5


def fourth(m1: Complex[np.ndarray, "*n"], m2: Complex[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """Return f4 of moments with density 1, 0 where there is no order."""
    square = np.abs(m1) ** 2
    return np.real(m2 * np.conj(m1) ** 2) / np.maximum(square, 1e-30)


def at_rest(closure: Closure, zeta: float = ZETA) -> Float[np.ndarray, " orders"]:
    """Return f4 of a closure where nothing flows, at `ORDERS`."""
    with working("double"):
        m1 = jnp.asarray(ORDERS + 0j)
        still = jnp.zeros(len(ORDERS))
        parameters = jax.tree.map(jnp.asarray, Parameters(alpha=-1.0, zeta=zeta))
        m2 = closure(jnp.ones(()), m1, still + 0j, still, parameters)
        return fourth(np.asarray(m1), np.asarray(m2))


def band(q: Float[np.ndarray, " n"], excess: Float[np.ndarray, " n"]) -> list[list[float | None]]:
    """Return quantiles of f4 less Bingham's in the bins of `EDGES`, a list each; None where a bin holds hardly anything."""
    which = np.digitize(q, EDGES) - 1
    rows: list[list[float | None]] = []
    for number in range(len(EDGES) - 1):
        mine = excess[which == number]
        rows.append([None] * 3 if len(mine) < MIN_COUNT else [round(float(v), 5) for v in np.quantile(mine, QUANTILES)])
    return [list(column) for column in zip(*rows, strict=True)]


def curves(closures: Mapping[str, Closure], truths: Sequence[Trajectory]) -> FourthMoment:
    """Return the curves of closures at rest, and the bands of the kinetic theory and of closures on its fields."""
    exact = order_of(lambda_of(ORDERS))[1]
    resting = {"exact": exact, **{name: at_rest(closure) for name, closure in closures.items()}}
    found: dict[str, list[np.ndarray]] = {}
    orders = []
    for truth in truths:
        m1, m2, strain, vorticity = (
            getattr(truth, name)[:, ::STRIDE, ::STRIDE].ravel() for name in ("m1", "m2", "strain", "vorticity")
        )
        orders.append(np.abs(m1))
        found.setdefault("kinetic", []).append(fourth(m1, m2))
        with working("double"):
            fields = [jnp.asarray(field) for field in (m1, strain, vorticity)]
            parameters = jax.tree.map(jnp.asarray, truth.parameters)
            for name, closure in closures.items():
                closed = np.asarray(closure(jnp.ones(()), fields[0], fields[1], fields[2], parameters))
                found.setdefault(name, []).append(fourth(m1, closed))
    q = np.concatenate(orders).astype(np.float64)
    with working("double"):
        bingham = q**2 * np.asarray(ratio(jnp.asarray(q**2)))
    return FourthMoment(
        q=ORDERS.tolist(),
        zeta=ZETA,
        at_rest={name: [round(float(value), 6) for value in values] for name, values in resting.items()},
        edges=EDGES.tolist(),
        bands={name: band(q, np.concatenate(parts) - bingham) for name, parts in found.items()},
    )
