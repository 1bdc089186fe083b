"""A closure learned from the kinetic theory: equivariant, trace-preserving and realisable by its form, whatever its weights.

With a = m1 / c, z = |a|^2 and every realisable m2 written as

    m2 / c = a^2 + (1 - z) rho,    |rho| <= 1

Bingham's closure is rho_B = -a^2 k(z), k = (1 - g) / (1 - z). The network adds to it where S(x) = x / sqrt(1 + |x|^2) maps the
plane onto the disc:

    rho = S( S^-1(rho_B) + delta ),    delta = A a^2 + B a e' + i w' C a^2

A, B and C are real functions, one small perceptron, of the invariants under turns and reflections

    z,  Re(e' a*),  |e'|^2,  w'^2,  w' Im(e' a*),  zeta'

of the strain e' = e / (4 d_r) and the vorticity w' = w / (4 d_r), both squashed by x / sqrt(1 + |x|^2), and of the alignment
zeta' = zeta c / (4 d_r), squashed by x / (1 + x): rates in units of the rotational relaxation, bounded however strong the flow
is. All weights zero give Bingham's closure. The trace is kept since m2 is all that a closure of the two-dimensional theory can
choose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from sciml.active_fluid.closures.bingham import ratio
from sciml.active_fluid.closures.box import Box, box_of, outside
from sciml.active_fluid.closures.closure import squared
from sciml.active_fluid.closures.discrepancy import ErrorSize, sizes_of
from sciml.active_fluid.fields.grid import Field, scaled
from sciml.active_fluid.fields.parameters import Parameters
from sciml.runtime.errors import FormatError
from sciml.training.store import ModelStore
from sciml.training.weight_files import read_weight_file

STORE = ModelStore("sciml.active_fluid")
INPUTS, OUTPUTS = 6, 3
FORM = "realisable closure 1"


class NeuralClosure(eqx.Module):
    """Bingham's closure and a learned correction.

    Attributes:
        matrices, offsets: matrices and offsets of the perceptron's layers.
        name: name of the weights.
        box: ranges of parameters that it was trained in, by name: alpha, zeta, beta, d_t and d_r.
        inputs: number of invariants that are used, the first ones of the list above: 1 makes a function of the order alone.
        discrepancy: size of its error on the runs that it was trained on; empty where it was not measured.
    """

    matrices: tuple[Array, ...]
    offsets: tuple[Array, ...]
    name: str = eqx.field(static=True, default="untrained")
    box: Box = eqx.field(static=True, default=())
    inputs: int = eqx.field(static=True, default=INPUTS)
    discrepancy: tuple[ErrorSize, ...] = eqx.field(static=True, default=())

    @classmethod
    def create(cls, seed: int, width: int = 16, depth: int = 2, inputs: int = INPUTS) -> NeuralClosure:
        """Return a closure that is almost Bingham's, with random small weights."""
        generator = np.random.default_rng(seed)
        sizes = [inputs, *[width] * depth, OUTPUTS if inputs > 1 else 1]
        matrices = [
            generator.standard_normal((rows, columns)) * (1.5 if number < depth else 0.05) / np.sqrt(rows)
            for number, (rows, columns) in enumerate(pairwise(sizes))
        ]
        offsets = [0.3 * generator.standard_normal(columns) * (number < depth) for number, columns in enumerate(sizes[1:])]
        return cls(_single(matrices), _single(offsets), inputs=inputs)

    def __call__(self, c: Array, m1: Field, strain: Field, vorticity: Array, parameters: Parameters) -> Field:
        """Return m2."""
        return corrected(self._perceptron, self.inputs, c, m1, strain, vorticity, parameters)

    def _perceptron(self, values: Array) -> Array:
        """Return the outputs (3, ...) of the inputs (6, ...)."""
        shape = values.shape[1:]
        values = values.reshape(len(values), -1)
        for number, (matrix, offset) in enumerate(zip(self.matrices, self.offsets, strict=True)):
            values = jnp.asarray(matrix, values.dtype).T @ values + jnp.asarray(offset, values.dtype)[:, None]
            if number < len(self.matrices) - 1:
                values = _squashed(values)
        return values.reshape(-1, *shape)

    def outside(self, parameters: Parameters) -> list[str]:
        """Return a sentence for each parameter out of the range that the closure was trained in (`closures.box.outside`)."""
        return outside(self.name, self.box, parameters)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the weights by name, as files hold them."""
        named = {f"layer.{n}.matrix": matrix for n, matrix in enumerate(self.matrices)}
        named |= {f"layer.{n}.offset": offset for n, offset in enumerate(self.offsets)}
        return {name: np.asarray(array, np.float32) for name, array in named.items()}

    def notes(self) -> dict[str, Any]:
        """Return what besides the weights makes the closure again."""
        sizes = [row._asdict() for row in self.discrepancy]
        box = {name: [low, high] for name, low, high in self.box}
        return {"form": FORM, "inputs": self.inputs, "box": box, "discrepancy": sizes}

    @classmethod
    def load(cls, name: str | Path = "default") -> NeuralClosure:
        """Return the closure of a name that is shipped, or of a file.

        Files whose box names alpha and zeta alone are of trainings with beta 0.8 and diffusions of 0.05: their box is completed.

        Raises:
            ConfigError: there is neither.
            FormatError: the file is damaged or holds no closure.
        """
        path = STORE.find(name)
        arrays, metadata = read_weight_file(path)
        return cls._checked(arrays, metadata["extra"], path)

    @classmethod
    def _checked(cls, arrays: dict[str, np.ndarray], notes: dict[str, Any], path: Path) -> NeuralClosure:
        layers = len(arrays) // 2
        names = {f"layer.{n}.{part}" for n in range(layers) for part in ("matrix", "offset")}
        if notes.get("form") != FORM or set(arrays) != names or not layers:
            raise FormatError(f"{path} holds no neural closure of this workbench")
        matrices = tuple(arrays[f"layer.{n}.matrix"] for n in range(layers))
        offsets = tuple(arrays[f"layer.{n}.offset"] for n in range(layers))
        inputs = int(notes.get("inputs", 0))
        sizes = [inputs, *(len(offset) for offset in offsets)]
        fits = all(m.shape == pair for m, pair in zip(matrices, pairwise(sizes), strict=True))
        if inputs not in range(1, INPUTS + 1) or not fits or sizes[-1] != (OUTPUTS if inputs > 1 else 1):
            raise FormatError(f"{path}: the layers do not fit one another")
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise FormatError(f"{path} holds weights that are not finite")
        return cls(
            _single(matrices),
            _single(offsets),
            path.stem,
            box_of(notes, path),
            inputs,
            sizes_of(notes.get("discrepancy", []), path),
        )


def corrected(
    function: Callable[[Array], Array],
    inputs: int,
    c: Array,
    m1: Field,
    strain: Field,
    vorticity: Array,
    parameters: Parameters,
) -> Field:
    """Return m2 of Bingham's closure and a correction by a function of the invariants.

    Args:
        function: A, B and C (3, x, y) of the invariants (6, x, y); with fewer inputs than two, A alone.
        inputs: number of invariants that are used.
        c: density; this and all that follows as of a `Closure`.
        m1: second moment.
        strain: of the flow.
        vorticity: of the flow.
        parameters: coefficients of the theory.
    """
    a = scaled(m1, 1 / c)
    z = squared(a)
    z = jnp.where(z > 1, 1.0, z)
    rate = 1 / (4 * parameters.d_r)
    e, w = _bounded(scaled(strain, rate)), _bounded(vorticity * rate)
    turned = e * jnp.conj(a)
    zeta = parameters.zeta * c * rate
    # the invariants z, Re(e' a*), |e'|^2, w'^2, w' Im(e' a*), zeta'
    features = [z, turned.real, squared(e), w * w, w * turned.imag, jnp.broadcast_to(zeta / (1 + zeta), z.shape)]
    outputs = jnp.unstack(function(jnp.stack(features[:inputs])))
    # delta = A a^2 + B a e' + i w' C a^2
    twice = a * a
    delta = scaled(twice, outputs[0])
    if inputs > 1:
        delta = delta + a * scaled(e, outputs[1]) + scaled(1j * twice, outputs[2] * w)
    # with y = rho_B and r = 1 - |y|^2: S(S^-1(y) + delta) = x / sqrt(r + |x|^2), x = y + sqrt(r) delta
    y = scaled(twice, (ratio(z) - 1) / jnp.maximum(1 - z, 1e-12))
    rest = jnp.maximum(1 - squared(y), 0.0)
    x = y + scaled(delta, jnp.sqrt(rest + 1e-24))
    return scaled(twice + scaled(x, (1 - z) / jnp.sqrt(rest + squared(x) + 1e-24)), c)


class InvariantClosure(eqx.Module):
    """Bingham's closure and a correction by any function of the invariants, realisable whatever the function.

    Attributes:
        function: A, B and C (3,) of the six invariants (6,) at one place: an `equinox.nn.MLP(6, 3, 16, 2, key=key)`, or any
            module or function of arrays; its trainable arrays are leaves of the solver.
        name: name of the closure in runs.
    """

    function: Callable[[Array], Array]
    name: str = eqx.field(static=True, default="invariants")

    def __call__(self, c: Array, m1: Field, strain: Field, vorticity: Array, parameters: Parameters) -> Field:
        """Return m2."""
        return corrected(self._everywhere, INPUTS, c, m1, strain, vorticity, parameters)

    def _everywhere(self, invariants: Array) -> Array:
        """Return the outputs (3, x, y) of the invariants (6, x, y), in their type."""
        flat = invariants.reshape(INPUTS, -1)
        outputs = jax.vmap(self.function, in_axes=1, out_axes=1)(flat).astype(flat.dtype)
        return outputs.reshape(OUTPUTS, *invariants.shape[1:])


def _single(arrays: Iterable[np.ndarray]) -> tuple[Array, ...]:
    return tuple(jnp.asarray(array, jnp.float32) for array in arrays)


@jax.custom_jvp
def _squashed(x: Array) -> Array:
    """Return x / sqrt(1 + x^2); its slope (1 + x^2)^(-3/2) shares root and division with the value."""
    return x / jnp.sqrt(1 + x * x)


@_squashed.defjvp
def _squashed_slope(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (dx,) = primals, tangents
    inverse = 1 / jnp.sqrt(1 + x * x)
    return x * inverse, inverse * inverse * inverse * dx


def _bounded(x: Array) -> Array:
    return scaled(x, 1 / jnp.sqrt(1 + squared(x))) if jnp.iscomplexobj(x) else x / jnp.sqrt(1 + x * x)


def count(closure: NeuralClosure) -> int:
    """Return the number of weights."""
    return sum(int(leaf.size) for leaf in jax.tree.leaves((closure.matrices, closure.offsets)))
