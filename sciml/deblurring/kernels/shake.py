"""A camera that turned while it moved: each place of the picture has a kernel of its own, all of them from one list of poses.

With the camera turned by a and moved by t, the point q of the sharp picture is seen at

    p = R(a) q + t,    R(a) = [[cos a, -sin a], [sin a, cos a]] in rows and columns,

both from the middle of the picture; so light comes to p over the distance d(p) = p - R(a)^T (p - t), and the kernel at p has the
share w of the exposure there (Whyte et al., Int. J. Comput. Vis. 2012, of whose rotations this is the one about the axis).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy import sparse

from sciml.formats.decoding import check_file, one_line
from sciml.imaging.operators.kernels import LARGEST, Kernel
from sciml.runtime.errors import DataError, FormatError, ShapeError
from sciml.runtime.files import write_text

COLUMNS = "rows,columns,degrees,weight"
MOST_POSES, MOST_BYTES = 100_000, 20_000_000
Place = tuple[float, float]
Displacements = Float[np.ndarray, "poses two"]


@dataclass(frozen=True)
class Shake:
    """Poses that a camera took while the shutter was open.

    Attributes:
        poses: by how many pixels the picture moved down and to the right, and by how many degrees it turned about its middle,
            counter-clockwise as one looks at it; (poses, 3).
        weights: share of the exposure of each pose, (poses,); divided by their sum.
        notes: what speaks against them, in sentences for the user.

    Raises:
        ShapeError: other shapes, or kernels wider than 255 pixels without any turn.
        DataError: values that are not finite, a negative weight, or none above 0.

    Example:
        >>> turn = Shake(np.array([[0, 0, -1.0], [0, 0, 1.0]]), np.ones(2))
        >>> turn.kernel((0, 0), 3).max(), turn.size(200, 300)
        (1.0, 9)
    """

    poses: Float[np.ndarray, "poses three"]
    weights: Float[np.ndarray, " poses"]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        poses, weights = np.asarray(self.poses, dtype=np.float64), np.asarray(self.weights, dtype=np.float64)
        if poses.ndim != 2 or poses.shape[1] != 3 or weights.shape != poses.shape[:1]:
            raise ShapeError(f"a shake has poses (count, 3) and weights (count,), got {poses.shape} and {weights.shape}")
        if not (np.isfinite(poses).all() and np.isfinite(weights).all()):
            raise DataError("the shake holds values that are not finite")
        if not (weights.min(initial=0) >= 0 and weights.sum() > 0):
            raise DataError("the weights of a shake are shares of the exposure: not negative, and not all 0")
        used = weights > 0
        object.__setattr__(self, "poses", poses[used])
        object.__setattr__(self, "weights", weights[used] / weights.sum())

    @property
    def turn(self) -> float:
        """Standard deviation of the angle over the exposure, in radians."""
        angles = np.deg2rad(self.poses[:, 2])
        return math.sqrt(np.average((angles - np.average(angles, weights=self.weights)) ** 2, weights=self.weights))

    def size(self, height: int, width: int) -> int:
        """Return the least odd size that holds the kernels of all places of a picture of so many pixels.

        Raises:
            ShapeError: it is above 255.
        """
        corners = [(row * (height - 1) / 2, column * (width - 1) / 2) for row in (-1, 1) for column in (-1, 1)]
        reach = max(float(np.abs(displacements(self.poses, place)).max()) for place in corners)
        size = 2 * math.ceil(reach - 1e-9) + 1
        if size > LARGEST:
            raise ShapeError(f"in the corners of the picture the shake is {size} pixels wide, at most {LARGEST} can be restored")
        return size

    def kernel(self, place: Place, size: int) -> Kernel:
        """Return the kernel at a place, drawn with bilinear weights.

        Args:
            place: rows and columns from the middle of the picture.
            size: odd; what lies outside is lost.

        Raises:
            ShapeError: all of the light lies outside.
        """
        kernel = (splatted(displacements(self.poses, place), size) @ self.weights).reshape(size, size)
        if not kernel.sum() > 0:
            raise ShapeError(f"no light comes over less than {size // 2} pixels at {place}: the kernel needs a larger size")
        return kernel / kernel.sum()

    def grid(self, picture: tuple[int, int], size: int) -> Float[np.ndarray, "rows columns"]:
        """Return the kernels at 3 x 3 places of a picture of that height and width, side by side, each of `size`."""
        places = [[(row * picture[0] / 3, column * picture[1] / 3) for column in (-1, 0, 1)] for row in (-1, 0, 1)]
        return np.block([[self.kernel(place, size) for place in row] for row in places])


def displacements(poses: Float[np.ndarray, "poses three"], place: Place) -> Displacements:
    """Return d(p) = p - R(a)^T (p - t) of all poses (rows, columns, degrees) at one place p, in pixels down and to the right."""
    angles = np.deg2rad(poses[:, 2])
    rows, columns = place[0] - poses[:, 0], place[1] - poses[:, 1]
    cos, sin = np.cos(angles), np.sin(angles)
    return np.stack([place[0] - (cos * rows + sin * columns), place[1] - (cos * columns - sin * rows)], 1)


def splatted(points: Displacements, size: int) -> sparse.csr_matrix:
    """Return the matrix that turns weights of points into a kernel, (size * size, points): bilinear shares of four pixels.

    Args:
        points: rows and columns from the middle of the kernel.
        size: odd; what lies outside is lost.
    """
    low = np.floor(points).astype(int)
    share = points - low
    values, pixels, columns = [], [], []
    for corner in ((0, 0), (0, 1), (1, 0), (1, 1)):
        at = low + corner + size // 2
        value = np.abs(1 - np.array(corner) - share).prod(1)
        kept = np.flatnonzero(((at >= 0) & (at < size)).all(1) & (value > 0))
        values.append(value[kept])
        pixels.append(at[kept] @ (size, 1))
        columns.append(kept)
    places = (np.concatenate(pixels), np.concatenate(columns))
    return sparse.csr_matrix((np.concatenate(values), places), (size * size, len(points)))


def is_shake(path: Path | str) -> bool:
    """Return whether a file's name is that of a table for `read_shake`."""
    return Path(path).suffix.lower() == ".csv"


