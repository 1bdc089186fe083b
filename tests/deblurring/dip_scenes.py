"""A small scene and quick settings for the tests of untrained networks."""

from __future__ import annotations

import numpy as np
import torch

from sciml.deblurring.settings.structures import DipConfig, StopConfig
from sciml.imaging.operators.convolution import ValidBlur
from sciml.imaging.operators.kernels import line

QUICK = DipConfig(
    warm_start="fit",
    tv_weight=0.2,
    network="tiny",
    iterations=12,
    start_iterations=8,
    ramp_iterations=4,
    checkpoint_every=5,
    stop=StopConfig(look_every=3, window=6),
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


def configured(**changes: object) -> DipConfig:
    return DipConfig.model_validate(QUICK.model_dump() | changes)


def scene(size: int, channels: int = 1, sigma: float = 0.01, kernel: np.ndarray | None = None, seed: int = 0):
    """Return a canvas with edges and a grating, its picture, and the kernel."""
    kernel = line(7.0, 20.0, 9) if kernel is None else kernel
    canvas = size + kernel.shape[0] - 1
    place = torch.arange(canvas, dtype=torch.float32)
    x = 0.3 + 0.15 * torch.sin(place[:, None] / 3) * torch.cos(place / 4) + 0.35 * ((place[:, None] // 11 + place // 9) % 2)
    x = x.expand(1, channels, canvas, canvas).clone()
    blurred = ValidBlur(kernel, (size, size)).A(x)
    return x, blurred + sigma * torch.randn(blurred.shape, generator=seeded(seed)), kernel
