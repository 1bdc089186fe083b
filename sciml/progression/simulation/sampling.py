"""Linear interpolation of many fields at the same places: weights are made once, then one sparse product."""

from __future__ import annotations

import numpy as np
from scipy import sparse


def sampled(fields: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return fields at points, trilinear; beyond the box as at its nearest place.

    Args:
        fields: (D, H, W, count), contiguous; two voxels and more along each axis.
        points: (3, n), in voxels.

    Returns:
        Shape (count, n), of the fields' type.
    """
    shape = fields.shape[:3]
    at = np.clip(points, 0, np.array(shape)[:, None] - 1)
    low = np.minimum(at.astype(np.int32), np.array(shape, np.int32)[:, None] - 2)
    high = (at - low).astype(fields.dtype)
    sides = [(1 - part, part) for part in high]
    first = (low[0] * shape[1] + low[1]) * shape[2] + low[2]
    count = points.shape[1]
    weights, indices = np.empty((count, 8), fields.dtype), np.empty((count, 8), np.int32)
    for number, (i, j, k) in enumerate(np.ndindex(2, 2, 2)):
        weights[:, number] = sides[0][i] * sides[1][j] * sides[2][k]
        indices[:, number] = first + ((i * shape[1] + j) * shape[2] + k)
    starts = np.arange(0, 8 * count + 1, 8, dtype=np.int32)
    matrix = sparse.csr_array((weights.ravel(), indices.ravel(), starts), shape=(count, int(np.prod(shape))))
    return (matrix @ fields.reshape(-1, fields.shape[-1])).T
