"""Least squares through the solver: parameters and the initial state together.

The model M takes an initial state with Fourier amplitudes u_k and theta = (alpha, zeta) to the fields at the times of the
snapshots y_j, seen at some points of the grid. With independent complex noise of variance s^2 a point and a Gaussian prior of
variance S_k,

    J(theta, u) = sum_j | y_j - M_j(theta, u) |^2 + sum_k (s^2 / S_k) |u_k|^2

is s^2 times the negative logarithm of the posterior. Its Gauss-Newton equations, with r the residual, G the Jacobian to theta and
F that to u, are reduced to theta by eliminating u (A = F'F + s^2 / S):

    Sigma = G'G - G'F A^-1 F'G,    d theta = - Sigma^-1 ( G'r - G'F A^-1 (F'r + s^2 / S u) )

Of pictures whose contrast is known roughly, y is a factor e^c of the order and an offset b more, with normal priors: c of
standard deviation tau, b of root mean square t. With u as the picture shows it,

    M_j = e^c m_j(theta, e^-c u) + b,    J + s^2 c^2 / (2 tau^2) + (s^2 / t^2) |b|^2

What tells c is that the theory is not linear; b is eliminated with u.

The noise of the first snapshot is thereby part of the uncertainty: the covariance of theta, the initial state integrated out, is
s^2 / 2 Sigma^-1, because the variance of a real part is s^2 / 2. The columns of G and F are tangents of the solver by forward
mode, with longer steps than the residual's: an error of the tangents moves no estimate whose residual is noise.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Complex, Float
from numpy.typing import NDArray

from sciml.active_fluid.closures.closure import Closure
from sciml.active_fluid.closures.discrepancy import TERMS, Disturbed
from sciml.active_fluid.fields.grid import Grid, inverse
from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.theory.moments import Model
from sciml.active_fluid.theory.stepping import start, steps

# sweeps of the flow's fixed point in a step
SWEEPS = 3
# tangents that one compiled call propagates
TANGENTS_AT_ONCE = 32


class Problem(NamedTuple):
    """What stays the same while parameters and states are sought.

    Attributes:
        closure: rule for m2.
        known: beta, d_t, d_r, length; its alpha and zeta are not read.
        data: m1 of the snapshots on the model's grid, 0 where it was not seen.
        seen: 1 where a snapshot was seen, else 0.
        gaps: time between snapshots.
        clock: place in theta of the logarithm of the scale of time, where that is sought too.
        gain: place in theta of the logarithm of the scale of the data, where that is sought too.
    """

    closure: Closure
    known: Parameters
    data: Complex[Array, "snapshots points points"]
    seen: Float[Array, "snapshots points points"]
    gaps: Float[Array, " intervals"]
    clock: int | None = None
    gain: int | None = None


class Slopes(NamedTuple):
    """Changes of what is seen, real and imaginary parts in turn, for changes by one.

    Attributes:
        theta: G', of alpha, zeta and perhaps the logarithms of the scales of time and of the data.
        error: K', of the numbers kappa of the closure's error.
        state: F', of the real parts of the chosen amplitudes, then of the imaginary parts.
    """

    theta: Float[np.ndarray, "sought data"]
    error: Float[np.ndarray, "terms data"]
    state: Float[np.ndarray, "parts data"]


class Normal(NamedTuple):
    """A Gauss-Newton step.

    Attributes:
        theta: step of theta.
        amplitudes: step of the chosen amplitudes.
        information: Sigma.
        slope: gradient of J / 2 to theta, the chosen amplitudes at their best.
        influence: change of the estimate of theta for changes by one of the numbers kappa of the closure's error.
        used: effective number of real parameters of the fit, those of the initial state among them.
        left: what the fit leaves of changes by one of the numbers kappa.
    """

    theta: Float[np.ndarray, " sought"]
    amplitudes: Complex[np.ndarray, " modes"]
    information: Float[np.ndarray, "sought sought"]
    slope: Float[np.ndarray, " sought"]
    influence: Float[np.ndarray, "sought terms"]
    used: float
    left: Float[np.ndarray, "terms data"]


def model_of(problem: Problem, theta: Array) -> Model:
    """Return the closed model with density 1 and the given alpha and zeta."""
    known = problem.known
    parameters = replace(known, alpha=theta[0], zeta=theta[1])
    return Model(Grid.of(problem.data.shape[-1], known.length), parameters, problem.closure, True, SWEEPS)


def gaps_of(problem: Problem, theta: Array) -> Float[Array, " intervals"]:
    """Return the gaps in the theory's time: those of the data times the scale of time where that is sought too."""
    return problem.gaps if problem.clock is None else problem.gaps * jnp.exp(theta[problem.clock])


