"""Where the small networks start: principal axes of blocks, and codebooks by entropy-constrained Lloyd iterations.

    C = E[u u^T] = W^T diag(v) W;   W_e = W_d = the first D rows of W, sigma = sqrt(v)

A picture that goes through D axes loses the sum of the other v. Lloyd: assign every vector to argmin_k |z - c_k|^2 + lambda
bits_k, set words to means and bits to -log2 of shares, again and again (Chou, Lookabaugh and Gray, 1989).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional

from sciml.compression.neural.cascade import Latent, Picture
from sciml.compression.neural.codebooks import DEAD, MultiCodebook, squared_distances
from sciml.compression.neural.small import BLOCK, SmallCascade

ITERATIONS = 20
MOST_VECTORS = 60_000
CENTRE, SPAN = 127.5, 255.0


def pictures_of(crops: UInt8[np.ndarray, "batch rows columns 3"]) -> Picture:
    """Return grey levels as the networks take them: in units of the span, around 0."""
    numbers = torch.from_numpy(np.ascontiguousarray(crops.transpose(0, 3, 1, 2))).to(torch.float32)
    return (numbers - CENTRE) / SPAN


def principal_axes(
    crops: UInt8[np.ndarray, "crops rows columns 3"],
) -> tuple[Float[Tensor, "768 768"], Float[Tensor, " 768"]]:
    """Return the principal axes of 16 x 16 x 3 blocks, one a row, and the mean squares along them, largest first."""
    total = torch.zeros(3 * BLOCK**2, 3 * BLOCK**2, dtype=torch.float64)
    count = 0
    for crop in crops:
        blocks = functional.pixel_unshuffle(pictures_of(crop[None]), BLOCK).flatten(2)[0]
        total += (blocks @ blocks.T).double()
        count += blocks.shape[1]
    values, vectors = torch.linalg.eigh(total / count)
    # a sign for every axis, so that equal pictures give equal axes
    signs = torch.where(vectors.sum(0) < 0, -1.0, 1.0)
    return (vectors * signs).T.flip(0).float(), values.flip(0).clamp(min=0).float()


@torch.no_grad()
def start(network: SmallCascade, crops: UInt8[np.ndarray, "crops rows columns 3"], weight: float) -> None:
    """Set axes, deviations and codebooks from training crops.

    Args:
        network: whose branches are still 0.
        crops: sides are multiples of 64.
        weight: squared error that a bit is worth.
    """
    axes, values = principal_axes(crops)
    count = len(network.deviations)
    network.inward.base.copy_(axes[:count])
    network.outward.base.copy_(axes[:count])
    network.deviations.copy_(values[:count].sqrt().clamp(min=1e-6))
    for codebook in network.codebooks():
        codebook.scale.copy_(network.deviations[: codebook.channels])

    def choose(level: int, latent: Latent) -> Latent:
        codebook = network.codebook(level)
        lloyd(codebook, latent.movedim(1, -1).flatten(0, 2), weight)
        return codebook.values(codebook.nearest(latent, weight))

    network.quantise(pictures_of(crops[:: max(1, len(crops) * (crops.shape[1] // BLOCK) ** 2 // MOST_VECTORS)]), choose)


@torch.no_grad()
def lloyd(codebook: MultiCodebook, vectors: Float[Tensor, "count channels"], weight: float) -> None:
    """Fit words and code lengths of all groups to vectors."""
    scales = codebook.scale.split(codebook.sizes)
    for group, (own, words) in enumerate(zip(vectors.split(codebook.sizes, 1), codebook.words, strict=True)):
        # quantiles of the energy: far vectors have words from the start
        order = own.square().sum(1).argsort()
        chosen = own[order[torch.linspace(0, len(own) - 1, codebook.count).round().long()]].clone()
        bits = torch.full((codebook.count,), float(np.log2(codebook.count)))
        share = torch.ones(codebook.count) / codebook.count
        for _ in range(ITERATIONS):
            best, index = _assigned(own, chosen, weight * bits)
            counts = torch.bincount(index, minlength=codebook.count).float()
            sums = torch.zeros_like(chosen).index_add_(0, index, own)
            chosen = torch.where(counts[:, None] > 0, sums / counts.clamp(min=1)[:, None], chosen)
            dead = torch.nonzero(counts < DEAD / codebook.count * len(own))[: len(own), 0]
            # words that serve nobody go where the cost is largest
            chosen[dead] = own[best.topk(len(dead)).indices]
            share = (counts + 0.5) / (counts + 0.5).sum()
            bits = -torch.log2(share)
        words.copy_(chosen / scales[group])
        codebook.usage[group] = share
        codebook.bits[group] = bits


def _assigned(
    vectors: Float[Tensor, "count size"], words: Float[Tensor, "words size"], price: Float[Tensor, " words"]
) -> tuple[Tensor, Tensor]:
    """Return least costs and chosen words, a part of the vectors at a time."""
    parts: Sequence[Tensor] = vectors.split(8192)
    found = [(squared_distances(part, words) + price).min(1) for part in parts]
    return torch.cat([one.values for one in found]), torch.cat([one.indices for one in found])
