"""A closure of a user's own with what the study needs of one: a name, a box and a weight file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from sciml.active_fluid.closures.box import Box, box_of, outside
from sciml.active_fluid.closures.plugins import find_closure
from sciml.active_fluid.fields.grid import Field
from sciml.active_fluid.fields.parameters import Parameters
from sciml.runtime.errors import ConfigError, FormatError

FORM = "closure of an entry point 1"


class OwnClosure(eqx.Module):
    """The closure that an entry point of the group `sciml.closures` makes.

    Attributes:
        rule: what the entry point's function of a seed returns: a module with the arguments of a closure of m2.
        entry: name of the entry point.
        name: name of the weights.
        box: ranges of parameters that it was trained in, by name.
    """

    rule: Any
    entry: str = eqx.field(static=True)
    name: str = eqx.field(static=True, default="untrained")
    box: Box = eqx.field(static=True, default=())

    @classmethod
    def create(cls, entry: str, seed: int) -> OwnClosure:
        """Return the untrained closure of a seed.

        Raises:
            ConfigError: no such entry point, or what it makes has no arrays to train.
        """
        point = find_closure(entry)
        rule = point.load()(seed)
        if not isinstance(rule, eqx.Module) or not jax.tree.leaves(eqx.filter(rule, eqx.is_inexact_array)):
            raise ConfigError(
                f"the closure {entry!r} of {point.value}: its function of a seed returns an equinox module with arrays"
            )
        return cls(rule, entry)

    def __call__(self, c: Array, m1: Field, strain: Field, vorticity: Array, parameters: Parameters) -> Field:
        """Return m2."""
        return self.rule(c, m1, strain, vorticity, parameters)

    def outside(self, parameters: Parameters) -> list[str]:
        """Return a sentence for each parameter out of the range that the closure was trained in."""
        return outside(self.name, self.box, parameters)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the trained arrays by their place in the module, as files hold them."""
        leaves = jax.tree_util.tree_leaves_with_path(eqx.filter(self.rule, eqx.is_inexact_array))
        return {jax.tree_util.keystr(path): np.asarray(leaf, np.float32) for path, leaf in leaves}

    def notes(self) -> dict[str, Any]:
        """Return what besides the arrays makes the closure again."""
        return {"form": FORM, "entry": self.entry, "box": {name: [low, high] for name, low, high in self.box}}

    @classmethod
    def of_file(cls, arrays: dict[str, np.ndarray], notes: dict[str, Any], path: Path) -> OwnClosure:
        """Return the closure of the content of a weight file.

        Raises:
            ConfigError: the entry point is not installed here.
            FormatError: the arrays are not those of what the entry point makes.
        """
        blank = cls.create(str(notes.get("entry")), 0)
        shapes = {name: array.shape for name, array in blank.arrays().items()}
        if {name: array.shape for name, array in arrays.items()} != shapes:
            raise FormatError(f"{path}: its arrays are not those of the closure {blank.entry!r} that is installed here")
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise FormatError(f"{path} holds weights that are not finite")
        trained, rest = eqx.partition(blank.rule, eqx.is_inexact_array)
        filled = jax.tree_util.tree_map_with_path(lambda place, leaf: jnp.asarray(arrays[jax.tree_util.keystr(place)]), trained)
        return cls(eqx.combine(filled, rest), blank.entry, path.stem, box_of(notes, path))
