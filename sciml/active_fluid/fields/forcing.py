"""What moves the liquid besides the rods: a uniform gradient, a stirring, a body force.

The velocity is A x + u, where A is uniform and u periodic; with the substrate's friction mu, which does not act on A x,

    -Lap u + mu u + grad P = div Sigma + f + f_s,   div u = 0

f is a body force. f_s is what drives a prescribed stirring u_s in the liquid without rods, f_s = -Lap u_s + mu u_s, so that both
add to the flow of the rods' stress, which holds the strain of all of it.

A x is not periodic. The box moves with it instead: x = F(t) X, dF/dt = A F, and fields stay periodic in X (Rogallo, NASA TM
81315, 1981). Their coefficients stand for the wave vectors k(t) = F^-T K, and no term of A x is left but the strain and the
vorticity that it gives the rods. With A = ((e, g), (0, -e)), e the strain and g the shear,

    x = a (X + tau Y),   y = Y / a,   a = exp(e t),   tau = g (1 - exp(-2 e t)) / (2 e)

At tau = 1/2 the lattice of the boxes is that of -1/2, and the run goes on from there: a shear may last for ever. A strain draws
the points of one side apart, which ends a run.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Complex, Float

from sciml.active_fluid.fields.grid import MIN_POINTS, Grid, of_real_part, scaled, transform
from sciml.active_fluid.fields.parameters import Number, Parameters
from sciml.runtime.errors import ConfigError
from sciml.runtime.files import digest_bytes

# times at which functions of the user are looked at before a run
SAMPLED = (0.0, *np.geomspace(0.03, 300, 12))


class Frame(NamedTuple):
    """The box that moves with a uniform gradient.

    Attributes:
        stretch: a, its length along x over that at time 0.
        tilt: tau, how far its upper side is ahead of its lower one, in lengths; whole ones are left out.
    """

    stretch: Array
    tilt: Array


class External(NamedTuple):
    """What a forcing adds to the flow at one time; None for what it does not have.

    Attributes:
        drive: coefficients of psi_s + (mu psi_s + curl f / k^2) / k^2: the stream function times 1 + mu / k^2.
        mean: uniform velocity u + i v, of a force that friction balances.
        strain: E_11 + i E_12 of the uniform gradient.
        vorticity: v_x - u_y of the uniform gradient.
    """

    drive: Complex[Array, "points points"] | None = None
    mean: Array | None = None
    strain: Array | None = None
    vorticity: Array | None = None


STILL = External()


def _number(given: Any) -> Any:
    return float(given) if isinstance(given, int) else given


def _function(given: Any) -> Any:
    # a plain function is part of the structure, a module's numbers are leaves
    return given if given is None or isinstance(given, eqx.Module | jax.tree_util.Partial) else jax.tree_util.Partial(given)


class Forcing(eqx.Module):
    """An imposed flow, a body force, or both.

    A JAX pytree: solvers are differentiable in shear, strain and the numbers of modules that are given as functions. What is None
    costs nothing. All quantities are without units.

    Attributes:
        shear: rate g of the flow (g y, 0).
        strain: rate e of the flow (e x, -e y), which stretches along x, or along y where it is negative.
        stream: stream function psi(t, x, y) of a stirring u = d psi / dy, v = -d psi / dx, periodic in the square. t is a number,
            x and y are (points, points), and so is the result. A function of jax.numpy, or an equinox module.
        force: body force (f_x, f_y) as a function of t, x, y, periodic. Its mean drives a uniform flow where there is friction;
            without one a gradient of the pressure balances it.

    Raises:
        ConfigError: a rate is not finite, or stirring or force beside a shear or strain, whose box moves away from them.
    """

    shear: Number | None = eqx.field(default=None, converter=_number)
    strain: Number | None = eqx.field(default=None, converter=_number)
    stream: Callable[[Array, Array, Array], Array] | None = eqx.field(default=None, converter=_function)
    force: Callable[[Array, Array, Array], tuple[Array, Array]] | None = eqx.field(default=None, converter=_function)

    def __check_init__(self) -> None:
        for name in ("shear", "strain"):
            rate = getattr(self, name)
            if isinstance(rate, int | float) and not math.isfinite(rate):
                raise ConfigError(f"{name} = {rate}: it has to be a finite number")
        if self.moves and (self.stream is not None or self.force is not None):
            raise ConfigError(
                "the box moves with a shear or a strain, away from a periodic stirring or force: give one or the other"
            )

    @property
    def moves(self) -> bool:
        """Whether there is a uniform gradient, with which the box moves."""
        return self.shear is not None or self.strain is not None

    def sheets(self, time: Array) -> Array:
        """Return the whole number of lengths in tau: those that a run from time 0 leaves out."""
        return jnp.round(self.frame(time, 0).tilt).astype(jnp.int32)

    def frame(self, time: Array, sheets: Array | int) -> Frame:
        """Return the box at a time, with that many whole lengths of tau left out."""
        z = 2 * (0.0 if self.strain is None else self.strain) * time
        small = jnp.abs(z) < 1e-6
        # (1 - exp(-z)) / z
        ratio = jnp.where(small, 1 - z / 2, -jnp.expm1(-z) / jnp.where(small, 1.0, z))
        return Frame(jnp.exp(z / 2), (0.0 if self.shear is None else self.shear) * time * ratio - sheets)

    def external(self, grid: Grid, parameters: Parameters, time: Array) -> External:
        """Return what is added to the flow at a time, on the grid of that time."""
        found = External()
        if self.moves:
            shear, strain = (jnp.asarray(0.0 if rate is None else rate, grid.k2.dtype) for rate in (self.shear, self.strain))
            found = found._replace(strain=jax.lax.complex(strain, shear / 2), vorticity=-shear)
        if self.stream is None and self.force is None:
            return found
        points, real = grid.k2.shape[-1], grid.k2.dtype
        x, y = plane(points, parameters.length, real)
        k2 = jnp.where(grid.k2 > 0, grid.k2, 1)
        drive = jnp.zeros((points, points), grid.stream.dtype)
        if self.stream is not None:
            psi = transform(jnp.broadcast_to(self.stream(time, x, y), x.shape).astype(drive.dtype))
            drive = psi if parameters.friction is None else scaled(psi, 1 + parameters.friction / k2)
        if self.force is not None:
            f_x, f_y = (jnp.broadcast_to(part, x.shape).astype(real) for part in self.force(time, x, y))
            force = transform(jax.lax.complex(f_x, f_y))
            # curl f = Re F^-1[ kappa* F[f_x + i f_y] ]
            drive = drive + scaled(of_real_part((grid.kx - 1j * grid.ky) * force), 1 / k2**2)
            if parameters.friction is not None:
                slips = jnp.asarray(parameters.friction > 0)
                found = found._replace(mean=force[0, 0] / points**2 * slips / jnp.where(slips, parameters.friction, 1.0))
        return found._replace(drive=drive.at[0, 0].set(0))

    def uniform(self, points: int, length: Number, frame: Frame) -> Complex[Array, "points points"]:
        """Return the velocity u + i v of the uniform gradient at the points of the box."""
        shear, strain = (0.0 if rate is None else rate for rate in (self.shear, self.strain))
        x, y = plane(points, length, frame.stretch.dtype)
        x, y = x * frame.stretch, y / frame.stretch
        return jax.lax.complex(strain * x + shear * y, -strain * y)

    def reach(self, until: float) -> float:
        """Return the largest factor by which a wave vector grows up to a time, at most."""
        # |F^-T| <= exp(|e| t) (1 + |tau|), |tau| <= 1/2
        return math.exp(abs(float(self.strain or 0.0)) * until) * (1.5 if self.shear is not None else 1.0)

    def check(self, points: int, length: float, until: float) -> None:
        """Raise ConfigError where a run cannot carry it.

        Args:
            points: points a side.
            length: side of the square.
            until: last time.
        """
        stretch = math.exp(min(abs(float(self.strain or 0.0)) * until, 700.0))
        if points < MIN_POINTS * stretch * (1 - 1e-12):
            last = math.log(points / MIN_POINTS) / abs(float(self.strain or 1.0))
            raise ConfigError(
                f"a strain of {float(self.strain or 0.0):g} draws the points of a side apart {stretch:.3g}-fold up to time "
                f"{until:g}: {points} points last to time {last:.3g}; give a shorter run or more points"
            )
        for name in ("stream", "force"):
            if getattr(self, name) is not None:
                _check_periodic(name, self._sampled(name, points, length), self._sampled(name, points, length, shifted=True))

    def settings(self) -> dict[str, Any]:
        """Return what tells this forcing from another one: JSON values."""
        found: dict[str, Any] = {name: float(rate) for name in ("shear", "strain") if (rate := getattr(self, name)) is not None}
        for name in ("stream", "force"):
            if (given := getattr(self, name)) is not None:
                function = given.func if isinstance(given, jax.tree_util.Partial) else type(given)
                values = self._sampled(name, MIN_POINTS, 1.0).astype(np.float32)
                found |= {name: getattr(function, "__name__", "function"), f"{name}_digest": digest_bytes(values.tobytes())}
        return found

    def _sampled(self, name: str, points: int, length: float, shifted: bool = False) -> Float[np.ndarray, "times parts n n"]:
        """Return a function's values at some times, or those of the square a length on along both axes."""
        with jax.enable_x64(True):
            x, y = (axis + length * shifted for axis in plane(points, length, jnp.dtype("float64")))
            values = [jnp.atleast_1d(jnp.asarray(getattr(self, name)(jnp.asarray(t), x, y), dtype=float)) for t in SAMPLED]
            return np.stack([np.asarray(value).reshape(-1, *x.shape) for value in values])


