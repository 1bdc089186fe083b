"""The units in which a reconstruction is solved: an operator of norm about 1, pictures on [0, 1], one tensor of measurements.

    A = s B,   x = low + r u:      y = A x + noise   <=>   (y - A low) / (s r) = B u + noise / (s r)                 (1)

so a result does not depend on the units of y, of A or of the picture. s is the power of two nearest to ||A||: divisions by it are
exact, and an operator of norm about 1 is left as it is. With F(u) = 1/2 ||B u - y'||^2 + w R(u),

    1/2 ||A x - y||^2 + (s r)^2 w R((x - low) / r) = (s r)^2 F(u)                                                      (2)

is the objective in the user's units.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from sciml.imaging.operators.linear import Linear, LinearPhysics, Physics
from sciml.proximal.reconstruction.convergence import ConvergenceCertificate
from sciml.proximal.reconstruction.operators import OperatorFacts
from sciml.proximal.reconstruction.problem import Trace
from sciml.runtime.errors import ConfigError, ShapeError

DataRange = float | tuple[float, float]


class Scaled(Linear):
    """B = A / s of (1).

    Args:
        physics: A.
        scale: s.
    """

    def __init__(self, physics: LinearPhysics, scale: float) -> None:
        self.physics, self.scale = physics, scale

    def A(self, x: Tensor, **kwargs: object) -> Tensor:
        """Return B x."""
        return self.physics.A(x) / self.scale

    def A_adjoint(self, y: Tensor, **kwargs: object) -> Tensor:
        """Return B^T y."""
        return self.physics.A_adjoint(y) / self.scale


class Joined(Linear):
    """A physics that makes several tensors (deepinv's stacked physics), with all of their entries in one.

    Args:
        physics: the stack.
        like: a measurement, several tensors of shape (batch, ...).
    """

    def __init__(self, physics: LinearPhysics, like: Sequence[Tensor]) -> None:
        self.physics, self.shapes, self.kind = physics, [part.shape[1:] for part in like], type(like)
        self.sizes = [math.prod(shape) for shape in self.shapes]

    def A(self, x: Tensor, **kwargs: object) -> Tensor:
        """Return the measurements of x, (batch, 1, 1, entries)."""
        return joined(self.physics.A(x))

    def A_adjoint(self, y: Tensor, **kwargs: object) -> Tensor:
        """Return A^T y."""
        parts = y.flatten(1).split(self.sizes, 1)
        kind: Any = self.kind
        return self.physics.A_adjoint(kind([p.reshape(len(y), *shape) for p, shape in zip(parts, self.shapes, strict=True)]))


def joined(parts: Any) -> Tensor:
    """Return several tensors (batch, ...) as one, (batch, 1, 1, entries)."""
    return torch.cat([part.flatten(1) for part in parts], 1)[:, None, None]


def as_one(y: Any, physics: Physics) -> tuple[Tensor, Physics]:
    """Return one tensor of measurements, and the physics that makes it; several tensors are those of a stack.

    Raises:
        ShapeError: y is no tensor, nor several.
    """
    if isinstance(y, Tensor):
        return y, physics
    if type(y).__name__ == "TensorList" or (isinstance(y, list | tuple) and y and all(isinstance(p, Tensor) for p in y)):
        return joined(y), Joined(physics, y)  # pyright: ignore[reportArgumentType]
    raise ShapeError(f"the measurement is one tensor, or several of a stack, got {type(y).__name__}; torch.from_numpy makes one")


@dataclass(frozen=True)
class Units:
    """The user's units, in those of the solver.

    Attributes:
        scale: s of (1).
        low: value of the picture that is 0 for the prior.
        width: r of (1), the value that is 1 for the prior minus `low`.
    """

    scale: float = 1.0
    low: float = 0.0
    width: float = 1.0

    @classmethod
    def of(cls, facts: OperatorFacts, data_range: DataRange) -> Units:
        """Return the units of an operator and a picture.

        Raises:
            ConfigError: the range is empty or not finite.
        """
        low, high = (0.0, float(data_range)) if isinstance(data_range, int | float) else map(float, data_range)
        if not (math.isfinite(low) and math.isfinite(high) and high > low):
            raise ConfigError(
                f"data_range is the values that are 0 and 1 for the prior, the first below the second, got {data_range}"
            )
        scale = 2.0 ** round(math.log2(facts.norm_squared) / 2) if facts.linear else 1.0
        return cls(scale, low, high - low)

    def physics(self, physics: Physics) -> Physics:
        """Return B."""
        return physics if self.scale == 1 or not isinstance(physics, LinearPhysics) else Scaled(physics, self.scale)

    def facts(self, facts: OperatorFacts) -> OperatorFacts:
        """Return the facts of B."""
        square = self.scale**2
        return replace(
            facts,
            norm_squared=facts.norm_squared / square,
            column_norm=facts.column_norm / self.scale,
            smallest_squared=facts.smallest_squared / square,
        )

    def of_unit_pictures(self, y: Tensor, physics: Physics, like: Tensor) -> Tensor:
        """Return (y - A low) / r, the measurement of u by A.

        Args:
            y: measurement of x.
            physics: A.
            like: an image.
        """
        offset = physics.A(torch.full_like(like, self.low)) if self.low else 0.0
        return y if self.low == 0 and self.width == 1 else (y - offset) / self.width

    def inside(self, x: Tensor) -> Tensor:
        """Return u of an image x."""
        return (x - self.low) / self.width if self.low or self.width != 1 else x

    def outside(self, u: Tensor) -> Tensor:
        """Return x of an image u."""
        return self.low + self.width * u if self.low or self.width != 1 else u

    def of_operator(self, trace: Trace, length: float) -> Trace:
        """Return the trace of F(u) as that of s^2 F(u), the objective with A in place of B.

        Args:
            trace: of the solver.
            length: by which its steps or penalties are multiplied.
        """
        square = self.scale**2
        if square == 1:
            return trace
        return replace(_multiplied(trace, square, square), steps=[step * length for step in trace.steps])

    def of_picture(self, trace: Trace) -> Trace:
        """Return the trace of `of_operator` for x in place of u: r^2 times the objective, whose gradient by x is r times."""
        if self.width == 1 and self.low == 0:
            return trace
        found = _multiplied(trace, self.width**2, self.width)
        return replace(found, image=self.outside(trace.image), changes=[change * self.width for change in trace.changes])

    def certificate(self, found: ConvergenceCertificate) -> ConvergenceCertificate:
        """Return a certificate in the units of `of_operator` in those of `of_picture`."""
        powers = {"weight": 2, "largest_rise": 2, "allowed_rise": 2, "residual": 1, "distance_bound": 1}
        numbers = {
            name: value * self.width ** powers.get(name, 0) if isinstance(value, float) else value
            for name, value in found.numbers.items()
        }
        return replace(found, numbers=numbers)


def _multiplied(trace: Trace, energy: float, gradient: float) -> Trace:
    return replace(
        trace,
        objective=[value * energy for value in trace.objective],
        lagrangian=[value * energy for value in trace.lagrangian],
        residual=trace.residual * gradient,
    )
