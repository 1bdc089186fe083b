"""Denoisers without a certificate, for comparison: what a learned proximal network pays for its guarantees.

* residual:       f(y) = y - sigma N(y, sigma), N a plain convolutional network (Zhang et al., IEEE Trans. Image Process. 2017);
* gradient_step:  f = y - grad g,  g(y) = 1/2 ||y - D(y)||^2,  D the network above (Hurault, Leclaire and Papadakis, ICLR 2022).

The first field need not be a gradient at all. The second always is, but 1/2 ||y||^2 - g need not be convex, so that neither is a
proximal operator for arbitrary weights, and neither has a regulariser that could be printed or certified.
"""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sciml.proximal.settings.structures import PeerConfig
from sciml.runtime.errors import ConfigError, ShapeError

Images = Float[Tensor, "batch channel height width"]
Levels = Float[Tensor, " batch"]
# responses of the first layer to the noise level, which is small beside the image's values
SIGMA_GAIN = 5.0


class ResidualDenoiser(nn.Module):
    """f(y) = y - sigma N(y, sigma) with N of `depth` 3 x 3 convolutions and ELU between them.

    N sees the image about its mid grey and the noise level as one more channel, and estimates the noise in units of sigma.
    Images of any size are extended by repeating the edge pixel.

    Args:
        config: channels, width, depth.
        seed: start of the weights.

    Example:
        >>> f = ResidualDenoiser(PeerConfig())
        >>> f(torch.rand(1, 1, 17, 12), torch.tensor([0.1])).shape
        torch.Size([1, 1, 17, 12])
    """

    kind: ClassVar[str] = "residual"

    def __init__(self, config: PeerConfig, seed: int = 0) -> None:
        super().__init__()
        self.config, self.channels = config, config.channels
        widths = [config.channels + 1, *[config.width] * (config.depth - 1), config.channels]
        generator = torch.Generator().manual_seed(seed)
        layers = [nn.Conv2d(a, b, 3) for a, b in pairwise(widths)]
        with torch.no_grad():
            for layer in layers:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
                layer.bias = nn.Parameter(torch.zeros(layer.out_channels))
            # the identity, nearly: training starts at the noisy image
            layers[-1].weight.mul_(0.1)
        self.layers = nn.ModuleList(layers)

    def noise(self, y: Images, sigma: float | Levels) -> Images:
        """Return sigma N(y, sigma), the estimated noise.

        Raises:
            ShapeError: not (batch, channels, height, width).
            ConfigError: sigma is not one number, or one an image, above 0.
        """
        if y.ndim != 4 or y.shape[1] != self.channels:
            raise ShapeError(f"the images have shape {tuple(y.shape)}, expected (batch, {self.channels}, height, width)")
        levels = torch.as_tensor(sigma, dtype=y.dtype, device=y.device).reshape(-1)
        if levels.numel() not in (1, len(y)) or not bool((levels > 0).all() and levels.isfinite().all()):
            raise ConfigError(f"sigma is one number above 0, or one an image ({len(y)}), got {levels.tolist()}")
        levels = levels.reshape(-1, 1, 1, 1)
        u = torch.cat([y - 0.5, SIGMA_GAIN * levels.expand(len(y), 1, *y.shape[2:])], 1)
        for index, layer in enumerate(self.layers):
            u = layer(F.pad(F.elu(u) if index else u, (1, 1, 1, 1), mode="replicate"))
        return levels * u

    def forward(self, y: Images, sigma: float | Levels) -> Images:
        """Return f(y); `sigma` is one number or one an image."""
        return y - self.noise(y, sigma)


class GradientStepDenoiser(ResidualDenoiser):
    """f = y - grad g, g(y) = 1/2 ||y - D(y)||^2 = 1/2 ||sigma N(y, sigma)||^2, D the residual denoiser with the same settings.

    In grad mode f carries the graph of the parameters, so that a loss of it is a double backward pass.
    """

    kind: ClassVar[str] = "gradient_step"

    def potential(self, y: Images, sigma: float | Levels) -> Float[Tensor, " batch"]:
        """Return g(y) of each image."""
        return 0.5 * self.noise(y, sigma).square().sum((1, 2, 3))

    def forward(self, y: Images, sigma: float | Levels) -> Images:
        """Return y - grad g(y); with a graph in grad mode only, `y` left alone."""
        keep = torch.is_grad_enabled()
        with torch.enable_grad():
            point = y if keep and y.requires_grad else y.detach().requires_grad_()
            (slope,) = torch.autograd.grad(self.potential(point, sigma).sum(), point, create_graph=keep)
        return y - slope


PEERS: dict[str, type[ResidualDenoiser]] = {c.kind: c for c in (ResidualDenoiser, GradientStepDenoiser)}


def build_peer(config: PeerConfig, seed: int = 0) -> ResidualDenoiser:
    """Return an untrained peer; equal seeds give equal weights."""
    return PEERS[config.kind](config, seed)


def matched(parameters: int, kind: str = "residual", channels: int = 1, depth: int = 5) -> PeerConfig:
    """Return the settings whose number of parameters is nearest to a given one.

    Args:
        parameters: how many the other network has.
        kind: `residual` or `gradient_step`.
        channels: channels of the images.
        depth: number of convolutions; the width is chosen.

    Raises:
        ConfigError: no kind of this name, or fewer parameters than the narrowest network has.
    """
    if kind not in PEERS:
        raise ConfigError(f"no peer is called {kind!r}; known: {', '.join(PEERS)}")

    def size(width: int) -> int:
        inner = (depth - 2) * (9 * width + 1) * width
        return (9 * (channels + 1) + 1) * width + inner + (9 * width + 1) * channels

    if parameters < size(1):
        raise ConfigError(f"a {kind} peer of depth {depth} has at least {size(1)} parameters, {parameters} were asked for")
    width = 1
    while abs(size(width + 1) - parameters) < abs(size(width) - parameters):
        width += 1
    return PeerConfig.model_validate({"kind": kind, "channels": channels, "depth": depth, "width": width})
