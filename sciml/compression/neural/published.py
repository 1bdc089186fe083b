"""The paper's networks: three levels, each deciding on what the former one left, fine to coarse; about 50.6 million weights.

    analysis to a 1/8 of the size; then for l = 1/16, 1/32, 1/64:
        z_l = stage_l(r_{l-1}),   b_l = nearest(quantisation_l(z_l)),   r_l = latent_l(z_l) - c(b_l)
    s_l = restore_l(dequantisation_l(c(b_l)) + side_l(s_{l+1})) from the coarsest up;   synthesis from s of the finest

Source: Zhu et al., CVPR 2022, and the blocks of its published code. The squared error alone is trained on.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from sciml.compression.neural.blocks import Attention, Down, Residual, Up, conv
from sciml.compression.neural.cascade import Cascade, Choose, Latent, Picture
from sciml.compression.neural.codebooks import MultiCodebook

WIDTH = 128
GROUPS = 2
# coarse to fine
WORDS = (512, 2048, 8192)


class PublishedCascade(Cascade):
    """The paper's networks.

    Args:
        width: channels everywhere, C.
        groups: codebooks of each level, m.
        words: words of each codebook, coarse to fine.
    """

    orthonormal = False
    coarse_first = False

    def __init__(self, width: int = WIDTH, groups: int = GROUPS, words: Sequence[int] = WORDS):
        super().__init__([MultiCodebook([width // groups] * groups, count) for count in words])
        self.analysis = nn.Sequential(
            conv(3, width, 2), Residual(width), Down(width), Attention(width), Residual(width), Down(width), Residual(width)
        )
        depth = range(len(words))
        self.stage = nn.ModuleList([nn.Sequential(Down(width), Residual(width), Attention(width)) for _ in depth])
        self.quantisation = nn.ModuleList([_head(width) for _ in depth])
        # the coarsest level hands nothing on, and nothing comes from beside it
        self.latent = nn.ModuleList([_head(width) for _ in depth[1:]])
        self.dequantisation = nn.ModuleList([_tail(width) for _ in depth])
        self.side = nn.ModuleList([_tail(width) for _ in depth[1:]])
        self.restore = nn.ModuleList([nn.Sequential(Attention(width), Residual(width), Up(width)) for _ in depth])
        self.synthesis = nn.Sequential(
            Residual(width), Up(width), Attention(width), Residual(width), Up(width), Residual(width), conv(width, 12),
            nn.PixelShuffle(2),
        )  # fmt: skip

    def quantise(self, picture: Picture, choose: Choose) -> list[Latent]:
        """Return the values of each level, coarse to fine; the finest is chosen first."""
        rest = self.analysis(2 * picture)
        values: list[Latent] = []
        for level in reversed(range(len(self.stage))):
            latent = self.stage[level](rest)
            values.append(choose(level, self.quantisation[level](latent)))
            if level:
                rest = self.latent[level - 1](latent) - values[-1]
        return values[::-1]

    def synthesise(self, values: Sequence[Latent]) -> Picture:
        """Return the picture."""
        former = self.restore[0](self.dequantisation[0](values[0]))
        for level in range(1, len(values)):
            former = self.restore[level](self.dequantisation[level](values[level]) + self.side[level - 1](former))
        return self.synthesis(former) / 2


def _head(width: int) -> nn.Sequential:
    return nn.Sequential(Residual(width), Attention(width), conv(width, width))


def _tail(width: int) -> nn.Sequential:
    return nn.Sequential(Attention(width), conv(width, width), Residual(width))
