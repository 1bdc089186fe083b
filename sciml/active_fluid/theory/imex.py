"""The moment models as an equation of jax-cfd, stepped by its implicit-explicit Runge-Kutta schemes.

An independent check of this package's own steps: jax-cfd (Kochkov et al., PNAS 2021) solves

    dm/dt = explicit_terms(m) + implicit_terms(m)

with any of its schemes. Here the moments' Fourier coefficients are the state, the diffusions are the implicit terms and all else
is explicit. Such an equation has no memory, so that each flow is found from rest, with as many sweeps as converge: per unit of
time this costs several times as much as `sciml.active_fluid.theory.stepping`.

jax-cfd's `brick_wall_filter_2d` is not used. It is for half spectra of real fields and keeps -n ... n - 1 along the first axis,
n = 21 of 64 points, so that a real field loses half of a pair; of 48 points it keeps -16, a third, whose products alias.
`Grid.keep` keeps both of each pair below a third. On the wave numbers both agree.

jax-cfd is no longer maintained; nothing else imports it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax_cfd.spectral import time_stepping
from jaxtyping import Complex

from sciml.active_fluid.fields.precision import working
from sciml.active_fluid.theory.moments import Model, Moments, linear, tendency
from sciml.active_fluid.theory.stepping import COLD_SWEEPS
from sciml.runtime.errors import ConfigError

Scheme = Literal["crank_nicolson_rk2", "crank_nicolson_rk3", "crank_nicolson_rk4", "imex_rk_sil3"]
SCHEMES: dict[str, Callable[[time_stepping.ImplicitExplicitODE, float], Callable[[Moments], Moments]]] = {
    "crank_nicolson_rk2": time_stepping.crank_nicolson_rk2,
    "crank_nicolson_rk3": time_stepping.crank_nicolson_rk3,
    "crank_nicolson_rk4": time_stepping.crank_nicolson_rk4,
    "imex_rk_sil3": time_stepping.imex_rk_sil3,
}


class MomentEquation(time_stepping.ImplicitExplicitODE):
    """The moment equations, kinetic or closed, for jax-cfd.

    Args:
        model: grid, parameters and closure.
        count: moments of a state.
        sweeps: sweeps of each flow's fixed point, from rest.
    """

    def __init__(self, model: Model, count: int, sweeps: int = COLD_SWEEPS):
        self.model, self.sweeps = model, sweeps
        self.rates = linear(model, count)

    def explicit_terms(self, state: Moments) -> Moments:
        """Return all terms but the diffusions."""
        return tendency(self.model, state, None, self.sweeps)[0]

    def implicit_terms(self, state: Moments) -> Moments:
        """Return the diffusions, L m."""
        return self.rates * state

    def implicit_solve(self, state: Moments, step_size: float) -> Moments:
        """Return y of y - step_size L y = state."""
        return state / (1 - step_size * self.rates)


def integrate(
    model: Model,
    state: Complex[np.ndarray, "moments points points"],
    dt: float,
    count: int,
    scheme: Scheme = "crank_nicolson_rk4",
) -> Complex[np.ndarray, "moments points points"]:
    """Return Fourier coefficients of the moments after some steps of a scheme of jax-cfd, in double precision.

    Args:
        model: grid, parameters and closure, made in double precision.
        state: Fourier coefficients at the start.
        dt: time step.
        count: number of steps.
        scheme: scheme of jax-cfd; all are of second order in the diffusions and of order 2, 3, 4, 3 in the rest.

    Raises:
        ConfigError: jax-cfd has no such scheme; a forcing.
    """
    if scheme not in SCHEMES:
        raise ConfigError(f"scheme {scheme!r}: jax-cfd has {', '.join(SCHEMES)}")
    if model.forcing is not None:
        raise ConfigError("jax-cfd's equations do not know the time, and a forcing does: leave it out")
    with working("double"):
        step = SCHEMES[scheme](MomentEquation(model, len(state)), dt)
        advance = jax.jit(lambda held: jax.lax.scan(lambda now, _: (step(now), None), held, length=count)[0])
        return np.asarray(advance(jnp.asarray(state)))
