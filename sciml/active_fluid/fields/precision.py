"""Double precision for this package's work alone: JAX's global switch stays as the user's program has set it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import jax
import jax.numpy as jnp

Precision = Literal["double", "single"]


@contextmanager
def working(precision: Precision = "double") -> Iterator[jnp.dtype]:
    """Compute in one precision within the block, and yield its real type.

    Arrays made in the block keep their type outside; compiled functions are kept apart by precision.
    """
    with jax.enable_x64(precision == "double"):
        yield jnp.dtype(jnp.float64 if precision == "double" else jnp.float32)


def complex_type(real: jnp.dtype) -> jnp.dtype:
    """Return the complex type of a real one."""
    return jnp.dtype(jnp.complex128 if real == jnp.float64 else jnp.complex64)