def plane(points: int, length: Number, real: Any) -> tuple[Float[Array, "points points"], Float[Array, "points points"]]:
    """Return x and y of the points of a square grid, indexed [x, y]."""
    side = jnp.arange(points, dtype=real) * (length / points)
    x, y = jnp.meshgrid(side, side, indexing="ij")
    return x.astype(real), y.astype(real)


def _check_periodic(name: str, here: np.ndarray, there: np.ndarray) -> None:
    if here.shape[1] != (1 if name == "stream" else 2):
        wanted = "one value" if name == "stream" else "f_x and f_y"
        raise ConfigError(f"{name}(t, x, y) returns {here.shape[1]} values at a point: {wanted} is expected")
    if not np.isfinite(here).all():
        raise ConfigError(f"{name}(t, x, y) has values that are not finite")
    if (apart := np.abs(here - there).max()) > 1e-6 * max(1.0, np.abs(here).max()):
        raise ConfigError(f"{name}(t, x, y) is not periodic in the square: it differs by {apart:.3g} one side on")


class Cells(eqx.Module):
    """The stream function of square cells that turn one against the other, steady or to and fro: a stirring.

        psi = speed / k cos(2 pi t / period) sin(k x) sin(k y),   k = 2 pi waves / L

    Attributes:
        speed: largest speed.
        length: side of the square.
        waves: periods along a side; each holds two cells.
        period: time of one to and fro; None for a steady flow.
    """

    speed: Number = eqx.field(converter=_number)
    length: Number = eqx.field(default=10.0, converter=_number)
    waves: int = eqx.field(static=True, default=1)
    period: Number | None = eqx.field(default=None, converter=_number)

    def __call__(self, t: Array, x: Array, y: Array) -> Array:
        """Return psi."""
        k = 2 * math.pi * self.waves / self.length
        swing = 1.0 if self.period is None else jnp.cos(2 * math.pi * t / self.period)
        return self.speed / k * swing * jnp.sin(k * x) * jnp.sin(k * y)


