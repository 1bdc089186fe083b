"""Training of a cascade: batches, the loss, and the tables that files are coded with.

    loss = |x - x^|^2 + lambda sum bits + beta sum |z - c|^2        per block of 16 x 16 pixels

bits are expected under the soft assignment. The paper trains on the squared error alone (lambda = beta = 0).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from sciml.compression.entropy.tables import TOTAL
from sciml.compression.neural.cascade import Cascade, Picture
from sciml.compression.neural.codebooks import Estimator
from sciml.compression.neural.start import pictures_of
from sciml.runtime.seeds import Seeds
from sciml.training.step import LossStep, Scalars

BLOCK_PIXELS = 16**2
COMMITMENT = 0.25
SMOOTHING = 0.5


class PictureBatches:
    """Parts of crops, turned and mirrored, as a pure function of (seed, step).

    Args:
        crops: crops to cut from.
        size: side of a part.
        batch: parts a batch.
        seed: seed of the random numbers.
    """

    def __init__(self, crops: UInt8[np.ndarray, "crops rows columns 3"], size: int, batch: int, seed: int):
        self.crops, self.size, self.count, self.seed = crops, size, batch, seed

    def batch(self, step: int) -> Picture:
        """Return the pictures of a step."""
        random = np.random.default_rng(Seeds(self.seed)("parts", step))
        room = self.crops.shape[1] - self.size
        parts = []
        for crop in self.crops[random.integers(len(self.crops), size=self.count)]:
            top, left = random.integers(room + 1, size=2)
            part = np.rot90(crop[top : top + self.size, left : left + self.size], int(random.integers(4)))
            parts.append(part[:, ::-1] if random.integers(2) else part)
        return pictures_of(np.stack(parts))


def loss_of(weight: float, estimator: Estimator) -> LossStep:
    """Return the loss of a step; see the module.

    Args:
        weight: squared error that a bit is worth, lambda.
        estimator: estimator of gradients through the choice of words.
    """

    def loss(network: nn.Module, pictures: Picture, generator: torch.Generator) -> tuple[Float[Tensor, ""], Scalars]:
        decoded, levels = network(pictures, weight, estimator, generator)
        blocks = pictures[:, 0].numel() / BLOCK_PIXELS
        error = (decoded.float() - pictures).square().sum() / blocks
        bits = torch.stack([level.bits for level in levels]).sum() / blocks
        distance = torch.stack([level.distance for level in levels]).sum() / blocks
        with torch.no_grad():
            books = network.codebooks() if isinstance(network, Cascade) else []
            hard = [torch.gather(book.bits, 1, _by_group(level.codes)) for book, level in zip(books, levels, strict=True)]
            facts: dict[str, float | Tensor] = {
                "psnr_db": -10 * torch.log10(error / (3 * BLOCK_PIXELS)),
                "bpp": torch.stack([one.sum() for one in hard]).sum() / blocks / BLOCK_PIXELS,
            }
            for stride, book in zip((64, 32, 16), books, strict=True):
                facts |= {f"{name}_{stride}": value for name, value in book.state_of_use().items()}
        # without a rate the estimator's own gradients reach words and latents, and nothing has to pull
        pull = COMMITMENT if weight else 0.0
        return error + weight * bits + pull * distance, facts

    return loss


def reviver(every: int, until: int) -> Callable[[nn.Module], None]:
    """Return what revives dead words after every so many steps; steps are counted by the network, so that a stopped run agrees.

    Args:
        every: steps.
        until: last step at which words are revived: later ones would have no time to settle.
    """

    def revive(network: nn.Module) -> None:
        age = network.get_buffer("age")
        age.add_(1)
        if int(age) % every == 0 and int(age) <= until and isinstance(network, Cascade):
            for codebook in network.codebooks():
                codebook.revive()

    return revive


@torch.no_grad()
def rate_and_error(network: Cascade, crops: UInt8[np.ndarray, "crops rows columns 3"], weight: float) -> dict[str, float]:
    """Return ideal bits a pixel, the PSNR of the mean squared error, and J = error + lambda bits of a block, over all crops."""
    bits = error = 0.0
    device = network.get_buffer("age").device
    for crop in crops:
        picture = pictures_of(crop[None]).to(device)
        codes = network.encode(picture, weight)
        bits += sum(
            float(torch.gather(book.bits, 1, _by_group(found)).sum())
            for book, found in zip(network.codebooks(), codes, strict=True)
        )
        error += float((network.decode(codes, *crop.shape[:2]).clamp(-0.5, 0.5) - picture).square().mean())
    bpp, mean = bits / crops[..., 0].size, error / len(crops)
    return {"bpp": bpp, "psnr_db": -10 * math.log10(mean), "cost": BLOCK_PIXELS * (3 * mean + weight * bpp)}


def counted_tables(
    network: Cascade, crops: UInt8[np.ndarray, "crops rows columns 3"], weight: float
) -> list[Int[np.ndarray, "groups words"]]:
    """Return the tables of each level, counted on crops."""
    counts = [np.zeros(book.bits.shape) for book in network.codebooks()]
    for crop in crops:
        for level, found in zip(counts, network.encode(pictures_of(crop[None]), weight), strict=True):
            codes = _by_group(found).numpy()
            level += np.stack([np.bincount(row, minlength=level.shape[1]) for row in codes])
    return [whole_tables(level) for level in counts]


def whole_tables(counts: Float[np.ndarray, "groups words"]) -> Int[np.ndarray, "groups words"]:
    """Return whole numbers of at least 1 that sum to 2^20 in every row, nearest to smoothed counts.

    n_k = 1 + floor((2^20 - K) share_k), and what is missing goes to the largest remainders
    """
    smooth = counts + SMOOTHING / counts.shape[1]
    exact = smooth / smooth.sum(1, keepdims=True) * (TOTAL - counts.shape[1])
    whole = np.floor(exact).astype(np.int64)
    rank = np.argsort(np.argsort(whole - exact, axis=1, kind="stable"), axis=1, kind="stable")
    missing = TOTAL - counts.shape[1] - whole.sum(1, keepdims=True)
    return whole + 1 + (rank < missing)


def _by_group(codes: Int[Tensor, "batch groups rows columns"]) -> Int[Tensor, "groups positions"]:
    return codes.transpose(0, 1).flatten(1).long()
