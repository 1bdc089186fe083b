"""What is measured on runs: order, balance of power, realisability, errors against a truth, spread over seeds.

NumPy only. Fields are (..., points, points) in complex form (see `sciml.active_fluid.theory.moments`) with density 1 unless it is
given; everything works on stacks of times and seeds alike and averages over the grid alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Complex, Float

from sciml.runtime.errors import DataError, ShapeError

Field = Complex[np.ndarray, "... points points"]
PLANE = (-2, -1)


def squared(field: Field) -> Float[np.ndarray, "... points points"]:
    """Return |field|^2."""
    return np.real(field) ** 2 + np.imag(field) ** 2


def mean_order(m1: Field, c: Float[np.ndarray, "... points points"] | float = 1.0) -> Float[np.ndarray, "*stack"]:
    """Return the mean over the grid of the order q = |m1| / c: 0 without a direction, 1 with all rods parallel."""
    return np.mean(np.abs(m1) / c, axis=PLANE)


def mean_speed(velocity: Field) -> Float[np.ndarray, "*stack"]:
    """Return the root of the mean square of the velocity u + i v."""
    return np.sqrt(np.mean(squared(velocity), axis=PLANE))


def coherence(m1: Field) -> Float[np.ndarray, "*stack"]:
    """Return |mean of m1|: the order of the whole square, without reference to a direction."""
    return np.abs(np.mean(m1, axis=PLANE))


class Histogram(NamedTuple):
    """Share of cells per bin.

    Attributes:
        edges: edges of the bins, one more than bins.
        share: sums to 1 with the share outside the bins.
    """

    edges: Float[np.ndarray, " edges"]
    share: Float[np.ndarray, "... bins"]


def histogram(
    values: Float[np.ndarray, "... points points"], bins: int = 50, limits: tuple[float, float] = (0.0, 1.0)
) -> Histogram:
    """Return the share of cells in bins of equal width, for each time; the last bin includes the upper limit."""
    low, high = limits
    place = np.floor((values - low) / (high - low) * bins).astype(np.int64)
    place = np.where(values == high, bins - 1, place)
    place = np.where((place < 0) | (place >= bins), bins, place).reshape(-1, values.shape[-1] * values.shape[-2])
    rows = np.arange(len(place))[:, None] * (bins + 1)
    counts = np.bincount((place + rows).ravel(), minlength=len(place) * (bins + 1)).reshape(len(place), bins + 1)
    share = counts[:, :bins] / place.shape[-1]
    return Histogram(np.linspace(low, high, bins + 1), share.reshape(*values.shape[:-2], bins))


def stress(
    c: Float[np.ndarray, "... points points"] | float, m1: Field, m2: Field, strain: Field, alpha: float, zeta: float, beta: float
) -> Field:
    """Return sigma = alpha m1 / 2 + beta / 4 ( c (e - zeta m1) + h* m2 ), h = e + zeta m1: the traceless stress."""
    h = strain + zeta * m1
    return alpha * m1 / 2 + beta / 4 * (c * (strain - zeta * m1) + np.conj(h) * m2)


class Power(NamedTuple):
    """Power per area of a flow without inertia.

    Attributes:
        dissipated: 2 < |e|^2 >, into heat.
        released: - < Re(e* sigma) >, by the rods.
        imbalance: |difference| / dissipated, rounding alone where the flow is that of its own stress; 0 without a flow.
    """

    dissipated: Float[np.ndarray, "*stack"]
    released: Float[np.ndarray, "*stack"]
    imbalance: Float[np.ndarray, "*stack"]


def power(strain: Field, sigma: Field) -> Power:
    """Return the balance 2 < |e|^2 > = - < Re(e* sigma) > that holds for every solution of Stokes' equation."""
    dissipated = 2 * np.mean(squared(strain), axis=PLANE)
    released = -np.mean(np.real(np.conj(strain) * sigma), axis=PLANE)
    moving = np.where(dissipated > 0, dissipated, 1.0)
    return Power(dissipated, released, np.where(dissipated > 0, np.abs(dissipated - released) / moving, 0.0))


def least_slack(m1: Field, m2: Field, c: Float[np.ndarray, "... points points"] | float = 1.0) -> Float[np.ndarray, "*stack"]:
    """Return the least of (1 - |a|^2) - |m2 / c - a^2|, a = m1 / c, over the grid: below 0 no distribution has these moments."""
    a = m1 / c
    return np.min((1 - squared(a)) - np.abs(m2 / c - a * a), axis=PLANE)


def tail(last: Field, c: Float[np.ndarray, "... points points"] | float = 1.0) -> Float[np.ndarray, "*stack"]:
    """Return the largest |m_M| / c of the highest moment kept: above 1e-3 the angles are not resolved."""
    return np.max(np.abs(last) / c, axis=PLANE)


