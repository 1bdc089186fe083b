"""The three grids of the family: 4.5, 3 and 1.5 mm over one field of view of MNI space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sciml.runtime.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

FIELD_OF_VIEW_MM = (180.0, 216.0, 180.0)
"""Along left to right, back to front, feet to head."""

# the box of the 1.5 mm crop (120, 144, 120) of the 1 mm MNI152 grid on which the published networks were trained
LOWER_CORNER_MM = (-90.75, -125.25, -71.25)


@dataclass(frozen=True)
class Grid:
    """Voxels of one size in MNI space; array axes run to the right, to the front and to the head (RAS+).

    All grids cut the same box, so that a voxel of a coarse one is a block of voxels of a finer one. The authors' networks count
    the first axis the other way round (LAS): flip axis 0 of an array for them.

    Attributes:
        name: `4.5mm`, `3mm` or `1.5mm`.
        spacing_mm: edge of a voxel.
    """

    name: str
    spacing_mm: float

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return the number of voxels along the three axes."""
        right, front, head = (round(size / self.spacing_mm) for size in FIELD_OF_VIEW_MM)
        return right, front, head

    @property
    def affine(self) -> np.ndarray:
        """Return the (4, 4) map from voxel indices to millimetres; an index points at the middle of its voxel."""
        import numpy as np

        affine = np.diag([self.spacing_mm] * 3 + [1.0])
        affine[:3, 3] = np.array(LOWER_CORNER_MM) + self.spacing_mm / 2
        return affine

    @property
    def voxel_ml(self) -> float:
        """Return the volume of a voxel in millilitres."""
        return self.spacing_mm**3 / 1000


GRIDS = {grid.name: grid for grid in (Grid("4.5mm", 4.5), Grid("3mm", 3.0), Grid("1.5mm", 1.5))}
"""Grids by name. All cut one box of MNI space; they differ in the size of a voxel."""


def grid_of(name: str) -> Grid:
    """Return a grid by name.

    Raises:
        ConfigError: there is no such grid.
    """
    if name not in GRIDS:
        raise ConfigError(f"no grid is called {name!r}; there are {', '.join(GRIDS)}")
    return GRIDS[name]