def read_shake(path: Path) -> Shake:
    """Return the shake of a table with the columns rows, columns, degrees, weight, such as a gyroscope's log.

    Raises:
        DataError: missing, or the values are no shake's; see `Shake`.
        FormatError: not such a table, or of more than 100,000 poses.
    """
    check_file(path)
    if path.stat().st_size > MOST_BYTES:
        raise FormatError(f"{path} is no table of poses: it has more than {MOST_BYTES // 10**6} MB")
    try:
        with path.open(encoding="utf-8-sig") as file:
            header = file.readline(1000).strip().replace(" ", "")
            if header != COLUMNS:
                raise FormatError(f"{path}: the first line of a shake is {COLUMNS}, got {header[:60]!r}")
            rows = [row for row in islice(file, MOST_POSES + 1) if row.strip()]
            table = np.loadtxt(rows, delimiter=",", ndmin=2) if rows else np.zeros((0, 4))
    except ValueError as error:
        raise FormatError(f"{path} is no table of poses: {one_line(error)}") from error
    if not 1 <= len(table) <= MOST_POSES or table.shape[1] != 4:
        raise FormatError(f"{path}: a shake has 1 to {MOST_POSES} rows of four numbers, got {len(table)} x {table.shape[1]}")
    return Shake(table[:, :3], table[:, 3])


def write_shake(path: Path, shake: Shake) -> None:
    """Write a table for `read_shake`."""
    table = np.column_stack([shake.poses, shake.weights])
    write_text(path, "\n".join([COLUMNS, *(",".join(f"{value:.6g}" for value in row) for row in table), ""]))
