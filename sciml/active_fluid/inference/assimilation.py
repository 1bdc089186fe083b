"""Least squares through the solver: parameters and the initial state together.

The model M takes an initial state with Fourier amplitudes u_k and theta = (alpha, zeta) to the fields at the times of the
snapshots y_j, seen at some points of the grid. With independent complex noise of variance s^2 a point and a Gaussian prior of
variance S_k,

    J(theta, u) = sum_j | y_j - M_j(theta, u) |^2 + sum_k (s^2 / S_k) |u_k|^2

is s^2 times the negative logarithm of the posterior. Its Gauss-Newton equations, with r the residual, G the Jacobian to theta and
F that to u, are reduced to theta by eliminating u (A = F'F + s^2 / S):

    Sigma = G'G - G'F A^-1 F'G,    d theta = - Sigma^-1 ( G'r - G'F A^-1 (F'r + s^2 / S u) )

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
    """

    closure: Closure
    known: Parameters
    data: Complex[Array, "snapshots points points"]
    seen: Float[Array, "snapshots points points"]
    gaps: Float[Array, " intervals"]


class Slopes(NamedTuple):
    """Changes of what is seen, real and imaginary parts in turn, for changes by one.

    Attributes:
        theta: G', of alpha, zeta and perhaps the logarithm of the scale of time.
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
    """Return the gaps in the theory's time: those of the data times exp(theta[2]) where the scale of time is sought too."""
    return problem.gaps * jnp.exp(theta[2]) if theta.shape[0] > 2 else problem.gaps


def _advanced(model: Model, amplitudes: Array, gap: Array, count: int) -> Array:
    """Return the amplitudes after an interval of `count` steps; those of fields of mean square 1 have a sum of squares of 1."""
    size = amplitudes.shape[-1] ** 2
    state = amplitudes[None] * size
    return steps(model, start(model, state, gap / count), gap / count, count - 1).state[0] / size


def trajectory(problem: Problem, theta: Array, amplitudes: Array, count: int) -> Complex[Array, "snapshots points points"]:
    """Return m1 at the times of all snapshots.

    Args:
        problem: data and closure.
        theta: alpha and zeta.
        amplitudes: Fourier amplitudes at the first snapshot.
        count: steps in each interval.
    """
    model = model_of(problem, theta)

    def interval(now: Array, gap: Array) -> tuple[Array, Array]:
        after = _advanced(model, now, gap, count)
        return after, after

    first = amplitudes * model.grid.keep
    later = jax.lax.scan(interval, first, gaps_of(problem, theta))[1]
    return inverse(jnp.concatenate([first[None], later])) * first.size


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
def residuals(problem: Problem, theta: Array, amplitudes: Array, count: int) -> tuple[Array, Array]:
    """Return model minus data where seen, and the trajectory."""
    fields = trajectory(problem, theta, amplitudes, count)
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
        theta: alpha, zeta and perhaps the logarithm of the scale of time.
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


def normal_step(slopes: Slopes, residual: NDArray[np.complex128], chosen: NDArray[np.complex128], ridge: NDArray) -> Normal:
    """Return the Gauss-Newton step.

    Args:
        slopes: of `jacobian`.
        residual: model minus data.
        chosen: the chosen amplitudes, (modes,).
        ridge: s^2 / S_k of the chosen amplitudes.
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
