"""Random networks and images for the tests of the implicit form."""

from __future__ import annotations

import torch

from sciml.proximal.potentials.regularizer import WeaklyConvexRegularizer
from sciml.proximal.settings.structures import RegularizerConfig


def perturbed(config: RegularizerConfig, seed: int = 0, size: float = 0.3) -> WeaklyConvexRegularizer:
    """Return a regulariser with random parameters, in float64."""
    generator = torch.Generator().manual_seed(seed)
    prior = WeaklyConvexRegularizer(config).double()
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter += size * parameter.abs().mean() * torch.randn(parameter.shape, generator=generator, dtype=torch.double)
    return prior


def images(channels: int, size: tuple[int, int], count: int = 2, scale: float = 0.3) -> torch.Tensor:
    """Return random images in float64."""
    return scale * torch.randn(count, channels, *size, generator=torch.Generator().manual_seed(5), dtype=torch.double)
