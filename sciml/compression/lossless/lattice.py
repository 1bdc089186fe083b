"""The order of lossless coding: from every 64th sample of a plane down, three interlaced passes a halving of the distance.

With samples on a square lattice of distance 2d known,

    pass A  the centres of its squares             neighbours: 16 of the lattice
    pass B  between two of the lattice, in rows    8 of the lattice, 8 of A
    pass C  between two of the lattice, in columns 8 of the lattice, 8 of A, 4 of B

and the lattice of distance d is known. A pass is one vector operation; outside of the plane the nearest sample of the same
lattice counts. The first four neighbours are the nearest.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Shaped

PASSES = 3
COARSEST_LOG2 = 6
RING = 2
# samples of a pass that are worked on together
BAND = 2**14
# lattice (L), centres (A) or row midpoints (B) and steps down and right in its own rows and columns
Place = tuple[int, int, int]
L, A, B, C = range(4)


def _far(rows: range, columns: range) -> tuple[Place, ...]:
    near = {0, 1}
    return tuple((L, a, b) for a in rows for b in columns if not (a in near and b in near))


NEIGHBOURS: tuple[tuple[Place, ...], ...] = (
    ((L, 0, 0), (L, 0, 1), (L, 1, 0), (L, 1, 1), *_far(range(-1, 3), range(-1, 3))),
    (
        *((L, 0, 0), (L, 0, 1), (A, -1, 0), (A, 0, 0)),
        *((L, -1, 0), (L, -1, 1), (L, 1, 0), (L, 1, 1), (L, 0, -1), (L, 0, 2)),
        *((A, -1, -1), (A, -1, 1), (A, 0, -1), (A, 0, 1), (A, -2, 0), (A, 1, 0)),
    ),
    (
        *((L, 0, 0), (L, 1, 0), (A, 0, -1), (A, 0, 0)),
        *((B, 0, -1), (B, 0, 0), (B, 1, -1), (B, 1, 0)),
        *((L, 0, -1), (L, 0, 1), (L, 1, -1), (L, 1, 1), (L, -1, 0), (L, 2, 0)),
        *((A, -1, -1), (A, -1, 0), (A, 1, -1), (A, 1, 0), (A, 0, -2), (A, 0, 1)),
    ),
)
COUNTS = tuple(len(places) for places in NEIGHBOURS)


def coarsest(rows: int, columns: int) -> int:
    """Return the distance of the first samples: 64, or the largest power of 2 that is no longer than a side."""
    return 1 << min(COARSEST_LOG2, min(rows, columns).bit_length() - 1)


def part(plane: Shaped[np.ndarray, "rows columns"], distance: int, which: int) -> Shaped[np.ndarray, "rows2 columns2"]:
    """Return a view of the lattice of distance 2d (0), the centres (1), the row (2) or the column midpoints (3)."""
    top, left = ((0, 0), (distance, distance), (0, distance), (distance, 0))[which]
    return plane[top :: 2 * distance, left :: 2 * distance]


class Around:
    """Neighbours of the samples of a pass, band by band of rows.

    Args:
        plane: samples of a plane.
        distance: distance of the pass.
        number: 0, 1 or 2.
    """

    def __init__(self, plane: Shaped[np.ndarray, "rows columns"], distance: int, number: int):
        self._padded = [np.pad(part(plane, distance, which), RING, mode="edge") for which in range(number + 1)]
        self._own = part(plane, distance, number + 1)
        self._places = NEIGHBOURS[number]

    def own(self, band: slice) -> Shaped[np.ndarray, "rows2 columns2"]:
        """Return the samples of the pass themselves."""
        return self._own[band]

    def near(self, band: slice, count: int | None = None) -> list[Float[np.ndarray, "rows2 columns2"]]:
        """Return the neighbours, the first `count` or all."""
        columns = self._own.shape[1]
        return [
            self._padded[which][RING + down + band.start : RING + down + band.stop, RING + right : RING + right + columns]
            for which, down, right in self._places[:count]
        ]


def bands(rows: int, columns: int) -> list[slice]:
    """Return slices of rows with about as many samples as a processor's cache holds arrays of."""
    height = max(BAND // max(columns, 1), 1)
    return [slice(top, min(top + height, rows)) for top in range(0, rows if columns else 0, height)]
