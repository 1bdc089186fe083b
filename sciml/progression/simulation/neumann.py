"""Poisson's equation with closed walls on a masked grid: the least-energy flow with a given divergence.

    (1)  lap psi = a in M,  d psi / dn = 0 on its boundary,  v = grad psi

psi stands in the middles of the voxels, v on their faces (a staggered grid): a face between two voxels of M carries the
difference of psi, every other face is a wall with v = 0. The divergence of v is then a up to the tolerance of the solver, and
no flow leaves M. Lengths are voxels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import dctn, idctn

from sciml.runtime.errors import NumericalError

Faces = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Flow:
    """A solution of (1).

    Attributes:
        faces: velocity on the faces across each axis, walls at both ends included: one more than voxels along that axis.
        iterations: of the solver.
    """

    faces: Faces
    iterations: int


class ClosedDomain:
    """The solver of (1) on one mask: conjugate gradients, preconditioned by the same equation on the whole box.

    Args:
        mask: bool (D, H, W), connected; the voxels of M.
    """

    def __init__(self, mask: np.ndarray) -> None:
        self.mask = mask
        self.open = tuple(_ahead(mask, axis) & _behind(mask, axis) for axis in range(3))
        # eigenvalues of the box's Neumann Laplacian under the DCT-II: sum over the axes of 2 - 2 cos(pi k / n)
        lines = [2 - 2 * np.cos(np.pi * np.arange(size) / size) for size in mask.shape]
        eigenvalues = lines[0][:, None, None] + lines[1][None, :, None] + lines[2][None, None, :]
        eigenvalues[0, 0, 0] = np.inf  # the mean is free
        self._inverse = 1 / eigenvalues

    def solve(self, source: np.ndarray, tolerance: float = 1e-4, most: int = 200) -> Flow:
        """Return the flow whose divergence is `source` in the mask; the mean of `source` over the mask must be zero.

        Args:
            source: a, (D, H, W), in parts of the volume that is gained a unit of time.
            tolerance: of the residual's norm, in parts of the norm of `source`.
            most: iterations.

        Raises:
            NumericalError: no convergence, or a source that a closed domain cannot have.
        """
        size = float(np.linalg.norm(source[self.mask]))
        total = float(source[self.mask].sum())
        if abs(total) > 1e-6 * size * np.sqrt(self.mask.sum()):
            raise NumericalError(f"the source gains {total:.3g} voxels in a closed domain: expected 0")
        residual = np.where(self.mask, -source, 0.0)
        potential = np.zeros_like(residual)
        if size == 0:
            return Flow(self.velocity(potential), 0)
        conditioned = self._precondition(residual)
        direction, product = conditioned, float((residual * conditioned).sum())
        for iteration in range(1, most + 1):
            image = -self.divergence(self.velocity(direction))
            length = product / float((direction * image).sum())
            potential += length * direction
            residual -= length * image
            if np.linalg.norm(residual) <= tolerance * size:
                return Flow(self.velocity(potential), iteration)
            conditioned = self._precondition(residual)
            product, before = float((residual * conditioned).sum()), product
            direction = conditioned + (product / before) * direction
        raise NumericalError(f"the flow did not converge to {tolerance:g} within {most} iterations: is the mask connected?")

    def still(self) -> Faces:
        """Return no velocity."""
        return self.velocity(np.zeros(self.mask.shape))

    def velocity(self, potential: np.ndarray) -> Faces:
        """Return v = grad psi on open faces, 0 on walls."""
        first, second, third = (
            np.pad(
                np.where(self.open[axis], np.diff(potential, axis=axis), 0.0), [(int(axis == other),) * 2 for other in range(3)]
            )
            for axis in range(3)
        )
        return first, second, third

    def divergence(self, faces: Faces) -> np.ndarray:
        """Return what flows out of each voxel, (D, H, W)."""
        return sum((np.diff(face, axis=axis) for axis, face in enumerate(faces)), np.zeros(self.mask.shape))

    def _precondition(self, residual: np.ndarray) -> np.ndarray:
        spectrum = np.asarray(dctn(residual, type=2, norm="ortho")) * self._inverse
        return np.where(self.mask, np.asarray(idctn(spectrum, type=2, norm="ortho", overwrite_x=True)), 0.0)


def _ahead(array: np.ndarray, axis: int) -> np.ndarray:
    return array[(slice(None),) * axis + (slice(1, None),)]


def _behind(array: np.ndarray, axis: int) -> np.ndarray:
    return array[(slice(None),) * axis + (slice(None, -1),)]
