"""Activity and alignment from a few noisy snapshots of the order, by gradients through the solver.

D = c I / 2 + dev with dev_11 + i dev_12 = m1 / 2, so that m1 = 2 (D_11 - c / 2) + 2 i D_12. The steps:

1. a Wiener filter gives the noise, a state at every snapshot, and the variances of their waves
   (`sciml.active_fluid.inference.wiener`);
2. alpha and zeta by Gauss and Newton with every interval started from its own filtered snapshot: short, so that it converges from
   anywhere in the box, but biased by the noise of the snapshots that it starts from;
3. alpha, zeta and the waves of the first snapshot that stand out of its noise, in one trajectory through all snapshots
   (`sciml.active_fluid.inference.assimilation`): the most likely values, and their covariance with the initial state integrated
   out.

The interval is that of a normal distribution with this covariance (Laplace), and with that of the closure's error where its size
is known. The error is written as terms with numbers kappa (`sciml.active_fluid.closures.discrepancy`) that are considered, not
sought: with S = d theta / d kappa, the change of the estimate for an error of the closure, and the second moments of kappa over
kinetic training runs of such a length and order,

    covariance = s^2 / 2 Sigma^-1 + S < kappa kappa' > S'

(Schmidt 1966; Jazwinski, Stochastic Processes and Filtering Theory, 1970, on parameters that are considered). The error enters at
second order in the order parameter, and moves estimates from the growth of a weak order least.

The theory has no unit of time of its own: with times t, rates alpha, zeta and d_r and a diffusion d_t, the fields at times t / r
with r alpha, r zeta, r d_r and r d_t are the same. Where the clock is free, ln r is sought as a third number with alpha and zeta
in units of d_r; what tells it is how diffusion and rotation fade the fields.

Pictures show the order up to a contrast that is known roughly, and a blur that is not round adds an order of its own: with
`gain_std` and `offset_std` a factor of all snapshots and an offset are sought too, from their priors and from what is not linear
in the theory, and integrated out of the covariance.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Complex, Float
from numpy.typing import NDArray

from sciml.active_fluid.closures.closure import Closure, kept
from sciml.active_fluid.closures.discrepancy import error_moments
from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.fields.precision import working
from sciml.active_fluid.inference.assimilation import Problem
from sciml.active_fluid.inference.frames import DIFFUSION
from sciml.active_fluid.inference.goodness import Goodness, goodness
from sciml.active_fluid.inference.observations import checked
from sciml.active_fluid.inference.search import Box, intervals_first, one_trajectory, search_limits
from sciml.active_fluid.inference.verdicts import NORMAL_QUANTILE_95, sentences
from sciml.active_fluid.inference.wiener import filtered
from sciml.runtime.errors import ConfigError

BOX: Box = ((-3.0, -1.0), (0.25, 1.0))
KNOWN = Parameters(-1.0, 0.5)
# step of the tangents over that of the residuals: tangents cost far more and need less accuracy
TANGENT_STEP_RATIO = 10
# least steps between two snapshots
MIN_STEPS = 8
Progress = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Inference:
    """Alpha and zeta with their uncertainty.

    Attributes:
        alpha, zeta: most likely values.
        covariance: covariance of (alpha, zeta) and, with a free clock, of the logarithm of its rate; the initial state integrated
            out, the closure's error in it.
        noise_covariance: the part that comes from the noise.
        influence: S, change of the estimates for changes by one of the numbers kappa of the closure's error.
        alpha_interval, zeta_interval: 90 % intervals.
        clock: units of the theory's time that pass in a unit of the times given, 1 but for a free clock.
        clock_interval: its 90 % interval.
        gain: snapshots over the order, 1 but for a free one.
        gain_std: standard deviation of its logarithm, 0 where it is 1.
        offset: what snapshots show more than the order times the gain.
        noise_std: root mean square of the complex noise of m1 at a point, the larger of the given one and that of the misfit.
        misfit: root mean square of model minus data at each snapshot, in units of the noise.
        times: times of the snapshots.
        fitted: m1 of the model at these times, (snapshots, points, points); without gain and offset.
        start: alpha and zeta that the search began from.
        converged: whether the last step was below a tenth of a standard deviation in both.
        reason: why the search ended.
        history: one row a step: stage, iteration, alpha, zeta, objective, gradient (in standard deviations to the minimum).
        goodness: whether the model explains the data.
        sentences: what a reader has to know, one a line.
    """

    alpha: float
    zeta: float
    covariance: Float[np.ndarray, "sought sought"]
    noise_covariance: Float[np.ndarray, "sought sought"]
    influence: Float[np.ndarray, "sought terms"]
    alpha_interval: tuple[float, float]
    zeta_interval: tuple[float, float]
    clock: float
    clock_interval: tuple[float, float]
    gain: float
    gain_std: float
    offset: complex
    noise_std: float
    misfit: Float[np.ndarray, " snapshots"]
    times: Float[np.ndarray, " snapshots"]
    fitted: Complex[np.ndarray, "snapshots points points"]
    start: tuple[float, float]
    converged: bool
    reason: str
    history: tuple[dict[str, Any], ...]
    goodness: Goodness
    sentences: tuple[str, ...]

    @property
    def shown(self) -> Complex[np.ndarray, "snapshots points points"]:
        """What the snapshots show by the model: its fields with gain and offset."""
        return self.gain * self.fitted + self.offset

    def in_units(self, unit: float) -> dict[str, tuple[float, float, float]]:
        """Return alpha, zeta and d_r as rates over the time of the data, each with the ends of its 90 % interval.

        Args:
            unit: the theory's unit of time in that of the data, 0.05 / d_r with the d_r that is known, or was begun with.
        """
        # alpha r / unit: with a free clock the spread of ln r adds to it
        spread = np.zeros((3, 3))
        spread[: len(self.covariance), : len(self.covariance)] = self.covariance
        found = {}
        for name, value, slope in (
            ("alpha", self.alpha, (1, 0, self.alpha)),
            ("zeta", self.zeta, (0, 1, self.zeta)),
            ("d_r", DIFFUSION, (0, 0, DIFFUSION)),
        ):
            half = NORMAL_QUANTILE_95 * math.sqrt(np.array(slope) @ spread @ slope)
            found[name] = tuple(end * self.clock / unit for end in (value, value - half, value + half))
        return found

    def as_dict(self) -> dict[str, Any]:
        """Return all but the fields as plain numbers, lists and words, for JSON."""
        plain = asdict(self) | {"offset": [self.offset.real, self.offset.imag]}
        del plain["fitted"]
        return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in plain.items()}


def infer(
    snapshots: Complex[np.ndarray, "snapshots n n"],
    times: Sequence[float] | NDArray[np.float64],
    closure: Closure,
    start: tuple[float, float] | None = None,
    known: Parameters = KNOWN,
    noise_std: float | None = None,
    mask: Bool[np.ndarray, ...] | None = None,
    box: Box = BOX,
    points: int | None = None,
    time_step: float = 0.005,
    most_waves: int = 450,
    progress: Progress | None = None,
    *,
    free_clock: bool = False,
    closure_error: bool = True,
    gain_std: float = 0.0,
    offset_std: float = 0.0,
) -> Inference:
    """Return alpha and zeta of the closed model that explain snapshots of m1.

    Args:
        snapshots: m1 at each time on an even grid of the periodic square, density 1; whatever a mask hides may be NaN.
        times: times of the snapshots, increasing.
        closure: closure of the model.
        start: alpha and zeta to begin from; without it the best of nine in the box.
        known: all other coefficients; its alpha and zeta are not read.
        noise_std: root mean square of the complex noise at a point; estimated where it is not given.
        mask: where m1 was seen, (n, n) or (snapshots, n, n); everywhere by default.
        box: ranges of alpha and of zeta that are expected. The search may leave it by half its width, zeta not below 0.
        points: points a side of the model's grid, a multiple of n, which is the default.
        time_step: longest time step of the model.
        most_waves: largest number of waves of the initial state that are sought with alpha and zeta.
        progress: function that is called with each row of the history.
        free_clock: whether the times given are the theory's but for a factor, which is sought.
        closure_error: whether intervals hold the closure's error, of a closure that brings a table of it (`discrepancy`).
        gain_std: standard deviation of the logarithm of an unknown factor of all snapshots, at most 1; 0 where they show m1.
        offset_std: root mean square of an unknown complex offset of all snapshots, at most 1; 0 for none.

    Raises:
        ConfigError: start, box, noise, step or points make no sense, or a closure of m3.
        ShapeError: snapshots, times and mask do not fit together.
        DataError: snapshots are not finite, hidden, of an order beyond 1, or out of order in time.
        NumericalError: the model diverges from every start.
    """
    if kept(closure) > 1:
        raise ConfigError("parameters are inferred with a closure of m2: bingham, quadratic, neural or neural:NAME")
    for name, value in {"gain_std": gain_std, "offset_std": offset_std}.items():
        if not 0 <= value <= 1:
            raise ConfigError(f"{name} = {value}: it has to lie between 0 and 1")
    data, seen, moments = checked(snapshots, times, mask, points, start, box, noise_std, time_step)
    rows: list[dict[str, Any]] = []

    def record(row: dict[str, Any]) -> None:
        rows.append(row)
        if progress:
            progress(row)

    with working("double"):
        state = filtered(data, seen, noise_std)
        gaps = np.diff(moments)
        fine = max(math.ceil(gaps.max() / time_step - 1e-9), MIN_STEPS)
        coarse = max(math.ceil(fine / TANGENT_STEP_RATIO), MIN_STEPS)
        problem = Problem(closure, known, *map(jnp.asarray, (data, seen, gaps)), clock=2 if free_clock else None)
        first = intervals_first(problem, state, start, box, search_limits(box, free_clock), coarse, record)
        if gain_std > 0:
            problem, first = problem._replace(gain=len(first)), np.append(first, 0.0)
        limits = search_limits(box, free_clock, gain_std)
        found = one_trajectory(problem, first, state, noise_std, limits, (fine, coarse), most_waves, record, gain_std, offset_std)
    theta, last = found.theta, found.last
    order = float(np.sqrt(np.sum(np.abs(data) ** 2) / seen.sum()))
    sizes = getattr(closure, "discrepancy", ()) if closure_error else ()
    errors = error_moments(sizes, float(moments[-1] - moments[0]), order)
    # s^2 / 2 Sigma^-1 + S < kappa kappa' > S'
    covariance = found.covariance if errors is None else found.covariance + last.influence @ errors @ last.influence.T
    every = data.shape[-1] // len(snapshots[0])
    grid = (slice(None), slice(None, None, every), slice(None, None, every))
    fit = goodness(data[grid], seen[grid], found.fields[grid], state, noise_std, last.used, last.left, errors)
    gain, gain_spread = (math.exp(theta[-1]), math.sqrt(covariance[-1, -1])) if gain_std > 0 else (1.0, 0.0)
    # the gain is integrated out of the others
    own = slice(len(first) - (gain_std > 0))
    theta, covariance = theta[own], covariance[own, own]
    width = NORMAL_QUANTILE_95 * np.sqrt(np.diag(covariance))
    ends = [(float(value - half), float(value + half)) for value, half in zip(theta, width, strict=True)]
    clock = [math.exp(value) for value in (theta[2], *ends[2])] if free_clock else [1.0, 1.0, 1.0]
    return Inference(
        alpha=float(theta[0]),
        zeta=float(theta[1]),
        covariance=covariance,
        noise_covariance=found.covariance[own, own],
        influence=last.influence[own],
        alpha_interval=ends[0],
        zeta_interval=ends[1],
        clock=clock[0],
        clock_interval=(clock[1], clock[2]),
        gain=gain,
        gain_std=gain_spread,
        offset=found.offset,
        noise_std=found.noise,
        misfit=found.misfit,
        times=moments,
        fitted=(found.fields - found.offset) / gain,
        start=(rows[0]["alpha"], rows[0]["zeta"]),
        converged=found.converged,
        reason=found.reason,
        history=tuple(rows),
        goodness=fit,
        sentences=(
            *sentences(theta, covariance, box, limits, fit.sentence, found.converged, found.reason),
            *_outside(closure, known, theta),
            *(
                []
                if errors is not None or not closure_error
                else ["The intervals hold the noise alone: nothing is known of the closure's error."]
            ),
        ),
    )


def _outside(closure: Any, known: Parameters, theta: Float[np.ndarray, " sought"]) -> list[str]:
    """Return what the closure says of the coefficients that are known; alpha and zeta have sentences of their own."""
    says = getattr(closure, "outside", None)
    found = [] if says is None else says(dataclasses.replace(known, alpha=float(theta[0]), zeta=float(theta[1])))
    return [f"{one}." for one in found if not one.startswith(("alpha", "zeta"))]
