"""A closure of second order: the coarse model keeps m1 and m2, and m3 is learned, realisable by its form.

Moments a_n = m_n / c of a distribution that is nowhere negative are given by numbers rho_n in the unit disc, one each, the
Verblunsky coefficients of the distribution (Simon, Bull. Amer. Math. Soc. 2005):

    a_1 = rho_0
    a_2 = a_1^2 + (1 - |rho_0|^2) rho_1
    a_3 = a_1^3 + (1 - |rho_0|^2) ( 2 a_1 rho_1 - a_1* rho_1^2 ) + (1 - |rho_0|^2) (1 - |rho_1|^2) rho_2

rho_2 = 0 is the distribution of Bernstein and Szego, in time series the autoregressive one of Burg. What is learned is

    rho_2 = S( P rho_0 rho_1 + Q rho_0^3 + R rho_0* rho_1^2 ),    S(x) = x / sqrt(1 + |x|^2)

with P, Q and R linear in |rho_0|^2 and |rho_1|^2: nine numbers. The three products are those that turn with the rods as m3 does,
by exp(6 i phi), and S keeps rho_2 in the disc whatever the numbers. The flow, and what of it the rods remember, is in m2.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array

from sciml.active_fluid.closures.box import Box, box_of, outside
from sciml.active_fluid.closures.closure import squared
from sciml.active_fluid.closures.neural import STORE
from sciml.active_fluid.fields.grid import Field, scaled
from sciml.active_fluid.fields.parameters import Parameters
from sciml.runtime.errors import FormatError
from sciml.training.weight_files import read_weight_file

FORM = "second-order closure 1"
NUMBERS = 9


class SecondOrderClosure(eqx.Module):
    """m3 of m1 and m2 by nine numbers; all of them 0 give Burg's distribution, which nothing is learned for.

    With it `CoarseSolver` keeps the moments (m1, m2): a state is (2, x, y), or m1 (x, y) alone, which begins with Bingham's m2.

    Attributes:
        numbers: P, Q and R, each as (1, |rho_0|^2, |rho_1|^2): (9,).
        name: name of the numbers.
        box: ranges of parameters that they were fitted in, by name.
        kept: moments that the coarse model keeps, 2.
    """

    numbers: Array
    name: str = eqx.field(static=True, default="burg")
    box: Box = eqx.field(static=True, default=())
    kept: int = eqx.field(static=True, default=2)

    @classmethod
    def burg(cls) -> SecondOrderClosure:
        """Return Burg's closure, rho_2 = 0."""
        return cls(jnp.zeros(NUMBERS))

    def above(self, c: Array, m1: Field, m2: Field, parameters: Parameters) -> Field:
        """Return m3.

        Args:
            c: density, (x, y) or a scalar.
            m1: <exp(2 i theta)>, (x, y).
            m2: <exp(4 i theta)>, (x, y).
            parameters: coefficients of the theory, on which it does not depend.
        """
        centre, radius, products = parts(scaled(m1, 1 / c), scaled(m2, 1 / c))
        numbers = jnp.asarray(self.numbers, centre.real.dtype)
        x = sum((scaled(product, number) for product, number in zip(products, numbers, strict=True)), jnp.zeros_like(centre))
        return scaled(centre + scaled(x, radius / jnp.sqrt(1 + squared(x))), c)

    def outside(self, parameters: Parameters) -> list[str]:
        """Return a sentence for each parameter out of the range that the numbers were fitted in."""
        return outside(self.name, self.box, parameters)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the numbers as files hold them."""
        return {"numbers": np.asarray(self.numbers, np.float32)}

    def notes(self) -> dict[str, Any]:
        """Return what besides the numbers makes the closure again."""
        return {"form": FORM, "box": {name: [low, high] for name, low, high in self.box}}

    @classmethod
    def load(cls, name: str | Path = "second") -> SecondOrderClosure:
        """Return the closure of a name that is shipped, or of a file.

        Raises:
            ConfigError: there is neither.
            FormatError: the file is damaged or holds no closure of second order.
        """
        path = STORE.find(name)
        arrays, metadata = read_weight_file(path)
        notes = metadata["extra"]
        if notes.get("form") != FORM or {key: array.shape for key, array in arrays.items()} != {"numbers": (NUMBERS,)}:
            raise FormatError(f"{path} holds no closure of second order of this workbench")
        if not np.isfinite(arrays["numbers"]).all():
            raise FormatError(f"{path} holds weights that are not finite")
        return cls(jnp.asarray(arrays["numbers"], jnp.float32), path.stem, box_of(notes, path))


def parts(a1: Array, a2: Array) -> tuple[Array, Array, list[Array]]:
    """Return centre and radius of the disc of a_3, and the nine products that rho_2 is made of."""
    z = squared(a1)
    # (1 - |rho_0|^2) rho_1 = a_2 - a_1^2
    rest = jnp.maximum(1 - z, 1e-9)
    first = a2 - a1 * a1
    rho = scaled(first, 1 / rest)
    y = squared(rho)
    centre = a1 * (a1 * a1 + 2 * first) - jnp.conj(a1) * first * rho
    ones = jnp.ones_like(z)
    monomials = (a1 * rho, a1 * a1 * a1, jnp.conj(a1) * rho * rho)
    return centre, rest * jnp.maximum(1 - y, 0.0), [scaled(product, factor) for product in monomials for factor in (ones, z, y)]


def third_slack(m1: Array, m2: Array, m3: Array) -> Array:
    """Return the least eigenvalue of the Toeplitz matrix of 1, m1, m2, m3: negative where no distribution has these moments."""
    row = [jnp.ones_like(m1), m1, m2, m3]
    matrix = jnp.stack([jnp.stack([row[k - j] if k >= j else jnp.conj(row[j - k]) for k in range(4)], -1) for j in range(4)], -2)
    return jnp.linalg.eigvalsh(matrix)[..., 0]