def field_error(found: Field, truth: Field) -> Float[np.ndarray, "*stack"]:
    """Return the relative L2 error || found - truth || / || truth || of fields for each time.

    Raises:
        ShapeError: the two differ in shape.
    """
    if found.shape != truth.shape:
        raise ShapeError(f"fields of shapes {found.shape} and {truth.shape}: an error needs equal grids and times")
    return np.sqrt(np.sum(squared(found - truth), axis=PLANE) / np.sum(squared(truth), axis=PLANE))


def first_above(times: Float[np.ndarray, " times"], errors: Float[np.ndarray, " times"], threshold: float) -> float:
    """Return the first time at which an error reaches a threshold, linear between two times; the last time where it never does.

    An error that is no number, of a run that stopped, counts as above the threshold.

    Raises:
        ShapeError: times and errors are not of one length, or there are none.
        DataError: times do not increase.
    """
    times, errors = np.asarray(times, np.float64), np.asarray(errors, np.float64)
    if times.shape != errors.shape or times.ndim != 1 or not len(times):
        raise ShapeError(f"times of shape {times.shape} and errors of {errors.shape}: both have to be one list of one length")
    if np.any(np.diff(times) <= 0):
        raise DataError("times of the errors: they have to increase")
    above = ~(errors < threshold)
    if not above.any():
        return float(times[-1])
    after = int(np.argmax(above))
    if after == 0:
        return float(times[0])
    if not np.isfinite(errors[after]):
        return float(times[after - 1])
    share = (threshold - errors[after - 1]) / (errors[after] - errors[after - 1])
    return float(times[after - 1] + share * (times[after] - times[after - 1]))


def closure_error(closed: Field, m2: Field, m1: Field, strain: Field, zeta: float) -> Float[np.ndarray, "*stack"]:
    """Return || h* (closed - m2) || / || h* m2 || with h = e + zeta m1: m2 acts through this product alone.

    Args:
        closed: m2 of a closure.
        m2: m2 of the truth.
        m1: m1 of the truth.
        strain: strain of the truth.
        zeta: strength of the alignment.
    """
    weight = squared(strain + zeta * m1)
    return np.sqrt(np.sum(weight * squared(closed - m2), axis=PLANE) / np.sum(weight * squared(m2), axis=PLANE))


def contracted_error(closed: Field, m2: Field, m1: Field, strain: Field, zeta: float) -> Float[np.ndarray, "*stack"]:
    """Return the relative mean square error of S : (E + 2 zeta D), the number that the published training scripts print.

    With T = E + 2 zeta D the traceless part of S : T is ( e + 3 zeta m1 + h* m2 ) / 4, its trace Re(e* m1) + zeta (1 + |m1|^2).
    The error is of h* m2 alone and the rest is known, which makes this number small for every closure. The mean is over the
    components 11, 12 and 22, with density 1.
    """
    h = strain + zeta * m1
    part = (strain + 3 * zeta * m1 + np.conj(h) * m2) / 4
    trace = np.real(np.conj(strain) * m1) + zeta * (1 + squared(m1))
    # with a = trace / 2: 11 is a + Re part, 22 is a - Re part, 12 is Im part
    whole = trace**2 / 2 + 2 * part.real**2 + part.imag**2
    wrong = np.conj(h) * (closed - m2) / 4
    return np.mean(2 * wrong.real**2 + wrong.imag**2, axis=PLANE) / np.mean(whole, axis=PLANE)


class Interval(NamedTuple):
    """A mean over seeds and what its spread allows.

    Attributes:
        mean: over the seeds.
        low, high: ends of the interval.
    """

    mean: Float[np.ndarray, "*stack"]
    low: Float[np.ndarray, "*stack"]
    high: Float[np.ndarray, "*stack"]


def bootstrap(values: Float[np.ndarray, "seeds ..."], seed: int, level: float = 0.9, draws: int = 2000) -> Interval:
    """Return the mean over seeds with its percentile bootstrap interval (Efron, Ann. Stat. 1979).

    All of a seed's numbers are drawn together. With one seed, low and high are the mean: there is no spread to see.

    Args:
        values: numbers of each seed, for example a curve over time.
        seed: seed of the draws.
        level: share of the draws inside.
        draws: number of draws, of as many seeds with replacement.
    """
    values = np.asarray(values, np.float64)
    generator = np.random.default_rng(seed)
    # how often each seed is drawn, so that memory does not grow with draws times values
    weights = generator.multinomial(len(values), np.full(len(values), 1 / len(values)), size=draws) / len(values)
    means = np.tensordot(weights, values, axes=(1, 0))
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return Interval(values.mean(0), low, high)