def gain_of(problem: Problem, theta: Array) -> Array | float:
    """Return e^c, what is seen over the order."""
    return 1.0 if problem.gain is None else jnp.exp(theta[problem.gain])


def _advanced(model: Model, amplitudes: Array, gap: Array, count: int) -> Array:
    """Return the amplitudes after an interval of `count` steps; those of fields of mean square 1 have a sum of squares of 1."""
    size = amplitudes.shape[-1] ** 2
    state = amplitudes[None] * size
    return steps(model, start(model, state, gap / count), gap / count, count - 1).state[0] / size


def trajectory(problem: Problem, theta: Array, amplitudes: Array, count: int) -> Complex[Array, "snapshots points points"]:
    """Return m1 as it is seen, e^c of the order, at the times of all snapshots.

    Args:
        problem: data and closure.
        theta: alpha, zeta and what else is sought.
        amplitudes: Fourier amplitudes at the first snapshot, as they are seen.
        count: steps in each interval.
    """
    model, gain = model_of(problem, theta), gain_of(problem, theta)

    def interval(now: Array, gap: Array) -> tuple[Array, Array]:
        after = _advanced(model, now, gap, count)
        return after, after

    first = amplitudes * model.grid.keep / gain
    later = jax.lax.scan(interval, first, gaps_of(problem, theta))[1]
    return inverse(jnp.concatenate([first[None], later])) * first.size * gain


@eqx.filter_jit
def intervals_apart(problem: Problem, theta: Array, amplitudes: Array, count: int) -> tuple[Array, Array, Array]:
    """Return misfit, gradient and Gauss-Newton matrix in theta with every interval started from its own given state.

    No interval is longer than the time between two snapshots, so that chaos plays no part and the misfit has few local minima.

    Args:
        problem: data and closure.
        theta: alpha and zeta.
        amplitudes: Fourier amplitudes at each snapshot.
        count: steps in each interval.
    """

    def misfits(theta: Array) -> Array:
        model = model_of(problem, theta)
        ends = jax.vmap(lambda one, gap: _advanced(model, one * model.grid.keep, gap, count))(
            amplitudes[:-1], gaps_of(problem, theta)
        )
        return (inverse(ends) * ends[0].size - problem.data[1:]) * problem.seen[1:]

    slopes = jax.vmap(lambda unit: jax.jvp(misfits, (theta,), (unit,))[1])(jnp.eye(theta.shape[0]))
    residual = misfits(theta)
    dot = lambda a, b: jnp.sum((jnp.conj(a) * b).real)  # noqa: E731
    # |r|^2, Re G* r and Re G* G
    matrix = jnp.stack([jnp.stack([dot(a, b) for a in slopes]) for b in slopes])
    return dot(residual, residual), jnp.stack([dot(a, residual) for a in slopes]), matrix


@eqx.filter_jit
def residuals(
    problem: Problem, theta: Array, amplitudes: Array, count: int, offset: Array | complex = 0.0
) -> tuple[Array, Array]:
    """Return model minus data where seen, and the trajectory with its offset."""
    fields = trajectory(problem, theta, amplitudes, count) + offset
    return (fields - problem.data) * problem.seen, fields


@eqx.filter_jit
def _tangents(problem: Problem, theta: Array, amplitudes: Array, turns: Array, waves: Array, count: int) -> Array:
    """Return changes of what is seen for changes `turns` of (theta, kappa) and `waves` = (k_x, k_y, real, imaginary)."""
    sought = theta.shape[0]

    def seen(theta: Array, kappa: Array, amplitudes: Array) -> Array:
        wrong = problem._replace(closure=Disturbed(problem.closure, kappa))
        return trajectory(wrong, theta, amplitudes, count) * problem.seen

    def change(turn: Array, wave: Array) -> Array:
        unit = jnp.zeros_like(amplitudes).at[wave[0].astype(int), wave[1].astype(int)].set(wave[2] + 1j * wave[3])
        here = (theta, jnp.zeros(TERMS), amplitudes)
        return jax.jvp(seen, here, (turn[:sought], turn[sought:], unit))[1]

    return jax.vmap(change)(turns, waves)


