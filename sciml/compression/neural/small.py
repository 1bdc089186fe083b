"""Networks that train in minutes on a processor: an orthonormal linear path, and branches that add what it misses.

With u the picture in blocks of 16 x 16 x 3 numbers, W the D first principal axes of such blocks and sigma the deviations of
their coefficients:

    y = W_e u + sigma f(x) / 10
    levels 64, 32:  r_l = mean(y) - p_l,  s_l = p_l + c(b_l);   p_64 = 0,  p_l = up(s_{l+1}) + sigma h_l(s_{l+1} / sigma) / 10
    level 16:       r = y - p,            y^ = p + c(b)
    x^ = W_d^T y^ + g(y^ / sigma) / 20

f, g and h start at 0: the first step is that of a codec of principal components, and squared distances of latents are squared
errors of pixels. W_e and W_d move a hundredth as fast as everything else: as fast as that, all their weights together diverge.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from sciml.compression.neural.blocks import Residual, conv
from sciml.compression.neural.cascade import Cascade, Choose, Latent, Picture
from sciml.compression.neural.codebooks import MultiCodebook

BLOCK = 16
INPUTS = 3 * BLOCK**2
LATENT_GAIN, PIXEL_GAIN = 0.1, 0.05
SLOWNESS = 0.01
# groups by variance: equal ones serve the first coefficients badly
FINE = (1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 8, 8, 8, 16)
COARSE = (1, 1, 1, 1, 4, 8)


class Axes(nn.Module):
    """Principal axes that training moves slowly: base + change / 100.

    Args:
        count: count of axes.
    """

    base: Tensor

    def __init__(self, count: int):
        super().__init__()
        self.register_buffer("base", torch.zeros(count, INPUTS))
        self.change = nn.Parameter(torch.zeros(count, INPUTS))

    @property
    def weight(self) -> Float[Tensor, "count inputs"]:
        """The axes, one a row."""
        return self.base + SLOWNESS * self.change

    @torch.no_grad()
    def settle(self) -> None:
        """Add the change to the base, so that the base alone is the weight."""
        self.base.copy_(self.weight)
        self.change.zero_()


class Prediction(nn.Module):
    """The next finer level's mean from a coarser level.

    Args:
        inward: channels of the coarser level.
        outward: channels of the finer one, at least as many.
        width: within.
    """

    def __init__(self, inward: int, outward: int, width: int):
        super().__init__()
        self.outward = outward
        self.branch = nn.Sequential(
            conv(inward, width),
            nn.SiLU(),
            conv(width, 4 * width),
            nn.PixelShuffle(2),
            nn.SiLU(),
            _zero(nn.Conv2d(width, outward, 1)),
        )

    def forward(self, coarse: Latent, deviations: Float[Tensor, " channels"]) -> Latent:
        """Return the mean; `deviations` are those of the finest level's channels."""
        up = functional.interpolate(coarse, scale_factor=2.0, mode="bilinear")
        up = functional.pad(up, (0, 0, 0, 0, 0, self.outward - up.shape[1]))
        scaled = self.branch(coarse / _channels(deviations[: coarse.shape[1]]))
        return up + LATENT_GAIN * _channels(deviations[: self.outward]) * scaled


class SmallCascade(Cascade):
    """The networks.

    Args:
        width: channels of the branches.
        fine: sizes of the groups at stride 16; together the number of axes.
        coarse: sizes of the groups at strides 64 and 32.
        words: words of each codebook, coarse to fine.
    """

    orthonormal = True
    coarse_first = True
    deviations: Tensor

    def __init__(
        self,
        width: int = 64,
        fine: Sequence[int] = FINE,
        coarse: Sequence[int] = COARSE,
        words: Sequence[int] = (64, 64, 128),
    ):
        super().__init__([MultiCodebook(sizes, count) for sizes, count in zip((coarse, coarse, fine), words, strict=True)])
        axes, low = sum(fine), sum(coarse)
        self.inward, self.outward = Axes(axes), Axes(axes)
        self.register_buffer("deviations", torch.ones(axes))
        self.analysis = nn.Sequential(
            nn.PixelUnshuffle(8), conv(192, width), Residual(width), conv(width, width, 2), Residual(width), nn.SiLU(),
            _zero(nn.Conv2d(width, axes, 1)),
        )  # fmt: skip
        self.prediction = nn.ModuleList([Prediction(low, low, width // 2), Prediction(low, axes, width // 2)])
        self.synthesis = nn.Sequential(
            conv(axes, width), Residual(width), nn.Conv2d(width, 4 * width, 1), nn.PixelShuffle(2), Residual(width),
            Residual(width), nn.SiLU(), _zero(conv(width, 192)), nn.PixelShuffle(8),
        )  # fmt: skip

    def analyse(self, picture: Picture) -> Latent:
        """Return the coefficients y."""
        linear = functional.conv2d(functional.pixel_unshuffle(picture, BLOCK), self.inward.weight[..., None, None])
        return linear + LATENT_GAIN * _channels(self.deviations) * self.analysis(2 * picture)

    def quantise(self, picture: Picture, choose: Choose) -> list[Latent]:
        """Return the values of each level, coarse to fine; the coarsest is chosen first."""
        y = self.analyse(picture)
        low = self.codebook(0).channels
        values = [choose(0, functional.avg_pool2d(y[:, :low], 4))]
        mean = self.prediction[0](values[0], self.deviations)
        values.append(choose(1, functional.avg_pool2d(y[:, :low], 2) - mean))
        values.append(choose(2, y - self.prediction[1](mean + values[1], self.deviations)))
        return values

    def synthesise(self, values: Sequence[Latent]) -> Picture:
        """Return the picture."""
        coarse = self.prediction[0](values[0], self.deviations) + values[1]
        y = self.prediction[1](coarse, self.deviations) + values[2]
        linear = functional.conv2d(y, self.outward.weight.T[..., None, None])
        addition = self.synthesis(y / _channels(self.deviations))
        return functional.pixel_shuffle(linear, BLOCK) + PIXEL_GAIN * addition


def _zero(layer: nn.Conv2d) -> nn.Conv2d:
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _channels(values: Float[Tensor, " channels"]) -> Float[Tensor, "1 channels 1 1"]:
    return values.view(1, -1, 1, 1)
