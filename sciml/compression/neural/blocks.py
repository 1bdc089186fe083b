"""Blocks of the paper's networks, C channels within, as its published code has them.

    residual        x + conv(silu(conv(silu(x))))
    down            conv(gdn(conv_2(silu(x)))) + conv_2(x)               conv_2 has stride 2
    up              conv(igdn(shuffle(conv(silu(x))))) + shuffle(conv(x))
    attention       x + a sigmoid(b), a and b three residual blocks each, b with a 1 x 1 convolution behind
    gdn             x_i / sqrt(beta_i + sum_j gamma_ij x_j^2)            igdn multiplies

All convolutions are 3 x 3 but where it says so. Source: Zhu et al., CVPR 2022; GDN: Balle et al., ICLR 2016.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

Features = Float[Tensor, "batch channels rows columns"]

LEAST_BETA = 1e-4


def conv(inward: int, outward: int, stride: int = 1) -> nn.Conv2d:
    """Return a 3 x 3 convolution that keeps the size, or halves it."""
    return nn.Conv2d(inward, outward, 3, stride, padding=1)


class Gdn(nn.Module):
    """Generalised divisive normalisation; beta and gamma are squares of the parameters, so they stay positive.

    Args:
        width: channels.
        inverse: multiply instead.
    """

    def __init__(self, width: int, inverse: bool = False):
        super().__init__()
        self.beta = nn.Parameter(torch.ones(width))
        self.gamma = nn.Parameter((0.1 * torch.eye(width)).sqrt())
        self.inverse = inverse

    def forward(self, x: Features) -> Features:
        """Return x normalised by the energy of all channels."""
        energy = functional.conv2d(x.square(), self.gamma.square()[..., None, None], self.beta.square() + LEAST_BETA)
        return x * (energy.sqrt() if self.inverse else energy.rsqrt())


class Residual(nn.Module):
    """A residual block."""

    def __init__(self, width: int):
        super().__init__()
        self.branch = nn.Sequential(nn.SiLU(), conv(width, width), nn.SiLU(), conv(width, width))

    def forward(self, x: Features) -> Features:
        """Return x with the block's addition."""
        return x + self.branch(x)


class Down(nn.Module):
    """A residual block that halves the size."""

    def __init__(self, width: int):
        super().__init__()
        self.branch = nn.Sequential(nn.SiLU(), conv(width, width, 2), Gdn(width), conv(width, width))
        self.skip = conv(width, width, 2)

    def forward(self, x: Features) -> Features:
        """Return features of half the size."""
        return self.branch(x) + self.skip(x)


class Up(nn.Module):
    """A residual block that doubles the size."""

    def __init__(self, width: int):
        super().__init__()
        self.branch = nn.Sequential(
            nn.SiLU(), conv(width, 4 * width), nn.PixelShuffle(2), Gdn(width, inverse=True), conv(width, width)
        )
        self.skip = nn.Sequential(conv(width, 4 * width), nn.PixelShuffle(2))

    def forward(self, x: Features) -> Features:
        """Return features of twice the size."""
        return self.branch(x) + self.skip(x)


class Attention(nn.Module):
    """x plus a branch that another one masks."""

    def __init__(self, width: int):
        super().__init__()
        self.branch = nn.Sequential(*(Residual(width) for _ in range(3)))
        self.mask = nn.Sequential(*(Residual(width) for _ in range(3)), nn.Conv2d(width, width, 1))

    def forward(self, x: Features) -> Features:
        """Return x with what the mask lets through."""
        return x + self.branch(x) * torch.sigmoid(self.mask(x))
