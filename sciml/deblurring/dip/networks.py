"""Untrained networks: the encoder-decoder of the deep image prior, for the image and for the residual.

An image is written as the output of a random network on a fixed random input, and the weights are fitted to one measurement
(Ulyanov, Vedaldi and Lempitsky, "Deep image prior", CVPR 2018). The skip branches are narrow, so that fine structure, noise
above all, is learned last.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sciml.runtime.errors import ConfigError, ShapeError

INPUT_SCALE = 0.1
SMALL_START = 0.01
OFFSET_SCALE = 0.1
SLOPE_INSIDE = 0.1
NetworkSize = Literal["tiny", "small", "published"]


@dataclass(frozen=True)
class Widths:
    """Channels of the two branches at each level, finest first.

    Attributes:
        main: channels of the down and the up path.
        skip: channels of the skip branch at every level.
    """

    main: tuple[int, ...]
    skip: int


IMAGE_WIDTHS: dict[NetworkSize, Widths] = {
    "tiny": Widths((8, 16, 32), 4),
    "small": Widths((8, 16, 32, 64, 128), 4),
    "published": Widths((128,) * 5, 16),
}
RESIDUAL_WIDTHS: dict[NetworkSize, Widths] = {
    "tiny": Widths((8, 8, 8), 4),
    "small": Widths((16, 16, 32, 64, 64), 4),
    "published": Widths((16, 16, 32, 64, 64), 4),
}


class SkipNetwork(nn.Module):
    """Encoder-decoder with a skip branch at every level; any image size.

    One level maps its input h, with B the batch normalisation followed by a leaky rectifier of slope 0.2, to

        up( B C1 B C3 N [ B C1_skip h,  upsample( next( B C3 B C3_stride2 h ) ) ] ),

    where C1 and C3 are convolutions of 1 and 3 pixels with reflected borders, N normalises the joined channels, and the
    next level is left out at the coarsest one. A last 1 x 1 convolution makes the output channels.

    Args:
        widths: channels of the levels.
        outputs: output channels: 1 for grey, 3 for colour.
        generator: source of the initial weights (uniform in +- 1 / sqrt(fan in), torch's default law).
        inputs: channels of the fixed input.

    Raises:
        ConfigError: a channel count is below 1, or there is no level.
    """

    def __init__(self, widths: Widths, outputs: int, generator: torch.Generator, inputs: int = 8) -> None:
        super().__init__()
        if not widths.main or min(*widths.main, widths.skip, outputs, inputs) < 1:
            raise ConfigError(
                f"a network needs at least one level and one channel everywhere, got {widths}, {inputs} in, {outputs} out"
            )
        self.inputs = inputs
        levels: list[_Level] = []
        arriving = inputs
        for level, channels in enumerate(widths.main):
            # what comes up from below: the next level's output, or at the coarsest one the down branch itself
            rising = widths.main[min(level + 1, len(widths.main) - 1)]
            levels.append(_Level(arriving, channels, rising, widths.skip))
            arriving = channels
        self.levels = nn.ModuleList(levels)
        self.last = _convolution(widths.main[0], outputs, 1)
        _initialise(self, generator)
        # channels innermost: a third faster on a CPU at these few channels
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    @property
    def multiple(self) -> int:
        """Sizes are padded to multiples of this, 2^levels."""
        return 2 ** len(self.levels)

    def forward(self, z: Float[Tensor, "1 inputs height width"]) -> Float[Tensor, "1 outputs height width"]:
        """Return the output, of the size of the input.

        Raises:
            ShapeError: not one image, or another number of channels.
        """
        if z.ndim != 4 or z.shape[0] != 1 or z.shape[1] != self.inputs:
            raise ShapeError(f"an untrained network takes one input of {self.inputs} channels, got shape {tuple(z.shape)}")
        height, width = (int(size) for size in z.shape[-2:])
        # At a size that halves evenly all the way down the up-sampled features lie where they came from; two pixels are the
        # least that the reflection and the normalisation of the coarsest level can work with.
        rows, columns = (self.multiple * max(2, math.ceil(size / self.multiple)) for size in (height, width))
        padded, (top, left) = reflect_to(z, (rows, columns))
        h = self.last(self._run(0, padded.contiguous(memory_format=torch.channels_last)))
        return h[..., top : top + height, left : left + width]

    def _run(self, index: int, h: Tensor) -> Tensor:
        level = cast("_Level", self.levels[index])
        below = level.down(h)
        if index + 1 < len(self.levels):
            below = self._run(index + 1, below)
        below = F.interpolate(below, scale_factor=2, mode="bilinear", align_corners=True)
        return level.up(torch.cat([level.skip(h), below], 1))


class ImageNetwork(SkipNetwork):
    """The image as a network: a sigmoid keeps every pixel in [0, 1]."""

    def forward(self, z: Float[Tensor, "1 inputs height width"]) -> Float[Tensor, "1 outputs height width"]:
        """Return the image, pixels in (0, 1)."""
        return torch.sigmoid(super().forward(z))


class OffsetNetwork(SkipNetwork):
    """The image as a given one plus what a network adds, cut to [0, 1]; what it adds starts at practically zero.

    Nothing of the given image is lost, where a network that is fitted to it takes thousands of steps to take over its texture.

    Args:
        widths: channels of the levels.
        outputs: output channels.
        generator: source of the initial weights.
        start: the given image, of the size of the input.
        inputs: channels of the fixed input.
    """

    def __init__(
        self,
        widths: Widths,
        outputs: int,
        generator: torch.Generator,
        start: Float[Tensor, "1 outputs height width"],
        inputs: int = 8,
    ) -> None:
        super().__init__(widths, outputs, generator, inputs)
        self._start = start.detach()
        _start_small(self)

    def forward(self, z: Float[Tensor, "1 inputs height width"]) -> Float[Tensor, "1 outputs height width"]:
        """Return the image, pixels in [0, 1]."""
        return (self._start + OFFSET_SCALE * super().forward(z)).clamp(0, 1)


class ResidualNetwork(SkipNetwork):
    """The residual of a wrong kernel as a network: starts at practically zero, so that it does not wreck the image meanwhile.

    Args:
        widths: channels of the levels.
        outputs: output channels.
        generator: source of the initial weights; those of the last layer are scaled by 0.01.
        inputs: channels of the fixed input.
        threshold: of the shrinkage of the output, see `shrink`; 0 leaves it out.
    """

    def __init__(self, widths: Widths, outputs: int, generator: torch.Generator, inputs: int = 8, threshold: float = 0.0) -> None:
        super().__init__(widths, outputs, generator, inputs)
        if not 0 <= threshold < math.inf:
            raise ConfigError(f"a threshold is at least 0, got {threshold}")
        self.threshold = threshold
        _start_small(self)

    def forward(self, z: Float[Tensor, "1 inputs height width"]) -> Float[Tensor, "1 outputs height width"]:
        """Return the residual, in the units that the caller gives it."""
        return shrink(super().forward(z), self.threshold)


def shrink(v: Tensor, threshold: float) -> Tensor:
    """Return the soft shrinkage whose inner part is not flat but has slope a = 0.1,

        s(v) = v - (1 - a) clip(v, -t, t).

    The exact soft threshold (a = 0) has no gradient inside: a network that starts at zero would stay there for ever.
    """
    return v - (1 - SLOPE_INSIDE) * v.clamp(-threshold, threshold) if threshold else v


def network_input(channels: int, size: tuple[int, int], generator: torch.Generator) -> Float[Tensor, "1 channels height width"]:
    """Return the fixed input z: uniform in [0, 0.1), drawn once."""
    return INPUT_SCALE * torch.rand(1, channels, *size, generator=generator)


def reflect_to(
    x: Float[Tensor, "batch channel height width"], size: tuple[int, int]
) -> tuple[Float[Tensor, "batch channel rows columns"], tuple[int, int]]:
    """Return `x` reflected at its borders up to `size`, in the middle, and how many rows and columns stand before it.

    The border pixel is not repeated. Padding wider than the image goes back and forth, so that every size is served.
    """
    before = []
    for axis, target in zip((-2, -1), size, strict=True):
        length = x.shape[axis]
        before.append((target - length) // 2)
        if target != length:
            period = max(2 * (length - 1), 1)
            place = (torch.arange(target, device=x.device) - before[-1]) % period
            x = x.index_select(axis, torch.minimum(place, period - place) if length > 1 else place)
    return x, (before[0], before[1])


class _Level(nn.Module):
    def __init__(self, arriving: int, channels: int, rising: int, skip: int) -> None:
        super().__init__()
        self.skip = _block(arriving, skip, 1)
        self.down = nn.Sequential(_block(arriving, channels, 3, stride=2), _block(channels, channels, 3))
        self.up = nn.Sequential(_normalisation(skip + rising), _block(skip + rising, channels, 3), _block(channels, channels, 1))


def _block(inputs: int, outputs: int, window: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(_convolution(inputs, outputs, window, stride), _normalisation(outputs), nn.LeakyReLU(0.2))


def _convolution(inputs: int, outputs: int, window: int, stride: int = 1) -> nn.Conv2d:
    # made without values: the layer's own initialisation would draw from the global generator
    layer = nn.utils.skip_init(
        nn.Conv2d, inputs, outputs, window, stride=stride, padding=window // 2, padding_mode="reflect" if window > 1 else "zeros"
    )
    return cast("nn.Conv2d", layer)


def _normalisation(channels: int) -> nn.BatchNorm2d:
    # With one image in the batch this normalises by the image's own statistics, in the fit and in the output alike: the
    # network is in training mode for ever. Running statistics are another function, and the output would jump with them; without
    # any, `eval()` changes nothing.
    return nn.BatchNorm2d(channels, track_running_stats=False)


def _start_small(network: SkipNetwork) -> None:
    with torch.no_grad():
        for parameter in network.last.parameters():
            parameter.mul_(SMALL_START)


def _initialise(network: nn.Module, generator: torch.Generator) -> None:
    convolutions: Sequence[nn.Conv2d] = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    with torch.no_grad():
        for layer in convolutions:
            bound = 1 / math.sqrt(layer.weight[0].numel())
            layer.weight.uniform_(-bound, bound, generator=generator)
            cast("Tensor", layer.bias).uniform_(-bound, bound, generator=generator)