class Kolmogorov(eqx.Module):
    """The body force (size sin(k y), 0) with k = 2 pi waves / L.

    Isotropic rods move with size sin(k y) / (k^2 (1 + beta / 8) + mu) along x (`sciml.active_fluid.fields.stokes`).

    Attributes:
        size: largest force per area.
        length: side of the square.
        waves: periods along a side.
    """

    size: Number = eqx.field(converter=_number)
    length: Number = eqx.field(default=10.0, converter=_number)
    waves: int = eqx.field(static=True, default=1)

    def __call__(self, t: Array, x: Array, y: Array) -> tuple[Array, Array]:
        """Return f_x and f_y."""
        return self.size * jnp.sin(2 * math.pi * self.waves / self.length * y), jnp.zeros_like(y)


def laboratory(fields: Array, tilt: Array) -> Array:
    """Return fields of a tilted box on the upright grid: f(x, y) = g(x - tau y, y), exact for resolved waves.

    Args:
        fields: (..., points, points) on X, Y.
        tilt: tau, (...) up to the last axes of the fields or one number.
    """
    points = fields.shape[-1]
    counts = np.fft.fftfreq(points, 1 / points)
    counts[points // 2] = 0
    turn = -2 * np.pi / points * np.outer(counts, np.arange(points))
    waves = jnp.fft.fft(fields, axis=-2)
    moved = jnp.fft.ifft(waves * jnp.exp(1j * jnp.asarray(turn, tilt.dtype) * tilt[..., None, None]), axis=-2)
    return moved if jnp.iscomplexobj(fields) else moved.real
