"""Linear theory: how fast small waves on a homogeneous state grow.

On the isotropic state (c = 1, m1 = 0) the moment equations give, to first order, for a wave vector k of angle phi

    dm1/dt = e + (zeta - 4 d_r - d_t k^2) m1,    e_parallel = 0
    e_cross = (beta zeta - 2 alpha) k^2 / ((8 + beta) k^2 + 8 mu) m1_cross

where parallel and cross are real and imaginary part of m1 exp(-2 i phi) and mu is the friction. So the rates are

    sigma_cross    = zeta + (beta zeta - 2 alpha) k^2 / ((8 + beta) k^2 + 8 mu) - 4 d_r - d_t k^2
    sigma_parallel = zeta - 4 d_r - d_t k^2
    sigma_density  = -d_t k^2

and without a wave, k = 0, both are zeta - 4 d_r (Saintillan and Shelley, Phys. Fluids 2008, for the theory without alignment).
Without friction all waves drive a flow alike and the longest grow fastest; with it one of finite length does, at

    k^2 = ( sqrt(8 mu (beta zeta - 2 alpha) / d_t) - 8 mu ) / (8 + beta)    where that is above 0

m2 is of second order, so that every closure has the same rates as the kinetic theory; a wrong sign of alpha or a transposed
velocity gradient gives others.

The same comes from the programmed right-hand side by automatic differentiation, there also on an aligned state. A homogeneous
state has no odd terms in k, so that waves A_n cos(k . x) of the moments stay such waves: the operator is a real matrix on
(Re A, Im A).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Complex, Float, Int

from sciml.active_fluid.closures.bingham import order_of
from sciml.active_fluid.closures.closure import AnyClosure, kept
from sciml.active_fluid.fields.grid import MIN_POINTS, Grid
from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.fields.precision import working
from sciml.active_fluid.theory.moments import Model, linear, tendency
from sciml.active_fluid.theory.states import lifted, modes_needed
from sciml.active_fluid.theory.stepping import StepperState, start, steps
from sciml.runtime.errors import ConfigError, NumericalError

Waves = Sequence[tuple[int, int]]
AXIS_WAVES: Waves = tuple((n, 0) for n in range(9))
# sweeps in which the fixed point of the flow of an aligned state, beta = 4, comes to 1e-12
LINEAR_SWEEPS = 30
# sweeps on the isotropic state, where the stress beyond its diagonal part is of second order: one is exact
ISOTROPIC_SWEEPS = 2
# sweeps in a run, whose every step starts from the flow of the steps before
RUN_SWEEPS = 3


class Rate(NamedTuple):
    """Growth rates of one wave on the isotropic state, per unit of time.

    Attributes:
        n_x, n_y: whole waves in the box along x and y.
        k: wave number 2 pi |n| / L.
        cross, parallel, density: rates by the formulas.
        cross_operator, parallel_operator, density_operator: rates of the programmed right-hand side.
    """

    n_x: int
    n_y: int
    k: float
    cross: float
    parallel: float
    density: float
    cross_operator: float
    parallel_operator: float
    density_operator: float


def analytic_rates(parameters: Parameters, k: Float[np.ndarray, " waves"] | float) -> dict[str, np.ndarray]:
    """Return `cross`, `parallel` and `density` of wave numbers k, by the formulas."""
    p = parameters.as_dict()
    k2 = np.asarray(k, np.float64) ** 2
    parallel = p["zeta"] - 4 * p["d_r"] - p["d_t"] * k2
    # mu / k^2, without friction 0 for k = 0 too
    drag = p.get("friction", 0.0) / np.where(k2 > 0, k2, np.inf)
    flow = (p["beta"] * p["zeta"] - 2 * p["alpha"]) / (8 + p["beta"] + 8 * drag)
    return {"cross": np.where(k2 > 0, parallel + flow, parallel), "parallel": parallel, "density": -p["d_t"] * k2}


def isotropic(modes: int | None = None) -> Complex[np.ndarray, " moments"]:
    """Return moments 0 to `modes` (1 without a number, the coarse model) of rods in all directions alike."""
    return np.eye(1 + (modes or 1))[0].astype(np.complex128)


def nematic(parameters: Parameters, modes: int | None = None, direction: float = 0.0) -> Complex[np.ndarray, " moments"]:
    """Return moments of the homogeneous aligned state.

    q = I1 / I0 (lambda), lambda = zeta q / (2 d_r): alignment against rotational diffusion.

    Args:
        parameters: coefficients of the theory, zeta above 4 d_r.
        modes: even modes of the kinetic model, None for the coarse one with Bingham's closure, for which q is the same.
        direction: angle of the rods.

    Raises:
        ConfigError: zeta is not above 4 d_r, where no state but the isotropic one exists.
    """
    zeta, d_r = float(parameters.zeta), float(parameters.d_r)
    if zeta <= 4 * d_r:
        raise ConfigError(f"zeta = {zeta:g}: an aligned state needs zeta above 4 d_r = {4 * d_r:g}")
    count = modes or max(2, modes_needed(zeta, d_r))
    order = 0.999 if zeta > 8 * d_r else 0.5
    for _ in range(2000):
        order, before = order + _towards_rest(zeta / (2 * d_r), order), order
        if abs(order - before) < 1e-15:
            break
    phases = np.exp(2j * direction * np.arange(count + 1))
    return (lifted(np.array([[order + 0j]]), count)[:, 0, 0] * phases)[: 1 + (modes or 1)]


def _towards_rest(scale: float, order: float) -> float:
    """Return the Newton step of q - I1 / I0 (scale q) = 0, kept within (0, 1); dq/dlambda = 1 - q / lambda - q^2."""
    lam = scale * order
    value = float(order_of(np.array(lam))[0])
    slope = 1 - (1 - value / lam - value**2) * scale
    return float(np.clip((value - order) / slope, -order / 2, (1 - order) / 2))


def operators(
    parameters: Parameters,
    waves: Waves,
    base: Complex[np.ndarray, " moments"],
    closure: AnyClosure | None = None,
    sweeps: int = LINEAR_SWEEPS,
) -> Float[np.ndarray, "waves twice_moments twice_moments"]:
    """Return the linear operator of each wave, by automatic differentiation of the right-hand side.

    Args:
        parameters: coefficients of the theory.
        waves: whole numbers (n_x, n_y) of waves in the box.
        base: homogeneous moments 0 ... M (`isotropic`, `nematic`); those that the coarse model keeps with a closure.
        closure: closure of the coarse model, None for the kinetic one.
        sweeps: sweeps of the flow's fixed point, from rest.

    Returns:
        Matrices on (Re A_0, ..., Re A_M, Im A_0, ..., Im A_M) of waves A_n cos(k . x) of the moments.

    Raises:
        ConfigError: the number of moments does not go with the model.
    """
    if (closure is not None and len(base) != 1 + kept(closure)) or len(base) < 2:
        raise ConfigError(
            f"{len(base)} moments of the base: the closure goes with {1 + kept(closure)}, from m0 on, the kinetic model with more"
        )
    most = max(1, max(max(abs(x), abs(y)) for x, y in waves))
    points = max(MIN_POINTS, 2 * (3 * most // 2 + 1))
    with working("double"):
        numbers = jax.tree.map(jnp.asarray, parameters)
        found = _operators(numbers, closure, jnp.asarray(base), jnp.asarray(waves), points, sweeps)
        return np.asarray(found)


@eqx.filter_jit
def _operators(
    parameters: Parameters,
    closure: AnyClosure | None,
    base: Complex[Array, " moments"],
    waves: Int[Array, "waves 2"],
    points: int,
    sweeps: int,
) -> Float[Array, "waves twice_moments twice_moments"]:
    model = Model(Grid.of(points, parameters.length), parameters, closure, uniform=False, sweeps=sweeps)
    rates = linear(model, len(base))
    resting = jnp.zeros((len(base), points, points), base.dtype).at[:, 0, 0].set(base * points**2)

    def of_wave(wave: Array) -> Array:
        standing = jnp.any(wave != 0)
        # cos(k . x) has the coefficients points^2 / 2 at k and -k, and without a wave points^2 at 0
        weight = points**2 * jnp.where(standing, 0.5, 1.0)

        def change(amplitudes: Array) -> Array:
            both = amplitudes[: len(base)] + 1j * amplitudes[len(base) :]
            state = resting.at[:, wave[0], wave[1]].add(weight * both)
            state = state.at[:, -wave[0], -wave[1]].add(jnp.where(standing, weight, 0.0) * both)
            after = tendency(model, state, None)[0] + rates * state
            after = after[:, wave[0], wave[1]] / weight
            return jnp.concatenate([after.real, after.imag])

        return jax.jacfwd(change)(jnp.zeros(2 * len(base)))

    return jax.lax.map(of_wave, waves)


def growth_rates(
    parameters: Parameters, waves: Waves = AXIS_WAVES, closure: AnyClosure | None = None, modes: int | None = None
) -> list[Rate]:
    """Return the growth rates of waves on the isotropic state, by the formulas and by the programmed right-hand side.

    Args:
        parameters: coefficients of the theory.
        waves: whole numbers (n_x, n_y) of waves in the box.
        closure: closure of the coarse model, None for the kinetic one.
        modes: even modes of the kinetic model, 4 by default; more do not change the rates.

    Raises:
        NumericalError: the right-hand side couples what the theory keeps apart, so that the operator has other waves.
    """
    base = isotropic(kept(closure) if closure is not None else modes or 4)
    matrices = operators(parameters, waves, base, closure, ISOTROPIC_SWEEPS)
    rows = []
    for (n_x, n_y), matrix in zip(waves, matrices, strict=True):
        k = 2 * np.pi * float(np.hypot(n_x, n_y)) / float(parameters.length)
        turn = np.exp(2j * np.arctan2(n_y, n_x))
        found = [_rate_of(matrix, 1, 1j * turn), _rate_of(matrix, 1, turn), _rate_of(matrix, 0, 1.0)]
        exact = [float(analytic_rates(parameters, k)[name]) for name in ("cross", "parallel", "density")]
        rows.append(Rate(n_x, n_y, k, *exact, *found))
    return rows


def _rate_of(matrix: Float[np.ndarray, "n n"], moment: int, amplitude: complex) -> float:
    """Return the eigenvalue of a wave of one moment with that amplitude, of modulus 1."""
    count = len(matrix) // 2
    wave = np.zeros(2 * count)
    wave[moment], wave[count + moment] = amplitude.real, amplitude.imag
    after = matrix @ wave
    # Rayleigh quotient of a vector of length 1, which is an eigenvector
    rate = float(wave @ after)
    if not np.max(np.abs(after - rate * wave)) < 1e-9 * (1 + abs(rate)):
        raise NumericalError(
            f"a wave of m_{moment} does not keep its shape (rate {rate:g}): a closure has to be of second order in m1 and flow"
        )
    return rate


def spectra(
    parameters: Parameters,
    waves: Waves,
    base: Complex[np.ndarray, " moments"],
    closure: AnyClosure | None = None,
) -> Complex[np.ndarray, "waves rates"]:
    """Return all eigenvalues of waves on a homogeneous state, the fastest growing first.

    On an aligned state the first one above 0 says at which wave the state is unstable. The imaginary part of m0 does not exist
    and has no eigenvalue here.

    Args:
        parameters: coefficients of the theory.
        waves: whole numbers (n_x, n_y) of waves in the box.
        base: moments 0 ... M, see `operators`.
        closure: closure of the coarse model, None for the kinetic one.
    """
    matrices = operators(parameters, waves, base, closure)
    existing = np.delete(np.arange(matrices.shape[-1]), len(base))
    # eigenvalues of the operator on (Re A, Im A) without Im A_0
    found = np.linalg.eigvals(matrices[:, existing][:, :, existing])
    return np.take_along_axis(found, np.argsort(-found.real, axis=-1), axis=-1)


def measured_rates(
    parameters: Parameters,
    waves: Waves,
    closure: AnyClosure | None = None,
    modes: int = 4,
    dt: float = 2e-3,
    counts: tuple[int, int] = (50, 150),
    points: int = MIN_POINTS,
) -> Float[np.ndarray, "waves 2"]:
    """Return the rates, cross and parallel, of waves in runs of the time stepper.

    sigma = ln( |A(t_2)| / |A(t_1)| ) / (t_2 - t_1) of waves that start at 1e-6.

    Args:
        parameters: coefficients of the theory.
        waves: whole numbers (n_x, n_y) of waves, each below a third of the points.
        closure: closure of the coarse model, None for the kinetic one.
        modes: even modes of the kinetic model.
        dt: time step.
        counts: steps up to t_1 and from there to t_2.
        points: points of the grid a side.

    Raises:
        ConfigError: a wave is too short for the grid, which keeps those below a third of its points.
    """
    if (most := max(max(abs(x), abs(y)) for x, y in waves)) >= points / 3:
        raise ConfigError(f"{most} waves on {points} points: the grid keeps those below a third of its points; give more points")
    x = 2 * np.pi * np.arange(points) / points
    with working("double"):
        numbers = jax.tree.map(jnp.asarray, parameters)
        found = []
        for n_x, n_y in waves:
            for direction in (1j, 1.0):
                turn = direction * np.exp(2j * np.arctan2(n_y, n_x))
                m1 = 1e-6 * turn * np.cos(n_x * x[:, None] + n_y * x[None, :])
                state = np.zeros((kept(closure) if closure is not None else modes, points, points), np.complex128)
                state[0] = m1
                found.append(_measured(numbers, closure, jnp.fft.fft2(state), (n_x, n_y), dt, counts))
        return np.asarray(found).reshape(len(waves), 2)


def _measured(
    parameters: Parameters,
    closure: AnyClosure | None,
    state: Array,
    wave: tuple[int, int],
    dt: float,
    counts: tuple[int, int],
) -> float:
    carry = _started(parameters, closure, state, dt)
    sizes = []
    for count in counts:
        carry = _stepped(parameters, closure, carry, dt, count)
        sizes.append(float(jnp.abs(carry.state[0, wave[0], wave[1]])))
    return float(np.log(sizes[1] / sizes[0]) / (counts[1] * dt))


def _uniform(parameters: Parameters, closure: AnyClosure | None, points: int) -> Model:
    return Model(Grid.of(points, parameters.length), parameters, closure, uniform=True, sweeps=RUN_SWEEPS)


@eqx.filter_jit
def _started(parameters: Parameters, closure: AnyClosure | None, state: Array, dt: float) -> StepperState:
    return start(_uniform(parameters, closure, state.shape[-1]), state, dt)


@eqx.filter_jit
def _stepped(parameters: Parameters, closure: AnyClosure | None, carry: StepperState, dt: float, count: int) -> StepperState:
    return steps(_uniform(parameters, closure, carry.state.shape[-1]), carry, dt, count)
