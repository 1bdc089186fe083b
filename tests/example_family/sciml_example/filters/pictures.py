"""Synthetic data: sums of a few random waves, so that the example needs no file."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from sciml.runtime.seeds import Seeds


def waves(count: int, size: int, seed: int, role: str) -> Float[np.ndarray, "count size size"]:
    """Return smooth pictures in [0, 1]; the roles `train` and `test` have different ones.

    Args:
        count: how many.
        size: height and width in pixels.
        seed: master seed of the run.
        role: name of the seed.
    """
    random = np.random.default_rng(Seeds(seed)("example", role))
    rows, columns = np.mgrid[:size, :size] / size
    pictures = np.zeros((count, size, size))
    for picture in pictures:
        for _ in range(4):
            across, down = random.uniform(-3, 3, 2)
            picture += np.cos(2 * np.pi * (across * columns + down * rows + random.uniform()))
    return (0.5 + pictures / 8).astype(np.float32)
