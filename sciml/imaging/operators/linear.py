"""What a physics is: an operator A, its exact adjoint where it is linear, and the noise level as `physics.noise_level`.

Every physics of deepinv is a `Physics` here too, and every linear one a `LinearPhysics`: what counts is that A and A_adjoint are
there. The names mean the same, so `as_deepinv` hands one of these to deepinv's own algorithms. deepinv is not imported before:
its import takes longer than most reconstructions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from torch import Tensor

from sciml.runtime.extras import explained

if TYPE_CHECKING:
    import deepinv

    from sciml.imaging.operators.physics import Noise


@runtime_checkable
class Physics(Protocol):
    """A forward operator A, linear or not, with its vector-Jacobian product."""

    def A(self, x: Tensor, **kwargs: Any) -> Tensor:
        """Return A(x)."""
        ...

    def A_vjp(self, x: Tensor, v: Tensor) -> Tensor:
        """Return J(x)^T v, J the Jacobian of A."""
        ...


@runtime_checkable
class LinearPhysics(Physics, Protocol):
    """A linear operator with its adjoint."""

    def A_adjoint(self, y: Tensor, **kwargs: Any) -> Tensor:
        """Return A^T y."""
        ...


class Linear:
    """Base of this package's linear operators: called like deepinv's, `physics(x)` is A x."""

    noise_level: Noise

    def A(self, x: Tensor, **kwargs: object) -> Tensor:
        """Return A x."""
        raise NotImplementedError

    def A_adjoint(self, y: Tensor, **kwargs: object) -> Tensor:
        """Return A^T y."""
        raise NotImplementedError

    def A_vjp(self, x: Tensor, v: Tensor) -> Tensor:
        """Return A^T v: the Jacobian of a linear operator is itself."""
        return self.A_adjoint(v)

    def __call__(self, x: Tensor) -> Tensor:
        """Return A x."""
        return self.A(x)


def as_deepinv(physics: LinearPhysics) -> deepinv.physics.LinearPhysics:
    """Return the same operator for deepinv's own algorithms, which ask for its class.

    Example:
        >>> import torch
        >>> from sciml.imaging import Identity
        >>> as_deepinv(Identity()).A_dagger(torch.ones(1, 1, 2, 2)).shape
        torch.Size([1, 1, 2, 2])

    Raises:
        MissingPackage: deepinv is not installed.
    """
    try:
        from deepinv.physics import LinearPhysics as Theirs
    except ModuleNotFoundError as error:
        raise explained(error, "deepinv") from None

    return Theirs(A=physics.A, A_adjoint=physics.A_adjoint)
