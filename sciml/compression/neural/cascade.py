"""What both networks of the preset are: pictures to codes at strides 64, 32 and 16 and back.

Levels are in the order of a file's layers, coarse to fine. A picture is padded to multiples of 64; only codes of cells that it
reaches into are kept, and the others are copies of their neighbours, for the encoder as for the decoder.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from sciml.compression.neural.codebooks import Estimator, MultiCodebook, Quantised

STRIDES = (64, 32, 16)
PAD = STRIDES[0]

Picture = Float[Tensor, "batch 3 rows columns"]
Latent = Float[Tensor, "batch channels rows columns"]
Codes = Int[Tensor, "batch groups rows columns"]
Choose = Callable[[int, Latent], Latent]


class Cascade(nn.Module, ABC):
    """Analysis, three levels of codebooks, synthesis.

    Args:
        levels: codebooks, coarse to fine.
    """

    # whether squared distances of latents are squared errors of pixels, so that a rate can be weighed against them
    orthonormal: bool
    # whether the coarsest level is chosen first
    coarse_first: bool

    def __init__(self, levels: Sequence[MultiCodebook]):
        super().__init__()
        self.levels = nn.ModuleList(levels)
        # training steps
        self.register_buffer("age", torch.zeros((), dtype=torch.int64))

    @abstractmethod
    def quantise(self, picture: Picture, choose: Choose) -> list[Latent]:
        """Return the values of each level that `choose(level, latent)` gave, coarse to fine."""

    @abstractmethod
    def synthesise(self, values: Sequence[Latent]) -> Picture:
        """Return the picture of the values of each level, coarse to fine."""

    def codebook(self, level: int) -> MultiCodebook:
        """Return the codebooks of a level."""
        return cast("MultiCodebook", self.levels[level])

    def codebooks(self) -> list[MultiCodebook]:
        """Return the codebooks of all levels, coarse to fine."""
        return [self.codebook(level) for level in range(len(self.levels))]

    def forward(
        self, picture: Picture, weight: float, estimator: Estimator, generator: torch.Generator
    ) -> tuple[Picture, list[Quantised]]:
        """Return the decoded picture and the quantised levels, for training.

        Args:
            picture: picture in units of the span, around 0; sides are multiples of 64.
            weight: squared error that a bit is worth.
            estimator: estimator of gradients through the choice of words.
            generator: generator of its noise.
        """
        found: list[Quantised] = []

        def choose(level: int, latent: Latent) -> Latent:
            found.append(self.codebook(level)(latent, weight, estimator, generator))
            return found[-1].values

        order = [0, 1, 2] if self.coarse_first else [2, 1, 0]
        values = self.quantise(picture, choose)
        return self.synthesise(values), [found[order.index(level)] for level in range(len(order))]

    @torch.no_grad()
    def encode(self, picture: Picture, weight: float) -> list[Codes]:
        """Return the codes of each level, coarse to fine, of the cells that the pictures reach into.

        Args:
            picture: picture in units of the span, around 0; of any size.
            weight: squared error that a bit is worth; networks whose latents are not orthonormal take the nearest word.
        """
        rows, columns = picture.shape[2:]
        found: dict[int, Codes] = {}

        def choose(level: int, latent: Latent) -> Latent:
            codes = self.codebook(level).nearest(latent, weight if self.orthonormal else 0.0)
            found[level] = codes[:, :, : cells(rows, level), : cells(columns, level)]
            return self.codebook(level).values(padded(found[level], latent.shape[2], latent.shape[3]))

        self.quantise(padded(picture, -(-rows // PAD) * PAD, -(-columns // PAD) * PAD), choose)
        return [found[level] for level in range(len(STRIDES))]

    @torch.no_grad()
    def decode(self, codes: Sequence[Codes], rows: int, columns: int) -> Picture:
        """Return the pictures of codes; a code below 0 is missing."""
        blocks = -(-rows // PAD), -(-columns // PAD)
        values = []
        for level, (own, stride) in enumerate(zip(codes, STRIDES, strict=True)):
            full = padded(own, *(side * (PAD // stride) for side in blocks))
            values.append(self.codebook(level).values(full))
        return self.synthesise(values)[:, :, :rows, :columns]


def cells(side: int, level: int) -> int:
    """Return how many cells of a level a side of pixels reaches into."""
    return -(-side // STRIDES[level])


def padded(array: Tensor, rows: int, columns: int) -> Tensor:
    """Return an array that goes on with its last row and column up to a size."""
    below, after = rows - array.shape[2], columns - array.shape[3]
    if not (below or after):
        return array
    if array.is_floating_point():
        return functional.pad(array, (0, after, 0, below), mode="replicate")
    row = torch.arange(rows, device=array.device).clamp(max=array.shape[2] - 1)
    column = torch.arange(columns, device=array.device).clamp(max=array.shape[3] - 1)
    return array[:, :, row][:, :, :, column]


def largest_bpp(groups: Sequence[int], words: Sequence[int], strides: Sequence[int] = STRIDES) -> float:
    """Return the rate that no file of a cascade passes (but for its header) if all words are equally likely.

        bpp_max = sum_l m_l log2(k_l) / s_l^2

    Args:
        groups: m, of each level.
        words: k, of each level.
        strides: s, pixels a cell.
    """
    return sum(m * math.log2(k) / s**2 for m, k, s in zip(groups, words, strides, strict=True))
