"""Small problems that several imaging tests start from."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

PHOTOS = ("camera", "astronaut", "coffee", "chelsea", "kodim23", "monarch", "barbara", "sail", "tulips")


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=dtype)


def blocks(height: int, width: int, batch: int = 1) -> Tensor:
    """Return pictures of flat boxes in [0, 1], another in each member of the batch."""
    x = torch.full((batch, 1, height, width), 0.1)
    for index in range(batch):
        top, left = height // 5 + index, width // 4
        x[index, :, top : top + height // 2, left : left + width // 3] = 0.8
        x[index, :, height // 2 :, width // 2 : width * 3 // 4] = 0.4 + 0.1 * index
    return x


def blobs(height: int, width: int) -> np.ndarray:
    """Return a smooth picture of three Gaussian spots well inside the frame."""
    row = np.linspace(-1, 1, height)[:, None] * height / max(height, width)
    column = np.linspace(-1, 1, width)[None] * width / max(height, width)
    spots = ((0.25, 0.1, 0.15), (-0.2, -0.3, 0.12), (0.1, -0.2, 0.2))
    return np.sum([np.exp(-((row - a) ** 2 + (column - b) ** 2) / (2 * s**2)) for a, b, s in spots], axis=0)


def psnr_db(estimate: Tensor, truth: Tensor) -> float:
    return float(-10 * (estimate - truth).square().mean().log10())
