"""The numbers of the theory."""

from __future__ import annotations

import math

import equinox as eqx
import jax

from sciml.runtime.errors import ConfigError

Number = float | jax.Array


class Parameters(eqx.Module):
    """Coefficients of an active suspension of immotile rods in a periodic square, dimensionless.

    A JAX pytree: solvers are differentiable in every number of it.

    Attributes:
        alpha: strength of the active stress, negative for extensile (pusher) and positive for contractile (puller) rods.
        zeta: strength of the steric alignment, at least 0.
        beta: shape factor times concentration, which couples the stress to the strain of the flow; at least 0.
        d_t: translational diffusion, above 0.
        d_r: rotational diffusion, above 0.
        length: side of the square, above 0.
        friction: force per velocity and area of a substrate that the liquid slips on, at least 0; None, by default, for a liquid
            without one.

    Raises:
        ConfigError: a number is out of range.
    """

    alpha: Number
    zeta: Number
    beta: Number = 0.8
    d_t: Number = 0.05
    d_r: Number = 0.05
    length: Number = 10.0
    friction: Number | None = None

    def __check_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if isinstance(value, jax.Array) or not isinstance(value, int | float):
                continue
            positive = name in ("d_t", "d_r", "length")
            if not math.isfinite(value) or (value < 0 and name != "alpha") or (positive and value == 0):
                wanted = "a finite number" if name == "alpha" else f"a finite number {'above' if positive else 'of at least'} 0"
                raise ConfigError(f"{name} = {value}: it has to be {wanted}")

    def as_dict(self) -> dict[str, float]:
        """Return the numbers by name, the friction where there is one."""
        return {name: float(number) for name in self.__dataclass_fields__ if (number := getattr(self, name)) is not None}
