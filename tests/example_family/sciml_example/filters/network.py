"""The method: one convolution."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sciml.runtime.errors import ConfigError


class LinearFilter(nn.Module):
    """A linear filter w, applied with the picture mirrored at its border.

        f(y)[i] = sum over offsets j of w[j] y[i + j]

    Args:
        size: height and width of w, an odd number of pixels.

    Raises:
        ConfigError: the size is even: the filter would have no centre.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        if size % 2 == 0:
            raise ConfigError(f"filter_size is {size}, expected an odd number: the filter has a centre")
        self.convolution = nn.Conv2d(1, 1, size, padding=size // 2, padding_mode="reflect", bias=False)
        with torch.no_grad():
            self.convolution.weight.fill_(1 / size**2)

    def forward(self, y: Float[Tensor, "batch 1 height width"]) -> Float[Tensor, "batch 1 height width"]:
        """Return the filtered pictures."""
        return self.convolution(y)