def jacobian(problem: Problem, theta: Array, amplitudes: Array, modes: NDArray[np.int64], count: int) -> Slopes:
    """Return G', K' and F'.

    Args:
        problem: data and closure.
        theta: alpha, zeta and perhaps the logarithms of the scales of time and of the data.
        amplitudes: Fourier amplitudes at the first snapshot.
        modes: indices of the chosen ones in Fourier order, (modes, 2).
        count: steps in each interval.
    """
    number, sought = len(modes), len(theta)
    free = sought + TERMS
    rows = free + 2 * number
    padded = -(-rows // TANGENTS_AT_ONCE) * TANGENTS_AT_ONCE
    turns, waves = np.zeros((padded, free)), np.zeros((padded, 4))
    turns[:free] = np.eye(free)
    waves[free : free + number, :2] = waves[free + number : rows, :2] = modes
    waves[free : free + number, 2] = waves[free + number : rows, 3] = 1
    blocks = []
    for first in range(0, padded, TANGENTS_AT_ONCE):
        some = slice(first, first + TANGENTS_AT_ONCE)
        found = _tangents(problem, theta, amplitudes, jnp.asarray(turns[some]), jnp.asarray(waves[some]), count)
        blocks.append(np.asarray(found).reshape(TANGENTS_AT_ONCE, -1).view(np.float64))
    whole = np.concatenate(blocks)
    return Slopes(whole[:sought], whole[sought:free], whole[free:rows])


def with_offset(slopes: Slopes, seen: NDArray[np.float64]) -> Slopes:
    """Return slopes with those of an offset of all that is seen, as one more amplitude of the state."""
    shown = np.concatenate([one.astype(np.complex128).reshape(1, -1).view(np.float64) for one in (seen, 1j * seen)])
    half = len(slopes.state) // 2
    return slopes._replace(state=np.concatenate([slopes.state[:half], shown[:1], slopes.state[half:], shown[1:]]))


def normal_step(
    slopes: Slopes,
    residual: NDArray[np.complex128],
    chosen: NDArray[np.complex128],
    ridge: NDArray,
    prior: tuple[NDArray, NDArray] | None = None,
) -> Normal:
    """Return the Gauss-Newton step.

    Args:
        slopes: of `jacobian`.
        residual: model minus data.
        chosen: the chosen amplitudes, (modes,).
        ridge: s^2 / S_k of the chosen amplitudes.
        prior: theta, and s^2 / (2 tau^2) of each of its numbers, 0 of those without a prior; none by default.
    """
    parts = np.ascontiguousarray(residual).reshape(-1).view(np.float64)
    # G'r, and F'r + s^2 / S u
    away = slopes.theta @ parts
    moved = slopes.state @ parts + np.tile(ridge, 2) * np.concatenate([chosen.real, chosen.imag])
    # G'G, G'F and A = F'F + s^2 / S
    mixed = slopes.theta @ slopes.state.T
    plain = slopes.state @ slopes.state.T
    inner = plain + np.diag(np.tile(ridge, 2))
    # A^-1 F'G, A^-1 F'K and A^-1 (F'r + s^2 / S u)
    count = len(away)
    solved = np.linalg.solve(inner, np.concatenate([mixed, slopes.error @ slopes.state.T, moved[None]]).T).T
    # Sigma = G'G - G'F A^-1 F'G, then d theta = -Sigma^-1 slope and d u = -A^-1 (F'r + s^2 / S u + F'G d theta)
    information = slopes.theta @ slopes.theta.T - mixed @ solved[:count].T
    slope = away - mixed @ solved[-1]
    if prior is not None:
        information, slope = information + np.diag(prior[1]), slope + prior[1] * prior[0]
    inverse = np.linalg.pinv(information, hermitian=True)
    theta = -inverse @ slope
    step = -solved[-1] - theta @ solved[:count]
    # the estimate moves by Sigma^-1 (G'K - G'F A^-1 F'K) kappa
    influence = inverse @ (slopes.theta @ slopes.error.T - mixed @ solved[count:-1].T)
    left = slopes.error - influence.T @ slopes.theta - (solved[count:-1] - influence.T @ solved[:count]) @ slopes.state
    # numbers that the fit takes from the data: theta, and the trace of A^-1 F'F
    used = count + float(np.trace(np.linalg.solve(inner, plain)))
    half = len(chosen)
    return Normal(theta, step[:half] + 1j * step[half:], (information + information.T) / 2, slope, influence, used, left)
