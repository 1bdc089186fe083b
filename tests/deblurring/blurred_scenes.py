"""Sharp synthetic scenes blurred by known kernels, for the tests of the image and kernel steps."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from sciml.imaging.operators.convolution import ValidBlur
from sciml.imaging.operators.kernels import Kernel


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def sharp(size: int, seed: int = 4, channels: int = 1) -> Tensor:
    """A picture of boxes and disks of many sizes, turns and greys, float64 (1, channels, size, size)."""
    generator = rng(seed)
    x = np.full((channels, size, size), 0.4)
    rows, columns = np.mgrid[:size, :size]
    for index in range(45):
        r, c = generator.uniform(0, size, 2)
        extent, grey = generator.uniform(3, max(4, size / 7)), generator.uniform(0.05, 0.9, channels)[:, None]
        if index % 3 == 0:
            inside = (rows - r) ** 2 + (columns - c) ** 2 < extent**2
        else:
            angle = generator.uniform(0, math.pi)
            along = (rows - r) * math.cos(angle) + (columns - c) * math.sin(angle)
            across = (columns - c) * math.cos(angle) - (rows - r) * math.sin(angle)
            inside = (np.abs(along) < extent) & (np.abs(across) < extent / 2)
        x[:, inside] = grey
    return torch.from_numpy(x)[None]


def blurred(kernel: Kernel, size: int = 96, sigma: float = 0.01, seed: int = 4, channels: int = 1) -> tuple[Tensor, Tensor]:
    """Return a blurred noisy picture and the truth inside it, float32 (1, channels, size, size)."""
    x = sharp(size + kernel.shape[0] - 1, seed, channels)
    blur = ValidBlur(kernel, (size, size), torch.float64)
    clean = blur.A(x)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (clean + sigma * noise).float(), blur.crop(x).float()


def psnr(estimate: Tensor, truth: Tensor) -> float:
    return float(-10 * torch.log10((estimate - truth).double().square().mean()))


def inside(x: Tensor, kernel: Kernel) -> Tensor:
    """Return the part of a canvas image that lies inside the picture."""
    margin = kernel.shape[0] // 2
    return x[..., margin:-margin, margin:-margin]
