"""Vector codebooks of one level of the cascade: m groups of channels, each with k words and one static code length a word.

For a vector z_g of group g the costs, the choice and the soft assignment are

    J_k = |z_g - c_gk|^2 + lambda bits_gk,     b_g = argmin_k J_k,     p_k = softmax_k(-J_k / tau)

with tau = lambda log2(e), at which p_k is proportional to 2^-bits_k exp(-|z - c_k|^2 / tau). Without a rate (lambda = 0, as in
the paper) tau = sqrt(k) / T_g with T_g learned. What goes on to the decoder in training is

    straight-through:  c_gb + z_g - sg(z_g)           the chosen word gets the gradient of its value, and so does z
    gumbel:            sum_k (h_k + s_k - sg(s_k)) c_k,   s = softmax((log p + noise)), h its largest entry as 0 and 1

Source: Zhu et al., CVPR 2022 (Gumbel); van den Oord et al., NeurIPS 2017 (straight-through); Chou et al., 1989 (ECVQ).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

Estimator = Literal["straight-through", "gumbel"]

USAGE_DECAY = 0.99
# share of a uniform table that an unused word keeps, so that it can be chosen again
FLOOR = 0.05
# a word is dead when it is used less than this share of a uniform one
DEAD = 0.02
SPARES = 8


@dataclass(frozen=True)
class Quantised:
    """A quantised latent, with what a loss needs.

    Attributes:
        values: words in place of vectors, with the estimator's gradient.
        codes: chosen words.
        bits: expected code length under the soft assignment, summed over all positions.
        distance: squared distance of vectors and words, each pulled to the other, summed over all positions.
    """

    values: Float[Tensor, "batch channels rows columns"]
    codes: Int[Tensor, "batch groups rows columns"]
    bits: Float[Tensor, ""]
    distance: Float[Tensor, ""]


class MultiCodebook(nn.Module):
    """The codebooks of one level.

    Args:
        sizes: channels of each group.
        words: words of each codebook, from 2.
    """

    usage: Tensor
    bits: Tensor
    scale: Tensor

    def __init__(self, sizes: Sequence[int], words: int):
        super().__init__()
        self.sizes, self.count = tuple(sizes), words
        # of standard deviation sqrt(2 / (5 d)), in units of `scale`
        self.words = nn.ParameterList([nn.Parameter(torch.randn(words, size) * math.sqrt(0.4 / size)) for size in sizes])
        self.sharpness = nn.Parameter(torch.ones(len(sizes)))
        self.register_buffer("scale", torch.ones(sum(sizes)))
        self.register_buffer("usage", torch.full((len(sizes), words), 1 / words))
        self.register_buffer("bits", torch.full((len(sizes), words), math.log2(words)))
        self._spares: list[Tensor] = []

    @property
    def channels(self) -> int:
        """Channels of all groups together."""
        return sum(self.sizes)

    def codebooks(self) -> list[Float[Tensor, "words size"]]:
        """Return the words of each group, in units of the latent."""
        return [words * scale for words, scale in zip(self.words, self.scale.split(self.sizes), strict=True)]

    def forward(
        self,
        latent: Float[Tensor, "batch channels rows columns"],
        weight: float,
        estimator: Estimator,
        generator: torch.Generator,
    ) -> Quantised:
        """Return the latent quantised for training; counts the usage of words.

        Args:
            latent: latent to quantise.
            weight: squared distance that a bit is worth, lambda; 0 for distance alone.
            estimator: estimator of the gradient.
            generator: generator of the Gumbel noise.
        """
        values, codes, spares = [], [], []
        # a copy: the counting below changes the buffer before gradients are taken
        prices = self.bits.clone()
        bits = distance = latent.new_zeros(())
        for group, (vectors, words) in enumerate(zip(_flat(latent).split(self.sizes, 1), self.codebooks(), strict=True)):
            costs = squared_distances(vectors, words) + weight * prices[group]
            best, index = costs.min(1)
            soft = torch.log_softmax(-costs / self._temperature(group, weight), 1)
            if weight:
                bits = bits + (soft.exp() * prices[group]).sum()
            distance = distance + (vectors - words[index]).square().sum()
            spares.append(vectors.detach()[best.detach().topk(min(SPARES, len(best))).indices])
            codes.append(index)
            if estimator == "gumbel":
                values.append(_gumbel(soft, generator) @ words)
            else:
                values.append(words[index] + vectors - vectors.detach())
        if self.training:
            self._count(codes)
            self._spares = spares
        shape = latent.shape[0], *latent.shape[2:]
        return Quantised(
            torch.cat(values, 1).view(*shape, -1).movedim(-1, 1),
            torch.stack(codes, -1).view(*shape, -1).movedim(-1, 1),
            bits,
            distance,
        )

    @torch.no_grad()
    def nearest(
        self, latent: Float[Tensor, "batch channels rows columns"], weight: float
    ) -> Int[Tensor, "batch groups rows columns"]:
        """Return the codes of least cost; ties go to the first word."""
        parts = zip(_flat(latent).split(self.sizes, 1), self.codebooks(), self.bits, strict=True)
        codes = [(squared_distances(vectors, words) + weight * bits).argmin(1) for vectors, words, bits in parts]
        return torch.stack(codes, -1).view(latent.shape[0], *latent.shape[2:], -1).movedim(-1, 1)

    def values(self, codes: Int[Tensor, "batch groups rows columns"]) -> Float[Tensor, "batch channels rows columns"]:
        """Return the words of codes; a code below 0 stands for one that is missing, and gives 0."""
        parts = []
        for group, words in enumerate(self.codebooks()):
            known = codes[:, group] >= 0
            parts.append((words[codes[:, group].clamp(min=0).long()] * known[..., None]).movedim(-1, 1))
        return torch.cat(parts, 1)

    @torch.no_grad()
    def revive(self) -> int:
        """Turn words that are hardly used into the worst served vectors of the last batch; return how many."""
        revived = 0
        for group, (words, spares) in enumerate(zip(self.words, self._spares, strict=False)):
            dead = torch.nonzero(self.usage[group] < DEAD / self.count)[: len(spares), 0]
            scale = self.scale.split(self.sizes)[group]
            words[dead] = spares[: len(dead)] / scale
            # as good as a word in use until it is seen whether it is
            self.usage[group, dead] = 2 * DEAD / self.count
            revived += len(dead)
        self._price()
        return revived

    @torch.no_grad()
    def state_of_use(self) -> dict[str, float]:
        """Return the share of words that are dead and the perplexity 2^H as a share of k, means over groups."""
        entropy = -(self.usage * torch.log2(self.usage + 1e-12)).sum(1)
        return {
            "dead": float((self.usage < DEAD / self.count).float().mean()),
            "perplexity": float((2**entropy).mean()) / self.count,
        }

    @torch.no_grad()
    def set_tables(self, shares: Float[Tensor, "groups words"]) -> None:
        """Take over the probabilities that files are coded with."""
        self.usage.copy_(shares)
        self.bits.copy_(-torch.log2(shares))

    def _temperature(self, group: int, weight: float) -> Tensor | float:
        return weight * math.log2(math.e) if weight else math.sqrt(self.count) / self.sharpness[group].clamp(min=1e-6)

    @torch.no_grad()
    def _count(self, codes: Sequence[Int[Tensor, " positions"]]) -> None:
        counts = torch.stack([torch.bincount(index, minlength=self.count) for index in codes]).to(self.usage.dtype)
        self.usage.lerp_(counts / counts.sum(1, keepdim=True), 1 - USAGE_DECAY)
        self._price()

    def _price(self) -> None:
        share = (self.usage + FLOOR / self.count) / (self.usage + FLOOR / self.count).sum(1, keepdim=True)
        self.bits.copy_(-torch.log2(share))


def squared_distances(
    vectors: Float[Tensor, "positions size"], words: Float[Tensor, "words size"]
) -> Float[Tensor, "positions words"]:
    """Return |z - c|^2 = |z|^2 - 2 z c + |c|^2 of all pairs."""
    return vectors.square().sum(1, keepdim=True) - 2 * vectors @ words.T + words.square().sum(1)


def _gumbel(soft: Float[Tensor, "positions words"], generator: torch.Generator) -> Float[Tensor, "positions words"]:
    """Return one word drawn from each row of log-probabilities, as 0 and 1, with the gradient of the soft draw."""
    uniform = torch.rand(soft.shape, generator=generator, device=soft.device).clamp_(1e-9, 1 - 1e-7)
    drawn = torch.softmax(soft - torch.log(-torch.log(uniform)), 1)
    hard = torch.zeros_like(drawn).scatter_(1, drawn.argmax(1, keepdim=True), 1.0)
    return hard + drawn - drawn.detach()


def _flat(latent: Float[Tensor, "batch channels rows columns"]) -> Float[Tensor, "positions channels"]:
    return latent.movedim(1, -1).reshape(-1, latent.shape[1])
